"""The argument lists that helm gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipit.config import acting_as, parse_helm_args
from shipit.errors import Refused, Usage
from shipit.helm import arguments
from shipit.helm.arguments import Target
from shipit.helm.values import ValueFlags
from shipit.model import HelmVersion

SHOP = Target("shop", "prod")
ELSEWHERE = Target("shop", "prod", context="eu")
CHART = Path("/frozen")
NONE = ValueFlags()
GIVEN = ValueFlags(
    below=("--values=/v/a.json", "--set=n=2500000"), above=("--set=a=b", "--set-string=tag=v2")
)
LEGACY = parse_helm_args(["--wait=legacy"])


def test_rendering_is_an_upgrade_that_only_asks_the_server() -> None:
    assert arguments.render_args(ELSEWHERE, (), "oci://x/shop", GIVEN) == [
        "upgrade",
        "--install",
        "--dry-run=server",
        "--output=json",
        "--namespace=prod",
        "--kube-context=eu",
        "--values=/v/a.json",
        "--set=n=2500000",
        "--set=a=b",
        "--set-string=tag=v2",
        "shop",
        "oci://x/shop",
    ]


def test_an_upgrade_runs_no_hooks_and_waits() -> None:
    assert arguments.upgrade_args(
        SHOP, (), CHART, GIVEN, timeout=90.2, wait=True, description="shipit deploy of v2"
    ) == [
        "upgrade",
        "--install",
        "--no-hooks",
        "--skip-crds",
        "--wait",
        "--timeout=91s",
        "--description=shipit deploy of v2",
        "--namespace=prod",
        "--values=/v/a.json",
        "--set=n=2500000",
        "--set=a=b",
        "--set-string=tag=v2",
        "shop",
        "/frozen",
    ]


def test_an_upgrade_that_is_not_to_wait_leaves_the_flag_out() -> None:
    given = arguments.upgrade_args(SHOP, LEGACY, CHART, NONE, timeout=60, wait=False)

    assert not [word for word in given if word.startswith("--wait")]


def test_with_helm_4_the_user_chooses_how_helm_waits() -> None:
    upgrade = arguments.upgrade_args(SHOP, LEGACY, CHART, NONE, timeout=60, wait=True)
    rollback = arguments.rollback_args(SHOP, LEGACY, 3, timeout=60)

    assert "--wait=legacy" in upgrade
    assert "--wait=legacy" in rollback
    assert "--wait" not in [*upgrade, *rollback]
    assert "--wait=legacy" not in arguments.render_args(SHOP, LEGACY, "c", NONE)


def test_a_helm_3_that_would_not_know_the_strategy_is_found_before_the_migration() -> None:
    arguments.check_flags(HelmVersion(4, 0, 0), LEGACY)
    arguments.check_flags(HelmVersion(3, 22, 0), parse_helm_args(["--debug"]))
    with pytest.raises(Usage, match=r"--wait=legacy needs helm 4, this is helm 3\.22\.0"):
        arguments.check_flags(HelmVersion(3, 22, 0), LEGACY)


def test_a_rollback_runs_no_hooks_and_waits() -> None:
    given = parse_helm_args(["--qps", "9", "--force-conflicts"])
    assert arguments.rollback_args(SHOP, given, 7, timeout=30) == [
        "rollback",
        "--no-hooks",
        "--wait",
        "--timeout=30s",
        "--namespace=prod",
        "--qps",
        "9",
        "--force-conflicts",
        "shop",
        "7",
    ]


def test_a_rollback_does_without_the_flags_that_it_does_not_know_and_without_waiting_where_it_is_asked_to() -> (
    None
):
    given = parse_helm_args(["--set", "a=b", "--skip-crds", "--reuse-values", "--take-ownership"])
    found = arguments.rollback_args(SHOP, given, 7, timeout=30, wait=False)
    assert found == ["rollback", "--no-hooks", "--timeout=30s", "--namespace=prod", "shop", "7"]


def test_a_revision_is_restored_with_its_own_values_alone() -> None:
    given = parse_helm_args(["--set", "a=b", "--reuse-values", "--labels", "x=y", "--force-conflicts"])
    values = ValueFlags(("--values=own.yaml",), ())
    args = arguments.upgrade_args(SHOP, given, Path("/frozen"), values, timeout=30, wait=True, restores=True)
    assert "--reset-values" in args
    assert "--values=own.yaml" in args
    assert "--force-conflicts" in args
    assert not {"a=b", "--reuse-values", "x=y"} & set(args)


def test_reading_asks_for_the_newest_revisions() -> None:
    given = parse_helm_args(["--qps=9", "--set", "a=b"])

    assert arguments.history_args(SHOP, given) == [
        "history", "--output=json", "--max=20", "--namespace=prod", "--qps=9", "shop",
    ]  # fmt: skip
    assert arguments.get_args(SHOP, given, "hooks", 4) == [
        "get", "hooks", "--revision=4", "--namespace=prod", "--qps=9", "shop",
    ]  # fmt: skip


def test_whom_helm_acts_as_is_in_the_kubeconfig_that_it_gets_and_not_on_its_command_line() -> None:
    given = parse_helm_args(["--kube-as-user=ci", "--kube-as-group", "a", "--kube-as-group=b"])
    assert acting_as(given) == ("ci", ("a", "b"))
    assert acting_as(()) == ("", ())
    every = [
        arguments.render_args(SHOP, given, "c", NONE),
        arguments.upgrade_args(SHOP, given, CHART, NONE, timeout=60, wait=True),
        arguments.upgrade_args(SHOP, given, CHART, None, timeout=60, wait=True),
        arguments.rollback_args(SHOP, given, 7, timeout=30),
        arguments.history_args(SHOP, given),
        arguments.get_args(SHOP, given, "hooks", 4),
    ]
    assert [word for words in every for word in words if "kube-as" in word] == []


def test_what_has_done_its_work_in_the_rendering_is_not_passed_again() -> None:
    words = (
        "--post-renderer", "./kustomize", "--post-renderer-args=x", "--devel", "--dependency-update",
        "--set", "a=b", "--reuse-values", "--force-conflicts", "-lteam=a",
    )  # fmt: skip
    given = parse_helm_args(words)

    rendered = arguments.render_args(SHOP, given, "repo/shop", NONE)
    upgraded = arguments.upgrade_args(SHOP, given, CHART, NONE, timeout=60, wait=False)

    assert [word for word in words if word not in rendered] == []
    assert upgraded[6:-2] == ["--set", "a=b", "--reuse-values", "--force-conflicts", "-lteam=a"]


def test_notes_are_always_asked_for_because_they_are_frozen_too() -> None:
    given = parse_helm_args(["--hide-notes"])
    assert "--hide-notes" not in arguments.render_args(SHOP, given, "c", NONE)


def test_a_handover_takes_the_live_values_and_no_others() -> None:
    given = parse_helm_args(["--set", "a=b", "--reset-values", "--labels", "a=b", "--take-ownership"])

    upgrade = arguments.upgrade_args(SHOP, given, CHART, None, timeout=60, wait=False)

    assert upgrade[4:] == [
        "--timeout=60s", "--namespace=prod", "--reuse-values", "--take-ownership", "shop", "/frozen",
    ]  # fmt: skip


def test_of_two_assignments_the_users_own_flags_beat_set_and_what_was_typed_beats_both() -> None:
    """Helm takes the later of two that are of one kind."""
    given = arguments.render_args(SHOP, parse_helm_args(["--set", "n=1", "--set-string=tag=x"]), "c", GIVEN)

    assert given.index("--set=n=2500000") < given.index("n=1") < given.index("--set=a=b")
    assert given.index("--set-string=tag=x") < given.index("--set-string=tag=v2")


def test_a_helm_that_is_too_old_is_refused_with_both_versions() -> None:
    with pytest.raises(
        Refused, match=r"/bin/helm is helm 3\.12; shipit needs helm 3\.13 or newer, or helm 4"
    ):
        arguments.check_version(HelmVersion(3, 12, 3), "/bin/helm")

    for good in (HelmVersion(3, 13, 0), HelmVersion(3, 22, 1), HelmVersion(4, 0, 0)):
        arguments.check_version(good, "/bin/helm")


def test_without_the_api_server_s_word_flags_of_upgrades_are_left_out() -> None:
    words = ("--post-renderer", "./kustomize", "--set", "a=b", "--reuse-values", "--history-max=3", "--hide-notes", "--wait=legacy")  # fmt: skip
    given = parse_helm_args(words)
    served = ("v1", "apps/v1")
    args = arguments.template_args(SHOP, given, "chart", GIVEN, live=True, kube_version="v1.34.4", api_versions=served)  # fmt: skip
    assert args == [
        "template",
        "--dry-run=server",
        "--kube-version=v1.34.4",
        "--api-versions=v1,apps/v1",
        "--namespace=prod",
        "--values=/v/a.json",
        "--set=n=2500000",
        "--post-renderer",
        "./kustomize",
        "--set",
        "a=b",
        "--set=a=b",
        "--set-string=tag=v2",
        "shop",
        "chart",
    ]
    assert arguments.definitions_args(SHOP, given, CHART, NONE) == [
        "template", "--include-crds", "--namespace=prod", "--set", "a=b", "shop", "/frozen",
    ]  # fmt: skip


def test_rendering_alone_asks_no_cluster() -> None:
    assert arguments.alone_args(SHOP, (), "chart", GIVEN, upgrade=True) == [
        "template",
        "--is-upgrade",
        "--namespace=prod",
        "--values=/v/a.json",
        "--set=n=2500000",
        "--set=a=b",
        "--set-string=tag=v2",
        "shop",
        "chart",
    ]
    assert "--is-upgrade" not in arguments.alone_args(SHOP, (), "chart", NONE, upgrade=False)


def test_another_chart_keeps_its_own_defaults_where_the_live_values_are_used_again() -> None:
    given = parse_helm_args(["--reuse-values", "--set", "a=b"])

    def words(version: HelmVersion) -> list[str]:
        return [word for flag in arguments.for_other_chart(version, given) for word in flag.words]

    assert words(HelmVersion(3, 14, 0)) == ["--set", "a=b", "--reset-then-reuse-values"]
    assert words(HelmVersion(3, 13, 3)) == ["--reuse-values", "--set", "a=b"], "it can't do better"
    off = parse_helm_args(["--reuse-values=false"])
    assert arguments.for_other_chart(HelmVersion(4, 0, 0), off) == []
