"""Secrets never reach an output."""

from __future__ import annotations

import base64
import io
import json
import textwrap
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipit.events import AppLogLine, Ended, Event, Failed, LogLine, MigrationResult, PodChanged, StepChanged
from shipit.hints import advice, kubectl
from shipit.output import open_output
from shipit.output.mask import MASK, Mask
from shipit.output.sanitize import visible
from shipit.output.secret_encodings import forms
from tests.fakes import FakeClock


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
    failed = Failed("unknown", "with hunter22", advice("try hunter22"), ("hunter22", "fine"))
    assert masked(failed, "hunter22") == Failed("unknown", "with ***", advice("try ***"), ("***", "fine"))


def test_every_text_of_an_event_is_searched_nested_ones_too() -> None:
    moved = StepChanged("migrate", "failed", "with hunter22", None)
    assert masked(moved, "hunter22") == StepChanged("migrate", "failed", "with ***", None)
    ended = Ended("unknown", 8, "shop", "shop", "v1", 1, 2.0, (), "with hunter22", advice("try hunter22"))
    assert masked(ended, "hunter22") == Ended(
        "unknown", 8, "shop", "shop", "v1", 1, 2.0, (), "with ***", advice("try ***")
    )


def test_a_secret_that_is_called_like_an_outcome_does_not_hide_it() -> None:
    ended = Ended("deployed", 0, "s", "n", "t", 1, 1.0, (MigrationResult("m", "j", "succeeded", 1.0),))
    assert masked(ended, "deployed", "succeeded") == ended
    assert masked(StepChanged("migrate", "started"), "started") == StepChanged("migrate", "started")
    assert masked(PodChanged("m", "p", "Running"), "Running") == PodChanged("m", "p", "Running")


def test_names_by_which_things_are_found_stay() -> None:
    ended = Ended(
        "unknown",
        8,
        "mastodon",
        "mastodon",
        "mastodon",
        1,
        2.0,
        (MigrationResult("mastodon", "mastodon-migrate", "failed", 1.0),),
    )
    assert masked(ended, "mastodon") is ended
    line = LogLine("mastodon", "mastodon", "mastodon", 1, "as mastodon")
    assert masked(line, "mastodon") == replace(line, line="as ***")


def test_the_command_of_a_hint_stays_whole_and_its_reason_is_searched() -> None:
    hint = kubectl("logs", "hunter22", why="as hunter22 may")
    failed = Failed("unknown", "no", hint)
    assert masked(failed, "hunter22") == replace(failed, hint=replace(hint, why="as *** may"))


def test_a_value_that_is_the_name_of_the_release_is_no_secret() -> None:
    failed = Failed(
        "unknown", "Job mastodon-migrate failed", kubectl("get", "pods", namespace="mastodon"), ("hunter22",)
    )
    seen: list[Event] = []
    mask = Mask(seen.append)
    mask.spare(["mastodon", ""])
    mask.hide(["mastodon", "mastodon\n", "POSTGRES_USER=mastodon\nPOSTGRES_PASSWORD=hunter22\n"])
    mask(failed)
    assert seen == [replace(failed, details=("***",))]


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


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password=hunter\x1b[1;36m22\x1b[0mxyz", "password=***"),
        ("password=hun\0ter22xyz, hun\u200eter22\u200bxyz", "password=***, ***"),
        ("\x1b[31mhunter22xyz\x1b[0m", "\x1b[31m***\x1b[0m"),
        ("\x1b]0;hunter22xyz\x07 in a title", "\x1b]0;***\x07 in a title"),
        ("\x1b[31mhunter\x1b[0m22", "\x1b[31mhunter\x1b[0m22"),
    ],
)
def test_escapes_and_controls_between_its_characters_do_not_save_a_value(line: str, shown: str) -> None:
    assert masked(log(line), "hunter22xyz") == log(shown)


def test_a_value_that_holds_controls_is_hidden_as_it_is_shown() -> None:
    assert masked(log("hunter22xyz"), "hunter\x1b[0m22\u200exyz") == log("***")


def test_values_that_overlap_leave_nothing_between_them() -> None:
    assert masked(log("abcdefghijkl"), "abcdefgh", "efghijkl") == log("***")
    assert masked(log("hunhunter22ter22"), "hunter22") == log("hun***ter22")


def test_json_hides_nothing() -> None:
    value = 'pa"ss\\w&rd<\u00e4>'
    assert masked(log(json.dumps({"p": value})), value) == log('{"p": "***"}')
    assert masked(log(json.dumps({"p": value}, ensure_ascii=False)), value) == log('{"p": "***"}')
    go = json.dumps(value, ensure_ascii=False).translate({ord(s): f"\\u{ord(s):04x}" for s in "&<>"})
    assert masked(log(go), value) == log('"***"')


def test_base64_hides_nothing_inside_a_larger_blob() -> None:
    header = base64.b64encode(b"app:hunter2222").decode()
    assert masked(log(f"Authorization: Basic {header}"), "hunter2222") == log(
        "Authorization: Basic YXBwOm***I="
    )
    safe = base64.urlsafe_b64encode(b"?>>~~~secret").decode()
    assert masked(log(safe), "?>>~~~secret") == log("***")
    for line in textwrap.wrap(base64.b64encode(b"k" * 200).decode(), 64):
        assert masked(log(line), "k" * 200) == log("***")


def test_the_settings_of_an_env_file_are_hidden_one_by_one() -> None:
    file = "# database\nDB_PASSWORD=hunter2222\nexport TOKEN='sk live'\nURL=redis://:s3cretpw@cache/0\nX=1\n"
    assert masked(log("as hunter2222"), file) == log("as ***")
    assert masked(log("with sk live or 1"), file) == log("with *** or 1")
    assert masked(log("AUTH s3cretpw"), file) == log("AUTH ***")
    ini = "[alembic]\nscript_location = alembic\n"
    assert masked(log("INFO alembic.runtime"), ini) == log("INFO alembic.runtime")


def test_the_password_of_a_url_is_hidden_alone() -> None:
    dsn = "postgres://shop:s3cret%21pw@db/shop"
    assert masked(log("user=shop password=s3cret!pw host=db"), dsn) == log("user=shop password=*** host=db")
    assert masked(log("s3cret%21pw"), dsn) == log("***")


def test_many_certificates_make_a_bounded_number_of_forms_and_one_look_up_at_each_character() -> None:
    bundle = "\n".join(f"{number:064d}" for number in range(5000))
    assert len(forms(bundle)) < 3 * 5000 + 10_000
    mask = Mask(lambda event: None, [bundle])
    assert len(mask._lengths["000000"]) < 20
    assert mask.text(f"a {777:064d} b") == "a *** b"


def both(kind: Literal["rich", "plain", "json", "github"], event: Event, value: str) -> str:
    """What comes out on both streams; of JSON, what its reader gets."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with open_output(kind, stdout=stdout, stderr=stderr, environ={}, clock=FakeClock(), run="r") as output:
        Mask(output.emit, [value])(event)
    said = stdout.getvalue()
    if kind == "json":
        (read,) = map(json.loads, said.splitlines())
        said = "\n".join(str(each) for each in read.values())
    return said + stderr.getvalue()


SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_categories=["C"]), min_size=6)
UNSEEN = st.sampled_from(
    ["", "\x1b[1;36m", "\x1b[0m", "\0", "\x1b]0;title\x07", "\u200e", "\u200b", "\x9b1m"]
)


@pytest.mark.parametrize("kind", ["rich", "plain", "json", "github"])
@settings(max_examples=60, deadline=None)
@given(data=st.data(), value=SECRETS, before=st.text(max_size=8), after=st.text(max_size=8))
def test_no_form_gets_through_any_output_whatever_stands_between_its_characters(
    kind: Literal["rich", "plain", "json", "github"], data: st.DataObject, value: str, before: str, after: str
) -> None:
    form = data.draw(st.sampled_from(sorted(forms(value))))
    line = before + "".join(letter + data.draw(UNSEEN) for letter in form) + after
    for event in (log(line), AppLogLine("p", "c", line)):
        shown = both(kind, event, value)
        assert visible(form) not in visible(shown) or form in both(kind, log(""), value) + MASK


@given(st.text(min_size=6), st.text(), st.text())
def test_no_value_gets_through(value: str, before: str, after: str) -> None:
    shown = masked(log(before + value + after), value)
    assert isinstance(shown, LogLine)
    if value not in before + "***" + after:
        assert value not in shown.line
