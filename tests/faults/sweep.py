"""The sweep: a deploy is broken at its n-th request, for every n, and run again; after each, everything must hold."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.faults.attempt import Attempt
from tests.faults.bench import Bench
from tests.faults.courses import UPGRADE, Course
from tests.faults.judge import Findings, judge
from tests.faults.rules import Call, Lose, Record, Rule
from tests.faults.scene import Scene, a_scene
from tests.faults.transcript import write_transcript

AGAIN_WITHIN = 90.0
"""Seconds for the second run: a dead holder's lock is free after 15, and the deploy itself takes its time."""
WORKERS = 4


@dataclass(frozen=True, slots=True)
class Way:
    """A way to break a request: `make` gives the rule's fault for an attempt that can be killed."""

    name: str
    title: str
    keeps: str
    make: Callable[[Callable[[], None]], Call | Lose]


def _killed_before(kill: Callable[[], None]) -> Call:
    return Call(before=lambda _: kill(), cut=True)


def _killed_after(kill: Callable[[], None]) -> Call:
    return Call(after=lambda _: kill(), cut=True)


WAYS = (
    Way("kill-before", "kill -9 at every request, before it is forwarded", "ABCDEFGHI", _killed_before),
    Way("kill-after", "kill -9 at every request, after it was carried out", "ABCDEFGHI", _killed_after),
    Way("lost", "the answer to every request lost", "ABCDEFGHI", lambda _: Lose()),
)


@dataclass(frozen=True, slots=True)
class Point:
    """A request to break: its number, or what it is; `name` says which in words."""

    name: str
    rule: Callable[[Call | Lose], Rule]


def numbered(number: int) -> Point:
    return Point(f"request {number}", lambda fault: Rule(fault, number=number))


def trial(scene: Scene, way: Way, point: Point, course: Course) -> Findings:
    """Break one request on the way to the tag that does not run yet, run it again, and judge."""
    scene.forget()
    findings = Findings()
    rule = break_and_repeat(scene, way, point, findings, course)
    course.check(scene, findings)
    judge(scene, findings)
    hit = f"{rule.hits[0]}" if rule.hits else "never came to pass"
    findings.violations = [f"{way.name} {point.name} ({hit}): {each}" for each in findings.violations]
    if findings.violations:
        scene.tag = ""
        findings.violations.append(
            f"see {write_transcript(scene, findings.violations, scene.bench.transcripts)}"
        )
    return findings


def break_and_repeat(
    scene: Scene, way: Way, point: Point, findings: Findings, course: Course = UPGRADE
) -> Rule:
    """Bring out the tag that does not run yet, with one request broken, and again unless that went well."""
    live, tag = scene.look().deployed, "v2" if scene.tag == "v1" else "v1"
    attempts: list[Attempt] = []
    started = threading.Event()

    def kill() -> None:
        started.wait(10)
        attempts[0].kill()

    rule = point.rule(way.make(kill))
    attempts.append(course.begin(scene, tag, rules=[rule]))
    started.set()
    first = attempts[0]
    scene.end(first)
    if first.result is None or first.result.exit_code != 0:
        again = course.begin(scene, tag, bound=AGAIN_WITHIN)
        result = scene.end(again)
        findings.holds("B", result.exit_code == 0, f"{again}, run again: {result.told}")
    findings.add("B", _repeated(scene, first, course))
    scene.tag, scene.back_to = tag, live
    return rule


def _repeated(scene: Scene, first: Attempt, course: Course) -> list[str]:
    """Each Job runs once for both runs, unless the first one saw its upgrade end: then it counts for no other. What
    starts over does so with hooks of its own as soon as there is a revision.
    """
    after, ran = first.after, Counter(life.pod.rpartition("-")[0] for life in scene.lives())
    assert after is not None
    made = after.newest > first.before.newest and not after.pending
    if course.starts_over and after.newest > first.before.newest:
        well = ran.keys() == set(scene.jobs) and max(ran.values()) <= 2
    else:
        allowed = (1, 2) if made and not after.owes else (1,)
        well = any(ran == Counter(dict.fromkeys(scene.jobs, times)) for times in allowed)
    if well:
        return []
    return [f"the migrations ran {dict(ran)} times"]


def requests_of(bench: Bench, helm: str, course: Course) -> list[Record]:
    """What it asks for when it is undisturbed."""
    with a_scene(bench, helm) as scene:
        course.ready(scene)
        attempt = course.begin(scene, "v1" if scene.tag == "v2" else "v2")
        result = scene.end(attempt)
        assert result.exit_code == 0, result.told
        return list(attempt.records)


def sweep(
    bench: Bench,
    way: Way,
    points: Sequence[Point],
    *,
    helm: str = "4",
    course: Course = UPGRADE,
    workers: int = WORKERS,
) -> Iterator[Findings]:
    """Play every point, several releases side by side; yields the findings as they come.

    A first install needs a release of its own for each point; others follow one another on the same.
    """
    todo: queue.Queue[Point] = queue.Queue()
    for point in points:
        todo.put(point)
    done: queue.Queue[Findings | BaseException] = queue.Queue()

    def work() -> None:
        try:
            while not todo.empty():
                with a_scene(bench, helm) as scene:
                    course.ready(scene)
                    _play(scene, way, todo, done, course)
        except BaseException as error:  # noqa: BLE001 - raised again where the findings are read
            done.put(error)

    for number in range(min(workers, len(points))):
        threading.Thread(target=work, name=f"sweep-{number}", daemon=True).start()
    for _ in points:
        found = done.get()
        if isinstance(found, BaseException):
            raise found
        yield found


def _play(
    scene: Scene,
    way: Way,
    todo: queue.Queue[Point],
    done: queue.Queue[Findings | BaseException],
    course: Course,
) -> None:
    """Play points on one release: only one for a first install, or as long as nothing went wrong with it."""
    while scene.tag or course.first:
        try:
            point = todo.get_nowait()
        except queue.Empty:
            return
        done.put(trial(scene, way, point, course))
        if course.first:
            return
