"""A throw-away Kubernetes on this machine, for the demo and the tests.

`ensure_up()` is all that a test needs: it starts the cluster if it does not run, and says where everything is.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sandbox import binaries
from sandbox.cluster import Cluster
from sandbox.command import must
from sandbox.config import REGISTRY_NAME
from sandbox.errors import SandboxError
from sandbox.places import Places
from sandbox.progress import Progress

__all__ = ["Sandbox", "SandboxError", "describe", "ensure_up"]


@dataclass(frozen=True)
class Sandbox:
    """Where the cluster is, and with what to talk to it."""

    kubeconfig: Path
    context: str | None
    registry: str  # in image references: f"{registry}/busybox:1"
    push_registry: str  # where this machine pushes: f"{push_registry}/busybox:1"
    host: str | None  # this machine's address as the cluster sees it
    audit_log: Path | None
    kubectl: Path
    crane: Path
    helms: Mapping[str, Path]  # "3", "3.13" and "4"

    @property
    def external(self) -> bool:
        """Whether it is a cluster of the user's, which is never started, stopped or reconfigured."""
        return self.audit_log is None


def ensure_up(progress: Progress | None = None, env: Mapping[str, str] = os.environ) -> Sandbox:
    """Start what does not run yet, or check that the cluster named by SANDBOX_KUBECONFIG answers."""
    reported = progress or Progress()
    places = Places.of(env=env)
    if is_external(env):
        binaries.ensure(binaries.CLIENTS, places.cache, reported)
        sandbox = describe(env)
        check_external(sandbox)
    else:
        Cluster(places).up(reported)
        sandbox = describe(env)
    push_images(sandbox, reported)
    return sandbox


def is_external(env: Mapping[str, str] = os.environ) -> bool:
    return bool(env.get("SANDBOX_KUBECONFIG") or env.get("SANDBOX_CONTEXT"))


def describe(env: Mapping[str, str] = os.environ) -> Sandbox:
    """The sandbox as it is meant to be; starts and checks nothing."""
    places = Places.of(env=env)
    built = binaries.paths(binaries.CLIENTS, places.cache)
    helms = {version: built[f"helm{version}"] for version in ("3", "3.13", "4")}
    kubectl, crane = built["kubectl"], built["crane"]
    if is_external(env):
        default = env.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
        kubeconfig = Path(env.get("SANDBOX_KUBECONFIG") or default)
        registry = env.get("SANDBOX_REGISTRY", REGISTRY_NAME)
        push_to = env.get("SANDBOX_PUSH_REGISTRY", registry)
        context = env.get("SANDBOX_CONTEXT") or None
        host = env.get("SANDBOX_HOST") or None
        return Sandbox(kubeconfig, context, registry, push_to, host, None, kubectl, crane, helms)
    network = Cluster(places).network
    push_to, host = (network.registry, network.host) if network else ("", None)
    audit_log = places.audit_log
    return Sandbox(places.kubeconfig, None, REGISTRY_NAME, push_to, host, audit_log, kubectl, crane, helms)


def check_external(sandbox: Sandbox) -> None:
    """Raise unless the user's cluster answers."""
    command = [str(sandbox.kubectl), "--kubeconfig", str(sandbox.kubeconfig), "--request-timeout=10s"]
    if sandbox.context:
        command += ["--context", sandbox.context]
    failure = f"the cluster in {sandbox.kubeconfig} does not answer"
    hint = "check SANDBOX_KUBECONFIG and SANDBOX_CONTEXT, or unset them for a cluster on this machine"
    must([*command, "get", "--raw", "/readyz"], failure, hint=hint)


def push_images(sandbox: Sandbox, progress: Progress) -> None:
    """Let `sandbox.images` push what the examples need, if this checkout has it."""
    if find_spec("sandbox.images"):
        push_all = getattr(importlib.import_module("sandbox.images"), "push_all", None)
        if push_all:
            push_all(sandbox, progress.say)
