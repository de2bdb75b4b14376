"""Which charts a project holds, and what a release of each is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipit.errors import Usage
from shipit.init import find_charts


def chart(folder: Path, name: str = "shop", more: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n{more}")


def found(cwd: Path) -> list[str]:
    return [each.shown for each in find_charts("", cwd)]


def test_the_folder_itself_comes_first_and_its_subcharts_are_its_own(tmp_path: Path) -> None:
    chart(tmp_path)
    chart(tmp_path / "charts" / "db", "db")
    assert found(tmp_path) == ["."]


def test_where_charts_usually_lie_comes_before_the_rest(tmp_path: Path) -> None:
    for path in ("aaa", "deploy/helm/shop", "charts/shop", "node_modules/x", ".hidden/x", "a/b/c/d/e"):
        chart(tmp_path / path)
    assert found(tmp_path) == ["charts/shop", "deploy/helm/shop", "aaa"]


@pytest.mark.parametrize(
    ("named", "name", "shown"),
    [
        ("oci://ghcr.example:5000/acme/shop", "shop", "oci://ghcr.example:5000/acme/shop"),
        ("oci://ghcr.example/acme/shop:1.2.3", "shop", "oci://ghcr.example/acme/shop:1.2.3"),
        ("things/shop-api", "shop-api", "things/shop-api"),
        ("https://bob:s3same@charts.example/shop-1.2.3.tgz", "shop", "https://charts.example/shop-1.2.3.tgz"),
    ],
)
def test_a_chart_that_is_elsewhere(tmp_path: Path, named: str, name: str, shown: str) -> None:
    """Its credentials go to helm alone."""
    (place,) = find_charts(named, tmp_path)
    assert (place.name, place.shown, place.source, place.path) == (name, shown, named, None)


def test_a_library_and_what_is_no_chart_are_left_out(tmp_path: Path) -> None:
    chart(tmp_path / "lib", more="type: library\n")
    chart(tmp_path / "odd", more="\t: [")
    with pytest.raises(Usage, match="no chart in"):
        find_charts("", tmp_path)


@pytest.mark.parametrize(
    ("name", "release"), [("shop", "shop"), ("My_App", "my-app"), ("x" * 60, "x" * 53), ("é", "app")]
)
def test_a_release_is_called_as_its_chart_may_be(tmp_path: Path, name: str, release: str) -> None:
    chart(tmp_path / "chart", name)
    assert find_charts("chart", tmp_path)[0].release == release
