"""Other people's programs, run to their end; a failure carries what the program said."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.errors import SandboxError

MOST_OF_AN_ERROR = 2000
NOT_FOUND = 127
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # root's may lack some of it


def attempt(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail; `env` is added to this process's environment."""
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"
    whole = {**os.environ, "PATH": path, **(env or {})}
    try:
        return subprocess.run(command, check=False, cwd=cwd, env=whole, capture_output=True, text=True)
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(
            list(map(str, command)), NOT_FOUND, "", f"{error.filename}: not found"
        )


def must(
    command: Sequence[str | Path],
    failure: str = "",
    *,
    hint: str = "",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a command that may not fail, and return its output; `failure` says what it means if it does."""
    done = attempt(command, cwd=cwd, env=env)
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.strip()[-MOST_OF_AN_ERROR:] or f"exit {done.returncode}"
    raise SandboxError(f"{failure or '`' + ' '.join(map(str, command)) + '` failed'}: {said}", hint)
