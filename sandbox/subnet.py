"""Addresses: one free /16 per cluster, cut into node, Services and pods."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from sandbox.command import must
from sandbox.errors import SandboxError

CANDIDATES = [IPv4Network(f"10.{second}.0.0/16") for second in (*range(201, 256), *range(100, 201))]
NARROWEST_DETOUR = 5  # wider routes are the default route, or a VPN that splits it
API_PORT = 6443
REGISTRY_PORT = 5000


@dataclass(frozen=True)
class Network:
    """The cluster's addresses, all within `block`, which the host routes to the node."""

    block: str

    @property
    def range(self) -> IPv4Network:
        return IPv4Network(self.block)

    def _part(self, third: int, bits: int) -> str:
        return f"{self.block.split('.0.0/')[0]}.{third}.0/{bits}"

    def _address(self, third: int, fourth: int) -> str:
        return f"{self.block.split('.0.0/')[0]}.{third}.{fourth}"

    @property
    def host(self) -> str:
        """The host, as the node and the pods see it."""
        return self._address(0, 1)

    @property
    def node(self) -> str:
        """The node, where the API server and the registry listen."""
        return self._address(0, 2)

    @property
    def services(self) -> str:
        return self._part(64, 18)

    @property
    def kubernetes(self) -> str:
        """The `kubernetes` Service, by which pods reach the API server."""
        return self._address(64, 1)

    @property
    def pods(self) -> str:
        return self._part(128, 17)

    @property
    def api(self) -> str:
        return f"https://{self.node}:{API_PORT}"

    @property
    def registry(self) -> str:
        return f"{self.node}:{REGISTRY_PORT}"


def choose(taken: Iterable[IPv4Network]) -> Network:
    """The first candidate that overlaps nothing the machine already routes."""
    busy = list(taken)
    for candidate in CANDIDATES:
        if not any(candidate.overlaps(other) for other in busy):
            return Network(str(candidate))
    raise SandboxError(
        "no free network among 10.100.0.0/16 … 10.255.0.0/16",
        "take down another sandbox: `ip route` shows them",
    )


def parse_routes(text: str) -> list[IPv4Network]:
    """The destinations in `ip -json route show table all`, without the default route."""
    found = []
    for route in json.loads(text or "[]"):
        try:
            network = IPv4Network(route.get("dst", ""), strict=False)
        except ipaddress.AddressValueError:
            continue
        if network.prefixlen >= NARROWEST_DETOUR:
            found.append(network)
    return found


def routes() -> list[IPv4Network]:
    command = ["ip", "-4", "-json", "route", "show", "table", "all"]
    return parse_routes(must(command))


def save(network: Network, path: Path) -> None:
    path.write_text(json.dumps({"block": network.block}))


def load(path: Path) -> Network | None:
    try:
        return Network(json.loads(path.read_text())["block"])
    except (OSError, ValueError, KeyError):
        return None
