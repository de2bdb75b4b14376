"""The GitHub Action: its scripts run in bash as the runner runs them, with programs of our own at the other end."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
INSTALL, DEPLOY = ACTION["runs"]["steps"]

EVIL = "a b\t'c' \"d\" $(touch pwned) `touch pwned` ${HOME} \\ ; touch pwned | * && # é\nsecond line --flag"

SHIPIT = """#!{python}
import json, os, sys
json.dump({{"pid": os.getpid(), "argv": sys.argv[1:], "cwd": os.getcwd()}}, open({record!r}, "w"))
sys.exit(int(os.environ.get("EXIT", "0")))
"""

# In place of the real one, which tests/test_install.py tests.
INSTALLER = """#!/bin/sh
echo "$@" >> "$RUNNER_TEMP/calls"
mkdir -p "$2/bin"
: > "$2/bin/shipit"
[ ! -e "$RUNNER_TEMP/no network" ] || exit 1
: > "$2/.ready"
"""


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def environment(step: dict[str, Any], values: dict[str, str]) -> dict[str, str]:
    """The step's `env` with its expressions evaluated; unset inputs have their defaults."""
    inputs = {name: given.get("default", "") for name, given in ACTION["inputs"].items()} | values

    def value(found: re.Match[str]) -> str:
        return str(inputs[found[1].removeprefix("inputs.")])

    return {name: re.sub(r"\$\{\{ (\S+) \}\}", value, text) for name, text in step["env"].items()}


def command(step: dict[str, Any], folder: Path) -> list[str]:
    """How the runner calls `shell: bash`."""
    script = folder / "script.sh"
    script.write_text(step["run"])
    return ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]


def deploy(tmp_path: Path, code: int = 0, **inputs: str) -> dict[str, Any]:
    """Run the deploy step; what its shipit saw."""
    record = tmp_path / "record.json"
    shipit = program(tmp_path / "my shipit", SHIPIT.format(python=sys.executable, record=str(record)))
    values = {name.replace("_", "-"): value for name, value in inputs.items()}
    env = environment(DEPLOY, {**values, "steps.install.outputs.shipit": str(shipit)})
    child = subprocess.Popen(
        command(DEPLOY, tmp_path), cwd=tmp_path, env={"PATH": os.environ["PATH"], "EXIT": str(code), **env}
    )
    assert child.wait() == code
    seen: dict[str, Any] = json.loads(record.read_text())
    assert seen["pid"] == child.pid, "a signal to the step's process must reach shipit"
    return seen


def test_a_tag_alone_is_enough(tmp_path: Path) -> None:
    assert deploy(tmp_path, tag="v2")["argv"] == ["deploy", "--output=github", "--tag=v2"]


def test_every_input_becomes_its_option(tmp_path: Path) -> None:
    seen = deploy(
        tmp_path,
        tag="v2",
        config="deploy/shipit.toml",
        environment="production",
        namespace="shop",
        context="prod-eu",
        migration_timeout="1h",
        upgrade_timeout="10m",
        lock_wait="5m",
        message="hotfix",
        confirm="true",
        args="--set=a=b\n\n  --values=my values.yaml\n--rerun\n",
    )
    assert seen["argv"][3:] == [
        "--config=deploy/shipit.toml",
        "--env=production",
        "--namespace=shop",
        "--context=prod-eu",
        "--migration-timeout=1h",
        "--upgrade-timeout=10m",
        "--lock-wait=5m",
        "--message=hotfix",
        "--yes",
        "--set=a=b",
        "  --values=my values.yaml",
        "--rerun",
    ]


def test_whatever_an_input_holds_is_one_argument_and_never_run(tmp_path: Path) -> None:
    seen = deploy(tmp_path, tag=EVIL, message=EVIL, namespace=EVIL, args=EVIL)
    assert seen["argv"] == [
        "deploy",
        "--output=github",
        f"--tag={EVIL}",
        f"--namespace={EVIL}",
        f"--message={EVIL}",
        *EVIL.split("\n"),
    ]
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("code", [4, 9, 130])
def test_the_exit_code_is_shipits(tmp_path: Path, code: int) -> None:
    deploy(tmp_path, code, tag="v2")


def test_cancelling_the_job_reaches_shipit(tmp_path: Path) -> None:
    shipit = program(
        tmp_path / "shipit", f"#!{sys.executable}\nimport signal\nprint('up', flush=True)\nsignal.pause()\n"
    )
    env = environment(DEPLOY, {"tag": "v2", "steps.install.outputs.shipit": str(shipit)})
    with subprocess.Popen(
        command(DEPLOY, tmp_path), env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        child.send_signal(signal.SIGINT)
    assert child.returncode in (-signal.SIGINT, 130)


@pytest.fixture
def action(tmp_path: Path) -> Path:
    """Where the runner has put the action."""
    folder = tmp_path / "actions/our org/shipit/v1"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts/install.sh").write_text(INSTALLER)
    return folder


def install(action: Path, tmp_path: Path, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    variables = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_ACTION_PATH": str(action),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }
    return subprocess.run(
        command(INSTALL, tmp_path),
        env=variables | environment(INSTALL, {"python": python}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_shipit_is_installed_once_from_the_actions_own_checkout_and_lock(
    action: Path, tmp_path: Path
) -> None:
    (tmp_path / "my python").symlink_to(sys.executable)
    for _ in range(2):
        assert install(action, tmp_path, f"{tmp_path}/my python").returncode == 0
    venv = f"{tmp_path}/shipit{action}"
    calls = (tmp_path / "calls").read_text()
    assert calls == f"{tmp_path}/my python {venv} {action}/requirements-run.lock\n"
    assert (tmp_path / "output").read_text() == f"shipit={venv}/bin/shipit\n" * 2


def test_an_installation_that_failed_half_way_is_never_used(action: Path, tmp_path: Path) -> None:
    (tmp_path / "no network").touch()
    failed = install(action, tmp_path)
    assert failed.returncode == 1
    assert failed.stdout.startswith("::error title=shipit::shipit could not be installed")
    assert not (tmp_path / "output").exists()
    (tmp_path / "no network").unlink()
    assert install(action, tmp_path).returncode == 0
    assert len((tmp_path / "calls").read_text().splitlines()) == 2


def test_an_old_or_missing_python_is_an_error_that_says_what_to_do(action: Path, tmp_path: Path) -> None:
    for python in (program(tmp_path / "old", "#!/bin/sh\nexit 1\n"), tmp_path / "missing"):
        done = install(action, tmp_path, str(python))
        assert done.returncode == 2
        assert done.stdout.startswith("::error title=shipit::Python 3.11 or newer is needed")


def test_no_expression_stands_inside_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"


def test_every_input_is_handed_over_and_every_output_comes_from_the_deploy() -> None:
    handed = {text for step in (INSTALL, DEPLOY) for text in step["env"].values()} | {
        DEPLOY["working-directory"]
    }
    assert {f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]} <= handed
    assert {name: output["value"] for name, output in ACTION["outputs"].items()} == {
        name: f"${{{{ steps.deploy.outputs.{name} }}}}"
        for name in ("outcome", "exit_code", "tag", "revision", "duration")
    }


@pytest.mark.parametrize("example", ["deploy.yml", "reusable.yml"])
def test_the_example_gives_only_inputs_that_exist_and_reads_only_outputs_that_exist(example: str) -> None:
    text = (ROOT / "examples/github-actions" / example).read_text()
    (step,) = [step for step in yaml.safe_load(text)["jobs"]["deploy"]["steps"] if step.get("id") == "shipit"]
    assert set(step["with"]) <= set(ACTION["inputs"])
    read = set(re.findall(r"steps\.shipit\.outputs\.(\w+)", text))
    assert read
    assert read <= set(ACTION["outputs"])


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-actions", "action.yml"),
        ("vendor.github-workflows", "examples/github-actions/deploy.yml"),
        ("vendor.github-workflows", "examples/github-actions/reusable.yml"),
        ("vendor.github-workflows", "examples/github-actions/promote.yml"),
        ("vendor.github-workflows", ".github/workflows/release.yml"),
        ("vendor.gitlab-ci", "examples/gitlab/.gitlab-ci.yml"),
    ],
)
def test_files_match_their_schema(schema: str, file: str) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(ROOT / file)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("example", ["deploy.yml", "reusable.yml"])
def test_no_script_of_an_example_holds_an_expression_and_no_action_a_tag(example: str) -> None:
    text = (ROOT / "examples/github-actions" / example).read_text()
    for step in yaml.safe_load(text)["jobs"]["deploy"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert re.fullmatch(
            r"[\w-]+/[\w-]+@[0-9a-f]{40}|your-org/shipit@.*", step.get("uses", "your-org/shipit@")
        )


def shell(script: str, folder: Path, shipit: str, *words: str, **environ: str) -> subprocess.Popen[str]:
    """An example's script with a shipit of our own."""
    path = program(folder / "shipit", f"#!{sys.executable}\n{shipit}")
    return subprocess.Popen(
        ["sh", str(ROOT / script), *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "SHIPIT": str(path), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def test_the_gitlab_script_folds_the_log_and_ends_with_shipits_code(tmp_path: Path) -> None:
    child = shell(
        "examples/gitlab/deploy.sh", tmp_path, "print('a line'); raise SystemExit(4)", SHIPIT_TAG="v2"
    )
    said, _ = child.communicate(timeout=30)
    assert child.returncode == 4
    returns = r"\n"  # what Python makes of a carriage return
    assert re.fullmatch(
        rf"\x1b\[0Ksection_start:\d+:shipit{returns}\x1b\[0Kshipit deploy v2\n"
        rf"a line\n\x1b\[0Ksection_end:\d+:shipit{returns}\x1b\[0K\n",
        said,
    )


def test_a_cancel_in_gitlab_reaches_shipit_and_is_waited_for(tmp_path: Path) -> None:
    shipit = (
        "import os, signal, time\n"
        "def hear(*_):\n    time.sleep(0.5); os.write(1, b'Job still runs'); os._exit(143)\n"
        "signal.signal(signal.SIGTERM, hear); os.write(1, b'up\\n'); time.sleep(60)"
    )
    child = shell("examples/gitlab/deploy.sh", tmp_path, shipit, SHIPIT_TAG="v2")
    assert child.stdout is not None
    while "up" not in child.stdout.readline():
        pass
    child.send_signal(signal.SIGTERM)
    said, _ = child.communicate(timeout=30)
    assert child.returncode == 143
    assert "Job still runs" in said


@pytest.mark.parametrize(
    ("code", "says"), [(0, "v2 is live"), (5, "the app is untouched"), (7, "somebody else")]
)
def test_the_plain_script_tells_the_outcomes_apart(tmp_path: Path, code: int, says: str) -> None:
    child = shell("examples/script/deploy.sh", tmp_path, f"raise SystemExit({code})", "v2", "production")
    said, _ = child.communicate(timeout=30)
    assert child.returncode == code
    assert says in said
