"""The words for a `[migration]` that isn't there, or of which it isn't clear what it means."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path, PurePosixPath

from shipit.chart import from_template, resources, template_paths, values_asked_for
from shipit.config import MigrationSpec
from shipit.errors import Refused
from shipit.hints import Hint, advice
from shipit.plan.candidates import AROUND, Candidate, Rendering, migrations_of, of_hook, of_resource

_SET = "turn it on with set = { … } under [migration]"
_SKIP = "to deploy without a migration, add --skip-migration"


def unclear(spec: MigrationSpec, found: Sequence[Candidate], there: Rendering) -> Refused:
    """Several Jobs, and nothing says which of them is meant."""
    if len({(one.kind, one.name) for one in found}) == 1:
        return same_name(f"{found[0].kind} {found[0].name}", [one.source for one in found])
    pods = any(one.kind != "Job" for one in found)
    return Refused(
        f"{_where(spec)} renders {len(found)} {'Jobs and Pods' if pods else 'Jobs'}"
        + (f" called {spec.job}" if spec.job else "")
        + ": which one is the migration?",
        hint=advice(
            'set template = "templates/…" under [migration], or job = "…" when one template holds several, '
            'with a * for what changes in its name: job = "schema-*"'
        ),
        details=tuple(map(str, migrations_of(there))),
    )


def same_name(what: str, origins: Sequence[str]) -> Refused:
    """Two Jobs or Pods of one name can't both be there."""
    return Refused(
        f"{len(origins)} migrations are called {what}, and only one object of that name can be there",
        hint=advice("give each a name of its own in its template, or leave all but one out"),
        details=tuple(filter(None, origins)),
    )


def refuse_shared(picks: Sequence[tuple[MigrationSpec, Sequence[Candidate]]]) -> None:
    """Raises Refused where two tables mean the same Job."""
    for (spec, meant), (other, others) in combinations(picks, 2):
        for one in meant:
            if one in others:
                raise Refused(
                    f"the migrations {spec.name} and {other.name} are both {one.kind} {one.name}",
                    hint=advice(
                        'tell them apart with job = "…" under each [[migration]], or remove one of the two'
                    ),
                )


def no_such_template(spec: MigrationSpec, chart: Path, called: str) -> Refused | None:
    """None when the template is there. A subchart may be packed, or called otherwise than its folder. `called` is the
    chart's name or path as the configuration gives it.
    """
    inside = spec.template.removeprefix("./")
    named = (inside, inside.partition("/")[2])
    if not inside or any(each.startswith("charts/") for each in named):
        return None
    paths = template_paths(chart)
    if not set(named).isdisjoint(paths):
        return None
    there = sorted(path for path in paths if path.endswith((".yaml", ".yml")))
    stems = difflib.get_close_matches(
        PurePosixPath(inside).stem, {PurePosixPath(each).stem for each in there}, 3
    )
    near = [each for each in there if PurePosixPath(each).stem in stems]
    return Refused(
        f"the chart {called} has no template {spec.template}",
        hint=advice(
            f"did you mean {' or '.join(near)}?"
            if near
            else "name one of the chart's templates under [migration]"
        ),
        details=tuple(there),
    )


def not_rendered(spec: MigrationSpec, chart: Path, there: Rendering) -> Refused:
    """There is nothing to run, in either operation: what there is instead, or which value may be off."""
    rendered = _rendered(spec, there)
    text = f"{_where(spec)} renders no Job to run as the migration"
    if spec.job:
        text = f"{_where(spec)} renders no Job called {spec.job}"
    elif spec.template:
        text += f", but {', '.join(rendered)}" if rendered else ": it renders nothing"
    return Refused(
        text,
        hint=_may_be_off(spec, chart),
        details=tuple(rendered if spec.template else map(str, migrations_of(there)))
        or ("the rendering holds no Job and no hook",),
    )


def _where(spec: MigrationSpec) -> str:
    if spec.template:
        return f"template {spec.template}"
    return f"chart {spec.chart}" if spec.chart else "the chart"


def _rendered(spec: MigrationSpec, there: Rendering) -> list[str]:
    """What the template renders, by kind and name; of a hook also when it runs."""
    plain = [each for each in resources(there.documents) if from_template(each.source, spec.template)]
    hooks = [each for each in there.hooks if from_template(each.path, spec.template)]
    return [f"{each.ref.kind} {of_resource(each).name}" for each in plain] + [
        f"{each.kind} {of_hook(each).name} (hook {','.join(each.events)}"
        + (")" if AROUND & set(each.events) else ", which no deploy runs)")
        for each in hooks
    ]


def _may_be_off(spec: MigrationSpec, chart: Path) -> Hint:
    asked = values_asked_for(chart, spec.template) if spec.template else ()
    if asked:
        return advice(f"its template asks for {', '.join(asked)}: is that off? {_SET}; {_SKIP}")
    return advice(f"is it behind a value? {_SET}; {_SKIP}")
