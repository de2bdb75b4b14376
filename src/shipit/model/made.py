"""What a deploy makes beside what Helm makes, as it is noted on the lock."""

from __future__ import annotations

from dataclasses import dataclass

from shipit.model.kubernetes import Ref


@dataclass(frozen=True, slots=True)
class MadeObject:
    """An object that was made for a migration; `uid` is "" where a deploy died before it knew it.

    `copy`: one that the migration got in place of the app's, and that nobody needs once it has ended.
    """

    ref: Ref
    uid: str = ""
    copy: bool = False
