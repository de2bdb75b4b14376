"""The API server, spoken to through the kubernetes client: the only importer of it, and only where it is used."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from shipit.cluster.api import Api
from shipit.cluster.client import KubeCluster
from shipit.cluster.kubeconfig import find_source, log_in
from shipit.model import Clock

LOGIN_WITHIN = 60.0
"""Seconds that getting credentials may take: a plugin may send somebody to a browser."""


def connect(
    *, kubeconfig: str | None, context: str | None, clock: Clock, folder: Path | None = None
) -> KubeCluster:
    """The cluster of a context, or the one whose pod this is when there is no kubeconfig. Nothing is asked of it yet.

    Keys and certificates are written to `folder`, which must outlive the cluster's use; else to the system's
    temporary folder, where a `kill -9` would leave them.

    Raises Usage for a kubeconfig or context that isn't there, Refused for one that can't be used, and Unauthorized
    or Unreachable when its credential plugin fails or hangs.
    """
    source = replace(find_source(kubeconfig or None, context or None), folder=folder)
    api = Api(
        lambda deadline: log_in(source, deadline), clock, context=source.context, login_within=LOGIN_WITHIN
    )
    return KubeCluster(
        api,
        clock,
        context=source.context,
        default_namespace=source.namespace,
        kubeconfig=os.pathsep.join(source.paths),
        unverified=source.unverified,
    )
