"""What a migration is known again by: what it was made from and what it does, as digests that are slow to guess."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

FORMAT = "2"
"""Of the digests on a Job. The first was one plain hash of the rendered object."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`inputs` names what an object was made from, `doing` what it does, `earlier` is its hash in the first format.

    The inputs are the same for every step of a deploy but for the step's place. Passwords may be among both, and both
    are plain digests here: what is noted on an object is slow to compute, and salted with the run that notes it.
    """

    inputs: str = field(default="", repr=False)
    doing: str = field(default="", repr=False)
    earlier: str = field(default="", repr=False)

    def note(self, run: str) -> str:
        """As an object of that run carries it."""
        return f"{FORMAT}:{slow_digest(self.inputs, run)}:{slow_digest(self.doing, run)}"

    def is_noted(self, note: str, run: str) -> bool:
        """Whether an object of that run, with that note, is the same: by what it was made from, or by what it does."""
        return self.has_inputs(note, run) or self._does(note, run)

    def has_inputs(self, note: str, run: str) -> bool:
        """Whether it was made from the very same."""
        form, inputs, _ = _parts(note)
        return form == FORMAT and slow_digest(self.inputs, run) == inputs

    def _does(self, note: str, run: str) -> bool:
        form, _, doing = _parts(note)
        if form != FORMAT:
            return bool(note) and note == self.earlier
        return slow_digest(self.doing, run) == doing


UNKNOWN = Fingerprint()
"""Of what is only created, and never looked for."""


@lru_cache(maxsize=4096)
def slow_digest(text: str, salt: str) -> str:
    """32 hexadecimal digits, about 50 ms: whoever reads them can't try many passwords."""
    return hashlib.scrypt(text.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=16).hex()


def _parts(note: str) -> tuple[str, str, str]:
    """Format, inputs, doing."""
    form, _, digests = note.partition(":")
    inputs, _, doing = digests.partition(":")
    return form, inputs, doing
