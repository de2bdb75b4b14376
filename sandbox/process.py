"""Background processes that outlive this one, known by pid and start time so that no stranger is ever signalled."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.command import SYSTEM_PATH
from sandbox.errors import SandboxError

POLL = 0.02
# The components get an environment of their own: a proxy or a KUBECONFIG of the user's would lead them astray.
ENVIRONMENT = {
    "PATH": SYSTEM_PATH,
    "HOME": "/root",
    "OTEL_TRACES_EXPORTER": "none",
}


@dataclass(frozen=True)
class Process:
    """A process of ours: its pid, and its start time in clock ticks since boot, which a reused pid can't share."""

    pid: int
    started: int

    def state(self) -> str:
        """The kernel's one-letter state, or "" when the process is gone (a zombie counts as gone)."""
        reap(self.pid)
        found = stat(self.pid)
        return found[0] if found and found[1] == self.started and found[0] not in "ZX" else ""

    def alive(self) -> bool:
        return self.state() != ""

    def frozen(self) -> bool:
        return self.state() in ("T", "t")

    def send(self, number: int) -> None:
        """Signal it, if it is still the process that we started."""
        if self.alive():
            os.kill(self.pid, number)

    def end(self, grace: float) -> None:
        """Ask it to end, insist after `grace` seconds, and return when it is gone."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        if not wait_for(lambda: not self.alive(), grace):
            self.send(signal.SIGKILL)
            wait_for(lambda: not self.alive(), 10)

    def save(self, path: Path) -> None:
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps({"pid": self.pid, "started": self.started}))
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Process | None:
        """What `save` wrote, or None when there is nothing readable."""
        try:
            found = json.loads(path.read_text())
            return cls(int(found["pid"]), int(found["started"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @classmethod
    def of(cls, pid: int) -> Process | None:
        found = stat(pid)
        return cls(pid, found[1]) if found else None


def find(ours: Callable[[list[str]], bool]) -> list[Process]:
    """The processes with a command line of `ours`: some may have been started and never recorded."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            argv = (folder / "cmdline").read_text().split("\0")[:-1]
        except (OSError, UnicodeDecodeError):
            continue
        process = Process.of(int(folder.name)) if argv and ours(argv) else None
        if process and process.alive():
            found.append(process)
    return found


def parse_stat(text: str) -> tuple[str, int]:
    """State and start time of a `/proc/PID/stat` line, whose command may itself hold blanks and brackets."""
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def stat(pid: int) -> tuple[str, int] | None:
    try:
        return parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (OSError, IndexError, ValueError):
        return None


def reap(pid: int) -> None:
    """Collect the exit status if the process is a child of this one; otherwise nothing."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def spawn(argv: Sequence[str], log: Path) -> int:
    """Start a command in a session of its own, writing to a log file; its pid."""
    log.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawnp(
        argv[0],
        list(argv),
        ENVIRONMENT,
        setsid=True,
        setsigdef=[signal.SIGINT, signal.SIGPIPE],
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )


def spawn_inner(argv: Sequence[str], log: Path, ended: str) -> Process:
    """Start a command that forks once (unshare, nsenter); the process is its child, which does the work."""
    outer = spawn(argv, log)
    children = Path(f"/proc/{outer}/task/{outer}/children")
    found: list[Process] = []

    def forked() -> bool:
        try:
            pids = children.read_text().split()
        except OSError:
            return False
        found.extend(filter(None, (Process.of(int(pid)) for pid in pids[:1])))
        return bool(found)

    outer_process = Process.of(outer)
    wait_for(lambda: forked() or outer_process is None or not outer_process.alive(), 5)
    if not found:
        raise SandboxError(f"{ended}:\n{tail(log)}")
    return found[0]


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until the condition holds or the time is over; whether it held."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def tail(path: Path, lines: int = 8) -> str:
    """The end of a log, indented, for an error message."""
    try:
        found = path.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        found = []
    return "\n".join(f"    {line}" for line in found) or "    (its log is empty)"
