"""Which values a template asks for before it renders anything."""

from __future__ import annotations

import tarfile
from pathlib import Path

from shipit.chart import values_asked_for

CHART = """\
apiVersion: v2
dependencies:
  - {name: postgres, alias: db, condition: "db.enabled, global.db"}
"""


def test_the_conditions_of_a_template_and_of_its_subchart(tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").write_text(CHART)
    for path in ("templates", "charts/db/templates"):
        (tmp_path / path).mkdir(parents=True)
        text = '{{ .Values.image }}{{- if eq .Values.mode "all" }}{{ else if $.Values.global.on }}{{ with .Values.mode }}'
        (tmp_path / path / "up.yaml").write_text(text)
    assert values_asked_for(tmp_path, "templates/up.yaml") == ("mode", "global.on")
    assert values_asked_for(tmp_path, "./templates/up.yaml") == ("mode", "global.on")
    assert values_asked_for(tmp_path, "shop/templates/up.yaml") == ("mode", "global.on")
    assert values_asked_for(tmp_path, "charts/db/templates/up.yaml") == (
        "db.enabled",
        "global.db",
        "db.mode",
        "global.on",
    )


def test_what_can_t_be_read_asks_for_nothing(tmp_path: Path) -> None:
    assert values_asked_for(tmp_path, "charts/db/templates/up.yaml") == ()
    (tmp_path / "Chart.yaml").write_text("a: [")
    assert values_asked_for(tmp_path, "charts/db/templates/up.yaml") == ()
    assert values_asked_for(tmp_path / "chart.tgz", "templates/up.yaml") == ()


def test_a_packed_chart_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "shop/templates").mkdir(parents=True)
    (tmp_path / "shop/templates/up.yaml").write_text("{{ if .Values.mode }}x{{ end }}")
    with tarfile.open(tmp_path / "shop-1.tgz", "w:gz") as packed:
        packed.add(tmp_path / "shop", "shop")
    assert values_asked_for(tmp_path / "shop-1.tgz", "templates/up.yaml") == ("mode",)
