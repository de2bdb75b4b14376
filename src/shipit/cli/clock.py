"""The real clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# Linux' CLOCK_MONOTONIC stands still while a laptop sleeps; a lock or a deadline must not.
_TICKING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(_TICKING)

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
