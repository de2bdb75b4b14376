"""What the migrations' own manifests say of running twice, or of being ended early: told, not refused. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from shipit.chart import pod_spec, pod_template_of
from shipit.config import format_duration
from shipit.events import Warned
from shipit.hints import advice
from shipit.model import (
    DO_NOT_DISRUPT,
    SAFE_TO_EVICT,
    Json,
    Step,
    as_int,
    as_map,
    as_maps,
    as_text,
    as_texts,
    metadata_of,
    spec_of,
)

BACKOFF_LIMIT = 6
"""Kubernetes' own, where a Job sets none."""
LONG = 1800.0
"""Seconds of timeout from which on an eviction is worth a warning: twice the default, so that whoever wrote them expects
a long migration, and thrice the ten minutes after which an autoscaler empties a node that is hardly used."""


def warnings_of(steps: Sequence[Step]) -> Iterator[Warned]:
    """Everything that is worth telling of the migrations before they run, once for all of which it is true."""
    told: dict[Warned, list[str]] = {}
    for step in steps:
        for concern in _concerns(step) if step.migration else ():
            told.setdefault(concern, []).append(step.ref.title)
    for concern, titles in told.items():
        yield replace(concern, message=f"{', '.join(dict.fromkeys(titles))} {concern.message}")
    yield from dict.fromkeys(each for step in steps for each in step.told)


def _concerns(step: Step) -> Iterator[Warned]:
    """What may happen to a migration: the words that follow its name, and what to write."""
    if step.ref.kind == "Job":
        yield from _retried(step)
        yield from _multiplied(spec_of(step.manifest))
        if spec_of(step.manifest).get("suspend") is True:
            yield Warned(
                "is made suspended (suspend: true): it runs only once somebody, or a queue, lets it go",
                hint=advice("without a queue such as Kueue, leave suspend out of its template"),
            )
    yield from _restarted(step)
    yield from _evictable(step)
    yield from _ended_early(step)


def _retried(step: Step) -> Iterator[Warned]:
    """A pod that has failed, or that is ending, is followed by another one."""
    spec = spec_of(step.manifest)
    limit, of_index = _backoff_limit(spec), as_int(spec.get("backoffLimitPerIndex"))
    if limit and step.retries is None:
        unset = spec.get("backoffLimit") is None
        because = f"not set, and Kubernetes' default is {limit}" if unset else str(limit)
        yield Warned(
            f"may run up to {limit + 1} times: backoffLimit is {because}",
            hint=advice("retries = 0 under [migration] runs it once, as backoffLimit: 0 in its spec does"),
        )
    if of_index:
        yield Warned(
            f"may run each index up to {of_index + 1} times: backoffLimitPerIndex is {of_index}",
            hint=advice("backoffLimitPerIndex: 0 in its spec runs each once"),
        )
    policy = as_map(spec.get("podFailurePolicy"))  # with one, podReplacementPolicy is Failed
    if (limit or of_index) and not policy and spec.get("podReplacementPolicy") != "Failed":
        yield Warned(
            "may run in two pods at once: one that is evicted is replaced while it still ends",
            hint=advice(
                "podReplacementPolicy: Failed in its spec waits for its end, as retries under [migration] does"
            ),
        )
    if any(rule.get("action") == "Ignore" for rule in as_maps(policy.get("rules"))):
        yield Warned(
            "may run again whatever backoffLimit says: podFailurePolicy ignores some failures",
            hint=advice("action: FailJob instead of Ignore in that rule ends the Job"),
        )


def _backoff_limit(spec: Json) -> int:
    """A null is Kubernetes' default; with a limit for each index there is none for the whole."""
    whole = 0 if spec.get("backoffLimitPerIndex") is not None else BACKOFF_LIMIT
    return as_int(spec.get("backoffLimit"), whole)


def _multiplied(spec: Json) -> Iterator[Warned]:
    """Several pods of one Job, each of which migrates."""
    wanted, at_once = as_int(spec.get("completions")), as_int(spec.get("parallelism"), 1)
    if wanted > 1:
        indexed = ", one for each index" if spec.get("completionMode") == "Indexed" else ""
        yield Warned(
            f"runs {wanted} pods to their end{indexed}: completions is {wanted}",
            hint=advice("completions: 1 in its spec runs one"),
        )
    if at_once > 1 and wanted != 1:
        yield Warned(
            f"runs {min(wanted or at_once, at_once)} pods at once: parallelism is {at_once}",
            hint=advice("parallelism: 1 in its spec runs one at a time"),
        )


def _restarted(step: Step) -> Iterator[Warned]:
    """A container that the kubelet starts again in its pod: a Job counts that only once it has happened."""
    if as_text(pod_spec(step.manifest).get("restartPolicy")) == "OnFailure":
        often = "at least once" if step.ref.kind == "Job" else "as often as it fails until the timeout"
        yield Warned(
            f"starts a failed container again, {often}: restartPolicy is OnFailure",
            hint=advice("restartPolicy: Never in the pod's spec runs it once"),
        )


def _evictable(step: Step) -> Iterator[Warned]:
    """An autoscaler that empties a node ends the migration in its middle."""
    notes = as_texts(metadata_of(pod_template_of(step.manifest)).get("annotations"))
    if step.timeout < LONG or notes.get(SAFE_TO_EVICT) == "false" or notes.get(DO_NOT_DISRUPT) == "true":
        return
    yield Warned(
        f"may be evicted in the middle: the timeout is {format_duration(step.timeout)}, and nothing keeps an autoscaler "
        "from emptying the node",
        hint=advice(
            f'annotate the pod (a Job\'s pod template): {SAFE_TO_EVICT}: "false", {DO_NOT_DISRUPT}: "true"'
        ),
    )


def _ended_early(step: Step) -> Iterator[Warned]:
    """The Job's deadline counts from its start, the pod's own from the pod's."""
    specs = (spec_of(step.manifest), pod_spec(step.manifest))
    given = [as_int(spec.get("activeDeadlineSeconds")) for spec in specs]
    deadline = min((each for each in given if each > 0), default=0)
    if 0 < deadline < step.timeout:
        timeout = format_duration(step.timeout)
        yield Warned(
            f"is ended after {deadline} s by activeDeadlineSeconds, before the timeout of {timeout}",
            hint=advice("raise activeDeadlineSeconds, or set a timeout below it under [migration]"),
        )
