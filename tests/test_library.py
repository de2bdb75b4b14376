"""`from shipit import deploy`: typed, light to import, with the errors of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import shipit
from shipit.errors import Interrupted, MigrationFailed, Refused, Unknown, Usage
from shipit.library import Deploy, deploy  # other tests load the room `shipit.deploy` in this process
from tests.scripted_api import kubeconfig

TOML = '[release]\nname = "shop"\nchart = "chart"\n'


def scripted(script: str) -> Deploy:
    """A process that says what shipit would."""
    return Deploy(
        subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, encoding="utf-8", process_group=0
        )
    )


SAYS = """
import json, signal, sys, time
def say(type, **fields):
    print(json.dumps({"time": "2026-11-30T07:00:00.5Z", "run": "r1", "type": type, **fields}), flush=True)
def end(outcome, code, **fields):
    say("result", outcome=outcome, exit_code=code, release="shop", namespace="prod", tag="v2", duration_s=1.5,
        migrations=[], message="", hint="", **fields)
    sys.exit(code)
"""


def test_its_events_come_one_by_one_and_then_its_result() -> None:
    with scripted(SAYS + "say('log', line='one'); end('deployed', 0, revision=7)") as going:
        with pytest.raises(LookupError):
            _ = going.result
        first = next(going)
        assert (first.type, first.run, first.fields) == ("log", "r1", {"line": "one"})
        assert first.time.isoformat() == "2026-11-30T07:00:00.500000+00:00"
        assert [event.type for event in going] == ["result"]
    assert (going.result.revision, going.result.duration) == (7, 1.5)


def test_a_failure_is_the_error_of_the_command_line() -> None:
    going = scripted(
        SAYS + "say('error', message='exited with code 3', hint='shipit logs', details=['boom'])\n"
        "end('migration_failed', 4, revision=None)"
    )
    with pytest.raises(MigrationFailed, match="exited with code 3") as failed:
        going.wait()
    assert (failed.value.exit_code, str(failed.value.hint), failed.value.details) == (
        4,
        "shipit logs",
        ("boom",),
    )


def test_a_process_that_dies_is_an_unknown_outcome() -> None:
    with pytest.raises(Unknown, match="without a result, with code -9"):
        scripted(SAYS + "say('log', line='x'); import os; os.kill(os.getpid(), 9)").wait()


def test_left_early_it_is_interrupted_and_waited_for(tmp_path: Path) -> None:
    script = SAYS + (
        f"def hear(*_):\n    open({str(tmp_path / 'heard')!r}, 'w').close(); end('interrupted', 130, revision=None)\n"
        "signal.signal(signal.SIGINT, hear); say('log', line='x'); time.sleep(60)"
    )
    for _event in scripted(script):
        break
    assert (tmp_path / "heard").exists()


def test_an_interrupted_one_knows_its_signal() -> None:
    going = scripted(SAYS + "end('interrupted', 143, revision=None)")
    with pytest.raises(Interrupted) as stopped:
        going.wait()
    assert stopped.value.exit_code == 143


def test_flags_are_those_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(Usage, match=r"no shipit\.toml in"):
        deploy("v2", folder=tmp_path).wait()
    (tmp_path / "shipit.toml").write_text(TOML)
    (tmp_path / "chart").mkdir()
    with pytest.raises(Usage, match="no such environment"):
        deploy("v2", folder=tmp_path, environment="prod").wait()
    with pytest.raises(Usage, match="not a legal image tag"):
        deploy("no tag", folder=tmp_path).wait()


def test_a_cluster_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shipit.toml").write_text(TOML)
    (tmp_path / "chart").mkdir()
    kubeconfig(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(Refused) as refused:
        deploy("v2", folder=tmp_path, kubeconfig=tmp_path / "kubeconfig", values=[], set=["a=b"]).wait()
    assert refused.value.exit_code == 3


def test_the_package_loads_nothing_until_it_is_asked(tmp_path: Path) -> None:
    script = "import sys, shipit; print('shipit.library' in sys.modules, shipit.__version__); shipit.deploy; print('shipit.library' in sys.modules, 'kubernetes' in sys.modules)"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(shipit.__file__).parents[1])}
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environ, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["False", shipit.__version__, "True", "False"]


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rollback'"):
        _ = shipit.rollback


def test_the_example_stops_at_the_first_environment_that_fails(tmp_path: Path) -> None:
    (tmp_path / "shipit.toml").write_text(TOML)
    (tmp_path / "chart").mkdir()
    example = Path(__file__).parents[1] / "examples" / "python" / "deploy.py"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(shipit.__file__).parents[1])}
    ran = subprocess.run(
        [sys.executable, str(example), "v2", "staging", "production"],
        env=environ, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.startswith('staging: --env "staging": no such environment in shipit.toml')
    assert "production" not in ran.stderr
