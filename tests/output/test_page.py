"""The report: one page that loads nothing, runs nothing, and takes no word of others for markup."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.cli.clock import SystemClock
from shipit.cli.command_line import CommandLine, Option
from shipit.cli.options import Common
from shipit.cli.report import record_for, write_report
from shipit.cli.session import Session
from shipit.events import Compared, Ended, Failed, LogLine, ObjectChange, Started, StepChanged, Warned
from shipit.hints import advice, deploy_again, shipit
from shipit.output import Output, Record, page
from shipit.output.mask import Mask
from shipit.output.sink import Sink
from tests.golden.stories import STORIES, StoryClock, play

VOID = {"meta", "br"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "dl", "dt", "dd", "section", "p", "pre",
    "table", "tr", "td", "th", "i", "ul", "li", "details", "summary", "span",
}  # fmt: skip
ENDED = Ended("deployed", 0, "shop", "prod", "v2", 12, 51.25)


class Reader(HTMLParser):
    """What a browser would make of it: its text, its elements; each closed in order, none with a handler or address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED
        assert {name for name, _ in attrs} <= {
            "lang",
            "charset",
            "http-equiv",
            "content",
            "name",
            "class",
            "style",
            "open",
        }
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def recorded(story: str) -> tuple[str, Reader]:
    record, clock = Record(StoryClock()), StoryClock()
    record = Record(clock)

    class Kept:
        interval = None

        def emit(self, event: object) -> None:
            record.note(event)  # type: ignore[arg-type]

        def tick(self) -> None: ...

    play(STORIES[story], Kept(), clock)  # type: ignore[arg-type]
    ended = STORIES[story][-1][1]
    assert isinstance(ended, Ended)
    text = page(record, ended, clock.now())
    return text, Reader(text)


@pytest.mark.parametrize("story", STORIES)
def test_every_story_is_a_page_that_loads_and_runs_nothing(story: str) -> None:
    text, reader = recorded(story)
    assert "default-src 'none'" in text
    assert "http" not in text.replace("http-equiv", "").replace("http://x", "")
    assert reader.text.strip()


def test_a_failure_says_what_and_why_and_the_next_command() -> None:
    _, reader = recorded("failed_migration")
    for words in (
        "shop v3: migration failed",
        "container migrate exited with code 1",
        'could not create unique index "notes_slug_key"',
        "shipit logs shop-migrate -e prod",
        "Log of migrate, 4 lines",
    ):
        assert words in reader.text


def test_hostile_words_stay_words() -> None:
    _, reader = recorded("hostile")
    assert "<script>alert(1)</script>" in reader.text
    assert "</details> <img src=x>" in reader.text
    assert "\x1b" not in reader.text


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.text("<>&\"'/ script=\n\r\x1b", max_size=30))
def test_no_word_becomes_markup(one: str, other: str) -> None:
    record = Record(StoryClock())
    for text in (one, other):
        record.note(Started("deploy", text, text, text, text, text, text, text))
        record.note(StepChanged(text, "started"))
        record.note(LogLine(text, text, text, 1, text))
        record.note(StepChanged(text, "failed", text))
        record.note(Warned(text, advice(text)))
        record.note(Compared((ObjectChange("change", text, text, text, (f"+{text}",), text),), 1))
        record.note(Failed("unknown", text, shipit("logs", text, why=text), (text,)))
        Reader(page(record, Ended("unknown", 8, text, text, text, 0, 1), StoryClock().now()))


def test_a_long_log_is_cut_to_its_end() -> None:
    record = Record(StoryClock())
    record.note(StepChanged("migrate", "started"))
    for number in range(2000):
        record.note(LogLine("migrate", "p", "c", 1, f"row {number} " + "x" * (5000 if number == 1999 else 0)))
    text = page(record, ENDED, StoryClock().now())
    assert "Log of migrate, the last 500 of 2,000 lines" in text
    assert "row 1500 " in text
    assert "row 1499 " not in text
    assert max(map(len, text.splitlines())) < 3000


def test_the_diff_of_the_manifest_is_shown_with_its_signs() -> None:
    record = Record(StoryClock())
    lines = (" spec:", "-  image: a<b", "+  image: a>b")
    record.note(Compared((ObjectChange("change", "Deployment shop", "prod", "t.yaml", lines),), 3))
    text = page(record, ENDED, StoryClock().now())
    assert '<span class="removed">    -   image: a&lt;b</span>' in text
    assert "Manifest: 1 changed, 3 unchanged" in text


def test_a_report_holds_no_secret_and_no_value_of_set(tmp_path: Path) -> None:
    clock = SystemClock()

    class Nothing:
        interval: float | None = None

        def show(self, event: object) -> None: ...
        def tick(self) -> None: ...
        def close(self) -> None: ...

    file = (tmp_path / "out").open("w")
    output = Output(Nothing(), out=Sink(file), err=Sink(file))
    line = CommandLine("deploy", (Option("set_", ("--set",), ("color=blue-green",)),))
    report = tmp_path / "report.html"
    session = Session(
        Common(typed=line), output, "r", clock, Mask(output.emit, ["hunter2222"]), on_terminal=True
    )
    session.record = record_for(report, clock)
    session.emit(StepChanged("migrate", "started"))
    session.emit(LogLine("migrate", "p", "c", 1, "password hunter2222"))
    session.emit(Failed("migration_failed", "no: hunter2222", deploy_again("v2", why="tries again")))
    write_report(report, session.for_file(ENDED), session.record, clock)
    file.close()
    text = report.read_text()
    assert "password ***" in text
    assert "hunter2222" not in text
    assert "blue-green" not in text
    assert "shipit deploy --tag v2 --set" in text


def test_a_report_that_is_no_page_keeps_nothing(tmp_path: Path) -> None:
    assert record_for(tmp_path / "result.json", StoryClock()) is None
    assert record_for(None, StoryClock()) is None
