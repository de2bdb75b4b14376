"""`python -m sandbox up|down|status|…`: the sandbox's command line."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence

import sandbox
from sandbox import binaries
from sandbox.cluster import Cluster
from sandbox.components import COMPONENTS
from sandbox.errors import SandboxError
from sandbox.places import Places, cache_dir
from sandbox.progress import Progress


def up(args: argparse.Namespace) -> int:
    found = sandbox.ensure_up(Progress(quiet=args.quiet))
    print(
        f"up: export KUBECONFIG={found.kubeconfig}" + (f" (context {found.context})" if found.context else "")
    )
    return 0


def down(_: argparse.Namespace) -> int:
    if sandbox.is_external():
        print("the cluster of SANDBOX_KUBECONFIG is yours and is left alone")
        return 0
    left = Cluster(Places.of()).down()
    print("down: nothing left behind" if not left else f"could not remove: {', '.join(left)}")
    return 1 if left else 0


def status(_: argparse.Namespace) -> int:
    if sandbox.is_external():
        sandbox.check_external(sandbox.describe())
        print(f"answers   {sandbox.describe().kubeconfig} (yours, by SANDBOX_KUBECONFIG)")
        return 0
    cluster = Cluster(Places.of())
    for name, state in cluster.states().items():
        process = cluster.process(name)
        print(f"{name:20}{state}" + (f" (pid {process.pid})" if process else ""))
    problem = cluster.problem()
    found = sandbox.describe()
    rows = {"kubeconfig": found.kubeconfig, "registry": found.push_registry, "audit log": found.audit_log}
    for name, value in {**rows, "folder": cluster.places.cluster}.items():
        print(f"{name:20}{value}")
    print(f"{'cluster':20}{problem or 'works'}")
    return 1 if problem else 0


def env(_: argparse.Namespace) -> int:
    """Lines for `eval "$(python -m sandbox env)"`."""
    found = sandbox.describe()
    values = {"KUBECONFIG": found.kubeconfig, "KUBECTL": found.kubectl, "CRANE": found.crane}
    values |= {f"HELM{version.replace('.', '_')}": path for version, path in found.helms.items()}
    for name, value in values.items():
        print(f"export {name}={value}")
    print(f"export SANDBOX_PUSH_REGISTRY={found.push_registry}")
    if found.host and (os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")):
        print(f"export NO_PROXY={os.environ.get('NO_PROXY', '')},{found.host}/16")
    return 0


def build(args: argparse.Namespace) -> int:
    targets = binaries.CLIENTS if args.clients else binaries.ALL
    for path in binaries.ensure(targets, cache_dir(), Progress(quiet=args.quiet)).values():
        print(path)
    return 0


def clean(_: argparse.Namespace) -> int:
    """Remove the cache, unless another checkout's cluster lives in it."""
    places = Places.of()
    clusters = {folder.parent.name for folder in places.cluster.parent.glob("*/pids")}
    if others := sorted(clusters - {places.name}):
        raise SandboxError(
            f"in {places.cache} live other checkouts' clusters too: {', '.join(others)}",
            "take them down first",
        )
    if left := Cluster(places).down():
        raise SandboxError(f"could not remove: {', '.join(left)}")
    shutil.rmtree(places.cache, ignore_errors=True)
    print(f"removed {places.cache}")
    return 0


def stop(args: argparse.Namespace) -> int:
    cluster = Cluster(Places.of())
    if args.signal:
        cluster.send(args.name, signal.Signals[f"SIG{args.signal}"])
    else:
        cluster.stop(args.name)
    return 0


def start(args: argparse.Namespace) -> int:
    Cluster(Places.of()).start(args.name)
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser("python -m sandbox", description="A throw-away Kubernetes on this machine.")
    commands = top.add_subparsers(metavar="COMMAND")

    def add(run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(run.__name__, help=text, description=text)
        command.set_defaults(run=run)
        return command

    for run, text in ((up, "start what does not run"), (build, "build the programs into the cache")):
        add(run, text).add_argument("-q", "--quiet", action="store_true", help="no progress")
    commands.choices["build"].add_argument(
        "--clients", action="store_true", help="only kubectl, crane and the helms"
    )
    add(down, "end and remove the cluster of this checkout")
    add(status, "say what runs and where it is; exit 1 unless all of it does")
    add(env, 'print variables for eval "$(python -m sandbox env)"')
    add(clean, "down, and remove the cache with all that was built")
    stopper = add(stop, "end one component, as a fault; `start` or `up` brings it back")
    stopper.add_argument("--signal", choices=("STOP", "CONT", "KILL", "TERM"), help="only send this signal")
    stopper.add_argument("name", choices=COMPONENTS, metavar="NAME", help=", ".join(COMPONENTS))
    starter = add(start, "start or wake one component, and wait until it works")
    starter.add_argument("name", choices=COMPONENTS, metavar="NAME", help=", ".join(COMPONENTS))
    return top


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if not hasattr(args, "run"):
        parser().print_help()
        return 0
    try:
        return int(args.run(args))
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sandbox: interrupted; `python -m sandbox down` cleans up", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
