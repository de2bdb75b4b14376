"""Building the frozen chart."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.chart import freeze, freeze_live
from shipit.chart.frozen import _name_and_version
from shipit.chart.manifest import Document, split
from shipit.model import Hook, Ref

MANIFEST = (
    "---\n# Source: shop/templates/a.yaml\nkind: A\ntext: '{{ x }}'\n"
    "---\n# Source: shop/charts/db/templates/b.yaml\nkind: B\r\n\n"
    "---\nkind: C\n"
)
HOOK = Hook("h", "Job", "shop/templates/h.yaml", "kind: H", ("pre-upgrade",))


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "chart"
    folder.mkdir()
    (folder / "Chart.yaml").write_text("name: shop\nversion: 1.0.0\n")
    (folder / "values.yaml").write_text("a: 1\r\n")
    (folder / ".helmignore").write_text("shipit/\n")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_each_document_is_a_file_that_a_template_of_the_old_name_prints(chart: Path, tmp_path: Path) -> None:
    frozen = freeze(chart, split(MANIFEST), [HOOK], tmp_path / "frozen", notes="hello {{ x }}\n")

    assert contents(frozen) == {
        "Chart.yaml": "name: shop\nversion: 1.0.0\n",
        "values.yaml": "a: 1\r\n",
        "shipit/0001": "kind: A\ntext: '{{ x }}'",
        "shipit/0002": "kind: B\r\n",
        "shipit/0003": "kind: C",
        "shipit/0004": "kind: H",
        "shipit/notes": "hello {{ x }}\n",
        "templates/0001/a.yaml": '{{ .Files.Get "shipit/0001" }}',
        "templates/0002/charts/db/templates/b.yaml": '{{ .Files.Get "shipit/0002" }}',
        "templates/0003/manifest.yaml": '{{ .Files.Get "shipit/0003" }}',
        "templates/0004/h.yaml": '{{ .Files.Get "shipit/0004" }}',
        "templates/NOTES.txt": '{{ .Files.Get "shipit/notes" }}',
    }


def test_it_is_for_this_user_only(chart: Path, tmp_path: Path) -> None:
    frozen = freeze(chart, split(MANIFEST), [], tmp_path / "new" / "frozen")

    for path in (tmp_path / "new", frozen, *frozen.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_the_same_rendering_makes_the_same_chart(chart: Path, tmp_path: Path) -> None:
    """Helm 4 stores when each file was changed."""
    frozen = freeze(chart, split(MANIFEST), [], tmp_path / "frozen")

    assert {path.stat().st_mtime for path in frozen.rglob("*") if path.is_file()} == {0}


def test_a_frozen_rendering_that_is_frozen_again_keeps_its_names(chart: Path, tmp_path: Path) -> None:
    again = split("---\n# Source: shop/templates/0007/a.yaml\nkind: A\n")

    assert "templates/0001/a.yaml" in contents(freeze(chart, again, [], tmp_path / "frozen"))


@pytest.mark.parametrize(
    "source",
    [
        "",
        "shop",
        "shop/../../x",
        "shop/templates/_x.yaml",
        "shop/templates/NOTES.txt",
        "shop/templates/.x",
        "/etc/x/",
    ],
)
def test_whatever_a_source_says_helm_prints_the_document(chart: Path, tmp_path: Path, source: str) -> None:
    document = Document(source, "kind: A", {"kind": "A"}, Ref("", "A", "", ""), ())

    frozen = freeze(chart, [document], [], tmp_path / "frozen")

    template = next(path for path in (frozen / "templates/0001").rglob("*") if path.is_file())
    assert template.read_text() == '{{ .Files.Get "shipit/0001" }}'
    assert not template.name.startswith(("_", "."))


def test_ten_thousand_documents_stay_in_order(chart: Path, tmp_path: Path) -> None:
    """Helm sorts templates by their path."""
    document = Document("shop/templates/a.yaml", "kind: A", {}, Ref("", "A", "", ""), ())

    frozen = freeze(chart, [document] * 10_001, [], tmp_path / "frozen")

    found = sorted(path.name for path in (frozen / "shipit").iterdir())
    assert (found[0], found[9998], found[-1]) == ("00001", "09999", "10001")


def test_a_handover_is_named_like_the_live_chart_and_brings_no_values(tmp_path: Path) -> None:
    frozen = freeze_live(split(MANIFEST), tmp_path / "frozen", chart="shop-1.2.3-rc.1", app_version="7")

    found = contents(frozen)
    assert json.loads(found["Chart.yaml"]) == {
        "apiVersion": "v2",
        "name": "shop",
        "version": "1.2.3-rc.1",
        "appVersion": "7",
    }
    assert "values.yaml" not in found
    assert found["shipit/0001"] == "kind: A\ntext: '{{ x }}'"


@pytest.mark.parametrize(
    ("label", "source", "split_up"),
    [
        ("shop-1.4.2", "shop/templates/a", ("shop", "1.4.2")),
        ("my-shop-1.4.2-rc.1+b-2", "my-shop/templates/a", ("my-shop", "1.4.2-rc.1+b-2")),
        ("db-1.0.0-2.0.0", "db-1.0.0/templates/a", ("db-1.0.0", "2.0.0")),
        ("shop-1.4.2", "", ("shop", "1.4.2")),
        ("shop-v1.4.2", "other/a", ("shop", "v1.4.2")),
        ("shop-1.4", "shop/templates/a", ("shop", "1.4")),
        ("shop", "", ("shop", "0.0.0")),
    ],
)
def test_a_label_of_the_history_is_a_name_and_a_version(
    label: str, source: str, split_up: tuple[str, str]
) -> None:
    document = Document(source, "", {}, Ref("", "", "", ""), ())

    assert _name_and_version(label, [document]) == split_up


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_kept_to_the_byte(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    document = Document("shop/templates/a.yaml", text, {}, Ref("", "A", "", ""), ())

    frozen = freeze_live([document], folder / "frozen", chart="shop-1.0.0", app_version="")

    assert (frozen / "shipit/0001").read_bytes() == text.encode()
