"""Set-up and the GitHub Action install exactly what the locks list, whatever else the index offers."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Marker

from shipit import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DEVELOPMENT, RUN = "requirements.lock", "requirements-run.lock"
NEWER = "9999"
# What builds shipit has to work; of everything else, name, version and requirements are enough.
BUILDERS = {"editables", "hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers"}


def pins(lock: str) -> dict[str, str]:
    """Name → version and marker, as a lock has them."""
    lines = (ROOT / lock).read_text().splitlines()
    return dict(line.removesuffix(" \\").split("==", 1) for line in lines if re.match(r"\w", line))


def wanted(lock: str) -> dict[str, str]:
    """What the lock lists for this platform: name → version."""
    parts = {name: pin.partition(" ; ") for name, pin in pins(lock).items()}
    return {
        name: version
        for name, (version, _, marker) in parts.items()
        if not marker or Marker(marker).evaluate()
    }


def names(requirements: list[str]) -> set[str]:
    found = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return {match[0].lower().replace("_", "-") for match in found if match}


def wheel(shelf: Path, name: str, version: str) -> str:
    """Put a wheel with the installed package's requirements, and nothing else in it, on the shelf; its SHA-256."""
    installed = metadata.distribution(name)
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(shelf / f"{stem}-py3-none-any.whl", "w") as archive:
        if name in BUILDERS and version != NEWER:
            for file in installed.files or ():
                if ".." not in file.parts and file.suffix != ".pyc":
                    archive.write(str(file.locate()), str(file))
        else:
            wants = "".join(f"Requires-Dist: {requirement}\n" for requirement in installed.requires or ())
            about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wants}"
            archive.writestr(f"{stem}.dist-info/METADATA", about)
            archive.writestr(
                f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{stem}.dist-info/RECORD", "")
    return hashlib.sha256((shelf / f"{stem}-py3-none-any.whl").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose locks name wheels on `shelf`, which also has a newer one of each."""
    folder = tmp_path_factory.mktemp("a checkout")
    for name in ("src", "scripts"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shelf = folder / "shelf"
    shelf.mkdir()
    sums = dict.fromkeys(pins(DEVELOPMENT), "0" * 64)  # stays for what this platform doesn't need
    for name, version in wanted(DEVELOPMENT).items():
        sums[name] = wheel(shelf, name, version)
        wheel(shelf, name, NEWER)
    for lock in (DEVELOPMENT, RUN):
        lines = (f"{name}=={pin} --hash=sha256:{sums[name]}\n" for name, pin in pins(lock).items())
        (folder / lock).write_text("".join(lines))
    return folder


def install(checkout: Path, venv: Path, lock: str, *options: str) -> str:
    """Run the script, against all that a person's settings can do to it; what it said on stderr."""
    folder = venv.parent  # has no space in its name, which would part two values
    (folder / "constraints").write_text(f"typer=={NEWER}\n")
    (folder / "shelf").symlink_to(checkout / "shelf")
    elsewhere = folder / "elsewhere"
    typer = next((folder / "shelf").glob(f"typer-{pins(RUN)['typer']}-*"))
    with zipfile.ZipFile(typer) as archive:
        archive.extractall(elsewhere)
    settings = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_CONSTRAINT": str(folder / "constraints"),
        "PIP_FIND_LINKS": str(folder / "shelf"),
        "PIP_NO_BINARY": ":all:",
        "PIP_NO_INDEX": "1",
        "PIP_PRE": "1",
        "PIP_REQUIRE_HASHES": "1",
        "PIP_TARGET": str(elsewhere),
        "PIP_UPGRADE": "1",
        "PIP_USER": "1",
        "PYTHONPATH": str(elsewhere),
    }
    command = ["sh", "scripts/install.sh", sys.executable, str(venv), lock, *options]
    done = subprocess.run(
        command, cwd=checkout, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) == (venv / ".ready").exists()
    return done.stderr


def installed(venv: Path) -> dict[str, str]:
    command = [f"{venv}/bin/pip", "list", "--format=json", "--exclude=pip", "--exclude=setuptools"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    versions = {package["name"].lower().replace("_", "-"): package["version"] for package in found}
    assert versions.pop("shipit") == __version__
    return versions


@pytest.mark.parametrize(("lock", "options"), [(DEVELOPMENT, ["--editable"]), (RUN, [])])
def test_newer_releases_of_everything_change_nothing(
    checkout: Path, tmp_path: Path, lock: str, options: list[str]
) -> None:
    assert install(checkout, tmp_path / "venv", lock, *options) == ""
    assert installed(tmp_path / "venv") == wanted(lock)


def test_a_lock_that_lacks_something_is_found_and_what_was_ready_no_longer_is(
    checkout: Path, tmp_path: Path
) -> None:
    whole = (checkout / RUN).read_text()
    (checkout / "lacking.lock").write_text(re.sub(r"(?m)^(frozenlist|typer)==.*\n", "", whole))
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / ".ready").touch()
    said = install(checkout, venv, "lacking.lock")
    assert said.startswith("shipit: lacking.lock does not fit pyproject.toml; run 'make lock'")
    assert "aiohttp 3.14.5 requires frozenlist, which is not installed." in said
    assert f"shipit {__version__} requires typer, which is not installed." in said


def test_a_file_that_is_not_the_one_in_the_lock_is_not_installed(checkout: Path, tmp_path: Path) -> None:
    whole = (checkout / RUN).read_text()
    (checkout / "other.lock").write_text(re.sub(r"(?m)^(typer==.*sha256:).*", r"\g<1>" + "0" * 64, whole))
    said = install(checkout, tmp_path / "venv", "other.lock")
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in said
    assert "\nshipit: pip could not install other.lock" in said


def test_what_users_run_is_what_was_tested() -> None:
    assert pins(RUN).items() < pins(DEVELOPMENT).items()


def test_the_locks_hold_all_that_the_project_names() -> None:
    groups = PROJECT["dependency-groups"]
    run = names(PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"] + groups["build"])
    development = names([name for name in groups["dev"] if isinstance(name, str)])
    assert run <= pins(RUN).keys()
    assert run | development <= pins(DEVELOPMENT).keys()
