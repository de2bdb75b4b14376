"""What people, runners and machines see of a deploy that goes well and of one that fails, on a real cluster.

The migration prints its database password, plain and as base64, and lines that would command a terminal or a runner.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from sandbox import Sandbox
from tests.e2e.kit import DESERVED, Json, Project, Running, job
from tests.e2e.stage import Stage, a_stage
from tests.golden.terminal import Terminal

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PASSWORD = "correct horse battery staple"
ENCODED = base64.b64encode(PASSWORD.encode()).decode()
PRINTS = (
    'echo migrating; echo as $PASSWORD; printf %s "$PASSWORD" | base64; '
    "echo '::error::gotcha'; printf '\\033[2J\\033[31mred\\n'; echo '[bold]not bold[/bold] [/var/log]'; printf last"
)
KEY = """\
          env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: database, key: password}}}]
"""
WIDTH = 100


@dataclass(slots=True)
class Screen:
    """A shipit on a terminal of its own."""

    process: subprocess.Popen[bytes]
    reader: threading.Thread
    written: bytearray

    def end(self) -> tuple[int, str]:
        code = self.process.wait(DESERVED)
        self.reader.join(10)
        return code, self.written.decode()


def on_a_terminal(project: Project, *args: str, env: Mapping[str, str] | None = None) -> Screen:
    argv, environ = project.command(*args, output="auto", env={"TERM": "xterm-256color", **(env or {})})
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, WIDTH, 0, 0))
    process = subprocess.Popen(
        argv, cwd=project.folder, env=environ, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    written = bytearray()

    def read() -> None:
        try:
            while some := os.read(screen, 65536):
                written.extend(some)
        except OSError:  # what Linux says when the other end is closed
            pass
        finally:
            os.close(screen)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    return Screen(process, reader, written)


@dataclass(frozen=True, slots=True)
class Shown:
    """How one ended: its exit code, stdout and stderr (all of it on stdout for a terminal), and its files."""

    code: int
    out: str
    err: str
    folder: Path

    def file(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(sandbox, tmp_path_factory.mktemp("outputs")) as made:
        yield made


@pytest.fixture(scope="module")
def shown(stage: Stage) -> dict[str, Shown]:
    """Each output, once of a deploy that goes well and once of one whose migration fails."""
    stage.kube.kubectl("create", "secret", "generic", "database", f"--from-literal=password={PASSWORD}")
    projects: dict[str, Project] = {}
    started: dict[str, Running | Screen] = {}
    for output in ("plain", "json", "github", "rich", "quiet"):
        for end, script in (("good", PRINTS), ("bad", f"{PRINTS}; exit 3")):
            name = f"{output}-{end}"
            project = projects[name] = stage.project(name)
            project.template("migrate", job(script, name=name) + KEY)
            started[name] = _start(project, output)
    return {name: _end(running, projects[name].folder) for name, running in started.items()}


def _start(project: Project, output: str) -> Running | Screen:
    deploy = ("deploy", "--tag", "v1", "--report", "report.json")
    if output == "rich":
        return on_a_terminal(project, *deploy, env={"NO_COLOR": "1"} if "good" in project.release else {})
    if output == "github":
        names = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        files = {name: str(project.folder / name) for name in names}
        runner = {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "octocat", "GITHUB_REPOSITORY": "acme/shop"}
        return project.start(*deploy, output="auto", env={**files, **runner})
    if output == "quiet":
        return project.start(*deploy, "-q", output="plain")
    return project.start(*deploy, output=output)


def _end(running: Running | Screen, folder: Path) -> Shown:
    if isinstance(running, Screen):
        code, text = running.end()
        return Shown(code, text, "", folder)
    done = running.end()
    return Shown(done.exit_code, done.stdout, done.stderr, folder)


OUTPUTS = ("plain", "json", "github", "rich", "quiet")
NAMES = [f"{output}-{end}" for output in OUTPUTS for end in ("good", "bad")]


@pytest.mark.parametrize("name", NAMES)
def test_every_output_ends_with_the_same_outcome_and_report(shown: dict[str, Shown], name: str) -> None:
    found = shown[name]
    good = name.endswith("good")
    assert found.code == (0 if good else 4), found.out + found.err
    report: Json = json.loads(found.file("report.json"))
    assert (report["outcome"], report["exit_code"]) == (("deployed", 0) if good else ("migration_failed", 4))
    assert report["revision"] == (1 if good else None)
    assert [each["name"] for each in report["migrations"]] == ["migrate"]
    assert report["duration_s"] > 0
    assert "Traceback" not in found.out + found.err


@pytest.mark.parametrize("name", NAMES)
def test_no_output_shows_a_secret_or_lets_a_line_act(shown: dict[str, Shown], name: str) -> None:
    found = shown[name]
    files = [path.read_text() for path in found.folder.iterdir() if path.is_file()]
    for text in (found.out, found.err, *files):
        assert PASSWORD not in text
        assert ENCODED.rstrip("=") not in text
        assert "\x1b[2J" not in text
        assert "\x1b[31mred" not in text or name == "rich-bad"  # a terminal with colours keeps a log's
    if not name.startswith("quiet"):
        assert "as ***" in found.out
        assert "[bold]not bold[/bold] [/var/log]" in found.out
        assert "last" in found.out


def test_plain_is_a_line_for_each_change_with_its_time(shown: dict[str, Shown]) -> None:
    good, bad = shown["plain-good"], shown["plain-bad"]
    for line in good.out.splitlines():
        assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ \S", line), line
    assert good.err == ""
    assert "Deployed plain-good v1 as revision 1 in " in good.out.splitlines()[-1]
    assert bad.err.startswith("Migration of v1 failed: ")
    assert "exited with code 3" in bad.err.splitlines()[0]
    assert "  App       not installed" in bad.err.splitlines()
    assert "  Job       plain-bad, kept for inspection" in bad.err.splitlines()
    assert bad.err.splitlines()[-2].startswith("Next: ")
    assert "plain-bad v1: migration_failed" in bad.out.splitlines()[-1]
    assert "exit code 4" in bad.out.splitlines()[-1]


def test_quiet_shows_the_error_and_the_result_only(shown: dict[str, Shown]) -> None:
    assert "migrating" not in shown["quiet-good"].out
    assert "quiet-good v1 is deployed as revision 1, in " in shown["quiet-good"].out.splitlines()[-1]
    assert len(shown["quiet-good"].out.splitlines()) <= 3
    assert "exited with code 3" in shown["quiet-bad"].err


def test_json_is_nothing_but_events_and_ends_with_the_result(shown: dict[str, Shown]) -> None:
    for name in ("json-good", "json-bad"):
        events = [json.loads(line) for line in shown[name].out.splitlines()]
        assert (events[0]["type"], events[-1]["type"]) == ("started", "result")
        assert len({event["run"] for event in events}) == 1
        assert all(re.match(r"20\d\d-", event["time"]) for event in events)
        assert [e["line"] for e in events if e["type"] == "log"][-1] == "last"
        assert ("error" in {event["type"] for event in events}) == (name == "json-bad")
        assert shown[name].err == ""


def test_the_runner_gets_groups_an_annotation_a_summary_and_outputs(shown: dict[str, Shown]) -> None:
    good, bad = shown["github-good"], shown["github-bad"]
    assert (good.err, bad.err) == ("", "")
    assert "::group::" in good.out
    assert [line for line in good.out.splitlines() if line.startswith("::error")] == []
    annotations = [line for line in bad.out.splitlines() if line.startswith("::error")]
    assert len(annotations) == 1
    assert "exited with code 3" in annotations[0]
    for found, outcome, code in ((good, "deployed", "0"), (bad, "migration_failed", "4")):
        outputs = found.file("GITHUB_OUTPUT")
        for name, value in (("outcome", outcome), ("exit_code", code), ("tag", "v1")):
            assert re.search(rf"^{name}(=|<<\S+\n){value}$", outputs, re.MULTILINE), outputs
        assert outcome.replace("_", "\\_") in found.file("GITHUB_STEP_SUMMARY")
    assert re.search(r"^revision(=|<<\S+\n)1$", good.file("GITHUB_OUTPUT"), re.MULTILINE)


@pytest.mark.parametrize("name", ["rich-good", "rich-bad"])
def test_a_terminal_is_left_as_it_was(shown: dict[str, Shown], name: str) -> None:
    screen = Terminal(WIDTH)
    screen.write(shown[name].out)
    assert screen.cursor
    text = "\n".join(screen.lines)
    assert "migrating" in text
    if name == "rich-good":
        assert "Deployed rich-good v1 as revision 1 in " in screen.lines[-1]
    colored = re.search(r"\x1b\[[0-9;]*3[0-9]", shown[name].out) is not None
    assert colored == (name == "rich-bad"), "NO_COLOR was set for the good one"
    if name == "rich-bad":
        assert "exited with code 3" in text
        assert "\nNext: " in text


# ── a cluster whose certificate is not verified ──────────────────────────────────────────────────

UNVERIFIED = {
    "plain": {},
    "quiet": {"PYTHONWARNINGS": "always"},
    "json": {"PYTHONDEVMODE": "1"},
    "github": {"PYTHONWARNINGS": "error"},
    "rich": {"PYTHONWARNINGS": "default"},
}
"""Each output, and what may be in somebody's environment beside it."""


@pytest.fixture(scope="module")
def unverified(stage: Stage) -> dict[str, Shown]:
    """Each output of a first deploy by a kubeconfig that has `insecure-skip-tls-verify: true` and no authority."""
    kubeconfig = insecure_kubeconfig(stage)
    projects: dict[str, Project] = {}
    started: dict[str, Running | Screen] = {}
    for output, environ in UNVERIFIED.items():
        project = projects[output] = stage.project(f"no-tls-{output}")
        project.template("migrate", job("echo migrating", name=project.release))
        project.kubeconfig = kubeconfig
        project.environ.update(environ)
        started[output] = _start(project, output)
    return {name: _end(running, projects[name].folder) for name, running in started.items()}


def insecure_kubeconfig(stage: Stage) -> Path:
    body = json.loads(stage.kube.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    cluster = body["clusters"][0]["cluster"]
    cluster.pop("certificate-authority-data", None)
    cluster.pop("certificate-authority", None)
    cluster["insecure-skip-tls-verify"] = True
    path = stage.folder / "insecure-kubeconfig"
    path.write_text(json.dumps(body))
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("output", UNVERIFIED)
def test_that_tls_is_not_verified_is_said_once_and_no_library_says_anything(
    unverified: dict[str, Shown], output: str
) -> None:
    found = unverified[output]
    assert found.code == 0, found.out + found.err
    assert found.err == ""
    assert found.out.count("TLS verification is off for context") == 1
    assert found.out.count("--certificate-authority=ca.crt") == 1
    foreign = r"\w+Warning\b|Traceback|Exception|site-packages|\.py\b|urllib3"
    assert re.findall(foreign, found.out) == [], found.out
    if output in ("plain", "quiet"):  # a time begins each line of shipit's, and no other
        assert [line for line in found.out.splitlines() if not re.match(r"20\d\d-\S+Z ", line)] == []
    if output == "json":
        events = [json.loads(line)["type"] for line in found.out.splitlines()]
        assert (events[:2], events.count("warning")) == (["started", "warning"], 1)
    if output == "github":
        assert len(re.findall(r"^::warning::TLS verification is off", found.out, re.MULTILINE)) == 1


def test_the_hint_mends_the_kubeconfig(stage: Stage, unverified: dict[str, Shown], tmp_path: Path) -> None:
    kubeconfig = insecure_kubeconfig(stage)
    view = json.loads(stage.kube.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    (tmp_path / "ca.crt").write_bytes(
        base64.b64decode(view["clusters"][0]["cluster"]["certificate-authority-data"])
    )
    warning = next(e for e in map(json.loads, unverified["json"].out.splitlines()) if e["type"] == "warning")
    command = warning["hint"].replace("kubectl", str(stage.kube.sandbox.kubectl), 1)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    assert not cluster.get("insecure-skip-tls-verify")
    assert cluster["certificate-authority-data"]
