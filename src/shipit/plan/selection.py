"""Pure: which of the rendered objects run around the upgrade, in which order, and which of them Helm must not get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import msgspec

from shipit.chart import (
    Document,
    candidates,
    for_event,
    from_template,
    held_by_digest,
    images,
    load_yaml,
    uses_tag,
)
from shipit.config import MigrationSpec
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Hook, Json, Rendered, Resource, Situation, as_map, as_text

Phase = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class SelectedObject:
    """An object that shipit runs: a hook, or a plain Job, which is left out of what Helm gets."""

    name: str
    body: Json
    phase: Phase
    spec: MigrationSpec
    migration: bool
    hook: Hook | None = None
    resource: Resource | None = None

    @property
    def kind(self) -> str:
        return as_text(self.body.get("kind"))


def select_objects(
    specs: tuple[MigrationSpec, ...],
    situation: Situation,
    rendered: Rendered,
    documents: Sequence[Document],
    own: Sequence[Sequence[Document] | None],
    *,
    optional: bool = False,
) -> tuple[SelectedObject, ...]:
    """What runs before and after, each in its order. `own` holds, for each of `specs`, its own rendering's documents.

    Raises Refused with the candidates listed when the migration isn't there (unless `optional`) or isn't clear.
    """
    hooks = _hooks(specs, situation, rendered.hooks)
    hooked = [entry for entry in hooks if entry.migration]
    plain: list[SelectedObject] = []
    for entry, rendering in zip(specs, own, strict=True):
        if entry.named and any(selected.spec is entry for selected in hooked):
            continue
        if not entry.named and (hooked or _only_elsewhere(rendered, documents)):
            continue
        if optional and not candidates(documents if rendering is None else rendering):
            continue
        job = _plain(entry, documents if rendering is None else rendering, situation, rendered)
        if job is not None:
            plain.append(job)
    before = [c for c in hooks if c.phase == "before"] + [c for c in plain if c.phase == "before"]
    after = [c for c in hooks if c.phase == "after"] + [c for c in plain if c.phase == "after"]
    return (*before, *after)


def _hooks(
    specs: tuple[MigrationSpec, ...], situation: Situation, rendered: Sequence[Hook]
) -> list[SelectedObject]:
    """The chart's hooks of this operation in Helm's order, each with the `[migration]` that names its template.

    Those of an install that are still owed come after an upgrade's own, unless they are among these.
    """
    event = "install" if situation.install else "upgrade"
    phases: list[tuple[Phase, Sequence[Hook]]] = [
        ("before", for_event(rendered, f"pre-{event}")),
        ("after", for_event(rendered, f"post-{event}")),
    ]
    if situation.first_install_owed and not situation.install:
        own = [hook for _, hooks in phases for hook in hooks]
        phases.append(("after", [hook for hook in for_event(rendered, "post-install") if hook not in own]))
    return [_hook(hook, phase, specs) for phase, hooks in phases for hook in hooks]


def _hook(hook: Hook, phase: Phase, specs: tuple[MigrationSpec, ...]) -> SelectedObject:
    """A hook, run as the `[migration]` that names its template says; where none is named, every one is a migration."""
    named = [entry for entry in specs if entry.named]
    mine = next((entry for entry in named if from_template(hook.path, entry.template)), None)
    runs = hook.kind in ("Job", "Pod")
    return SelectedObject(
        name=mine.name if mine and mine.name and runs else hook.name,
        body=as_map(load_yaml(hook.manifest, hook.path)),
        phase=phase,
        spec=mine or _unnamed(specs),
        migration=runs and (mine is not None or not named),
        hook=hook,
    )


def _only_elsewhere(rendered: Rendered, documents: Sequence[Document]) -> bool:
    """The chart migrates in hooks, none of them of this operation: `pre-upgrade` alone runs nothing on an install."""
    around = {f"{when}-{operation}" for when in ("pre", "post") for operation in ("install", "upgrade")}
    hooks = (h for h in rendered.hooks if h.kind in ("Job", "Pod") and around & set(h.events))
    return any(hooks) and not candidates(documents)


def _unnamed(specs: tuple[MigrationSpec, ...]) -> MigrationSpec:
    """The timeouts for what no `[migration]` names: those of a table that names nothing, else of the first."""
    return next(
        (entry for entry in specs if not entry.named),
        msgspec.structs.replace(specs[0], name="", template=""),
    )


def _plain(
    entry: MigrationSpec, documents: Sequence[Document], situation: Situation, rendered: Rendered
) -> SelectedObject | None:
    jobs = candidates(documents)
    if entry.template:
        jobs = tuple(job for job in jobs if from_template(job.source, entry.template))
    if len(jobs) > 1 and entry.name:
        jobs = _called(entry.name, jobs) or jobs
    if not jobs and entry.template and situation.install and not entry.renders_alone:
        return None
    if len(jobs) != 1:
        raise _unclear(entry, jobs, documents, rendered)
    name = entry.name or PurePosixPath(jobs[0].source).stem
    return SelectedObject(
        name, jobs[0].body, entry.phase or "before", entry, migration=True, resource=jobs[0]
    )


def _called(name: str, jobs: Sequence[Resource]) -> tuple[Resource, ...]:
    """The Jobs of that name, else those that end with it (`shop-migrate`), else those of a template called so."""
    exact = tuple(job for job in jobs if job.ref.name == name)
    ending = tuple(job for job in jobs if job.ref.name.endswith(f"-{name}"))
    return exact or ending or tuple(job for job in jobs if PurePosixPath(job.source).stem == name)


def _unclear(
    entry: MigrationSpec, jobs: Sequence[Resource], documents: Sequence[Document], rendered: Rendered
) -> Refused:
    everything = [f"{job.source}: Job {job.ref.name}" for job in candidates(documents)]
    everything += [f"{h.path}: {h.kind} {h.name} (hook {','.join(h.events)})" for h in rendered.hooks]
    where = (
        f"template {entry.template} "
        if entry.template
        else f"chart {entry.chart} "
        if entry.chart
        else "the chart "
    )
    if jobs:
        text = f"{where}renders {len(jobs)} Jobs: which one is the migration?"
        hint = advice(
            'set template = "templates/…" under [migration], or name = "…" when one template holds several'
        )
    else:
        text = f"{where}renders no Job to run as the migration"
        hint = advice(
            "is it behind a value? turn it on with set = { … } under [migration]; "
            "to deploy without a migration, add --skip-migration"
        )
    return Refused(text, hint=hint, details=tuple(everything) or ("the rendering holds no Job and no hook",))


def check_tag(selected: Sequence[SelectedObject], tag: str, tag_key: Sequence[str]) -> None:
    """The tag must be in an image of what each `[migration]` runs: of several hooks, one may only wait for a port.

    Raises Refused with the images that there are.
    """
    migrations = [entry for entry in selected if entry.migration]
    reached = [entry.spec for entry in migrations if uses_tag(entry.body, tag)]
    untagged = [entry for entry in migrations if entry.spec not in reached]
    if not untagged:
        return
    pinned = tuple(text for entry in untagged for text in held_by_digest(entry.body, tag))
    if pinned:
        raise Refused(
            f"the image of the migration has the tag {tag}, but a digest decides what runs: {pinned[0]}",
            hint=advice("leave the digest out of the values, or deploy by digest: --tag TAG@sha256:…"),
        )
    raise Refused(
        f"the tag {tag} is not in the image of the migration",
        hint=advice(
            f"does {' and '.join(tag_key)} reach it? set tag_key under [release] to the value that holds the tag"
        ),
        details=tuple(f"{e.kind} {e.name}: {', '.join(images(e.body)) or 'no image'}" for e in untagged),
    )
