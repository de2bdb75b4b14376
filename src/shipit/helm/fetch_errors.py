"""Pure: what helm says when a chart can't be fetched, or what it depends on → why, and what to type."""

from __future__ import annotations

from shipit.errors import HelmFailed
from shipit.helm.causes import cause
from shipit.helm.stderr import failure, hide
from shipit.hints import Hint, advice, helm

# Measured with Helm 3.13, 3.22 and 4.3. The first that is found counts.
FETCHING = (
    cause(
        r"repo \S+ not found",
        "chart",
        "{chart} is not a folder here, and helm knows no chart repository of that name",
        helm("repo", "list", why="shows those it knows; `helm repo add` adds one"),
    ),
    cause(
        r"no cached repo",
        "chart",
        "helm has no index of the chart repository of {chart} yet",
        helm("repo", "update"),
    ),
    cause(
        r"\b40[13]\b|Unauthorized|Forbidden|\bdenied\b|basic \S+ not found|credential required"
        r"|authentication required",
        "chart",
        "{chart} needs credentials, or other ones",
        advice(
            "log in with `helm registry login` (oci://) or `helm repo add --username`, or put --username and --password "
            "into helm_args, the password as ${{VAR}}"
        ),
    ),
    cause(
        r"server gave HTTP response to HTTPS client",
        "chart",
        "{chart} lies on a server that speaks plain HTTP",
        advice('if that is meant, set helm_args = ["--plain-http"]'),
    ),
    cause(
        r"x509|certificate",
        "chart",
        "the certificate of the server of {chart} is not trusted",
        advice("name its CA in helm_args: --ca-file=…"),
    ),
    cause(
        r"provenance|openpgp|signature|keyring|\.prov\b",
        "chart",
        "the signature of {chart} can't be verified",
        advice("--verify in helm_args asks for it; --keyring names the keys that are trusted"),
    ),
    cause(
        r"\bnot found\b|\b404\b|name unknown|no chart (?:version|name)|locate a version|invalid tag",
        "chart",
        "{chart} was not found",
        advice("check chart and version under [release], or under [migration]"),
    ),
    cause(
        r"connection refused|no such host|i/o timeout|network is unreachable|no route to host|TLS handshake|\bEOF\b"
        r"|connection reset|deadline exceeded|server misbehaving",
        "chart",
        "the server of {chart} can't be reached",
        advice("is the name right, is the network there, does it take a proxy (HTTPS_PROXY)?"),
    ),
    cause(
        r"scheme \S+ not supported|protocol handler",
        "chart",
        "helm has no plugin that fetches {chart}",
        helm("plugin", "list", why="shows those it has"),
    ),
    cause(r"unknown (?:shorthand )?flag", "arguments", "helm does not know a flag of helm_args"),
)

BUILDING = (
    cause(
        r"out of sync",
        "dependencies",
        "Chart.lock of {chart} is older than its list of dependencies",
        helm("dependency", "update", "{chart}", why="writes it anew"),
    ),
    cause(
        r"no repository definition|not found in repository|no cached repo",
        "dependencies",
        "a dependency of {chart} is in no chart repository that helm knows",
        advice("add it with `helm repo add NAME URL`; helm names it"),
    ),
)


def fetch_failure(lines: tuple[str, ...], chart: str) -> HelmFailed:
    """`chart` as it is called, with its version."""
    return failure(lines, f"fetching {hide(chart)}", chart=hide(chart), causes=FETCHING)


def build_failure(lines: tuple[str, ...], chart: str, missing: str) -> HelmFailed:
    """`missing` are the names of the dependencies."""
    found = failure(lines, f"fetching what {chart} depends on ({missing})", chart=chart, causes=BUILDING)
    hint = found.hint or build_hint(chart)
    return HelmFailed(found.message, reason="dependencies", hint=hint, details=found.details)


def build_hint(chart: str) -> Hint:
    return helm("dependency", "build", chart, why="shows more")
