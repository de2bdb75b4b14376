"""The wheel and the sdist, their version, and the bill of what shipit runs with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from shipit import __version__

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements-run.lock"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a release would publish, built with what the lock lists."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_holds_the_package_and_runs_without_a_checkout(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    assert wheel.name == f"shipit-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
        assert tops == {"shipit", f"shipit-{__version__}.dist-info"}
        assert "shipit/helm/guardian.py" in archive.namelist(), "it is run as a program of its own"
        archive.extractall(tmp_path / "site")
    script = "import shipit; from shipit.cli import main; print(shipit.__file__, flush=True); main()"
    ran = subprocess.run(
        [sys.executable, "-c", script, "--version"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == f"{tmp_path}/site/shipit/__init__.py\nshipit {__version__}\n"


def test_the_sdist_holds_what_it_takes_to_build_and_no_tests(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "src/shipit/__init__.py"} <= names
    assert not [name for name in names if name.startswith(("tests", "sandbox", ".venv", ".git/"))]


def test_the_bill_of_materials_is_the_lock() -> None:
    made = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "sbom.py"), "1.2.3"],
        capture_output=True,
        text=True,
        check=True,
    )
    bill = json.loads(made.stdout)
    pins = re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK.read_text(), re.MULTILINE)
    assert [(each["name"], each["version"]) for each in bill["components"]] == pins
    assert all(each["hashes"] for each in bill["components"])
    assert sum(len(each["hashes"]) for each in bill["components"]) == LOCK.read_text().count("--hash=")


def test_the_release_workflow_pins_its_actions_and_has_no_expression_in_a_script() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            assert re.fullmatch(r"\S+@[0-9a-f]{40}", step.get("uses", f"@{'0' * 40}").rjust(42, "x"))
