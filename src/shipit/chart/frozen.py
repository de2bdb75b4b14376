"""Building the frozen chart: a chart that renders to exactly these documents, whatever the values say.

It has the name, version, values and custom resource definitions of the original, and its subcharts, without any
template. Each document lies under `shipit/N`, and the template `templates/N/…` only prints that file, so that
braces, CRLF and everything else in it stay as they are. The rest of the template's path is the original's: it shows
in `helm get manifest`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from shipit.chart.manifest import Document
from shipit.chart.source import kept_files
from shipit.model import Hook, Json

_NUMBERED = re.compile(r"\d{4,}/")
_VERSION = re.compile(r"v?\d+\.\d+\.\d+(?:[-+].*)?")
_NAMELESS = "manifest.yaml"


def freeze(
    source_chart: Path, documents: Sequence[Document], hooks: Sequence[Hook], target: Path, *, notes: str = ""
) -> Path:
    """Build the frozen chart of a rendering in the new folder `target`, and return it.

    `source_chart` is a folder or an archive; of its files only those that Helm needs are copied. Folders are 0700
    and files 0600: the documents hold Secrets in clear. Raises Refused for a chart that can't be read.
    """
    for path, content in kept_files(source_chart):
        _write(target / path, content)
    _write_documents(target, documents, hooks, notes)
    return target


def freeze_live(
    documents: Sequence[Document],
    target: Path,
    *,
    chart: str,
    app_version: str,
    notes: str = "",
    values: Json | None = None,
) -> Path:
    """Build the frozen chart of what a revision already holds, its hooks among the documents: for a handover, or for a
    rollback.

    `chart` and `app_version` are as `helm history` says (`shop-1.4.2`), `values` become the chart's own: none for a
    handover, which is applied with those of the live revision (`--reuse-values`). It brings no custom resource
    definitions, as upgrades don't touch them.
    """
    name, version = _name_and_version(chart, documents)
    metadata = {"apiVersion": "v2", "name": name, "version": version, "appVersion": app_version}
    _write(target / "Chart.yaml", json.dumps(metadata).encode())
    if values:
        _write(target / "values.yaml", json.dumps(values).encode())
    _write_documents(target, documents, (), notes)
    return target


def _write_documents(target: Path, documents: Sequence[Document], hooks: Sequence[Hook], notes: str) -> None:
    texts = [(each.source, each.text) for each in documents] + [(each.path, each.manifest) for each in hooks]
    width = max(4, len(str(len(texts))))
    for number, (source, text) in enumerate(texts, start=1):
        _write_one(target, f"{number:0{width}}", _template(source), text)
    if notes:
        _write_one(target, "notes", "", notes)


def _write_one(target: Path, number: str, template: str, text: str) -> None:
    """One document, or the notes, whose template must lie right in `templates/`."""
    place = f"{number}/{template}" if template else "NOTES.txt"
    _write(target / "shipit" / number, text.encode("utf-8", "surrogatepass"))
    _write(target / "templates" / place, f'{{{{ .Files.Get "shipit/{number}" }}}}'.encode())


def _template(source: str) -> str:
    """The template's path below `templates/`, without the chart in front; one that Helm would not print is renamed."""
    path = source.partition("/")[2].removeprefix("templates/")
    parts = [part for part in _NUMBERED.sub("", path, count=1).split("/") if part not in ("", ".", "..")]
    if not parts or parts[-1].startswith(("_", ".")) or parts[-1].endswith("NOTES.txt"):
        parts = [*parts[:-1], _NAMELESS]
    return "/".join(parts)


def original_source(source: str) -> str:
    """The template, chart in front, that a document of a frozen chart was rendered from."""
    chart, _, path = source.partition("/")
    rest = path.removeprefix("templates/")
    if numbered := _NUMBERED.match(rest):
        rest = rest[numbered.end() :]
    return f"{chart}/{rest}" if rest.startswith("charts/") else f"{chart}/templates/{rest}"


def is_frozen(document: Document) -> bool:
    """Whether a document that Helm has stored came out of a frozen chart: shipit made its revision."""
    path = document.source.partition("/")[2].removeprefix("templates/")
    return bool(_NUMBERED.match(path))


def _name_and_version(chart: str, documents: Iterable[Document]) -> tuple[str, str]:
    """`shop-1.4.2` in two: both halves may hold dashes, but a template's source begins with the name."""
    names = {each.source.partition("/")[0] for each in documents}
    splits = [(chart[: dash.start()], chart[dash.end() :]) for dash in re.finditer("-", chart)]
    versioned = [(name, version) for name, version in splits if _VERSION.fullmatch(version)]
    known = [split for split in splits if split[0] in names]
    return next(
        iter([*(split for split in versioned if split in known), *known, *versioned]), (chart, "0.0.0")
    )


def _write(path: Path, content: bytes) -> None:
    _make_folder(path.parent)
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "wb") as file:
        file.write(content)
    os.utime(path, (0, 0))  # Helm 4 stores the time of every file, which compresses only if it is the same


def _make_folder(path: Path) -> None:
    """`mkdir(parents=True)` would give its mode to the last folder only."""
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(mode=0o700)
