"""The ledger: what migrations write about themselves, on a disk that no API server can forget."""

from __future__ import annotations

import json
import shutil
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

TICK = 0.2
"""Seconds between a migration's signs of life."""
LINES = 5
"""How many numbered lines a migration says when nothing else is asked of it."""


@dataclass(frozen=True, slots=True)
class Life:
    """One pod's migration: from its first word to its last, in seconds of the wall clock; `ended` if it said so."""

    job: str
    pod: str
    start: float
    last: float
    ended: bool


class Ledger:
    """A folder of this machine that migrations mount; each writes one line per event, appended in one piece."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        folder.chmod(0o777)
        self.folder = folder
        self._file = folder / "ledger"
        # busybox' date has no fractions, /proc/uptime has
        self._boot = time.time() - float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])

    def lives(self) -> list[Life]:
        """Every migration that ever began, in the order in which they did."""
        if not self._file.exists():
            return []
        found: dict[str, Life] = {}
        for line in self._file.read_text(encoding="ascii").splitlines():
            word, job, pod, uptime = line.split()
            moment = self._boot + float(uptime)
            known = found.get(pod)
            start = known.start if known else moment
            found[pod] = Life(job, pod, start, moment, word == "end")
        return sorted(found.values(), key=lambda life: life.start)

    def let_go(self) -> None:
        """Allow migrations that wait for it to end."""
        (self.folder / "go").touch()

    def hold(self) -> None:
        (self.folder / "go").unlink(missing_ok=True)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def script(lines: int = LINES, *, held: bool = False, then: str = "", exit_code: int = 0) -> str:
    """A migration that says so many numbered lines, one a tick; `held` ones then wait to be let go.

    `then` is more shell before its end; one that ends with an exit code other than 0 never writes its end.
    """
    wait = "until [ -e /ledger/go ]; do note tick; sleep 0.2; done" if held else ":"
    end = "note end" if exit_code == 0 else f"exit {exit_code}"
    return textwrap.dedent(
        f"""\
        note() {{ read -r up _ < /proc/uptime; echo "$1 $JOB $HOSTNAME $up" >> /ledger/ledger; }}
        note start
        i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo "line $i of {lines}"; note tick; sleep {TICK}; done
        {wait}
        {then or ":"}
        {end}
        """
    )


def migration(
    ledger: Ledger,
    script: str,
    *,
    name: str = "migrate",
    spec: str = "",
    pod: str = "",
    container: str = "",
    env: str = "",
    grace: int = 0,
) -> str:
    """The template of a Job that keeps that ledger.

    `spec`, `pod`, `container` and `env` are more lines of its spec, its pod's, its container's and the environment;
    `grace` are the seconds that its pod gets to end.
    """
    return f"""\
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
spec:
  backoffLimit: 0
{textwrap.indent(textwrap.dedent(spec), "  ")}
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: {grace}
{textwrap.indent(textwrap.dedent(pod), "      ")}
      volumes: [{{name: ledger, hostPath: {{path: {ledger.folder}, type: Directory}}}}]
      containers:
        - name: migrate
          image: "{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}"
          command: ["sh", "-c", {json.dumps(script)}]
          env:
            - name: JOB
              valueFrom: {{fieldRef: {{fieldPath: "metadata.labels['batch.kubernetes.io/controller-uid']"}}}}
{textwrap.indent(textwrap.dedent(env), "            ")}
          volumeMounts: [{{name: ledger, mountPath: /ledger}}]
{textwrap.indent(textwrap.dedent(container), "          ")}
"""
