"""What Helm's own flags and variables change about the cluster and the user that a kubeconfig names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shipit.model import Json

_TRUE = ("1", "t", "T", "true", "TRUE", "True")


@dataclass(frozen=True, slots=True)
class Overrides:
    """They lie on the entries of the context, as client-go lays Helm's flags on them; "" and empty: nothing."""

    context: str = ""
    namespace: str = ""
    server: str = ""
    authority: str = ""
    insecure: bool = False
    tls_server_name: str = ""
    token: str = field(default="", repr=False)
    as_user: str = ""
    as_groups: tuple[str, ...] = ()

    def cluster(self, entry: Json) -> Json:
        found = dict(entry)
        if self.server:
            found["server"] = self.server
        if self.server or self.tls_server_name:
            found["tls-server-name"] = self.tls_server_name
        if self.insecure or self.authority:
            found["insecure-skip-tls-verify"] = self.insecure
            found["certificate-authority"] = self.authority
            found.pop("certificate-authority-data", None)
        return found

    def user(self, entry: Json) -> Json:
        found = dict(entry)
        if self.token:
            found["token"] = self.token
        if self.as_user:
            found["as"] = self.as_user
        if self.as_groups:
            found["as-groups"] = list(self.as_groups)
        return found


NO_OVERRIDES = Overrides()


def helms_overrides(
    environ: Mapping[str, str], *, as_user: str = "", as_groups: tuple[str, ...] = ()
) -> Overrides:
    """What `HELM_KUBE…` and HELM_NAMESPACE say; a user and groups that flags named come before theirs."""
    authority = environ.get("HELM_KUBECAFILE", "")
    groups = environ.get("HELM_KUBEASGROUPS", "").strip(", ")
    return Overrides(
        context=environ.get("HELM_KUBECONTEXT", ""),
        namespace=environ.get("HELM_NAMESPACE", ""),
        server=environ.get("HELM_KUBEAPISERVER", ""),
        authority=str(Path(authority).absolute()) if authority else "",
        insecure=environ.get("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", "") in _TRUE,
        tls_server_name=environ.get("HELM_KUBETLS_SERVER_NAME", ""),
        token=environ.get("HELM_KUBETOKEN", ""),
        as_user=as_user or environ.get("HELM_KUBEASUSER", ""),
        as_groups=as_groups or tuple(groups.split(",") if groups else ()),
    )
