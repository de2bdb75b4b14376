"""One cluster, one identity: kubectl, helm and shipit asked with the same kubeconfigs, and a kubeconfig that changes."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from shipit.cli.clock import SystemClock
from shipit.cluster import connect, helms_overrides
from shipit.errors import ShipitError
from tests.e2e.kit import Json, Kube, Project, fresh_namespace, hook, job, small_project
from tests.e2e.stage import HELD, begun, let_go

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Desk:
    """Accounts of a namespace, and what kubeconfigs are made of."""

    kube: Kube
    folder: Path
    cluster: Json
    tokens: dict[str, str]

    def user(self, account: str) -> str:
        return f"system:serviceaccount:{self.kube.namespace}:{account}"

    def file(self, name: str, *, current: str = "", **parts: Any) -> Path:
        """A kubeconfig; `parts` are clusters, users and contexts by name."""
        body: Json = {"apiVersion": "v1", "kind": "Config", "current-context": current}
        for kind, entries in parts.items():
            body[kind] = [{"name": each, kind.removesuffix("s"): entry} for each, entry in entries.items()]
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body))
        path.chmod(0o600)
        return path

    def one(self, name: str, user: Json, *, cluster: Json | None = None, **context: str) -> Path:
        """A kubeconfig of one context, `c`."""
        return self.file(
            name,
            current="c",
            clusters={"k": cluster or self.cluster},
            users={"u": user},
            contexts={"c": {"cluster": "k", "user": "u", **context}},
        )


@pytest.fixture(scope="module")
def desk(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    kube = fresh_namespace(sandbox)
    view = json.loads(kube.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    tokens = {}
    for account in ("ann", "bob"):
        kube.kubectl("create", "serviceaccount", account)
        tokens[account] = kube.kubectl("create", "token", account, "--duration=1h").strip()
    rights = ("create", "clusterrolebinding", f"{kube.namespace}-impersonates", "--clusterrole=cluster-admin")
    kube.kubectl(*rights, f"--serviceaccount={kube.namespace}:ann")
    yield Desk(kube, tmp_path_factory.mktemp("desk"), view["clusters"][0]["cluster"], tokens)
    kube.kubectl("delete", "clusterrolebinding", f"{kube.namespace}-impersonates")
    kube.kubectl("delete", "namespace", kube.namespace, "--wait=false")


@dataclass(frozen=True, slots=True)
class Row:
    """An environment, and whom kubectl then is, if anybody; `flags` are kubectl's own words for what Helm's say."""

    environ: dict[str, str]
    flags: tuple[str, ...] = ()
    context: str | None = None
    works: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """What the API server says of somebody who asks: all that may differ between kubectl and shipit."""

    server: str = ""
    namespace: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, list[str]] = field(default_factory=dict)


Make = Callable[[Desk, str], Row]
ROWS: dict[str, Make] = {}


def row(make: Make) -> Make:
    ROWS[make.__name__.replace("_", " ")] = make
    return make


def listed(*paths: Path | str) -> Row:
    return Row({"KUBECONFIG": os.pathsep.join(map(str, paths))})


@row
def one_file_with_a_token_and_a_namespace(desk: Desk, name: str) -> Row:
    return listed(desk.one(name, {"token": desk.tokens["ann"]}, namespace=desk.kube.namespace))


@row
def the_first_current_context_counts(desk: Desk, name: str) -> Row:
    files = [desk.file(f"{name}/0", clusters={"k": desk.cluster})]
    for account in ("ann", "bob"):
        users, contexts = (
            {account: {"token": desk.tokens[account]}},
            {account: {"cluster": "k", "user": account}},
        )
        files.append(desk.file(f"{name}/{account}", current=account, users=users, contexts=contexts))
    return listed(*files)


@row
def an_empty_first_file_and_a_missing_one(desk: Desk, name: str) -> Row:
    (desk.folder / name).write_text("")
    return listed(desk.folder / name, "/no/such/file", desk.one(f"{name}.2", {"token": desk.tokens["bob"]}))


@row
def of_one_name_the_first_entry_counts(desk: Desk, name: str) -> Row:
    first = desk.file(f"{name}.1", users={"u": {"token": desk.tokens["ann"]}})
    return listed(first, desk.one(f"{name}.2", {"token": desk.tokens["bob"]}))


@row
def relative_paths_start_at_the_file_of_their_entry(desk: Desk, name: str) -> Row:
    here, there = desk.folder / f"{name}-a", desk.folder / f"{name}-b"
    authority = base64.b64decode(desk.cluster["certificate-authority-data"])
    cluster = {**desk.cluster, "certificate-authority": "pki/ca.crt"}
    del cluster["certificate-authority-data"]
    users = {"u": {"tokenFile": "../the-token"}}
    contexts = {"c": {"cluster": "k", "user": "u"}}
    first = desk.file(f"{name}-a/config", current="c", users=users, contexts=contexts)
    second = desk.file(f"{name}-b/config", clusters={"k": cluster})
    (there / "pki").mkdir()
    (there / "pki/ca.crt").write_bytes(authority)
    (here / "pki").mkdir()
    (here / "pki/ca.crt").write_text("not this one")
    (desk.folder / "the-token").write_text(desk.tokens["bob"] + "\n")
    return listed(first, second)


@row
def a_user_that_acts_as_another(desk: Desk, name: str) -> Row:
    extra = {"example.com/Reason": ["a deploy", "an urgent one"]}
    acting = {"as": desk.user("bob"), "as-groups": ["team:a", "team:b, c"], "as-user-extra": extra}
    return listed(desk.one(name, {"token": desk.tokens["ann"], **acting}))


@row
def a_user_that_may_not_act_as_another(desk: Desk, name: str) -> Row:
    user = {"token": desk.tokens["bob"], "as": desk.user("ann")}
    return Row(listed(desk.one(name, user)).environ, works=False)


@row
def helms_variables_act_as_another(desk: Desk, name: str) -> Row:
    path = desk.one(name, {"token": desk.tokens["ann"]})
    helms = {"HELM_KUBEASUSER": "jane", "HELM_KUBEASGROUPS": "team:a,team:b"}
    return Row(
        {**listed(path).environ, **helms}, flags=("--as=jane", "--as-group=team:a", "--as-group=team:b")
    )


@row
def helms_variables_name_context_token_and_namespace(desk: Desk, name: str) -> Row:
    two = {"c": {"cluster": "k", "user": "u"}, "d": {"cluster": "k", "user": "u", "namespace": "of-d"}}
    users = {"u": {"token": desk.tokens["bob"]}}
    path = desk.file(name, current="c", clusters={"k": desk.cluster}, users=users, contexts=two)
    helms = {"HELM_KUBECONTEXT": "d", "HELM_KUBETOKEN": desk.tokens["ann"], "HELM_NAMESPACE": "kube-system"}
    flags = ("--context=d", f"--token={desk.tokens['ann']}", "--namespace=kube-system")
    return Row({**listed(path).environ, **helms}, flags=flags)


@row
def no_kubeconfig_but_helms_variables(desk: Desk, name: str) -> Row:
    authority = desk.folder / f"{name}.crt"
    authority.write_bytes(base64.b64decode(desk.cluster["certificate-authority-data"]))
    server, token = desk.cluster["server"], desk.tokens["ann"]
    helms = {"HELM_KUBEAPISERVER": server, "HELM_KUBETOKEN": token, "HELM_KUBECAFILE": str(authority)}
    flags = (f"--server={server}", f"--token={token}", f"--certificate-authority={authority}")
    return Row({"KUBECONFIG": "", **helms}, flags=flags)


def plugin(command: str, *args: str, **more: Any) -> Json:
    version = "client.authentication.k8s.io/v1"
    return {
        "exec": {
            "apiVersion": version,
            "command": command,
            "args": list(args),
            "interactiveMode": "Never",
            **more,
        }
    }


def credential(**status: str) -> str:
    body = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": status,
    }
    return json.dumps(body)


@row
def a_credential_plugin_beside_its_file(desk: Desk, name: str) -> Row:
    script = desk.folder / f"{name}-x/bin/login"
    script.parent.mkdir(parents=True)
    script.write_text('#!/bin/sh\ncase "$KUBERNETES_EXEC_INFO" in *"https://"*) cat "$TOKEN_FILE" ;; esac\n')
    script.chmod(0o755)
    (desk.folder / "answer").write_text(credential(token=desk.tokens["bob"]))
    variables = [{"name": "TOKEN_FILE", "value": str(desk.folder / "answer")}]
    user = plugin("bin/login", env=variables, provideClusterInfo=True)
    return listed(desk.one(f"{name}-x/config", user))


@row
def a_credential_plugin_that_gives_a_certificate(desk: Desk, name: str) -> Row:
    view = json.loads(desk.kube.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    user = view["users"][0]["user"]
    if "client-certificate-data" not in user:
        return a_credential_plugin_beside_its_file(desk, name)
    certificate, key = (
        base64.b64decode(user[f"client-{each}-data"]).decode() for each in ("certificate", "key")
    )
    answer = desk.folder / f"{name}.json"
    answer.write_text(credential(clientCertificateData=certificate, clientKeyData=key))
    return listed(desk.one(name, plugin("cat", str(answer))))


@row
def a_token_beside_a_plugin_counts(desk: Desk, name: str) -> Row:
    return listed(desk.one(name, {"token": desk.tokens["ann"], **plugin("false")}))


@row
def a_server_of_another_name(desk: Desk, name: str) -> Row:
    cluster = {**desk.cluster, "tls-server-name": "kubernetes.default"}
    return listed(desk.one(name, {"token": desk.tokens["ann"]}, cluster=cluster))


@row
def a_server_whose_name_is_wrong(desk: Desk, name: str) -> Row:
    cluster = {**desk.cluster, "tls-server-name": "example.com"}
    return Row(listed(desk.one(name, {"token": desk.tokens["ann"]}, cluster=cluster)).environ, works=False)


@row
def a_server_that_is_not_verified(desk: Desk, name: str) -> Row:
    cluster = {"server": desk.cluster["server"], "insecure-skip-tls-verify": True}
    return listed(desk.one(name, {"token": desk.tokens["ann"]}, cluster=cluster))


@row
def a_user_that_is_nowhere_is_nobody(desk: Desk, name: str) -> Row:
    contexts = {"c": {"cluster": "k", "user": "gone"}}
    path = desk.file(name, current="c", clusters={"k": desk.cluster}, contexts=contexts)
    return Row(listed(path).environ, works=False)  # nobody may not ask who it is


@row
def a_context_that_is_asked_for(desk: Desk, name: str) -> Row:
    path = desk.file(
        name,
        current="gone",
        clusters={"k": desk.cluster},
        users={"u": {"token": desk.tokens["bob"]}},
        contexts={"there": {"cluster": "k", "user": "u", "namespace": "elsewhere"}},
    )
    return Row(listed(path).environ, flags=("--context=there",), context="there")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("name", ROWS)
def test_kubectl_and_shipit_are_the_same_user_in_the_same_place(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    found = ROWS[name](desk, name.replace(" ", "-"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for key in [each for each in os.environ if each.startswith(("KUBE", "HELM_"))]:
        monkeypatch.delenv(key)
    for key, value in found.environ.items():
        monkeypatch.setenv(key, value)

    kubectls = asked_kubectl(desk, *found.flags)
    ours, private = asked_shipit(desk, found, tmp_path)

    assert ours == kubectls
    assert (ours is not None) is found.works
    if private is not None:
        monkeypatch.setenv("KUBECONFIG", "/dev/null")
        assert asked_kubectl(desk, f"--kubeconfig={private}") == kubectls, "what helm gets"


def asked_kubectl(desk: Desk, *flags: str) -> Seen | None:
    """Whom kubectl is, and where; None when it gets no answer."""
    argv = [str(desk.kube.sandbox.kubectl), *flags]
    who = subprocess.run(
        [*argv, "auth", "whoami", "-o", "json"], capture_output=True, text=True, check=False, timeout=60
    )
    if who.returncode:
        return None
    get = [*argv, "get", "configmap", "none", "-v=6"]
    where = subprocess.run(get, capture_output=True, text=True, check=False, timeout=60).stderr
    url = re.search(r"(https://[^/\s]+)/api/v1/namespaces/([^/]+)/configmaps/none", where)
    assert url is not None, where
    return seen(json.loads(who.stdout), server=url[1], namespace=url[2])


def asked_shipit(desk: Desk, found: Row, folder: Path) -> tuple[Seen | None, Path | None]:
    """The same of our client, and the kubeconfig that helm would get."""
    private: Path | None = None
    try:
        cluster = connect(
            kubeconfig=None,
            context=found.context,
            clock=SystemClock(),
            folder=folder,
            overrides=helms_overrides(os.environ),
        )
        with contextlib.closing(cluster):
            private = cluster.kubeconfig
            cluster.check()
            review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
            who = cluster.create(review)
            return seen(who, server=cluster._api.server, namespace=cluster.default_namespace), private
    except ShipitError:
        return None, private


def seen(review: Json, *, server: str, namespace: str) -> Seen:
    who = review["status"]["userInfo"]
    extra = {
        key: sorted(values) for key, values in (who.get("extra") or {}).items() if "credential-id" not in key
    }
    return Seen(server, namespace, who["username"], tuple(sorted(who["groups"])), extra)


@contextlib.contextmanager
def connect_proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that knows CONNECT alone: its address, and what was asked of it."""
    asked: list[str] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(client: socket.socket) -> None:
        with client:
            request = client.makefile("rb")
            first = request.readline().decode()
            headers = iter(request.readline, b"\r\n")
            asked.append(
                first.split()[1] + "".join(h.decode() for h in headers if h.lower().startswith(b"proxy-a"))
            )
            host, port = first.split()[1].split(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                pump = threading.Thread(target=copied, args=(server, client), daemon=True)
                pump.start()
                copied(client, server)
                pump.join(5)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with listening:
        yield f"http://jane:secret@127.0.0.1:{listening.getsockname()[1]}", asked


def copied(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_a_proxy_of_the_kubeconfig_is_used_by_kubectl_and_shipit(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect_proxy() as (address, asked):
        cluster = {**desk.cluster, "proxy-url": address}
        found = listed(desk.one("proxy", {"token": desk.tokens["ann"]}, cluster=cluster))
        monkeypatch.setenv("KUBECONFIG", found.environ["KUBECONFIG"])
        monkeypatch.setenv("NO_PROXY", "*")
        kubectls = asked_kubectl(desk)
        by_kubectl = set(asked)
        asked.clear()
        ours, _ = asked_shipit(desk, found, tmp_path)
    assert kubectls == ours is not None
    assert {each.lower() for each in asked} == {each.lower() for each in by_kubectl} != set()


def test_in_a_pod_helm_is_its_account_too(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text(desk.tokens["bob"])
    (account / "namespace").write_text("of-the-pod")
    (account / "ca.crt").write_bytes(base64.b64decode(desk.cluster["certificate-authority-data"]))
    monkeypatch.setattr("shipit.cluster.kubeconfig.POD_ACCOUNT", account)
    host, _, port = desk.cluster["server"].removeprefix("https://").rpartition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    ours, private = asked_shipit(desk, Row({}), tmp_path)
    assert ours is not None
    assert (ours.user, ours.namespace) == (desk.user("bob"), "of-the-pod")
    assert asked_kubectl(desk, f"--kubeconfig={private}") == ours


# ── a deploy ─────────────────────────────────────────────────────────────────────────────────────

LIMITED = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: limited}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: limited}
rules:
  - {apiGroups: [""], resources: [secrets, configmaps, services, serviceaccounts], verbs: ["*"]}
  - {apiGroups: [""], resources: [pods, pods/log, events], verbs: [get, list, watch]}
  - {apiGroups: [apps], resources: ["*"], verbs: ["*"]}
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: ["*"]}
  - {apiGroups: [batch], resources: [jobs], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: limited}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: limited}
subjects: [{kind: ServiceAccount, name: limited}]
"""


def admin(kube: Kube) -> Json:
    body: Json = json.loads(kube.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    return body


def written(project: Project, body: Json) -> None:
    path = project.folder / "kubeconfig"
    path.write_text(json.dumps(body))
    path.chmod(0o600)
    project.kubeconfig = path


@pytest.mark.parametrize("how", ["the kubeconfig", "helm_args", "a variable"])
def test_who_acts_as_an_account_that_may_not_make_jobs_makes_none(project4: Project, how: str) -> None:
    kube = project4.kube
    kube.apply(LIMITED)
    account = f"system:serviceaccount:{kube.namespace}:limited"
    body = admin(kube)
    if how == "the kubeconfig":
        body["users"][0]["user"]["as"] = account
    elif how == "helm_args":
        project4.configure(release=f'helm_args = ["--kube-as-user", "{account}"]')
    else:
        project4.environ["HELM_KUBEASUSER"] = account
    written(project4, body)
    project4.template("migrate", hook("echo migrated", "pre-install,pre-upgrade", name="migrate"))
    refused = project4.deploy("v1")
    assert refused.exit_code == 3, refused.told
    assert "create jobs" in refused.error["message"]
    assert kube.all("jobs") == []
    if how == "the kubeconfig":
        doctor = project4.start("doctor").end()
        assert doctor.exit_code == 3
        assert "jobs" in doctor.told


def test_a_token_may_rotate_while_the_migration_runs_and_its_user_may_not_change(project4: Project) -> None:
    """The first kubeconfig's token is replaced by another of the same account, the second's by one of another."""
    kube = project4.kube
    body = admin(kube)
    tokens = []
    for account in ("ann", "ann", "bob"):
        if not kube.get("serviceaccount", account):
            kube.kubectl("create", "serviceaccount", account)
            kube.kubectl(
                *("create", "rolebinding", account, "--clusterrole=admin"),
                f"--serviceaccount={kube.namespace}:{account}",
            )
            kube.kubectl(
                "create", "role", f"{account}-leases", "--verb=*", "--resource=leases.coordination.k8s.io"
            )
            kube.kubectl(
                *("create", "rolebinding", f"{account}-leases", f"--role={account}-leases"),
                f"--serviceaccount={kube.namespace}:{account}",
            )
        tokens.append(kube.kubectl("create", "token", account, "--duration=1h").strip())
    project4.template("migrate", job(HELD))

    def deployed(tag: str, first: str, then: str) -> Any:
        body["users"][0]["user"] = {"token": first}
        written(project4, body)
        running = project4.start("deploy", "--tag", tag)
        kube.wait(lambda: tag in kube.kubectl("get", "job", "migrate", "-o", "yaml", check=False))
        begun(kube, "migrate")
        body["users"][0]["user"] = {"token": then}
        written(project4, body)
        let_go(kube, "migrate")
        return running.end()

    rotated = deployed("v1", tokens[0], tokens[1])
    assert rotated.exit_code == 0, rotated.told
    swapped = deployed("v2", tokens[1], tokens[2])
    assert swapped.exit_code == 8, swapped.told
    assert "another user's by now" in swapped.error["message"]
    assert kube.image() == "v1"


def test_a_kubeconfig_that_leads_elsewhere_by_now_ends_the_deploy(project4: Project) -> None:
    kube = project4.kube
    body = admin(kube)
    written(project4, body)
    project4.template("migrate", job(HELD))
    running = project4.start("deploy", "--tag", "v1")
    kube.wait(lambda: kube.get("job", "migrate"))
    begun(kube, "migrate")
    body["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    written(project4, body)
    let_go(kube, "migrate")
    ended = running.end()
    assert ended.exit_code == 8, ended.told
    assert "its server is another one now" in ended.error["message"]
    assert kube.get("deployment", "shop") is None


def test_the_old_auth_provider_is_refused_with_its_replacement(
    tmp_path: Path, sandbox: Sandbox, kube: Kube
) -> None:
    project = small_project(tmp_path, kube, sandbox.helms["4"])
    body = admin(kube)
    body["users"][0]["user"] = {"auth-provider": {"name": "oidc", "config": {"id-token": "sesame"}}}
    written(project, body)
    refused = project.deploy("v1")
    assert refused.exit_code == 3, refused.told
    assert "auth-provider oidc" in refused.error["message"]
    assert "kubectl oidc-login" in refused.error["hint"]
    assert "sesame" not in refused.told
