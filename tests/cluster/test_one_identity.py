"""One context for helm and for our own client: chosen as kubectl chooses it, and the same until the end."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipit.cluster import KubeCluster, connect, helms_overrides
from shipit.cluster.kubeconfig import Chosen, Wanted, choose
from shipit.errors import Forbidden, IdentityChanged, Refused, Usage
from tests.scripted_api import Api, Fault, Handler, Json, kubeconfig, refuses, says, serving_securely

WHO = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving_securely(tmp_path) as found:
        found.on("GET", says({"gitVersion": "v1.34.4"}))
        yield found


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        each for each in os.environ if each.startswith(("KUBE", "HELM_")) or "proxy" in each.lower()
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def entries(name: str, *, current: str = "", user: Json | None = None, **cluster: Any) -> Json:
    """A kubeconfig of one context whose cluster, user and context have the same name."""
    return {
        "current-context": current,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": f"of-{name}"}}],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}", **cluster}}],
        "users": [{"name": name, "user": user or {"token": f"token-of-{name}"}}],
    }


def write(path: Path, body: Json | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body if isinstance(body, str) else yaml.safe_dump(body))
    return path


def chosen(*files: Path | str, context: str = "", environ: dict[str, str] | None = None) -> Chosen:
    environ = {"KUBECONFIG": os.pathsep.join(map(str, files)), **(environ or {})}
    return choose(Wanted(context=context, overrides=helms_overrides(environ), environ=environ))


def test_the_first_file_that_names_a_current_context_decides(tmp_path: Path) -> None:
    nameless = write(tmp_path / "a", entries("a"))
    first, second = (write(tmp_path / name, entries(name, current=name)) for name in "bc")
    assert chosen(nameless, first, second).server == "https://b"
    assert chosen(second, first, nameless).server == "https://c"
    both = write(tmp_path / "d", entries("d", current="a"))
    assert chosen(both, first, nameless).server == "https://a"


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing yet\n", "apiVersion: v1\nkind: Config\ncontexts: null\n"]
)
def test_an_empty_first_file_and_missing_ones_are_passed_over(tmp_path: Path, text: str) -> None:
    empty = write(tmp_path / "empty", text)
    full = write(tmp_path / "full", entries("b", current="b"))
    assert chosen(tmp_path / "absent", empty, "", full).server == "https://b"


def test_in_the_variable_a_tilde_is_a_letter_as_for_kubectl(tmp_path: Path) -> None:
    write(tmp_path / "home" / "there", entries("a", current="a"))
    full = write(tmp_path / "full", entries("b", current="b"))
    assert chosen("~/there", full).server == "https://b"


def test_of_entries_with_one_name_the_first_files_count_whole(tmp_path: Path) -> None:
    first = write(tmp_path / "first", entries("a", user={"username": "u", "password": "p"}))
    second = write(tmp_path / "second", entries("a", current="a", user=None, **{"tls-server-name": "x"}))
    found = chosen(first, second)
    assert (found.user, found.cluster) == ({"username": "u", "password": "p"}, {"server": "https://a"})


def test_two_entries_of_one_name_in_one_file_are_refused_as_by_kubectl(tmp_path: Path) -> None:
    body = entries("a", current="a")
    body["clusters"] *= 2
    with pytest.raises(Refused, match="clusters has two entries named a"):
        chosen(write(tmp_path / "a", body))


def test_paths_start_at_the_file_that_holds_their_entry(tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}
    here = entries("a", user={"tokenFile": "../token", "exec": {**plugin, "command": "./bin/login"}})
    there = entries("b", user=None, **{"certificate-authority": "ca.crt"})
    here["contexts"][0]["context"]["cluster"] = "b"
    first, second = (
        write(tmp_path / "x/one", here),
        write(tmp_path / "y/two", there | {"current-context": "a"}),
    )
    write(tmp_path / "token", "t")
    write(tmp_path / "y/ca.crt", "c")
    write(tmp_path / "x/ca.crt", "another")
    found = chosen(first, second)
    assert found.cluster["certificate-authority"] == str(tmp_path / "y/ca.crt")
    assert found.user["tokenFile"] == str(tmp_path / "token")
    assert found.user["exec"]["command"] == str(tmp_path / "x/bin/login")
    assert found.document()["users"] == [{"name": "a", "user": found.user}]
    here["users"][0]["user"]["exec"]["command"] = "aws"
    write(first, here)
    assert chosen(first, second).user["exec"]["command"] == "aws"


def test_the_context_is_the_askers_then_helms_then_the_files(tmp_path: Path) -> None:
    files = [write(tmp_path / name, entries(name, current="a")) for name in "abc"]
    helms = {"HELM_KUBECONTEXT": "b"}
    assert chosen(*files).context == "a"
    assert chosen(*files, environ=helms).context == "b"
    assert chosen(*files, environ=helms, context="c").context == "c"
    with pytest.raises(Usage, match="has no context x"):
        chosen(*files, environ={"HELM_KUBECONTEXT": "x"})


def test_helms_variables_lie_on_the_entries(tmp_path: Path) -> None:
    data = {"certificate-authority-data": "QQ==", "tls-server-name": "kubernetes"}
    path = write(tmp_path / "a", entries("a", current="a", user=None, **data))
    environ = {
        "HELM_KUBETOKEN": "another",
        "HELM_KUBEASUSER": "jane",
        "HELM_KUBEASGROUPS": "developers,testers",
        "HELM_KUBEAPISERVER": "https://elsewhere",
        "HELM_KUBECAFILE": str(write(tmp_path / "ca.crt", "c")),
        "HELM_NAMESPACE": "shop",
    }
    found = chosen(path, environ=environ)
    assert found.user == {"token": "another", "as": "jane", "as-groups": ["developers", "testers"]}
    assert found.cluster == {
        "server": "https://elsewhere",
        "tls-server-name": "",
        "certificate-authority": str(tmp_path / "ca.crt"),
        "insecure-skip-tls-verify": False,
    }
    assert found.namespace == "shop"
    assert chosen(path, environ={"HELM_KUBEINSECURE_SKIP_TLS_VERIFY": "true"}).unverified == "a"
    assert chosen(path, environ={"HELM_KUBETLS_SERVER_NAME": "b"}).cluster["tls-server-name"] == "b"


def test_helms_variables_need_no_kubeconfig() -> None:
    environ = {"HELM_KUBEAPISERVER": "https://there", "HELM_KUBETOKEN": "t"}
    found = choose(Wanted(overrides=helms_overrides(environ), environ=environ))
    assert (found.context, found.server, found.namespace) == ("", "https://there", "default")
    document = found.document()
    assert document["contexts"][0]["name"] == document["current-context"]
    assert document["users"][0]["user"] == {"token": "t"}


def test_flags_come_before_helms_variables() -> None:
    environ = {"HELM_KUBEASUSER": "jane", "HELM_KUBEASGROUPS": "developers"}
    found = helms_overrides(environ, as_user="joe", as_groups=("testers",))
    assert (found.as_user, found.as_groups) == ("joe", ("testers",))


def test_no_current_context_in_a_pod_is_the_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tmp_path / "account"
    write(account / "token", "t")
    write(account / "namespace", "jobs\n")
    monkeypatch.setattr("shipit.cluster.kubeconfig.POD_ACCOUNT", account)
    pod = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    found = chosen(write(tmp_path / "a", entries("a")), environ=pod)
    assert (found.server, found.namespace, found.context) == ("https://[fd00::1]:443", "jobs", "")
    body = entries("a", current="a")
    del body["contexts"][0]["context"]["namespace"]
    found = chosen(write(tmp_path / "a", body), environ=pod)
    assert (found.server, found.namespace) == ("https://a", "jobs")
    acting = chosen(environ={**pod, "HELM_KUBEASUSER": "jane"})
    assert acting.user == {"tokenFile": str(account / "token"), "as": "jane"}


@pytest.mark.parametrize(
    ("user", "cluster", "problem"),
    [
        ({"token": "sesame", "username": "u"}, {}, "a token and a password"),
        ({"client-certificate-data": "QQ=="}, {}, "a client-certificate without its client-key"),
        ({"client-certificate": "gone", "client-key": "gone"}, {}, "client-certificate .*gone: no such file"),
        ({"client-key-data": "sesame!"}, {}, "client-key-data is not base64"),
        ({"tokenFile": "gone"}, {}, "tokenFile .*gone: no such file"),
        ({"as-groups": ["a"]}, {}, "but `as` names nobody"),
        ({"as": "a\nb"}, {}, "no header can hold"),
        ({"as": "a", "as-groups": "b"}, {}, "as-groups must be a list"),
        ({"token": 12}, {}, "token is not text"),
        (
            {"exec": {"command": "x", "apiVersion": "client.authentication.k8s.io/v1"}},
            {},
            "no interactiveMode",
        ),
        (
            {"exec": {"command": "x", "apiVersion": "y/v1beta1", "interactiveMode": "Always"}},
            {},
            "wants a terminal",
        ),
        ({"exec": {"apiVersion": "y/v1beta1"}}, {}, "has no command"),
        ({}, {"certificate-authority": "gone"}, "certificate-authority .*gone: no such file"),
        ({}, {"certificate-authority": "a", "certificate-authority-data": "QQ=="}, "only one is allowed"),
        ({}, {"certificate-authority-data": "QQ==", "insecure-skip-tls-verify": True}, "exclude each other"),
        ({}, {"proxy-url": "socks5://p"}, "SOCKS"),
        ({}, {"proxy-url": "p:3128"}, "no scheme"),
        ({}, {"server": ""}, "cluster a of context a has no server"),
    ],
)
def test_what_neither_kubectl_nor_helm_could_use_is_refused(
    tmp_path: Path, user: Json, cluster: Json, problem: str
) -> None:
    path = write(tmp_path / "a", entries("a", current="a", user=user or None, **cluster))
    with pytest.raises(Refused, match=problem) as caught:
        chosen(path)
    assert "sesame" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "instead"), [("oidc", "oidc-login"), ("gcp", "gke-gcloud-auth-plugin"), ("azure", "kubelogin")]
)
def test_the_old_auth_provider_is_refused_with_what_replaces_it(
    tmp_path: Path, name: str, instead: str
) -> None:
    user = {"auth-provider": {"name": name, "config": {"id-token": "sesame"}}}
    with pytest.raises(Refused, match=f"auth-provider {name}") as caught:
        chosen(write(tmp_path / "a", entries("a", current="a", user=user)))
    assert instead in str(caught.value.hint)
    assert "exec" in str(caught.value.hint)


def test_a_user_that_is_nowhere_is_nobody_as_for_kubectl(tmp_path: Path) -> None:
    body = entries("a", current="a")
    del body["users"]
    assert chosen(write(tmp_path / "a", body)).user == {}


def connected(api: Api, path: Path, folder: Path) -> KubeCluster:
    folder.mkdir(exist_ok=True)
    return connect(kubeconfig=str(path), context=None, clock=api.clock, folder=folder)


def test_each_request_says_whom_it_acts_as(api: Api, tmp_path: Path) -> None:
    user = {
        "token": "of-the-pipeline",
        "as": "system:serviceaccount:shop:limited",
        "as-uid": "42",
        "as-groups": ["developers", "testers, too"],
        "as-user-extra": {"scopes/of mine": ["view", "zürich"]},
    }
    heard: list[list[tuple[str, str]]] = []

    def hear(handler: Handler) -> None:
        heard.append(list(handler.headers.items()))
        says({})(handler)

    api.on("GET", hear)
    cluster = connected(api, kubeconfig(tmp_path, api.address, user, **api.trust), tmp_path / "f")
    cluster.check()
    sent = [(name, value) for name, value in heard[0] if name.startswith("Impersonate")]
    cluster.close()
    assert sent == [
        ("Impersonate-User", "system:serviceaccount:shop:limited"),
        ("Impersonate-Uid", "42"),
        ("Impersonate-Group", "developers"),
        ("Impersonate-Group", "testers, too"),
        ("Impersonate-Extra-scopes%2Fof%20mine", "view"),
        ("Impersonate-Extra-scopes%2Fof%20mine", "zürich".encode().decode("latin-1")),
    ]
    assert dict(heard[0])["authorization"] == "Bearer of-the-pipeline"


def test_who_may_not_act_as_another_is_told_so(api: Api, tmp_path: Path) -> None:
    words = 'users "jane" is forbidden: User "joe" cannot impersonate resource "users" in API group ""'
    api.on("GET", refuses(403, "Forbidden", words))
    cluster = connected(
        api, kubeconfig(tmp_path, api.address, {"token": "t", "as": "jane"}, **api.trust), tmp_path / "f"
    )
    with pytest.raises(Forbidden, match=r'^not allowed to act as another user: .*User "joe"') as caught:
        cluster.check()
    assert "impersonate" in str(caught.value.hint)
    cluster.close()


def test_a_kubeconfig_that_may_not_be_read_is_not_passed_over(tmp_path: Path) -> None:
    """As with kubectl: another file would lead to another cluster."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(Refused, match="loop can't be used"):
        chosen(loop, write(tmp_path / "a", entries("a", current="a")))


def test_helm_gets_the_context_alone_readable_by_nobody_else(api: Api, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, api.address, {"token": "t", "as": "jane"}, **api.trust)
    body = json.loads(path.read_text())
    body["users"].append({"name": "other", "user": {"token": "sesame"}})
    path.write_text(json.dumps(body))
    cluster = connected(api, path, tmp_path / "f")
    assert stat.S_IMODE(cluster.kubeconfig.stat().st_mode) == 0o600
    helms = json.loads(cluster.kubeconfig.read_text())
    assert helms["users"] == [{"name": "u", "user": {"token": "t", "as": "jane"}}]
    assert helms["contexts"][0]["name"] == "here" == helms["current-context"]
    cluster.close()


def is_user(name: str) -> Fault:
    return says({"kind": "SelfSubjectReview", "status": {"userInfo": {"username": name}}}, 201)


def rewritten(path: Path, change: Callable[[Json], object]) -> None:
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))


def test_a_token_that_was_replaced_reaches_helm_and_us(api: Api, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, api.address, {"token": "old"}, **api.trust)
    api.on(WHO, is_user("jane"))
    cluster = connected(api, path, tmp_path / "f")
    cluster.check()
    rewritten(path, lambda body: body["users"][0].update(user={"token": "new"}))
    cluster.renew_kubeconfig()
    assert json.loads(cluster.kubeconfig.read_text())["users"][0]["user"] == {"token": "new"}
    cluster.check()
    assert api.asked[-1].headers["authorization"] == "Bearer new"
    cluster.close()


ELSEWHERE: dict[str, tuple[Callable[[Json], object], str]] = {
    "server": (lambda body: body["clusters"][0]["cluster"].update(server="https://elsewhere"), "server"),
    "authority": (
        lambda body: body["clusters"][0].update(cluster={"server": body["clusters"][0]["cluster"]["server"]}),
        "certificate authority",
    ),
    "user": (lambda body: body["contexts"][0]["context"].update(user="v"), "user"),
    "impersonation": (lambda body: body["users"][0]["user"].update({"as": "root"}), "impersonation"),
}


@pytest.mark.parametrize("change", ELSEWHERE)
def test_a_kubeconfig_that_leads_elsewhere_by_now_stops_everything(
    api: Api, tmp_path: Path, change: str
) -> None:
    path = kubeconfig(tmp_path, api.address, **api.trust)
    cluster = connected(api, path, tmp_path / "f")
    cluster.check()
    edit, what = ELSEWHERE[change]
    rewritten(path, edit)
    before = cluster.kubeconfig.read_text()
    with pytest.raises(IdentityChanged, match=f"its {what} is another one now") as caught:
        cluster.renew_kubeconfig()
    assert caught.value.exit_code == 8
    assert cluster.kubeconfig.read_text() == before
    api.on("GET", refuses(401, "Unauthorized", "expired"))
    with pytest.raises(IdentityChanged):
        cluster.check()
    cluster.close()


def test_a_current_context_that_was_switched_changes_nothing(api: Api, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, api.address, **api.trust)
    cluster = connected(api, path, tmp_path / "f")
    rewritten(path, lambda body: body.update({"current-context": "gone"}))
    cluster.renew_kubeconfig()
    cluster.close()


@pytest.mark.parametrize("when", ["on a 401", "before a helm"])
def test_credentials_of_somebody_else_are_found_by_asking_who_it_is(
    api: Api, tmp_path: Path, when: str
) -> None:
    path = kubeconfig(tmp_path, api.address, {"token": "janes"}, **api.trust)
    api.on(WHO, is_user("jane"), is_user("joe"))
    cluster = connected(api, path, tmp_path / "f")
    cluster.check()
    rewritten(path, lambda body: body["users"][0].update(user={"token": "joes"}))
    api.on("GET", refuses(401, "Unauthorized", "expired"), says({}))
    with pytest.raises(IdentityChanged, match="another user's by now: joe, not jane"):
        cluster.check() if when == "on a 401" else cluster.renew_kubeconfig()
    cluster.close()


def test_a_kubeconfig_that_is_being_written_leaves_helm_the_last_one(api: Api, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, api.address, **api.trust)
    cluster = connected(api, path, tmp_path / "f")
    before = cluster.kubeconfig.read_text()
    path.write_text(path.read_text()[:100])
    cluster.renew_kubeconfig()
    assert cluster.kubeconfig.read_text() == before
    cluster.close()


def test_a_token_file_is_read_again_when_its_token_expired(api: Api, tmp_path: Path) -> None:
    token = write(tmp_path / "token", "first\n")
    path = kubeconfig(tmp_path, api.address, {"tokenFile": "token"}, **api.trust)
    cluster = connected(api, path, tmp_path / "f")
    write(token, "second\n")
    api.on("GET", refuses(401, "Unauthorized", "expired"), says({}))
    cluster.check()
    asked = [each.headers["authorization"] for each in api.asked if each.method == "GET"]
    assert asked == ["Bearer first", "Bearer second"]
    assert json.loads(cluster.kubeconfig.read_text())["users"][0]["user"] == {"tokenFile": str(token)}
    cluster.close()


@pytest.mark.parametrize(
    ("server", "environ", "expected"),
    [
        ("https://10.0.0.1", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://10.0.0.1", {"https_proxy": "p:1"}, "http://p:1"),
        ("https://10.0.0.1", {"ALL_PROXY": "http://p:1", "HTTP_PROXY": "http://p:2"}, None),
        ("https://10.0.0.1", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://a.example.com", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".example.com"}, None),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://localhost:6443", {"HTTPS_PROXY": "http://p:1"}, None),
    ],
)
def test_the_environments_proxy_is_used_by_gos_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str, environ: Json, expected: str | None
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    cluster = connected(Api(), kubeconfig(tmp_path, server), tmp_path / "f")
    assert cluster._api._credentials.session.client.configuration.proxy == expected
    cluster.close()


def test_the_kubeconfigs_proxy_is_used_whatever_no_proxy_says(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    path = kubeconfig(tmp_path, "https://10.0.0.1", None, **{"proxy-url": "http://jane:s%20s@p:1"})
    cluster = connected(api, path, tmp_path / "f")
    client = cluster._api._credentials.session.client
    assert client.rest_client.pool_manager.proxy.host == "p"
    assert client.configuration.proxy_headers["proxy-authorization"].startswith("Basic ")
    cluster.close()
