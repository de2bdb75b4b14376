"""The credential plugin of a kubeconfig (`exec`): run as client-go runs it, and ended with whoever gave it up."""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipit.cluster.entry_checks import authority_of
from shipit.model import Json, as_list, as_map, as_text

_CLUSTER_KEYS = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url", "disable-compression")
_EXTENSION = "client.authentication.k8s.io/exec"


class NoCredentials(Exception):
    """The plugin gave none: why, in its words."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A token, a certificate with its key (PEM), or both; "" for what it did not give."""

    token: str = ""
    certificate: str = ""
    key: str = ""


class Plugin:
    """One run of a plugin."""

    def __init__(self, spec: Json, cluster: Json, folder: Path | None) -> None:
        self._spec = spec
        self._cluster = cluster
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._given_up = False

    def run(self) -> Credential:
        """Ask it; nothing bounds this but `end`, from another thread. Raises NoCredentials."""
        # What it asks for is for whoever sits there: a login's address and code go to the terminal as it writes them
        shown = sys.stderr.isatty()
        asks = shown and sys.stdin.isatty() and self._spec.get("interactiveMode") != "Never"
        try:
            self._process = subprocess.Popen(
                [self._spec["command"], *as_list(self._spec.get("args"))],
                stdin=None if asks else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=None if shown else subprocess.PIPE,
                env=self._environment(os.environ, interactive=asks),
                cwd=self._folder,
                text=True,
                errors="replace",
            )
        except OSError as error:
            hint = as_text(self._spec.get("installHint")).strip().partition("\n")[0]
            raise NoCredentials(f"{error.strerror}{f': {hint}' if hint else ''}") from error
        atexit.register(self.end)
        try:
            if self._given_up:
                self.end()
            said, complaint = self._process.communicate()
        finally:
            atexit.unregister(self.end)
        if self._process.returncode:
            why = (complaint or "").strip() or ("it wrote the reason to the terminal" if shown else "")
            raise NoCredentials(why or f"exit code {self._process.returncode}, without a word")
        return _credential(said, self._spec["apiVersion"])

    def end(self) -> None:
        """Terminate it, if it runs; any thread may call it."""
        self._given_up = True
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(OSError):
                self._process.terminate()

    def _environment(self, environ: Mapping[str, str], *, interactive: bool) -> dict[str, str]:
        own = {each["name"]: str(each.get("value") or "") for each in as_list(self._spec.get("env"))}
        spec: Json = {"interactive": interactive}
        if self._spec.get("provideClusterInfo"):
            spec["cluster"] = _cluster_info(self._cluster)
        info = {"kind": "ExecCredential", "apiVersion": self._spec["apiVersion"], "spec": spec}
        return {**environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _cluster_info(cluster: Json) -> Json:
    info = {key: cluster[key] for key in _CLUSTER_KEYS if cluster.get(key)}
    if authority := authority_of(cluster):
        info["certificate-authority-data"] = base64.b64encode(authority).decode()
    for each in as_list(cluster.get("extensions")):
        if as_map(each).get("name") == _EXTENSION:
            info["config"] = each.get("extension")
    return info


def _credential(said: str, version: str) -> Credential:
    try:
        answer: Any = json.loads(said)
    except ValueError as error:
        raise NoCredentials("its answer is not JSON") from error
    if as_map(answer).get("apiVersion") != version:
        raise NoCredentials(f"its answer is not of version {version}")
    status = as_map(as_map(answer).get("status"))
    found = Credential(
        as_text(status.get("token")),
        as_text(status.get("clientCertificateData")),
        as_text(status.get("clientKeyData")),
    )
    if bool(found.certificate) != bool(found.key):
        raise NoCredentials("it gave a certificate or a key, not both")
    if not found.token and not found.certificate:
        raise NoCredentials("it gave neither a token nor a certificate")
    return found
