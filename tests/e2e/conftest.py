"""Fixtures of the end-to-end tests: the sandbox, a namespace of its own for each test, helm 3 and helm 4."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox, ensure_up
from tests.e2e.kit import Kube, Project, fresh_namespace, small_project

HELM_4_FIRST = {
    "test_init.py",
    "test_example_charts.py",
    "test_plan.py",
    "test_saved_plans.py",
    "test_chart_sources.py",
}
"""Files about what is the same with every helm: `make test` plays them with Helm 4, `make long` with the others."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        played_with = getattr(item, "callspec", None)
        if item.path.name in HELM_4_FIRST and played_with and played_with.params.get("helm", "4") != "4":
            item.add_marker("long")


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return ensure_up()


@pytest.fixture
def kube(sandbox: Sandbox) -> Iterator[Kube]:
    found = fresh_namespace(sandbox)
    yield found
    found.kubectl("delete", "namespace", found.namespace, "--wait=false", check=False)


@pytest.fixture(params=["3", "4"], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, sandbox: Sandbox) -> Path:
    """The helm that a test runs with: each test that takes it, or a project, runs with both."""
    return sandbox.helms[request.param]


@pytest.fixture
def project(tmp_path: Path, kube: Kube, helm: Path) -> Project:
    return small_project(tmp_path, kube, helm)


@pytest.fixture
def project4(tmp_path: Path, kube: Kube, sandbox: Sandbox) -> Project:
    """The same with Helm 4 only, for what doesn't depend on helm."""
    return small_project(tmp_path, kube, sandbox.helms["4"])
