"""`shipit.toml`, its environment and the flags → Config: a flag beats the environment, which beats the base."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from shipit.config import files, flags, source
from shipit.config.durations import parse_duration
from shipit.config.later import SEVERAL, refuse_later
from shipit.config.overlay import overlaid, overlaid_migrations, step_name
from shipit.config.settings import Config, Migration, On, Overrides, Release
from shipit.config.structure import MigrationTable, OnTable, ReleaseTable
from shipit.config.tables import Layer, Section, base_layer, environment_layer, environment_names
from shipit.config.validators import nearest, shown
from shipit.errors import Usage
from shipit.model import Json

_T = TypeVar("_T")


def load_config(
    path: Path | None,
    environment: str | None,
    cwd: Path,
    environ: Mapping[str, str],
    overrides: Overrides,
) -> Config:
    """Read, overlay and check; `path` is relative to `cwd`, None: the nearest shipit.toml upward. Raises Usage.

    The message names the file, the key's path, and what is allowed. Beside the file itself only the values files
    and chart folders that it names are looked at.
    """
    found = source.find(path, cwd)
    file = str(found.relative_to(cwd)) if found.is_relative_to(cwd) else str(found)
    layers = _layers(source.read(found, file), file, environment, environ)
    for layer in layers:
        _check_files(layer, found.parent)
    migrations = _migrations(layers, found.parent, flags.over_migrations(overrides))
    refuse_later(*layers)
    return Config(
        path=found,
        environment=environment,
        confirm=layers[-1].confirm,
        release=_release([layer.release for layer in layers], found.parent, cwd, overrides),
        migrations=migrations,
        on=_on([layer.on for layer in layers]),
    )


def _layers(raw: Json, file: str, environment: str | None, environ: Mapping[str, str]) -> tuple[Layer, ...]:
    """The base and, on top, the chosen environment; the others are checked as far as they can be."""
    known = environment_names(raw, file)
    if environment is not None and environment not in known:
        near = nearest(environment, known)
        advice = f"did you mean {near}? " if near else ""
        listed = f"known are {', '.join(known)}" if known else "it has none"
        raise Usage(f"--env {shown(environment)}: no such environment in {file}; {advice}{listed}")
    base = base_layer(raw, file, environ)
    tables = raw.get("environments", {})
    layers = {
        name: environment_layer(tables, name, file, environ if name == environment else None)
        for name in known
    }
    return (base, layers[environment]) if environment is not None else (base,)


def _check_files(layer: Layer, folder: Path) -> None:
    for section in layer.sections:
        for text in section.raw.get("values", ()):
            if problem := files.values_problem(folder / text):
                raise section.wrong("values", problem)
        chart = section.raw.get("chart")
        if chart and (problem := files.chart_problem(chart, folder)):
            raise section.wrong("chart", problem)


def _release(sections: Sequence[Section], folder: Path, cwd: Path, overrides: Overrides) -> Release:
    found = _settled(sections, flags.over_release(overrides), ReleaseTable)
    if found.name is UNSET or found.chart is UNSET:
        missing = "name" if found.name is UNSET else "chart"
        example = 'name = "shop"' if missing == "name" else 'chart = "chart", a folder relative to this file'
        raise sections[0].wrong(missing, f"is missing; needed is, for example, {example}")
    return Release(
        name=found.name,
        chart=str(folder / found.chart),
        chart_is_folder=True,
        namespace=_given(found.namespace),
        context=_given(found.context),
        values=(*(folder / each for each in found.values), *flags.values(overrides, cwd)),
        set=found.set,
        assignments=flags.assignments(overrides),
        tag_key=(found.tag_key,) if isinstance(found.tag_key, str) else found.tag_key,
        timeout=parse_duration(found.timeout),
        rollback_on_failure=found.rollback_on_failure,
        create_namespace=found.create_namespace,
        helm_args=found.helm_args,
    )


def _migrations(layers: Sequence[Layer], folder: Path, over: Json) -> tuple[Migration, ...]:
    base, *rest = [layer.migrations for layer in layers]
    tables = overlaid_migrations(base, rest[0] if rest else ()) or [{}]
    last = next((section for sections in (*rest, base) for section in reversed(sections)), None)
    if last is not None:
        doubled = [name for name, count in Counter(map(step_name, tables)).items() if name and count > 1]
        if doubled:
            raise last.wrong("name", f"several migrations are called {shown(doubled[0])}; each needs its own")
        if len(tables) > 1:
            raise last.wrong("", SEVERAL)
    return tuple(_migration({**table, **over}, folder) for table in tables)


def _migration(table: Json, folder: Path) -> Migration:
    found = msgspec.convert(table, MigrationTable)
    return Migration(
        name=step_name(table) or None,
        template=_given(found.template),
        chart=None if found.chart is UNSET else str(folder / found.chart),
        values=tuple(folder / each for each in found.values),
        set=found.set,
        timeout=parse_duration(found.timeout),
        start_timeout=parse_duration(found.start_timeout),
        phase=_given(found.phase),
        on_timeout=found.on_timeout,
    )


def _on(sections: Sequence[Section]) -> On:
    found = _settled(sections, {}, OnTable)
    return On(start=found.start, success=found.success, failure=found.failure)


def _settled(sections: Sequence[Section], over: Json, kind: type[_T]) -> _T:
    table: Json = {}
    for section in sections:
        table = overlaid(table, section.raw)
    return msgspec.convert(table | over, kind)


def _given(value: _T | UnsetType) -> _T | None:
    return None if isinstance(value, UnsetType) else value
