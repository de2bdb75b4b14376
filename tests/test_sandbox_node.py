"""The sandbox's node: addresses, namespaces, processes, cgroups, certificates, configuration."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tomllib
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from sandbox import api, cgroups, config, node, pki, process, subnet
from sandbox.components import BEFORE_THE_API, COMPONENTS, KUBECONFIGS, Setup
from sandbox.errors import SandboxError
from sandbox.places import Places
from sandbox.process import Process
from sandbox.subnet import Network

NETWORK = Network("10.201.0.0/16")
PLACES = Places(Path("/cache"), "shop-01234567")
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def test_a_cluster_takes_a_network_that_nobody_routes() -> None:
    assert subnet.choose([]) == NETWORK
    assert (
        subnet.choose([IPv4Network("10.201.7.0/24"), IPv4Network("10.202.0.0/16")]).block == "10.203.0.0/16"
    )


def test_a_machine_that_routes_everything_private_is_told() -> None:
    with pytest.raises(SandboxError, match="no free network"):
        subnet.choose([IPv4Network("10.0.0.0/8")])


def test_routes_are_read_without_the_default() -> None:
    found = [
        {"dst": "default"},
        {"dst": "0.0.0.0/1"},
        {"dst": "10.1.0.0/16"},
        {"dst": "10.2.3.4"},
        {"type": "x"},
    ]
    assert subnet.parse_routes(json.dumps(found)) == [IPv4Network("10.1.0.0/16"), IPv4Network("10.2.3.4/32")]
    assert subnet.parse_routes("") == []


def test_node_services_and_pods_do_not_overlap() -> None:
    parts = [
        IPv4Network(NETWORK.services),
        IPv4Network(NETWORK.pods),
        IPv4Network(f"{NETWORK.host}/24", strict=False),
    ]
    for part in parts:
        assert part.subnet_of(NETWORK.range)
        assert not any(part.overlaps(other) for other in parts if other is not part)
    assert IPv4Address(NETWORK.kubernetes) == next(IPv4Network(NETWORK.services).hosts())


def test_a_network_is_remembered(tmp_path: Path) -> None:
    subnet.save(NETWORK, tmp_path / "network.json")
    assert subnet.load(tmp_path / "network.json") == NETWORK
    assert subnet.load(tmp_path / "none.json") is None


def test_the_cable_runs_from_the_host_to_the_holders_namespace() -> None:
    commands = [" ".join(command) for command in node.cable_commands(NETWORK, "sbx01234567", 42)]
    assert commands[0] == "ip link add sbx01234567 type veth peer name eth0 netns 42"
    assert commands[-1] == "ip route add 10.201.0.0/16 via 10.201.0.2 dev sbx01234567"


def test_the_node_has_no_way_out() -> None:
    assert not any("default" in command for command in node.node_network_commands(NETWORK))


def test_every_component_has_a_command_line_of_this_cluster_alone() -> None:
    programs = {
        name: Path(f"/bin/{name}")
        for name in ("registry", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    } | {name: Path(f"/bin/{name}") for name in ("kubelet", "kube-proxy", "dns")}
    setup = Setup(PLACES, NETWORK, programs)
    for name, component in COMPONENTS.items():
        assert str(PLACES.cluster) in " ".join(component(setup)), name
    assert set(BEFORE_THE_API) < set(COMPONENTS)
    assert set(KUBECONFIGS) < set(COMPONENTS)


def test_the_api_server_authorizes_audits_and_knows_its_kubelet() -> None:
    flags = COMPONENTS["apiserver"](Setup(PLACES, NETWORK, {"kube-apiserver": Path("/bin/kube-apiserver")}))
    assert "--authorization-mode=Node,RBAC" in flags
    assert f"--audit-log-path={PLACES.audit_log}" in flags
    assert "--kubelet-preferred-address-types=InternalIP" in flags
    assert not any(flag.startswith("--disable-admission-plugins") for flag in flags)


def test_containerd_finds_the_registry_by_its_name() -> None:
    written = tomllib.loads(config.containerd(PLACES, "overlayfs"))
    cri = written["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["registry"]["config_path"] == "/cache/clusters/shop-01234567/config/registries"
    assert cri["sandbox_image"] == "registry.sandbox/pause:1"
    hosts = tomllib.loads(config.registry_hosts())
    assert hosts["server"] == "http://127.0.0.1:5000"


def test_the_kubelet_keeps_to_its_own_cgroup_and_authenticates() -> None:
    written = json.loads(config.kubelet(PLACES, NETWORK))
    assert written["cgroupRoot"] == f"/{cgroups.name(PLACES.unique)}"
    assert written["authentication"]["anonymous"] == {"enabled": False}
    assert written["clusterDNS"] == [NETWORK.node]


def test_a_certificate_for_the_api_server_names_all_its_addresses() -> None:
    who = next(found for found in pki.identities(NETWORK) if found.stem == "apiserver")
    names = pki.alternative_names(who.names)
    for name in (
        "IP:127.0.0.1",
        f"IP:{NETWORK.node}",
        f"IP:{NETWORK.kubernetes}",
        "DNS:kubernetes.default.svc",
    ):
        assert name in names


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_what_an_interrupted_run_left_out_is_made_and_the_rest_kept(tmp_path: Path) -> None:
    pki.ensure(tmp_path / "pki", NETWORK)
    first = {file.name: file.read_bytes() for file in (tmp_path / "pki").iterdir()}
    (tmp_path / "pki" / "scheduler.crt").unlink()
    pki.ensure(tmp_path / "pki", NETWORK)
    second = {file.name: file.read_bytes() for file in (tmp_path / "pki").iterdir()}
    assert {name for name in first if first[name] != second[name]} == {"scheduler.crt", "scheduler.key"}
    written = json.loads(pki.kubeconfig(tmp_path / "pki", "admin", "https://x"))
    assert "certificate-authority-data" in written["clusters"][0]["cluster"]


def test_a_v1_cgroup_is_made_in_every_hierarchy_and_removed(tmp_path: Path) -> None:
    for controller in ("memory", "cpuset"):
        (tmp_path / controller).mkdir()
    cgroups.create("g", tmp_path)
    (tmp_path / "memory" / "g" / "kubepods").mkdir()
    assert len(cgroups.folders("g", tmp_path)) == 2
    assert cgroups.remove("g", tmp_path) == []
    assert not (tmp_path / "memory" / "g").exists()


def test_a_v2_cgroup_hands_its_controllers_down(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "cgroup.controllers").write_text("memory\n")
    cgroups.create("g", tmp_path)
    assert cgroups.folders("g", tmp_path) == [tmp_path / "g"]
    assert (tmp_path / "cgroup.subtree_control").exists()
    assert (tmp_path / "g" / "cgroup.subtree_control").read_text() == "+memory"


def test_a_process_line_may_hold_brackets_and_blanks() -> None:
    fields = " ".join(["S", *["0"] * 18, "4711", "0"])
    assert process.parse_stat(f"12 (a ) (b) {fields}") == ("S", 4711)


@linux_only
def test_a_process_is_started_frozen_woken_and_ended(tmp_path: Path) -> None:
    started = Process.of(process.spawn(["sleep", "60"], tmp_path / "log"))
    assert started
    assert started.alive()
    started.save(tmp_path / "pid")
    assert Process.load(tmp_path / "pid") == started
    started.send(signal.SIGSTOP)
    assert process.wait_for(started.frozen, 5)
    started.end(5)
    assert not started.alive()


@linux_only
def test_a_stranger_with_a_reused_pid_is_never_signalled(tmp_path: Path) -> None:
    stranger = Process.of(process.spawn(["sleep", "60"], tmp_path / "log"))
    assert stranger
    ours = Process(stranger.pid, stranger.started - 1)
    assert not ours.alive()
    ours.end(0.1)
    assert stranger.alive()
    stranger.end(5)


@linux_only
def test_a_process_that_was_never_recorded_is_found_by_its_command(tmp_path: Path) -> None:
    command = ["sleep", "61.0625"]
    started = Process.of(process.spawn(command, tmp_path / "log"))
    assert started
    assert process.wait_for(lambda: process.find(lambda argv: argv == command) == [started], 5)
    started.end(5)


@linux_only
def test_a_command_that_never_forks_is_reported_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no holder:\n    oh no"):
        process.spawn_inner(["sh", "-c", "echo oh no"], tmp_path / "log", "no holder")


def test_an_unreadable_pid_file_is_no_process(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text("{half")
    assert Process.load(tmp_path / "pid") is None
    assert Process.load(tmp_path / "none") is None


def test_a_node_is_ready_only_when_it_says_so() -> None:
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert api.node_is_ready(json.dumps(ready).encode())
    assert not api.node_is_ready(b'{"status": {}}')
    assert not api.node_is_ready(None)
