"""Pure: what the app finds its pods by, and the labels that a pod may carry without being taken for one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shipit.chart import Document, resources
from shipit.model import Json, Resource, as_list, as_map, as_maps, as_text, spec_of

_OF_LABELS = ("Service", "ReplicationController")
_OF_EXPRESSIONS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "PodDisruptionBudget")
_THERE = ("In", "Exists")


def unselected(labels: Json, documents: Iterable[Document]) -> Json:
    """The labels without those by which a Service, a PodDisruptionBudget or a workload of these documents would take
    the pod for the app's. What nothing of that selects stays: an identity, what a NetworkPolicy looks at.
    """
    left = dict(labels)
    for selector in list(_selectors(resources(documents))):
        if selected(left, selector):
            left = {key: value for key, value in left.items() if key not in _keys(selector)}
    return left


def selected(labels: Json, selector: Json) -> bool:
    """Whether a label selector finds a pod with these labels; an empty one finds every pod."""
    return all(
        labels.get(key) == value for key, value in as_map(selector.get("matchLabels")).items()
    ) and all(_holds(labels, each) for each in as_maps(selector.get("matchExpressions")))


def _holds(labels: Json, expression: Json) -> bool:
    key, values = as_text(expression.get("key")), as_list(expression.get("values"))
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values and key in labels
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


def _keys(selector: Json) -> frozenset[str]:
    """The labels without which it finds no pod."""
    expressions = as_maps(selector.get("matchExpressions"))
    asked = (as_text(each.get("key")) for each in expressions if each.get("operator") in _THERE)
    return frozenset((*as_map(selector.get("matchLabels")), *asked))


def _selectors(objects: Iterable[Resource]) -> Iterator[Json]:
    for each in objects:
        selector = as_map(spec_of(each.body).get("selector"))
        if each.ref.kind in _OF_LABELS and selector:  # a Service without one has its endpoints from elsewhere
            yield {"matchLabels": selector}
        elif each.ref.kind in _OF_EXPRESSIONS:
            yield selector


def policies_that_miss(before: Json, after: Json, documents: Iterable[Document]) -> tuple[str, ...]:
    """The NetworkPolicies that let pods with the labels from before through, and not those with the labels after."""
    return tuple(
        dict.fromkeys(
            each.ref.title
            for each in resources(documents)
            if each.ref.kind == "NetworkPolicy"
            and any(selected(before, s) and not selected(after, s) for s in _let_through(each.body))
        )
    )


def _let_through(policy: Json) -> Iterator[Json]:
    """The pods that a policy names as peers."""
    spec = spec_of(policy)
    rules = ((each, "from") for each in as_maps(spec.get("ingress")))
    for rule, field in (*rules, *((each, "to") for each in as_maps(spec.get("egress")))):
        yield from (as_map(peer["podSelector"]) for peer in as_maps(rule.get(field)) if "podSelector" in peer)
