"""helm's words on stderr: cleaned, without secrets, and the cause that they name."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.errors import HelmReason
from shipit.helm import stderr
from shipit.output import Mask


def test_what_says_nothing_about_the_failure_is_left_out() -> None:
    text = (
        "WARNING: Kubernetes configuration file is group-readable. This is insecure. Location: /k\n"
        "Flag --atomic has been deprecated, use --rollback-on-failure instead\n"
        'level=WARN msg="this chart is deprecated"\n'
        "Error: UPGRADE FAILED: template: shop/templates/a.yaml:3:5: executing\n"
        "\n"
        "Use --debug flag to render out invalid YAML\n"
    )

    assert stderr.clean(text) == ("template: shop/templates/a.yaml:3:5: executing",)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef.123", "Authorization: Bearer ***"),
        ("dial postgres://app:hunter2@db:5432/x", "dial postgres://***@db:5432/x"),
        ("password=hunter2; next", "password=***; next"),
        ('"dbPassword": "hun ter2", more', '"dbPassword": ***, more'),
        ("got eyJhbGciOi.eyJzdWIiOi.c2ln here", "got *** here"),
        (
            'illegal base64 data, error found in #10 byte of ...|"hunter2!"|..., bigger context ...|{"data"}|...',
            "illegal base64 data, error found in #10 byte of ***",
        ),
        ('secret "db" not found', 'secret "db" not found'),
        ("at '/replicas': got number, want string", "at '/replicas': got number, want string"),
    ],
)
def test_what_looks_like_a_secret_is_cut_out_and_the_rest_stays(text: str, shown: str) -> None:
    assert stderr.hide(text) == shown


# As they were first written, at any word's beginning: quadratic on a long run of words with hyphens
PLAIN = (
    re.compile(r"(?P<kept>\b)eyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(
        r"(?P<kept>\b[\w.-]*(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|private[-_]?key|api[-_]?key"
        r"|access[-_]?key|dsn)\b[\"']?\s*(?:=|:)\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;}]+)",
        re.IGNORECASE,
    ),
)
PARTS = ["eyJ", "a", "b", "-", "_", ".", "..", " ", "\n", "=", ": ", '"', "'", ",", "}", "/", "é", "***"]
KEYS = ["password", "PWD", "token", "secret", "api-key", "dsn", "pass"]


@given(st.lists(st.sampled_from(PARTS + KEYS)).map("".join))
def test_beginning_at_a_run_of_letters_finds_the_same_secrets(text: str) -> None:
    expected = text
    for pattern in PLAIN:
        expected = pattern.sub(rf"\g<kept>{stderr.HIDDEN}", expected)
    found = text
    for pattern in stderr._SECRETS[-2:]:
        found = pattern.sub(rf"\g<kept>{stderr.HIDDEN}", found)

    assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        "a-" * 131_072,
        "eyJ-" * 65_536,
        "eyJ-" * 65_536 + ".",
        "eyJa." * 52_000,
        "password-" * 29_000,
        "password " * 29_000,
        "://" * 87_000,
        "path " * 52_000,
        "/usr/a.b.c-d/" * 20_000,
    ],
    ids=lambda text: text[:8],
)
def test_256_kib_without_a_break_take_no_time(text: str) -> None:
    began = time.process_time()
    lines = stderr.clean(text)
    stderr.reason(lines)

    assert time.process_time() - began < 2


def test_a_long_line_is_cut_after_its_secrets() -> None:
    secret = "s3cret-of-the-values"
    (line,) = stderr.clean("x" * (stderr.LONGEST_LINE - 5) + secret + "y" * 100, Mask(print, [secret]).text)

    assert line == "x" * (stderr.LONGEST_LINE - 5) + "***y…"


SAID: list[tuple[str, HelmReason]] = [
    ("Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress", "pending"),
    (
        'Error: ConfigMap "a" in namespace "x" exists and cannot be imported into the current release: invalid ownership metadata; x',
        "ownership",
    ),
    ("Error: release: not found", "no-release"),
    (
        "Error: You may need to run `helm dependency build` to fetch missing dependencies: found in Chart.yaml, ...",
        "dependencies",
    ),
    (
        'Error: Kubernetes cluster unreachable: Get "http://localhost:8080/version": dial tcp: refused',
        "unreachable",
    ),
    ('Error: kubernetes cluster unreachable: context "foo" does not exist', "unreachable"),
    (
        (
            "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nc:\n"
            'failing loading "http://127.0.0.1:1/x.json": HTTP request failed for http://127.0.0.1:1/x.json: '
            'Get "http://127.0.0.1:1/x.json": dial tcp 127.0.0.1:1: connect: connection refused'
        ),
        "chart",
    ),
    (
        (
            "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nc:\n"
            'Get "http://127.0.0.1:1/x.json": dial tcp 127.0.0.1:1: connect: connection refused'
        ),
        "chart",
    ),
    (
        'Error: failed parsing --set-file data: Get "https://files/x": dial tcp: lookup files: no such host',
        "arguments",
    ),
    ("Error: execution error at (c/templates/b.yaml:1:3): Unauthorized: connection refused", "render"),
    (
        (
            'Error: template: c/templates/a.yaml:1:3: executing "c/templates/a.yaml" at <lookup "v1" "Secret" "" "">: '
            'error calling lookup: Get "https://127.0.0.1:1/api": dial tcp 127.0.0.1:1: connect: connection refused'
        ),
        "unreachable",
    ),
    (
        (
            "Error: error while running post render on files: error while running command ./pr. error output:\n"
            "dial tcp 127.0.0.1:1: connect: connection refused: exit status 1"
        ),
        "render",
    ),
    (
        (
            'Error: looks like "https://charts" is not a valid chart repository or cannot be reached: '
            'Get "https://charts/index.yaml": dial tcp: lookup charts: no such host'
        ),
        "chart",
    ),
    (
        (
            'Error: could not download oci://reg/d: failed to perform "FetchReference" on source: '
            'Get "https://reg/v2/d/manifests/1.0.0": dial tcp: lookup reg: no such host'
        ),
        "chart",
    ),
    (
        (
            'Error: query: failed to query with labels: Get "https://10.0.0.1/api/v1/namespaces/a/secrets": '
            "dial tcp 10.0.0.1:443: i/o timeout"
        ),
        "unreachable",
    ),
    ("Error: unknown flag: --bogus", "arguments"),
    ("Error: unknown flag: --post-renderer-strategy", "arguments"),
    ('Error: path "/nope" not found', "chart"),
    ("Error: chart requires kubeVersion: >9 which is incompatible with Kubernetes v1.34.0", "chart"),
    ("Error: cannot load values.yaml: error converting YAML to JSON: yaml: line 1", "chart"),
    ("Error: execution error at (c1/templates/a.yaml:1:3): need pw", "render"),
    (
        'Error: c1/templates/a.yaml:1:10\n  executing "c1/templates/a.yaml" at <.Values.a.b.c>:\n    nil',
        "render",
    ),
    (
        "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nc1:\n- x",
        "render",
    ),
    (
        'Error: unable to build kubernetes objects: resource mapping not found: no matches for kind "X"',
        "render",
    ),
    ('Error: query: failed: secrets is forbidden: User "a" cannot list resource "secrets"', "forbidden"),
    ("Error: UPGRADE FAILED: context deadline exceeded", "timeout"),
    ("Error: something new", "other"),
]


@pytest.mark.parametrize(("text", "reason"), SAID)
def test_the_cause_is_read_from_the_words(text: str, reason: HelmReason) -> None:
    failed = stderr.failure(
        stderr.clean(text), "rendering release shop", release="shop", namespace="prod", chart="c"
    )

    assert failed.reason == reason
    first, *_, last = (*stderr.clean(text), stderr.clean(text)[-1])
    announces = "specifications of the schema" in first  # what doesn't fit follows
    assert (last.removeprefix("- ") if announces else first.rstrip(":")) in failed.message


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            (
                "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nshop:\n"
                "- at '': missing property 'db'\n- at '/replicas': got number, want string\n"
            ),
            "the values don't fit the chart's schema: shop: at '': missing property 'db'; at '/replicas': got number, want string",
            "correct them",
        ),
        (
            ('Error: shop/templates/odd.yaml:1:13\n  executing "shop/templates/odd.yaml" at <.Values.a.b.c>:\n'
            "    nil pointer evaluating interface {}.b\n"),
            (
                'the chart does not render: shop/templates/odd.yaml:1:13: executing "shop/templates/odd.yaml" at '
                "<.Values.a.b.c>: nil pointer evaluating interface {}.b"
            ),
            "correct the template there, or give it the value that it reads",
        ),
        (
            "Error: execution error at (shop/templates/odd.yaml:1:3): db.host is required",
            "the chart does not render: execution error at (shop/templates/odd.yaml:1:3): db.host is required",
            "the chart itself demands it",
        ),
        (
            ("Error: YAML parse error on shop/templates/odd.yaml: error unmarshaling JSON: while decoding JSON: json: "
            "cannot unmarshal array into Go value of type util.SimpleHead"),
            ("the chart renders something that is not a Kubernetes object: YAML parse error on shop/templates/odd.yaml: "
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type util.SimpleHead"),
            "each document of a template is one object",
        ),
        (
            ('Error: unable to continue with install: could not get information about the resource Job "" in namespace '
            '"shop": resource name may not be empty'),
            ('the chart renders an object without a name: unable to continue with install: could not get information '
            'about the resource Job "" in namespace "shop": resource name may not be empty'),
            "give it a metadata.name",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_chart_is_said_in_one_line_with_what_to_write(
    text: str, message: str, hint: str
) -> None:
    failed = stderr.failure(stderr.clean(text), "rendering release shop")
    assert failed.message == message
    assert failed.hint.why.startswith(hint)


def test_a_cause_that_is_known_says_what_to_type() -> None:
    lines = stderr.clean("Error: found in Chart.yaml, but missing in charts/ directory: db")

    failed = stderr.failure(lines, "rendering", release="shop", namespace="prod", chart="/app/chart")

    assert str(failed.hint) == "helm dependency build /app/chart"
    assert failed.message.startswith("the chart's dependencies are missing: ")


def test_a_single_line_is_not_said_twice() -> None:
    assert stderr.failure(("one",), "x").details == ()
    assert stderr.failure(("one", "two"), "x").details == ("one", "two")
    assert stderr.failure((), "rendering").message == "helm failed while rendering: it said nothing"


def test_the_kinds_that_the_api_server_does_not_know_are_named() -> None:
    text = (
        "Error: unable to build kubernetes objects from release manifest: [resource mapping not found for name: "
        '"a" namespace: "" from "": no matches for kind "Gadget" in version "example.com/v1"\n'
        'ensure CRDs are installed first, resource mapping not found for name: "b" namespace: "" from "": '
        'no matches for kind "Issuer" in version "cert-manager.io/v1"\nensure CRDs are installed first]\n'
    )
    failed = stderr.failure(stderr.clean(text), "rendering")
    assert failed.unknown_kinds == (("example.com/v1", "Gadget"), ("cert-manager.io/v1", "Issuer"))
