"""The node: one set of pid, mount and network namespaces that holds every process of the cluster.

Its first process is a holder that only waits. When the holder ends, the kernel ends everything that was started
inside, and the mounts, the interfaces, the iptables rules and the sockets go with the namespaces.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from sandbox import cgroups
from sandbox.command import attempt, must
from sandbox.errors import SandboxError
from sandbox.places import Places
from sandbox.process import Process, find, spawn_inner, tail, wait_for
from sandbox.subnet import Network

# What the kubelet would otherwise write into the host's kernel: it finds the values it wants in plain files.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


class Node:
    """The namespaces of one cluster, entered by the pid of their holder."""

    def __init__(self, places: Places, network: Network | None) -> None:
        self._places = places
        self._network = network
        self._record = places.pids / "node"

    @property
    def interface(self) -> str:
        """The host's end of the cable to the node."""
        return f"sbx{self._places.unique}"

    def holder(self) -> Process | None:
        """The first process, unless it is gone or on its way: a dying one's namespaces can't be entered."""
        found = Process.load(self._record)
        return found if found and found.alive() and Path(f"/proc/{found.pid}/ns/net").exists() else None

    def enter(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs a command on the node."""
        holder = self.holder()
        if holder is None:
            raise SandboxError("the sandbox's node is not running", "python -m sandbox up")
        return ["nsenter", "--target", str(holder.pid), "--pid", "--mount", "--net", "--", *argv]

    def ensure(self, holder_program: Path) -> None:
        """Create the namespaces, unless they are there."""
        if self.holder() and self._complete().exists():
            return
        self.destroy()
        log = self._places.log("node")
        command = unshare_args(holder_program, self._places.cluster)
        started = spawn_inner(command, log, "the node's namespaces could not be made")
        started.save(self._record)
        if not wait_for(lambda: _executes(started.pid, holder_program), 5):
            raise SandboxError(f"the node's namespaces could not be made:\n{tail(log)}")
        cgroups.create(cgroups.name(self._places.unique))
        self._mount()
        self._connect(started.pid)
        self._complete().touch()

    def destroy(self) -> None:
        """End everything on the node, at once, and remove what the kernel does not remove by itself."""
        self._complete().unlink(missing_ok=True)
        for process in self._holders():
            process.send(signal.SIGKILL)
        wait_for(lambda: not self._holders(), 15)
        self._record.unlink(missing_ok=True)
        attempt(["ip", "link", "delete", self.interface])
        group = cgroups.name(self._places.unique)
        wait_for(lambda: not cgroups.remove(group), 5)

    def leftovers(self) -> list[str]:
        """What `destroy` could not remove."""
        found = [
            f"cgroup {path}" for path in cgroups.folders(cgroups.name(self._places.unique)) if path.exists()
        ]
        if Path(f"/sys/class/net/{self.interface}").exists():
            found.append(f"interface {self.interface}")
        return found + [f"process {process.pid}" for process in self._holders()]

    def _holders(self) -> list[Process]:
        """The holder, and any that an interrupted `up` started and did not come to record."""
        mark = str(self._places.cluster)
        unrecorded = find(lambda argv: argv[-1] == mark and Path(argv[0]).name in ("pause", "unshare"))
        recorded = Process.load(self._record)
        return [
            *unrecorded,
            *([recorded] if recorded and recorded.alive() and recorded not in unrecorded else []),
        ]

    def _complete(self) -> Path:
        return self._places.pids / "node.complete"

    def _mount(self) -> None:
        """Give the node a /run, a /var/lib and a /var/log of its own."""
        must(self.enter(["mount", "--make-rshared", "/"]))
        must(self.enter(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"]))
        for folder in ("/var/lib", "/var/log"):
            own = self._places.cluster / "node" / folder.replace("/", "-").strip("-")
            own.mkdir(parents=True, exist_ok=True)
            must(self.enter(["mount", "--bind", str(own), folder]))
        settings = self._places.cluster / "node" / "kernel"
        settings.mkdir(exist_ok=True)
        for name, value in KERNEL_SETTINGS.items():
            file = settings / name.replace("/", "-")
            file.write_text(f"{value}\n")
            must(self.enter(["mount", "--bind", str(file), f"/proc/sys/{name}"]))

    def _connect(self, pid: int) -> None:
        """Lay a cable from the host to the node. The node has no default route: nothing on it reaches further."""
        network = self._network
        assert network is not None
        for command in cable_commands(network, self.interface, pid):
            must(command)
        for command in node_network_commands(network):
            must(self.enter(command))


def unshare_args(program: Path, mark: Path) -> list[str]:
    """The holder's command line; the holder ignores `mark`, by which it is known as this cluster's."""
    new = ["--pid", "--fork", "--mount", "--propagation", "slave", "--mount-proc", "--net"]
    return ["unshare", *new, "--", str(program), str(mark)]


def cable_commands(network: Network, interface: str, pid: int) -> list[list[str]]:
    """The host's side: the cable, its address, the way to pods and Services."""
    return [
        ["ip", "link", "add", interface, "type", "veth", "peer", "name", "eth0", "netns", str(pid)],
        ["ip", "address", "add", f"{network.host}/24", "dev", interface],
        ["ip", "link", "set", interface, "up"],
        ["ip", "route", "add", network.block, "via", network.node, "dev", interface],
    ]


def node_network_commands(network: Network) -> list[list[str]]:
    return [
        ["ip", "link", "set", "lo", "up"],
        ["ip", "address", "add", f"{network.node}/24", "dev", "eth0"],
        ["ip", "link", "set", "eth0", "up"],
    ]


def _executes(pid: int, program: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/exe").resolve() == program.resolve()
    except OSError:
        return False
