"""Where faults are played: a release of its own, its ledger, and deploys that each go through a proxy of their own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.e2e.kit import Kube, Project, Result, fresh_namespace, small_project
from tests.e2e.stage import Audit
from tests.faults.attempt import MARK, Attempt, helm_gone
from tests.faults.bench import Bench
from tests.faults.ledger import LINES, Ledger, Life, migration, script
from tests.faults.proxy import Proxy
from tests.faults.rules import Rule
from tests.faults.truth import State, look

ENDS_WITHIN = 90.0
"""Seconds within which a deploy of the small chart ends when nothing else is said."""
PATIENCE = 180.0
"""Seconds that anything which has to happen first may take, on a slow machine too."""
OVERRUN = 60.0
"""Seconds past its bound after which a deploy is killed: it is too late by then in any case."""
HELM_ENDS_WITHIN = 25.0
"""Seconds within which a helm is gone whose shipit died: interrupted, terminated after 10, killed after 5 more."""


class Scene:
    """A release and everything that happens to it."""

    def __init__(self, bench: Bench, kube: Kube, project: Project, ledger: Ledger, replicas: int) -> None:
        self.bench = bench
        self.kube = kube
        self.project = project
        self.ledger = ledger
        self.audit = Audit(bench.sandbox)
        self.attempts: list[Attempt] = []
        self.lines = LINES
        self.jobs: tuple[str, ...] = ("migrate",)
        self.tag = ""  # what runs, as far as whoever plays here knows
        self.back_to = 0  # the revision that `shipit rollback` is to bring back, 0 where nobody goes back
        self._replicas = replicas
        self._since = 0.0
        self._guard = threading.Lock()
        self._proxies: list[Proxy] = []

    def migrate(self, body: str, *, lines: int = LINES, **parts: Any) -> None:
        """Give the chart this migration, which says so many numbered lines; `parts` as for `ledger.migration`."""
        self.lines = lines
        self.project.template("migrate", migration(self.ledger, body, **parts))

    def configure(self, migration: str = "", release: str = "", rest: str = "") -> None:
        self.project.configure(migration, f"set = {{ replicas = {self._replicas} }}\n{release}", rest)

    def sibling(self, release: str) -> Scene:
        """Another release in the same namespace, with a migration and a ledger of its own."""
        folder = self.project.folder / "siblings" / release
        ledger = Ledger(self.ledger.folder / release)
        project = small_project(folder, self.kube, self.project.helm)
        project.release = release
        found = Scene(self.bench, self.kube, project, ledger, self._replicas)
        found.jobs = (f"{release}-migrate",)
        project.template("migrate", migration(ledger, script(), name=found.jobs[0]))
        found.configure()
        return found

    def proxy(self) -> Proxy:
        folder = self.project.folder / "proxies" / uuid.uuid4().hex[:8]
        folder.mkdir(parents=True)
        made = Proxy(self.bench.loop, self.bench.upstream, self.bench.certificates, folder)
        with self._guard:
            self._proxies.append(made)
        return made

    def start(
        self,
        tag: str,
        *args: str,
        rules: Sequence[Rule] = (),
        proxy: Proxy | None = None,
        bound: float = ENDS_WITHIN,
        env: Mapping[str, str] | None = None,
        alone: bool = True,
        output: str = "json",
        stdout: int | None = None,
        command: Sequence[str] = (),
    ) -> Attempt:
        """Start `shipit deploy --tag …` through a proxy with these rules; `bound` is when it has to have ended.

        Or another `command` after which the app of that tag runs.

        One that is not `alone` runs beside others: what it leaves of the release is not only its own doing. It
        writes to `stdout` where that is given, else to a file.
        """
        through = proxy or self.proxy()
        for rule in rules:
            through.rules.add(rule)
        mark = uuid.uuid4().hex
        before = self.look()
        with self._guard:
            self.project.kubeconfig = through.kubeconfig
            began = time.time()
            environ = {MARK: mark, **(env or {})}
            doing = command or ("deploy", "--tag", tag)
            running = self.project.start(*doing, *args, output=output, env=environ, stdout=stdout)
            heard = output == "json" and stdout is None
            attempt = Attempt(through, mark, tag, before, began, bound, running, alone=alone, heard=heard)
            attempt.migrates = not command
            self.attempts.append(attempt)
        return attempt

    def end(self, attempt: Attempt) -> Result:
        """Wait for its end, then for its helm's, and look at what it left."""
        try:
            attempt.running.process.wait(max(1.0, attempt.began + attempt.bound + OVERRUN - time.time()))
        except subprocess.TimeoutExpired:
            attempt.overran = True
            attempt.running.kill()
        attempt.result = attempt.running.end(1)
        attempt.ended = time.time()
        attempt.helm_gone = helm_gone(attempt.mark, HELM_ENDS_WITHIN)
        attempt.after = self.look()
        attempt.faults = [f"{each.fault} {each}" for each in attempt.records if each.fault]
        return attempt.result

    def deploy(self, tag: str, *args: str, rules: Sequence[Rule] = (), bound: float = ENDS_WITHIN) -> Attempt:
        attempt = self.start(tag, *args, rules=rules, bound=bound)
        self.end(attempt)
        return attempt

    def install(self, tag: str = "v1") -> None:
        """Bring a tag out undisturbed, and forget how: what is played comes on top of it."""
        attempt = self.deploy(tag)
        assert attempt.result is not None
        assert attempt.result.exit_code == 0, attempt.result.told
        self.tag = tag
        self.forget()

    def look(self) -> State:
        return look(self.kube, self.project.release)

    def lives(self) -> list[Life]:
        """The migrations of this trial."""
        return [life for life in self.ledger.lives() if life.start >= self._since]

    def begun(self) -> None:
        """Wait until a migration of this trial has begun."""
        self.kube.wait(self.lives, within=PATIENCE)

    def forget(self) -> None:
        """Begin a new trial on the same release: what came before was judged."""
        for attempt in self.attempts:
            attempt.proxy.close()
        self.attempts.clear()
        self._proxies.clear()
        self._since = time.time()
        self.audit = Audit(self.bench.sandbox)

    def close(self) -> None:
        for attempt in self.attempts:
            if attempt.running.process.poll() is None:
                attempt.kill(signal.SIGCONT)
                attempt.kill()
                attempt.running.process.wait(10)
        for proxy in self._proxies:
            proxy.close()


@contextlib.contextmanager
def a_scene(bench: Bench, helm: str = "4", *, replicas: int = 0) -> Iterator[Scene]:
    """A fresh namespace with a small project whose migration keeps a ledger; removed afterwards."""
    kube = fresh_namespace(bench.sandbox, "f")
    folder = bench.folder / kube.namespace
    ledger = Ledger(bench.ledgers / kube.namespace)
    project = small_project(folder, kube, bench.sandbox.helms[helm])
    scene = Scene(bench, kube, project, ledger, replicas)
    scene.migrate(script())
    scene.configure()
    try:
        yield scene
    finally:
        scene.close()
        kube.kubectl("delete", "namespace", kube.namespace, "--wait=false", check=False)
        ledger.remove()
