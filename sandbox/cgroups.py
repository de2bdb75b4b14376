"""The cgroups that the cluster's pods live in, under cgroup v1 or v2."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb")


def name(unique: str) -> str:
    return f"shipit-sandbox-{unique}"


def folders(group: str, root: Path = ROOT) -> list[Path]:
    """The group's folder in each hierarchy: one for v2, one per controller for v1."""
    if (root / "cgroup.controllers").exists():
        return [root / group]
    if not root.exists():
        return []
    return [
        folder / group for folder in sorted(root.iterdir()) if folder.is_dir() and not folder.is_symlink()
    ]


def create(group: str, root: Path = ROOT) -> None:
    """Make the group, with every controller that the kubelet wants handed down to it."""
    if (root / "cgroup.controllers").exists():
        _delegate(root)
    for folder in folders(group, root):
        folder.mkdir(exist_ok=True)
        if (folder / "cpuset.cpus").exists() and not (folder / "cgroup.controllers").exists():
            _inherit_cpuset(folder)
    if (root / "cgroup.controllers").exists():
        _delegate(root / group)


def remove(group: str, root: Path = ROOT) -> list[Path]:
    """Remove the group and what is below it; the folders that would not go."""
    for top in folders(group, root):
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                continue
    return [top for top in folders(group, root) if top.exists()]


def _delegate(folder: Path) -> None:
    available = (folder / "cgroup.controllers").read_text().split()
    for controller in CONTROLLERS:
        if controller in available:
            try:
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")
            except OSError:
                continue


def _inherit_cpuset(folder: Path) -> None:
    """A v1 cpuset is born empty and can hold no process until it has CPUs and memory nodes."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if not (folder / file).read_text().strip():
            (folder / file).write_text((folder.parent / file).read_text())
