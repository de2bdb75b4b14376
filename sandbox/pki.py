"""The cluster's own certificate authority, its certificates, and the kubeconfigs that carry them (openssl)."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from sandbox.command import must
from sandbox.subnet import Network

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
DAYS = "3650"
# Nothing but what the commands say: the system's openssl.cnf would add extensions of its own.
CONFIG = "[req]\ndistinguished_name = name\n[name]\n"
CA_EXTENSIONS = [
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
]


@dataclass(frozen=True)
class Identity:
    """A certificate's file stem and subject; `names` makes it a server's as well."""

    stem: str
    user: str
    group: str = ""
    names: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        return (f"/O={self.group}" if self.group else "") + f"/CN={self.user}"


def identities(network: Network) -> list[Identity]:
    """Who needs a certificate: the API server, and everyone who talks to it."""
    api_names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
    api_names += ["127.0.0.1", network.node, network.kubernetes]
    return [
        Identity("apiserver", "kube-apiserver", names=tuple(api_names)),
        Identity("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters"),
        Identity("admin", "sandbox-admin", "system:masters"),
        Identity("controller-manager", "system:kube-controller-manager"),
        Identity("scheduler", "system:kube-scheduler"),
        Identity("proxy", "system:kube-proxy"),
        Identity("dns", "sandbox-dns", "system:masters"),
        Identity("kubelet", "system:node:sandbox", "system:nodes", ("sandbox", "127.0.0.1", network.node)),
    ]


def alternative_names(names: tuple[str, ...]) -> str:
    """A subjectAltName extension: addresses as IP, the rest as DNS."""
    return "subjectAltName=" + ",".join(f"IP:{n}" if n[0].isdigit() else f"DNS:{n}" for n in names)


def certificate_args(who: Identity, folder: Path) -> list[str]:
    """The openssl command that makes a key and a certificate signed by the CA in `folder`."""
    uses = "clientAuth,serverAuth" if who.names else "clientAuth"
    extensions = ["basicConstraints=critical,CA:FALSE", f"extendedKeyUsage={uses}"]
    if who.names:
        extensions.append(alternative_names(who.names))
    signer = ["-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key")]
    return [*_request(folder, who.subject, extensions), *signer, *_files(folder, who.stem)]


def authority_args(folder: Path) -> list[str]:
    return [*_request(folder, "/CN=shipit-sandbox", CA_EXTENSIONS), *_files(folder, "ca")]


def _files(folder: Path, stem: str) -> list[str]:
    return ["-keyout", str(folder / f"{stem}.key"), "-out", str(folder / f"{stem}.crt.new")]


def _request(folder: Path, subject: str, extensions: list[str]) -> list[str]:
    added = [word for extension in extensions for word in ("-addext", extension)]
    config = ["-config", str(folder / "openssl.cnf")]
    return ["openssl", "req", "-x509", *config, *KEY, "-days", DAYS, "-subj", subject, *added]


def ensure(folder: Path, network: Network) -> None:
    """Make what is missing; what is there stays as it is."""
    if not (folder / "ca.crt").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        (folder / "openssl.cnf").write_text(CONFIG)
        _finish(folder / "ca.crt", authority_args(folder))
    for who in identities(network):
        if not (folder / f"{who.stem}.crt").exists():
            _finish(folder / f"{who.stem}.crt", certificate_args(who, folder))
    if not (folder / "sa.pub").exists():
        must(["openssl", "genrsa", "-out", str(folder / "sa.key"), "2048"])
        public = ["openssl", "rsa", "-in", str(folder / "sa.key"), "-pubout"]
        _finish(folder / "sa.pub", [*public, "-out", str(folder / "sa.pub.new")])


def _finish(product: Path, command: list[str]) -> None:
    """Run a command that writes `product`.new, so that a product that is there is whole."""
    must(command)
    product.with_name(f"{product.name}.new").replace(product)


def kubeconfig(folder: Path, stem: str, server: str) -> str:
    """A kubeconfig with everything embedded, so that the one file is enough. JSON is YAML too."""

    def embedded(name: str) -> str:
        return base64.b64encode((folder / name).read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": embedded("ca.crt")}
    user = {"client-certificate-data": embedded(f"{stem}.crt"), "client-key-data": embedded(f"{stem}.key")}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": stem, "user": user}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": stem}}],
        "current-context": "sandbox",
    }
    return json.dumps(content, indent=2) + "\n"
