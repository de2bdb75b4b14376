"""The two images that every cluster has: `pause`, which pods need, and `busybox`, a shell for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sandbox import machine, oci
from sandbox.command import must

BUSYBOX_TAGS = ("1", "v1", "v2", "v3", "v4", "v5")
NO_PROXY = {"NO_PROXY": "*", "no_proxy": "*"}  # the registry is on this machine


def archives(cache: Path, pause: Path) -> list[tuple[Path, str, Sequence[str]]]:
    """Make the images, once per cache: archive, name, tags."""
    images = cache / "images"
    busybox = Path(machine.find("busybox") or "/bin/busybox")
    return [
        (pause_archive(images, pause), "pause", ("1",)),
        (busybox_archive(images, busybox), "busybox", BUSYBOX_TAGS),
    ]


def push(crane: Path, archive: Path, repository: str, tags: Sequence[str]) -> None:
    """Push an archive under its first tag, and give the image the other tags."""
    must([crane, "push", "--insecure", archive, f"{repository}:{tags[0]}"], env=NO_PROXY)
    for tag in tags[1:]:
        must([crane, "tag", "--insecure", f"{repository}:{tags[0]}", tag], env=NO_PROXY)


def pause_archive(folder: Path, program: Path) -> Path:
    archive = folder / f"pause-{program.parent.name}.tar"
    if not archive.exists():
        layer = folder / "pause-layer.tar"
        folder.mkdir(parents=True, exist_ok=True)
        with layer.open("wb") as file, oci.new_layer(file) as tar:
            oci.add_file(tar, "pause", program.read_bytes(), 0o755)
        oci.write_archive(archive, [layer], oci.Image(entrypoint=["/pause"]))
        layer.unlink()
    return archive


def busybox_archive(folder: Path, program: Path) -> Path:
    content = program.read_bytes()
    archive = folder / f"busybox-{hashlib.sha256(content).hexdigest()[:12]}.tar"
    if not archive.exists():
        applets = must([program, "--list"]).split()
        layer = folder / "busybox-layer.tar"
        folder.mkdir(parents=True, exist_ok=True)
        write_busybox_layer(layer, content, applets)
        oci.write_archive(archive, [layer], oci.Image(command=["/bin/sh"]))
        layer.unlink()
    return archive


def write_busybox_layer(layer: Path, program: bytes, applets: Sequence[str]) -> None:
    """A root folder with the one program, its applets as links, and what a shell expects to find."""
    with layer.open("wb") as file, oci.new_layer(file) as tar:
        for name in ("bin", "etc", "root", "usr", "usr/bin", "var", "var/run"):
            oci.add_folder(tar, name)
        oci.add_folder(tar, "tmp", 0o1777)
        oci.add_file(
            tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
        )
        oci.add_file(tar, "etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        oci.add_file(tar, "bin/busybox", program, 0o755)
        for applet in applets:
            if applet != "busybox":
                oci.add_link(tar, f"bin/{applet}", "busybox")
        oci.add_link(tar, "usr/bin/env", "/bin/busybox")
