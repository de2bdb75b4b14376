"""The configuration files of the cluster's components, as text."""

from __future__ import annotations

import json
from pathlib import Path

from sandbox.places import Places, write
from sandbox.subnet import REGISTRY_PORT, Network

REGISTRY_NAME = "registry.sandbox"
NODE_NAME = "sandbox"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
DOMAIN = "cluster.local"


def write_all(places: Places, network: Network, snapshotter: str) -> None:
    """Write all of them; the kubeconfigs are the PKI's."""
    texts = {
        "audit-policy.yaml": audit_policy(),
        "containerd.toml": containerd(places, snapshotter),
        "cni/10-sandbox.conflist": cni(network),
        f"registries/{REGISTRY_NAME}/hosts.toml": registry_hosts(),
        "registry.yaml": registry(places.cluster / "registry"),
        "kubelet.yaml": kubelet(places, network),
        "proxy.yaml": proxy(places, network),
        "Corefile": corefile(places, network),
        "resolv.conf": "",
    }
    for name, text in texts.items():
        write(places.config / name, text)


def audit_policy() -> str:
    """Who did what to which object, once per request; no bodies, so no secrets."""
    rules = [{"level": "Metadata", "omitStages": ["RequestReceived"]}]
    return json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules})


def containerd(places: Places, snapshotter: str) -> str:
    return f"""\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{REGISTRY_NAME}/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{places.config}/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{places.config}/registries"
"""


def cni(network: Network) -> str:
    """A routed cable per pod, not a bridge: Services then work without the br_netfilter module."""
    ranges = [[{"subnet": network.pods}]]
    ipam = {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
    plugins = [
        {"type": "ptp", "ipMasq": False, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": "0.4.0", "name": "sandbox", "plugins": plugins})


def registry_hosts() -> str:
    endpoint = f"http://127.0.0.1:{REGISTRY_PORT}"
    return f'server = "{endpoint}"\n[host."{endpoint}"]\n  capabilities = ["pull", "resolve"]\n'


def registry(folder: Path) -> str:
    content = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder)}, "delete": {"enabled": True}},
        "http": {"addr": f":{REGISTRY_PORT}"},
    }
    return json.dumps(content)


def kubelet(places: Places, network: Network) -> str:
    content = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(places.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(places.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(places.pki / "kubelet.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/shipit-sandbox-{places.unique}",
        "clusterDNS": [network.node],
        "clusterDomain": DOMAIN,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "4s",
        "resolvConf": str(places.config / "resolv.conf"),
        "serializeImagePulls": False,
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    }
    return json.dumps(content)


def proxy(places: Places, network: Network) -> str:
    """The conntrack limits are the whole machine's: zero leaves them alone."""
    conntrack = {"maxPerCore": 0, "min": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s"}
    content = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(places.config / "proxy.conf")},
        "clusterCIDR": network.pods,
        "conntrack": conntrack,
        "hostnameOverride": NODE_NAME,
        "iptables": {"minSyncPeriod": "100ms"},
    }
    return json.dumps(content)


def corefile(places: Places, network: Network) -> str:
    """The cluster's own names; every other name does not exist, and is said so at once."""
    return f"""\
. {{
    bind {network.node}
    errors
    kubernetes {DOMAIN} in-addr.arpa {{
        kubeconfig {places.config}/dns.conf sandbox
    }}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
