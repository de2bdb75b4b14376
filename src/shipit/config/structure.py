"""What a `shipit.toml` may hold: every key, its type, its default, what it means, what checks it.

The JSON Schema for editors is made from this page, and so is what an error says about a key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from shipit.config import validators
from shipit.config.durations import ALLOWED as DURATION
from shipit.config.durations import PATTERN
from shipit.config.strvals import tag_keys
from shipit.model import Json

TEXT = "text in quotes"
TEXTS = 'a list of texts, like ["a", "b"], none of them empty'
TRUTH = "true or false, without quotes"
TABLE = "a table"

# a variable may stand for a duration, or for a part of it
_TIME = {"pattern": PATTERN + r"|\$\{", "examples": ["90s", "15m", "1h30m"]}


def about(
    description: str,
    allowed: str,
    check: Callable[[Any], str] | None = None,
    schema: Json | None = None,
) -> Meta:
    """What is known of a key beside its type; `check` takes its value and says what is wrong with it, or ""."""
    return Meta(
        description=description,
        extra={"allowed": allowed, "check": check},
        extra_json_schema=schema,
    )


# no pattern here: msgspec 0.22 frees the pattern of a `Text | Texts` once too often, and crashes
Text = Annotated[str, Meta(min_length=1)]
Texts = tuple[Text, ...]
Table = dict[str, Any]


class ReleaseTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Helm release that is deployed."""

    name: Annotated[Text | UnsetType, about("The release's name.", TEXT, validators.release_name)] = UNSET
    chart: Annotated[
        Text | UnsetType, about('A folder, relative to this file; "repo/chart"; or "oci://…".', TEXT)
    ] = UNSET
    version: Annotated[Text | UnsetType, about("The version of a chart that is not a folder.", TEXT)] = UNSET
    namespace: Annotated[
        Text | UnsetType, about("Where to deploy; the context's by default.", TEXT, validators.namespace)
    ] = UNSET
    context: Annotated[
        Text | UnsetType, about("The kubeconfig's context; the current one by default.", TEXT)
    ] = UNSET
    values: Annotated[Texts, about("Values files, relative to this file.", TEXTS)] = ()
    set: Annotated[Table, about("Values, as a table.", TABLE, validators.json_values)] = {}
    tag_key: Annotated[
        Text | Texts,
        about("The value, or values, that receive the tag.", f"{TEXT}, or {TEXTS}", tag_keys),
    ] = "image.tag"
    timeout: Annotated[
        Text, about("helm upgrade's timeout.", DURATION, validators.positive_duration, _TIME)
    ] = "5m"
    rollback_on_failure: Annotated[
        bool, about("Roll back a failed upgrade, after showing why; never a first install.", TRUTH)
    ] = False
    create_namespace: Annotated[bool, about("Create the namespace when it isn't there.", TRUTH)] = False
    helm_args: Annotated[
        Texts, about("Options that are passed to helm upgrade as they are.", TEXTS, validators.helm_args)
    ] = ()


class MigrationTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A migration: a Job of a chart, or one made from a workload of the chart."""

    name: Annotated[
        Text | UnsetType, about("Its name; its template's file stem by default.", TEXT, validators.step_name)
    ] = UNSET
    template: Annotated[
        Text | UnsetType,
        about(
            "Its template in the chart; the chart's only migration Job by default.", TEXT, validators.template
        ),
    ] = UNSET
    chart: Annotated[Text | UnsetType, about("Its chart; the release's by default.", TEXT)] = UNSET
    values: Annotated[Texts, about("Values files, on top of the release's.", TEXTS)] = ()
    set: Annotated[Table, about("Values, on top of the release's.", TABLE, validators.json_values)] = {}
    prerequisites: Annotated[
        Texts, about("Templates that are applied before the Job, like its ConfigMap or Secret.", TEXTS)
    ] = ()
    from_: Annotated[
        Text | UnsetType, about("The workload of which the Job is made.", TEXT, validators.workload)
    ] = UNSET
    container: Annotated[
        Text | UnsetType,
        about("The workload's container, or init container; its first container by default.", TEXT),
    ] = UNSET
    command: Annotated[Texts, about("What the container runs instead of its own command.", TEXTS)] = ()
    timeout: Annotated[
        Text,
        about(
            "How long it may take, from creation to completion.",
            DURATION,
            validators.positive_duration,
            _TIME,
        ),
    ] = "15m"
    start_timeout: Annotated[
        Text,
        about("How long until a container has started.", DURATION, validators.positive_duration, _TIME),
    ] = "5m"
    phase: Annotated[
        Literal["before", "after"] | UnsetType,
        about("Before or after the upgrade; by its hook by default, else before.", '"before" or "after"'),
    ] = UNSET
    first_install: Annotated[
        Literal["before", "after", "skip"] | UnsetType,
        about("When on a first install; as the phase by default.", '"before", "after" or "skip"'),
    ] = UNSET
    on_timeout: Annotated[
        Literal["leave", "delete"],
        about("What becomes of a Job that ran past its timeout.", '"leave" or "delete"'),
    ] = "leave"


class OnTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Commands that run on this machine; SHIPIT_DEPLOY_TAG and others are in their environment."""

    start: Annotated[Texts, about("Before a deploy; its failure refuses the deploy.", TEXTS)] = ()
    success: Annotated[Texts, about("After a deploy that succeeded.", TEXTS)] = ()
    failure: Annotated[Texts, about("After any other outcome.", TEXTS)] = ()


class EnvironmentTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is different in one environment, chosen with --env."""

    release: Annotated[ReleaseTable, about("On top of [release].", TABLE)] = ReleaseTable()
    migration: Annotated[
        MigrationTable | tuple[MigrationTable, ...],
        about("On top of [migration]; of several, by name.", "a table, or an array of tables"),
    ] = ()
    on: Annotated[OnTable, about("On top of [on].", TABLE)] = OnTable()
    confirm: Annotated[bool, about("Ask before deploying on a terminal; demand --yes elsewhere.", TRUTH)] = (
        False
    )


class FileTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `shipit deploy` deploys this project."""

    release: Annotated[ReleaseTable, about("The Helm release that is deployed.", TABLE)] = ReleaseTable()
    migration: Annotated[
        MigrationTable | tuple[MigrationTable, ...],
        about(
            "The migration; an array of tables for several, run in order.", "a table, or an array of tables"
        ),
    ] = ()
    on: Annotated[OnTable, about("Commands that run on this machine.", TABLE)] = OnTable()
    environments: Annotated[
        dict[str, EnvironmentTable], about("Overlays by environment, chosen with --env.", "a table of tables")
    ] = {}


def schema() -> Json:
    """The JSON Schema (draft 2020-12) of `shipit.toml`."""
    found = msgspec.json.schema(FileTable)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "shipit.toml", **found}
