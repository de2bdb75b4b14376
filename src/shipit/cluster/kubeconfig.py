"""Where the credentials come from: a kubeconfig, else the ServiceAccount of the pod that shipit runs in."""

from __future__ import annotations

import contextlib
import difflib
import logging
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shipit.cluster.connections import make_severable
from shipit.cluster.deadlines import Deadline, OutOfTime, bounded
from shipit.cluster.plugin import Plugin
from shipit.cluster.renewal import Session
from shipit.errors import Refused, ShipitError, Unauthorized, Unreachable, Usage
from shipit.hints import Hint, advice, kubectl

POD_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
POOL = 64
"""Connections kept open: more than the threads that use them."""


@dataclass(frozen=True, slots=True)
class Source:
    """`paths` are the kubeconfig files (absolute: helm reads them from another folder), none inside a pod; `context`
    is "" there.

    `folder` is where the client writes the certificates and keys that it reads from a kubeconfig: it wants files.
    `unverified` is the context's cluster where it has `insecure-skip-tls-verify`, else "".
    """

    paths: tuple[str, ...]
    context: str
    namespace: str
    unverified: str = ""
    folder: Path | None = None


def find_source(kubeconfig: str | None, context: str | None) -> Source:
    """Look where kubectl looks: the flag, KUBECONFIG, ~/.kube/config; else the pod that this is.

    Raises Usage for a file or a context that isn't there.
    """
    if kubeconfig and not Path(kubeconfig).expanduser().exists():
        raise Usage(f"the kubeconfig {kubeconfig} does not exist")
    listed = kubeconfig or os.environ.get("KUBECONFIG") or str(Path("~/.kube/config"))
    parts = [kubeconfig] if kubeconfig else listed.split(os.pathsep)
    files = (Path(part).expanduser().absolute() for part in parts if part)
    paths = tuple(str(file) for file in files if file.exists())
    if paths:
        return _of_files(paths, context)
    if os.environ.get("KUBERNETES_SERVICE_HOST") and (POD_ACCOUNT / "token").exists() and not context:
        namespace = POD_ACCOUNT / "namespace"
        text = namespace.read_text(encoding="utf-8").strip() if namespace.exists() else ""
        return Source((), "", text or "default")
    raise Usage(
        f"there is no kubeconfig at {listed}",
        hint=advice("set --kubeconfig or KUBECONFIG to the file to use"),
    )


def _of_files(paths: tuple[str, ...], context: str | None) -> Source:
    with _explained(f"the kubeconfig {', '.join(paths)}"):
        merged = _library().KubeConfigMerger(os.pathsep.join(paths)).config
        if merged is None:
            raise Usage(f"the kubeconfig {', '.join(paths)} is empty")
        names = [str(each["name"]) for each in merged["contexts"].value]
        current = context or merged.safe_get("current-context") or ""
        if current not in names:
            raise _no_context(current, names, paths)
        found = _library().KubeConfigLoader(merged, active_context=current).current_context["context"]
        cluster = merged["clusters"].get_with_name(found["cluster"])["cluster"]
        unverified = found["cluster"] if cluster.safe_get("insecure-skip-tls-verify") else ""
        namespace = found.get("namespace") or "default"
    return Source(paths, current, str(namespace), str(unverified))


def _library() -> Any:
    """The client's own reader of kubeconfigs, which has no types."""
    from kubernetes.config import kube_config

    return kube_config


def _no_context(wanted: str, names: list[str], paths: tuple[str, ...]) -> Usage:
    where = ", ".join(paths)
    if not wanted:
        return Usage(
            f"the kubeconfig {where} has no current context",
            hint=advice(
                f"choose one with --context: {', '.join(names)}" if names else "it has no context at all"
            ),
        )
    near = difflib.get_close_matches(wanted, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"its contexts: {', '.join(names) or 'none'}"
    return Usage(f"the kubeconfig {where} has no context {wanted}", hint=advice(hint))


def log_in(source: Source, deadline: Deadline) -> Session:
    """A client with fresh credentials; a credential plugin runs here, and is ended when it hangs."""
    said: list[str] = []
    plugin = Plugin()

    def work() -> Session:
        with plugin.at_it(), _listening(said):
            return _make(source)

    try:
        return bounded(work, deadline)
    except OutOfTime:
        plugin.end()
        raise Unreachable(
            f"getting credentials for context {source.context} took more than {deadline.seconds:g} s: "
            "its credential plugin hangs or waits for a login",
            hint=_whoami(source),
        ) from None
    except _NoCredentials:
        raise Unauthorized(
            f"the credential plugin of context {source.context} returned no credentials: "
            f"{_safe(said[-1]) if said else 'it gave no reason'}",
            hint=_whoami(source),
        ) from None


def _whoami(source: Source) -> Hint:
    """Named here, for a context that can't be logged in to is not known to be ours yet."""
    flags = ("--context", source.context) if source.context else ()
    return kubectl("auth", "whoami", *flags, why="runs the same plugin")


class _NoCredentials(Exception):
    """The client logs why, and goes on without."""


def _make(source: Source) -> Session:
    from kubernetes import client
    from kubernetes.config import incluster_config

    library = _library()
    pod: Any = incluster_config
    configuration = client.Configuration()
    where = f"the kubeconfig {', '.join(source.paths)}" if source.paths else "this pod's ServiceAccount"
    with _explained(where):
        if source.paths:
            merger = library.KubeConfigMerger(os.pathsep.join(source.paths))
            if merger.config is None:
                raise Refused(f"the kubeconfig {', '.join(source.paths)} is gone")
            loader = library.KubeConfigLoader(
                merger.config,
                active_context=source.context,
                config_persister=merger.save_changes,
                temp_file_path=source.folder,
            )
            loader.load_and_set(configuration)
            if _wants_plugin(loader) and not configuration.api_key and not configuration.cert_file:
                raise _NoCredentials
        else:
            pod.load_incluster_config(client_configuration=configuration)
    # Renewed on a 401, in one place and bounded, not in the middle of any call
    configuration.refresh_api_key_hook = None
    configuration.retries = False
    configuration.connection_pool_maxsize = POOL
    configuration.keep_alive = True
    api = client.ApiClient(configuration)
    api.user_agent = "shipit"
    make_severable(api.rest_client.pool_manager)
    return Session(api, _shown(configuration.host))


def _wants_plugin(loader: Any) -> bool:
    user = getattr(loader, "_user", None)
    return user is not None and "exec" in user


def _shown(host: str) -> str:
    parts = urlsplit(host)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


@contextlib.contextmanager
def _explained(where: str) -> Iterator[None]:
    """Whatever is wrong in a kubeconfig becomes one sentence without its contents."""
    try:
        yield
    except (ShipitError, _NoCredentials):
        raise
    except Exception as error:
        raise Refused(
            f"{where} can't be used: {_problem(error)}",
            hint=kubectl("config", "view", why="shows how kubectl reads it"),
        ) from error


def _problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"{getattr(error, 'problem', None) or 'not valid YAML'}, line {mark.line + 1}"
    if isinstance(error, OSError):
        return (error.strerror or "unreadable").lower()
    if type(error).__name__ == "ConfigException":
        return _safe(str(error).splitlines()[0] if str(error) else "")
    if isinstance(error, UnicodeDecodeError):
        return "it is not valid UTF-8"
    return f"it is not a valid kubeconfig ({type(error).__name__})"


def _safe(text: str) -> str:
    """The client quotes whole entries in its messages, keys and tokens in them."""
    text = " ".join(text.split())
    text = re.sub(r"\{.*\}?", "…", text)
    return text[:500]


class _Listener(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        # On a terminal the plugin writes there itself, and the client fails at looking for its words elsewhere
        lost = sys.stdout.isatty() and isinstance(sys.exc_info()[1], AttributeError)
        self._said.append("it wrote the reason to the terminal" if lost else record.getMessage())


@contextlib.contextmanager
def _listening(said: list[str]) -> Iterator[None]:
    """The client logs what a credential plugin says, and to stderr when nobody listens."""
    listener, root = _Listener(said), logging.getLogger()
    root.addHandler(listener)
    try:
        yield
    finally:
        root.removeHandler(listener)
