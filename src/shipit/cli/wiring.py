"""From flags and configuration to what a deploy needs: the cluster, helm, a Request."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from shipit.cli.session import Session
from shipit.config import Config, Flags, Request, acting_as, layer_of, load_config
from shipit.errors import refusing
from shipit.events import Started, Warned
from shipit.hints import kubectl
from shipit.lock import LEASE_DURATION
from shipit.model import Identity, World

if TYPE_CHECKING:
    from shipit.cluster import KubeCluster
    from shipit.helm import HelmCli


def configure(session: Session, flags: Flags | None = None) -> Config:
    """Load `shipit.toml`; the flags that every command has are added to `flags`. Raises Usage."""
    common = session.common
    said = replace(flags or Flags(), namespace=common.namespace, context=common.context)
    config = load_config(common.config, common.env, Path.cwd(), os.environ, said)
    session.release = config.release.name
    return config


def reach(session: Session, config: Config, folder: Path) -> KubeCluster:
    """Connect to the cluster. Raises Refused when it can't be reached with these credentials.

    `folder` is private and outlives the cluster's use: the client keeps keys in it.
    """
    from shipit.cluster import connect, helms_overrides

    kubeconfig = session.common.kubeconfig
    user, groups = acting_as(config.helm_flags)
    with refusing():
        cluster = connect(
            kubeconfig=str(kubeconfig) if kubeconfig else None,
            context=config.release.context or None,
            clock=session.clock,
            folder=folder,
            overrides=helms_overrides(os.environ, as_user=user, as_groups=groups),
            plugins_folder=config.path.parent,
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
        warn_of_no_tls(session, cluster)
        yield cluster


def warn_of_no_tls(session: Session, cluster: KubeCluster) -> None:
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
    from shipit.helm import private_folder

    with private_folder() as folder:
        cluster = reach(session, config, folder)
        program = helm_of(session, config, folder, cluster)
        session.emit(
            Started(
                command=command,
                run=session.run,
                release=config.release.name,
                namespace=session.namespace,
                tag=session.tag,
                context=cluster.context,
                helm=str(program.version),
                environment=config.environment or "",
            )
        )
        warn_of_no_tls(session, cluster)
        request = asked(session, config, tag, flags, folder=folder)
        yield request, World(program, cluster, session.clock, session.mask)


def helm_of(
    session: Session, config: Config | None, folder: Path, cluster: KubeCluster | None = None
) -> HelmCli:
    """The program helm; without a cluster it can only say which one it is. Raises Refused."""
    from shipit import helm

    return helm.connect(
        release=config.release.name if config else "",
        namespace=session.namespace,
        context=cluster.context
        if cluster
        else "",  # as it was resolved: somebody may switch contexts meanwhile
        kubeconfig=str(cluster.kubeconfig) if cluster else "",
        before_each=cluster.renew_kubeconfig if cluster else lambda: None,
        helm_flags=config.helm_flags if config else (),
        workdir=config.path.parent if config else Path.cwd(),
        folder=folder,
        environ=os.environ,
        lease=LEASE_DURATION,
        masked=session.mask.text,
    )


def asked(session: Session, config: Config, tag: str, flags: Flags, *, folder: Path) -> Request:
    """What is asked for, its secrets masked. Raises Refused for values that can't be read or fetched."""
    from shipit.plan import mask_credentials, mask_values

    mask_credentials(config, session.mask)
    request = _request(session, config, tag, flags, folder)
    mask_values(request, session.mask)
    return request


def _request(session: Session, config: Config, tag: str, flags: Flags, folder: Path) -> Request:
    """Raises Refused for values that can't be read or fetched."""
    from shipit.helm import GivenValues

    given = GivenValues(folder)
    return Request(
        run=session.run,
        namespace=session.namespace,
        tag=tag,
        spec=config.release,
        values=replace(config.values, layers=tuple(map(given.kept, config.values.layers))),
        workdir=folder,
        identity=identity(os.environ, flags.message),
        migrations=tuple(
            structs.replace(
                entry, values=tuple(str(given.kept(layer_of(text, Path()))) for text in entry.values)
            )
            for entry in config.migrations
        ),
        project=config.path.parent,
        skip_migration=flags.skip_migration,
        rerun=flags.rerun,
        replace_running=flags.replace_running,
        lock_wait=flags.lock_wait,
        if_changed=flags.if_changed,
        from_variables=config.from_variables,
        environment=config.environment or "",
    )


def identity(environ: Mapping[str, str], message: str = "") -> Identity:
    """Who deploys and where from: the Actions run's URL in CI, otherwise user and host."""
    if environ.get("GITHUB_ACTIONS") == "true":
        server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
        where = f"{server}/{repository}/actions/runs/{environ.get('GITHUB_RUN_ID', '')}"
        return Identity(environ.get("GITHUB_ACTOR", "an Actions run"), where, message)
    try:
        who = getpass.getuser()
    except (KeyError, OSError):
        who = f"uid {os.getuid()}"
    return Identity(who, socket.gethostname(), message)
