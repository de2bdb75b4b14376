"""What real helm answers, and what becomes of a release when helm is made to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import Sandbox
from shipit.errors import HelmFailed
from shipit.helm import HelmCli
from shipit.model import Revision, Values
from tests.e2e.kit import Kube
from tests.e2e.real_helm import CHART, bare, config_map, helm_in, kubectl, succeeded, write_chart
from tests.scripted_api import kubeconfig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

NEVER_READY = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: app}
    spec:
      selector: {matchLabels: {a: b}}
      template:
        metadata: {labels: {a: b}}
        spec: {nodeSelector: {no: where}, containers: [{name: app, image: none}]}
"""
SRC = Path(__file__).parents[2] / "src"


@pytest.fixture(params=["3", "3.13", "4"])
def helm(request: pytest.FixtureRequest, sandbox: Sandbox, kube: Kube, tmp_path: Path) -> HelmCli:
    return helm_in(sandbox, request.param, kube.namespace, tmp_path)


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    return write_chart(tmp_path / "chart", {"templates/a.yaml": config_map("a")})


@pytest.fixture
def stuck(tmp_path: Path) -> Path:
    """A chart whose rollout never ends."""
    return write_chart(tmp_path / "stuck", {"templates/a.yaml": NEVER_READY})


def eventually(holds: Callable[[], bool], within: float) -> None:
    until = time.monotonic() + within
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def newest(helm: HelmCli) -> Revision | None:
    history = helm.history()
    return history[-1] if history else None


def is_pending(helm: HelmCli) -> bool:
    revision = newest(helm)
    return revision is not None and revision.pending


TELLS = """
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: tells}
    data:
      operation: "{{ .Release.IsInstall }} {{ .Release.IsUpgrade }} {{ .Release.Revision }}"
      namespace: "{{ (lookup "v1" "Namespace" "" .Release.Namespace).metadata.name }}"
      jobs: "{{ .Capabilities.APIVersions.Has "batch/v1/Job" }}"
"""


def test_the_other_operation_is_rendered_with_the_cluster_s_answers_whatever_release_there_is(
    kube: Kube, tmp_path: Path, helm: HelmCli
) -> None:
    chart = str(write_chart(tmp_path / "tells", {"templates/a.yaml": TELLS}))

    def tells(text: str) -> list[str]:
        return [f'operation: "{text}"', f'namespace: "{kube.namespace}"', 'jobs: "true"']

    for existing in (False, True):
        if existing:
            succeeded(helm.upgrade(Path(chart), Values(), timeout=60, wait=False))
        install = helm.render_as(chart, Values(), install=True)
        upgrade = helm.render_as(chart, Values(), install=False)
        assert (install.install, upgrade.install, upgrade.revision) == (True, False, 2)
        assert all(line in install.manifest for line in tells("true false 1"))
        assert all(line in upgrade.manifest for line in tells("false true 2"))
        assert len(helm.history()) == existing, "nothing is stored"


def test_a_first_install_is_known_as_one_in_a_namespace_that_is_not_there(
    sandbox: Sandbox, tmp_path: Path, chart: Path, helm: HelmCli
) -> None:
    nowhere = helm_in(sandbox, "4" if helm.version.major > 3 else "3", "not-there-yet", tmp_path)

    rendered = nowhere.render(str(chart), Values())

    assert (rendered.install, rendered.revision, nowhere.history()) == (True, 1, ())
    assert rendered.server_side == (helm.version.major > 3)


def test_a_release_whose_only_revision_failed_is_upgraded(helm: HelmCli, chart: Path, stuck: Path) -> None:
    """And so `.Release.IsInstall` is false, and its custom resource definitions are not installed."""
    ended = helm.upgrade(stuck, Values(), timeout=1, wait=True).wait(60)

    rendered = helm.render(str(chart), Values())

    assert ended is not None
    assert ended.code == 1
    assert [each.status for each in helm.history()] == ["failed"]
    assert (rendered.install, rendered.revision) == (False, 2)


@pytest.mark.parametrize("helm", ["3", "4"], indirect=True)
def test_an_uninstalled_release_whose_history_was_kept_is_installed_again(helm: HelmCli, chart: Path) -> None:
    """The dry run calls it revision 1; Helm stores it as the next one."""
    succeeded(helm.upgrade(chart, Values(), timeout=60, wait=False))
    bare(helm, "uninstall", "shop", "--keep-history")

    rendered = helm.render(str(chart), Values())
    succeeded(helm.upgrade(chart, Values(), timeout=60, wait=False))

    assert (rendered.install, rendered.revision) == (True, 1)
    assert [(each.number, each.status) for each in helm.history()][-1] == (2, "deployed")


@pytest.mark.parametrize("helm", ["3.13"], indirect=True)
def test_an_old_helm_does_not_install_again_and_says_what_to_type(helm: HelmCli, chart: Path) -> None:
    succeeded(helm.upgrade(chart, Values(), timeout=60, wait=False))
    bare(helm, "uninstall", "shop", "--keep-history")

    with pytest.raises(HelmFailed, match="has no deployed releases") as failed:
        helm.render(str(chart), Values())

    bare(helm, *str(failed.value.hint).split()[1:3])
    assert helm.render(str(chart), Values()).install


def test_an_interrupted_install_and_upgrade_are_left_failed_not_pending(
    helm: HelmCli, chart: Path, stuck: Path
) -> None:
    for number in (1, 2):
        process = helm.upgrade(stuck, Values(), timeout=120, wait=True)
        eventually(lambda: is_pending(helm), 30)

        assert process.stop().code == 1
        revision = newest(helm)
        assert revision is not None
        assert (revision.number, revision.status) == (number, "failed")
    succeeded(helm.upgrade(chart, Values(), timeout=60, wait=True))


def test_an_interrupted_rollback_is_left_pending(helm: HelmCli, chart: Path, stuck: Path) -> None:
    """Helm hears no signal in a rollback: it dies of it."""
    succeeded(helm.upgrade(stuck, Values(), timeout=60, wait=False))
    succeeded(helm.upgrade(chart, Values(), timeout=60, wait=False))
    process = helm.rollback(1, timeout=120)
    eventually(lambda: is_pending(helm), 30)

    process.stop()

    assert [each.status for each in helm.history()] == ["superseded", "deployed", "pending-rollback"]


def test_a_pending_release_is_told_from_other_failures(helm: HelmCli, chart: Path, stuck: Path) -> None:
    process = helm.upgrade(stuck, Values(), timeout=120, wait=True)
    eventually(lambda: is_pending(helm), 30)
    process.kill()

    with pytest.raises(HelmFailed) as failed:
        helm.render(str(chart), Values())

    assert failed.value.reason == "pending"
    assert is_pending(helm)


def test_an_object_of_nobody_is_told_from_other_failures(
    helm: HelmCli, chart: Path, kube: Kube, sandbox: Sandbox
) -> None:
    kubectl(sandbox, "create", "configmap", "a", "-n", kube.namespace)

    with pytest.raises(HelmFailed) as failed:
        helm.render(str(chart), Values())

    assert failed.value.reason == "ownership"
    assert f"release-namespace={kube.namespace}" in str(failed.value.hint)


def test_a_template_that_fails_names_its_file_and_line(helm: HelmCli, tmp_path: Path) -> None:
    broken = write_chart(tmp_path / "broken", {"templates/a.yaml": "a: 1\nb: {{ .Values.a.b.c }}\n"})

    with pytest.raises(HelmFailed, match=r"shop/templates/a\.yaml:2") as failed:
        helm.render(str(broken), Values())

    assert failed.value.reason == "render"


def test_missing_dependencies_say_how_to_get_them(helm: HelmCli, tmp_path: Path) -> None:
    text = CHART + "dependencies: [{name: db, version: 1.0.0, repository: 'https://charts.example'}]\n"
    poor = write_chart(tmp_path / "poor", {"Chart.yaml": text})

    with pytest.raises(HelmFailed) as failed:
        helm.render(str(poor), Values())

    assert (failed.value.reason, str(failed.value.hint)) == ("dependencies", f"helm dependency build {poor}")


def test_a_cluster_that_does_not_answer_is_told_so(helm: HelmCli, sandbox: Sandbox, tmp_path: Path) -> None:
    version = {(3, 13): "3.13"}.get(helm.version[:2], str(helm.version.major))
    elsewhere = kubeconfig(tmp_path, "https://127.0.0.1:1")
    lost = helm_in(replace(sandbox, kubeconfig=elsewhere, context=""), version, "x", tmp_path)

    with pytest.raises(HelmFailed) as failed:
        lost.history()

    assert failed.value.reason == "unreachable"


PARENT = """
    import os, sys
    from pathlib import Path
    from shipit.helm import connect
    from shipit.model import Values
    binary, kubeconfig, namespace, folder, lease, chart = sys.argv[1:]
    helm = connect(
        release="shop", namespace=namespace, kubeconfig=kubeconfig, workdir=Path(folder), folder=Path(folder),
        environ=os.environ, binary=binary, lease=float(lease) or None,
    )
    process = helm.upgrade(Path(chart), Values(), timeout=170, wait=True)
    while process.wait(0.2) is None:
        process.keep_alive()
"""


@pytest.fixture
def start_shipit(helm: HelmCli, tmp_path: Path) -> Iterator[Callable[[Path, float], subprocess.Popen[bytes]]]:
    """A shipit in a process of its own, in the middle of an upgrade that never ends."""
    parents: list[subprocess.Popen[bytes]] = []

    def start(chart: Path, lease: float) -> subprocess.Popen[bytes]:
        kubeconfig = helm._command.environ["KUBECONFIG"]
        where = [kubeconfig, helm._target.namespace, str(tmp_path), str(lease), str(chart)]
        parent = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PARENT), helm.binary, *where],
            env={**os.environ, "PYTHONPATH": str(SRC)},
        )
        parents.append(parent)
        eventually(lambda: is_pending(helm), 30)
        return parent

    yield start
    for parent in parents:
        parent.kill()
        parent.wait()


def running(helm: HelmCli) -> bool:
    """Is there a helm that works in this test's namespace?"""
    listed = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    return any(
        line.startswith(helm.binary) and f"--namespace={helm._target.namespace} " in line
        for line in listed.splitlines()
    )


def test_helm_is_gone_and_the_release_failed_soon_after_shipit_was_killed(
    helm: HelmCli, stuck: Path, start_shipit: Callable[[Path, float], subprocess.Popen[bytes]]
) -> None:
    parent = start_shipit(stuck, 0)
    assert running(helm)

    parent.kill()

    eventually(lambda: not running(helm), 15)
    revision = newest(helm)
    assert revision is not None
    assert revision.status == "failed"


def test_helm_is_gone_soon_after_shipit_fell_silent(
    helm: HelmCli, stuck: Path, start_shipit: Callable[[Path, float], subprocess.Popen[bytes]]
) -> None:
    parent = start_shipit(stuck, 2)
    time.sleep(3)  # longer than the lease: it lives by being kept alive
    assert running(helm)

    parent.send_signal(signal.SIGSTOP)

    eventually(lambda: not running(helm), 15)
    revision = newest(helm)
    assert revision is not None
    assert revision.status == "failed"
