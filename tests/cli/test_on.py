"""The commands of `[on]`: when they run, what they are told, and what becomes of the deploy when they fail."""

from __future__ import annotations

import io
import json
import os
import signal
from pathlib import Path

import pytest

from shipit.cli.clock import SystemClock
from shipit.cli.on import on_commands
from shipit.cli.options import Common
from shipit.cli.session import Session
from shipit.config import Config, Flags, load_config
from shipit.errors import MigrationFailed, Outcome, Refused, Stopped
from shipit.output import open_output
from shipit.output.mask import Mask

TOML = """\
[release]
name = "shop"
chart = "chart"

[on]
start = ["./note", "start", "${TOKEN:-word}"]
success = ["./note", "success"]
failure = ["./note", "failure"]

[environments.quiet.on]
start = []

[environments.prod]
confirm = true
"""
NOTE = """\
#!/bin/sh
echo "$1 of $SHIPIT_DEPLOY_TAG"
env | grep ^SHIPIT_DEPLOY_ | sort > "$1.told"
exit ${NOTE_EXIT:-0}
"""


class Deploying:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = io.StringIO()
        (folder / "chart").mkdir()
        (folder / "shipit.toml").write_text(TOML)
        (folder / "note").write_text(NOTE)
        (folder / "note").chmod(0o755)
        clock = SystemClock()
        output = open_output("json", stdout=self.out, stderr=self.out, environ={}, clock=clock, run="r")
        mask = Mask(output.emit, ["hunter2222"])
        self.session = Session(Common(), output, "r", clock, mask, release="shop", namespace="prod", tag="v2")

    def config(self, env: str | None = None, **environ: str) -> Config:
        return load_config(None, env, self.folder, environ, Flags())

    def told(self, name: str) -> dict[str, str]:
        path = self.folder / f"{name}.told"
        lines = path.read_text().splitlines() if path.exists() else []
        return {
            key.removeprefix("SHIPIT_DEPLOY_"): value
            for key, _, value in (line.partition("=") for line in lines)
        }

    def events(self, kind: str) -> list[dict[str, object]]:
        return [event for event in map(json.loads, self.out.getvalue().splitlines()) if event["type"] == kind]


@pytest.fixture
def deploying(tmp_path: Path) -> Deploying:
    return Deploying(tmp_path)


def test_they_are_told_what_is_deployed_and_how_it_ended(deploying: Deploying) -> None:
    with on_commands(deploying.session, deploying.config("prod"), "hotfix") as on:
        on.begins()
        on.ended(Outcome.DEPLOYED, 12)
    base = {"TAG": "v2", "RELEASE": "shop", "NAMESPACE": "prod", "CONTEXT": "", "ENV": "prod", "RUN": "r"}
    base["MESSAGE"] = "hotfix"
    assert deploying.told("start") == base
    ended = {"OUTCOME": "deployed", "EXIT_CODE": "0", "REVISION": "12", "REASON": ""}
    assert deploying.told("success") == base | ended
    assert deploying.told("failure") == {}
    assert [event["line"] for event in deploying.events("log")] == ["start of v2", "success of v2"]


def test_a_start_that_fails_refuses_the_deploy(deploying: Deploying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTE_EXIT", "7")
    with (
        pytest.raises(Refused, match=r"on\.start exited with code 7"),
        on_commands(deploying.session, deploying.config(), "") as on,
    ):
        on.begins()
    told = deploying.told("failure")
    assert (told["OUTCOME"], told["EXIT_CODE"]) == ("refused", "3")
    assert told["REASON"].startswith("on.start exited with code 7")


def test_a_failure_that_fails_leaves_the_error_as_it_is(
    deploying: Deploying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTE_EXIT", "1")
    with (
        pytest.raises(MigrationFailed, match="exited with code 3"),
        on_commands(deploying.session, deploying.config(), ""),
    ):
        raise MigrationFailed("container migrate exited with code 3: password hunter2222 is wrong")
    assert deploying.told("failure")["REASON"] == (
        "container migrate exited with code 3: password *** is wrong"
    )
    said = "on.failure exited with code 1; the outcome of the deploy stays migration_failed"
    assert [event["message"] for event in deploying.events("warning")] == [said]


def test_a_success_that_fails_or_is_not_there_leaves_the_deploy_deployed(deploying: Deploying) -> None:
    (deploying.folder / "note").unlink()
    with on_commands(deploying.session, deploying.config("quiet"), "") as on:
        on.begins()
        on.ended(Outcome.DEPLOYED, 12)
    (warned,) = deploying.events("warning")
    assert warned["message"] == (
        f"on.success can't be started: no such file: {deploying.folder}/note; "
        "the outcome of the deploy stays deployed"
    )


def test_an_interrupted_deploy_runs_failure_and_a_second_signal_does_not(deploying: Deploying) -> None:
    with (
        pytest.raises(Stopped),
        on_commands(deploying.session, deploying.config(), ""),
    ):
        raise Stopped(signal.SIGTERM)
    told = deploying.told("failure")
    assert (told["OUTCOME"], told["EXIT_CODE"]) == ("interrupted", "143")
    (deploying.folder / "failure.told").unlink()
    with (
        pytest.raises(Stopped),
        on_commands(deploying.session, deploying.config(), ""),
    ):
        raise Stopped(signal.SIGINT, again=True)
    assert deploying.told("failure") == {}


def test_no_event_holds_their_words_and_what_comes_from_variables_is_masked(deploying: Deploying) -> None:
    config = deploying.config(TOKEN="tok-55555")
    assert config.on.start == ("./note", "start", "tok-55555")
    assert "tok-55555" in config.from_variables
    with on_commands(deploying.session, config, "") as on:
        on.begins()
    assert "./note" not in deploying.out.getvalue()
    assert "tok-55555" not in deploying.out.getvalue()
    assert os.environ.get("SHIPIT_DEPLOY_TAG") is None
