"""The cluster of this checkout: up, down, status, and its components one by one."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from sandbox import api, base_images, binaries, config, machine, pki, subnet
from sandbox.components import BEFORE_THE_API, COMPONENTS, KUBECONFIGS, Setup
from sandbox.errors import SandboxError
from sandbox.node import Node
from sandbox.places import Places, locked, write
from sandbox.process import Process, find, spawn_inner, tail, wait_for
from sandbox.progress import Progress
from sandbox.subnet import Network

START_SECONDS = 90
STOP_SECONDS = 5


class Cluster:
    """One checkout's cluster, whatever state it is in."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.network = subnet.load(places.network)
        self.node = Node(places, self.network)

    def up(self, progress: Progress) -> None:
        """Start what does not run; return when pods can be made."""
        if not binaries.missing(binaries.ALL, self.places.cache) and not self.problem():
            return
        machine.require(self.places.cache, progress)
        built = binaries.ensure(binaries.ALL, self.places.cache, progress)
        with locked(self.places.lock), progress.step("starting the cluster"):
            setup = self._prepare(built)
            self._start(setup, BEFORE_THE_API)
            asked = api.Api(self.places.pki, setup.network)
            self._await("registry", lambda: api.registry_ready(setup.network))
            self._push_base_images(setup)
            self._await("apiserver", asked.ready)
            self._start(setup, tuple(COMPONENTS))
            self._await("kubelet", asked.node_ready)
            self._await("controller-manager", asked.has_default_account)

    def down(self) -> list[str]:
        """End and remove everything, however far `up` had come; what could not be removed."""
        with locked(self.places.lock):
            self.node.destroy()
            left = self.node.leftovers()
            if not left:
                shutil.rmtree(self.places.cluster, ignore_errors=True)
        return left

    def states(self) -> Mapping[str, str]:
        """`running`, `frozen` or `stopped` for the node and every component."""
        found = {"node": "running" if self.node.holder() else "stopped"}
        for name in COMPONENTS:
            process = self.process(name)
            found[name] = "stopped" if not process else "frozen" if process.frozen() else "running"
        return found

    def problem(self) -> str:
        """What keeps pods from being made right now; "" when nothing does."""
        if self.network is None or not (self.places.pki / "admin.crt").exists():
            return "the cluster is not up"
        asked = api.Api(self.places.pki, self.network)
        if broken := [name for name, state in self.states().items() if state != "running"]:
            return f"not running: {', '.join(broken)}"
        if not asked.ready():
            return "the API server does not answer that it is ready"
        if not asked.node_ready():
            return "the node is not Ready"
        return "" if self._base_images_note().exists() else "the images are not pushed"

    def process(self, name: str) -> Process | None:
        """The component's process on the host, if it runs."""
        found = Process.load(self.places.pids / name)
        return found if found and found.alive() else None

    def stop(self, name: str) -> None:
        """End a component, and leave it so."""
        if process := self.process(name):
            process.end(STOP_SECONDS)

    def send(self, name: str, number: int) -> None:
        """Send a component a signal: SIGSTOP freezes it, SIGKILL crashes it."""
        process = self.process(name)
        if process is None:
            raise SandboxError(f"{name} is not running", f"python -m sandbox start {name}")
        process.send(number)

    def start(self, name: str) -> None:
        """Start a component that was stopped, or wake it if it was frozen, and wait until it works."""
        if self.network is None:
            raise SandboxError("the sandbox is not up", "python -m sandbox up")
        setup = Setup(self.places, self.network, binaries.paths(binaries.ALL, self.places.cache))
        with locked(self.places.lock):
            self._start(setup, (name,))
        asked = api.Api(self.places.pki, self.network)
        network = self.network
        checks: dict[str, api.Check] = {
            "registry": lambda: api.registry_ready(network),
            "etcd": asked.ready,
            "apiserver": asked.ready,
            "kubelet": asked.node_ready,
        }
        self._await(name, checks.get(name, lambda: self.process(name) is not None))

    def _prepare(self, built: Mapping[str, Path]) -> Setup:
        """Folders, addresses, certificates, configuration, namespaces."""
        self.places.make()
        network = self.network = self.network or self._choose_network()
        self.node = Node(self.places, network)
        pki.ensure(self.places.pki, network)
        config.write_all(self.places, network, machine.snapshotter(self.places.cluster))
        for stem in KUBECONFIGS:
            write(self.places.config / f"{stem}.conf", pki.kubeconfig(self.places.pki, stem, network.api))
        write(self.places.kubeconfig, pki.kubeconfig(self.places.pki, "admin", network.api))
        with locked(self.places.cache / "locks" / "network"):
            self.node.ensure(built["pause"])
        return Setup(self.places, network, built)

    def _choose_network(self) -> Network:
        with locked(self.places.cache / "locks" / "network"):
            others = self.places.cluster.parent.glob("*/network.json")
            reserved = [found.range for found in map(subnet.load, others) if found]
            network = subnet.choose([*subnet.routes(), *reserved])
            subnet.save(network, self.places.network)
            return network

    def _start(self, setup: Setup, names: tuple[str, ...]) -> None:
        for name in names:
            command = COMPONENTS[name](setup)
            process = self._running(name, command)
            if process is None:
                entered = self.node.enter(command)
                process = spawn_inner(entered, self.places.log(name), f"{name} did not start")
            elif process.frozen():
                process.send(signal.SIGCONT)
            process.save(self.places.pids / name)

    def _running(self, name: str, command: list[str]) -> Process | None:
        """The component's process, also one that an interrupted `up` did not come to record."""
        return self.process(name) or next(iter(find(lambda argv: argv == command)), None)

    def _await(self, name: str, check: api.Check) -> None:
        """Wait for a component to work; fail at once when it has died."""
        started = time.monotonic()
        if wait_for(lambda: check() or self.process(name) is None, START_SECONDS) and check():
            return
        waited = int(time.monotonic() - started)
        what = f"is not ready after {waited}s" if self.process(name) else "has ended"
        log = self.places.log(name)
        raise SandboxError(f"{name} {what}; its log {log} ends:\n{tail(log)}")

    def _push_base_images(self, setup: Setup) -> None:
        """Once per cluster and version of the images: the registry keeps them on disk."""
        made = base_images.archives(self.places.cache, setup.binaries["pause"])
        done = self._base_images_note()
        names = "\n".join(archive.name for archive, _, _ in made)
        if done.exists() and done.read_text() == names:
            return
        for archive, name, tags in made:
            base_images.push(setup.binaries["crane"], archive, f"{setup.network.registry}/{name}", tags)
        done.write_text(names)

    def _base_images_note(self) -> Path:
        return self.places.cluster / "base-images"
