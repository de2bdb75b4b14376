"""GitHub Actions: what the runner would make of the log, the outputs and the summary."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipit.events import (
    AppLogLine,
    Compared,
    Ended,
    Event,
    Failed,
    JobChanged,
    LogLine,
    MigrationResult,
    ObjectChange,
    Outlined,
    PodChanged,
    RolloutChanged,
    Started,
    StepChanged,
    Warned,
)
from shipit.hints import advice, kubectl, shipit
from shipit.output import open_output
from shipit.output.github import inert
from shipit.output.summary import LIMIT, Account
from tests.golden.stories import STORIES, StoryClock

ENDED = Ended("deployed", 0, "shop", "prod", "v2", 12, 51.25)
COMMANDS = {
    "error",
    "warning",
    "notice",
    "debug",
    "group",
    "endgroup",
    "add-mask",
    "set-output",
    "set-env",
    "add-path",
}


class Runner:
    """Reads a step's stdout as the runner does: `commands` is what it carried out, `texts` what it just showed."""

    def __init__(self, log: str) -> None:
        self.commands: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.token = ""
        for line in re.split(r"\r\n|\r|\n", log):
            self._read(line)

    def _read(self, line: str) -> None:
        found = self._parse(line)
        if found is None:
            self.texts.append(line)
        elif self.token:
            if found[0] == self.token:
                self.token = ""
            else:
                self.texts.append(line)
        elif found[0] == "stop-commands":
            self.token = found[1]
        else:
            self.commands.append(found)

    def _parse(self, line: str) -> tuple[str, str] | None:
        known = COMMANDS | {"stop-commands", self.token}
        for pattern in (r"\s*::([^ :]*)(?: .*?)?::(.*)", r".*?##\[([^\] ]*)[^\]]*\](.*)"):
            found = re.match(pattern, line, re.DOTALL)
            if found and found[1].lower() in known:
                return found[1], found[2]
        return None


def told(*events: Event, environ: dict[str, str] | None = None) -> str:
    stdout, stderr = io.StringIO(), io.StringIO()
    with open_output(
        "github", stdout=stdout, stderr=stderr, environ=environ or {}, clock=StoryClock(), run="r-1"
    ) as output:
        for event in events:
            output.emit(event)
    assert stderr.getvalue() == ""
    return stdout.getvalue()


def log(line: str) -> LogLine:
    return LogLine("migrate", "p", "c", 1, line)


hostile = st.lists(
    st.one_of(
        st.text(max_size=5),
        st.sampled_from(
            ["::", "::error::", "##[", "##[group]", "]", "\r", "\n", "\x1b[0m", " ", "%0A", "\u200b", "#"]
        ),
    )
).map("".join)


@given(hostile, hostile)
@example("\r::error::x", "::endgroup::")
@example("#\x1b[0m#[error]", "\u200b::set-output name=x::y")
@example("#\u00ad#[error]x", "###[error]x")
def test_no_foreign_text_commands_the_runner(one: str, other: str) -> None:
    runner = Runner(
        told(
            StepChanged("migrate", "started", one),
            JobChanged("migrate", other, one, reason=other),
            log(one),
            log(other),
            AppLogLine(one, "shop", other),
            PodChanged("migrate", one, other, message=one),
            RolloutChanged("Deployment", "shop", 0, 1, other),
            StepChanged("migrate", "done", one),
            Failed("unknown", one or "x", shipit("logs", one, why=other), (one, other)),
            Warned(one, advice(other)),
            Ended("unknown", 8, one, "", other, 0, 1, (MigrationResult(one, other, "failed", 1),)),
        )
    )
    assert [name for name, _ in runner.commands] == ["group", "endgroup", "error", "warning"]
    assert runner.token == ""


@given(hostile)
def test_text_alone_is_inert_even_while_commands_are_on(line: str) -> None:
    for text in line.splitlines():
        assert Runner(inert(text)).commands == []
        assert "##[" not in re.sub("[\u200b\u00ad]", "", inert(text))


def test_commands_work_again_whatever_a_log_says() -> None:
    runner = Runner(told(log("::stop-commands::mine"), log("::mine::"), Warned("careful")))
    assert runner.commands == [("warning", "careful")]


def test_every_span_of_logs_has_a_token_of_its_own() -> None:
    text = told(log("a"), Warned("b"), log("c"))
    tokens = re.findall(r"::stop-commands::(\w+)", text)
    assert len(set(tokens)) == 2
    assert all(len(token) == 32 for token in tokens)


def test_groups_do_not_nest() -> None:
    for story in STORIES.values():
        opened = 0
        for name, _ in Runner(told(*(event for _, event in story))).commands:
            opened += {"group": 1, "endgroup": -1}.get(name, 0)
            assert opened in (0, 1)
        assert opened == 0


def test_an_annotation_is_escaped_as_the_runner_unescapes() -> None:
    text = told(
        Started("deploy", "r", "shop:a,b%", "prod", "v2"),
        Failed("busy", "100% sure\nsecond", shipit("logs", "x,y")),
    )
    assert "::error title=shop%3Aa%2Cb%25 v2 busy::100%25 sure%0Asecond%0Anext: shipit logs x,y\n" in text


def test_a_long_failure_keeps_its_first_line_and_the_last_of_its_log() -> None:
    details = tuple(f"line {number} " + "x" * 100 for number in range(200))
    text = told(Failed("migration_failed", "it failed", shipit("logs", why="shows all"), details))
    ((_, message),) = Runner(text).commands
    assert len(message) < 5000
    assert message.startswith("it failed%0Aline 1")
    assert message.endswith("%0Anext: shipit logs%0A      shows all")
    assert "line 199 " in message
    assert sum(line.removeprefix("  Log").lstrip().startswith("line ") for line in text.splitlines()) == 200


def test_ten_annotations_at_most_and_every_warning_is_shown() -> None:
    text = told(*(Warned(f"warning {number}") for number in range(30)), Failed("unknown", "boom"))
    names = [name for name, _ in Runner(text).commands]
    assert names == ["warning"] * 9 + ["error"]
    assert all(f"warning {number}" in text for number in range(30))


def read_outputs(text: str) -> dict[str, str]:
    """GITHUB_OUTPUT as the runner reads it."""
    values, lines = {}, text.split("\n")
    while lines and lines[0]:
        name, end = lines.pop(0).split("<<")
        value = []
        while (line := lines.pop(0)) != end:
            value.append(line)
        values[name] = "\n".join(value)
    return values


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r")))
@example("v2\nexit_code<<x\n0\nx")
def test_outputs_hold_any_value(tag: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []
        patch.setattr(Path, "open", lambda *_, **__: _Kept(written))
        told(Ended("upgrade_failed", 6, "shop", "prod", tag, 12, 51.25), environ={"GITHUB_OUTPUT": "x"})
    assert read_outputs(written[0]) == {
        "outcome": "upgrade_failed",
        "exit_code": "6",
        "tag": tag,
        "revision": "12",
        "duration": "51.2",
    }


class _Kept(io.StringIO):
    def __init__(self, written: list[str]) -> None:
        super().__init__()
        self._written = written

    def close(self) -> None:
        self._written.append(self.getvalue())


def test_without_the_runners_files_nothing_is_written_and_nothing_said() -> None:
    assert told(ENDED) == "Deployed shop v2 as revision 12 in 51s\n"


def test_files_that_cannot_be_written_are_a_warning(tmp_path: Path) -> None:
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "no" / "where")}
    warnings = Runner(told(ENDED, environ=environ)).commands
    assert [name for name, _ in warnings] == ["warning", "warning"]
    assert "can't write the step's outputs" in warnings[0][1]
    assert "can't write the step's summary" in warnings[1][1]


def test_the_summary_is_appended_and_leaves_room_for_what_is_there(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    summary.write_text("x" * (LIMIT - 2000))
    details = tuple(f"{number:04} " + "é" * 500 for number in range(3000))
    told(
        Failed("migration_failed", "it failed", details=details),
        Ended("migration_failed", 4, "shop", "prod", "v2", 0, 1),
        environ={"GITHUB_STEP_SUMMARY": str(summary)},
    )
    text = summary.read_text()
    assert LIMIT - 1200 < len(text.encode()) <= LIMIT
    assert "2999 " in text
    assert "2998 " not in text


def test_a_summary_that_does_not_fit_at_all_is_left_out() -> None:
    assert Account("r", StoryClock(), {}).summary(ENDED, room=50) == ""


@given(st.lists(hostile, max_size=5), st.integers(0, 3000))
def test_a_summary_never_exceeds_its_room(details: list[str], room: int) -> None:
    account = Account("r", StoryClock(), {})
    account.note(Failed("unknown", "".join(details) or "x", advice("hint"), tuple(details)))
    assert len(account.summary(ENDED, room=room).encode()) <= room


@given(st.lists(st.text("~`a\n")))
def test_no_log_line_closes_its_fence(details: list[str]) -> None:
    account = Account("r", StoryClock(), {})
    account.note(Failed("unknown", "x", details=tuple(details)))
    *_, evidence = account.summary(ENDED).partition("### Details\n\n")
    if evidence:
        fence, *body, last, _ = evidence.split("\n")
        assert fence == f"{last}text"
        assert not any(line.startswith(last) for line in body)


def test_words_of_others_are_no_markdown_in_a_summary() -> None:
    account = Account("r", StoryClock(), {})
    account.note(Warned("<img src=x> ![a](b) **c** @team | d `e`\n# f"))
    assert r"- \<img src=x\> \!\[a\](b) \*\*c\*\* \@team \| d \`e\` \# f" in account.summary(ENDED)


def test_a_command_of_a_warning_stays_as_it_is_typed() -> None:
    account = Account("r", StoryClock(), {})
    account.note(Warned("slow", kubectl("get", "pods", namespace="shop_prod", why="shows *them*")))
    assert r"- slow (`kubectl get pods -n shop_prod`: shows \*them\*)" in account.summary(ENDED)


@pytest.mark.parametrize("command", ["doctor", "logs", "unlock"])
def test_a_command_that_deploys_nothing_is_not_called_deployed(command: str, tmp_path: Path) -> None:
    environ = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    ended = Ended("succeeded", 0, "shop", "prod", "", 0, 1.5, message="all checks passed")
    text = told(Started(command, "r", "shop", "prod", ""), ended, environ=environ)
    assert text.endswith("all checks passed\n")
    assert read_outputs((tmp_path / "GITHUB_OUTPUT").read_text()) == {
        "outcome": "succeeded", "exit_code": "0", "tag": "", "revision": "", "duration": "1.5",
    }  # fmt: skip
    assert not (tmp_path / "GITHUB_STEP_SUMMARY").exists()


def test_a_command_that_deploys_nothing_and_failed_is_called_by_its_name(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    text = told(
        Started("doctor", "r", "shop", "prod", ""),
        Failed("refused", "1 of 8 checks failed: lock"),
        Ended("refused", 3, "shop", "prod", "", 0, 1),
        environ={"GITHUB_STEP_SUMMARY": str(summary)},
    )
    assert "::error title=doctor shop refused::1 of 8" in text
    assert summary.read_text().startswith("## ❌ doctor shop: refused\n")


def test_warnings_beyond_twenty_are_counted() -> None:
    account = Account("r", StoryClock(), {})
    for number in range(23):
        account.note(Warned(f"w{number}", advice("do this")))
    assert "- w19 (do this)\n- and 3 more\n" in account.summary(ENDED)


RUNNER = {
    "GITHUB_ACTOR": "anna_b",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "4711",
    "GITHUB_RUN_NUMBER": "12",
    "GITHUB_SHA": "0123456789abcdef",
}
CHANGES = Compared(
    (
        ObjectChange(
            "change", "Deployment shop", "prod", "templates/app.yaml", (" spec:", "-  a: v1", "+  a: v2")
        ),
        ObjectChange("delete", "ConfigMap old", "prod", "templates/old.yaml"),
    ),
    5,
)


def test_a_summary_says_who_deployed_where_and_what_that_changed() -> None:
    account = Account("r", StoryClock(), RUNNER)
    account.note(Started("deploy", "r", "shop", "prod", "v2", "eu", "4.1", "production"))
    account.note(CHANGES)
    text = account.summary(ENDED)
    assert "| Environment | production |" in text
    run = "[run 12](https://github.com/acme/shop/actions/runs/4711)"
    commit = "[0123456](https://github.com/acme/shop/commit/0123456789abcdef)"
    assert rf"| By | anna\_b, {run}, {commit} |" in text
    assert "### Manifest: 1 changed, 1 deleted, 5 unchanged" in text
    assert "| change | Deployment shop |  |\n| delete | ConfigMap old |  |" in text
    assert (
        "~~~diff\n  ~ Deployment shop (templates/app.yaml)\n      spec:\n-       a: v1\n+       a: v2\n~~~"
        in text
    )


def test_an_address_that_could_be_more_than_one_is_no_link() -> None:
    account = Account("r", StoryClock(), RUNNER | {"GITHUB_REPOSITORY": "x](y) <b>"})
    text = account.summary(ENDED)
    assert "](https" not in text
    assert "run 12" in text


def test_a_log_stands_in_its_steps_group_with_its_own_times() -> None:
    text = told(
        StepChanged("migrate", "started"),
        StepChanged("clear", "started"),
        StepChanged("clear", "done"),
        LogLine("migrate", "p", "c", 1, "step 1", written="2025-03-14T11:07:53.123456789Z"),
        StepChanged("migrate", "done"),
    )
    assert "11:07:53Z migrate | step 1\n" in text
    assert text.count("::group::") == text.count("::endgroup::") == 1
    assert text.index("::group::migrate") < text.index("step 1") < text.index("::endgroup::")


def test_steps_that_were_not_reached_are_in_the_table() -> None:
    account = Account("r", StoryClock(), {})
    account.note(Outlined("v1", 11, ("migrate", "upgrade")))
    account.note(StepChanged("migrate", "started"))
    account.note(StepChanged("migrate", "failed", "exit code 3"))
    text = account.summary(ENDED)
    assert (
        "| ❌ | migrate | failed | 12:00:00 | 0s | exit code 3 |\n| ○ | upgrade | not reached |  |  |  |"
        in text
    )


def test_a_summary_shows_the_last_lines_of_a_log() -> None:
    account = Account("r", StoryClock(), {})
    account.note(StepChanged("migrate", "started"))
    for number in range(3000):
        account.note(LogLine("migrate", "p", "c", 1, f"row {number}"))
    text = account.summary(ENDED)
    assert "<summary>Log of migrate, the last 40 of 3,000 lines</summary>" in text
    assert "row 2999" in text
    assert "row 2959\n" not in text


def test_a_name_of_a_step_cannot_add_to_the_timeline() -> None:
    account = Account("r", StoryClock(), {})
    account.note(StepChanged("a :crit, x\n    click s0 href", "started"))
    bars = [line for line in account.summary(ENDED).splitlines() if ":active" in line]
    assert [line.partition(" :")[0] for line in bars] == ["    a _crit_ x_    click s0 href"]
