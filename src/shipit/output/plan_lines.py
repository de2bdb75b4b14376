"""A plan as people read it: what is done in which order, what that changes, what somebody changed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from shipit.events import Compared, ObjectChange, Planned, PlannedStep
from shipit.output.phrases import brief, with_reason
from shipit.output.sanitize import one_line, pieces

PlanStyle = Literal["plain", "heading", "detail", "added", "removed", "warning"]

_WHEN = {
    "before": "before the upgrade",
    "upgrade": "",
    "during": "once it is applied",
    "after": "once its pods are ready",
}
_SIGNS: dict[str, str] = {"create": "+", "change": "~", "delete": "-", "keep": "="}
_ENDINGS = {"create": "", "change": "", "delete": "is deleted", "keep": "leaves the release and is kept"}
_STYLES: dict[str, PlanStyle] = {"create": "added", "change": "heading", "delete": "removed", "keep": "plain"}
_LINES: dict[str, PlanStyle] = {"+": "added", "-": "removed", "@": "detail"}


class PlanLine(NamedTuple):
    style: PlanStyle
    text: str


def plan_lines(plan: Planned) -> Iterator[PlanLine]:
    """All of it, without control codes; a sign in front tells what a colour tells."""
    yield PlanLine("heading", title(plan))
    yield from _section("Steps", _steps(plan))
    for step in plan.steps:
        if step.action in ("run", "create", "replace") and step.manifest:
            yield from _section(f"{step.object}, as it would {_made(step)}", _indented(step.manifest))
    yield from _section(changes_title(plan), (line for each in plan.changes for line in change_lines(each)))
    yield from _section(
        "Deleted to make room", (PlanLine("removed", f"  - {one_line(each)}") for each in plan.deleted)
    )
    yield from _section(
        f"Changed since revision {plan.base_revision}, not by Helm",
        (PlanLine("warning", f"  ! {each}") for each in hand_lines(plan)),
    )
    yield from _section(
        "Rendered anew each time, and not compared",
        (PlanLine("detail", f"  {one_line(each)}") for each in plan.volatile),
    )


def title(plan: Planned) -> str:
    """`shop v2: revision 4, after revision 3`"""
    after = f"after revision {plan.base_revision}" if plan.base_revision else "the first install"
    return one_line(f"{plan.release} {plan.tag}: revision {plan.revision}, {after}")


def changes_title(plan: Planned | Compared) -> str:
    """`Manifest: 1 created, 2 changed, 5 unchanged`"""
    counts = {
        what: sum(each.action == action for each in plan.changes)
        for action, what in (
            ("create", "created"),
            ("change", "changed"),
            ("delete", "deleted"),
            ("keep", "kept"),
        )
    }
    counts["unchanged"] = plan.unchanged
    return "Manifest: " + (
        ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no objects"
    )


def change_lines(change: ObjectChange) -> Iterator[PlanLine]:
    """One object, and what changes of it."""
    about = ", ".join(part for part in (_ENDINGS[change.action], change.note) if part)
    where = f" ({change.template})" if change.template else ""
    head = with_reason(f"{_SIGNS[change.action]} {change.object}{where}", about)
    yield PlanLine(_STYLES[change.action], f"  {head}")
    for line in change.lines:
        sign, text = line[:1], line[1:]
        shown = f"@ {text}" if sign == "@" else f"{sign} {text}"
        for piece in pieces(shown):
            yield PlanLine(_LINES.get(sign, "plain"), f"    {piece}")


def hand_lines(plan: Planned) -> list[str]:
    """`Deployment shop, spec.replicas: somebody scaled it to 5, revision 3 says 2`"""
    return [
        with_reason(f"{each.object}, {each.field}" if each.field else each.object, each.message)
        for each in plan.by_hand
    ]


def step_words(step: PlannedStep) -> str:
    """`migrate: run Job shop-migrate before the upgrade, at most 15m`"""
    helms = {"upgrade": "helm upgrade", "handover": "helm upgrade"}
    what = " ".join(
        part
        for part in (helms.get(step.action, f"{step.action} {step.object}".strip()), _WHEN[step.when])
        if part
    )
    if step.action == "skip":
        what = "left out"
    most = f", at most {brief(step.timeout)}" if step.timeout is not None else ""
    starts = f", started within {brief(step.start_timeout)}" if step.start_timeout is not None else ""
    return with_reason(f"{step.name}: {what}{most}{starts}", step.reason)


def _steps(plan: Planned) -> Iterator[PlanLine]:
    done = [step for step in plan.steps if step.action != "skip"]
    for number, step in enumerate(done, 1):
        yield PlanLine("plain", f"  {number}. {step_words(step)}")
    for step in plan.steps:
        if step.action == "skip":
            yield PlanLine("detail", f"  -- {step_words(step)}")


def _made(step: PlannedStep) -> str:
    return "run" if step.action == "run" else "be made"


def _indented(text: str) -> Iterator[PlanLine]:
    for line in text.splitlines():
        for piece in pieces(line):
            yield PlanLine("plain", f"    {piece}")


def _section(heading: str, lines: Iterator[PlanLine]) -> Iterator[PlanLine]:
    """Nothing for a section without a line, but for the manifest's, whose heading tells enough."""
    found = list(lines)
    if found or heading.startswith("Manifest"):
        yield PlanLine("plain", "")
        yield PlanLine("heading", heading)
        yield from found
