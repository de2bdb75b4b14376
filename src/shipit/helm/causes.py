"""What helm's words mean: the causes that can be read from them, each with what to say and to type."""

from __future__ import annotations

import re
from typing import NamedTuple

from shipit.errors import HelmReason
from shipit.hints import NO_HINT, Hint, advice, helm, kubectl, shipit


class Cause(NamedTuple):
    """What a text of helm's means: when `pattern` is found in a line, `reason`, and what to say and to type."""

    pattern: re.Pattern[str]
    reason: HelmReason
    says: str
    hint: Hint


def cause(pattern: str, reason: HelmReason, says: str, hint: Hint = NO_HINT) -> Cause:
    return Cause(re.compile(pattern, re.IGNORECASE | re.MULTILINE), reason, says, hint)


_NETWORK = r"connection refused|no such host|i/o timeout|TLS handshake|Unauthorized"

_GIVE_IT = advice(
    "correct the template there, or give it the value that it reads: in a values file, in set or with --set"
)

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
        r"execution error at \(",
        "render",
        "the chart does not render",
        advice("the chart itself demands it: give it the value in a values file, in set or with --set"),
    ),
    cause(
        r"post.?render",
        "render",
        "the chart does not render",
        advice("the post-renderer of helm_args failed"),
    ),
    cause(
        r"template: \S+:\d+|^\s*executing ",
        "render",
        "the chart does not render",
        _GIVE_IT,
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
        advice(
            "correct them in the values files, in set or in --set: values.schema.json of the chart says what fits"
        ),
    ),
    cause(
        r"cannot unmarshal \w+ into Go (?:value|struct field) .*SimpleHead",
        "render",
        "the chart renders something that is not a Kubernetes object",
        advice("each document of a template is one object, with apiVersion, kind and metadata"),
    ),
    cause(
        r"YAML parse error|error unmarshaling JSON|error converting YAML",
        "render",
        "the chart does not render",
        advice("helm template --debug with the same values prints what the template makes, invalid YAML too"),
    ),
    cause(
        r"parse error at \(",
        "render",
        "the chart does not render",
        advice("correct the template there"),
    ),
    cause(
        r"resource name may not be empty",
        "render",
        "the chart renders an object without a name",
        advice("give it a metadata.name in its template"),
    ),
    cause(r"validation: chart\.metadata", "chart", "Chart.yaml of the chart {chart} is not complete"),
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
        advice("helm template with the same values prints what the chart makes"),
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
