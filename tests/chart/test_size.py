"""Whether a release fits into what Helm stores it in."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from shipit.chart import MOST_STORED, check_stored_size, freeze_live, stored_size
from shipit.chart.manifest import Document
from shipit.errors import Refused
from shipit.model import HelmVersion, Ref, Values


def frozen(folder: Path, *texts: str) -> Path:
    documents = [Document("shop/templates/a.yaml", text, {}, Ref("", "A", "", ""), ()) for text in texts]
    return freeze_live(documents, folder / "frozen", chart="shop-1.0.0", app_version="1")


def noise(size: int) -> str:
    """Text that hardly compresses."""
    return random.Random(1).randbytes(size // 2).hex()


def test_a_small_release_is_small(tmp_path: Path) -> None:
    assert stored_size(frozen(tmp_path, "kind: A")) < 1000


def test_a_document_counts_twice_and_values_count_too(tmp_path: Path) -> None:
    chart = frozen(tmp_path, noise(200_000))
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"a": noise(100_000)}))

    alone, together = stored_size(chart), stored_size(chart, Values((values,)))

    assert 250_000 < alone < 400_000
    assert 60_000 < together - alone < 100_000


def test_helm_4_stores_the_time_of_each_file(tmp_path: Path) -> None:
    chart = frozen(tmp_path, *(f"kind: A{number}" for number in range(100)))

    assert stored_size(chart, Values(), HelmVersion(3, 22, 0)) < stored_size(
        chart, Values(), HelmVersion(4, 0, 0)
    )


def test_a_release_that_does_not_fit_is_refused_before_anything_changes(tmp_path: Path) -> None:
    chart = frozen(tmp_path, noise(900_000))
    assert stored_size(chart) > MOST_STORED

    with pytest.raises(
        Refused, match=r"too big for Helm to store: about \d+ KiB compressed, the limit is 1024 KiB"
    ) as refused:
        check_stored_size(chart)

    assert refused.value.hint


def test_a_release_that_fits_passes(tmp_path: Path) -> None:
    check_stored_size(frozen(tmp_path, noise(300_000)))


def test_values_that_are_no_yaml_are_helms_to_refuse(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_bytes(b"a: [\xff")

    assert stored_size(frozen(tmp_path, "kind: A"), Values((values,))) > 0
