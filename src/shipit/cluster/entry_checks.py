"""What makes the cluster or the user of a kubeconfig unusable, for kubectl and helm as well: told before anything runs."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

from shipit.cluster.kubeconfig_files import bad
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Json, as_map

_CLUSTER_TEXTS = (
    "server",
    "tls-server-name",
    "certificate-authority",
    "certificate-authority-data",
    "proxy-url",
)
_USER_TEXTS = (
    *("client-certificate", "client-certificate-data", "client-key", "client-key-data"),
    *("token", "tokenFile", "username", "password", "as", "as-uid"),
)
_PLUGIN_TEXTS = ("command", "apiVersion", "interactiveMode", "installHint")
_REPLACEMENTS = {
    "oidc": "kubelogin (kubectl oidc-login get-token)",
    "gcp": "gke-gcloud-auth-plugin",
    "azure": "kubelogin (kubelogin convert-kubeconfig)",
}
_V1 = "client.authentication.k8s.io/v1"


def check_cluster(where: str, cluster: Json, *, tls: bool) -> None:
    """Raises Refused with the first thing that is wrong, none of it quoted."""
    _texts(where, cluster, _CLUSTER_TEXTS)
    authority = _either(where, cluster, "certificate-authority")
    if tls and authority and cluster.get("insecure-skip-tls-verify"):
        raise bad(where, "certificate-authority and insecure-skip-tls-verify exclude each other")
    proxy = str(cluster.get("proxy-url") or "")
    scheme = proxy.partition("://")[0] if "://" in proxy else ""
    if proxy and scheme.startswith("socks"):
        raise bad(where, "its proxy-url is a SOCKS proxy, which helm could use but shipit can't")
    if proxy and scheme not in ("http", "https"):
        raise bad(where, "its proxy-url has no scheme: it must begin with http:// or https://")


def check_user(where: str, name: str, user: Json) -> None:
    """Raises Refused with the first thing that is wrong, none of it quoted."""
    _texts(where, user, _USER_TEXTS)
    if user.get("auth-provider"):
        raise _old_provider(where, name, str(as_map(user["auth-provider"]).get("name") or "?"))
    if user.get("token") and (user.get("username") or user.get("password")):
        raise bad(where, f"user {name} has a token and a password: only one is allowed")
    certificate, key = _either(where, user, "client-certificate"), _either(where, user, "client-key")
    if certificate and not key:
        raise bad(where, f"user {name} has a client-certificate without its client-key")
    if user.get("tokenFile") and not user.get("token"):
        _readable(where, "tokenFile", user["tokenFile"])
    if user.get("exec"):
        _check_plugin(where, name, user["exec"])
    _check_impersonation(where, name, user)


def _check_impersonation(where: str, name: str, user: Json) -> None:
    groups, extra = user.get("as-groups") or [], user.get("as-user-extra") or {}
    if not _is_texts(groups) or not isinstance(extra, dict) or not all(map(_is_texts, extra.values())):
        raise bad(where, "as-groups must be a list of texts, as-user-extra a table of such lists")
    if (user.get("as-uid") or groups or extra) and not user.get("as"):
        raise bad(where, f"user {name} acts with another's uid, groups or extra, but `as` names nobody")
    texts = [
        str(user.get("as") or ""),
        str(user.get("as-uid") or ""),
        *groups,
        *(t for each in extra.values() for t in each),
    ]
    if not all(text.isprintable() for text in texts):
        raise bad(where, f"user {name} acts as somebody whose name no header can hold")


def authority_of(cluster: Json) -> bytes:
    """The certificates that the server's is verified with, b"" for those of the system."""
    if cluster.get("certificate-authority-data"):
        return base64.b64decode(cluster["certificate-authority-data"])
    path = cluster.get("certificate-authority")
    return Path(path).read_bytes() if path else b""


def _check_plugin(where: str, name: str, plugin: Any) -> None:
    if not isinstance(plugin, dict):
        raise bad(where, f"exec of user {name} is not a table")
    _texts(where, plugin, _PLUGIN_TEXTS)
    for key in ("command", "apiVersion", *(["interactiveMode"] if plugin.get("apiVersion") == _V1 else [])):
        if not plugin.get(key):
            raise bad(where, f"exec of user {name} has no {key}")
    if plugin.get("interactiveMode") == "Always":
        raise bad(
            where, f"the plugin of user {name} wants a terminal (interactiveMode: Always), and helm has none"
        )
    variables = plugin.get("env") or []
    if not _is_texts(plugin.get("args") or []) or not isinstance(variables, list):
        raise bad(where, f"args and env of exec of user {name} must be lists, the args texts")
    if not all(isinstance(each, dict) and each.get("name") for each in variables):
        raise bad(where, f"a variable under env of exec of user {name} has no name")


def _old_provider(where: str, name: str, provider: str) -> Refused:
    instead = _REPLACEMENTS.get(provider, "a credential plugin")
    return Refused(
        f"{where} can't be used: user {name} logs in by the old auth-provider {provider}",
        hint=advice(f"replace auth-provider by exec with {instead}"),
    )


def _either(where: str, entry: Json, key: str) -> bool:
    """Whether a file or its data is there, not both, and can be read."""
    path, data = entry.get(key), entry.get(f"{key}-data")
    if path and data:
        raise bad(where, f"{key} and {key}-data are both there: only one is allowed")
    if path:
        _readable(where, key, path)
    if data:
        try:
            base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise bad(where, f"{key}-data is not base64") from error
    return bool(path or data)


def _readable(where: str, key: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise bad(where, f"{key} {path}: {(error.strerror or 'unreadable').lower()}") from error


def _texts(where: str, entry: Json, keys: tuple[str, ...]) -> None:
    for key in keys:
        if not isinstance(entry.get(key, ""), str):
            raise bad(where, f"{key} is not text: put it in quotes")


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
