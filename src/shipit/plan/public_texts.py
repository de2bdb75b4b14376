"""What may be shown although a Secret holds it too: what a release's manifests say in clear, names, common words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from shipit.chart import Document, resources
from shipit.model import Json, Plan, as_map, as_text

_WORDS = (
    "localhost localhost.localdomain 127.0.0.1 0.0.0.0",
    "default public private master primary replica standby internal external system service",
    "postgres postgresql mariadb mongodb sqlite3 sqlserver oracle rabbitmq memcached elasticsearch opensearch",
    "clickhouse cassandra database",
    "production staging development testing preview",
    "enable enabled disable disabled require required prefer preferred optional verify-ca verify-full",
    "unicode utf8mb4 application console stdout stderr warning notice verbose critical",
    "username password secret secrets",
    "kubernetes cluster namespace container release revision deploy deployed deployer deployment upgrade upgraded",
    "rollout rollback migrate migration migrations shipit kubectl",
    "somebody running pending failed failure completed succeeded success started stopped unknown",
)
COMMON = frozenset(
    spelt for line in _WORDS for word in line.split() for spelt in (word, word.capitalize(), word.upper())
)
"""Words of every other configuration, and of what shipit, Helm and Kubernetes say themselves: a Secret that holds one
would blank out half of every log, and anybody would guess it."""


def public_texts(plan: Plan, live: Iterable[Document]) -> Iterator[str]:
    """Everything that stands in clear in what a release is and becomes, and the names that commands need."""
    yield from COMMON
    yield from (plan.release, plan.namespace, plan.tag, *plan.skipped)
    for step in (*plan.prerequisites, *plan.steps):
        yield from (step.name, step.hook.path if step.hook else "", *texts_in_clear(step.manifest))
    for each in (*plan.app, *resources(live)):
        yield from (each.source, *texts_in_clear(each.body))


def texts_in_clear(body: Json) -> Iterator[str]:
    """Every text of an object; of a Secret its names alone: its own, and those of its keys."""
    if body.get("kind") == "Secret":
        yield as_text(as_map(body.get("metadata")).get("name"))
        yield as_text(body.get("type"))
        yield from (*as_map(body.get("data")), *as_map(body.get("stringData")))
    else:
        yield from _texts(body)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for key, each in value.items():
                yield str(key)
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
        case bool() | None:
            return
        case _:
            yield str(value)
