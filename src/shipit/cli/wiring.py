"""From flags and configuration to what a deploy needs: the cluster, helm, private values files, a Request."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shipit.cli.session import Session
from shipit.config import Config, Migration, Overrides, load_config, overlay_values, values_files
from shipit.errors import refusing
from shipit.events import Started, Warned
from shipit.hints import kubectl
from shipit.lock import LEASE_DURATION
from shipit.model import Identity, MigrationSpec, Request, World
from shipit.plan import PROBE_TAG

if TYPE_CHECKING:
    from shipit.cluster import KubeCluster


@dataclass(frozen=True, slots=True)
class Flags:
    """What only `deploy` has."""

    skip_migration: bool = False
    rerun: bool = False
    replace_running: bool = False
    lock_wait: float = 0.0
    message: str = ""


def configure(session: Session, overrides: Overrides | None = None) -> Config:
    """Load `shipit.toml`; the flags that every command has are added to `overrides`. Raises Usage."""
    common = session.common
    said = replace(overrides or Overrides(), namespace=common.namespace, context=common.context)
    config = load_config(common.config, common.env, Path.cwd(), os.environ, said)
    session.release = config.release.name
    return config


def reach(session: Session, config: Config, folder: Path) -> KubeCluster:
    """Connect to the cluster. Raises Refused when it can't be reached with these credentials.

    `folder` is private and outlives the cluster's use: the client keeps keys in it.
    """
    from shipit.cluster import connect

    kubeconfig = session.common.kubeconfig
    with refusing():
        cluster = connect(
            kubeconfig=str(kubeconfig) if kubeconfig else None,
            context=config.release.context,
            clock=session.clock,
            folder=folder,
        )
        session.namespace = config.release.namespace or cluster.default_namespace
        session.common.typed.context = cluster.context
        cluster.check()
    return cluster


@contextmanager
def reached(session: Session, config: Config) -> Iterator[KubeCluster]:
    """The cluster, for what needs nothing else; see `reach`."""
    from shipit.helm import private_folder

    with private_folder() as folder:
        cluster = reach(session, config, folder)
        _warn_of_no_tls(session, cluster)
        yield cluster


def _warn_of_no_tls(session: Session, cluster: KubeCluster) -> None:
    """Once for each command; helm, which gets the same kubeconfig, says nothing."""
    if not cluster.unverified:
        return
    session.emit(
        Warned(
            f"TLS verification is off for context {cluster.context} (insecure-skip-tls-verify): anyone on the "
            "network path to the API server can read and change what is sent",
            hint=kubectl(
                *("config", "set-cluster", cluster.unverified),
                *("--certificate-authority=ca.crt", "--embed-certs"),
                why="verifies it, once the cluster's CA certificate is in ca.crt",
            ),
        )
    )


@contextmanager
def deploying(
    session: Session, config: Config, tag: str, flags: Flags, *, command: str = "deploy"
) -> Iterator[tuple[Request, World]]:
    """The world of a deploy and what is asked of it; the private files are gone afterwards."""
    from shipit import helm

    with helm.private_folder() as folder:
        cluster = reach(session, config, folder)
        release = config.release
        program = helm.connect(
            release=release.name,
            namespace=session.namespace,
            context=cluster.context,  # as it was resolved: somebody may switch contexts while a migration runs
            kubeconfig=cluster.kubeconfig,
            helm_args=release.helm_args,
            workdir=config.path.parent,
            environ=os.environ,
            lease=LEASE_DURATION,
        )
        session.emit(
            Started(
                command=command,
                run=session.run,
                release=release.name,
                namespace=session.namespace,
                tag=tag,
                context=cluster.context,
                helm=str(program.version),
            )
        )
        _warn_of_no_tls(session, cluster)
        with refusing():
            request = _request(session, config, tag, flags, folder)
        yield request, World(program, cluster, session.clock, session.mask)


def _request(session: Session, config: Config, tag: str, flags: Flags, folder: Path) -> Request:
    release = config.release
    return Request(
        run=session.run,
        release=release.name,
        namespace=session.namespace,
        tag=tag,
        chart=release.chart,
        values=_values(config, None, tag, folder / "values.json"),
        probe=_values(config, None, PROBE_TAG, folder / "probe.json"),
        workdir=folder,
        identity=identity(os.environ, flags.message),
        migrations=tuple(_spec(config, each, tag, folder, n) for n, each in enumerate(config.migrations)),
        tag_key=release.tag_key,
        timeout=release.timeout,
        rollback_on_failure=release.rollback_on_failure,
        create_namespace=release.create_namespace,
        skip_migration=flags.skip_migration,
        rerun=flags.rerun,
        replace_running=flags.replace_running,
        lock_wait=flags.lock_wait,
    )


def _spec(config: Config, migration: Migration, tag: str, folder: Path, number: int) -> MigrationSpec:
    own = bool(migration.chart or migration.values or migration.set)
    return MigrationSpec(
        name=migration.name or "",
        template=migration.template or "",
        chart=migration.chart or "",
        values=_values(config, migration, tag, folder / f"migration-{number}.json") if own else None,
        probe=_values(config, migration, PROBE_TAG, folder / f"migration-{number}-probe.json")
        if own
        else None,
        timeout=migration.timeout,
        start_timeout=migration.start_timeout,
        phase=migration.phase,
        on_timeout=migration.on_timeout,
    )


def _values(config: Config, migration: Migration | None, tag: str, path: Path) -> tuple[Path, ...]:
    """The values files of a rendering, lowest first; the last one is ours and holds `set` and the tag."""
    from shipit.chart import load_yaml
    from shipit.helm import write_values

    ours = write_values(
        path.parent, path.name, overlay_values(config, tag, migration=migration, load_yaml=load_yaml)
    )
    return (*values_files(config, migration), ours)


def identity(environ: Mapping[str, str], message: str = "") -> Identity:
    """Who deploys and where from: the Actions run's URL in CI, else user and host."""
    if environ.get("GITHUB_ACTIONS") == "true":
        server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
        where = f"{server}/{repository}/actions/runs/{environ.get('GITHUB_RUN_ID', '')}"
        return Identity(environ.get("GITHUB_ACTOR", "an Actions run"), where, message)
    try:
        who = getpass.getuser()
    except (KeyError, OSError):
        who = f"uid {os.getuid()}"
    return Identity(who, socket.gethostname(), message)
