"""Pure: helm's own words on stderr → clean lines without secrets, and the cause that can be read from them.

helm exits 1 for everything and names no cause but in its text (3.13 to 4.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from shipit.errors import HelmFailed, HelmReason
from shipit.hints import NO_HINT, Command, Hint, advice, helm, kubectl, shipit
from shipit.output import TELLING_KEY

HIDDEN = "***"
LONGEST_LINE = 4096
"""Characters of a line that are kept: a chart may make helm quote whole files in one."""

_NOISE = re.compile(
    r"WARNING: Kubernetes configuration file is (?:group|world)-readable"
    r"|Flag --\S+ has been deprecated"
    r"|Use --debug flag to render out invalid YAML"
    r"|(?:time=\S+ )?level=(?:WARN|INFO|DEBUG)\b"
    r"|WARNING: This chart is deprecated"
    r"|Release \S+ does not exist\. Installing it now"
)
_PREFIX = re.compile(r"^(?:Error: )?(?:(?:UPGRADE|INSTALLATION) FAILED: )?")

# Each takes time in proportion to the text: one that begins with a run of letters begins only where the run does.
_SECRETS = (
    # what the API server quotes of an object that it can't decode
    re.compile(r"(?P<kept>error found in #\d+ byte of ).*"),
    # the whole assignment
    re.compile(r"(?P<kept>failed parsing --set-json data ).*"),
    re.compile(r"(?P<kept>\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}", re.IGNORECASE),
    re.compile(r"(?P<kept>://)[^\s/@]+(?=@)"),
    re.compile(r"(?<![\w-])(?=[\w-]+\.[\w-]+\.)(?P<kept>(?:[\w-]*?-)??)eyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(
        rf"(?P<kept>(?<![\w.-])[\w.-]*(?:{TELLING_KEY.pattern})\b[\"']?\s*(?:=|:)\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;}}]+)",
        re.IGNORECASE,
    ),
)


_UNKNOWN_KIND = re.compile(r'no matches for kind "([^"]+)" in version "([^"]+)"')


class Cause(NamedTuple):
    """What a text of helm's means: when `pattern` is found in a line, `reason`, and what to say and to type."""

    pattern: re.Pattern[str]
    reason: HelmReason
    says: str
    hint: Hint


def cause(pattern: str, reason: HelmReason, says: str, hint: Hint = NO_HINT) -> Cause:
    return Cause(re.compile(pattern, re.IGNORECASE | re.MULTILINE), reason, says, hint)


_NETWORK = r"connection refused|no such host|i/o timeout|TLS handshake|Unauthorized"

# The first that is found counts. Not every network failure is the cluster's: what helm fetches from elsewhere, and
# what a template, a post-renderer or a downloader says in its own words, comes before what only sounds like it.
CAUSES = (
    cause(
        r"another operation \(install/upgrade/rollback\) is in progress",
        "pending",
        "another helm is working on release {release}, or was killed while it did",
        helm("history", "{release}", namespace="{namespace}"),
    ),
    cause(
        r"invalid ownership metadata|cannot be imported into the current release",
        "ownership",
        "an object of the chart exists and belongs to no release, or to another one",
        advice(
            "delete it, rename it in the chart, or hand it over: label app.kubernetes.io/managed-by=Helm and "
            "annotations meta.helm.sh/release-name={release}, meta.helm.sh/release-namespace={namespace}"
        ),
    ),
    cause(r"release: not found", "no-release", "there is no release {release} in namespace {namespace}"),
    cause(
        r"has no deployed releases",
        "no-release",
        "release {release} was uninstalled and only its history is left",
        helm("uninstall", "{release}", namespace="{namespace}", why="removes the history too"),
    ),
    cause(
        r"missing in charts/ directory|dependency build",
        "dependencies",
        "the chart's dependencies are missing",
        helm("dependency", "build", "{chart}"),
    ),
    cause(
        r"is forbidden: User|forbidden: user",
        "forbidden",
        "the API server forbids what helm needs",
        shipit("doctor"),
    ),
    cause(
        r"context \S+ does not exist",
        "unreachable",
        "there is no such context",
        kubectl("config", "get-contexts"),
    ),
    cause(
        rf"cluster unreachable|error calling lookup: .*(?:{_NETWORK})",
        "unreachable",
        "helm can't reach the cluster",
        kubectl("cluster-info"),
    ),
    cause(
        r"unknown (?:shorthand )?flag|invalid argument",
        "arguments",
        "helm does not know a flag of helm_args",
        advice("see helm_args under [release]"),
    ),
    cause(
        r"failed parsing --set",
        "arguments",
        "helm can't read an assignment",
    ),
    cause(
        r"specifications of the schema[\s\S]*(?:failing loading \"http|Get \"http|schema from HTTP)",
        "chart",
        "helm can't fetch a schema that the chart's values.schema.json refers to",
        advice("copy it into the chart, or add --skip-schema-validation to helm_args (Helm 3.16 or newer)"),
    ),
    cause(
        r"post.?render|template: \S+:\d+|execution error at \(",
        "render",
        "the chart does not render",
    ),
    cause(
        r"not a valid chart repository|could not download|failed to perform \"\w+\" on source"
        r"|/v2/\S+/(?:tags|manifests|blobs)/",
        "chart",
        "helm can't fetch the chart, or one that it depends on",
        advice("helm dependency build fetches the charts that a chart depends on, once and for all"),
    ),
    cause(
        _NETWORK,
        "unreachable",
        "helm can't reach the cluster",
        kubectl("cluster-info"),
    ),
    cause(r"cannot load \S+\.(?:yaml|lock|json)", "chart", "helm can't read the chart {chart}"),
    cause(
        r"values don't meet the specifications of the schema",
        "render",
        "the values don't fit the chart's schema",
    ),
    cause(
        r"parse error at \(|YAML parse error|^\s*executing |error unmarshaling JSON|error converting YAML",
        "render",
        "the chart does not render",
    ),
    cause(
        r"no matches for kind",
        "render",
        "the chart holds objects that the API server doesn't know",
        advice("install the custom resource definitions that it needs, or correct its apiVersions"),
    ),
    cause(
        r"unable to (?:build|decode)|cannot unmarshal|error validating",
        "render",
        "the chart renders something that is not a Kubernetes object",
    ),
    cause(
        r"chart requires kubeVersion|Chart\.yaml|path .* not found|repo \S+ not found"
        r"|no cached repo|failed to (?:download|fetch)|could not find protocol handler|chart .* not found"
        r"|not a valid chart|no such file or directory|not installable",
        "chart",
        "helm can't use the chart {chart}",
    ),
    cause(r"has been cancelled|context canceled", "interrupted", "helm was interrupted"),
    cause(r"context deadline exceeded|timed out waiting", "timeout", "helm timed out waiting"),
)


def clean(text: str, masked: Callable[[str], str] = str) -> tuple[str, ...]:
    """helm's words, line by line: without `Error:`, without warnings that say nothing about the failure, and with
    everything cut out that `masked` knows for a secret or that looks like one."""
    hidden = hide(masked(text))  # before anything is cut: half a secret is not recognised
    lines = (_PREFIX.sub("", _cut(line).rstrip()) for line in hidden.splitlines())
    return tuple(line for line in lines if line and not _NOISE.match(line))


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def hide(text: str) -> str:
    """Without what looks like a secret."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\g<kept>{HIDDEN}", text)
    return text


def reason(lines: Iterable[str]) -> HelmReason:
    """The cause that helm's words name, "other" when they name none that is known."""
    found = _find(lines)
    return found.reason if found else "other"


def failure(
    lines: tuple[str, ...],
    doing: str,
    *,
    release: str = "",
    namespace: str = "",
    chart: str = "",
    causes: Sequence[Cause] = CAUSES,
) -> HelmFailed:
    """The error for what helm said while `doing` ("rendering release shop")."""
    found = _find(lines, causes)
    known = {"release": release, "namespace": namespace, "chart": chart}
    what = found.says.format(**known) if found else f"helm failed while {doing}"
    first = lines[0] if lines else "it said nothing"
    if first.endswith(":") and len(lines) > 1:  # it only announces what follows
        first = f"{first} {lines[-1].strip()}"
    return HelmFailed(
        f"{what}: {first.rstrip(':')}",
        reason=found.reason if found else "other",
        hint=_filled(found.hint, known) if found else NO_HINT,
        details=lines if len(lines) > 1 else (),
        unknown_kinds=unknown_kinds(lines),
    )


def unknown_kinds(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The API versions and kinds that the API server doesn't serve: helm names all of them, and nothing else then."""
    found = _UNKNOWN_KIND.findall("\n".join(lines))
    return tuple(dict.fromkeys((version, kind) for kind, version in found))


def _filled(hint: Hint, known: dict[str, str]) -> Hint:
    """A hint with the names put in: {release}, {namespace}, {chart}."""
    words = tuple(word.format(**known) for word in hint.command.words) if hint.command else ()
    return Hint(Command(words) if words else None, hint.why.format(**known))


def _find(lines: Iterable[str], causes: Sequence[Cause] = CAUSES) -> Cause | None:
    text = "\n".join(lines)
    return next((each for each in causes if each.pattern.search(text)), None)
