"""Helm for one release, with a fake helm: what it is asked, and what becomes of its answers."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shipit.config import parse_helm_args
from shipit.errors import HelmFailed, IdentityChanged, Refused, Usage, refusing
from shipit.helm import HelmCli, connect
from shipit.model import HelmVersion, Values
from shipit.output import Mask

FAKE = Path(__file__).parents[1] / "data" / "fake-helm"


class Desk:
    """A folder with a fake helm that answers as told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "PATH": os.environ["PATH"],
            "SHIPIT_HELM": str(FAKE),
            "FAKE_ARGS": str(folder / "args"),
            "FAKE_PID": str(folder / "pid"),
        }

    def helm(
        self,
        *helm_args: str,
        read_within: float = 30,
        masked: Callable[[str], str] = str,
        **environ: str,
    ) -> HelmCli:
        return connect(
            release="shop",
            namespace="prod",
            context="eu",
            helm_flags=parse_helm_args(helm_args),
            workdir=self.folder,
            folder=self.folder,
            environ={**self.environ, **environ},
            read_within=read_within,
            masked=masked,
        )

    def answering(self, answer: object) -> HelmCli:
        path = self.folder / "answer"
        path.write_text(answer if isinstance(answer, str) else json.dumps(answer))
        return self.helm(FAKE_HELM="answer", FAKE_ANSWER=str(path))

    def failing(self, text: str) -> HelmCli:
        return self.helm(FAKE_HELM="fail", FAKE_WORDS=text)

    @property
    def asked(self) -> list[str]:
        return (self.folder / "args").read_text().splitlines()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("driver", "storage"),
    [("", "Secret"), ("secrets", "Secret"), ("configmap", "ConfigMap"), ("configmaps", "ConfigMap")],
)
def test_the_driver_says_what_holds_a_revision(desk: Desk, driver: str, storage: str) -> None:
    assert desk.helm(HELM_DRIVER=driver).storage == storage
    assert desk.helm().storage == "Secret"


@pytest.mark.parametrize("driver", ["sql", "memory", "ConfigMap"])
def test_a_driver_that_keeps_releases_elsewhere_is_refused(desk: Desk, driver: str) -> None:
    with pytest.raises(Refused, match=f"HELM_DRIVER is {driver}, which shipit does not support"):
        desk.helm(HELM_DRIVER=driver)


def test_something_is_done_before_each_helm_and_what_it_raises_keeps_helm_from_starting(desk: Desk) -> None:
    done: list[str] = []

    def before() -> None:
        done.append("renewed")
        if len(done) > 1:
            raise IdentityChanged("elsewhere")

    helm = connect(
        release="shop",
        namespace="prod",
        workdir=desk.folder,
        folder=desk.folder,
        environ={**desk.environ, "FAKE_HELM": "answer", "FAKE_ANSWER": os.devnull},
        before_each=before,
    )
    helm.manifest(1)
    (desk.folder / "args").unlink()
    for ask in (helm.history, lambda: helm.rollback(1, timeout=5)):
        with pytest.raises(IdentityChanged) as changed, refusing():
            ask()
        assert changed.value.exit_code == 8, "also before anything was changed"
    assert not (desk.folder / "args").exists()


def test_the_version_is_taken_once(desk: Desk) -> None:
    helm = desk.helm(FAKE_VERSION="v3.19")
    (desk.folder / "args").unlink()

    assert helm.version == helm.version == HelmVersion(3, 19, 0)
    assert not (desk.folder / "args").exists()


def test_a_helm_that_is_too_old_is_refused(desk: Desk) -> None:
    with pytest.raises(Refused, match=r"helm 3\.12; shipit needs helm 3\.13 or newer"):
        desk.helm(FAKE_VERSION="v3.12.0")


def test_a_program_that_is_no_helm_is_said_so(desk: Desk) -> None:
    with pytest.raises(HelmFailed, match="did not say its version"):
        desk.helm(FAKE_VERSION="")


def test_no_helm_on_the_path_says_what_to_install(desk: Desk) -> None:
    del desk.environ["SHIPIT_HELM"]

    with pytest.raises(Refused, match="helm is not on PATH") as refused:
        desk.helm(PATH=str(desk.folder))

    assert "install helm 3.13 or newer" in str(refused.value.hint)


def test_a_named_helm_that_is_not_there_is_named(desk: Desk) -> None:
    with pytest.raises(Refused, match="/no/helm, named by SHIPIT_HELM, is not a program"):
        desk.helm(SHIPIT_HELM="/no/helm")


def test_a_strategy_that_this_helm_doesn_t_know_is_refused(desk: Desk) -> None:
    with pytest.raises(Usage, match="--wait=legacy needs helm 4"):
        desk.helm("--wait=legacy", FAKE_VERSION="v3.22.0")

    assert desk.helm("--wait=legacy", FAKE_VERSION="v4.3.1").version.major == 4


def test_private_files_are_written_once_for_the_rendering_and_the_upgrade(desk: Desk) -> None:
    """Not a second time once the migration has run: the disk may be full by then."""
    helm, values = desk.answering({"manifest": ""}), Values(({"a": 1},))
    helm.render("chart", values)
    (rendered,) = (word for word in desk.asked if word.startswith("--values="))
    helm.upgrade(Path("/frozen"), values, timeout=5, wait=True).wait(20)

    assert rendered in desk.asked
    assert len([*desk.folder.glob("values-*")]) == 1


@pytest.mark.parametrize(
    "words",
    [
        'failed parsing --set data: key "x" has no value',
        "failed parsing --set-string data: unable to parse key: interface conversion: interface {} is nil",
        "unknown flag: --no-such",
    ],
)
def test_an_assignment_or_flag_that_helm_cannot_read_is_bad_usage(desk: Desk, words: str) -> None:
    with pytest.raises(Usage, match=words.partition(":")[0]) as refused, refusing():
        desk.failing(f"Error: {words}").render("chart", Values(set=("x",)))

    assert refused.value.exit_code == 2


def test_a_rendering_is_read(desk: Desk) -> None:
    helm = desk.answering({"manifest": "---\nkind: é\n", "version": 3, "info": {"status": "pending-upgrade"}})

    rendered = helm.render("chart", Values((desk.folder / "v.json",)))

    assert (rendered.manifest, rendered.revision) == ("---\nkind: é\n", 3)
    assert desk.asked[:3] == ["upgrade", "--install", "--dry-run=server"]
    assert desk.asked[-3:] == [f"--values={desk.folder}/v.json", "shop", "chart"]


def test_a_rendering_that_fails_names_cause_and_place_but_no_secret(desk: Desk) -> None:
    words = "Error: template: shop/templates/a.yaml:3:5: bad value 'hunter2!'"
    helm = desk.helm(masked=Mask(print, ["hunter2!"]).text, FAKE_HELM="fail", FAKE_WORDS=words)

    with pytest.raises(
        HelmFailed, match=r"the chart does not render: template: shop/templates/a\.yaml:3:5"
    ) as failed:
        helm.render("chart", Values())

    assert failed.value.reason == "render"
    assert "hunter2" not in failed.value.message
    assert str(FAKE) not in failed.value.message


def test_no_release_is_an_empty_history(desk: Desk) -> None:
    assert desk.failing("Error: release: not found").history() == ()


def test_a_history_that_cannot_be_read_is_no_empty_history(desk: Desk) -> None:
    with pytest.raises(HelmFailed) as failed:
        desk.failing("Error: Kubernetes cluster unreachable: refused").history()

    assert failed.value.reason == "unreachable"


def test_a_manifest_is_as_it_was_stored(desk: Desk) -> None:
    """`helm get` ends it with one newline more."""
    helm = desk.answering("---\n# Source: a\nkind: X\r\n\n\n")

    assert helm.manifest(4) == "---\n# Source: a\nkind: X\r\n\n"
    assert desk.asked[:3] == ["get", "manifest", "--revision=4"]


def test_a_helm_that_does_not_answer_is_killed(desk: Desk) -> None:
    helm = desk.helm(FAKE_HELM="immortal", read_within=2.0)

    with pytest.raises(HelmFailed, match=r"did not answer within 2 s while rendering release shop") as failed:
        helm.render("chart", Values())

    assert failed.value.reason == "timeout"
    until = time.monotonic() + 10
    while runs(int((desk.folder / "pid").read_text())):
        assert time.monotonic() < until


def runs(pid: int) -> bool:
    """Ask ps, which also tells a process that only waits for its parent to look."""
    asked = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return asked.stdout.strip()[:1] not in ("", "Z")


def test_an_upgrade_is_started_and_left_to_the_caller(desk: Desk) -> None:
    process = desk.failing("Error: UPGRADE FAILED: no").upgrade(
        Path("/frozen"), Values(), timeout=5, wait=True
    )

    ended = process.wait(20)

    assert ended is not None
    assert (ended.code, ended.stderr) == (1, ("no",))
    assert desk.asked[-2:] == ["shop", "/frozen"]


def test_a_rollback_is_started(desk: Desk) -> None:
    process = desk.answering("Rollback was a success").rollback(2, timeout=5)

    ended = process.wait(20)

    assert ended is not None
    assert (ended.code, ended.stderr) == (0, ())
    assert desk.asked[-2:] == ["shop", "2"]
