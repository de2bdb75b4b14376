"""Everything about a scene that went wrong, in one file to read."""

from __future__ import annotations

from pathlib import Path

from tests.faults.attempt import Attempt
from tests.faults.scene import Scene


def write_transcript(scene: Scene, violations: list[str], folder: Path) -> Path:
    """Write what every attempt asked for and said, and what the migrations noted."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{scene.kube.namespace}-{len(list(folder.iterdir()))}.txt"
    lives = [f"{life}" for life in scene.lives()]
    parts = [*violations, "", *lives, *(_told(attempt) for attempt in scene.attempts)]
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


def _told(attempt: Attempt) -> str:
    asked = [
        f"{each.began - attempt.began:7.2f} +{max(0.0, each.ended - each.began):.2f} "
        f"{each.upstream or '---'} {each.status or '---'} {each.fault:7} {each}"
        for each in attempt.records
    ]
    told = attempt.result.told if attempt.result else ""
    return "\n".join(
        ["", f"== {attempt}", f"before {attempt.before}", f"after {attempt.after}", *asked, "", told]
    )
