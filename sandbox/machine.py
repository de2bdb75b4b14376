"""Is this machine able to run the sandbox? Says what is missing and what to do instead."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from sandbox.command import SYSTEM_PATH, must
from sandbox.errors import SandboxError
from sandbox.progress import Progress

INSTEAD = "or use a cluster of your own: SANDBOX_KUBECONFIG=… (and SANDBOX_CONTEXT=…)"
# A program, and the Debian package that has it. Programs that are there are not installed again.
PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
    "openssl": "openssl",
    "busybox": "busybox-static",
    "mmdebstrap": "mmdebstrap",
}
RUN_BYTES = 2 << 30


def find(program: str) -> str | None:
    """Where a program is, system folders included: root's PATH may lack them."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")


def packages_for(programs: dict[str, str], found: Callable[[str], str | None]) -> list[str]:
    return sorted({package for program, package in programs.items() if not found(program)})


def require(cache: Path, progress: Progress) -> None:
    """Root on Linux with room and the Debian packages, which are installed if they are missing."""
    if not sys.platform.startswith("linux"):
        raise SandboxError(f"the sandbox runs on Linux only, this is {sys.platform}", f"use Linux, {INSTEAD}")
    if os.geteuid() != 0:
        raise SandboxError(
            "the sandbox needs root (namespaces, mounts, cgroups)", f"run it as root, {INSTEAD}"
        )
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if free < RUN_BYTES:
        raise SandboxError(
            f"the sandbox needs {RUN_BYTES >> 30} GB of disk, {cache} has {free >> 30} GB",
            f"free some, or move it with SHIPIT_SANDBOX_CACHE, {INSTEAD}",
        )
    if packages := packages_for(PROGRAMS, find):
        install(packages, progress)


def install(packages: Iterable[str], progress: Progress) -> None:
    wanted = list(packages)
    if not find("apt-get"):
        raise SandboxError(
            f"missing: {', '.join(wanted)} (Debian's names), and no apt-get to install them",
            f"install them, {INSTEAD}",
        )
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    failure = f"apt-get could not install {', '.join(wanted)}"
    with progress.step(f"installing {' '.join(wanted)}"):
        must(["apt-get", "update", "-qq"], failure, env=env, hint=f"install them, {INSTEAD}")
        install = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *wanted]
        must(install, failure, env=env, hint=f"install them, {INSTEAD}")


def snapshotter(folder: Path) -> str:
    """containerd's way to stack layers: overlays can't lie on an overlay, as inside a container."""
    return "native" if must(["stat", "-f", "-c", "%T", folder]).strip() == "overlayfs" else "overlayfs"
