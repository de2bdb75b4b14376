"""Foreign text loses what acts on a terminal, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipit.output.phrases import brief
from shipit.output.sanitize import one_line, pieces, scalars

ACTING = {chr(code) for code in (*range(9), *range(10, 32), *range(127, 160))}
TURNING = set("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

hostile = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b[]0;m\x07\r\n\x9b\x9d\u202e\ud800"),
        st.characters(codec="ascii"),
    )
)


@given(hostile)
@example("\x1b[\x1b[2J2J")
@example("\x1b]0;\x1b\\2J")
@example("\x9d\x9b")
def test_no_piece_holds_anything_that_acts(text: str) -> None:
    for piece in pieces(text):
        assert not ACTING & set(piece)
        assert not TURNING & set(piece)
        piece.encode()


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_text_that_acts_on_nothing_stays_as_it_is(text: str) -> None:
    assert pieces(text) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [""]),
        ("\r\n", [""]),
        ("10 %\r20 %\r100 %\r", ["10 %", "20 %", "100 %"]),
        ("\x1b[1;31mred\x1b[0m \x1b[38:5:1mmore\x1b[m", ["red more"]),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1b]8;;\x1b\\", ["ab"]),
        ("\x1b]0;never ended, the error follows", ["0;never ended, the error follows"]),
        ("cut\x1b[31", ["cut31"]),
        ("\x1b(Bcharset \x1bcreset", ["charset reset"]),
        ("a\tb", ["a\tb"]),
        ("family \U0001f468\u200d\U0001f469 and \udc80", ["family \U0001f468\u200d\U0001f469 and \ufffd"]),
    ],
)
def test_pieces(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_a_megabyte_of_introducers_is_read_once() -> None:
    assert one_line("\x1b]\x1b[\x9d" * 300_000) == ""
    assert len(one_line("\x1b]" + "a" * 1_000_000)) == 1_000_000


def test_lone_surrogates_become_replacement_characters() -> None:
    assert scalars("a\ud83db") == "a\ufffdb"
    assert scalars("\U0001f600") == "\U0001f600"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (0.04, "0s"), (0.44, "0.4s"), (9.94, "9.9s"), (9.96, "10s"), (59.7, "1m"), (60, "1m"),
        (90, "1m30s"), (900, "15m"), (3600, "1h"), (3725, "1h2m5s"),
    ],
)  # fmt: skip
def test_durations_read_like_gos(seconds: float, text: str) -> None:
    assert brief(seconds) == text
