"""`shipit.toml`, its environment and the flags → Config: a flag beats the environment, which beats the base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from shipit.config import files, source
from shipit.config.coherence import conflicting
from shipit.config.helm_args import HelmFlag, parse_helm_args
from shipit.config.keys import assigned, key_path
from shipit.config.migrations import check_overlay, name_of, settled_migrations
from shipit.config.mistakes import File
from shipit.config.overlay import overlaid
from shipit.config.request import Config, Flags
from shipit.config.section import Section
from shipit.config.structure import MigrationSpec, OnTable, ReleaseSpec
from shipit.config.tables import (
    Layer,
    base_layer,
    environment_layer,
    environment_names,
    flags_section,
)
from shipit.config.validators import nearest, shown
from shipit.config.variables import taken
from shipit.errors import Usage
from shipit.hints import HIDDEN
from shipit.model import Json, Values, as_map, as_maps

_T = TypeVar("_T", bound=msgspec.Struct)


def load_config(
    path: Path | None,
    environment: str | None,
    cwd: Path,
    environ: Mapping[str, str],
    flags: Flags,
) -> Config:
    """Read, overlay and check; `path` is relative to `cwd`, None: the nearest shipit.toml upward. Raises Usage.

    The message names the file, the key's path, and what is allowed. Beside the file itself only the values files and
    charts that it names are looked at, where they are on this machine.
    """
    found = source.find(path, cwd)
    folder = found.parent
    file = str(found.relative_to(cwd)) if found.is_relative_to(cwd) else str(found)
    read = source.read(found, file)
    layers = _layers(read, environment, environ)
    in_repository = any(flag.name == "--repo" for layer in layers for flag in _flags_of(layer.release))
    for section in [each for layer in layers for each in (layer.release, *layer.migrations)]:
        _check_files(section, folder, in_repository=in_repository)
    release = _release(read, layers, flags, folder)
    helm_flags = parse_helm_args(release.helm_args)
    if problem := _beats_the_tag(helm_flags, release.tag_keys):
        read.found.append(layers[0].release.wrong("helm_args", problem))
    migrations = _all_migrations(read, layers, flags, folder)
    read.settle()
    return Config(
        path=found,
        release=release,
        values=_values(release, flags, cwd),
        migrations=migrations,
        helm_flags=helm_flags,
        on=_settled([layer.on for layer in layers], OnTable),
        environment=environment,
        confirm=layers[-1].confirm,
        from_variables=tuple(_from_variables(read.raw, environment, environ)),
    )


def _layers(file: File, environment: str | None, environ: Mapping[str, str]) -> tuple[Layer, ...]:
    """The base and, on top, the chosen environment; the others are checked as far as they can be."""
    known: tuple[str, ...] = ()
    with file.noting():
        known = environment_names(file)
    if environment is not None and environment not in known and not file.found:
        near = nearest(environment, known)
        advice = f"did you mean {near}? " if near else ""
        listed = f"it has {', '.join(known)}" if known else "it has none"
        raise Usage(f"--env {shown(environment)}: no such environment in {file.name}; {advice}{listed}")
    base = base_layer(file, environ)
    layers = {name: environment_layer(file, name, environ if name == environment else None) for name in known}
    for name, layer in layers.items():
        if name != environment and not _incomplete(base, layer):
            with file.noting():
                check_overlay(base.migrations, layer.migrations)
    return (base, *(layer for name, layer in layers.items() if name == environment))


def _incomplete(*layers: Layer) -> bool:
    """Whether a name by which migrations are told apart is wrong, or not known."""
    return any(
        each.meant(key) for layer in layers for each in layer.migrations for key in ("name", "template")
    )


def _from_variables(raw: Json, environment: str | None, environ: Mapping[str, str]) -> Iterator[str]:
    """What the `set` tables and the commands of `[on]` take from the environment."""
    for layer in (raw, as_map(as_map(raw.get("environments")).get(environment or ""))):
        yield from taken(layer.get("on"), environ)
        for section in (layer.get("release"), layer.get("migration")):
            for table in (as_map(section), *as_maps(section)):
                yield from taken(table.get("set"), environ)


def _flags_of(section: Section) -> tuple[HelmFlag, ...]:
    return parse_helm_args(section.raw.get("helm_args", ()))


def _check_files(section: Section, folder: Path, *, in_repository: bool) -> None:
    for number, text in enumerate(section.raw.get("values", ())):
        if problem := files.values_problem(files.layer_of(text, folder)):
            section.file.found.append(section.item_wrong("values", number, problem))
    chart = section.raw.get("chart")
    if chart and (problem := files.chart_problem(chart, folder, in_repository=in_repository)):
        section.file.found.append(section.wrong("chart", problem))


def _release(file: File, layers: Sequence[Layer], flags: Flags, folder: Path) -> ReleaseSpec:
    typed = flags_section(
        file,
        ReleaseSpec,
        ("--namespace", "namespace", flags.namespace),
        ("--context", "context", flags.context),
        ("--upgrade-timeout", "timeout", flags.upgrade_timeout),
        ("--preflight", "preflight", flags.preflight),
    )
    sections = [*(layer.release for layer in layers), typed]
    found = _settled(sections, ReleaseSpec)
    for key, value, example in (
        ("name", found.name, 'name = "shop"'),
        ("chart", found.chart, 'chart = "chart", a folder relative to this file'),
    ):
        if not value and not (_misspelt(file) or any(section.meant(key) for section in sections)):
            file.found.append(sections[0].wrong(key, f"is missing; for example: {example}"))
    return msgspec.structs.replace(
        found, chart=files.chart_at(found.chart, folder), values=_below(folder, found.values)
    )


def _misspelt(file: File) -> bool:
    """Whether [release] is there under another name."""
    known = ("release", "migration", "environments")
    return "release" not in file.raw and any(nearest(key, known) == "release" for key in file.raw)


def _all_migrations(
    file: File, layers: Sequence[Layer], flags: Flags, folder: Path
) -> tuple[MigrationSpec, ...]:
    typed = flags_section(file, MigrationSpec, ("--timeout", "timeout", flags.migration_timeout))
    if _incomplete(*layers):
        return ()
    found: list[MigrationSpec] = []
    with file.noting():
        for section in settled_migrations(*(layer.migrations for layer in layers)):
            with file.noting():
                found.append(_migration((section, typed), folder))
    return tuple(found)


def _migration(sections: Sequence[Section], folder: Path) -> MigrationSpec:
    found = _settled(sections, MigrationSpec)
    if (wrong := conflicting(found)) and not any(section.unknown for section in sections):
        raise sections[0].wrong(*wrong)
    return msgspec.structs.replace(
        found,
        name=name_of(sections[0]),
        chart=found.chart and files.chart_at(found.chart, folder),
        values=_below(folder, found.values),
    )


def _settled(sections: Sequence[Section], kind: type[_T]) -> _T:
    table: Json = {}
    for section in sections:
        table = overlaid(table, section.raw)
    return msgspec.convert(table, kind)


def _below(folder: Path, paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(files.layer_of(path, folder)) for path in paths)


def _values(release: ReleaseSpec, flags: Flags, cwd: Path) -> Values:
    """Everything that the release gets but the tag: `values`, --values, `set`, --set, --set-string."""
    typed = [files.STDIN if text == "-" else files.layer_of(text, cwd) for text in flags.values]
    for path in typed:
        if problem := files.values_problem(path):
            raise Usage(f"--values: {problem}")
    for flag, assignments in (("--set", flags.set), ("--set-string", flags.set_string)):
        if any(HIDDEN in value for value in assignments):
            raise Usage(f"{flag}: {HIDDEN} stands for a value that a hint did not repeat; type the value")
    own = [release.set] if release.set else []
    below = (files.layer_of(text, cwd) for text in release.values)
    return Values((*below, *typed, *own), flags.set, flags.set_string)


def _beats_the_tag(helm_flags: Sequence[HelmFlag], tag_keys: Sequence[str]) -> str:
    """Helm takes --set-file and --set-literal after every --set-string, which is how it gets the tag."""
    for flag in helm_flags:
        if flag.name not in ("--set-file", "--set-literal"):
            continue
        paths = assigned(flag.value)[: None if flag.name == "--set-file" else 1]
        for key in tag_keys:
            if (to := key_path(key)) and any(to[: len(path)] == path for path in paths):
                return f"{flag.name} would replace the tag at {key}; use --set-string, or another tag_key"
    return ""
