"""What all tests share: hypothesis without a clock, the same examples each time where CI says so, and a SIGINT that
arrives: whoever starts the tests in the background may have it ignored, and what they start would inherit that.
"""

from __future__ import annotations

import os
import signal

from hypothesis import settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("shipit", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "shipit")
