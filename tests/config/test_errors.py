"""Bad input is one line that names the file, the key and what is allowed; nothing is guessed or ignored."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from shipit.config import Overrides, load_config
from shipit.errors import Usage

BASE = '[release]\nname = "shop"\nchart = "chart"\n'
RELEASE_KEYS = "chart, context, create_namespace, helm_args, name, namespace, rollback_on_failure, set, tag_key, timeout, values, version"
DURATION = 'a duration like "90s", "15m" or "1h30m" (units h, m, s, ms)'
LATER = "charts of a registry or repository are not supported yet; allowed is a folder"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "chart").mkdir()
    return tmp_path


def refused(
    project: Path, text: str | bytes, environment: str | None = None, overrides: Overrides | None = None
) -> str:
    """The message for that file, its folder written as `.`; it must be one line."""
    (project / "shipit.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Usage) as caught:
        load_config(None, environment, project, {}, overrides or Overrides())
    message = caught.value.message.replace(str(project), ".")
    assert message.isprintable(), "one line, without control characters"
    assert caught.value.exit_code == 2
    return message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # ── the file ──
        (b"", "shipit.toml: is empty; needed are at least [release] name and chart"),
        (b" \n\n", "shipit.toml: is empty; needed are at least [release] name and chart"),
        (b'[release]\nname = "caf\xe9"\n', "shipit.toml: is not UTF-8 (line 2, byte 12): save it as UTF-8"),
        ("\ufeff[release]".encode("utf-16"), "shipit.toml: is not UTF-8 (line 1, byte 1): save it as UTF-8"),
        (b"a = 1\n" * 200_000, "shipit.toml: is larger than 1 MiB: that is no configuration"),
        (b"a = " + b"[" * 5000, "shipit.toml: is nested too deeply"),
        # ── unknown keys ──
        (BASE + 'namespce = "a"', f"shipit.toml: [release] namespce: no such key; did you mean namespace? known here: {RELEASE_KEYS}"),
        (BASE + '[environments.production.release]\nnamespce = "a"', f"shipit.toml: [environments.production.release] namespce: no such key; did you mean namespace? known here: {RELEASE_KEYS}"),
        (BASE + '[environments."pr od".release]\n"a b" = 1', f'shipit.toml: [environments."pr od".release] "a b": no such key; known here: {RELEASE_KEYS}'),
        (BASE + "confirm = true", f"shipit.toml: [release] confirm: no such key; it belongs in [environments.NAME]; known here: {RELEASE_KEYS}"),
        ("[relase]\nname = 1", "shipit.toml: [relase]: no such key; did you mean release? known here: environments, migration, on, release"),
        ('name = "x"\n' + BASE, "shipit.toml: name: no such key; it belongs in [release] or [migration]; known here: environments, migration, on, release"),
        (BASE + "[environments.p]\nx = 1", "shipit.toml: [environments.p] x: no such key; known here: confirm, migration, on, release"),
        (BASE + "[[migration]]\nname = 'a'\n[[migration]]\nphas = 'b'", "shipit.toml: [[migration]] no. 2 phas: no such key; did you mean phase? known here: chart, command, container, first_install, from, name, on_timeout, phase, prerequisites, set, start_timeout, template, timeout, values"),
        # ── missing ──
        ("[release]\nname = 'a'", 'shipit.toml: [release] chart: is missing; needed is, for example, chart = "chart", a folder relative to this file'),
        ("[release]\nchart = 'chart'", 'shipit.toml: [release] name: is missing; needed is, for example, name = "shop"'),
        # ── wrong types ──
        (BASE + "timeout = 5", f"shipit.toml: [release] timeout: must be {DURATION}, not a number"),
        (BASE + "namespace = true", "shipit.toml: [release] namespace: must be text in quotes, not true or false"),
        (BASE + "namespace = 1979-05-27", "shipit.toml: [release] namespace: must be text in quotes, not a date or time"),
        (BASE + 'rollback_on_failure = "true"', 'shipit.toml: [release] rollback_on_failure: must be true or false, without quotes, not "true"'),
        (BASE + 'values = "a"', 'shipit.toml: [release] values: must be a list of texts, like ["a", "b"], none of them empty, not "a"'),
        (BASE + 'values = ["a", 3]', 'shipit.toml: [release] values: must be a list of texts, like ["a", "b"], none of them empty; item no. 2 is a number'),
        (BASE + "tag_key = 3", 'shipit.toml: [release] tag_key: must be text in quotes, or a list of texts, like ["a", "b"], none of them empty, not a number'),
        (BASE + "set = []", "shipit.toml: [release] set: must be a table, not a list"),
        ("release = 1", "shipit.toml: [release]: must be a table, not a number"),
        ("environments = 1\n" + BASE, "shipit.toml: [environments]: must be a table of tables, not a number"),
        (BASE + "[environments]\nprod = 1", "shipit.toml: [environments] prod: must be a table, [environments.prod], not a number"),
        ("migration = [3]\n" + BASE, "shipit.toml: [[migration]] no. 1: must be a table, not a number"),
        (BASE + '[environments.p]\nconfirm = "yes"', 'shipit.toml: [environments.p] confirm: must be true or false, without quotes, not "yes"'),
        # ── bad values ──
        (BASE + 'namespace = ""', "shipit.toml: [release] namespace: must be text in quotes, not empty"),
        (BASE + 'namespace = "Shop_1"', 'shipit.toml: [release] namespace: "Shop_1" is no namespace\'s name; allowed are up to 63 lower-case letters, digits and `-`, a letter or digit first and last'),
        (BASE.replace("shop", "-shop"), 'shipit.toml: [release] name: "-shop" is no release name for Helm; allowed are up to 53 lower-case letters, digits, `-` and `.`, a letter or digit first and last'),
        (BASE + 'timeout = "5 minutes"', f'shipit.toml: [release] timeout: "5 minutes" is not {DURATION}'),
        (BASE + 'timeout = "-5m"', f'shipit.toml: [release] timeout: "-5m" is not {DURATION}'),
        (BASE + '[migration]\nstart_timeout = "0s"', f'shipit.toml: [migration] start_timeout: "0s" is no time at all; allowed is {DURATION}, more than zero'),
        (BASE + '[environments.p.migration]\ntimeout = "x\\n\\u001b"', f'shipit.toml: [environments.p.migration] timeout: "x\\n\\u001b" is not {DURATION}'),
        (BASE + '[migration]\nphase = "befor"', 'shipit.toml: [migration] phase: must be "before" or "after", not "befor"'),
        (BASE + '[migration]\nname = "a b"', 'shipit.toml: [migration] name: "a b" is no name for a migration; allowed are up to 63 letters, digits, `-`, `_` and `.`'),
        (BASE + '[migration]\ntemplate = "../m.yaml"', 'shipit.toml: [migration] template: "../m.yaml" is not inside the chart; allowed is a path from its folder, like "templates/migrate.yaml"'),
        (BASE + '[migration]\nfrom = "shop"', 'shipit.toml: [migration] from: "shop" names no workload; allowed is "deployment/NAME", or statefulset, daemonset, cronjob'),
        (BASE + "[[migration]]\nname = 'a'\n[[migration]]\nname = 'a'", 'shipit.toml: [[migration]] no. 2 name: several migrations are called "a"; each needs its own'),
        (BASE + "tag_key = []", 'shipit.toml: [release] tag_key: names no value; allowed is the path of a value, like "image.tag", or a list of such paths'),
        (BASE + 'tag_key = "a..b"', 'shipit.toml: [release] tag_key: a: a name in it is empty; allowed is the path of a value, like "image.tag", or a list of such paths'),
        (BASE + 'context = "a\\u0000"', "shipit.toml: [release] context: holds a NUL character, which no name or argument can"),
        (BASE + "set = { a = { b = [1, 2020-01-01] } }", "shipit.toml: [release] set: a.b[1] is a date or time, which YAML leaves open; write it in quotes"),
        (BASE + "set = { a = nan }", "shipit.toml: [release] set: a is no number for YAML; write it in quotes"),
        (BASE + "set = { a = 9007199254740993 }", "shipit.toml: [release] set: a would lose digits in helm; write it in quotes"),
        (BASE + 'helm_args = ["foo"]', "shipit.toml: [release] helm_args: the first one is no option of helm; allowed are options of `helm upgrade`, like --skip-crds"),
        (BASE + 'helm_args = ["--skip-crds", "--"]', "shipit.toml: [release] helm_args: `--` would end helm's options; allowed are options of `helm upgrade`"),
        # ── files that it names ──
        (BASE + 'values = ["no.yaml"]', "shipit.toml: [release] values: there is no such file: ./no.yaml"),
        (BASE + f'values = ["{"x" * 300}"]', f"shipit.toml: [release] values: ./{'x' * 300} can't be read: File name too long"),
        (BASE + 'values = ["chart"]', "shipit.toml: [release] values: ./chart is a folder; allowed is a YAML file"),
        (BASE + 'values = ["/dev/null"]', "shipit.toml: [release] values: /dev/null is a pipe or a device, and is read more than once; allowed is a file"),
        (BASE.replace('"chart"', '"no"'), "shipit.toml: [release] chart: there is no such folder: ./no"),
        (BASE.replace('"chart"', '"shipit.toml"'), "shipit.toml: [release] chart: ./shipit.toml is a file; allowed is the chart's folder"),
        (BASE.replace('"chart"', f'"{"x" * 300}"'), f"shipit.toml: [release] chart: ./{'x' * 300} can't be read: File name too long"),
        # ── variables ──
        (BASE + 'namespace = "${NS}"', "shipit.toml: [release] namespace: environment variable NS is not set; set it, or write ${NS:-default}"),
        (BASE + 'set = { a = ["x", { b = "${NS}" }] }', "shipit.toml: [release] set.a[1].b: environment variable NS is not set; set it, or write ${NS:-default}"),
        (BASE + 'namespace = "${NS"', "shipit.toml: [release] namespace: a ${ that names no variable; allowed is ${NAME} or ${NAME:-default}; a literal ${ is written $${"),
        (BASE + 'namespace = "${A:-${B}}"', "shipit.toml: [release] namespace: a ${ that names no variable; allowed is ${NAME} or ${NAME:-default}; a literal ${ is written $${"),
        # ── not supported yet ──
        (BASE + 'version = "1.2.3"', "shipit.toml: [release] version: not supported yet"),
        (BASE.replace('"chart"', '"oci://r/shop"'), f"shipit.toml: [release] chart: {LATER}"),
        (BASE.replace('"chart"', '"repo/shop"'), f"shipit.toml: [release] chart: there is no such folder: ./repo/shop ({LATER})"),
        (BASE + '[migration]\nfrom = "deployment/shop"', "shipit.toml: [migration] from: not supported yet"),
        (BASE + '[migration]\ncontainer = "shop"', "shipit.toml: [migration] container: not supported yet"),
        (BASE + '[migration]\ncommand = ["true"]', "shipit.toml: [migration] command: not supported yet"),
        (BASE + '[migration]\nprerequisites = ["a.yaml"]', "shipit.toml: [migration] prerequisites: not supported yet"),
        (BASE + '[migration]\nfirst_install = "skip"', "shipit.toml: [migration] first_install: not supported yet"),
        (BASE + "[[migration]]\nname = 'a'\n[[migration]]\nname = 'b'", "shipit.toml: [[migration]] no. 2: several migrations are not supported yet; allowed is one [migration]"),
        (BASE + "[[migration]]\nname = 'a'\n[[migration]]\nname = 'b'\nfirst_install = 'no'", 'shipit.toml: [[migration]] no. 2 first_install: must be "before", "after" or "skip", not "no"'),
        (BASE + '[on]\nstart = ["true"]', "shipit.toml: [on] start: not supported yet"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_wrong(project: Path, text: str | bytes, message: str) -> None:
    assert refused(project, text) == message


@pytest.mark.parametrize(
    "text", ["[release", "x", 'a = "', "[release]\nname = 1\nname = 2", "a = 1979-13-45", "a = " + "9" * 5000]
)
def test_what_is_not_toml_is_said_with_its_place(project: Path, text: str) -> None:
    assert refused(project, text).startswith("shipit.toml: is not TOML: ")


def test_malformed_toml_is_said_with_line_and_column(project: Path) -> None:
    assert "line 2, column 6" in refused(project, "[release]\nname shop\nchart = 'chart'\n")
    assert "at the end, line 3" in refused(project, '[release]\nname = "shop"\nchart = ')


@pytest.mark.parametrize(
    ("option", "instead"),
    [
        ("--install", "shipit always passes it"),
        ("-i", "shipit always passes --install"),
        ("--atomic", "use [release] rollback_on_failure"),
        ("--atomic=true", "use [release] rollback_on_failure"),
        ("--rollback-on-failure", "use [release] rollback_on_failure"),
        ("--cleanup-on-fail", "use [release] rollback_on_failure"),
        ("--wait", "shipit always waits for the rollout"),
        ("--wait=legacy", "shipit always waits for the rollout"),
        ("--wait-for-jobs", "shipit waits for every Job that it runs"),
        ("--timeout=5m", "use [release] timeout"),
        ("--namespace", "use [release] namespace"),
        ("-nshop", "use [release] namespace"),
        ("--kube-context=a", "use [release] context"),
        ("--kubeconfig", "use shipit's own --kubeconfig"),
        ("--dry-run=server", "use `shipit plan`"),
        ("--version", "use [release] version"),
        ("--values=secret.yaml", "use [release] values"),
        ("-fsecret.yaml", "use [release] values"),
        ("--no-hooks", "shipit runs the hooks itself"),
        ("--create-namespace", "use [release] create_namespace"),
        ("--output", "use shipit's own --output"),
        ("-ojson", "use shipit's own --output"),
    ],
)
def test_helm_options_that_are_shipits_own_name_the_key_to_use(
    project: Path, option: str, instead: str
) -> None:
    message = refused(project, BASE + f'helm_args = ["--skip-crds", "{option}"]')
    assert message.startswith("shipit.toml: [release] helm_args: -")
    assert message.endswith(f" is shipit's own: {instead}")
    assert "secret" not in message


def test_an_unknown_environment_lists_the_known_ones(project: Path) -> None:
    text = BASE + "[environments.production]\n[environments.staging]\n"
    assert refused(project, text, "prod") == (
        '--env "prod": no such environment in shipit.toml; did you mean production? known are production, staging'
    )
    assert refused(project, text, "").startswith('--env "": no such environment')
    assert refused(project, BASE, "x") == '--env "x": no such environment in shipit.toml; it has none'


def test_a_typo_in_an_environment_is_found_before_its_day_comes(project: Path) -> None:
    text = BASE + "[environments.a]\n[environments.b.release]\ntimeout = '5'\nnamespace = '${NO}'\n"
    assert refused(project, text, "a").startswith("shipit.toml: [environments.b.release] timeout: ")


def test_a_migration_that_only_an_environment_has_is_not_supported_yet(project: Path) -> None:
    text = BASE + "[migration]\nname='a'\n[[environments.p.migration]]\nname='b'\n"
    assert refused(project, text, "p") == (
        "shipit.toml: [[environments.p.migration]] no. 1: several migrations are not supported yet; "
        "allowed is one [migration]"
    )


def test_a_folder_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    with pytest.raises(Usage, match=r"x/shipit\.toml: can't be looked at: File name too long$"):
        load_config(None, None, tmp_path / ("x" * 300), {}, Overrides())


def test_an_environment_cannot_lay_a_nameless_table_over_several_migrations(project: Path) -> None:
    text = (
        BASE + "[[migration]]\nname='a'\n[[migration]]\nname='b'\n[environments.p.migration]\ntimeout='1h'\n"
    )
    assert refused(project, text, "p") == (
        "shipit.toml: [environments.p.migration] name: is missing: there are several migrations; known are a, b"
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (Overrides(namespace="A"), '--namespace: "A" is no namespace\'s name; allowed are'),
        (Overrides(namespace=""), '--namespace: "" is no namespace\'s name; allowed are'),
        (Overrides(context=""), "--context: must be text, not empty"),
        (Overrides(upgrade_timeout="5"), f'--upgrade-timeout: "5" is not {DURATION}'),
        (Overrides(migration_timeout="0s"), '--timeout: "0s" is no time at all; allowed is'),
        (Overrides(values=(Path("no.yaml"),)), "--values: there is no such file: ./no.yaml"),
        (Overrides(set=("a",)), "--set a: has no value"),
        (
            Overrides(set_string=("a.b[x]=1",)),
            "--set-string a.b: an index is missing its `]` or is none; allowed is [0] to [65536]",
        ),
    ],
)
def test_a_bad_flag_is_named(project: Path, flags: Overrides, message: str) -> None:
    assert refused(project, BASE, overrides=flags).startswith(message)


def test_no_file_upward_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(
        Usage, match=rf"^no shipit\.toml in {re.escape(str(tmp_path))} or any folder above it$"
    ):
        load_config(None, None, tmp_path, {}, Overrides())


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    for name, problem in {
        "no.toml": "no.toml: there is no such file",
        ".": ".: is a folder; a file is needed",
        "loop.toml": "loop.toml: can't be read: Too many levels of symbolic links",
    }.items():
        with pytest.raises(Usage) as caught:
            load_config(Path(name), None, tmp_path, {}, Overrides())
        assert caught.value.message == problem


def test_a_file_without_read_permission_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, os.strerror(13))

    (project / "shipit.toml").write_text(BASE)
    monkeypatch.setattr(
        Path, "open", denied
    )  # root may read everything: a mode would stop nobody in a container
    with pytest.raises(Usage, match=r"^shipit\.toml: can't be read: Permission denied$"):
        load_config(None, None, project, {}, Overrides())
