"""Image archives made from folders and tars, without a container engine."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """What runs when a container of the image starts."""

    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Mapping[str, str] | None = None
    user: str = ""
    working_dir: str = ""


def write_archive(archive: Path, layers: Sequence[Path], image: Image) -> None:
    """Write an archive that `crane push` takes, from plain tars, lowest first. The same input gives the same bytes."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    packed = [gzip.compress(layer.read_bytes(), compresslevel=1, mtime=0) for layer in layers]
    config = _config([_digest(layer) for layer in layers], image)
    names = [f"{number}.tar.gz" for number in range(len(packed))]
    manifest = json.dumps([{"Config": "config.json", "RepoTags": None, "Layers": names}]).encode()
    unfinished = archive.with_suffix(".unfinished")
    with tarfile.open(unfinished, "w") as tar:
        for name, content in [
            *zip(names, packed, strict=True),
            ("config.json", config),
            ("manifest.json", manifest),
        ]:
            add_file(tar, name, content)
    unfinished.replace(archive)


def _config(digests: list[str], image: Image) -> bytes:
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        **(image.environment or {}),
    }
    run = {
        "Entrypoint": list(image.entrypoint) or None,
        "Cmd": list(image.command) or None,
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "User": image.user,
        "WorkingDir": image.working_dir,
    }
    content = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "2024-01-01T00:00:00Z",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": digests},
    }
    return json.dumps(content).encode()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def add_folder(tar: tarfile.TarFile, name: str, mode: int = 0o755) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def add_link(tar: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)


def new_layer(file: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT)
