"""What a `shipit.toml` may hold: every key, its type, its default, what it means, what checks it.

The JSON Schema for editors is made from this page, and so is what an error says about a key. A section of a file,
decoded, is what the rest of shipit uses.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from shipit.config import validators
from shipit.config.awaited import awaited_ref
from shipit.config.durations import ALLOWED as DURATION
from shipit.config.durations import PATTERN, format_duration, seconds
from shipit.config.files import layer_of
from shipit.config.helm_args import Use, parse_helm_args
from shipit.model import Json, Layer, Ref

TEXT = "text in quotes"
TEXTS = 'a list of texts, like ["a", "b"], none of them empty'
TRUTH = "true or false, without quotes"
COUNT = "a whole number, 0 or more, without quotes"
TABLE = "a table"
MIGRATIONS = "a table, or an array of tables"
WORDS = 'a list of texts, like ["alembic", "upgrade", "head"]'


def about(
    description: str,
    allowed: str,
    check: Callable[[Any], str] | None = None,
    *,
    decode: Callable[[Any], Any] | None = None,
    schema: Json | None = None,
) -> Meta:
    """What is known of a key beside its type.

    `decode` makes of what the file says what the key's type is, None where that can't be; `check` takes the value and
    says what is wrong with it, or "".
    """
    return Meta(
        description=description,
        extra={"allowed": allowed, "check": check, "decode": decode},
        extra_json_schema=schema,
    )


def about_of(type: Any) -> Meta:
    """What `about` says of a field, by its type."""
    return next(
        meta
        for meta in get_args(type)[1:]
        if get_origin(type) is Annotated and isinstance(meta, Meta) and meta.extra
    )


def duration(description: str) -> Meta:
    """A key of type float, in seconds, that the file writes as Go writes durations."""
    # a variable may stand for a duration, or for a part of it
    text = {"pattern": PATTERN + r"|\$\{", "examples": ["90s", "15m", "1h30m"]}
    return about(
        description,
        DURATION,
        validators.longer_than_zero,
        decode=lambda value: seconds(value) if isinstance(value, str) else None,
        schema=text,
    )


# no pattern here: msgspec 0.22 frees the pattern of a `Text | Texts` once too often, and crashes
Text = Annotated[str, Meta(min_length=1)]
Texts = tuple[Text, ...]
Words = tuple[str, ...]
Table = dict[str, Any]


class ReleaseSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Helm release that is deployed."""

    name: Annotated[Text, about("The release's name.", TEXT, validators.release_name)] = ""
    chart: Annotated[
        Text,
        about(
            'The chart: a folder or archive (.tgz), relative to this file, "oci://…", "repo/chart" or an archive\'s URL.',
            TEXT,
        ),
    ] = ""
    version: Annotated[
        Text,
        about("The version of a chart that is fetched, or a range of versions; the newest by default.", TEXT),
    ] = ""
    namespace: Annotated[
        Text, about("Where to deploy; the context's by default.", TEXT, validators.namespace)
    ] = ""
    context: Annotated[Text, about("The kubeconfig's context; the current one by default.", TEXT)] = ""
    values: Annotated[Texts, about("Values files, relative to this file, or URLs.", TEXTS)] = ()
    set: Annotated[Table, about("Values, as a table.", TABLE, validators.json_values)] = {}
    tag_key: Annotated[
        Text | Texts,
        about("The value, or values, that receive the tag.", f"{TEXT}, or {TEXTS}", validators.tag_keys),
    ] = "image.tag"
    timeout: Annotated[float, duration("helm upgrade's timeout.")] = 300.0
    rollback_on_failure: Annotated[
        bool | Literal["unless-migrated"],
        about(
            'Roll back a failed upgrade, after showing why; never a first install. "unless-migrated": only when no '
            "migration ran in the deploy.",
            'true, false or "unless-migrated"',
        ),
    ] = False
    test: Annotated[
        bool, about("Run the chart's test hooks after the rollout, as helm test does.", TRUTH)
    ] = False
    preflight: Annotated[
        Literal["refuse", "warn"],
        about(
            "What becomes of what dry runs, quotas and permission reviews refuse: a refusal, or a warning and it is "
            "tried all the same.",
            '"refuse" or "warn"',
        ),
    ] = "refuse"
    max_restarts: Annotated[
        int,
        about(
            "How often a container of the new pods may be restarted before the rollout ends early; 0: wait for the timeout.",
            "a number, 0 or more",
            validators.not_negative,
            schema={"minimum": 0},
        ),
    ] = 5
    create_namespace: Annotated[bool, about("Create the namespace when it isn't there.", TRUTH)] = False
    helm_args: Annotated[
        Texts, about("Options that are passed to helm upgrade as they are.", TEXTS, validators.helm_args)
    ] = ()

    @property
    def waits_first(self) -> bool:
        """Whether `helm_args` ask helm to wait for the pods before its post-hooks run."""
        return any(flag.use is Use.WAITING for flag in parse_helm_args(self.helm_args))

    @property
    def waits_for_jobs(self) -> bool:
        """Whether `helm_args` ask helm to wait for the app's Jobs too."""
        return any(flag.name == "--wait-for-jobs" for flag in parse_helm_args(self.helm_args))

    @property
    def tag_keys(self) -> tuple[str, ...]:
        return (self.tag_key,) if isinstance(self.tag_key, str) else self.tag_key


class MigrationSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A migration: a Job or Pod of a chart, or a Job that is made from one of its workloads."""

    name: Annotated[
        Text, about("Its name; its template's file stem by default.", TEXT, validators.step_name)
    ] = ""
    template: Annotated[
        Text,
        about(
            "Its template in the chart; the chart's only migration Job by default.", TEXT, validators.template
        ),
    ] = ""
    job: Annotated[
        Text,
        about(
            "Picks one Job by its name, where `*` and `?` stand for what changes: `schema-*`.",
            TEXT,
            validators.job,
        ),
    ] = ""
    workload: Annotated[
        Text,
        about(
            "The workload of the chart that its Job is made from, in place of a template: `deployment/shop`.",
            'kind/name in quotes, like "deployment/shop"',
            validators.workload,
        ),
    ] = msgspec.field(name="from", default="")
    container: Annotated[
        Text,
        about(
            "With `from`: the container that migrates, or an init container; the first one by default.", TEXT
        ),
    ] = ""
    command: Annotated[
        Words | UnsetType,
        about("With `from`: what runs in place of the container's own command and arguments.", WORDS),
    ] = UNSET
    args: Annotated[
        Words | UnsetType, about("With `from`: the arguments in place of the container's own.", WORDS)
    ] = UNSET
    resources: Annotated[
        Table | UnsetType,
        about(
            "With `from`: its requests and limits; the container's by default.", TABLE, validators.resources
        ),
    ] = UNSET
    lift: Annotated[
        bool, about("With `from`: takes the init container that migrates out of the app's pods.", TRUTH)
    ] = False
    chart: Annotated[Text, about("Its chart; the release's by default.", TEXT)] = ""
    version: Annotated[Text, about("The version of its own chart, where that is fetched.", TEXT)] = ""
    values: Annotated[Texts, about("Values files, or URLs, on top of the release's.", TEXTS)] = ()
    set: Annotated[Table, about("Values, on top of the release's.", TABLE, validators.json_values)] = {}
    prerequisites: Annotated[
        Text | Texts,
        about(
            'Templates that it needs before the upgrade, or "auto": what it references of the chart\'s own Secrets, '
            "ConfigMaps, accounts, Roles and claims.",
            f'{TEXTS}, or "auto"',
            validators.prerequisites,
        ),
    ] = ()
    wait_for: Annotated[
        Texts,
        about(
            'What must be ready before it starts: "deployment/db", "service/db", "secret/db-app".',
            TEXTS,
            validators.wait_for,
        ),
    ] = ()
    timeout: Annotated[float, duration("How long it may take, from creation to completion.")] = 900.0
    start_timeout: Annotated[
        float, duration("How long until a container has started; and what it waits for is ready.")
    ] = 300.0
    phase: Annotated[
        Literal["before", "during", "after"] | UnsetType,
        about(
            "Before the upgrade, once it is applied (during), or once its pods are ready (after); by its hook by default, or before.",
            '"before", "during" or "after"',
        ),
    ] = UNSET
    first_install: Annotated[
        Literal["before", "during", "after", "skip"] | UnsetType,
        about(
            "When it runs as long as the first install has not succeeded, or not at all (skip); as the phase by default.",
            '"before", "during", "after" or "skip"',
        ),
    ] = UNSET
    require_tag: Annotated[
        bool,
        about(
            "Whether its image must have the tag; false for a migration with an image of its own (Flyway).",
            TRUTH,
        ),
    ] = True
    retries: Annotated[
        int | UnsetType,
        about(
            "The Job's backoffLimit, with podReplacementPolicy Failed; as the chart says by default.",
            COUNT,
            validators.retries,
            schema={"minimum": 0, "maximum": validators.MOST_RETRIES},
        ),
    ] = UNSET
    on_timeout: Annotated[
        Literal["leave", "delete"],
        about("What becomes of a Job that ran past its timeout.", '"leave" or "delete"'),
    ] = "leave"

    @property
    def backoff_limit(self) -> int | None:
        """What `retries` sets, None where the chart decides."""
        return None if self.retries is UNSET else self.retries

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Its own values, lowest first."""
        return (*(layer_of(text, Path()) for text in self.values), *([self.set] if self.set else []))

    @property
    def templates_needed(self) -> tuple[str, ...]:
        """The templates under `prerequisites`; none for "auto"."""
        return () if isinstance(self.prerequisites, str) else self.prerequisites

    def awaits(self, namespace: str) -> tuple[Ref, ...]:
        """What `wait_for` names, in the release's namespace."""
        return tuple(awaited_ref(each, namespace) for each in self.wait_for)

    @property
    def renders_alone(self) -> bool:
        """It has a rendering of its own, for it has a chart or values of its own."""
        return bool(self.chart or self.layers)

    @property
    def picks(self) -> bool:
        """It says what of its rendering is meant."""
        return bool(self.template or self.job or self.workload)

    @property
    def named(self) -> bool:
        """False for a table that only says how to run what the chart holds, or none."""
        return self.picks or self.renders_alone


class OnTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Commands that a deploy runs on this machine, in the folder of this file."""

    start: Annotated[
        Words,
        about(
            "Runs before anything is changed; a failure refuses the deploy.", WORDS, validators.local_command
        ),
    ] = ()
    success: Annotated[Words, about("Runs once it is deployed.", WORDS, validators.local_command)] = ()
    failure: Annotated[Words, about("Runs after any other outcome.", WORDS, validators.local_command)] = ()


class EnvironmentTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is different in one environment, chosen with --env."""

    release: Annotated[ReleaseSpec, about("On top of [release].", TABLE)] = ReleaseSpec()
    migration: Annotated[
        MigrationSpec | tuple[MigrationSpec, ...],
        about("On top of [migration], or of those of [[migration]] that have these names.", MIGRATIONS),
    ] = ()
    on: Annotated[OnTable, about("On top of [on].", TABLE)] = OnTable()
    confirm: Annotated[bool, about("Ask before deploying on a terminal; demand --yes elsewhere.", TRUTH)] = (
        False
    )


class FileTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `shipit deploy` deploys this project."""

    release: Annotated[ReleaseSpec, about("The Helm release that is deployed.", TABLE)] = ReleaseSpec()
    migration: Annotated[
        MigrationSpec | tuple[MigrationSpec, ...],
        about("The migration, [migration], or several in their order, each a [[migration]].", MIGRATIONS),
    ] = ()
    on: Annotated[OnTable, about("Commands that a deploy runs on this machine.", TABLE)] = OnTable()
    environments: Annotated[
        dict[str, EnvironmentTable], about("Overlays by environment, chosen with --env.", "a table of tables")
    ] = {}


def schema() -> Json:
    """The JSON Schema (draft 2020-12) of `shipit.toml`: defaults are as the file writes them."""
    found = msgspec.json.schema(FileTable)
    for table in found["$defs"].values():
        for about_key in table["properties"].values():
            match about_key.get("default"):
                case "":
                    del about_key["default"]
                case float() as default:
                    about_key |= {"type": "string", "default": format_duration(default)}
                case dict():
                    about_key["default"] = {}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "shipit.toml", **found}
