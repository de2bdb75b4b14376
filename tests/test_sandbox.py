"""The sandbox's command line, its places, and clusters that are not its own."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

import sandbox
from sandbox import __main__ as command_line
from sandbox import command
from sandbox.errors import SandboxError
from sandbox.places import Places, cache_dir, cluster_name, locked, write


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main([]) == 0
    shown = capsys.readouterr().out
    for name in ("up", "down", "status", "build", "clean", "env", "stop", "start"):
        assert f"\n    {name} " in shown


def test_an_unknown_component_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.main(["stop", "docker"])
    assert "apiserver" in capsys.readouterr().err


def test_the_cache_is_where_the_environment_says() -> None:
    assert cache_dir({"SHIPIT_SANDBOX_CACHE": "/x"}) == Path("/x")
    assert cache_dir({"XDG_CACHE_HOME": "/c"}) == Path("/c/shipit-sandbox")
    assert cache_dir({"HOME": "/home/ann"}) == Path("/home/ann/.cache/shipit-sandbox")


def test_checkouts_of_the_same_name_have_clusters_of_their_own() -> None:
    ours, theirs = cluster_name(Path("/a/My Shop")), cluster_name(Path("/b/My Shop"))
    assert ours.startswith("my-shop-")
    assert ours != theirs
    assert Places(Path("/c"), ours).unique != Places(Path("/c"), theirs).unique


def test_an_interface_name_fits_the_kernel() -> None:
    longest = Places(Path("/c"), cluster_name(Path("/") / ("long" * 20)))
    assert len(f"sbx{longest.unique}") <= 15


def test_a_cache_that_the_node_would_hide_is_refused() -> None:
    with pytest.raises(SandboxError, match="SHIPIT_SANDBOX_CACHE"):
        Places(Path("/var/lib/shipit"), "main-01234567").make()


def test_a_file_that_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "config" / "proxy.yaml"
    write(file, "a")
    first = file.stat()
    write(file, "a")
    assert file.stat().st_ino == first.st_ino
    assert first.st_mode & 0o077 == 0
    write(file, "b")
    assert [found.name for found in file.parent.iterdir()] == ["proxy.yaml"]
    assert file.read_text() == "b"


def test_a_program_that_is_missing_is_an_error_like_any_other() -> None:
    with pytest.raises(SandboxError, match="no-such-program: not found"):
        command.must(["no-such-program", "x"])


def test_a_command_that_fails_says_what_the_program_said() -> None:
    with pytest.raises(SandboxError, match="it broke: oh no") as caught:
        command.must(["sh", "-c", "echo oh no >&2; exit 3"], "it broke", hint="mend it")
    assert caught.value.hint == "mend it"
    assert command.must(["echo", "a"]) == "a\n"


def test_a_lock_is_exclusive_and_ends_with_its_block(tmp_path: Path) -> None:
    file = tmp_path / "locks" / "build"
    with locked(file), file.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with file.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_cluster_of_the_users_is_described_as_theirs(tmp_path: Path) -> None:
    env = {
        "SANDBOX_KUBECONFIG": "/k/config",
        "SANDBOX_CONTEXT": "kind",
        "SANDBOX_REGISTRY": "registry.example",
        "SHIPIT_SANDBOX_CACHE": str(tmp_path),
    }
    found = sandbox.describe(env)
    assert found.external
    assert (found.kubeconfig, found.context) == (Path("/k/config"), "kind")
    assert (found.registry, found.push_registry) == ("registry.example", "registry.example")
    assert found.audit_log is None
    assert not list(tmp_path.iterdir())


def test_a_sandbox_that_is_not_up_is_described_too(tmp_path: Path) -> None:
    found = sandbox.describe({"SHIPIT_SANDBOX_CACHE": str(tmp_path)})
    assert not found.external
    assert found.registry == "registry.sandbox"
    assert found.kubeconfig.name == "admin.conf"
    assert set(found.helms) == {"3", "3.13", "4"}


def test_down_leaves_a_cluster_of_the_users_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SANDBOX_KUBECONFIG", "/k/config")
    assert command_line.main(["down"]) == 0
    assert "left alone" in capsys.readouterr().out


def test_status_without_a_cluster_says_so_and_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("SHIPIT_SANDBOX_CACHE", str(tmp_path))
    monkeypatch.delenv("SANDBOX_KUBECONFIG", raising=False)
    monkeypatch.delenv("SANDBOX_CONTEXT", raising=False)
    assert command_line.main(["status"]) == 1
    shown = capsys.readouterr().out
    assert "the cluster is not up" in shown
    assert str(tmp_path) in shown
