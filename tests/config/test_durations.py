"""Durations are Go's, tags are those of an image reference."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipit.config import check_tag, format_duration, parse_duration
from shipit.errors import Usage


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("1h30m10.5s", 5410.5),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("1m1m", 120),
        ("30m1h", 5400),
        ("300ms", 0.3),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("1μs", 1e-6),
        ("5ns", 5e-9),
        ("2562047h", 2562047 * 3600),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5",
        "m",
        "5 m",
        " 5m",
        "5m ",
        "5M",
        "5d",
        "1h30",
        "-5m",
        "+5m",
        ".s",
        "1e3s",
        "1_0s",
        "٣s",
        "5m\n",
        "1h-5m",
        "9999999h",
        "9" * 5000 + "s",
        "s5",
    ],
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(Usage, match=r'^--lock-wait: .* is not a duration like "90s", "15m" or "1h30m"'):
        parse_duration(text, "--lock-wait")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (90, "1m30s"),
        (900, "15m"),
        (5400, "1h30m"),
        (3600, "1h"),
        (3601.5, "1h1.5s"),
        (0.3, "0.3s"),
    ],
)
def test_a_duration_is_written_as_people_would(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 10**12).map(lambda millis: millis / 1000))
@example(100 * 3600.0)
@example(1e-9)
def test_what_is_written_is_read_back(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text())
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    with contextlib.suppress(Usage):
        assert parse_duration(text) >= 0


DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "tag", ["v1", "1.2.3", "_x", "2024-01-01T10-00", "x" * 128, "A_b.c-d", f"v1@{DIGEST}", "1e3", "latest"]
)
def test_a_legal_tag_is_taken_as_it_is(tag: str) -> None:
    assert check_tag(tag) == tag


@pytest.mark.parametrize(
    "tag",
    [
        " ",
        "v 1",
        " v1",
        "v1 ",
        "v1\n",
        "v1\t",
        ".v1",
        "-v1",
        "x" * 129,
        "v1;rm -rf /",
        "$(id)",
        "`id`",
        "${X}",
        "v1|x",
        "v1&",
        "v1>x",
        "v'1",
        'v"1',
        "v*",
        "v1+build",
        "ü",
        "v1\x00",
        "\x1b[31mv1",
        "app:v1",
        "r/app:v1",
        DIGEST,
        f"@{DIGEST}",
        "v1@",
        "v1@sha256:abc",
        f"v1@{DIGEST}0",
        f"v1@{DIGEST.upper()}",
        f"v1@{DIGEST}\n",
    ],
)
def test_a_tag_that_is_none_is_refused(tag: str) -> None:
    with pytest.raises(Usage) as caught:
        check_tag(tag)
    assert caught.value.message.isprintable()
    assert "is not a legal image tag: use up to 128 letters, digits" in caught.value.message


def test_no_tag_at_all_is_said_as_such() -> None:
    with pytest.raises(Usage, match=r"^--tag is empty$"):
        check_tag("")


def test_a_whole_image_in_place_of_a_tag_gets_a_hint() -> None:
    with pytest.raises(Usage) as caught:
        check_tag("registry.example/app:v1")
    assert str(caught.value.hint) == "give only the tag, the part after the last `:` of the image's name"


@pytest.mark.parametrize("tag", [DIGEST, f"@{DIGEST}"])
def test_a_digest_without_a_tag_gets_a_hint(tag: str) -> None:
    with pytest.raises(Usage) as caught:
        check_tag(tag)
    assert str(caught.value.hint) == "write a tag in front of the digest: TAG@sha256:…"
