"""Secrets never reach an output."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from shipit.events import Ended, Event, Failed, LogLine, MigrationResult, PodChanged, StepChanged
from shipit.render.mask import Mask


def masked(event: Event, *values: str) -> Event:
    seen: list[Event] = []
    Mask(seen.append, values)(event)
    (event,) = seen
    return event


def log(line: str) -> LogLine:
    return LogLine("migrate", "p", "c", 1, line)


def test_a_value_is_replaced_wherever_it_stands() -> None:
    assert masked(log("postgres://app:hunter22@db and hunter22"), "hunter22") == log(
        "postgres://app:***@db and ***"
    )
    failed = Failed("unknown", "with hunter22", "try hunter22", ("hunter22", "fine"))
    assert masked(failed, "hunter22") == Failed("unknown", "with ***", "try ***", ("***", "fine"))


def test_every_text_of_an_event_is_searched_nested_ones_too() -> None:
    ended = Ended(
        "unknown",
        8,
        "hunter22",
        "hunter22",
        "hunter22",
        1,
        2.0,
        (MigrationResult("hunter22", "x-hunter22", "failed", 1.0),),
    )
    assert masked(ended, "hunter22") == Ended(
        "unknown", 8, "***", "***", "***", 1, 2.0, (MigrationResult("***", "x-***", "failed", 1.0),)
    )
    assert masked(LogLine("hunter22", "hunter22", "hunter22", 1, ""), "hunter22") == LogLine(
        "***", "***", "***", 1, ""
    )


def test_a_secret_that_is_called_like_an_outcome_does_not_hide_it() -> None:
    ended = Ended("deployed", 0, "s", "n", "t", 1, 1.0, (MigrationResult("m", "j", "succeeded", 1.0),))
    assert masked(ended, "deployed", "succeeded") == ended
    assert masked(StepChanged("migrate", "started"), "started") == StepChanged("migrate", "started")
    assert masked(PodChanged("m", "p", "Running"), "Running") == PodChanged("m", "p", "Running")


def test_base64_of_a_value_is_hidden_with_and_without_padding() -> None:
    encoded = base64.b64encode(b"hunter2222").decode()
    assert encoded.endswith("==")
    assert masked(log(f"password: {encoded}"), "hunter2222") == log("password: ***")
    assert masked(log(f"password: {encoded.rstrip('=')};"), "hunter2222") == log("password: ***;")


def test_a_value_inside_a_url_is_hidden() -> None:
    assert masked(log("postgres://app:p%40ss%2Fword@db"), "p@ss/word") == log("postgres://app:***@db")


def test_each_line_of_a_key_is_hidden() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nshort\n-----END KEY-----\n"
    assert masked(log("MIIEvQIBADANBg"), key) == log("***")
    assert masked(log("a short story"), key) == log("a short story")
    for line in base64.encodebytes(key.encode() * 3).decode().splitlines():
        assert masked(log(line), key * 3) == log("***")


def test_the_longest_value_wins() -> None:
    assert masked(log("secret-and-more"), "secret", "secret-and-more") == log("***")


def test_short_values_are_left_alone() -> None:
    assert masked(log("true 5432 admin"), "true", "5432", "admin", "") == log("true 5432 admin")


def test_an_event_without_secrets_passes_untouched() -> None:
    event = log("nothing here")
    assert masked(event, "hunter22") is event
    assert masked(event) is event


def test_values_learned_later_are_hidden_from_then_on() -> None:
    seen: list[Event] = []
    mask = Mask(seen.append)
    mask(log("hunter22"))
    mask.hide(["hunter22"])
    mask.hide(["otherone"])
    mask(log("hunter22 otherone"))
    assert seen == [log("hunter22"), log("*** ***")]
    assert mask.text("Traceback: hunter22") == "Traceback: ***"


@given(st.text(min_size=6), st.text(), st.text())
def test_no_value_gets_through(value: str, before: str, after: str) -> None:
    shown = masked(log(before + value + after), value)
    assert isinstance(shown, LogLine)
    if value not in before + "***" + after:
        assert value not in shown.line
