"""Rows of the table: many deploys at once, of one release and of many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.faults.case import case
from tests.faults.judge import Findings, judge
from tests.faults.scene import Scene

CROWD = 20
RELEASES = 50
AT_A_TIME = 12
"""Deploys of the many releases that run at the same moment: each takes a tenth of a gigabyte and a share of the CPU."""
PATIENCE = 400.0


@case("20-deploys", "20 deploys at once", "ABCFG")
def twenty_deploys_of_one_release(scene: Scene, findings: Findings) -> None:
    """Half of them wait for the lock, the other half ends busy at once; whoever acts, acts alone."""
    attempts = []
    for number in range(CROWD):
        wait = ("--lock-wait", "5m") if number % 2 else ()
        attempts.append(scene.start(f"v{number % 5 + 1}", *wait, bound=PATIENCE, alone=False))
    for attempt in attempts:
        scene.end(attempt)
    codes = [attempt.result.exit_code for attempt in attempts if attempt.result]
    findings.holds("F", set(codes) <= {0, 7}, f"they ended with {codes}")
    findings.holds(
        "G", codes.count(0) >= CROWD // 2, f"only {codes.count(0)} of those that waited deployed: {codes}"
    )
    findings.holds("F", scene.look().status == "deployed", f"the release is {scene.look().status}")


@case("50-releases", "50 releases in one namespace at once", "ABCFG", installed=False)
def fifty_releases_in_one_namespace(scene: Scene, findings: Findings) -> None:
    releases = [scene.sibling(f"r{number}") for number in range(RELEASES)]
    try:
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(_deploy, releases))
        for release in releases:
            (attempt,) = release.attempts
            code = attempt.result.exit_code if attempt.result else None
            findings.holds("F", code == 0, f"{attempt} of {release.project.release} ended with {code}")
            judge(release, findings)
    finally:
        for release in releases:
            release.close()


def _deploy(release: Scene) -> None:
    release.end(release.start("v1", bound=PATIENCE))
