"""One shipit under fault, and the processes that are its."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.kit import Result, Running
from tests.faults.proxy import Proxy
from tests.faults.rules import Record
from tests.faults.truth import State

MARK = "SHIPIT_FAULTS_RUN"


@dataclass(slots=True)
class Attempt:
    """One shipit: how it was started, what it asked for, how it ended, and what was true before and after."""

    proxy: Proxy
    mark: str
    tag: str
    before: State
    began: float
    bound: float
    running: Running
    result: Result | None = None
    after: State | None = None
    ended: float = 0.0
    helm_gone: bool = True
    killed: bool = False
    overran: bool = False
    alone: bool = True
    heard: bool = True  # its events can be read
    migrates: bool = True
    faults: list[str] = field(default_factory=list)

    @property
    def took(self) -> float:
        return self.ended - self.began

    @property
    def records(self) -> list[Record]:
        return self.proxy.records

    def kill(self, signum: int = signal.SIGKILL) -> None:
        self.killed = self.killed or signum == signal.SIGKILL
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.running.process.pid, signum)

    def __str__(self) -> str:
        how = self.result.exit_code if self.result else "still running"
        return f"deploy of {self.tag} ({how}, {self.took:.1f} s, {len(self.records)} requests)"


def marked(mark: str) -> list[int]:
    """The processes that carry a run's mark in their environment: shipit, its guardian, its helm."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def _helms(mark: str) -> list[int]:
    """Those of them that are helm, its guardian, or what a test put in its place."""
    found = []
    for pid in marked(mark):
        with contextlib.suppress(OSError):
            if b"helm" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def helm_gone(mark: str, within: float) -> bool:
    deadline = time.monotonic() + within
    while _helms(mark):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
    return True
