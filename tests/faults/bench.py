"""What all scenes share: the sandbox, and what proxies are made of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox import Sandbox
from tests.faults.certificates import Certificates, make_certificates
from tests.faults.loop import Loop
from tests.faults.upstream import Upstream, upstream_of


@dataclass(frozen=True, slots=True)
class Bench:
    """What all scenes share: the sandbox, and what proxies are made of."""

    sandbox: Sandbox
    folder: Path
    loop: Loop
    upstream: Upstream
    certificates: Certificates
    ledgers: Path

    @property
    def transcripts(self) -> Path:
        """Where to read about what went wrong."""
        return self.folder / "transcripts"


@contextlib.contextmanager
def a_bench(sandbox: Sandbox, folder: Path) -> Iterator[Bench]:
    """Needs a sandbox of this machine: the ledger is a folder of the node, the audit log a file."""
    assert not sandbox.external, "the fault harness reads the audit log and a folder of the sandbox's node"
    ledgers = sandbox.kubeconfig.parent / "ledgers"
    loop = Loop()
    try:
        certificates = make_certificates(folder)
        yield Bench(sandbox, folder, loop, upstream_of(sandbox, folder), certificates, ledgers)
    finally:
        loop.close()
