"""JSON lines: the contract's events, safe for any reader."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from shipit.events import AppLogLine, Ended, Event, Failed, LogLine, MigrationResult, StepChanged, Warned
from shipit.hints import advice, shipit
from shipit.output import open_output
from tests.golden.stories import STORIES, StoryClock, play


def told(*events: Event) -> list[dict[str, Any]]:
    stdout, stderr = io.StringIO(), io.StringIO()
    output = open_output("json", stdout=stdout, stderr=stderr, environ={}, clock=StoryClock(), run="r-1")
    with output:
        for event in events:
            output.emit(event)
    assert stderr.getvalue() == ""
    assert stdout.getvalue().isascii()
    return [json.loads(line) for line in stdout.getvalue().split("\n")[:-1]]


def test_every_line_has_time_run_and_a_type_of_the_contract() -> None:
    for story in STORIES.values():
        for line in told(*(event for _, event in story)):
            assert line["time"] == "2025-03-14T12:00:00.123Z"
            assert line["run"] == "r-1"
            assert line["type"] in {
                "started", "outline", "step", "log", "app_log", "job", "pod", "rollout", "plan", "check", "history", "status", "warning", "error", "result",
            }  # fmt: skip


def test_the_time_moves_with_the_clock() -> None:
    stdout, clock = io.StringIO(), StoryClock()
    output = open_output("json", stdout=stdout, stderr=io.StringIO(), environ={}, clock=clock, run="r")
    play([(0, Warned("a")), (61.5, Warned("b"))], output, clock)
    times = [json.loads(line)["time"] for line in stdout.getvalue().splitlines()]
    assert times == ["2025-03-14T12:00:00.123Z", "2025-03-14T12:01:01.623Z"]


def test_a_log_line_keeps_its_bytes() -> None:
    (line,) = told(LogLine("migrate", "p", "c", 2, "\x1b[31m[/red]\r::error::\u2028\U0001f600"))
    assert line["line"] == "\x1b[31m[/red]\r::error::\u2028\U0001f600"
    assert (line["step"], line["pod"], line["container"], line["attempt"]) == ("migrate", "p", "c", 2)


def test_a_log_line_has_the_time_at_which_it_was_written() -> None:
    written = "2025-03-14T11:59:58.123456789Z"
    lines = told(
        LogLine("migrate", "p", "c", 1, "one", written),
        AppLogLine("p", "c", "two", written),
        LogLine("migrate", "p", "c", 1, "[shipit: some log lines may be missing here: …]"),
    )
    assert [line["time"] for line in lines] == [written, written, "2025-03-14T12:00:00.123Z"]


@given(st.text(st.one_of(st.characters(), st.characters(categories=["Cs"]), st.sampled_from("\\ud8"))))
def test_whatever_a_line_holds_the_object_is_one_line_of_valid_unicode(text: str) -> None:
    lines = told(LogLine("migrate", "p", "c", 1, text), Failed("unknown", text, details=(text,)))
    assert len(lines) == 2
    shown = lines[0]["line"]
    shown.encode()
    assert lines[1]["details"] == [shown]
    if not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert shown == text


def test_a_result_without_a_revision_says_null() -> None:
    migrations = (MigrationResult("migrate", "shop-migrate", "failed", 1.23456),)
    (line,) = told(
        Ended("migration_failed", 4, "shop", "prod", "v3", 0, 17.12345, migrations, "why", advice("next"))
    )
    del line["time"], line["run"]
    assert line == {
        "type": "result",
        "outcome": "migration_failed",
        "exit_code": 4,
        "release": "shop",
        "namespace": "prod",
        "tag": "v3",
        "revision": None,
        "duration_s": 17.123,
        "migrations": [{"name": "migrate", "job": "shop-migrate", "outcome": "failed", "duration_s": 1.235}],
        "message": "why",
        "hint": "next",
        "hint_why": "",
    }


def test_a_hint_is_a_command_and_why_to_type_it_or_advice() -> None:
    command, words = told(
        Warned("it runs", shipit("logs", "a b", why="shows its log")), Warned("too big", advice("split it"))
    )
    assert (command["hint"], command["hint_why"]) == ("shipit logs 'a b'", "shows its log")
    assert (words["hint"], words["hint_why"]) == ("split it", "")


def test_every_event_has_a_type_and_is_json() -> None:
    for kind in get_args(Event):
        values = {
            each.name: f"a {each.name}"
            for each in dataclasses.fields(kind)
            if each.type == "str" and each.name != "written"  # that is the line's time
        }
        rest = {
            each.name: 0
            for each in dataclasses.fields(kind)
            if each.name not in values and each.default is dataclasses.MISSING
        }
        (line,) = told(kind(**values, **rest))
        assert line["run"] == "r-1"
        assert {key: line[key] for key in values if key != "run"} == {
            key: value for key, value in values.items() if key != "run"
        }


def test_each_line_is_flushed() -> None:
    class Pipe(io.StringIO):
        flushed = ""

        def flush(self) -> None:
            self.flushed = self.getvalue()

    stdout = Pipe()
    output = open_output("json", stdout=stdout, stderr=io.StringIO(), environ={}, clock=StoryClock(), run="r")
    output.emit(AppLogLine("p", "c", "hello"))
    assert '"hello"' in stdout.flushed


def test_steps_say_how_long_they_may_take() -> None:
    bounded, open_ended = told(
        StepChanged("migrate", "started", timeout=900, elapsed=41.5), StepChanged("prepare", "started")
    )
    assert (bounded["elapsed_s"], open_ended["elapsed_s"]) == (41.5, 0)
    assert bounded["timeout_s"] == 900
    assert open_ended["timeout_s"] is None
