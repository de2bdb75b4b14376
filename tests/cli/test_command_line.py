"""A hint's command repeats what was typed: pasted as it stands, it does the same again."""

from __future__ import annotations

import shlex

import pytest

from shipit import cli
from shipit.cli.command_line import CommandLine
from shipit.cli.options import Common, OutputKind
from shipit.hints import Hint, advice, deploy_again, helm, kubectl, shipit


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHIPIT_NAMESPACE", "SHIPIT_CONFIG", "SHIPIT_KUBECONFIG", "SHIPIT_SET", "SHIPIT_TAG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[Common]:
    """The command lines that were understood; what they would do is left out."""
    found: list[Common] = []
    for command in ("deploy", "logs", "unlock", "doctor"):
        monkeypatch.setattr(f"shipit.cli.{command}.conduct", lambda common, *_, **__: found.append(common))
    return found


def pasted(typed: list[Common], words: str, hint: Hint, *, reveal: bool = False, context: str = "") -> str:
    """The command of a hint after `shipit WORDS`."""
    assert cli.run(shlex.split(words)) == 0
    line = typed[-1].typed
    line.context = context
    return str(line.complete(hint, shows=lambda _: reveal))


AGAIN = deploy_again("v1", why="checks the state and resumes")


@pytest.mark.parametrize(
    ("words", "repeated"),
    [
        ("-f a.yaml --values b.yaml", "-f a.yaml -f b.yaml"),
        ("-c deploy/shipit.toml -e prod", "-c deploy/shipit.toml -e prod"),
        ("-n shop --kube-context prod", "-n shop --context prod"),
        ("--kubeconfig ~/k", "--kubeconfig '~/k'"),
        ("--migration-timeout 30m --upgrade-timeout 5m", "--timeout 30m --upgrade-timeout 5m"),
        ("--lock-wait 1m --skip-migration -y", "--skip-migration --lock-wait 1m -y"),
        ("-m 'hot fix; now' --report 'my report.json'", "-m 'hot fix; now' --report 'my report.json'"),
        ("-o json -q -v --no-color", "-o json -q -v --no-color"),
    ],
)
def test_every_flag_that_was_typed_is_repeated(typed: list[Common], words: str, repeated: str) -> None:
    assert pasted(typed, f"deploy -t v1 {words}", AGAIN) == f"shipit deploy --tag v1 {repeated}"


def test_what_was_replaced_or_run_again_is_not_done_twice(typed: list[Common]) -> None:
    assert (
        pasted(typed, "deploy --tag v1 --rerun --replace-running -n a", AGAIN)
        == "shipit deploy --tag v1 -n a"
    )
    hint = deploy_again("v1", "--rerun")
    assert pasted(typed, "deploy --tag v1 --rerun", hint) == "shipit deploy --tag v1 --rerun"


def test_a_value_of_the_hints_own_takes_the_place_of_the_one_that_was_typed(typed: list[Common]) -> None:
    hint = deploy_again("v2", "--timeout", "1h")
    shown = pasted(typed, "deploy --tag v1 --migration-timeout 5m -n a", hint)
    assert shown == "shipit deploy --tag v2 --timeout 1h -n a"


def test_what_the_environment_says_it_says_again(
    typed: list[Common], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIPIT_NAMESPACE", "shop")
    monkeypatch.setenv("SHIPIT_CONFIG", "other.toml")
    assert pasted(typed, "deploy --tag v1 -e prod", AGAIN) == "shipit deploy --tag v1 -e prod"


@pytest.mark.parametrize(
    ("typed_as", "on_a_terminal", "in_a_log"),
    [
        ("--set a=1", "--set a=1", "--set 'a=…'"),
        ("--set a=1,b=2 --set-string c=3", "--set a=1,b=2 --set-string c=3", "--set 'a=…,b=…' --set-string 'c=…'"),
        ("--set 'a=two words'", "--set 'a=two words'", "--set 'a=…'"),
        ("--set a=1,db.password=x,b=2", "--set 'a=1,db.password=…,b=2'", "--set 'a=…,db.password=…,b=…'"),
        ("--set-string apiKey=x", "--set-string 'apiKey=…'", "--set-string 'apiKey=…'"),
        (r"--set 'a=1\,secret,token=x=y'", r"--set 'a=1\,secret,token=…'", "--set 'a=…,token=…'"),
        ("--set 'secrets={x,y}z,a=1'", "--set 'secrets=…,a=1'", "--set 'secrets=…,a=…'"),
        ("--set 'token={x,y'", "--set 'token=…'", "--set 'token=…'"),
        ("--set hunter22", "--set '…'", "--set '…'"),
    ],
)  # fmt: skip
def test_values_are_shown_on_a_terminal_only_and_never_those_of_telling_keys(
    typed: list[Common], typed_as: str, on_a_terminal: str, in_a_log: str
) -> None:
    words = f"deploy --tag v1 {typed_as}"
    assert pasted(typed, words, AGAIN, reveal=True) == f"shipit deploy --tag v1 {on_a_terminal}"
    assert pasted(typed, words, AGAIN) == f"shipit deploy --tag v1 {in_a_log}"


def test_another_command_is_told_where_the_release_is_and_nothing_else(typed: list[Common]) -> None:
    words = "deploy --tag v1 -c x.toml -e prod -n shop --context prod -f a.yaml --yes -o json"
    assert (
        pasted(typed, words, shipit("logs", "migrate")) == "shipit logs migrate -c x.toml -e prod -n shop --context prod"
    )  # fmt: skip
    assert pasted(typed, "logs migrate -n shop --follow", AGAIN) == "shipit deploy --tag v1 -n shop"
    assert pasted(typed, "unlock -e prod -y", shipit("unlock", "--yes")) == "shipit unlock --yes -e prod"


def test_kubectl_and_helm_look_at_the_same_cluster(
    typed: list[Common], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "deploy --tag v1 -n shop --kubeconfig 'my config'"
    pods, history = kubectl("get", "pods", namespace="shop"), helm("history", "shop", namespace="shop")
    assert (
        pasted(typed, words, pods, context="prod")
        == "kubectl get pods -n shop --context prod --kubeconfig 'my config'"
    )
    assert (
        pasted(typed, words, history, context="prod")
        == "helm history shop -n shop --kube-context prod --kubeconfig 'my config'"
    )
    assert (
        pasted(typed, words, kubectl("auth", "whoami", "--context", "staging"), context="prod")
        == "kubectl auth whoami --context staging --kubeconfig 'my config'"
    )
    assert pasted(typed, "deploy --tag v1", pods) == "kubectl get pods -n shop"
    monkeypatch.setenv("SHIPIT_KUBECONFIG", "k")
    assert pasted(typed, "deploy --tag v1", pods) == "kubectl get pods -n shop --kubeconfig k"


def test_advice_stays_as_it_is() -> None:
    line = CommandLine("deploy", context="prod", kubeconfig="k")
    assert line.complete(advice("raise the quota")) == advice("raise the quota")


def test_an_options_value_is_repeated_as_it_is_typed(typed: list[Common]) -> None:
    assert cli.run(["deploy", "--tag", "v1", "-o", "json"]) == 0
    assert typed[-1].output is OutputKind.JSON
    assert tuple(str(typed[-1].typed.complete(AGAIN)).split()[-2:]) == ("-o", "json")
