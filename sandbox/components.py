"""The cluster's components: the command line of each, in the order in which they start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.config import NODE_NAME
from sandbox.places import Places
from sandbox.subnet import API_PORT, Network

ETCD = "http://127.0.0.1:2379"


@dataclass(frozen=True)
class Setup:
    """What command lines are made from."""

    places: Places
    network: Network
    binaries: Mapping[str, Path]

    def binary(self, name: str) -> str:
        return str(self.binaries[name])

    def pki(self, file: str) -> str:
        return str(self.places.pki / file)

    def config(self, file: str) -> str:
        return str(self.places.config / file)


def registry(setup: Setup) -> list[str]:
    return [setup.binary("registry"), "serve", setup.config("registry.yaml")]


def etcd(setup: Setup) -> list[str]:
    """No fsync: the data need not survive the machine, only the processes."""
    return [
        setup.binary("etcd"),
        f"--data-dir={setup.places.cluster / 'etcd'}",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def containerd(setup: Setup) -> list[str]:
    return ["containerd", "--config", setup.config("containerd.toml")]


def apiserver(setup: Setup) -> list[str]:
    return [
        setup.binary("kube-apiserver"),
        f"--etcd-servers={ETCD}",
        f"--advertise-address={setup.network.node}",
        f"--secure-port={API_PORT}",
        f"--tls-cert-file={setup.pki('apiserver.crt')}",
        f"--tls-private-key-file={setup.pki('apiserver.key')}",
        f"--client-ca-file={setup.pki('ca.crt')}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={setup.pki('sa.pub')}",
        f"--service-account-signing-key-file={setup.pki('sa.key')}",
        f"--service-cluster-ip-range={setup.network.services}",
        f"--kubelet-certificate-authority={setup.pki('ca.crt')}",
        f"--kubelet-client-certificate={setup.pki('apiserver-kubelet.crt')}",
        f"--kubelet-client-key={setup.pki('apiserver-kubelet.key')}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={setup.config('audit-policy.yaml')}",
        f"--audit-log-path={setup.places.audit_log}",
        "--audit-log-maxsize=10000",
        "--profiling=false",
    ]


def controller_manager(setup: Setup) -> list[str]:
    return [
        setup.binary("kube-controller-manager"),
        f"--kubeconfig={setup.config('controller-manager.conf')}",
        f"--root-ca-file={setup.pki('ca.crt')}",
        f"--service-account-private-key-file={setup.pki('sa.key')}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        "--profiling=false",
    ]


def scheduler(setup: Setup) -> list[str]:
    return [
        setup.binary("kube-scheduler"),
        f"--kubeconfig={setup.config('scheduler.conf')}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        "--profiling=false",
    ]


def kubelet(setup: Setup) -> list[str]:
    return [
        setup.binary("kubelet"),
        f"--config={setup.config('kubelet.yaml')}",
        f"--kubeconfig={setup.config('kubelet.conf')}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={setup.network.node}",
    ]


def proxy(setup: Setup) -> list[str]:
    return [setup.binary("kube-proxy"), f"--config={setup.config('proxy.yaml')}"]


def dns(setup: Setup) -> list[str]:
    return [setup.binary("dns"), "-conf", setup.config("Corefile"), "-quiet"]


COMPONENTS: dict[str, Callable[[Setup], list[str]]] = {
    "registry": registry,
    "containerd": containerd,
    "etcd": etcd,
    "apiserver": apiserver,
    "controller-manager": controller_manager,
    "scheduler": scheduler,
    "kubelet": kubelet,
    "proxy": proxy,
    "dns": dns,
}
BEFORE_THE_API = ("registry", "containerd", "etcd", "apiserver")
KUBECONFIGS = ("controller-manager", "scheduler", "kubelet", "proxy", "dns")
