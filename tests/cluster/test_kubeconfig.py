"""Where the credentials come from, what a plugin may do, and what is never shown of it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shipit.cli.clock import SystemClock
from shipit.cluster import connect
from shipit.cluster.kubeconfig import Chosen, Wanted, choose
from shipit.errors import Refused, ShipitError, Unauthorized, Unreachable, Usage
from tests.scripted_api import Api, Json, kubeconfig, refuses, says, serving_securely


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving_securely(tmp_path) as found:
        found.on("GET", says({"gitVersion": "v1.34.4"}))
        yield found


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kubeconfig of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    for name in (
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_SERVICE_PORT",
        "POD_NAMESPACE",
        "HTTPS_PROXY",
        "https_proxy",
    ):
        monkeypatch.delenv(name, raising=False)


def chosen(kubeconfig: Path | str = "", context: str = "") -> Chosen:
    return choose(Wanted(str(kubeconfig), context))


def plugin(folder: Path, script: str) -> Json:
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(path),
            "interactiveMode": "Never",
        }
    }


def gives(token: str) -> str:
    body = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": token},
    }
    return f"cat <<EOF\n{json.dumps(body)}\nEOF"


def test_the_flag_comes_before_the_variable_and_the_variable_before_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / name for name in ("flag", "variable", "home/.kube")]
    for folder in folders:
        folder.mkdir(parents=True)
    flag, variable, home = (kubeconfig(folder, f"https://{folder.name}") for folder in folders)
    home.rename(home.with_name("config"))
    assert chosen().server == "https://.kube"
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/absent:{variable}")
    assert chosen().server == "https://variable"
    assert chosen(flag).server == "https://flag"


def test_a_context_of_its_own_and_its_namespace(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "http://x")
    body = json.loads(path.read_text())
    body["contexts"].append({"name": "there", "context": {"cluster": "c", "user": "u"}})
    del body["current-context"]
    path.write_text(json.dumps(body))
    assert chosen(path, "here").namespace == "shop"
    assert chosen(path, "there").namespace == "default"
    with pytest.raises(Usage, match="has no context ther") as caught:
        chosen(path, "ther")
    assert str(caught.value.hint) == "did you mean there?"
    with pytest.raises(Usage, match="has no current context") as caught:
        chosen(path)
    assert "here, there" in str(caught.value.hint)


SKIP = "insecure-skip-tls-verify"


@pytest.mark.parametrize(("said", "unverified"), [({}, ""), ({SKIP: False}, ""), ({SKIP: True}, "c")])
def test_a_cluster_whose_certificate_is_not_verified_is_named(
    api: Api, tmp_path: Path, said: Json, unverified: str
) -> None:
    path = kubeconfig(tmp_path, "https://127.0.0.1:1", None, **said)
    cluster = connect(kubeconfig=str(path), context=None, clock=api.clock)
    assert cluster.unverified == unverified
    cluster.close()


def test_no_kubeconfig_anywhere(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="there is no kubeconfig at"):
        chosen()
    with pytest.raises(Usage, match="nope does not exist"):
        chosen(tmp_path / "nope")


def test_in_a_pod_its_service_account_is_used(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("of-the-pod\n")
    (tmp_path / "namespace").write_text("jobs\n")
    (tmp_path / "ca.crt").write_bytes(Path(api.trust["certificate-authority"]).read_bytes())
    host, port = api.address.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr("shipit.cluster.kubeconfig.POD_ACCOUNT", tmp_path)
    cluster = connect(kubeconfig=None, context=None, clock=api.clock, folder=tmp_path)
    assert (cluster.context, cluster.default_namespace) == ("", "jobs")
    assert cluster._api.server == f"https://{host}:{port}"
    assert cluster.check() == "v1.34.4"
    assert api.asked[0].headers["authorization"] == "Bearer of-the-pod"
    helms = json.loads(cluster.kubeconfig.read_text())
    assert helms["users"][0]["user"] == {"tokenFile": str(tmp_path / "token")}
    assert helms["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "ca.crt")
    assert helms["contexts"][0]["name"] == helms["current-context"]
    monkeypatch.setenv("POD_NAMESPACE", "of-the-downward-api")
    assert chosen().namespace == "of-the-downward-api"
    cluster.close()


SECRET = "sesame-opens"
BROKEN = {
    "empty": "",
    "no yaml": f"users: [{{token: {SECRET}\n  - x: 'y",
    "a list": "- a\n- b\n",
    "no name": f"contexts: [{{token: {SECRET}}}]\nusers: []\nclusters: []\n",
    "no cluster": json.dumps(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "gone", "user": "u", "token": SECRET}}],
            "users": [{"name": "u", "user": {"token": SECRET}}],
            "clusters": [],
        }
    ),
    "odd user": json.dumps(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:1"}}],
            "users": [{"name": "u", "user": {"exec": {"args": [SECRET]}, "password": SECRET}}],
        }
    ),
    "no such certificate": json.dumps(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [
                {"name": "k", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority": "gone"}}
            ],
            "users": [{"name": "u", "user": {"token": SECRET}}],
        }
    ),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_kubeconfig_that_can_not_be_used_is_one_sentence_without_its_contents(
    api: Api, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(ShipitError) as caught:
        connect(kubeconfig=str(path), context=None, clock=api.clock)
    assert isinstance(caught.value, Usage | Refused | Unauthorized)
    assert SECRET not in f"{caught.value.message} {caught.value.hint!s} {caught.value.details}"
    assert "\n" not in caught.value.message


def test_a_kubeconfig_that_is_not_text(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Refused, match="can't be used"):
        connect(kubeconfig=str(path), context=None, clock=api.clock)
    with pytest.raises(Refused, match="is a directory"):
        connect(kubeconfig=str(tmp_path), context=None, clock=api.clock)


def test_credentials_that_ran_out_are_renewed_once_and_the_call_goes_on(api: Api, tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"echo x >> {count}; set -- $(wc -l < {count}); " + gives("token-$1")
    cluster = connect(
        kubeconfig=str(kubeconfig(tmp_path, api.address, plugin(tmp_path, script), **api.trust)),
        context=None,
        clock=api.clock,
    )
    api.on(
        "GET", says({"gitVersion": "v1"}), refuses(401, "Unauthorized", "expired"), says({"gitVersion": "v2"})
    )
    assert [cluster.check(), cluster.check()] == ["v1", "v2"]
    assert [request.headers["authorization"] for request in api.asked if request.method == "GET"] == [
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2",
    ]
    cluster.close()


EXPIRED = refuses(401, "Unauthorized", "expired")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.write_text(path.read_text()[:120]), "the kubeconfig .* can't be used"),
        (lambda path: path.unlink(), "the kubeconfig .* does not exist"),
        (lambda path: path.write_text(""), "has no context here"),
    ],
    ids=["half written", "removed", "empty"],
)
def test_a_kubeconfig_that_went_bad_meanwhile_is_no_refusal_of_what_has_begun(
    api: Api, tmp_path: Path, spoil: Callable[[Path], object], why: str
) -> None:
    path = kubeconfig(tmp_path, api.address, **api.trust)
    cluster = connect(kubeconfig=str(path), context=None, clock=api.clock)
    api.on("GET", EXPIRED)
    spoil(path)
    with pytest.raises(Unauthorized, match=f"the credentials expired: .*{why}"):
        cluster.check()
    cluster.close()


def test_threads_that_meet_a_401_share_one_renewal_and_each_waits_no_longer_than_it_may(
    api: Api, tmp_path: Path
) -> None:
    pids, go = tmp_path / "pids", tmp_path / "go"
    hangs = f"[ -e {go} ] && {{ echo $$ >> {pids}; while [ -e {go} ]; do sleep 0.05; done; }}\n"
    path = kubeconfig(tmp_path, api.address, plugin(tmp_path, hangs + gives("token")), **api.trust)
    cluster = connect(kubeconfig=str(path), context=None, clock=SystemClock())
    ended: list[str] = []

    def ask() -> None:
        ended.append(cluster.check())

    go.touch()
    api.on("GET", *[EXPIRED] * 4, says({"gitVersion": "v2"}))
    others = [threading.Thread(target=ask) for _ in range(3)]
    for other in others:
        other.start()
    started = time.monotonic()
    with pytest.raises(Unreachable, match=r"renewing them took more than 0\.\d+ s"), cluster.within(0.6):
        cluster.check()
    assert time.monotonic() - started < 2
    go.unlink()
    for other in others:
        other.join(10)
    assert ended == ["v2"] * 3
    assert len(pids.read_text().splitlines()) == 1
    cluster.close()


def test_a_plugin_that_hangs_does_not_hang_shipit(api: Api, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, api.address, plugin(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 600"))
    api.clock.tick = 5.0
    with pytest.raises(Unreachable, match="getting credentials for context here took more than 60 s"):
        connect(kubeconfig=str(path), context=None, clock=api.clock)
    ends(tmp_path / "pid")


def ends(pid: Path) -> None:
    """The plugin of this number ends; elsewhere than on Linux it is ended here."""
    number = int(pid.read_text())
    if not sys.platform.startswith("linux"):
        os.kill(number, signal.SIGTERM)
    until = time.monotonic() + 10
    while runs(number):
        assert time.monotonic() < until
        time.sleep(0.05)


def runs(pid: int) -> bool:
    """Ask ps, which also tells a process that only waits for its parent to look."""
    asked = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return asked.stdout.strip()[:1] not in ("", "Z")


def test_a_plugin_that_still_runs_when_shipit_ends_does_not_outlive_it(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "https://x", plugin(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 600"))
    code = f"""
import pathlib, threading, time
from shipit.cli.clock import SystemClock
from shipit.cluster import connect
how = {{"kubeconfig": {str(path)!r}, "context": None, "clock": SystemClock()}}
threading.Thread(target=connect, kwargs=how, daemon=True).start()
while not pathlib.Path({str(tmp_path / "pid")!r}).exists(): time.sleep(0.05)
time.sleep(0.1)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    ends(tmp_path / "pid")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'log in first' >&2; exit 1", "log in first"),
        ("echo no json", "its answer is not JSON"),
        ('echo \'{"kind": "x"}\'', "its answer is not of version client.authentication.k8s.io/v1"),
        ("exit 3", "exit code 3"),
    ],
)
def test_a_plugin_that_fails_is_quoted(
    api: Api, tmp_path: Path, script: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = kubeconfig(tmp_path, api.address, plugin(tmp_path, script), **api.trust)
    with pytest.raises(Unauthorized, match="returned no credentials") as caught:
        connect(kubeconfig=str(path), context=None, clock=api.clock)
    assert why in caught.value.message
    assert capsys.readouterr().err == ""


def test_a_plugin_that_fails_on_a_terminal_has_said_why_there(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = kubeconfig(tmp_path, api.address, plugin(tmp_path, "echo 'log in first' >&2; exit 1"))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with pytest.raises(Unauthorized, match="returned no credentials: it wrote the reason to the terminal"):
        connect(kubeconfig=str(path), context=None, clock=api.clock)
    assert capfd.readouterr().err == "log in first\n"


def test_a_plugin_that_is_not_there(api: Api, tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "/no/such/plugin"}}
    path = kubeconfig(tmp_path, api.address, user)
    with pytest.raises(Unauthorized, match="No such file"):
        connect(kubeconfig=str(path), context=None, clock=api.clock)


def test_a_password_in_the_servers_address_is_not_shown(api: Api, tmp_path: Path) -> None:
    address = api.address.replace("https://", f"https://admin:{SECRET}@")
    path = kubeconfig(tmp_path, address, **api.trust)
    cluster = connect(kubeconfig=str(path), context=None, clock=api.clock)
    api.on("GET", says("<html>", 502))
    with pytest.raises(Unreachable) as caught:
        cluster.check()
    assert SECRET not in str(caught.value.message)
    cluster.close()


def test_the_kubernetes_client_is_loaded_only_when_a_cluster_is_reached() -> None:
    code = "import shipit.cluster, shipit.logs.follower, sys; sys.exit('kubernetes' in sys.modules or 'urllib3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
