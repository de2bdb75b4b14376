"""Helm for one release: what `world.Helm` promises, by running helm."""

from __future__ import annotations

import contextlib
import copy
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from shipit.chart import rendered_of, split, stored_hooks
from shipit.config import HelmFlag, switched_on
from shipit.errors import HelmFailed, Refused
from shipit.helm import arguments, responses, stderr
from shipit.helm.arguments import Target
from shipit.helm.charts import FETCH_WITHIN, Charts
from shipit.helm.process import Command, Process
from shipit.helm.storage import storage_of
from shipit.helm.values import ValueFlags, value_flags
from shipit.hints import Hint, advice, kubectl
from shipit.model import ChartFiles, HelmExit, HelmVersion, Json, Rendered, Revision, Storage, Values

BINARY_VARIABLE = "SHIPIT_HELM"
READ_WITHIN = 120.0
_IS_THE_CLUSTER_THERE = kubectl("version", why="shows whether the API server answers")


class HelmCli:
    """Runs one helm binary for one release. Made by `connect`, which has checked it."""

    def __init__(
        self,
        target: Target,
        helm_flags: Sequence[HelmFlag],
        command: Command,
        *,
        folder: Path,
        version: HelmVersion,
        storage: Storage,
        lease: float | None,
        read_within: float,
        masked: Callable[[str], str],
        before_each: Callable[[], None],
    ) -> None:
        self._before_each = before_each
        self._target = target
        self._helm_flags = helm_flags
        self._folder = folder
        self._written: list[tuple[Values, ValueFlags]] = []
        self._charts = Charts(folder, helm_flags, self._fetch)
        self._command = command
        self._lease = lease
        self._read_within = read_within
        self._masked = masked
        self.left_out = 0
        self.version = version
        self.storage = storage
        self.binary = command.binary

    def chart(self, name: str, version: str, tell: Callable[[str], None] = lambda _text: None) -> ChartFiles:
        return self._charts.get(name, version, tell)

    def _fetch(self, args: list[str], doing: str) -> HelmExit:
        hint = advice(
            "the server that the chart comes from does not answer; is a proxy needed (HTTPS_PROXY)?"
        )
        ended, _ = read(self._command, args, doing, within=FETCH_WITHIN, masked=self._masked, hint=hint)
        return ended

    def render(self, chart: str, values: Values) -> Rendered:
        args = self._render_args(chart, values)
        doing = f"rendering release {self._target.release}"
        environ = self._remembering("settled", self._settled()) if self.left_out else None
        return self._forced(responses.rendered(self._read(args, doing, chart=chart, environ=environ)))

    def without(self, revision: int) -> HelmCli:
        same = copy.copy(self)
        same.left_out = revision
        return same

    def _settled(self) -> list[Json]:
        """What Helm upgrades from once the revision that is left out is gone; its history with it where it is the only
        one.
        """
        history = self.history()
        if not history or history[-1].status == "uninstalled":
            return []
        deployed = [each.number for each in history if each.status == "deployed"]
        base = deployed[-1] if deployed else history[-1].number
        given, whole = (self.values(base, chart_too=each) for each in (False, True))
        return [
            arguments.deployed_revision(
                self._target,
                history[-1].number,
                given=given,
                chart_values=whole,
                server_side=self._applied_server_side(base),
            )
        ]

    def _remembering(self, name: str, stored: Sequence[Json]) -> Mapping[str, str]:
        """The environment of a helm that knows these revisions, and no others."""
        data = self._folder / f"releases-{name}.json"
        data.write_text(json.dumps(stored), encoding="utf-8")
        return {**self._command.environ, **arguments.in_memory(data)}

    def _render_args(self, chart: str, values: Values) -> list[str]:
        flags = self._charts.flags_for(chart)
        if values.of_other_chart:
            flags = arguments.for_other_chart(self.version, flags)
        return arguments.render_args(self._target, flags, chart, self._flags(values))

    def render_offline(
        self, chart: str, values: Values, *, kube_version: str, api_versions: Sequence[str]
    ) -> Rendered:
        args = arguments.template_args(
            self._target,
            self._charts.flags_for(chart),
            chart,
            self._flags(values),
            live=self.version < arguments.STRATEGIES,  # Helm 4 then asks the API server about the objects too
            kube_version=kube_version,
            api_versions=api_versions,
        )
        doing = f"rendering release {self._target.release} without its custom resource definitions"
        text = self._read(args, doing, chart=chart)
        return rendered_of(text, server_side=self.version >= arguments.STRATEGIES)

    def render_alone(self, chart: str, values: Values, *, upgrade: bool = False) -> Rendered:
        """As a first install, or an upgrade, of a release that no cluster is asked about."""
        args = arguments.alone_args(
            self._target, self._helm_flags, chart, self._flags(values), upgrade=upgrade
        )
        text = self._read(args, f"rendering the chart {chart}", chart=chart)
        return rendered_of(text, server_side=self.version >= arguments.STRATEGIES)

    def definitions(self, chart: Path, values: Values) -> str:
        args = arguments.definitions_args(self._target, self._helm_flags, chart, self._flags(values))
        return self._read(args, "reading the chart's crds/", chart=str(chart))

    def render_as(self, chart: str, values: Values, *, install: bool) -> Rendered:
        stored = [] if install else [arguments.first_revision(self._target)]
        environ = self._remembering("none" if install else "one", stored)
        args = self._render_args(chart, values)
        doing = f"rendering release {self._target.release} as {'an install' if install else 'an upgrade'}"
        return responses.rendered(self._read(args, doing, chart=chart, environ=environ))

    def history(self, *, within: float | None = None) -> tuple[Revision, ...]:
        history = self._history(self._target, within)
        return tuple(each for each in history if each.number != self.left_out)

    def history_of(self, release: str, namespace: str) -> tuple[Revision, ...]:
        return self._history(replace(self._target, release=release, namespace=namespace))

    def _history(self, target: Target, within: float | None = None) -> tuple[Revision, ...]:
        args = arguments.history_args(target, self._helm_flags)
        doing = "reading the history" + (
            f" of release {target.release}" if target.release != self._target.release else ""
        )
        try:
            return responses.history(self._read(args, doing, within=within))
        except HelmFailed as error:
            if error.reason == "no-release":
                return ()
            raise

    def manifest(self, revision: int) -> str:
        """As it is stored: `helm get` ends it with one more newline."""
        return self._get("manifest", revision).removesuffix("\n")

    def hooks(self, revision: int) -> str:
        return self._get("hooks", revision)

    def stored(self, revision: int) -> Rendered:
        hooks = stored_hooks(split(self.hooks(revision), self._target.namespace))
        found = Rendered(self.manifest(revision), hooks, revision, install=False, server_side=False)
        return self._forced(replace(found, server_side=self._applied_server_side(revision)))

    def _applied_server_side(self, revision: int) -> bool:
        if self.version < arguments.STRATEGIES:
            return False
        return self._json("metadata --output=json", revision).get("applyMethod") == "ssa"

    def values(self, revision: int, *, chart_too: bool) -> Json:
        return self._json("values --output=json" + (" --all" if chart_too else ""), revision)

    def upgrade(
        self,
        chart: Path,
        values: Values | None,
        *,
        timeout: float,
        wait: bool,
        description: str = "",
        restores: bool = False,
    ) -> Process:
        args = arguments.upgrade_args(
            self._target,
            self._helm_flags,
            chart,
            self._flags(values) if values else None,
            timeout=timeout,
            wait=wait,
            description=description,
            restores=restores,
        )
        return self._start(args)

    def rollback(self, revision: int, *, timeout: float, wait: bool = True) -> Process:
        args = arguments.rollback_args(self._target, self._helm_flags, revision, timeout=timeout, wait=wait)
        return self._start(args)

    def _forced(self, found: Rendered) -> Rendered:
        """With what `helm_args` say of other people's changes."""
        return replace(
            found,
            force_conflicts=switched_on(self._helm_flags, "--force-conflicts"),
            force_replace=any(switched_on(self._helm_flags, name) for name in ("--force", "--force-replace")),
        )

    def _json(self, what: str, revision: int) -> Json:
        return responses.table(self._get(what, revision), what.partition(" ")[0])

    def _flags(self, values: Values) -> ValueFlags:
        """The upgrade finds again what was written for the rendering."""
        known = next((flags for given, flags in self._written if given == values), None)
        if known is None:
            known = value_flags(values, self._folder)
            self._written.append((values, known))
        return known

    def _get(self, what: str, revision: int) -> str:
        args = arguments.get_args(self._target, self._helm_flags, what, revision)
        return self._read(args, f"reading the {what.partition(' ')[0]} of revision {revision}")

    def _start(self, args: list[str]) -> Process:
        self._before_each()
        return start(self._command, args, lease=self._lease, masked=self._masked)

    def _read(
        self,
        args: list[str],
        doing: str,
        *,
        chart: str = "",
        within: float | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> str:
        """What helm prints. Raises HelmFailed with the cause, when one can be read from its stderr."""
        self._before_each()
        target = self._target
        command = replace(self._command, environ=environ) if environ else self._command
        ended, text = read(command, args, doing, within=within or self._read_within, masked=self._masked)
        if ended.code:
            called = self._charts.name_of(chart)
            raise stderr.failure(
                ended.stderr, doing, release=target.release, namespace=target.namespace, chart=called
            )
        return text


def connect(
    *,
    release: str,
    namespace: str,
    context: str = "",
    kubeconfig: str = "",
    helm_flags: Sequence[HelmFlag] = (),
    workdir: Path,
    folder: Path,
    environ: Mapping[str, str],
    binary: str | None = None,
    lease: float | None = None,
    read_within: float = READ_WITHIN,
    masked: Callable[[str], str] = str,
    before_each: Callable[[], None] = lambda: None,
) -> HelmCli:
    """Find helm and take its version, once.

    The binary is `binary`, else the environment's SHIPIT_HELM, else `helm` on its PATH. `workdir` is the folder in
    which helm runs: relative paths in its flags start there; `folder` is private and outlives every helm. `context` and
    `kubeconfig` (an absolute path) are those of shipit's own client, "" where it has none; `before_each` is called
    before each helm that reaches the cluster, and what it raises keeps that helm from starting. An upgrade or rollback
    that hears no `keep_alive` for `lease` seconds is interrupted (None: no such bound); what only reads is killed after
    `read_within` seconds. `masked` gives a text without the secrets that are known by then.
    Raises Refused when helm is missing or too old or keeps its releases where shipit can't find them, Usage for flags
    that this helm doesn't have.
    """
    storage = storage_of(environ)
    found = _find(binary or environ.get(BINARY_VARIABLE) or "", environ)
    command = Command(found, (), arguments.environment(environ, kubeconfig), workdir)
    version = _version(command, read_within)
    arguments.check_version(version, command.binary)
    arguments.check_flags(version, helm_flags)
    target = Target(release, namespace, context)
    return HelmCli(
        target,
        helm_flags,
        command,
        folder=folder,
        version=version,
        storage=storage,
        lease=lease,
        read_within=read_within,
        masked=masked,
        before_each=before_each,
    )


def start(
    command: Command,
    args: list[str],
    *,
    lease: float | None,
    masked: Callable[[str], str] = str,
    keep_output: bool = False,
) -> Process:
    clean = partial(stderr.clean, masked=masked)
    whole = Command(command.binary, args, command.environ, command.folder)
    try:
        return Process(whole, lease=lease, clean=clean, keep_output=keep_output)
    except OSError as error:
        raise HelmFailed(f"helm could not be started: {error.strerror or error}") from error


def read(
    command: Command,
    args: list[str],
    doing: str,
    *,
    within: float,
    masked: Callable[[str], str] = str,
    hint: Hint = _IS_THE_CLUSTER_THERE,
) -> tuple[HelmExit, str]:
    """Run a helm that changes nothing to its end. Raises HelmFailed when it has none in time."""
    with contextlib.closing(start(command, args, lease=None, masked=masked, keep_output=True)) as process:
        ended = process.wait(within)
        if ended is None:
            said = process.kill().stderr
            raise HelmFailed(
                f"helm did not answer within {within:g} s while {doing}",
                reason="timeout",
                hint=hint,
                details=said,
            )
        return ended, process.output().decode("utf-8", "replace")


def _find(named: str, environ: Mapping[str, str]) -> str:
    found = shutil.which(named or "helm", path=environ.get("PATH", ""))
    if found is None:
        what = f"{named}, named by {BINARY_VARIABLE}, is not a program" if named else "helm is not on PATH"
        raise Refused(
            what,
            hint=advice(
                "install helm 3.13 or newer, or helm 4 (https://helm.sh/docs/intro/install/), "
                f"or name its binary in {BINARY_VARIABLE}"
            ),
        )
    return str(Path(found).absolute())


def _version(command: Command, within: float) -> HelmVersion:
    ended, text = read(command, arguments.VERSION_ARGS, "asking for its version", within=within)
    if ended.code:
        said = ended.stderr[0] if ended.stderr else f"exit code {ended.code}"
        raise Refused(f"{command.binary} does not say its version: {said}", details=ended.stderr)
    return responses.version(text)
