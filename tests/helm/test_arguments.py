"""The argument lists that helm gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipit.errors import Refused, Usage
from shipit.helm import arguments, flags
from shipit.helm.arguments import Target
from shipit.model import HelmVersion

SHOP = Target("shop", "prod")
ELSEWHERE = Target("shop", "prod", context="eu")
CHART = Path("/frozen")


def test_rendering_is_an_upgrade_that_only_asks_the_server() -> None:
    assert arguments.render_args(ELSEWHERE, (), "oci://x/shop", [Path("/v/a.json"), Path("/v/b.yaml")]) == [
        "upgrade",
        "--install",
        "--dry-run=server",
        "--output=json",
        "--namespace=prod",
        "--kube-context=eu",
        "--values=/v/a.json",
        "--values=/v/b.yaml",
        "shop",
        "oci://x/shop",
    ]


def test_an_upgrade_runs_no_hooks_and_waits() -> None:
    assert arguments.upgrade_args(
        SHOP, (), CHART, [Path("/v.json")], timeout=90.2, wait=True, description="shipit deploy of v2"
    ) == [
        "upgrade",
        "--install",
        "--no-hooks",
        "--wait",
        "--timeout=91s",
        "--description=shipit deploy of v2",
        "--namespace=prod",
        "--values=/v.json",
        "shop",
        "/frozen",
    ]


def test_an_upgrade_that_is_not_to_wait_leaves_the_flag_out() -> None:
    given = arguments.upgrade_args(SHOP, ("--wait=legacy",), CHART, [], timeout=60, wait=False)

    assert not [word for word in given if word.startswith("--wait")]


def test_with_helm_4_the_user_chooses_how_helm_waits() -> None:
    upgrade = arguments.upgrade_args(SHOP, ("--wait=legacy",), CHART, [], timeout=60, wait=True)
    rollback = arguments.rollback_args(SHOP, ("--wait=legacy",), 3, timeout=60)

    assert "--wait=legacy" in upgrade
    assert "--wait=legacy" in rollback
    assert "--wait" not in [*upgrade, *rollback]
    assert "--wait=legacy" not in arguments.render_args(SHOP, ("--wait=legacy",), "c", [])


def test_a_rollback_runs_no_hooks_and_waits() -> None:
    assert arguments.rollback_args(SHOP, ("--kube-as-user", "ci", "--force-conflicts"), 7, timeout=30) == [
        "rollback",
        "--no-hooks",
        "--wait",
        "--timeout=30s",
        "--namespace=prod",
        "--kube-as-user",
        "ci",
        "shop",
        "7",
    ]


def test_reading_asks_for_the_newest_revisions_as_the_same_user() -> None:
    given = ("--kube-as-user=ci", "--set", "a=b")

    assert arguments.history_args(SHOP, given) == [
        "history", "--output=json", "--max=20", "--namespace=prod", "--kube-as-user=ci", "shop",
    ]  # fmt: skip
    assert arguments.get_args(SHOP, given, "hooks", 4) == [
        "get", "hooks", "--revision=4", "--namespace=prod", "--kube-as-user=ci", "shop",
    ]  # fmt: skip


def test_what_has_done_its_work_in_the_rendering_is_not_passed_again() -> None:
    given = (
        "--post-renderer", "./kustomize", "--post-renderer-args=x", "--version", "1.2", "--dependency-update",
        "--set", "a=b", "--reuse-values", "--force-conflicts", "-lteam=a",
    )  # fmt: skip

    rendered = arguments.render_args(SHOP, given, "repo/shop", [])
    upgraded = arguments.upgrade_args(SHOP, given, CHART, [], timeout=60, wait=False)

    assert [word for word in given if word not in rendered] == []
    assert upgraded[5:-2] == ["--set", "a=b", "--reuse-values", "--force-conflicts", "-lteam=a"]


def test_notes_are_always_asked_for_because_they_are_frozen_too() -> None:
    assert "--hide-notes" not in arguments.render_args(SHOP, ("--hide-notes",), "c", [])


def test_a_handover_takes_the_live_values_and_no_others() -> None:
    given = ("--set", "a=b", "-f", "x.yaml", "--reset-values", "--labels", "a=b", "--take-ownership")

    upgrade = arguments.upgrade_args(
        SHOP, given, CHART, [Path("/v.json")], timeout=60, wait=False, reuse_values=True
    )

    assert upgrade[3:] == [
        "--timeout=60s", "--namespace=prod", "--take-ownership", "--reuse-values", "shop", "/frozen",
    ]  # fmt: skip


def test_values_of_shipit_come_after_the_users_so_that_the_tag_wins() -> None:
    given = arguments.render_args(SHOP, ("-f", "theirs.yaml"), "c", [Path("/tag.json")])

    assert given.index("theirs.yaml") < given.index("--values=/tag.json")


def test_a_path_with_a_comma_is_one_path() -> None:
    """Helm reads `--values` as a line of CSV."""
    given = arguments.render_args(SHOP, (), "c", [Path('/a,b/"c".yaml')])

    assert '--values="/a,b/""c"".yaml"' in given


@pytest.mark.parametrize(
    ("helm_args", "hint"),
    [
        (("--atomic",), "rollback_on_failure = true"),
        (("--rollback-on-failure",), "rollback_on_failure = true"),
        (("--timeout", "5m"), "timeout"),
        (("--namespace=x",), "namespace"),
        (("-nx",), "namespace"),
        (("--dry-run",), "shipit plan"),
        (("-o", "yaml"), "leave it out"),
        (("--no-hooks",), "leave it out"),
        (("--wait",), "--wait=legacy"),
    ],
)
def test_what_shipit_sets_itself_is_refused_with_what_to_use(helm_args: tuple[str, ...], hint: str) -> None:
    with pytest.raises(Usage, match=r"release\.helm_args") as refused:
        flags.parse(("--debug", *helm_args))

    assert hint in str(refused.value.hint)


@pytest.mark.parametrize(
    "name", ["apiserver", "token", "ca-file", "tls-server-name", "insecure-skip-tls-verify"]
)
def test_helm_is_not_sent_to_a_cluster_of_its_own(name: str) -> None:
    with pytest.raises(
        Usage, match=rf"release\.helm_args: --kube-{name} would be known to helm alone"
    ) as refused:
        flags.parse((f"--kube-{name}=sesame-opens",))

    assert "sesame-opens" not in refused.value.message
    assert "context" in str(refused.value.hint)


def test_a_word_that_belongs_to_no_flag_is_refused() -> None:
    """It would become helm's release or chart."""
    with pytest.raises(Usage, match="'other' belongs to no flag"):
        flags.parse(("--debug", "other"))


def test_a_value_that_looks_like_a_flag_stays_a_value() -> None:
    assert [each.words for each in flags.parse(("--set", "--atomic", "--debug"))] == [
        ("--set", "--atomic"),
        ("--debug",),
    ]


def test_a_helm_that_is_too_old_is_refused_with_both_versions() -> None:
    with pytest.raises(
        Refused, match=r"/bin/helm is helm 3\.12; shipit needs helm 3\.13 or newer, or helm 4"
    ):
        arguments.check_version(HelmVersion(3, 12, 3), "/bin/helm")

    for good in (HelmVersion(3, 13, 0), HelmVersion(3, 22, 1), HelmVersion(4, 0, 0)):
        arguments.check_version(good, "/bin/helm")
