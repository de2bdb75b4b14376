"""The programs of the cluster and of its users, built from pinned Go modules and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import toolchain
from sandbox.command import must
from sandbox.errors import SandboxError
from sandbox.places import locked
from sandbox.progress import Progress

MODULES = Path(__file__).parent / "go"
BUILD_BYTES = 10 << 30  # of which 8 GB are in the caches of Go
KUBE = "k8s.io/kubernetes"


@dataclass(frozen=True)
class Target:
    """A program: its name here, the module folder that pins it, and its Go package."""

    name: str
    module: str
    package: str


# What runs the cluster, and what talks to one: with a cluster of one's own, only the latter is built.
CLIENTS = (
    Target("kubectl", "kube", f"{KUBE}/cmd/kubectl"),
    Target("crane", "tools", "github.com/google/go-containerregistry/cmd/crane"),
    Target("helm4", "helm4", "helm.sh/helm/v4/cmd/helm"),
    Target("helm3", "helm3", "helm.sh/helm/v3/cmd/helm"),
    Target("helm3.13", "helm3.13", "helm.sh/helm/v3/cmd/helm"),
)
SERVERS = (
    Target("pause", "tools", "./pause"),
    Target("registry", "tools", "./registry"),
    Target("dns", "dns", "."),
    Target("etcd", "tools", "go.etcd.io/etcd/server/v3"),
    *(
        Target(name, "kube", f"{KUBE}/cmd/{name}")
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")
    ),
)
ALL = (*SERVERS, *CLIENTS)


def required(go_mod: str, module: str) -> str:
    """The version of a module that a go.mod's text pins."""
    found = re.search(rf"^(?:require )?\s*{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if not found:
        raise SandboxError(f"{module} is in no go.mod of the sandbox")
    return found.group(1)


def linker_flags(target: Target, go_mod: str) -> str:
    """The flags with which each project's own build stamps its version in."""
    values: dict[str, str] = {}
    if target.module == "kube":
        version = required(go_mod, KUBE)
        base = "k8s.io/component-base/version"
        values = {f"{base}.gitVersion": version, **_kubernetes(base, "gitMajor", "gitMinor", version)}
    elif target.name.startswith("helm"):
        module = target.package.removesuffix("/cmd/helm")
        values = {f"{module}/internal/version.version": required(go_mod, module)}
        if module.endswith("v3"):
            client = required(go_mod, "k8s.io/client-go").replace("v0.", "v1.")
            for package in ("chartutil", "lint/rules"):
                values |= _kubernetes(f"{module}/pkg/{package}", "k8sVersionMajor", "k8sVersionMinor", client)
    return " ".join(["-s -w", *(f"-X {name}={value}" for name, value in values.items())])


def _kubernetes(package: str, major_name: str, minor_name: str, version: str) -> dict[str, str]:
    major, minor = version.removeprefix("v").split(".")[:2]
    return {f"{package}.{major_name}": major, f"{package}.{minor_name}": minor}


def stamp(target: Target, modules: Path = MODULES) -> str:
    """A digest of all that decides what the program is: pins, sums, our own sources, flags."""
    folder = modules / target.module
    digest = hashlib.sha256(f"{target.package} {linker_flags(target, _go_mod(folder))}".encode())
    for file in sorted([folder / "go.mod", folder / "go.sum", *folder.rglob("*.go")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def path(target: Target, cache: Path) -> Path:
    return cache / "bin" / f"{target.name}-{stamp(target)}" / target.name


def missing(targets: Iterable[Target], cache: Path) -> list[Target]:
    return [target for target in targets if not path(target, cache).exists()]


def paths(targets: Iterable[Target], cache: Path) -> Mapping[str, Path]:
    return {target.name: path(target, cache) for target in targets}


def ensure(targets: Iterable[Target], cache: Path, progress: Progress) -> Mapping[str, Path]:
    """Build what the cache lacks, one builder at a time; name → program."""
    wanted = list(targets)
    if not missing(wanted, cache):
        return paths(wanted, cache)
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / "locks" / "build"):
        todo = missing(wanted, cache)
        if todo:
            _require_room(cache)
            _build(todo, cache, progress)
    return paths(wanted, cache)


def _build(todo: list[Target], cache: Path, progress: Progress) -> None:
    go = toolchain.find(MODULES, cache, progress)
    progress.say(f"building {len(todo)} programs; about ten minutes on two cores when nothing is cached")
    for number, target in enumerate(todo, 1):
        with progress.step(f"building {target.name}", number, len(todo)):
            _compile(go, target, path(target, cache))


def _compile(go: str, target: Target, product: Path) -> None:
    folder = MODULES / target.module
    product.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own for each try: what a killed one started may still write
    unfinished = product.with_name(f"{product.name}.{os.getpid()}.unfinished")
    flags = ["-trimpath", "-ldflags", linker_flags(target, _go_mod(folder))]
    command = [go, "build", *flags, "-o", str(unfinished), target.package]
    must(command, f"{target.name} could not be built", cwd=folder, env=toolchain.environment())
    unfinished.replace(product)


def _go_mod(folder: Path) -> str:
    return (folder / "go.mod").read_text()


def _require_room(cache: Path) -> None:
    free = shutil.disk_usage(cache).free
    if free < BUILD_BYTES:
        raise SandboxError(
            f"building needs {BUILD_BYTES >> 30} GB of disk, {cache} has {free >> 30} GB",
            "free some, or set SHIPIT_SANDBOX_CACHE to a folder on a larger disk",
        )
