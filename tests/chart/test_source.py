"""What of a chart is kept: what Helm needs beside the templates, and nothing else."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from shipit.chart.source import brings_crds, chart_files, kept_files
from shipit.errors import Refused


def write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    return folder


def archive(*names: str, top: str = "shop/") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(top + name)
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode()))
    return content.getvalue()


def names(chart: Path) -> set[str]:
    return {name for name, _ in kept_files(chart)}


CHART = (
    "Chart.yaml",
    "Chart.lock",
    "values.yaml",
    "values.schema.json",
    "README.md",
    "templates/a.yaml",
    "templates/_names.tpl",
    "crds/deep/b.yaml",
    "secrets/prod.yaml",
    "ci/huge.bin",
    "charts/README.md",
    "charts/db/Chart.yaml",
    "charts/db/values.yaml",
    "charts/db/templates/c.yaml",
    "charts/db/files/secret",
    "charts/db/crds/d.yaml",
    "charts/db/charts/common/Chart.yaml",
    "charts/db/charts/common/templates/_x.tpl",
    "charts/_off/Chart.yaml",
    "charts/.git/Chart.yaml",
)


def test_the_files_of_a_chart_are_those_that_helm_loads_without_its_repository_s_history(
    tmp_path: Path,
) -> None:
    chart = write(
        tmp_path / "shop",
        *("Chart.yaml", "templates/a.yaml", ".github/deploy.yaml", "node_modules/x/index.js", "src/main.py"),
        *(".git/objects/ab/cdef", "charts/db/.git/HEAD", "charts/db/Chart.yaml", ".hg/store"),
    )
    (chart / ".helmignore").write_text("node_modules/\n*.py\n")
    (chart / "loop").symlink_to(chart)
    found = {str(path.relative_to(chart)) for path in chart_files(chart)}
    assert found == {
        *("Chart.yaml", "templates/a.yaml", ".github/deploy.yaml", ".helmignore", "charts/db/Chart.yaml")
    }
    assert list(chart_files(tmp_path / "shop-1.tgz")) == [tmp_path / "shop-1.tgz"]


KEPT = {
    "Chart.yaml",
    "Chart.lock",
    "values.yaml",
    "crds/deep/b.yaml",
    "charts/db/Chart.yaml",
    "charts/db/values.yaml",
    "charts/db/crds/d.yaml",
    "charts/db/charts/common/Chart.yaml",
}


def test_a_folder_gives_no_templates_and_nothing_that_only_they_read(tmp_path: Path) -> None:
    assert names(write(tmp_path, *CHART)) == KEPT


def test_an_archive_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / "shop-1.0.0.tgz").write_bytes(archive(*CHART))

    assert names(tmp_path / "shop-1.0.0.tgz") == KEPT


def test_what_is_not_needed_is_not_even_opened(tmp_path: Path) -> None:
    write(tmp_path, "Chart.yaml")
    (tmp_path / "secrets").symlink_to("/does/not/exist")
    (tmp_path / "README.md").symlink_to(tmp_path / "README.md")

    assert names(tmp_path) == {"Chart.yaml"}


def test_a_subchart_that_is_an_archive_comes_unpacked(tmp_path: Path) -> None:
    inner = archive("Chart.yaml", "values.yaml", "templates/a.yaml", top="db/")
    write(tmp_path, "Chart.yaml", "charts/x")
    (tmp_path / "charts/db-1.0.0.tgz").write_bytes(inner)
    (tmp_path / "charts/_old.tgz").write_bytes(inner)

    assert dict(kept_files(tmp_path))["charts/db-1.0.0/values.yaml"] == b"values.yaml"
    assert names(tmp_path) == {"Chart.yaml", "charts/db-1.0.0/Chart.yaml", "charts/db-1.0.0/values.yaml"}


def test_links_are_followed_as_helm_does(tmp_path: Path) -> None:
    write(tmp_path / "shared", "Chart.yaml", "values.yaml")
    chart = write(tmp_path / "shop", "Chart.yaml")
    (chart / "charts").mkdir()
    (chart / "charts/db").symlink_to(tmp_path / "shared")
    (chart / "values.yaml").symlink_to(tmp_path / "shared/values.yaml")

    assert names(chart) == {"Chart.yaml", "values.yaml", "charts/db/Chart.yaml", "charts/db/values.yaml"}


def test_what_helmignore_names_is_not_there_for_helm_and_not_for_us(tmp_path: Path) -> None:
    write(tmp_path, "Chart.yaml", "charts/dev/Chart.yaml", "charts/db/Chart.yaml", "crds/a.bak")
    (tmp_path / ".helmignore").write_text("charts/dev/\n*.bak\nshipit/\n")

    assert names(tmp_path) == {"Chart.yaml", "charts/db/Chart.yaml"}


def test_an_archive_of_windows_with_names_that_climb_out(tmp_path: Path) -> None:
    content = archive("shop\\Chart.yaml", "shop\\crds\\..\\..\\x", "shop/charts/../../../etc/x", top="")
    (tmp_path / "shop.tgz").write_bytes(content)

    assert names(tmp_path / "shop.tgz") == {"Chart.yaml"}


@pytest.mark.parametrize(
    "content", [b"", b"no archive", archive("Chart.yaml")[:30]], ids=["empty", "text", "cut"]
)
def test_an_archive_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shop.tgz").write_bytes(content)

    with pytest.raises(Refused, match=r"shop\.tgz can't be read"):
        names(tmp_path / "shop.tgz")


def test_a_chart_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="can't be read"):
        names(tmp_path / "nope")


@pytest.mark.parametrize(
    ("name", "brings"),
    [
        ("crds/a.yaml", True),
        ("charts/db/crds/deep/a.yaml", True),
        ("charts/crds/Chart.yaml", True),  # a subchart of that name: asking helm for nothing is no harm
        ("templates/crds/a.yaml", False),
        ("charts/db/values.yaml", False),
    ],
)
def test_whether_it_brings_definitions_is_seen_by_its_files(tmp_path: Path, name: str, brings: bool) -> None:
    assert brings_crds(write(tmp_path, "Chart.yaml", name)) is brings
