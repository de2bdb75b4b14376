"""Plain lines: what a log file of a deploy holds."""

from __future__ import annotations

import io

from shipit.events import (
    AppLogLine,
    Ended,
    Event,
    Failed,
    JobChanged,
    LogLine,
    PodChanged,
    StepChanged,
    Warned,
)
from shipit.hints import advice, shipit
from shipit.output import open_output
from tests.golden.stories import STORIES, Story, StoryClock, play


def told(story: Story, *, quiet: bool = False, verbose: bool = False) -> tuple[list[str], list[str]]:
    """The lines on stdout, without their times, and those on stderr."""
    stdout, stderr, clock = io.StringIO(), io.StringIO(), StoryClock()
    output = open_output(
        "plain", stdout=stdout, stderr=stderr, environ={}, clock=clock, run="r", quiet=quiet, verbose=verbose
    )
    play(story, output, clock)
    output.__exit__(None, None, None)
    return [line[21:] for line in stdout.getvalue().splitlines()], stderr.getvalue().splitlines()


FOLLOW = shipit("logs", "--follow", why="follows its log")


def at_once(*events: Event) -> Story:
    return [(0, event) for event in events]


def test_after_thirty_seconds_of_silence_a_heartbeat_says_what_it_waits_for() -> None:
    shown, _ = told(
        [
            (0, StepChanged("migrate", "started", timeout=60)),
            (0, PodChanged("migrate", "p", "Running")),
            (29, LogLine("migrate", "p", "c", 1, "still here")),
            (95, StepChanged("migrate", "failed")),
        ]
    )
    assert shown[3:] == [
        "migrate: still running, 59s elapsed, 1s left; pod p running",
        "migrate: still running, 1m29s elapsed, past its timeout; pod p running",
        "migrate: failed after 1m35s",
    ]


def test_between_steps_there_is_nothing_to_wait_for_and_no_heartbeat() -> None:
    shown, _ = told(
        [(0, StepChanged("prepare", "started")), (1, StepChanged("prepare", "done")), (200, Warned("hm"))]
    )
    assert shown[2:] == ["warning: hm"]


def test_a_heartbeat_speaks_of_the_pod_that_lives_not_of_the_one_that_failed() -> None:
    shown, _ = told(
        [
            (0, StepChanged("migrate", "started")),
            (0, PodChanged("migrate", "first", "OOMKilled")),
            (0, PodChanged("migrate", "second", "Running", attempt=2)),
            (31, StepChanged("migrate", "done")),
        ]
    )
    assert shown[-2] == "migrate: still running, 30s elapsed; pod second running, attempt 2"


def test_a_log_line_has_the_time_at_which_it_was_written() -> None:
    stdout = io.StringIO()
    output = open_output("plain", stdout=stdout, stderr=stdout, environ={}, clock=StoryClock(), run="r")
    output.emit(LogLine("migrate", "p", "c", 1, "one", "2025-03-14T11:59:58.123456789Z"))
    output.emit(LogLine("migrate", "p", "c", 1, "[shipit: some log lines may be missing here: …]"))
    assert [line[:30] for line in stdout.getvalue().splitlines()] == [
        "2025-03-14T11:59:58Z migrate |",
        "2025-03-14T12:00:00Z migrate |",
    ]


def test_a_label_grows_only_when_it_has_to() -> None:
    shown, _ = told(
        at_once(
            LogLine("migrate", "p1", "migrate", 1, "one"),
            LogLine("migrate", "p2", "migrate", 2, "two"),
            LogLine("migrate", "p2", "wait-for-db", 2, "three", init=True),
            LogLine("migrate", "p2", "migrate", 2, "four"),
            LogLine("migrate", "p2", "proxy", 2, "five"),
            LogLine("migrate", "p2", "migrate", 2, "six"),
            LogLine("seed", "p3", "seed", 1, "another step"),
            AppLogLine("shop-1", "shop", "app"),
        )
    )
    assert shown == [
        "migrate | one",
        "migrate#2 | two",
        "migrate/wait-for-db#2 | three",
        "migrate#2 | four",
        "migrate/proxy#2 | five",
        "migrate/migrate#2 | six",
        "seed | another step",
        "shop-1 | app",
    ]


def test_pods_that_run_beside_each_other_are_no_attempts() -> None:
    shown, _ = told(
        at_once(
            StepChanged("migrate", "started"),
            JobChanged("migrate", "shop-migrate", "running", active=3),
            LogLine("migrate", "shop-migrate-abc", "migrate", 1, "one"),
            LogLine("migrate", "shop-migrate-def", "migrate", 2, "two"),
            PodChanged("migrate", "shop-migrate-def", "Running", 2),
        )
    )
    assert shown[1:] == ["migrate/abc | one", "migrate/def | two", "migrate: pod def running"]


def test_a_progress_bar_shows_its_last_state() -> None:
    shown, _ = told(at_once(LogLine("migrate", "p", "c", 1, " 10 %\r 50 %\r100 %\r")))
    assert shown == ["migrate | 100 %"]


def test_verbose_labels_name_pod_and_container() -> None:
    shown, _ = told(at_once(LogLine("migrate", "p", "c", 2, "x"), AppLogLine("q", "d", "y")), verbose=True)
    assert shown == ["migrate/p/c#2 | x", "q/d | y"]


def test_quiet_leaves_warnings_the_error_and_the_result() -> None:
    shown, errors = told(STORIES["failed_migration"] + at_once(Warned("careful")), quiet=True)
    assert shown == [
        "shop v3: migration_failed after 17s, exit code 4",
        "warning: careful",
    ]
    assert errors[0] == "Migration of v3 failed: container migrate exited with code 1"
    assert errors[-2] == "Next: shipit logs shop-migrate -e prod"


def test_the_error_goes_to_stderr_and_is_not_said_twice() -> None:
    ended = Ended("busy", 7, "shop", "prod", "v2", 0, 1, message="v1 is being migrated", hint=FOLLOW)
    shown, errors = told(at_once(Failed("busy", "v1 is being migrated", FOLLOW), ended))
    assert shown == ["shop v2: busy after 1s, exit code 7"]
    assert errors == [
        "error: v1 is being migrated",
        "",
        "Next: shipit logs --follow",
        "      follows its log",
    ]


def test_advice_is_told_apart_from_a_command() -> None:
    shown, errors = told(
        at_once(Warned("slow", advice("be patient")), Failed("unknown", "odd", advice("look\nagain")))
    )
    assert shown == ["warning: slow", "  hint: be patient"]
    assert errors == ["error: odd", "", "Hint: look", "      again"]


def test_a_job_that_was_attached_to_counts_from_its_creation_as_its_timeout_does() -> None:
    shown, _ = told(
        [
            (0, StepChanged("migrate", "started", "attached to Job shop-migrate", timeout=60, elapsed=15)),
            (31, StepChanged("migrate", "failed", "Job did not end within 1m")),
        ]
    )
    assert shown == [
        "migrate: started 15s ago, at most 1m: attached to Job shop-migrate",
        "migrate: still running, 45s elapsed, 15s left",
        "migrate: failed after 46s: Job did not end within 1m",
    ]


def test_a_result_that_comes_without_an_error_explains_itself() -> None:
    shown, errors = told(
        at_once(Ended("usage", 2, "", "", "", 0, 0.1, message="no tag", hint=shipit("deploy", "--help")))
    )
    assert shown == ["no tag", "usage after 0.1s, exit code 2", "next: shipit deploy --help"]
    assert errors == []


def test_pods_are_told_state_by_state() -> None:
    states = ("Pending", "ImagePullBackOff", "Running", "Succeeded")
    shown, _ = told(at_once(*(PodChanged("migrate", "p", state) for state in states)))
    assert shown == [
        "migrate: pod p pending",
        "migrate: pod p ImagePullBackOff",
        "migrate: pod p running",
        "migrate: pod p succeeded",
    ]


def test_every_line_carries_its_time_in_utc() -> None:
    stdout = io.StringIO()
    output = open_output(
        "plain", stdout=stdout, stderr=io.StringIO(), environ={}, clock=StoryClock(), run="r"
    )
    output.emit(Warned("two\nlines"))
    assert stdout.getvalue() == "2025-03-14T12:00:00Z warning: two\n2025-03-14T12:00:00Z          lines\n"
