"""The command line itself: what it loads, how it ends for bad input, and what it says then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shipit import __version__, cli

GOOD = '[release]\nname = "shop"\nchart = "chart"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that can't reach any cluster: what is found out here is found out without one."""
    for name in [name for name in os.environ if name.startswith(("SHIPIT_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chart" / "templates").mkdir(parents=True)
    (tmp_path / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (tmp_path / "shipit.toml").write_text(GOOD)
    return tmp_path


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A command listens to signals until its process ends; here it doesn't end."""
    heard = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.getsignal(each) for each in heard}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def toml(text: str | bytes) -> Callable[[Path], None]:
    return lambda folder: _write(folder / "shipit.toml", text.encode() if isinstance(text, str) else text)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def in_a_folders_place(folder: Path) -> None:
    (folder / "shipit.toml").unlink()
    (folder / "shipit.toml").mkdir()


def looping(folder: Path) -> None:
    """What nobody can read, root included."""
    (folder / "shipit.toml").unlink()
    (folder / "shipit.toml").symlink_to("shipit.toml")


def unnamed(folder: Path) -> None:
    (folder / "shipit.toml").unlink()


def fine(folder: Path) -> None: ...


DEPLOY = ("deploy", "--tag", "v1")
BAD: dict[str, tuple[Callable[[Path], None], tuple[str, ...], tuple[str, ...]]] = {
    "no file": (unnamed, DEPLOY, ("no shipit.toml in", "above it")),
    "another file": (fine, (*DEPLOY, "-c", "other.toml"), ("other.toml", "no such file")),
    "unreadable": (looping, (*DEPLOY, "-c", "shipit.toml"), ("shipit.toml: can't be read",)),
    "a folder": (in_a_folders_place, DEPLOY, ("shipit.toml: is a folder",)),
    "empty": (toml(""), DEPLOY, ("shipit.toml: is empty",)),
    "not UTF-8": (toml(b'[release]\nname = "caf\xe9"\n'), DEPLOY, ("is not UTF-8 (line 2, byte 12)",)),
    "not TOML": (toml("[release\n"), DEPLOY, ("shipit.toml is not valid TOML", "line 1")),
    "unknown key": (toml(GOOD + 'namespce = "x"\n'), DEPLOY, ("namespce", "namespace")),
    "wrong type": (toml(GOOD + "timeout = true\n"), DEPLOY, ("[release] timeout",)),
    "bad duration": (toml(GOOD + 'timeout = "5 minutes"\n'), DEPLOY, ("[release] timeout", "5 minutes")),
    "no chart": (toml(GOOD.replace('"chart"', '"no-chart"')), DEPLOY, ("[release] chart", "no-chart")),
    "unset variable": (toml(GOOD.replace('"shop"', '"${NO_SUCH}"')), DEPLOY, ("NO_SUCH",)),
    "no environment": (fine, (*DEPLOY, "-e", "prod"), ("prod",)),
    "tag with blanks": (fine, ("deploy", "--tag", "v 1"), ("v 1", "tag")),
    "tag for a shell": (fine, ("deploy", "--tag", "v1;rm -rf $HOME"), ("tag",)),
    "empty tag": (fine, ("deploy", "--tag", ""), ("tag",)),
    "no tag": (fine, ("deploy",), ("--tag",)),
    "bad flag": (fine, (*DEPLOY, "--tmeout", "5m"), ("--tmeout",)),
    "bad lock-wait": (fine, (*DEPLOY, "--lock-wait", "soon"), ("--lock-wait", "soon")),
    "bad timeout": (fine, (*DEPLOY, "--timeout", "-5m"), ("timeout", "-5m")),
    "bad output": (fine, (*DEPLOY, "-o", "xml"), ("xml", "plain")),
    "unknown command": (fine, ("delpoy",), ("delpoy",)),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_one_clear_line(
    folder: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    spoil, argv, words = BAD[case]
    spoil(folder)

    code = cli.run(list(argv))

    shown = capsys.readouterr()
    assert code == 2, shown
    assert [word for word in words if word not in shown.err] == [], shown.err
    assert "Traceback" not in shown.err + shown.out
    first = shown.err.splitlines()[0]
    assert len(first) < 400


@pytest.mark.parametrize("argv", [("deploy",), (*DEPLOY, "--tmeout", "5m"), ("deploy", "--tag", "v 1")])
def test_bad_usage_is_json_too_where_json_was_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]
) -> None:
    assert cli.run([*argv, "-o", "json"]) == 2

    shown = capsys.readouterr()
    events = [json.loads(line) for line in shown.out.splitlines()]
    assert [event["type"] for event in events] == ["error", "result"]
    assert (events[1]["outcome"], events[1]["exit_code"]) == ("usage", 2)
    assert events[0]["message"]
    assert shown.err == ""


def test_a_traceback_is_shown_only_when_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml("[release\n")(folder)
    assert cli.run([*DEPLOY, "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_report_is_written_of_a_refusal_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["deploy", "--tag", "v 1", "--report", "report.json"]) == 2
    report = json.loads((folder / "report.json").read_text())
    assert (report["outcome"], report["exit_code"], report["tag"]) == ("usage", 2, "v 1")


def test_a_report_that_can_not_be_written_is_told_and_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["deploy", "--tag", "v 1", "--report", "no/such/folder/report.json"]) == 2
    assert "can't write the report no/such/folder/report.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message", "command"),
    [
        (("deploy",), "missing option '--tag' / '-t'", "shipit deploy --help"),
        (("deploy", "v1", "v2"), "got unexpected extra argument(s) (v2)", "shipit deploy --help"),
        (("deploy", "--tag", "v1", "v2"), "two tags: v2, and --tag v1; give one", "shipit deploy --help"),
        ((*DEPLOY, "--tmeout", "5m"), "no such option: --tmeout", "shipit deploy --help"),
        (("plan",), "missing option '--tag' / '-t'", "shipit plan --help"),
        (("plan", "show"), "missing argument 'FILE'", "shipit plan show --help"),
        (("inti",), "no such command 'inti'", "shipit --help"),
    ],
)
def test_a_command_line_that_is_not_understood_is_told_like_any_other_error(
    folder: Path, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], message: str, command: str
) -> None:
    assert cli.run([*argv, "-o", "plain"]) == 2
    first, blank, following, why = capsys.readouterr().err.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert (blank, following, why) == ("", f"Next: {command}", "      shows how it is used")


PLAN = {
    "version": 1, "created": "2026-11-29T12:00:00Z", "expires": "2026-11-29T14:00:00Z", "salt": "x",
    "release": "shop", "namespace": "shop", "context": "prod-eu", "deployed": 1, "newest": 1, "live": "x",
    "options": {"tag": "v1", "environment": "prod", "values": ["prod.yaml"], "set": ["a=1"]},
    "inputs": {}, "steps": [], "objects": [],
    "shown": {
        "release": "shop", "namespace": "shop", "tag": "v1", "revision": 2, "base_revision": 1, "reasons": ["it is new"],
        "steps": [], "changes": [], "unchanged": 1,
    },
    "warnings": [{"message": "think of the night shift"}],
}  # fmt: skip


def test_a_saved_plan_is_shown_without_a_cluster(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "plan.json").write_text(json.dumps(PLAN))
    assert cli.run(["plan", "show", "plan.json", "-o", "plain"]) == 0
    shown = capsys.readouterr().out
    assert "shop v1: revision 2, after revision 1" in shown
    assert "think of the night shift" in shown
    assert "good until 2026-11-29 14:00:00 UTC" in shown
    assert cli.run(["plan", "show", "plan.json", "-o", "json"]) == 0
    types = [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()]
    assert types == ["plan", "warning", "result"]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--tag", "v2"), "--tag"),
        (("--env", "staging"), "--env"),
        (("-n", "elsewhere"), "--namespace"),
        (("-f", "other.yaml"), "--values"),
        (("--set", "a=2"), "--set"),
        (("--set-string", "a=1"), "--set-string"),
        (("--timeout", "1h"), "--timeout"),
        (("--upgrade-timeout", "1h"), "--upgrade-timeout"),
        (("--preflight", "warn"), "--preflight"),
        (("--skip-migration",), "--skip-migration"),
        (("--rerun",), "--rerun"),
        (("--replace-running",), "--replace-running"),
    ],
)
def test_beside_a_plan_no_flag_may_say_otherwise(
    folder: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], named: str
) -> None:
    (folder / "plan.json").write_text(json.dumps(PLAN))
    assert cli.run(["deploy", "--plan", "plan.json", *flags, "-o", "plain"]) == 2
    assert f"{named} says otherwise than the plan plan.json" in capsys.readouterr().err


def test_what_a_plan_says_itself_may_be_said_beside_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes on to the configuration, which has no such environment."""
    (folder / "plan.json").write_text(json.dumps(PLAN))
    same = (
        "--tag",
        "v1",
        "--env",
        "prod",
        "-f",
        "prod.yaml",
        "--set",
        "a=1",
        "--lock-wait",
        "1m",
        "-m",
        "why",
    )
    for flags in (same, ()):
        assert cli.run(["deploy", "--plan", "plan.json", *flags, "-o", "plain"]) == 2
        assert '--env "prod": no such environment' in capsys.readouterr().err


def python(*argv: str, folder: Path) -> subprocess.CompletedProcess[str]:
    src = str(Path(cli.__file__).parents[2])
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": src, "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, *argv], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


LOADED = """
import sys
from shipit import cli
sys.argv = ["shipit", *sys.argv[1:]]
try:
    cli.main()
finally:
    sys.stderr.write(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize(
    "argv", [("--help",), ("--version",), ("deploy", "--help"), ("plan", "-h"), ("logs", "-h"), ("schema",)]
)
def test_help_and_version_load_neither_kubernetes_nor_sh(tmp_path: Path, argv: tuple[str, ...]) -> None:
    ran = python("-c", LOADED, *argv, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout
    loaded = ran.stderr.split()
    assert "shipit" in loaded
    assert {"kubernetes", "sh", "urllib3", "rich"} & set(loaded) == set()


def test_it_runs_as_a_module_and_names_its_version(tmp_path: Path) -> None:
    ran = python("-m", "shipit", "--version", folder=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"shipit {__version__}\n", "")


def test_without_a_command_it_shows_what_there_is(tmp_path: Path) -> None:
    ran = python("-m", "shipit", folder=tmp_path)
    assert ran.returncode == 0
    assert "deploy" in ran.stdout
    assert "unlock" in ran.stdout


def test_every_option_has_its_variable(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIPIT_TAG", "v 1")
    monkeypatch.setenv("SHIPIT_OUTPUT", "json")
    assert cli.run(["deploy"]) == 2
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["tag"] == "v 1"
    assert cli.run(["deploy", "--tag", "v 2"]) == 2
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["tag"] == "v 2", "a flag beats the variable"


def test_windows_gets_a_clear_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_SUPPORTED", False)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: shipit runs on Linux and macOS; on Windows use it in WSL\n"


@pytest.mark.parametrize("argv", [("v 1",), ("--tag", "v 1"), ("v 1", "--tag", "v 1")])
def test_a_tag_needs_no_flag(folder: Path, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]) -> None:
    assert cli.run(["deploy", *argv, "-o", "json"]) == 2
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["tag"] == "v 1"
    assert '--tag "v 1" is not a legal image tag' in events[0]["message"]
