"""What a migration's own manifest says of running twice, or of being ended before its time: told, not refused. Pure."""

from __future__ import annotations

from collections.abc import Iterator

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


def warnings_of(step: Step) -> Iterator[Warned]:
    """Everything that is worth telling of a migration before it runs; nothing of any other step."""
    if not step.migration:
        return
    if step.ref.kind == "Job":
        yield from _retried(step)
        yield from _multiplied(step)
    yield from _restarted(step)
    yield from _evictable(step)
    yield from _ended_early(step)


def _retried(step: Step) -> Iterator[Warned]:
    """A pod that has failed, or that is ending, is followed by another one."""
    spec, name = spec_of(step.manifest), step.ref.name
    limit, of_index = _backoff_limit(spec), as_int(spec.get("backoffLimitPerIndex"))
    if limit and step.retries is None:
        given = f"its backoffLimit is {limit}" if spec.get("backoffLimit") is not None else _NO_LIMIT
        yield Warned(
            f"Job {name} may run up to {limit + 1} times: {given}",
            hint=advice("retries = 0 under [migration] runs it once, as backoffLimit: 0 in its spec does"),
        )
    if of_index:
        yield Warned(
            f"each index of Job {name} may run up to {of_index + 1} times: its backoffLimitPerIndex is {of_index}",
            hint=advice("backoffLimitPerIndex: 0 in its spec runs each once"),
        )
    policy = as_map(spec.get("podFailurePolicy"))  # with one, podReplacementPolicy is Failed
    if (limit or of_index) and not policy and spec.get("podReplacementPolicy") != "Failed":
        yield Warned(
            f"two pods of Job {name} may run at once: one that is evicted is replaced while it still ends",
            hint=advice(
                "podReplacementPolicy: Failed in its spec waits for its end, as retries under [migration] does"
            ),
        )
    if any(rule.get("action") == "Ignore" for rule in as_maps(policy.get("rules"))):
        yield Warned(
            f"Job {name} may run again however low its backoffLimit is: its podFailurePolicy ignores some failures",
            hint=advice("action: FailJob instead of Ignore in that rule ends the Job"),
        )


_NO_LIMIT = f"it sets no backoffLimit, and Kubernetes' default is {BACKOFF_LIMIT}"


def _backoff_limit(spec: Json) -> int:
    """A null is Kubernetes' default; with a limit for each index there is none for the whole."""
    whole = 0 if spec.get("backoffLimitPerIndex") is not None else BACKOFF_LIMIT
    return as_int(spec.get("backoffLimit"), whole)


def _multiplied(step: Step) -> Iterator[Warned]:
    """Several pods of one Job, each of which migrates."""
    spec, name = spec_of(step.manifest), step.ref.name
    wanted, at_once = as_int(spec.get("completions")), as_int(spec.get("parallelism"), 1)
    if wanted > 1:
        indexed = ", one for each index" if spec.get("completionMode") == "Indexed" else ""
        yield Warned(
            f"Job {name} runs {wanted} pods to their end{indexed}: its completions is {wanted}",
            hint=advice("completions: 1 in its spec runs one"),
        )
    if (wanted or at_once) > 1 and at_once > 1:
        yield Warned(
            f"Job {name} runs {min(wanted or at_once, at_once)} pods at once: its parallelism is {at_once}",
            hint=advice("parallelism: 1 in its spec runs one at a time"),
        )


def _restarted(step: Step) -> Iterator[Warned]:
    """A container that the kubelet starts again in its pod, which no Job counts before it has happened."""
    if as_text(pod_spec(step.manifest).get("restartPolicy")) == "OnFailure":
        often = "at least once more" if step.ref.kind == "Job" else "as often as it fails, until the timeout"
        yield Warned(
            f"a container of {step.ref.title} that fails is started again, {often}: its restartPolicy is OnFailure",
            hint=advice("restartPolicy: Never in the pod's spec runs it once"),
        )


def _evictable(step: Step) -> Iterator[Warned]:
    """An autoscaler that empties a node ends the migration in its middle."""
    notes = as_texts(metadata_of(pod_template_of(step.manifest)).get("annotations"))
    if step.timeout < LONG or notes.get(SAFE_TO_EVICT) == "false" or notes.get(DO_NOT_DISRUPT) == "true":
        return
    yield Warned(
        f"the pod of {step.ref.title} may be evicted in the middle: its timeout is {format_duration(step.timeout)}, "
        "and nothing keeps an autoscaler from emptying its node",
        hint=advice(
            f"annotate {'its pod template' if step.ref.kind == 'Job' else 'it'} with "
            f'{SAFE_TO_EVICT}: "false" and {DO_NOT_DISRUPT}: "true"'
        ),
    )


def _ended_early(step: Step) -> Iterator[Warned]:
    """The Job's deadline counts from its start, the pod's own from the pod's."""
    specs = (spec_of(step.manifest), pod_spec(step.manifest))
    given = [as_int(spec.get("activeDeadlineSeconds")) for spec in specs]
    deadline = min((each for each in given if each > 0), default=0)
    if 0 < deadline < step.timeout:
        yield Warned(
            f"{step.ref.title} is ended after {deadline} s by its activeDeadlineSeconds, "
            f"before its timeout of {format_duration(step.timeout)}",
            hint=advice("raise activeDeadlineSeconds, or set a timeout below it under [migration]"),
        )
