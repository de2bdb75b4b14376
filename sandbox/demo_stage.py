"""Where the demo plays: commands as a person types them, run on this terminal, and what the app answers."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import Sandbox, SandboxError
from sandbox.command import must
from sandbox.places import CHECKOUT

NOTES = Path("examples/notes")
ANSWER_SECONDS = 20


@dataclass(frozen=True)
class Stage:
    """A cluster, the helm to use and the namespace to play in."""

    sandbox: Sandbox
    helm_version: str
    namespace: str

    @property
    def path(self) -> str:
        """In front of the person's PATH: `shipit` and `python` of this environment, and the sandbox's kubectl."""
        return f"{Path(sys.executable).parent}:{self.sandbox.kubectl.parent}"

    @property
    def variables(self) -> dict[str, str]:
        """What the commands rely on, for a person who pastes them as well."""
        found = {
            "KUBECONFIG": str(self.sandbox.kubeconfig),
            "SHIPIT_HELM": str(self.sandbox.helms[self.helm_version]),
        }
        return {**found, "NOTES_IMAGE": f"{self.sandbox.registry}/notes"} if self.sandbox.external else found

    @property
    def exports(self) -> str:
        """The variables as lines to paste."""
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self.variables.items()]
        return "\n".join([f"export PATH={shlex.quote(self.path)}:$PATH", *lines])

    @property
    def environment(self) -> dict[str, str]:
        """This process's, with all of it."""
        return {**os.environ, **self.variables, "PATH": f"{self.path}:{os.environ.get('PATH', os.defpath)}"}

    @property
    def here(self) -> str:
        return f"--namespace={self.namespace}"

    def shipit(self, *args: str) -> list[str]:
        config = f"--config={NOTES / 'shipit.toml'}"
        return ["shipit", *args, config, *self._context("--context"), self.here]

    def kubectl(self, *args: str) -> list[str]:
        """Takes `here` where it is about what lies in the namespace."""
        return ["kubectl", *args, *self._context("--context")]

    def helm(self, *args: str) -> list[str]:
        return ["$SHIPIT_HELM", *args, *self._context("--kube-context"), self.here]

    def _context(self, flag: str) -> list[str]:
        return [f"{flag}={self.sandbox.context}"] if self.sandbox.context else []

    def run(self, command: Sequence[str], *, code: int = 0) -> None:
        """Show a command and run it on this terminal; it has to end with this exit code."""
        say(f"+ {typed(command)}")
        process = subprocess.Popen(self._argv(command), cwd=CHECKOUT, env=self.environment)
        found = patiently(process)
        if found in (130, 143):
            raise KeyboardInterrupt
        if found != code:
            raise SandboxError(f"`{typed(command)}` ended with exit code {found}; {code} was expected")
        if code:
            say(f"(exit code {code}, as it should be)")

    def ask(self, command: Sequence[str]) -> str:
        """What a command prints."""
        return must(self._argv(command), f"`{typed(command)}` failed", cwd=CHECKOUT, env=self.environment)

    def _argv(self, command: Sequence[str]) -> list[str]:
        """The command as it is started: programs in place of the names that a person types."""
        first, *rest = command
        programs = {
            "shipit": [sys.executable, "-m", "shipit"],
            "kubectl": [str(self.sandbox.kubectl)],
            "$SHIPIT_HELM": [self.variables["SHIPIT_HELM"]],
        }
        return [*programs[first], *rest]

    def app_answers(self, *, tag: str, schema: dict[str, Any]) -> None:
        """Show what the app says over HTTP, which has to be this tag on this schema."""
        command = self.kubectl(
            "get", "--raw", f"/api/v1/namespaces/{self.namespace}/services/notes:http/proxy/"
        )
        say(f"+ {typed(command)}")
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            answer = json.loads(self.ask(command))
            if answer["tag"] == tag and answer["schema"] == schema:
                say(json.dumps(answer))
                return
            # The last pod of the release before may answer for a moment after its successor is ready.
            if time.monotonic() > deadline:
                raise SandboxError(f"the app says {answer}; tag {tag} on schema {schema} was expected")
            time.sleep(0.5)

    def pods(self) -> set[str]:
        """The app's pods by UID: when they are the same later, nobody has touched the app."""
        command = self.kubectl(
            "get", "pods", "--selector=app.kubernetes.io/name=notes", "--output=json", self.here
        )
        found = [pod["metadata"] for pod in json.loads(self.ask(command))["items"]]
        return {pod["uid"] for pod in found if "deletionTimestamp" not in pod}


def patiently(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a command; an interrupt from the terminal reaches the command too, which tidies up."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def say(text: str, *, bold: bool = False) -> None:
    coloured = bold and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(f"\033[1m{text}\033[0m" if coloured else text, flush=True)


def typed(command: Sequence[str]) -> str:
    """A command as a person types it, `$SHIPIT_HELM` unquoted."""
    return " ".join(part if part.startswith("$") else shlex.quote(part) for part in command)
