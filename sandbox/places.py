"""Where the sandbox keeps things: one cache for all checkouts, one folder per checkout's cluster."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError

CHECKOUT = Path(__file__).resolve().parent.parent
HIDDEN_ON_THE_NODE = ("/run", "/var/run", "/var/lib", "/var/log", "/proc", "/sys")


def cache_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Build products, images and clusters live here; `SHIPIT_SANDBOX_CACHE` moves it."""
    if chosen := env.get("SHIPIT_SANDBOX_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = env.get("XDG_CACHE_HOME") or Path(env.get("HOME") or "~").expanduser() / ".cache"
    return Path(base).absolute() / "shipit-sandbox"


def cluster_name(checkout: Path) -> str:
    """The checkout's folder name, for people, and a hash of its whole path, for uniqueness."""
    word = re.sub(r"[^a-z0-9]+", "-", checkout.name.lower()).strip("-")[:20] or "checkout"
    return f"{word}-{hashlib.sha256(str(checkout).encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Places:
    """The files of one checkout's cluster."""

    cache: Path
    name: str

    @classmethod
    def of(cls, checkout: Path = CHECKOUT, env: Mapping[str, str] = os.environ) -> Places:
        return cls(cache_dir(env), cluster_name(checkout))

    @property
    def cluster(self) -> Path:
        return self.cache / "clusters" / self.name

    @property
    def lock(self) -> Path:
        return self.cache / "locks" / self.name

    @property
    def kubeconfig(self) -> Path:
        return self.cluster / "admin.conf"

    @property
    def audit_log(self) -> Path:
        return self.cluster / "audit.log"

    @property
    def network(self) -> Path:
        return self.cluster / "network.json"

    @property
    def pki(self) -> Path:
        return self.cluster / "pki"

    @property
    def config(self) -> Path:
        return self.cluster / "config"

    @property
    def pids(self) -> Path:
        return self.cluster / "pids"

    def log(self, component: str) -> Path:
        return self.cluster / "logs" / f"{component}.log"

    @property
    def unique(self) -> str:
        """Eight hex digits that name this cluster's interface and cgroup."""
        return self.name.rsplit("-", 1)[1]

    def make(self) -> None:
        """Create the folders; refuse a cache that the node's own mounts would hide."""
        for hidden in HIDDEN_ON_THE_NODE:
            if self.cache.resolve().is_relative_to(hidden):
                raise SandboxError(
                    f"the cache {self.cache} lies under {hidden}, which the sandbox's node replaces",
                    "set SHIPIT_SANDBOX_CACHE to a folder elsewhere",
                )
        for folder in (self.pki, self.config, self.pids, self.cluster / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        self.cluster.chmod(0o700)


def write(path: Path, text: str) -> None:
    """Write a file that only its owner may read, never half of it, and not at all if it is the same already.

    A component may watch its file and end when it is written: kube-proxy does.
    """
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.new")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file for as long as the block runs, waiting for it first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
