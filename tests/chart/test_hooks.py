"""Hooks run in Helm's order and are deleted by Helm's policies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shipit.chart.hooks import (
    INSTALL_ORDER,
    deletes_after,
    deletes_before,
    for_event,
    install_rank,
    stored_hooks,
)
from shipit.chart.manifest import split
from shipit.model import Hook


def hook(
    name: str, kind: str = "Job", weight: int = 0, events: str = "pre-upgrade", policies: str = ""
) -> Hook:
    return Hook(
        name=name,
        kind=kind,
        path=f"shop/templates/{name}.yaml",
        manifest="",
        events=tuple(events.split(",")),
        weight=weight,
        delete_policies=tuple(policies.split(",")) if policies else (),
    )


def names(hooks: tuple[Hook, ...]) -> list[str]:
    return [f"{each.kind}/{each.name}" for each in hooks]


def test_lower_weights_run_first() -> None:
    found = for_event([hook("a", weight=5), hook("b", weight=-5), hook("c")], "pre-upgrade")
    assert names(found) == ["Job/b", "Job/c", "Job/a"]


def test_of_one_weight_names_count_before_kinds() -> None:
    found = for_event([hook("b", "ConfigMap"), hook("a", "Job"), hook("c", "Secret")], "pre-upgrade")
    assert names(found) == ["Job/a", "ConfigMap/b", "Secret/c"]


def test_of_one_name_kinds_follow_the_install_order_and_unknown_kinds_come_last() -> None:
    kinds = ["Job", "Zebra", "ServiceAccount", "ConfigMap", "Aardvark", "Secret", "Role"]
    found = for_event([hook("shop", kind) for kind in kinds], "pre-upgrade")
    assert [each.kind for each in found] == [
        "ServiceAccount",
        "Secret",
        "ConfigMap",
        "Role",
        "Job",
        "Aardvark",
        "Zebra",
    ]


def test_twins_keep_the_order_in_which_helm_rendered_them() -> None:
    first, second = hook("shop"), hook("shop", policies="hook-succeeded")
    assert for_event([first, second], "pre-upgrade") == (first, second)


def test_a_hook_of_several_events_runs_at_each_once() -> None:
    both = hook("migrate", events="post-install,pre-upgrade,pre-upgrade")
    assert for_event([both], "post-install") == (both,)
    assert for_event([both], "pre-upgrade") == (both,)
    assert for_event([both], "pre-install") == ()


def test_tests_and_unknown_events_never_run() -> None:
    hooks = [hook("t", events="test"), hook("c", events="crd-install"), hook("n", events="")]
    assert for_event(hooks, "pre-upgrade") == ()


def test_a_hook_without_policy_is_deleted_before_it_is_created_anew() -> None:
    assert deletes_before(hook("a"))
    assert not deletes_after(hook("a"), succeeded=True)
    assert not deletes_after(hook("a"), succeeded=False)


def test_a_policy_of_its_own_takes_the_default_away() -> None:
    kept = hook("a", policies="hook-succeeded")
    assert not deletes_before(kept)
    assert deletes_after(kept, succeeded=True)
    assert not deletes_after(kept, succeeded=False)
    assert deletes_after(hook("a", policies="hook-failed"), succeeded=False)
    assert deletes_before(hook("a", policies="hook-succeeded,before-hook-creation"))


def test_a_custom_resource_definition_is_never_deleted() -> None:
    crd = hook("x", "CustomResourceDefinition", policies="before-hook-creation,hook-succeeded,hook-failed")
    assert not deletes_before(crd)
    assert not deletes_after(crd, succeeded=True)
    assert not deletes_after(crd, succeeded=False)


@given(st.permutations([hook(n, k, w) for n in "ab" for k in ("Job", "Secret", "Odd") for w in (-1, 2)]))
def test_the_order_does_not_depend_on_how_hooks_arrive(hooks: list[Hook]) -> None:
    found = for_event(hooks, "pre-upgrade")
    assert list(found) == sorted(hooks, key=lambda h: (h.weight, h.name, install_rank(h.kind)))
    assert names(found) == ["Secret/a", "Job/a", "Odd/a", "Secret/b", "Job/b", "Odd/b"] * 2


def test_the_install_order_is_whole() -> None:
    assert len(INSTALL_ORDER) == len(set(INSTALL_ORDER)) == 38


STORED = """\
---
# Source: shop/templates/0003/jobs/migrate.yaml
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations:
    helm.sh/hook: post-install, Post-Upgrade
    helm.sh/hook-weight: "-5"
    helm.sh/hook-delete-policy: hook-succeeded,before-hook-creation
---
# Source: shop/templates/0004/charts/db/templates/init.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: init
  annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: high}
"""


def test_the_hooks_that_a_revision_holds_are_those_that_were_rendered() -> None:
    job, settings = stored_hooks(split(STORED))
    assert (job.name, job.kind, job.path) == ("migrate", "Job", "shop/templates/jobs/migrate.yaml")
    assert (job.events, job.weight) == (("post-install", "post-upgrade"), -5)
    assert job.delete_policies == ("hook-succeeded", "before-hook-creation")
    assert job.manifest.startswith("apiVersion: batch/v1\nkind: Job\n")
    assert (settings.path, settings.weight) == ("shop/charts/db/templates/init.yaml", 0)
    assert settings.delete_policies == ()
