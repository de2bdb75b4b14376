"""Which cluster is meant, and as whom: decided once, as kubectl and Helm decide it, for helm and our own client alike."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from shipit.cluster.entry_checks import authority_of, check_cluster, check_user
from shipit.cluster.kubeconfig_files import Entries, bad, find_files, read_files
from shipit.cluster.overrides import NO_OVERRIDES, Overrides
from shipit.errors import Usage
from shipit.hints import advice
from shipit.model import Json, as_map, as_text

POD_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
NAMELESS = "shipit"
"""What the entries are called that no kubeconfig has a name for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: the flags' kubeconfig and context, "" for none, and what Helm's own say on top."""

    kubeconfig: str = ""
    context: str = ""
    overrides: Overrides = NO_OVERRIDES
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose server it is, and as whom it is spoken to: what must not change during a deploy."""

    server: str
    authority: bytes
    insecure: bool
    tls_server_name: str
    user: str
    impersonation: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """One context's entries, paths absolute, overrides applied. `context` is "" where no kubeconfig names one."""

    where: str
    context: str
    namespace: str
    cluster_name: str
    user_name: str
    cluster: Json
    user: Json = field(repr=False)

    @property
    def server(self) -> str:
        """A server without a scheme is spoken to in clear, as by client-go."""
        server = as_text(self.cluster.get("server")).rstrip("/")
        return server if "://" in server else f"http://{server}"

    @property
    def unverified(self) -> str:
        """The cluster's name where its certificate is not verified, else ""."""
        return self.cluster_name if self.cluster.get("insecure-skip-tls-verify") else ""

    @property
    def identity(self) -> Identity:
        return Identity(
            self.server,
            authority_of(self.cluster),
            bool(self.unverified),
            as_text(self.cluster.get("tls-server-name")),
            self.user_name,
            tuple(impersonation(self.user)),
        )

    def document(self) -> Json:
        """A kubeconfig of this context alone."""
        context = {"cluster": self.cluster_name, "user": self.user_name, "namespace": self.namespace}
        name = self.context or NAMELESS
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": context}],
            "clusters": [{"name": self.cluster_name, "cluster": self.cluster}],
            "users": [{"name": self.user_name, "user": self.user}] if self.user_name else [],
        }


def choose(wanted: Wanted) -> Chosen:
    """Look where kubectl looks: the kubeconfigs, else the pod that this is.

    Raises Usage for a file or a context that isn't there, Refused for entries that neither kubectl nor helm could use.
    """
    files = find_files(wanted.kubeconfig, wanted.environ)
    entries = read_files(files)
    where = f"the kubeconfig {', '.join(map(str, files))}" if files else "this environment"
    name = wanted.context or wanted.overrides.context or entries.current
    if name and name not in entries.contexts:
        raise _no_context(name, entries, where) if files else _no_kubeconfig(wanted)
    chosen = _of_context(name, entries, where, wanted)
    if not chosen.cluster.get("server"):
        if name:
            raise bad(where, f"cluster {chosen.cluster_name or '(none)'} of context {name} has no server")
        if not _in_pod(wanted.environ):
            raise _no_context("", entries, where) if files else _no_kubeconfig(wanted)
        chosen = _of_pod(wanted)
    check_cluster(chosen.where, chosen.cluster, tls=chosen.server.startswith("https:"))
    check_user(chosen.where, chosen.user_name, chosen.user)
    return chosen


def impersonation(user: Json) -> list[tuple[str, str]]:
    """The headers with which an entry of a kubeconfig acts as somebody else."""
    from urllib.parse import quote

    if not user.get("as"):
        return []
    found = [("Impersonate-User", as_text(user["as"]))]
    if user.get("as-uid"):
        found.append(("Impersonate-Uid", as_text(user["as-uid"])))
    found += [("Impersonate-Group", group) for group in user.get("as-groups") or ()]
    for key, values in as_map(user.get("as-user-extra")).items():
        header = "Impersonate-Extra-" + quote(key, safe="!#$&'*+-.^_`|~")
        found += [(header, value) for value in values]
    return found


def _of_context(name: str, entries: Entries, where: str, wanted: Wanted) -> Chosen:
    context = entries.contexts.get(name, {})
    cluster, user = as_text(context.get("cluster")), as_text(context.get("user"))
    return Chosen(
        where,
        name,
        wanted.overrides.namespace or as_text(context.get("namespace")) or _pods_namespace(wanted.environ),
        cluster or NAMELESS,
        user or (NAMELESS if wanted.overrides.user({}) else ""),
        wanted.overrides.cluster(entries.clusters.get(cluster, {})),
        wanted.overrides.user(entries.users.get(user, {})),
    )


def _of_pod(wanted: Wanted) -> Chosen:
    """The ServiceAccount of the pod that shipit runs in; its token is read again whenever it is needed."""
    host, port = wanted.environ["KUBERNETES_SERVICE_HOST"], wanted.environ["KUBERNETES_SERVICE_PORT"]
    cluster: Json = {"server": f"https://{f'[{host}]' if ':' in host else host}:{port}"}
    if (POD_ACCOUNT / "ca.crt").exists():
        cluster["certificate-authority"] = str(POD_ACCOUNT / "ca.crt")
    return Chosen(
        "this pod's ServiceAccount",
        "",
        wanted.overrides.namespace or _pods_namespace(wanted.environ),
        NAMELESS,
        NAMELESS,
        wanted.overrides.cluster(cluster),
        wanted.overrides.user({"tokenFile": str(POD_ACCOUNT / "token")}),
    )


def _in_pod(environ: Mapping[str, str]) -> bool:
    named = environ.get("KUBERNETES_SERVICE_HOST") and environ.get("KUBERNETES_SERVICE_PORT")
    return bool(named) and (POD_ACCOUNT / "token").is_file()


def _pods_namespace(environ: Mapping[str, str]) -> str:
    """Where a context names no namespace, or there is none: that of the pod, else `default`."""
    if not _in_pod(environ):
        return "default"
    try:
        own = (POD_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        own = ""
    return environ.get("POD_NAMESPACE") or own or "default"


def _no_kubeconfig(wanted: Wanted) -> Usage:
    listed = wanted.environ.get("KUBECONFIG") or "~/.kube/config"
    return Usage(
        f"there is no kubeconfig at {listed}",
        hint=advice("set --kubeconfig or KUBECONFIG to the file to use"),
    )


def _no_context(name: str, entries: Entries, where: str) -> Usage:
    names = list(entries.contexts)
    if not name:
        hint = f"choose one with --context: {', '.join(names)}" if names else "it has no context at all"
        return Usage(f"{where} has no current context", hint=advice(hint))
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"its contexts: {', '.join(names) or 'none'}"
    return Usage(f"{where} has no context {name}", hint=advice(hint))


def pinned(wanted: Wanted, chosen: Chosen) -> Wanted:
    """The same once more, whatever becomes the current context meanwhile."""
    return replace(wanted, context=chosen.context or wanted.context)
