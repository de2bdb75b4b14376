"""The sandbox's images: PostgreSQL, and the notes example in several releases; built and pushed without an engine."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sandbox import Sandbox, oci
from sandbox.command import attempt, must
from sandbox.errors import SandboxError
from sandbox.images_rootfs import RootFs, build_rootfs
from sandbox.places import CHECKOUT, cache_dir, locked
from sandbox.progress import Progress

NOTES = CHECKOUT / "examples" / "notes"
NOTES_TAGS = ("v1", "v2", "v3", "v4")
STAMP_LABEL = "shipit.sandbox/stamp"

PYTHON = RootFs("python", ("alembic", "python3-psycopg2"), ("usr/share/javascript",))
POSTGRES = RootFs(
    "postgres",
    ("postgresql",),
    (
        "var/lib/postgresql/*",  # a database made while packages were installed
        "etc/ssl/private/*",  # and a key, the same for all who would get this image
        "usr/lib/postgresql/*/lib/bitcode",
        "usr/lib/postgresql/*/lib/llvmjit*",
        "usr/lib/*/libLLVM*",
        "usr/lib/*/libz3*",
    ),
    finish="cd usr/lib/postgresql && ln -s */bin bin",  # the version in between is this Debian's
)


@dataclass(frozen=True)
class Image:
    """A root file system, files on top of it, and what a container of it runs."""

    name: str
    rootfs: RootFs
    files: Mapping[str, bytes]
    settings: tuple[str, ...]  # as `crane mutate` takes them

    @cached_property
    def stamp(self) -> str:
        """The same for the same content: an image that the registry has already is not pushed again."""
        digest = hashlib.sha256(json.dumps([self.rootfs.stamp, self.settings]).encode())
        digest.update(tar_of(self.files))
        return digest.hexdigest()[:12]


def notes(tag: str) -> Image:
    """A release of the notes example, as its Dockerfile would build it."""
    listed = must([sys.executable, "releases.py", tag], cwd=NOTES).splitlines()
    return Image(
        name=f"notes:{tag}",
        rootfs=PYTHON,
        files={f"app/{name}": (NOTES / name).read_bytes() for name in listed},
        settings=(
            f"--env=NOTES_TAG={tag}",
            "--env=PYTHONUNBUFFERED=1",
            "--env=PYTHONDONTWRITEBYTECODE=1",
            "--workdir=/app",
            "--user=10001",
            "--cmd=python3,notes.py",
        ),
    )


def postgres() -> Image:
    """PostgreSQL, started by the same variables as the official image, and named as the example's chart asks for it."""
    return Image(
        name="postgres:15",
        rootfs=POSTGRES,
        files={"start-postgres": (CHECKOUT / "sandbox" / "images_postgres.sh").read_bytes()},
        settings=(
            "--env=PATH=/usr/lib/postgresql/bin:/usr/bin:/bin",
            "--env=PGDATA=/var/lib/postgresql/data",
            "--env=PGHOST=/tmp",  # the server's socket, for psql in the container
            "--user=postgres",
            "--entrypoint=/start-postgres",
        ),
    )


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """A layer with these files, readable and runnable by everybody; the same bytes for the same files."""
    output = io.BytesIO()
    with oci.new_layer(output) as tar:
        # Folders too: those that nobody names are made for root alone.
        for folder in sorted({str(parent) for name in files for parent in Path(name).parents} - {"."}):
            oci.add_folder(tar, folder)
        for name, content in sorted(files.items()):
            oci.add_file(tar, name, content, 0o755)
    return output.getvalue()


def build(cache: Path, progress: Callable[[str], None]) -> None:
    """Make the root file systems that are not in the cache yet, side by side: most of it is downloading."""
    folder = cache / "images"
    with locked(folder / "lock"), ThreadPoolExecutor() as pool:
        for made in [pool.submit(build_rootfs, rootfs, folder, progress) for rootfs in (PYTHON, POSTGRES)]:
            made.result()


def push_all(sandbox: Sandbox, progress: Callable[[str], None] | None = None) -> None:
    """Push every image that the sandbox's registry does not have yet, building what is missing."""
    say = progress or Progress().say
    for image in (postgres(), *map(notes, NOTES_TAGS)):
        if stamp_in_registry(sandbox, image.name) != image.stamp:
            build(cache_dir(), say)
            say(f"image {image.name}: pushing to the registry")
            push(sandbox, image)


def stamp_in_registry(sandbox: Sandbox, name: str) -> str | None:
    """The stamp of the image that the registry has under this name, if it has one."""
    asked = crane(sandbox, "config", f"{sandbox.push_registry}/{name}")
    if asked.returncode:
        return None
    labels: dict[str, str] = json.loads(asked.stdout).get("config", {}).get("Labels") or {}
    return labels.get(STAMP_LABEL)


def push(sandbox: Sandbox, image: Image) -> None:
    """Push the root file system as an image of its own, which the releases share, then the image on top of it."""
    base = f"{sandbox.push_registry}/{image.rootfs.name}-rootfs:{image.rootfs.stamp}"
    if crane(sandbox, "digest", base).returncode:
        layer = image.rootfs.layer(cache_dir() / "images")
        must_push(sandbox, "append", f"--new_layer={layer}", f"--new_tag={base}")
    with tempfile.NamedTemporaryFile(suffix=".tar") as top:
        top.write(tar_of(image.files))
        top.flush()
        arguments = [
            f"--append={top.name}",
            f"--set-platform=linux/{oci.ARCHITECTURES.get(platform.machine(), platform.machine())}",
            f"--label={STAMP_LABEL}={image.stamp}",
            f"--tag={sandbox.push_registry}/{image.name}",
        ]
        must_push(sandbox, "mutate", base, *image.settings, *arguments)


def crane(sandbox: Sandbox, *args: str) -> subprocess.CompletedProcess[str]:
    plain_http = () if sandbox.external else ("--insecure",)
    return attempt([sandbox.crane, *plain_http, *args])


def must_push(sandbox: Sandbox, *args: str) -> None:
    done = crane(sandbox, *args)
    if done.returncode:
        hint = "SANDBOX_PUSH_REGISTRY is where to push, SANDBOX_REGISTRY its name in the cluster"
        raise SandboxError(f"crane {args[0]} failed: {done.stderr.strip()}", hint if sandbox.external else "")
