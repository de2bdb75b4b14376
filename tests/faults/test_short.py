"""A short, fixed selection of the faults, played side by side; all of them are `make faults`."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox import ensure_up
from tests.faults.bench import a_bench
from tests.faults.case import run_case
from tests.faults.judge import Findings
from tests.faults.rows import CASES

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SHORT = [case for case in CASES.values() if case.short]
SIDE_BY_SIDE = 6
"""Most of them wait most of the time: for a lock to run out, for a pod to start."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Findings]:
    """All of them, played to their end before the first is looked at: pytest changes the environment between tests,
    which no other thread that starts a program at that moment survives.
    """
    folder: Path = tmp_path_factory.mktemp("faults")
    with a_bench(ensure_up(), folder) as bench, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        found = pool.map(lambda case: run_case(bench, case), SHORT)
        return {case.name: findings for case, findings in zip(SHORT, found, strict=True)}


@pytest.mark.parametrize("name", [case.name for case in SHORT])
def test_what_must_survive_survives(played: Mapping[str, Findings], name: str) -> None:
    findings = played[name]
    assert not findings.violations, "\n".join(findings.violations)
    assert set(CASES[name].keeps) <= findings.checked
