"""Root file systems made of Debian packages, with no container engine: the lowest layers of the images."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.command import must
from sandbox.errors import SandboxError
from sandbox.process import tail
from sandbox.progress import clock

# What a container never reads, of any package. Perl configures Debian's packages; nothing here runs it afterwards.
NEVER_READ = (
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/info/*",
    "usr/share/locale/*",
    "usr/share/i18n",
    "usr/share/perl*",
    "usr/lib/*-linux-gnu*/perl*",
    "usr/lib/*-linux-gnu*/libperl*",
    "usr/lib/*-linux-gnu*/gconv",
    "usr/bin/perl*",
    "var/cache/*",
    "var/lib/apt/*",
    "var/lib/dpkg/info",
    "var/log/*",
    "etc/apt/apt.conf.d/99mmdebstrap",
)


@dataclass(frozen=True)
class RootFs:
    """A Debian with some packages and without what those bring and nobody needs."""

    name: str
    packages: tuple[str, ...]
    drop: tuple[str, ...] = ()
    finish: str = "true"  # a shell command, run in its top folder

    @property
    def stamp(self) -> str:
        """Changes with everything that goes in, but not with new versions of the packages."""
        recipe = json.dumps([asdict(self), NEVER_READ, suite()], sort_keys=True)
        return hashlib.sha256(recipe.encode()).hexdigest()[:12]

    def layer(self, folder: Path) -> Path:
        """Where its layer is, once it is built."""
        return folder / f"{self.name}-{self.stamp}.tar.gz"


def suite(os_release: Path = Path("/etc/os-release")) -> str:
    """The code name of this machine's Debian (or Ubuntu): the images are made of the same."""
    lines = os_release.read_text().splitlines() if os_release.exists() else []
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    name = found.get("VERSION_CODENAME", "").strip('"')
    if not name:
        raise SandboxError(
            "the images are made of this machine's Debian packages, and it is no Debian",
            "use a Debian or Ubuntu machine, or a cluster of your own with SANDBOX_KUBECONFIG",
        )
    return name


def apt_sources(etc: Path = Path("/etc/apt")) -> list[Path]:
    """The distribution's own sources as this machine has them; those of third parties stay out."""
    names = ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")
    return [etc / name for name in names if (etc / name).exists()]


def bootstrap_args(rootfs: RootFs, apt_options: Path) -> list[str]:
    """The command that writes the root file system as a tar to its standard output."""
    unwanted = " ".join((*NEVER_READ, *rootfs.drop))
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(rootfs.packages)}",
        f"--aptopt={apt_options}",
        "--aptopt=Apt::Install-Recommends false",
        "--dpkgopt=force-unsafe-io",  # a crash loses nothing but a cache that isn't finished
        f'--customize-hook=cd "$1" && rm -rf {unwanted} && {rootfs.finish}',
        suite(),
        "-",
        *map(str, apt_sources()),
    ]


def build_rootfs(rootfs: RootFs, folder: Path, progress: Callable[[str], None]) -> None:
    """Make the layer unless it is there already; older ones of the same name go."""
    layer = rootfs.layer(folder)
    if layer.exists():
        return
    for tool in ("mmdebstrap", "gzip"):
        if shutil.which(tool) is None:
            raise SandboxError(f"{tool} is not installed, which makes the images", f"apt-get install {tool}")
    progress(f"image {rootfs.name}: installing Debian's {', '.join(rootfs.packages)} (up to a minute)")
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{rootfs.name}.log"
    for stale in folder.glob(f"{rootfs.name}-*.new"):
        stale.unlink()
    # A name of its own for each try: what a killed one started may still write
    unfinished = layer.with_suffix(f".{os.getpid()}.new")
    with (
        tempfile.TemporaryDirectory() as temporary,
        log.open("wb") as errors,
        unfinished.open("wb") as output,
    ):
        options = Path(temporary) / "apt.conf"
        options.write_text(download_options())
        argv = bootstrap_args(rootfs, options)
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors) as bootstrap:
            gzip = subprocess.run(["gzip", "-1", "-n"], stdin=bootstrap.stdout, stdout=output, check=False)
        failed = bootstrap.returncode or gzip.returncode
    if failed:
        unfinished.unlink()
        raise SandboxError(
            f"mmdebstrap could not make {rootfs.name}:\n{tail(log)}", f"all of its output: {log}"
        )
    for old in folder.glob(f"{rootfs.name}-*.tar.gz"):
        old.unlink()
    unfinished.replace(layer)
    size = layer.stat().st_size >> 20
    progress(f"image {rootfs.name}: {size} MB in {clock(time.monotonic() - started)}")


def download_options() -> str:
    """How this machine's apt downloads: through which proxy, how strict about dates, how often it retries."""
    dump = must(["apt-config", "dump"])
    wanted = re.findall(r"^Acquire::(?:https?|Check-|Retries).*$", dump, re.MULTILINE)
    return "".join(f"{line}\n" for line in wanted)
