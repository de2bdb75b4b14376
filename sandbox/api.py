"""A few requests to the cluster's API server, made as its administrator."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sandbox.subnet import API_PORT, REGISTRY_PORT, Network

KUBELET_PORT = 10250
TIMEOUT = 2.0
Check = Callable[[], bool]


class Api:
    """Asks the API server; every failure is None, because the caller asks again."""

    def __init__(self, pki: Path, network: Network) -> None:
        self._network = network
        self._tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")

    def get(self, path: str) -> bytes | None:
        """The body of a 200 answer."""
        connection = http.client.HTTPSConnection(
            self._network.node, API_PORT, timeout=TIMEOUT, context=self._tls
        )
        return _ask(connection, path)

    def ready(self) -> bool:
        return self.get("/readyz") is not None

    def node_ready(self) -> bool:
        """The kubelet listens, and has told the API server so: a dead one's node stays Ready for a while."""
        return listens(self._network.node, KUBELET_PORT) and node_is_ready(self.get("/api/v1/nodes/sandbox"))

    def has_default_account(self) -> bool:
        """Pods in `default` can be made only once the controllers have made its ServiceAccount."""
        return self.get("/api/v1/namespaces/default/serviceaccounts/default") is not None


def node_is_ready(body: bytes | None) -> bool:
    if body is None:
        return False
    node: dict[str, Any] = json.loads(body)
    conditions = node.get("status", {}).get("conditions", [])
    return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)


def listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), TIMEOUT).close()
    except OSError:
        return False
    return True


def registry_ready(network: Network) -> bool:
    return _ask(http.client.HTTPConnection(network.node, REGISTRY_PORT, timeout=TIMEOUT), "/v2/") is not None


def _ask(connection: http.client.HTTPConnection, path: str) -> bytes | None:
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if answer.status == HTTPStatus.OK else None
