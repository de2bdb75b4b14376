"""The guardian: starts helm, ends with helm's exit code, and sees to it that helm doesn't outlive shipit.

A program of its own, run by `python -I -S`, so it imports nothing of shipit:

    guardian.py CONTROL LEASE INTERRUPT TERMINATE BINARY ARGUMENT…

CONTROL is the read end of a pipe whose write end only shipit holds. When it closes, because shipit asked for it or
died of anything, `kill -9` included, helm is interrupted, after INTERRUPT seconds its process group is terminated,
and TERMINATE seconds later killed. A byte `k` kills at once. Helm is interrupted too when no byte came for LEASE
seconds (shipit is stopped, or lost its lock and can't say so); 0 means no such bound.

helm leads no group of its own: the guardian does, so that shipit can kill both by a number that it knows.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
TICKING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # it goes on while a laptop sleeps
LOOK_EVERY = 1.0  # seconds: what waits in select does sleep


def main(argv: list[str]) -> int:
    control = int(argv[1])
    lease, interrupt, terminate = (float(seconds) for seconds in argv[2:5])
    os.set_inheritable(control, False)  # noqa: FBT003 - its only way to be called
    for quiet in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(quiet, _not_for_me)
    wakeup = _wake_on_child()
    code = Guarded(_start(argv[5:]), control, wakeup).guard(lease, interrupt, terminate)
    return code if code >= 0 else 128 - code


def _not_for_me(signum: int, frame: object) -> None:
    """A handler, not SIG_IGN: helm would inherit an ignored signal, and keep ignoring it."""


def _wake_on_child() -> int:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _not_for_me)
    return reading


def _start(command: list[str]) -> int:
    """Fork and exec. A signal in between waits until it has its ordinary effect again: it must not get lost."""
    me = os.getpid()
    ordinary = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, ordinary)
    helm = os.fork()
    if helm:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ordinary)
        return helm
    try:
        for each in ordinary:
            signal.signal(each, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ordinary)
        _die_with(me)
        os.execv(command[0], command)  # noqa: S606 - no shell is the point
    except OSError as error:
        os.write(2, f"Error: {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _die_with(parent: int) -> None:
    """Linux: interrupt helm when the guardian itself dies, so that it still marks its release as failed."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(127)


def _now() -> float:
    return time.clock_gettime(TICKING)


class Guarded:
    """A helm with the two things that are listened to: shipit's pipe, and the wakeup that its end causes."""

    def __init__(self, helm: int, control: int, wakeup: int) -> None:
        self.helm = helm
        self.control = control
        self.wakeup = wakeup
        self.code: int | None = None

    def guard(self, lease: float, interrupt: float, terminate: float) -> int:
        """Wait for helm's end, seeing to it that there is one; its exit code, negative for a signal."""
        self._wait_while_shipit_lives(lease)
        if not self._ended():
            os.kill(self.helm, signal.SIGINT)
            self._wait(interrupt)
        if not self._ended():
            os.killpg(0, signal.SIGTERM)
            self._wait(terminate)
        if not self._ended():
            os.killpg(0, signal.SIGKILL)
        assert self.code is not None  # noqa: S101 - the group that was killed is the guardian's own
        return self.code

    def _wait_while_shipit_lives(self, lease: float) -> None:
        heard = _now()
        while not self._ended():
            left = heard + lease - _now() if lease else None
            if left is not None and left <= 0:
                return
            said = self._listen(None if left is None else min(left, LOOK_EVERY))
            if said == b"":
                return
            if said:
                heard = _now()

    def _wait(self, seconds: float) -> None:
        until = _now() + seconds
        while not self._ended() and (left := until - _now()) > 0:
            self._listen(min(left, LOOK_EVERY))

    def _listen(self, seconds: float | None) -> bytes | None:
        """What shipit said, b"" when it hung up, None when it said nothing."""
        listening = [self.wakeup] if self.control < 0 else [self.wakeup, self.control]
        ready, _, _ = select.select(listening, [], [], seconds)
        if self.wakeup in ready:
            os.read(self.wakeup, 512)
        if self.control not in ready:
            return None
        said = os.read(self.control, 512)
        if b"k" in said:
            os.killpg(0, signal.SIGKILL)
        if not said:
            os.close(self.control)
            self.control = -1
        return said

    def _ended(self) -> bool:
        """Once helm is reaped its number may be somebody else's: it is never signalled after that."""
        if self.code is None:
            pid, status = os.waitpid(self.helm, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv))
