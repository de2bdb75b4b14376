"""What a chart depends on, and whether its charts/ holds it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from shipit.chart import dependencies_on_disk, is_locked, missing_dependencies
from shipit.errors import Refused

LISTED = """\
dependencies:
  - {name: lib, version: 0.1.0, repository: "file://../lib"}
  - {name: db, version: ^2, repository: "https://charts.example"}
  - {name: db, alias: replica, version: ^2, repository: "https://charts.example"}
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    write(tmp_path / "lib/Chart.yaml", "name: lib\n")
    write(tmp_path / "chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n" + LISTED)
    return tmp_path / "chart"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def names(chart: Path) -> list[str]:
    return [each.name for each in missing_dependencies(chart)]


def test_what_is_listed_and_not_held_is_missing(chart: Path) -> None:
    assert names(chart) == ["lib", "db"]
    assert [each.folder for each in missing_dependencies(chart)] == ["../lib", ""]
    assert [path.resolve() for path in dependencies_on_disk(chart)] == [chart.parent / "lib"]


def test_a_folder_counts_by_the_name_in_its_chart_yaml_and_an_archive_too(chart: Path) -> None:
    write(chart / "charts/database/Chart.yaml", "name: db\n")
    assert names(chart) == ["lib"]
    with tarfile.open(chart / "charts/lib-0.1.0.tgz", "w:gz") as packed:
        packed.add(chart.parent / "lib", "lib")
    assert names(chart) == []


def test_what_helm_does_not_read_is_not_held(chart: Path) -> None:
    write(chart / "charts/_db/Chart.yaml", "name: db\n")
    write(chart / "charts/web/charts/lib/Chart.yaml", "name: lib\n")
    assert names(chart) == ["lib", "db"]


def test_an_old_chart_lists_them_in_a_file_of_their_own(chart: Path) -> None:
    write(chart / "Chart.yaml", "apiVersion: v1\nname: shop\nversion: 1.0.0\n")
    assert names(chart) == []
    write(chart / "requirements.yaml", LISTED)
    assert names(chart) == ["lib", "db"]
    assert not is_locked(chart)
    write(chart / "requirements.lock", "")
    assert is_locked(chart)


def test_an_archive_was_packed_whole_and_a_broken_list_is_helm_s_to_refuse(
    chart: Path, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "shop.tgz", "w:gz") as packed:
        packed.add(chart, "shop")
    assert missing_dependencies(tmp_path / "shop.tgz") == ()
    write(chart / "charts/x.tgz", "no archive")
    with pytest.raises(Refused, match="can't be read"):
        missing_dependencies(chart)
    write(chart / "Chart.yaml", "dependencies: [")
    assert missing_dependencies(chart) == ()
