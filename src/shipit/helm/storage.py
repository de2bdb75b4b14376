"""Where Helm keeps its releases (HELM_DRIVER): in Secrets or in ConfigMaps, which shipit can find again."""

from __future__ import annotations

from collections.abc import Mapping

from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Storage

_DRIVERS: Mapping[str, Storage] = {
    **dict.fromkeys(("", "secret", "secrets"), "Secret"),
    **dict.fromkeys(("configmap", "configmaps"), "ConfigMap"),
}
_NOT_SUPPORTED = {
    "sql": "shipit could not clear a revision that a killed helm left in a database",
    "memory": "every helm would forget the release",
}


def storage_of(environ: Mapping[str, str]) -> Storage:
    """The kind of object that holds a revision. Raises Refused for a driver that keeps it elsewhere."""
    driver = environ.get("HELM_DRIVER", "")
    found = _DRIVERS.get(driver)
    if found is None:
        why = _NOT_SUPPORTED.get(driver, "helm knows no such driver")
        raise Refused(
            f"HELM_DRIVER is {driver}, which shipit does not support: {why}",
            hint=advice("set it to secret or configmap, whichever holds the release, or leave it out"),
        )
    return found
