"""What all tests share: hypothesis without a clock, and the same examples each time where CI says so."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("shipit", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "shipit")
