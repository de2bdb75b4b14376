"""Rows of the table: a hook has the name of one of the app's objects, and the deploy is broken around it."""

from __future__ import annotations

from tests.e2e.kit import Json
from tests.faults.case import CREATE_JOB, case, ended_with
from tests.faults.judge import Findings
from tests.faults.ledger import script
from tests.faults.rules import Call, Lose, Rule
from tests.faults.scene import Scene

FAULT = "a hook with the name of the app's ConfigMap: killed, answers lost, migration fails"
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, annotations: {NOTES}}
data: {TAG: "{{ .Values.image.tag }}", COLOUR: red}
"""
LASTING_HOOK = 'helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-5"'
HOOK = LASTING_HOOK + ', helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"'
CONFIG_MAPS = r"/configmaps"


def _installed(scene: Scene, *, lasting: bool = True) -> Json:
    """Bring out v1 with the ConfigMap, give the chart the hook, and return the app's ConfigMap as it is."""
    _template(scene, "settings", "")
    scene.install()
    found = _own(scene)
    assert found is not None
    _template(scene, "early", HOOK if lasting else LASTING_HOOK)
    if not lasting:
        scene.project.without_template("settings")
    return found


def _template(scene: Scene, name: str, notes: str) -> None:
    scene.project.template(name, SETTINGS.replace("NOTES", notes))


def _own(scene: Scene) -> Json | None:
    return scene.kube.get("configmap", "settings")


def _untouched(scene: Scene, was: Json, findings: Findings) -> None:
    findings.holds("F", _own(scene) == was, f"the app's ConfigMap is not what it was: {_own(scene)}")


@case("own-object-kept", FAULT, "ABCDEF", installed=False, short=True)
def migration_that_fails_while_answers_are_lost(scene: Scene, findings: Findings) -> None:
    was = _installed(scene)
    scene.migrate(
        script(exit_code=3), env="- {name: TAG, valueFrom: {configMapKeyRef: {name: settings, key: TAG}}}"
    )
    scene.lines = 0
    rules = [Rule(Lose(), method, CONFIG_MAPS, who="shipit") for method in ("POST", "DELETE")]
    ended_with(scene.deploy("v2", rules=rules), findings, [4], "the app is untouched (revision 1)")
    _untouched(scene, was, findings)


@case("own-object-killed", FAULT, "ABCDEFG", installed=False)
def killed_once_the_copy_and_the_job_are_made(scene: Scene, findings: Findings) -> None:
    was = _installed(scene)
    first = scene.start("v2")
    made = Rule(Call(after=lambda _: first.kill(), cut=True), *CREATE_JOB)
    first.proxy.rules.add(made)
    scene.end(first)
    _untouched(scene, was, findings)
    again = scene.deploy("v2")
    ended_with(again, findings, [0])
    now = _own(scene)
    same = now is not None and now["metadata"]["uid"] == was["metadata"]["uid"]
    findings.holds("F", same, "the app's ConfigMap was replaced")
    copies = [each["metadata"]["name"] for each in scene.kube.all("configmaps")]
    findings.holds("F", "settings-shipit" not in copies, f"a copy is left: {copies}")


@case("own-object-taken-over", FAULT, "ABCDEFG", installed=False)
def killed_as_helm_takes_it_out_of_the_live_revision(scene: Scene, findings: Findings) -> None:
    """From this version on the chart makes it by the hook alone: it stays, and is handed over."""
    _installed(scene, lasting=False)
    first = scene.start("v2")
    marked = Rule(
        Call(after=lambda _: first.kill(), cut=True),
        "PUT",
        CONFIG_MAPS + "/settings",
        where=lambda each: not each.dry,
    )
    first.proxy.rules.add(marked)
    scene.end(first)
    findings.holds("F", marked.hits, "the app's ConfigMap was never marked for Helm to keep")
    ended_with(scene.deploy("v2"), findings, [0])
    findings.holds("F", _own(scene) is not None, "the ConfigMap is gone")
