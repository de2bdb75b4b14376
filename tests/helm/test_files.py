"""The private folder and the values in it."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shipit.errors import Refused, refusing
from shipit.helm import files, private_folder
from shipit.helm.files import write_values


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_values_are_for_this_user_only_and_gone_afterwards(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with private_folder(tmp_path) as folder:
            path = write_values(folder, {"image": {"tag": "é\u2028"}})
            assert (mode(folder), mode(path)) == (0o700, 0o600)
            assert json.loads(path.read_text()) == {"image": {"tag": "é\u2028"}}
    finally:
        os.umask(before)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", ["fcntl.flock", "pathlib.Path.rename"])
def test_a_temporary_folder_that_knows_no_locks_is_a_refusal_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(broken, unsupported)
    with pytest.raises(Refused, match="no locks available") as refused, private_folder(tmp_path):
        pass

    assert "TMPDIR" in str(refused.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_goes_when_something_fails_inside(tmp_path: Path) -> None:
    def interrupted() -> None:
        with private_folder(tmp_path) as folder:
            write_values(folder, {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert list(tmp_path.iterdir()) == []


def test_no_room_for_private_files_is_a_refusal(tmp_path: Path) -> None:
    with (
        pytest.raises(Refused, match="no such file or directory") as caught,
        private_folder(tmp_path / "gone"),
    ):
        pass
    assert "TMPDIR" in str(caught.value.hint)
    with pytest.raises(Refused, match=f"^{os.strerror(errno.ENOSPC).lower()}$"), refusing():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_a_dead_shipit_left_is_swept_and_what_a_live_one_has_stays(tmp_path: Path) -> None:
    dead = tmp_path / "shipit-1-abc"
    (dead / "app").mkdir(parents=True)
    other = tmp_path / "shipit-notes"
    other.mkdir()

    with private_folder(tmp_path) as live, private_folder(tmp_path) as second:
        assert not dead.exists()
        assert live.exists()
        assert second.exists()
    assert list(tmp_path.iterdir()) == [other]


def test_a_folder_that_was_only_just_made_is_left_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner is about to lock it, and then gives it its name; or died before it could."""
    fresh = tmp_path / "shipit-1-abc.new"
    fresh.mkdir()

    files.sweep(tmp_path)
    assert fresh.exists()
    monkeypatch.setattr(files, "_FRESH", -1.0)
    files.sweep(tmp_path)
    assert not fresh.exists()


def test_a_killed_shipit_lets_go_of_its_folder(tmp_path: Path) -> None:
    code = "import sys, time\nfrom pathlib import Path\nfrom shipit.helm.files import private_folder\n"
    code += "with private_folder(Path(sys.argv[1])) as f:\n    print(f, flush=True)\n    time.sleep(60)\n"
    src = str(Path(__file__).parents[2] / "src")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": src},
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        left = Path(owner.stdout.readline().strip())
        files.sweep(tmp_path)
        assert left.exists()
        owner.kill()

    files.sweep(tmp_path)
    assert not left.exists()
