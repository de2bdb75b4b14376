"""`shipit doctor`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shipit.cli.options import Common, OutputKind, variable
from shipit.cli.session import Done, Session, conduct

if TYPE_CHECKING:
    from shipit.cluster import KubeCluster
    from shipit.config import Config
    from shipit.helm import HelmCli
    from shipit.plan import Checklist


def doctor(
    common: Common,
    *,
    tag: Annotated[
        str | None,
        typer.Option(
            "--tag", "-t", envvar=variable("tag"), help="Tag to render with (default: a placeholder)."
        ),
    ] = None,
    role: Annotated[
        bool,
        typer.Option(
            "--role", envvar=variable("role"), help="Print only a Role, as YAML, that holds what is missing."
        ),
    ] = False,
) -> None:
    """Check everything that a deploy needs.

    Checks the configuration, helm, cluster, permissions, lock, chart and migration, and shows how to fix what fails.
    Changes nothing.
    """

    def work(session: Session) -> Done:
        from shipit.config import check_tag
        from shipit.helm import private_folder
        from shipit.plan import PROBE_TAG, Checklist

        wanted = check_tag(tag or PROBE_TAG)
        if role:
            return _role(session)
        checks = Checklist(session.emit)
        with private_folder() as folder:
            _Examination(session, checks, folder).run(wanted)
        checks.end()
        return Done("all checks passed")

    conduct(common, work, tag=tag or "", pager=True)


@dataclass(slots=True)
class _Examination:
    """What has been found so far, None for what isn't there."""

    session: Session
    checks: Checklist
    folder: Path
    config: Config | None = None
    program: HelmCli | None = None
    cluster: KubeCluster | None = None

    def run(self, tag: str) -> None:
        """Go through everything that can be looked at; tell of the rest why it can't."""
        from shipit.plan import CHART_FIRST, Place, examine_cluster, leave_out

        checks = self.checks
        checks.check("configuration", self._configuration)
        checks.check("helm", self._helm)
        checks.check("cluster", self._cluster, unless="" if self.config else _first("configuration"))
        there = False
        if self.config and self.cluster:
            storage = self.program.storage if self.program else "Secret"
            release = self.config.release
            place = Place(self.session.namespace, release.name, storage, release.create_namespace)
            there = examine_cluster(place, self.cluster, checks)
        else:
            leave_out(checks, ("namespace", "permissions", "lock"), _first("cluster"))
        if self.config and self.cluster and self.program:
            self._chart(tag, there=there)
        else:
            leave_out(checks, ("chart",), _first("cluster" if self.program else "helm"))
            leave_out(checks, ("migration", "references", "dry run"), CHART_FIRST)

    def _configuration(self) -> str:
        from shipit.cli.wiring import configure

        found = self.config = configure(self.session)
        return f"{found.path}{f', environment {found.environment}' if found.environment else ''}"

    def _helm(self) -> str:
        from shipit.cli.wiring import helm_of

        self.program = helm_of(self.session, self.config, self.folder)
        return str(self.program.version)

    def _cluster(self) -> str:
        from shipit.cli.wiring import reach, warn_of_no_tls

        assert self.config  # noqa: S101 - the check is left out otherwise
        found = reach(self.session, self.config, self.folder)
        version = found.check()
        warn_of_no_tls(self.session, found)
        self.cluster = found
        return f"{found.context}, Kubernetes {version}"

    def _chart(self, tag: str, *, there: bool) -> None:
        from shipit.cli.wiring import asked, helm_of
        from shipit.config import Flags
        from shipit.model import World
        from shipit.plan import examine_chart

        assert self.config  # noqa: S101 - see `run`
        assert self.cluster  # noqa: S101
        session = self.session
        program = helm_of(session, self.config, self.folder, self.cluster)
        request = asked(session, self.config, tag, Flags(), folder=self.folder)
        world = World(program, self.cluster, session.clock, session.mask)
        examine_chart(request, world, self.checks, there=there)


def _first(name: str) -> str:
    return f"{name if name == 'helm' else f'the {name}'} has to pass first"


def _role(session: Session) -> Done:
    """The Role alone on stdout, for `kubectl apply -f -`; in JSON as the result's message."""
    from shipit.cli.wiring import configure, reached
    from shipit.helm import storage_of
    from shipit.plan import Place, missing_role

    config = configure(session)
    with reached(session, config) as cluster:
        place = Place(session.namespace, config.release.name, storage_of(os.environ))
        found = missing_role(place, cluster)
    if not found:
        return Done("nothing is missing")
    if session.common.output is OutputKind.JSON:
        return Done(found)
    typer.echo(found)
    return Done("")
