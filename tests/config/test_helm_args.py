"""The flags in `helm_args`: which of them are shipit's own, and what each of the others is for."""

from __future__ import annotations

import pytest

from shipit.config import Use, parse_helm_args, switched_on
from shipit.errors import Usage


def problem(*words: str) -> str:
    with pytest.raises(Usage) as refused:
        parse_helm_args(words)
    return refused.value.message


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (("--install",), "leave it out"),
        (("-i",), "leave it out"),
        (("--atomic",), "use rollback_on_failure"),
        (("--atomic=true",), "use rollback_on_failure"),
        (("--rollback-on-failure",), "use rollback_on_failure"),
        (("--cleanup-on-fail",), "use rollback_on_failure"),
        (("--timeout", "5m"), "use timeout"),
        (("--namespace=secret",), "use namespace"),
        (("-nsecret",), "use namespace"),
        (("--kube-context=a",), "use context"),
        (("--kubeconfig", "x"), "use shipit's --kubeconfig"),
        (("--description=secret",), "use shipit's --message"),
        (("--values=secret.yaml",), "use values"),
        (("-fsecret.yaml",), "use values"),
        (("--dry-run=server",), "use `shipit doctor`"),
        (("-o", "yaml"), "leave it out"),
        (("--no-hooks",), "leave it out"),
    ],
)
def test_what_shipit_sets_itself_is_refused_with_what_to_use(words: tuple[str, ...], instead: str) -> None:
    message = problem("--debug", *words)
    assert message.endswith(f" is set by shipit: {instead}")
    assert "secret" not in message


@pytest.mark.parametrize(
    "name", ["apiserver", "token", "ca-file", "tls-server-name", "insecure-skip-tls-verify"]
)
def test_helm_is_not_sent_to_a_cluster_of_its_own(name: str) -> None:
    message = problem(f"--kube-{name}=sesame-opens")
    assert message.startswith(f"--kube-{name} would apply to helm but not to shipit")
    assert "context" in message
    assert "sesame-opens" not in message


@pytest.mark.parametrize("words", [("other",), ("--debug", "other"), ("--debug", "--"), ("--qps", "5", "-")])
def test_a_word_that_belongs_to_no_flag_is_refused_unseen(words: tuple[str, ...]) -> None:
    """It would become helm's release or chart; it may be the value of a flag that we don't know."""
    assert problem(*words).startswith(f"item no. {len(words)} is not a flag")


def test_a_value_of_its_own_word_belongs_to_its_flag_also_where_that_is_a_newer_helm_s() -> None:
    words = ("--post-renderer-strategy", "nohooks", "--new-in-helm-5", "a value", "--newer", "--qps", "-1")
    assert [(each.words, each.use) for each in parse_helm_args(words)] == [
        (("--post-renderer-strategy", "nohooks"), Use.RENDERING),
        (("--new-in-helm-5", "a value"), Use.UPGRADE),
        (("--newer",), Use.UPGRADE),
        (("--qps", "-1"), Use.CLUSTER),
    ]


@pytest.mark.parametrize("name", ["--force-conflicts", "--take-ownership", "--skip-crds", "--wait-for-jobs"])
def test_a_word_behind_a_flag_that_takes_none_is_refused(name: str) -> None:
    assert problem(name, "other") == 'item no. 2 is not a flag; write a flag and its value as "--flag=value"'


@pytest.mark.parametrize("word", ["--wait=false", "--wait=hookOnly", "--wait="])
def test_that_helm_waits_and_how_can_be_chosen(word: str) -> None:
    """With `hookOnly` or `false` helm would not wait, and the rollout would count as done."""
    assert "with Helm 4, --wait=watcher or --wait=legacy also chooses how helm waits" in problem(word)
    for good in ("--wait", "--wait=true", "--wait=watcher", "--wait=legacy"):
        (flag,) = parse_helm_args([good])
        assert (flag.use, flag.words) == (Use.WAITING, (good,))


def test_a_value_that_looks_like_a_flag_stays_a_value() -> None:
    flags = parse_helm_args(("--set", "--atomic", "--debug", "-lteam=a", "--set-file=a=b", "--new-in-helm-5"))
    assert [(each.words, each.value, each.use) for each in flags] == [
        (("--set", "--atomic"), "--atomic", Use.VALUES),
        (("--debug",), "", Use.CLUSTER),
        (("-lteam=a",), "team=a", Use.UPGRADE),
        (("--set-file=a=b",), "a=b", Use.VALUES),
        (("--new-in-helm-5",), "", Use.UPGRADE),
    ]


@pytest.mark.parametrize(
    ("words", "on"),
    [
        ((), False),
        (("--skip-crds",), True),
        (("--skip-crds=true",), True),
        (("--skip-crds=false",), False),
        (("--skip-crds", "--skip-crds=F"), False),
        (("--skip-crds=0", "--skip-crds"), True),
        (("--skip-crds-not",), False),
    ],
)
def test_a_flag_that_says_yes_or_no(words: tuple[str, ...], on: bool) -> None:
    assert switched_on(parse_helm_args(words), "--skip-crds") is on


def test_what_shapes_a_rendering_is_told_from_how_the_chart_is_got_at() -> None:
    words = ("--set-file=a=x,b=y", "--password=p", "--ca-file", "ca", "--devel", "--post-renderer", "./r", "--qps=9", "--labels=a=b")  # fmt: skip
    found = {flag.name: flag for flag in parse_helm_args(words)}
    shaping = [name for name, flag in found.items() if flag.shapes_rendering]
    assert shaping == ["--set-file", "--post-renderer"], "what is fetched counts by what it holds"
    assert [found[name].files for name in shaping] == [("x", "y"), ("./r",)]
