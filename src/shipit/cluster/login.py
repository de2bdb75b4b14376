"""A client of the kubernetes library for a chosen context: the same server, credentials and impersonation as helm's."""

from __future__ import annotations

import base64
import ipaddress
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from shipit.cluster.connections import prepare
from shipit.cluster.deadlines import Deadline, OutOfTime, bounded
from shipit.cluster.kubeconfig import Chosen, impersonation
from shipit.cluster.kubeconfig_files import bad
from shipit.cluster.plugin import Credential, NoCredentials, Plugin
from shipit.cluster.renewal import Session
from shipit.errors import Refused, Unauthorized, Unreachable
from shipit.hints import Hint, kubectl
from shipit.model import as_text

POOL = 64
"""Connections kept open: more than the threads that use them."""


def log_in(
    chosen: Chosen, folder: Path, deadline: Deadline, *, plugins_folder: Path | None = None
) -> Session:
    """A client with fresh credentials; a credential plugin runs here, in `plugins_folder`, and is ended when it hangs.

    `folder` is where a certificate and key go that are no files of their own: the client wants files.
    """
    secure = chosen.server.startswith("https:")  # client-go gives no credentials away in clear
    credential = _credential(chosen, deadline, plugins_folder) if secure else Credential()
    return Session(_client(chosen, credential, folder, secure=secure), _shown(chosen.server))


def _credential(chosen: Chosen, deadline: Deadline, folder: Path | None) -> Credential:
    """What the user's entry says, else what its plugin gives."""
    user = chosen.user
    certificate, key = _content(user, "client-certificate"), _content(user, "client-key")
    token = _token(chosen)
    if token or certificate or user.get("username") or user.get("password") or not user.get("exec"):
        return Credential(token, certificate, key)
    plugin = Plugin(user["exec"], chosen.cluster, folder)
    try:
        return bounded(plugin.run, deadline)
    except OutOfTime:
        plugin.end()
        raise Unreachable(
            f"getting credentials for {_context(chosen)} took more than {deadline.seconds:g} s: "
            "its credential plugin hangs or waits for a login",
            hint=_whoami(chosen),
        ) from None
    except NoCredentials as error:
        raise Unauthorized(
            f"the credential plugin of {_context(chosen)} returned no credentials: {' '.join(str(error).split())[:500]}",
            hint=_whoami(chosen),
        ) from None


def _token(chosen: Chosen) -> str:
    """Of a token and a file of one, the file counts, as long as it can be read."""
    path = as_text(chosen.user.get("tokenFile"))
    try:
        found = Path(path).read_text(encoding="utf-8").strip() if path else ""
    except (OSError, ValueError) as error:
        if not chosen.user.get("token"):
            why = getattr(error, "strerror", None) or "not text"
            raise Refused(f"{chosen.where} can't be used: tokenFile {path}: {why.lower()}") from error
        found = ""
    return found or as_text(chosen.user.get("token"))


def _content(user: Mapping[str, Any], key: str) -> str:
    data = user.get(f"{key}-data")
    if data:
        return base64.b64decode(data).decode("utf-8", "replace")
    return Path(user[key]).read_text(encoding="utf-8", errors="replace") if user.get(key) else ""


def _client(chosen: Chosen, credential: Credential, folder: Path, *, secure: bool) -> Any:
    from kubernetes import client

    configuration = client.Configuration(host=chosen.server)
    cluster, user = chosen.cluster, chosen.user
    if secure:
        configuration.verify_ssl = not cluster.get("insecure-skip-tls-verify")
        configuration.ssl_ca_cert = cluster.get("certificate-authority") or None
        if cluster.get("certificate-authority-data"):
            configuration.ca_cert_data = base64.b64decode(cluster["certificate-authority-data"]).decode()
        configuration.tls_server_name = cluster.get("tls-server-name") or None
        if authorization := _authorization(chosen, credential.token):
            configuration.api_key["BearerToken"] = authorization
        if credential.certificate:
            configuration.cert_file = _file(folder, "client.crt", credential.certificate)
            configuration.key_file = _file(folder, "client.key", credential.key)
    _set_proxy(configuration, chosen, os.environ)
    # Retried, and renewed on a 401, in one place and bounded, not in the middle of any call
    configuration.refresh_api_key_hook = None
    configuration.retries = False
    configuration.connection_pool_maxsize = POOL
    configuration.keep_alive = True
    api = client.ApiClient(configuration)
    api.user_agent = "shipit"
    prepare(api.rest_client.pool_manager, impersonation(user))
    return api


def _authorization(chosen: Chosen, token: str) -> str:
    name, password = as_text(chosen.user.get("username")), as_text(chosen.user.get("password"))
    if not token and (name or password):
        return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"
    if not (token.isascii() and token.isprintable()):
        raise bad(chosen.where, f"the token of user {chosen.user_name} holds what no token can")
    return f"Bearer {token}" if token else ""


def _file(folder: Path, name: str, content: str) -> str:
    """A file of its own each time: another thread's connection may still be reading the last one."""
    opened, path = tempfile.mkstemp(prefix=f"{name}-", dir=folder)
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        file.write(content)
    return path


def _set_proxy(configuration: Any, chosen: Chosen, environ: Mapping[str, str]) -> None:
    """The kubeconfig's, whatever NO_PROXY says; else the environment's, by Go's rules."""
    from urllib3.util import make_headers

    proxy = as_text(chosen.cluster.get("proxy-url")) or _environments_proxy(chosen.server, environ)
    configuration.proxy, configuration.no_proxy = proxy or None, None
    parts = urlsplit(proxy)
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        configuration.proxy_headers = make_headers(proxy_basic_auth=login)


def _environments_proxy(server: str, environ: Mapping[str, str]) -> str:
    from kubernetes.client.rest import should_bypass_proxies

    parts = urlsplit(server)
    name = f"{parts.scheme}_proxy"
    proxy = environ.get(name.upper()) or environ.get(name) or ""
    if not proxy or _is_loopback(parts.hostname or ""):
        return ""
    if should_bypass_proxies(server, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return ""
    if proxy.startswith("socks"):
        raise Refused(f"{name.upper()} names a SOCKS proxy, which helm could use but shipit can't")
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _context(chosen: Chosen) -> str:
    return f"context {chosen.context}" if chosen.context else chosen.where


def _whoami(chosen: Chosen) -> Hint:
    """Named here, for a context that can't be logged in to is not known to be ours yet."""
    flags = ("--context", chosen.context) if chosen.context else ()
    return kubectl("auth", "whoami", *flags, why="runs the same plugin")


def _shown(host: str) -> str:
    parts = urlsplit(host)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
