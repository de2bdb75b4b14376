"""Real helm and small charts for the tests of what lies between shipit and helm."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import textwrap
from pathlib import Path

from sandbox import Sandbox
from shipit.config import parse_helm_args
from shipit.helm import HelmCli, connect
from shipit.helm.process import Process
from shipit.model import HelmExit

CHART = "apiVersion: v2\nname: shop\nversion: 1.4.2-rc.1\nappVersion: '7'\n"


def helm_in(sandbox: Sandbox, version: str, namespace: str, folder: Path, *helm_args: str) -> HelmCli:
    return connect(
        release="shop",
        namespace=namespace,
        context=sandbox.context or "",
        kubeconfig=str(sandbox.kubeconfig),
        helm_flags=parse_helm_args(helm_args),
        workdir=folder,
        folder=folder,
        environ=os.environ,
        binary=str(sandbox.helms[version]),
    )


def kubectl(sandbox: Sandbox, *args: str) -> str:
    context = [f"--context={sandbox.context}"] if sandbox.context else []
    command = [str(sandbox.kubectl), f"--kubeconfig={sandbox.kubeconfig}", *context, *args]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def bare(helm: HelmCli, *args: str) -> str:
    """helm as a person would type it."""
    where = [f"--namespace={helm._target.namespace}", f"--kubeconfig={helm._command.environ['KUBECONFIG']}"]
    done = subprocess.run([helm.binary, *args, *where], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_chart(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in {"Chart.yaml": CHART, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
    return folder


def config_map(name: str, value: str = "x", annotations: str = "") -> str:
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"
        + (f"  annotations: {{{annotations}}}\n" if annotations else "")
        + f"data:\n  key: {value}\n"
    )


def succeeded(process: Process) -> HelmExit:
    ended = process.wait(100)
    process.close()
    assert ended is not None
    assert ended.code == 0, ended
    return ended


def stored(sandbox: Sandbox, helm: HelmCli, revision: int) -> int:
    """Bytes of what Helm keeps in its Secret."""
    name = f"sh.helm.release.v1.shop.v{revision}"
    secret = kubectl(sandbox, "get", "secret", name, "-n", helm._target.namespace, "-o", "json")
    return len(base64.b64decode(json.loads(secret)["data"]["release"]))
