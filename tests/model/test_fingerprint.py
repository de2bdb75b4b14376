"""What is noted of a fingerprint tells whether another one is the same, and nothing else."""

from __future__ import annotations

import pytest

from shipit.model import Fingerprint

ONE = Fingerprint("inputs", "doing", "0123456789abcdef")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ONE, True),
        (Fingerprint("other", "doing"), True),
        (Fingerprint("inputs", "other"), True),
        (Fingerprint("other", "other", "0123456789abcdef"), False),
    ],
    ids=["both", "doing", "inputs", "neither"],
)
def test_it_is_the_same_by_its_inputs_or_by_its_doing(other: Fingerprint, same: bool) -> None:
    assert other.is_noted(ONE.note("run-1"), "run-1") is same


def test_a_note_carries_its_format_and_is_another_with_every_run() -> None:
    notes = [ONE.note(run) for run in ("run-1", "run-2")]
    assert all(note.startswith("2:") and len(note) == 2 + 32 + 1 + 32 for note in notes)
    assert not set(notes[0].split(":")[1:]) & set(notes[1].split(":"))
    assert not ONE.is_noted(notes[0], "run-2")


def test_what_an_earlier_version_noted_is_compared_as_it_was() -> None:
    assert ONE.is_noted("0123456789abcdef", "")
    assert not ONE.is_noted("fedcba9876543210", "")


@pytest.mark.parametrize("note", ["", "2", "2:", "2::", "3:a:b", ":::", "2:a:b:c"])
def test_a_note_that_can_t_be_read_is_nobody_s(note: str) -> None:
    assert not Fingerprint("a", "b").is_noted(note, "run")
    assert not Fingerprint().is_noted(note, "run")
