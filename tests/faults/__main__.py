"""Play all faults, and print and write down what held: `python -m tests.faults`, which `make faults` calls."""

from __future__ import annotations

import argparse
import datetime
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from sandbox import ensure_up
from tests.faults.bench import Bench, a_bench
from tests.faults.case import Case, run_case
from tests.faults.courses import INSTALL, PREREQUISITES, ROLLBACK, SEVERAL, UPGRADE, Course
from tests.faults.judge import Findings
from tests.faults.rows import CASES
from tests.faults.sweep import WAYS, Way, numbered, requests_of, sweep
from tests.faults.table import Row, as_markdown, as_text, rows_of, rows_on, taken_up

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
WORKERS = 4


def main(argv: Sequence[str]) -> int:
    args = _arguments(argv)
    cases, sweeps = _chosen(args)
    if args.list:
        for case in cases:
            sys.stdout.write(f"{case.name:24} {case.keeps:10} {case.fault}\n")
        for one in sweeps:
            sys.stdout.write(f"{one.name:24} {one.way.keeps:10} {one.title}\n")
        return 0
    when = _now_and_here()
    sandbox = ensure_up()
    folder = Path(tempfile.mkdtemp(prefix="shipit-faults-"))
    found: dict[str, list[Findings]] = {case.fault: [] for case in cases}
    with a_bench(sandbox, folder) as bench:
        for case, findings in _play(bench, [each for each in cases if not each.disruptive], args.workers):
            found[case.fault].append(findings)
        for one in sweeps:
            found.setdefault(_title(one, args), []).extend(_sweep(bench, one, args))
        for case, findings in _play(bench, [each for each in cases if each.disruptive], 1):
            found[case.fault].append(findings)
    rows = rows_of(found, when)
    sys.stdout.write("\n" + as_text(rows))
    _write(rows, cases, args)
    if any(row.violations for row in rows):
        sys.stdout.write(f"what went wrong is told in {folder / 'transcripts'}\n")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _now_and_here() -> str:
    """The day, and the commit that is played."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {commit}"


def _write(rows: Sequence[Row], cases: Sequence[Case], args: argparse.Namespace) -> None:
    """The page: anew when all was played; with `--write` only the rows of which everything was played."""
    if not (args.only or args.short or args.every > 1 or args.first > 1):
        PAGE.write_text(as_markdown(list(rows)), encoding="utf-8")
    elif args.write:
        partly = {each.fault for each in CASES.values() if each not in cases}
        whole = [row for row in rows if row.fault not in partly]
        there = rows_on(PAGE.read_text(encoding="utf-8"))
        PAGE.write_text(as_markdown(taken_up(there, whole)), encoding="utf-8")


def _title(one: Sweep, args: argparse.Namespace) -> str:
    """What a sweep is called in the table: a sweep of some requests is not one of all."""
    if args.every == 1 and args.first == 1:
        return one.title
    return f"{one.title} (only one request in {args.every}, from number {args.first} on)"


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these faults")
    parser.add_argument("--short", action="store_true", help="only what `make test` plays")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="sweep only every n-th request")
    parser.add_argument("--from", type=int, default=1, metavar="K", dest="first", help="from the k-th on")
    parser.add_argument("--workers", type=int, default=WORKERS, help="how many releases side by side")
    parser.add_argument("--write", action="store_true", help="take what was played up into docs/faults.md")
    parser.add_argument("--list", action="store_true", help="only list the faults")
    return parser.parse_args(argv)


def _chosen(args: argparse.Namespace) -> tuple[list[Case], list[Sweep]]:
    unknown = set(args.only or ()) - CASES.keys() - {one.name for one in _sweeps()}
    if unknown:
        sys.exit(f"no fault is called {', '.join(sorted(unknown))}: see --list")
    cases = [
        case
        for case in CASES.values()
        if (not args.only or case.name in args.only) and (case.short or not args.short)
    ]
    return cases, [one for one in _sweeps() if not args.short and (not args.only or one.name in args.only)]


def _play(bench: Bench, cases: Sequence[Case], workers: int) -> list[tuple[Case, Findings]]:
    """Play faults side by side, each on a release of its own."""
    played = []
    with ThreadPoolExecutor(max(1, workers)) as pool:
        running = {pool.submit(run_case, bench, case): case for case in cases}
        began = time.monotonic()
        for number, done in enumerate(as_completed(running), start=1):
            case, findings = running[done], done.result()
            _tell(began, f"{number}/{len(cases)} {case.name}", findings)
            played.append((case, findings))
    return played


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep: over what, with which helm, over all requests or only helm's (`helm_only`)."""

    name: str
    title: str
    way: Way
    course: Course = UPGRADE
    helm: str = "4"
    helm_only: bool = False


def _sweeps() -> list[Sweep]:
    ways = {way.name: way for way in WAYS}
    found = [Sweep(way.name, way.title, way) for way in WAYS]
    after = ways["kill-after"]
    several = "with two migrations before the upgrade and one after"
    found += [
        Sweep("first-install", f"{after.title}, of a first install", after, INSTALL),
        Sweep("several", f"{after.title}, {several}", after, SEVERAL),
        Sweep("prerequisites", f"{after.title}, {several}, and prerequisites", after, PREREQUISITES),
        Sweep("rollback", f"{after.title}, of `shipit rollback` with hooks around it", after, ROLLBACK),
    ]
    found += [
        Sweep(f"helm3-{way.name}", f"{way.title}, of Helm 3's upgrade", way, helm="3", helm_only=True)
        for way in WAYS
    ]
    return found


def _sweep(bench: Bench, one: Sweep, args: argparse.Namespace) -> list[Findings]:
    asked = requests_of(bench, one.helm, one.course)
    created = next(each.number for each in asked if each.made and each.path.endswith("/jobs"))
    numbers = [
        each.number for each in asked if not one.helm_only or (each.number > created and each.who == "helm")
    ]
    points = [numbered(number) for number in numbers[args.first - 1 :: args.every]]
    began = time.monotonic()
    played = sweep(bench, one.way, points, helm=one.helm, course=one.course, workers=args.workers)
    found = []
    for number, findings in enumerate(played, start=1):
        _tell(began, f"{one.name} {number}/{len(points)}", findings)
        found.append(findings)
    return found


def _tell(began: float, what: str, findings: Findings) -> None:
    wrong = "".join(f"\n    {each}" for each in findings.violations)
    sys.stdout.write(f"{time.monotonic() - began:6.0f} s  {what}{wrong}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
