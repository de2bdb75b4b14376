"""Rows of the table: this machine's own trouble, a closed stdout and full disks."""

from __future__ import annotations

import os
import subprocess

from tests.faults.case import case, ended_with
from tests.faults.judge import Findings
from tests.faults.scene import Scene

FAULT = "stdout closed; disk full"


def _deployed_unheard(scene: Scene, findings: Findings, stdout: int, output: str) -> None:
    """A deploy that nobody hears: what counts is that it ends, and what it did."""
    attempt = scene.start("v2", output=output, stdout=stdout)
    os.close(stdout)
    scene.end(attempt)
    assert attempt.result is not None
    assert attempt.after is not None
    said = attempt.result.stderr
    findings.holds("I", not attempt.after.pending, f"the release is {attempt.after.status}: {said}")
    findings.holds("E", "Traceback" not in said, f"a traceback: {said}")
    deployed = (attempt.after.status, attempt.after.tag) == ("deployed", "v2")
    findings.holds(
        "E",
        deployed == (attempt.result.exit_code == 0),
        f"exit code {attempt.result.exit_code}, and the app runs {attempt.after.tag}: {said}",
    )
    ended_with(scene.deploy("v2"), findings, [0])


@case("stdout-closed", FAULT, "EI", short=True)
def reader_of_its_output_that_goes_away(scene: Scene, findings: Findings) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    _deployed_unheard(scene, findings, writing, "plain")


@case("stdout-closed-json", FAULT, "EI")
def reader_of_its_events_that_goes_away(scene: Scene, findings: Findings) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    _deployed_unheard(scene, findings, writing, "json")


@case("stdout-full", FAULT, "EI")
def output_onto_a_full_disk(scene: Scene, findings: Findings) -> None:
    _deployed_unheard(scene, findings, os.open("/dev/full", os.O_WRONLY), "plain")


@case("tmp-full", FAULT, "EI")
def no_room_for_all_temporary_files(scene: Scene, findings: Findings) -> None:
    folder = scene.project.folder / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", str(folder)], check=True)
    try:
        attempt = scene.start("v2", env={"TMPDIR": str(folder)})
        scene.end(attempt)
        ended_with(attempt, findings, [2, 3], "space")
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    ended_with(scene.deploy("v2"), findings, [0])
