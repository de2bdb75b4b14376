"""What is swept request by request: how a release gets ready for it, what is broken there, and what has to be true then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.attempt import Attempt
from tests.faults.judge import Findings
from tests.faults.ledger import migration, script
from tests.faults.needs import SETTINGS, nothing_left
from tests.faults.scene import Scene
from tests.faults.three import three_migrations

Prepare = Callable[[Scene], None]
Begin = Callable[..., Attempt]

NEEDS = """\
- {name: TAG, valueFrom: {configMapKeyRef: {name: settings, key: TAG}}}
- {name: NEW, valueFrom: {configMapKeyRef: {name: "new-{{ .Values.image.tag }}", key: TAG}}}
"""
HOOKS = ("before-back", "after-back")


def _as_it_is(_: Scene) -> None: ...


def _nothing_more(_: Scene, __: Findings) -> None: ...


def deploying(scene: Scene, tag: str, **how: object) -> Attempt:
    """Start `shipit deploy` of a tag; `how` as for `Scene.start`."""
    return scene.start(tag, **how)  # type: ignore[arg-type]


def going_back(scene: Scene, tag: str, **how: object) -> Attempt:
    """Start `shipit rollback` to the revision of that tag."""
    return scene.start(tag, command=("rollback", str(scene.back_to), "--yes"), **how)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Course:
    """`ready` brings a fresh release to where a point begins, `begin` starts what is broken there and run again, and
    `check` is what has to be true afterwards beside the invariants. `first` installs need a release for each point.
    What `starts_over` when it is run again makes a revision on top of the one that it had begun.
    """

    ready: Prepare
    begin: Begin = deploying
    check: Callable[[Scene, Findings], None] = _nothing_more
    first: bool = False
    starts_over: bool = False


def _several(scene: Scene) -> None:
    scene.install()
    three_migrations(scene)


def _prerequisites(scene: Scene) -> None:
    """v1 runs with settings that v2 changes, which is copied, and each tag has a ConfigMap of its own, which is made."""
    three_migrations(scene, env=NEEDS, rest='prerequisites = "auto"')
    scene.project.template("settings", SETTINGS.replace("NAME", "settings"))
    scene.project.template("new", SETTINGS.replace("NAME", '"new-{{ .Values.image.tag }}"'))
    scene.install()


def _no_prerequisite_left(scene: Scene, findings: Findings) -> None:
    nothing_left(scene, findings, f"new-{scene.tag}")


def _two_revisions(scene: Scene) -> None:
    """v2 runs, v1 ran before it, and a hook runs before and after each way back."""
    for name, event in zip(HOOKS, ("pre-rollback", "post-rollback"), strict=True):
        body = migration(scene.ledger, script(), name=name)
        hook = f"  annotations: {{helm.sh/hook: {event}, helm.sh/hook-delete-policy: before-hook-creation}}\n"
        scene.project.template(name, body.replace("metadata:\n", f"metadata:\n{hook}", 1))
    scene.install("v1")
    scene.back_to = scene.look().deployed
    scene.install("v2")
    scene.jobs = HOOKS


UPGRADE = Course(Scene.install)
INSTALL = Course(_as_it_is, first=True)
SEVERAL = Course(_several)
PREREQUISITES = Course(_prerequisites, check=_no_prerequisite_left)
ROLLBACK = Course(_two_revisions, going_back, starts_over=True)
