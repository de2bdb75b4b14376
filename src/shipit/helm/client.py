"""Helm for one release: what `world.Helm` promises, by running helm."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from shipit.chart import load_yaml
from shipit.errors import HelmFailed, Refused, ShipitError
from shipit.helm import arguments, flags, responses, stderr
from shipit.helm.arguments import Target
from shipit.helm.process import Command, Process
from shipit.model import HelmExit, HelmVersion, Rendered, Revision

BINARY_VARIABLE = "SHIPIT_HELM"
READ_WITHIN = 120.0


class HelmCli:
    """Runs one helm binary for one release. Made by `connect`, which has checked it."""

    def __init__(
        self,
        target: Target,
        helm_args: tuple[str, ...],
        command: Command,
        *,
        version: HelmVersion,
        lease: float | None,
        read_within: float,
    ) -> None:
        self._target = target
        self._helm_args = helm_args
        self._command = command
        self._lease = lease
        self._read_within = read_within
        self.version = version
        self.binary = command.binary

    def render(self, chart: str, values: Sequence[Path]) -> Rendered:
        args = arguments.render_args(self._target, self._helm_args, chart, values)
        doing = f"rendering release {self._target.release}"
        return responses.rendered(self._read(args, doing, chart=chart, values=values))

    def history(self, *, within: float | None = None) -> tuple[Revision, ...]:
        args = arguments.history_args(self._target, self._helm_args)
        try:
            return responses.history(self._read(args, "reading the history", within=within))
        except HelmFailed as error:
            if error.reason == "no-release":
                return ()
            raise

    def manifest(self, revision: int) -> str:
        """As it is stored: `helm get` ends it with one more newline."""
        return self._get("manifest", revision).removesuffix("\n")

    def hooks(self, revision: int) -> str:
        return self._get("hooks", revision)

    def upgrade(
        self,
        chart: Path,
        values: Sequence[Path],
        *,
        timeout: float,
        wait: bool,
        description: str = "",
        reuse_values: bool = False,
    ) -> Process:
        args = arguments.upgrade_args(
            self._target,
            self._helm_args,
            chart,
            values,
            timeout=timeout,
            wait=wait,
            description=description,
            reuse_values=reuse_values,
        )
        return self._start(args, values)

    def rollback(self, revision: int, *, timeout: float) -> Process:
        return self._start(arguments.rollback_args(self._target, self._helm_args, revision, timeout=timeout))

    def _get(self, what: str, revision: int) -> str:
        args = arguments.get_args(self._target, self._helm_args, what, revision)
        return self._read(args, f"reading the {what} of revision {revision}")

    def _start(self, args: list[str], values: Sequence[Path] = ()) -> Process:
        return start(self._command, args, lease=self._lease, values=values)

    def _read(
        self,
        args: list[str],
        doing: str,
        *,
        chart: str = "",
        values: Sequence[Path] = (),
        within: float | None = None,
    ) -> str:
        """What helm prints. Raises HelmFailed with the cause, when one can be read from its stderr."""
        target = self._target
        ended, text = read(self._command, args, doing, within=within or self._read_within, values=values)
        if ended.code:
            raise stderr.failure(
                ended.stderr, doing, release=target.release, namespace=target.namespace, chart=chart
            )
        return text


def connect(
    *,
    release: str,
    namespace: str,
    context: str = "",
    kubeconfig: str = "",
    helm_args: tuple[str, ...] = (),
    workdir: Path,
    environ: Mapping[str, str],
    binary: str | None = None,
    lease: float | None = None,
    read_within: float = READ_WITHIN,
) -> HelmCli:
    """Find helm and take its version, once.

    The binary is `binary`, else the environment's SHIPIT_HELM, else `helm` on its PATH. `workdir` is the folder in
    which helm runs: relative paths in `helm_args` start there. `context` and `kubeconfig` (absolute
    paths, as KUBECONFIG lists them) are those of shipit's own client, "" where it has none. An upgrade or rollback
    that hears no `keep_alive` for `lease` seconds is interrupted (None: no such bound); what only reads is killed after `read_within` seconds.
    Raises Refused when helm is missing or too old, Usage for `helm_args` that are shipit's own or name a cluster.
    """
    flags.parse(helm_args)
    found = _find(binary or environ.get(BINARY_VARIABLE) or "", environ)
    command = Command(found, (), arguments.environment(environ, kubeconfig), workdir)
    version = _version(command, read_within)
    arguments.check_version(version, command.binary)
    target = Target(release, namespace, context)
    return HelmCli(target, helm_args, command, version=version, lease=lease, read_within=read_within)


def start(
    command: Command,
    args: list[str],
    *,
    lease: float | None,
    values: Sequence[Path],
    keep_output: bool = False,
) -> Process:
    def clean(text: str) -> tuple[str, ...]:
        return stderr.clean(text, _secrets(values)) if text.strip() else ()

    whole = Command(command.binary, args, command.environ, command.folder)
    try:
        return Process(whole, lease=lease, clean=clean, keep_output=keep_output)
    except OSError as error:
        raise HelmFailed(f"helm could not be started: {error.strerror or error}") from error


def read(
    command: Command, args: list[str], doing: str, *, within: float, values: Sequence[Path] = ()
) -> tuple[HelmExit, str]:
    """Run a helm that changes nothing to its end. Raises HelmFailed when it has none in time."""
    with contextlib.closing(start(command, args, lease=None, values=values, keep_output=True)) as process:
        ended = process.wait(within)
        if ended is None:
            said = process.kill().stderr
            raise HelmFailed(
                f"helm did not answer within {within:g} s while {doing}",
                reason="timeout",
                hint="does the API server answer? kubectl version",
                details=said,
            )
        return ended, process.output().decode("utf-8", "replace")


def _find(named: str, environ: Mapping[str, str]) -> str:
    found = shutil.which(named or "helm", path=environ.get("PATH", ""))
    if found is None:
        what = f"{named}, named by {BINARY_VARIABLE}, is no program" if named else "helm is not on PATH"
        raise Refused(
            what,
            hint="install helm 3.13 or newer, or helm 4 (https://helm.sh/docs/intro/install/), "
            f"or name its binary in {BINARY_VARIABLE}",
        )
    return str(Path(found).absolute())


def _version(command: Command, within: float) -> HelmVersion:
    ended, text = read(command, arguments.VERSION_ARGS, "asking for its version", within=within)
    if ended.code:
        said = ended.stderr[0] if ended.stderr else f"exit code {ended.code}"
        raise Refused(f"{command.binary} does not say its version: {said}", details=ended.stderr)
    return responses.version(text)


def _secrets(values: Sequence[Path]) -> tuple[str, ...]:
    """What in these files must not be shown; a file that can't be read holds nothing that helm could tell."""
    found: list[str] = []
    for path in values:
        with contextlib.suppress(OSError, UnicodeError, ShipitError):
            found.extend(stderr.secrets_in(load_yaml(path.read_text(encoding="utf-8"))))
    return tuple(found)
