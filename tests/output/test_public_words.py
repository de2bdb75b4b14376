"""What stands in clear elsewhere is never hidden, and nothing else is spared for it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.output.mask import MASK, Mask
from shipit.output.secret_encodings import SHORTEST


def shown(text: str, *values: str, public: tuple[str, ...]) -> str:
    mask = Mask(lambda _event: None, values)
    mask.spare(public)
    return mask.text(text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Job migrator failed", "Job migrator failed"),
        ("as migrator with hunter22", f"as migrator with {MASK}"),
        ("the migrators", "the migrators"),
        ("shopmigrator, xmigrator", "shopmigrator, xmigrator"),
        ("kubectl -n shop-prod get", "kubectl -n shop-prod get"),
        ("correct horse and correct-horse", f"correct horse and {MASK}"),
        ("db.example.com:5432/shop-db", "db.example.com:5432/shop-db"),
        ("in orders_eu and orders_euro", f"in {MASK} and orders_euro"),
    ],
)
def test_a_value_that_stands_in_clear_is_none_and_a_part_of_a_public_word_stays(
    line: str, expected: str
) -> None:
    values = ("migrator", "hunter22", "shop-prod", "correct-horse", "db.example.com", "shop-db", "orders_eu")
    public = (
        "db-migrator",
        "-n=shop-prod",
        "correct",
        "horse",
        "http://db.example.com/shop-db",
        "orders_euro",
    )
    assert shown(line, *values, public=public) == expected


def test_it_does_not_matter_which_was_told_first() -> None:
    mask = Mask(lambda _event: None)
    mask.hide(["migrator"])
    assert mask.text("migrator") == MASK
    mask.spare(["the migrator", ""])
    mask.spare(["the migrator"])
    assert mask.text("migrator") == "migrator"


def test_the_longest_public_value_does_not_save_a_shorter_one() -> None:
    assert (
        shown("hunter-tw, hunter-two", "hunter-t", "hunter-tw", public=("hunter-tw",))
        == f"hunter-tw, {MASK}wo"
    )


def test_a_value_that_a_long_text_was_cut_in_is_hidden() -> None:
    long = "x" * 600
    assert shown(f"{long} hunter…", "hunter22", public=()) == f"{long} {MASK}…"
    assert shown(f"{long} hunt…", "hunter22", public=()) == f"{long} hunt…"
    assert shown(f"{long} hunter…", "hunter22", public=("a hunter",)) == f"{long} hunter…"
    assert shown("the hunter…", "hunter22", public=()) == "the hunter…", "somebody's own dots"


WORDS = st.text("abcAB019", min_size=1, max_size=9)
TEXTS = st.lists(
    st.tuples(WORDS, st.sampled_from([" ", "-", ".", "/", ":", "_", "://", '"'])), min_size=1, max_size=5
).map(lambda parts: "".join(word + sign for word, sign in parts))


@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(TEXTS | WORDS), st.data())
def test_no_public_text_is_altered_whatever_is_secret(
    public: list[str], values: list[str], data: st.DataObject
) -> None:
    """Pieces of the public texts are secret too: names of Jobs, parts of them, and what lies across."""
    text = data.draw(st.sampled_from(public))
    start, end = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))
    mask = Mask(lambda _event: None, [*values, text[start:end], text[start:]])
    mask.spare(public)
    assert mask.text(text) == text
    assert mask.text(f"{text}") == text


@given(st.lists(TEXTS, max_size=4), st.text("abcAB019-./", min_size=SHORTEST, max_size=20), TEXTS, TEXTS)
def test_what_is_spared_stands_in_clear(public: list[str], value: str, before: str, after: str) -> None:
    """Where a value is left in a line, it is one that the public texts hold from word to word, or part of such a word."""
    line = f"{before} {value} {after}"
    left = shown(line, value, public=tuple(public))
    if value in left:
        at = left.index(value)
        around = re.compile(r"\w*\Z").search(left[:at]), re.compile(r"\w*").match(left, at + len(value))
        word = (around[0][0] if around[0] else "") + value + (around[1][0] if around[1] else "")
        assert any(piece in text for text in public for piece in (value, word))
