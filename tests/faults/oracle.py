"""The oracle: whether the invariants A to I held, from the ledger, the audit log, the requests and the cluster's state.

Each check returns what was violated, in words; nothing when it held.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime

from tests.e2e.kit import Json, Result
from tests.faults.ledger import Life
from tests.faults.rules import Record
from tests.faults.truth import State

EXIT_CODES = {
    "deployed": (0,),
    "usage": (2,),
    "refused": (3,),
    "migration_failed": (4,),
    "migration_timed_out": (5,),
    "upgrade_failed": (6,),
    "busy": (7,),
    "unknown": (8,),
    "after_failed": (9,),
    "interrupted": (130, 143),
}
UNTOUCHED = frozenset({"refused", "migration_failed", "migration_timed_out", "busy"})
JOBS = "/jobs"
TICKS = 0.05
"""Seconds by which the ledger's clock, counted in hundredths, may be off."""


def overlaps(lives: Sequence[Life]) -> list[str]:
    """A: no two migrations of a release live at the same time."""
    return [
        f"{later.pod} began {earlier.last - later.start:.1f} s before {earlier.pod} ended"
        for number, earlier in enumerate(lives)
        for later in lives[number + 1 :]
        if later.start < earlier.last - TICKS
    ]


def jobs_made(records: Sequence[Record]) -> list[Record]:
    """The requests that created a Job, whether or not their sender learned of it."""
    return [each for each in records if each.made and each.method == "POST" and each.path.endswith(JOBS)]


def second_jobs(records: Sequence[Record], lives: Sequence[Life]) -> list[str]:
    """B: one deploy creates at most one Job of a name, and none while a migration of the release lives."""
    made = jobs_made(records)
    names = [json.loads(each.body)["metadata"]["name"] for each in made]
    found = [
        f"Job {name} was created {names.count(name)} times"
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    for each in made:
        alive = [life for life in lives if life.start < each.began < life.last and life.job != each.made]
        found += [f"Job {each.made} was created while {life.pod} ran" for life in alive]
    return found


def unproven_upgrades(
    records: Sequence[Record], lives: Sequence[Life], audit: Sequence[Json], jobs: Collection[str]
) -> list[str]:
    """C: when helm's first change of an upgrade was asked for, the newest Job had ended well and was final.

    The audit log tells when the Job's status was written last, by the Job controller; what it says is told by the
    ledger, whose last word a migration writes only when it ended well. `jobs` are the names of the release's Jobs.
    """
    made = jobs_made(records)
    found = []
    for upgrade in (each for each in records if _begins_upgrade(each) and each.upstream):
        before = [each for each in made if each.began < upgrade.began]
        if not before:
            continue
        job = before[-1]
        well = [life for life in lives if life.job == job.made and life.ended and life.last < upgrade.began]
        if not well:
            found.append(f"{upgrade} began before the migration of Job {job.made} had ended well")
        later = [each for each in made if each.began > upgrade.began]
        until = later[0].began if later else float("inf")
        written = [
            moment
            for moment in (moment_of(entry) for entry in audit if _is_status_of(entry, jobs))
            if upgrade.began < moment < until
        ]
        if written and job.ended < upgrade.began:
            found.append(
                f"{upgrade} began {written[-1] - upgrade.began:.2f} s before its Job's status was final"
            )
    return found


def _begins_upgrade(record: Record) -> bool:
    return record.who == "helm" and record.method == "POST" and record.path.endswith("/secrets")


def _is_status_of(entry: Json, jobs: Collection[str]) -> bool:
    about = entry.get("objectRef") or {}
    return (
        about.get("resource") == "jobs"
        and about.get("subresource") == "status"
        and about.get("name") in jobs
        and entry["verb"] in ("update", "patch")
        and (entry.get("responseStatus") or {}).get("code") == 200
    )


def moment_of(entry: Json) -> float:
    """When the API server got a request, in seconds of the wall clock."""
    return datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp()


def blind_deletes(records: Sequence[Record], seen: set[str]) -> list[str]:
    """D: every deletion by shipit names a UID, one that it had seen."""
    found = []
    for each in (each for each in records if each.method == "DELETE" and each.who == "shipit"):
        body = json.loads(each.body or b"{}")
        uid = (body.get("preconditions") or {}).get("uid")
        if not uid:
            found.append(f"{each} names no UID")
        elif uid not in seen:
            found.append(f"{each} names a UID that was never seen: {uid}")
    return found


def untrue_end(
    result: Result, before: State, after: State, tag: str, lives: Sequence[Life], *, migrates: bool = True
) -> list[str]:
    """F: the exit code is the outcome's, and what it says of the app and the migration is so; a rollback has none."""
    found = untold_end(result)
    if found:
        return found
    outcome = result.outcome
    if outcome == "deployed" and (after.status, after.tag) != ("deployed", tag):
        found.append(
            f"it says deployed, but revision {after.newest} is {after.status}, the app runs {after.tag}"
        )
    if outcome in UNTOUCHED and (after.deployed, after.tag) != (before.deployed, before.tag):
        found.append(f"it says {outcome}, but the app went from {before.tag} to {after.tag}")
    if migrates and outcome == "upgrade_failed" and not (lives and lives[-1].ended):
        found.append("it says upgrade_failed, but the migration did not end well")
    if outcome == "unknown" and not result.result.get("hint"):
        found.append("it says unknown, and not what to look at")
    return found


def untold_end(result: Result) -> list[str]:
    """F, as far as it can be told without the cluster: it ends with a result, of the exit code's outcome."""
    if "Traceback" in result.stderr:
        return [f"a traceback: {result.stderr[-2000:]}"]
    if not result.events or result.events[-1]["type"] != "result":
        return [f"no result at its end: {result.stdout[-500:]} {result.stderr[-500:]}"]
    last = result.events[-1]
    found = []
    if result.exit_code not in EXIT_CODES.get(last["outcome"], ()) or last["exit_code"] != result.exit_code:
        found.append(f"exit code {result.exit_code} with outcome {last['outcome']}: {last.get('message')}")
    if last["outcome"] != "deployed" and not last.get("message"):
        found.append(f"{last['outcome']} without a word of why")
    return found


def holder_of(record: Record) -> str | None:
    """Whom a successful write of a Lease made its holder, None for any other request."""
    if record.method != "PUT" or "/leases/" not in record.path or record.upstream != 200:
        return None
    holder: str = (json.loads(record.body).get("spec") or {}).get("holderIdentity") or ""
    return holder


def run_of(records: Sequence[Record]) -> str:
    """The run that asked for these, by the Lease that it took; "" when it never did."""
    return next((holder for holder in map(holder_of, records) if holder), "")


def strangers(deeds: Sequence[Sequence[Record]]) -> list[str]:
    """G: whatever changes the release is asked for by the run that holds its Lease at that moment."""
    held = sorted(
        (each.ended or each.began, holder)
        for records in deeds
        for each in records
        if (holder := holder_of(each)) is not None
    )
    found = []
    for records in deeds:
        run = run_of(records)
        for each in records:
            if not each.writes or not each.upstream or "/leases" in each.path:
                continue
            holder = next((who for moment, who in reversed(held) if moment <= each.began), "")
            if holder != run:
                found.append(f"{each} by run {run or '?'} while {holder or 'nobody'} held the lock")
    return found


GAP = "[shipit: some log lines may be missing here"


def torn_lines(result: Result, total: int) -> list[str]:
    """H: each pod's lines came whole, in order, once each, or with the gap marked; all of them if it was waited for."""
    pods: dict[str, list[str]] = {}
    for event in result.of("log"):
        pods.setdefault(event["pod"], []).append(event["line"])
    succeeded = (
        result.events
        and result.events[-1]["type"] == "result"
        and any(each["outcome"] == "succeeded" for each in result.events[-1].get("migrations", []))
    )
    found = [f"{pod} was heard as {lines}" for pod, lines in pods.items() if not _is_whole(lines, total)]
    if succeeded and not any(_is_whole([*lines, _line(total + 1, total)], total) for lines in pods.values()):
        found.append(f"of {total} lines only {sum(map(len, pods.values()))} were heard")
    return found


def _line(number: int, total: int) -> str:
    return f"line {number} of {total}"


def _is_whole(lines: Sequence[str], total: int) -> bool:
    """Numbered from 1 without a hole, except where a gap is marked."""
    wanted, gap = 1, False
    numbers = {_line(number, total): number for number in range(1, total + 2)}
    for line in lines:
        if line.startswith(GAP):
            gap = True
            continue
        number = numbers.get(line, 0)
        if number != wanted and not (gap and number > wanted):
            return False
        wanted, gap = number + 1, False
    return True


def unreported_pending(earlier: State, later: Result) -> list[str]:
    """I: a release that a dead helm left pending is told by the deploy that recovers it."""
    if not earlier.pending or later.exit_code != 0:
        return []
    told = any("pending" in event["message"] for event in later.of("warning"))
    return [] if told else [f"revision {earlier.newest} was left {earlier.status}, and nobody was told"]
