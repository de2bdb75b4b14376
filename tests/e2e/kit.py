"""What the end-to-end stories need: a namespace with kubectl, a small chart made of parts, and shipit as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import Sandbox

Json = dict[str, Any]


def deployment(command: str, *more: str, replicas: str = "") -> str:
    """The template of a Deployment that runs a command (YAML) in the chart's image; `more` are lines of its container."""
    rest = "".join(f"          {line}\n" for line in more)
    return (
        """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
"""
        + (f"  replicas: {replicas}\n" if replicas else "")
        + """\
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: app
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
"""
        + rest
        + f"          command: {command}\n"
    )


APP = deployment('["sh", "-c", {{ .Values.run | quote }}]', replicas="{{ .Values.replicas }}")

VALUES = """\
replicas: 1
image: {repository: registry.sandbox/busybox, tag: none}
run: "echo app $HOSTNAME; sleep 100000"
"""

# Whoever starts this in the background may have these ignored. shipit would leave them so: here it is to hear them, as
# on a terminal. A handler that does nothing keeps them from us, and ends where another program begins.
for each in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(each) is signal.SIG_IGN:
        signal.signal(each, lambda *_: None)

DESERVED = 300.0
"""Seconds that a deploy of the small chart gets in a test before it counts as hung."""


def job(
    script: str, *, name: str = "migrate", annotations: Mapping[str, str] | None = None, spec: str = ""
) -> str:
    """A migration Job's template that runs a shell script with the tag's image; `spec` are more lines of its spec."""
    notes = json.dumps(dict(annotations or {}))
    return textwrap.dedent(
        f"""\
        apiVersion: batch/v1
        kind: Job
        metadata:
          name: {name}
          annotations: {notes}
        spec:
          backoffLimit: 0
        SPEC
          template:
            spec:
              restartPolicy: Never
              terminationGracePeriodSeconds: 1
              containers:
                - name: migrate
                  image: "{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}"
                  command: ["sh", "-c", {json.dumps(script)}]
        """
    ).replace("SPEC\n", textwrap.indent(textwrap.dedent(spec).strip("\n") + "\n", "  ") if spec else "")


def hook(script: str, events: str, *, name: str, weight: int = 0, policy: str = "", spec: str = "") -> str:
    """A hook Job's template."""
    notes = {"helm.sh/hook": events, "helm.sh/hook-weight": str(weight)}
    if policy:
        notes["helm.sh/hook-delete-policy"] = policy
    return job(script, name=name, annotations=notes, spec=spec)


@dataclass(frozen=True, slots=True)
class Kube:
    """kubectl in one namespace."""

    sandbox: Sandbox
    namespace: str

    def kubectl(self, *args: str, stdin: str | None = None, check: bool = True) -> str:
        argv = [str(self.sandbox.kubectl), f"--kubeconfig={self.sandbox.kubeconfig}"]
        argv += [f"--context={self.sandbox.context}"] if self.sandbox.context else []
        argv += ["-n", self.namespace, *args]
        ran = subprocess.run(argv, capture_output=True, text=True, input=stdin, check=False, timeout=120)
        assert ran.returncode == 0 or not check, f"kubectl {' '.join(args)}: {ran.stderr}"
        return ran.stdout

    def get(self, kind: str, name: str) -> Json | None:
        out = self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(out) if out else None

    def all(self, kind: str, selector: str = "") -> list[Json]:
        args = ["get", kind, "-o", "json", *(["-l", selector] if selector else [])]
        items: list[Json] = json.loads(self.kubectl(*args))["items"]
        return items

    def apply(self, manifest: str | Json) -> None:
        self.kubectl(
            "apply", "-f", "-", stdin=manifest if isinstance(manifest, str) else json.dumps(manifest)
        )

    def image(self, deployment: str = "shop") -> str:
        """The tag that the app runs."""
        found = self.get("deployment", deployment)
        assert found is not None
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]

    def wait(self, what: Callable[[], object], within: float = 180.0) -> None:
        deadline = time.monotonic() + within
        while not what():
            assert time.monotonic() < deadline, "did not come to pass in time"
            time.sleep(0.2)

    def pods_made(self, job_uid: str) -> int:
        """How many pods a Job has had, by the events of its controller: `once` is proven by 1."""
        events = [e for e in self.all("events") if e["involvedObject"].get("uid") == job_uid]
        return sum(int(e.get("count") or 1) for e in events if e["reason"] == "SuccessfulCreate")

    def pods_by_job(self) -> dict[str, list[int]]:
        """Every Job that there ever was in the namespace: for each of a name, how many pods it has had.

        By the events, which outlive their Jobs: `{"migrate": [1, 1]}` is a migration that ran twice, once each time.
        """
        found: dict[str, dict[str, int]] = {}
        for event in sorted(
            self.all("events"), key=lambda event: str(event["metadata"]["creationTimestamp"])
        ):
            about = event["involvedObject"]
            if about["kind"] == "Job" and event["reason"] == "SuccessfulCreate":
                pods = found.setdefault(about["name"], {})
                pods[about["uid"]] = pods.get(about["uid"], 0) + int(event.get("count") or 1)
        return {name: list(pods.values()) for name, pods in found.items()}


@dataclass(frozen=True, slots=True)
class Result:
    """How one shipit ended: its JSON events and whatever it wrote to stderr."""

    exit_code: int
    events: list[Json]
    stderr: str
    stdout: str

    @property
    def result(self) -> Json:
        assert self.events, f"no events; stderr: {self.stderr}"
        assert self.events[-1]["type"] == "result", self.stdout[-2000:] + self.stderr
        return self.events[-1]

    @property
    def outcome(self) -> str:
        return str(self.result["outcome"])

    @property
    def run(self) -> str:
        """The name of this run, as other deploys tell it."""
        return str(self.events[0]["run"])

    def of(self, type: str) -> list[Json]:
        return [event for event in self.events if event["type"] == type]

    @property
    def error(self) -> Json:
        return self.of("error")[-1]

    @property
    def log(self) -> list[str]:
        """The log lines of every migration and hook, in the order in which they came."""
        return [event["line"] for event in self.of("log")]

    @property
    def told(self) -> str:
        """Everything, for an assertion's message."""
        return self.stdout[-6000:] + self.stderr[-3000:]


@dataclass(slots=True)
class Running:
    """A shipit that is still at work. It writes to files: several may be left to themselves without one getting stuck."""

    process: subprocess.Popen[str]
    out: Path
    err: Path

    def kill(self, signum: int = signal.SIGKILL) -> None:
        self.process.send_signal(signum)

    def said(self) -> str:
        """What it has written to stdout so far."""
        return self.out.read_text(encoding="utf-8")

    def until(self, words: str, within: float = 180.0) -> None:
        """Wait until these words are in what it has written to stdout, other than the diff of the manifest: that tells
        what will be, not what has happened.
        """
        deadline = time.monotonic() + within
        while not any(words in line and '"type": "changes"' not in line for line in self.said().splitlines()):
            assert self.process.poll() is None, f"it ended before it said {words!r}: {self.end().told}"
            assert time.monotonic() < deadline, f"it has not said {words!r} in time: {self.said()[-3000:]}"
            time.sleep(0.05)

    def end(self, within: float = DESERVED) -> Result:
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        out = self.said()
        events = []
        for line in (line for line in out.splitlines() if line.startswith("{")):
            try:
                events.append(json.loads(line))
            except ValueError:
                break
        return Result(self.process.returncode, events, self.err.read_text(encoding="utf-8"), out)


@dataclass(slots=True)
class Project:
    """A folder with a chart and a shipit.toml, and the release that it becomes."""

    folder: Path
    kube: Kube
    helm: Path
    release: str = "shop"
    environ: dict[str, str] = field(default_factory=dict)
    kubeconfig: Path | None = None  # default: the sandbox's own, of an administrator

    def write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def template(self, name: str, text: str) -> None:
        self.write(f"chart/templates/{name}.yaml", text)

    def without_template(self, name: str) -> None:
        (self.folder / f"chart/templates/{name}.yaml").unlink()

    def configure(self, migration: str = "", release: str = "", rest: str = "") -> None:
        """Write shipit.toml; the arguments are lines of its tables."""
        text = f'[release]\nname = "{self.release}"\nchart = "chart"\nnamespace = "{self.kube.namespace}"\n{release}\n'
        text += f"[migration]\n{migration}\n" if migration else ""
        self.write("shipit.toml", text + rest)

    def command(
        self, *args: str, output: str = "json", env: Mapping[str, str] | None = None
    ) -> tuple[list[str], dict[str, str]]:
        """The arguments and the environment of a `shipit …` for this project, to be run in its folder."""
        sandbox = self.kube.sandbox
        kubeconfig = self.kubeconfig or sandbox.kubeconfig
        argv = [sys.executable, "-m", "shipit", *args, "-o", output, "--kubeconfig", str(kubeconfig)]
        argv += ["--context", sandbox.context] if sandbox.context and not self.kubeconfig else []
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "SHIPIT_"))}
        return argv, environ | {"SHIPIT_HELM": str(self.helm), **self.environ, **(env or {})}

    def start(
        self,
        *args: str,
        output: str = "json",
        env: Mapping[str, str] | None = None,
        stdout: int | None = None,
    ) -> Running:
        """`shipit …` in the project's folder; it writes to the descriptor `stdout` where one is given."""
        argv, environ = self.command(*args, output=output, env=env)
        return self._run(argv, environ, stdout)

    def paste(self, line: str) -> Result:
        """Type a hint's command into a shell, as it stands."""
        programs = self.folder / "programs"
        programs.mkdir(exist_ok=True)
        real = {
            "shipit": f"{sys.executable} -m shipit",
            "helm": self.helm,
            "kubectl": self.kube.sandbox.kubectl,
        }
        for name, what in real.items():
            (programs / name).write_text(f'#!/bin/sh\nexec {what} "$@"\n')
            (programs / name).chmod(0o755)
        _, environ = self.command()
        path = f"{programs}{os.pathsep}{environ['PATH']}"
        return self._run(["sh", "-c", line], environ | {"PATH": path, "SHIPIT_OUTPUT": "json"}, None).end()

    def _run(self, argv: list[str], environ: dict[str, str], stdout: int | None) -> Running:
        written = self.folder / "written" / uuid.uuid4().hex
        written.mkdir(parents=True)
        with (written / "out").open("wb") as out, (written / "err").open("wb") as err:
            where = out if stdout is None else stdout
            started = subprocess.Popen(
                argv, cwd=self.folder, env=environ, text=True, stdout=where, stderr=err
            )
        return Running(started, written / "out", written / "err")

    def deploy(
        self, tag: str, *args: str, within: float = DESERVED, env: Mapping[str, str] | None = None
    ) -> Result:
        return self.start("deploy", "--tag", tag, *args, env=env).end(within)

    def run_helm(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Bare helm, as somebody without shipit would run it."""
        sandbox = self.kube.sandbox
        argv = [str(self.helm), *args, "-n", self.kube.namespace, "--kubeconfig", str(sandbox.kubeconfig)]
        argv += ["--kube-context", sandbox.context] if sandbox.context else []
        ran = subprocess.run(
            argv, cwd=self.folder, capture_output=True, text=True, check=False, timeout=DESERVED
        )
        assert ran.returncode == 0 or not check, f"helm {' '.join(args)}: {ran.stderr}"
        return ran

    def history(self) -> list[Json]:
        ran = self.run_helm("history", self.release, "-o", "json", check=False)
        revisions: list[Json] = json.loads(ran.stdout) if ran.returncode == 0 else []
        return revisions


def fresh_namespace(sandbox: Sandbox, prefix: str = "t") -> Kube:
    kube = Kube(sandbox, f"{prefix}-{uuid.uuid4().hex[:10]}")
    kube.kubectl("create", "namespace", kube.namespace)
    return kube


def small_project(folder: Path, kube: Kube, helm: Path) -> Project:
    """The app alone, no migration yet, in shipit's default configuration."""
    project = Project(folder, kube, helm)
    project.write("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    project.write("chart/values.yaml", VALUES)
    project.template("app", APP)
    project.configure()
    return project
