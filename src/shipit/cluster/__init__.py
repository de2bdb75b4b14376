"""The API server, spoken to through the kubernetes client: the only importer of it, and only where it is used."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from shipit.cluster.api import Api
from shipit.cluster.client import KubeCluster
from shipit.cluster.deadlines import Deadline
from shipit.cluster.kubeconfig import Wanted
from shipit.cluster.login import log_in
from shipit.cluster.overrides import NO_OVERRIDES, Overrides, helms_overrides
from shipit.cluster.private_kubeconfig import PrivateKubeconfig
from shipit.cluster.renewal import Session
from shipit.model import Clock

LOGIN_WITHIN = 60.0
"""Seconds that getting credentials may take: a plugin may send somebody to a browser."""


def connect(
    *,
    kubeconfig: str | None,
    context: str | None,
    clock: Clock,
    folder: Path | None = None,
    overrides: Overrides = NO_OVERRIDES,
    plugins_folder: Path | None = None,
) -> KubeCluster:
    """The cluster of a context, or the one whose pod this is when there is no kubeconfig. Nothing is asked of it yet.

    The kubeconfig that helm gets, and keys and certificates, are written to `folder`, which is private and must outlive
    the cluster's use; without one to a temporary folder, which goes with this process. A credential plugin runs in `plugins_folder`,
    where helm's does.

    Raises Usage for a kubeconfig or context that isn't there, Refused for one that can't be used, and Unauthorized
    or Unreachable when its credential plugin fails or hangs.
    """
    wanted = Wanted(kubeconfig or "", context or "", overrides)
    private = PrivateKubeconfig(wanted, folder or _temporary())

    def session(deadline: Deadline) -> Session:
        return log_in(private.renew(), private.folder, deadline, plugins_folder=plugins_folder)

    chosen = private.chosen
    api = Api(session, clock, context=chosen.context, login_within=LOGIN_WITHIN)
    return KubeCluster(api, clock, private)


def _temporary() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="shipit-kubeconfig-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
