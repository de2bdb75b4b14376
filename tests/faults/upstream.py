"""The API server behind the proxy, reached with the administrator's certificate."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Upstream:
    """`server` is https://HOST:PORT; the files prove who is who, "" for one that is not needed."""

    server: str
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority) if self.authority else None)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        return context


def upstream_of(sandbox: Sandbox, folder: Path) -> Upstream:
    """Take the sandbox's kubeconfig apart into files."""
    argv = [
        str(sandbox.kubectl),
        f"--kubeconfig={sandbox.kubeconfig}",
        "config",
        "view",
        "--raw",
        "-o",
        "json",
    ]
    view = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    cluster, user = view["clusters"][0]["cluster"], view["users"][0]["user"]
    files = {
        "upstream-ca.crt": cluster["certificate-authority-data"],
        "upstream.crt": user["client-certificate-data"],
        "upstream.key": user["client-key-data"],
    }
    for name, data in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(base64.b64decode(data))
    authority, certificate, key = (folder / name for name in files)
    return Upstream(cluster["server"], authority, certificate, key)
