"""What a release goes through in its layout with a helm, one deploy after the other, each of them measured."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox import Sandbox
from tests.e2e.kit import Json, Kube, Project, fresh_namespace, small_project
from tests.matrix.layouts import BAD_TAG, Bare, Layout

HELMS = ("3.13", "3", "4")
INSTALL = "first install"
TAKEN_OVER = "upgrade from bare Helm"
UPGRADE = "upgrade"
FAILED = "failed upgrade, rolled back"
NEXT = "the deploy after it"
BARE_SAME = "bare Helm afterwards, same tag"
BARE_NEW = "bare Helm afterwards, new tag"
AGAIN = "shipit after bare Helm"
SITUATIONS = (INSTALL, TAKEN_OVER, UPGRADE, FAILED, NEXT, BARE_SAME, BARE_NEW, AGAIN)


@dataclass(frozen=True, slots=True)
class Measured:
    """One cell: new pods that migrated, the exit code, the app's tag, helm's last status. `said`: the error, if any."""

    pods: int
    code: int
    tag: str
    status: str
    said: str = ""

    def differs(self, due: Measured) -> bool:
        return (self.pods, self.code, self.tag, self.status) != (due.pods, due.code, due.tag, due.status)


@dataclass(frozen=True, slots=True)
class Cell:
    """`due` is what must have come out."""

    layout: str
    helm: str
    situation: str
    measured: Measured
    due: Measured

    @property
    def violated(self) -> bool:
        return self.measured.differs(self.due)


Story = Callable[[Sandbox, Layout, str], Iterator[Cell]]


OURS = ("migrate", "shop-migrate")
"""How the name of each Job and Pod begins that migrates."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is: the UIDs of all pods in which a migration ever ran, whether none is at it now, the app's tag."""

    pods: frozenset[str]
    quiet: bool
    tag: str


def look(kube: Kube) -> Seen:
    """All of it in one go; the events tell of pods that are gone."""
    found: dict[str, list[Json]] = {"Event": [], "Pod": [], "Job": [], "Deployment": []}
    for each in kube.all("events,pods,jobs,deployments"):
        found[each["kind"]].append(each)
    about = [each["involvedObject"] for each in found["Event"]]
    ran = {str(each["uid"]) for each in about if each["kind"] == "Pod" and _migrates(each)}
    pods = [each for each in found["Pod"] if each["metadata"]["name"].startswith(OURS)]
    quiet = all(map(_over, found["Job"])) and not any(
        each["status"].get("phase") in ("Pending", "Running") for each in pods
    )
    images = [each["spec"]["template"]["spec"]["containers"][0]["image"] for each in found["Deployment"]]
    tag = images[0].rpartition(":")[2] if images else "none"
    return Seen(frozenset(ran | {each["metadata"]["uid"] for each in pods}), quiet, tag)


def _migrates(pod: Json) -> bool:
    """Whether an event is about a migration's pod, or a container that migrates in one of the app's."""
    name, container = str(pod["name"]), str(pod.get("fieldPath", ""))
    return name.startswith(OURS) or container.endswith("{migrate}")


def _over(job: Json) -> bool:
    return bool({"succeeded", "failed"} & job.get("status", {}).keys() or job["spec"].get("suspend"))


@dataclass(slots=True)
class Release:
    """A release in its layout, and how each deploy changes it; `pods` are those that have migrated so far."""

    layout: Layout
    helm: str
    project: Project
    pods: frozenset[str] = frozenset()

    def measure(self, situation: str, what: Callable[[], tuple[int, str]], due: Measured) -> Cell:
        code, said = what()
        kube = self.project.kube
        kube.wait(lambda: look(kube).quiet)
        seen = look(kube)
        new, self.pods = len(seen.pods - self.pods), seen.pods
        history = self.project.history()
        status = history[-1]["status"] if history else "none"
        found = Measured(new, code, seen.tag, status, said)
        return Cell(self.layout.title, self.helm, situation, found, due)

    def deploy(self, situation: str, tag: str, due: Measured | None = None) -> Cell:
        def shipit() -> tuple[int, str]:
            done = self.project.deploy(tag)
            return done.exit_code, done.error["message"] if done.of("error") else ""

        return self.measure(situation, shipit, due or Measured(1, 0, tag, "deployed"))

    def bare(self, situation: str, tag: str, due: Bare) -> Cell:
        sets = [f"--set={key}={tag}" for key in self.layout.tag_keys]

        def helm() -> tuple[int, str]:
            ran = self.project.run_helm(
                "upgrade", "shop", "chart", "--install", "--wait", "--timeout=90s", *sets, check=False
            )
            return ran.returncode, ran.stderr.strip()

        status = "deployed" if due.well else "failed"
        return self.measure(situation, helm, Measured(due.pods, int(not due.well), tag, status))


@contextmanager
def a_release(sandbox: Sandbox, layout: Layout, helm: str) -> Iterator[Release]:
    kube = fresh_namespace(sandbox, "matrix")
    try:
        with tempfile.TemporaryDirectory(prefix="shipit-matrix-") as folder:
            project = small_project(Path(folder), kube, sandbox.helms[helm])
            layout.lay_out(project)
            yield Release(layout, helm, project)
    finally:
        kube.kubectl("delete", "namespace", kube.namespace, "--wait=false", check=False)


def begun_with_shipit(sandbox: Sandbox, layout: Layout, helm: str) -> Generator[Cell]:
    """Installed and upgraded by shipit, then an upgrade that fails, one that doesn't, bare Helm, and shipit again."""
    with a_release(sandbox, layout, helm) as release:
        yield release.deploy(INSTALL, "v1")
        yield release.deploy(UPGRADE, "v2")
        yield release.deploy(FAILED, BAD_TAG, Measured(1, 6, "v2", "deployed"))
        yield release.deploy(NEXT, "v4")
        yield release.bare(BARE_SAME, "v4", layout.same)
        yield release.bare(BARE_NEW, "v5", layout.new)
        yield release.deploy(AGAIN, "v5")


def begun_with_bare_helm(sandbox: Sandbox, layout: Layout, helm: str) -> Generator[Cell]:
    """Installed by bare Helm, and taken over by shipit."""
    with a_release(sandbox, layout, helm) as release:
        installed = release.bare("", "v1", Bare())
        assert installed.measured.code == 0, installed.measured.said
        yield release.deploy(TAKEN_OVER, "v2")


STORIES: tuple[Story, ...] = (begun_with_shipit, begun_with_bare_helm)


def told(cell: Cell, since: float) -> str:
    """A line for a terminal."""
    now = cell.measured
    wrong = f"\n    {now.said[:600]}\n    due: {cell.due}" if cell.violated else ""
    return (
        f"{time.monotonic() - since:6.0f} s  Helm {cell.helm:4}  {cell.layout}: {cell.situation}: "
        f"{now.pods} pods, exit {now.code}, {now.tag}, {now.status}{wrong}\n"
    )
