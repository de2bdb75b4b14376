"""Bad input is one line that names the file, the key and what is allowed; nothing is guessed or ignored."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from shipit.config import Flags, load_config
from shipit.errors import Usage

BASE = '[release]\nname = "shop"\nchart = "chart"\n'
RELEASE_KEYS = "chart, context, create_namespace, helm_args, max_restarts, name, namespace, preflight, rollback_on_failure, set, tag_key, test, timeout, values, version"
MIGRATION_KEYS = (
    "args, chart, command, container, first_install, from, job, lift, name, on_timeout, phase, prerequisites, require_tag, "
    "resources, retries, set, start_timeout, template, timeout, values, version, wait_for"
)
DURATION = 'a duration like "90s", "15m" or "1h30m" (units h, m, s, ms)'
TWO = BASE + "[[migration]]\nname = 'schema'\n[[migration]]\ntemplate = 'templates/seed.yaml'\n"
PATHS = 'write the path of a value as for --set, like "image.tag" or "images[0].tag", or a list of such paths'
CHARTS = 'a chart is a folder, an archive (.tgz), "oci://…", "repo/chart" or an archive\'s URL'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "chart").mkdir()
    return tmp_path


def refused(
    project: Path, text: str | bytes, environment: str | None = None, flags: Flags | None = None
) -> str:
    """The message for that file, its folder written as `.`, without line and column; it must be one line."""
    (project / "shipit.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Usage) as caught:
        load_config(None, environment, project, {}, flags or Flags())
    assert not caught.value.details, "one mistake"
    message = re.sub(
        r"^(shipit\.toml):[0-9]+:[0-9]+: ", r"\1: ", caught.value.message.replace(str(project), ".")
    )
    assert message.isprintable(), "one line, without control characters"
    assert caught.value.exit_code == 2
    return message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # ── the file ──
        (b"", "shipit.toml: is empty; it needs at least [release] name and chart"),
        (b" \n\n", "shipit.toml: is empty; it needs at least [release] name and chart"),
        (b'[release]\nname = "caf\xe9"\n', "shipit.toml: is not UTF-8 (line 2, byte 12): save it as UTF-8"),
        ("\ufeff[release]".encode("utf-16"), "shipit.toml: is not UTF-8 (line 1, byte 1): save it as UTF-8"),
        (b"a = 1\n" * 200_000, "shipit.toml: is larger than 1 MiB: that is not a configuration"),
        (b"a = " + b"[" * 5000, "shipit.toml: is nested too deeply"),
        # ── unknown keys ──
        (BASE + 'namespce = "a"', f"shipit.toml: [release] namespce: no such key; did you mean namespace? valid keys: {RELEASE_KEYS}"),
        (BASE + '[environments.production.release]\nnamespce = "a"', f"shipit.toml: [environments.production.release] namespce: no such key; did you mean namespace? valid keys: {RELEASE_KEYS}"),
        (BASE + '[environments."pr od".release]\n"a b" = 1', f'shipit.toml: [environments."pr od".release] "a b": no such key; valid keys: {RELEASE_KEYS}'),
        (BASE + "confirm = true", f"shipit.toml: [release] confirm: no such key; it belongs in [environments.NAME]; valid keys: {RELEASE_KEYS}"),
        ("[relase]\nname = 1", "shipit.toml: [relase]: no such key; did you mean release? valid keys: environments, migration, on, release"),
        ('name = "x"\n' + BASE, "shipit.toml: name: no such key; it belongs in [release] or [migration]; valid keys: environments, migration, on, release"),
        (BASE + "[environments.p]\nx = 1", "shipit.toml: [environments.p] x: no such key; valid keys: confirm, migration, on, release"),
        (BASE + "[migration]\nphas = 'b'", f"shipit.toml: [migration] phas: no such key; did you mean phase? valid keys: {MIGRATION_KEYS}"),
        # ── missing ──
        ("[release]\nname = 'a'", 'shipit.toml: [release] chart: is missing; for example: chart = "chart", a folder relative to this file'),
        ("[release]\nchart = 'chart'", 'shipit.toml: [release] name: is missing; for example: name = "shop"'),
        # ── wrong types ──
        (BASE + "timeout = 5", f"shipit.toml: [release] timeout: must be {DURATION}, not a number"),
        (BASE + "namespace = true", "shipit.toml: [release] namespace: must be text in quotes, not true or false"),
        (BASE + "namespace = 1979-05-27", "shipit.toml: [release] namespace: must be text in quotes, not a date or time"),
        (BASE + 'rollback_on_failure = "true"', 'shipit.toml: [release] rollback_on_failure: must be true, false or "unless-migrated", not "true"'),
        (BASE + 'max_restarts = "5"', 'shipit.toml: [release] max_restarts: must be a number, 0 or more, not "5"'),
        (BASE + "max_restarts = true", "shipit.toml: [release] max_restarts: must be a number, 0 or more, not true or false"),
        (BASE + "max_restarts = -1", "shipit.toml: [release] max_restarts: must be 0 or more"),
        (BASE + 'values = "a"', 'shipit.toml: [release] values: must be a list of texts, like ["a", "b"], none of them empty, not "a"'),
        (BASE + 'values = ["a", 3]', 'shipit.toml: [release] values: must be a list of texts, like ["a", "b"], none of them empty; item no. 2 is a number'),
        (BASE + "tag_key = 3", 'shipit.toml: [release] tag_key: must be text in quotes, or a list of texts, like ["a", "b"], none of them empty, not a number'),
        (BASE + "set = []", "shipit.toml: [release] set: must be a table, not a list"),
        ("release = 1", "shipit.toml: [release]: must be one table, [release], not a number"),
        ("environments = 1\n" + BASE, "shipit.toml: [environments]: must be a table of tables, not a number"),
        (BASE + "[environments]\nprod = 1", "shipit.toml: [environments] prod: must be a table, [environments.prod], not a number"),
        ("migration = [3]\n" + BASE, "shipit.toml: [migration]: must be a table, [migration], or several, each under [[migration]], not a list"),
        (BASE + "[[migration]]\nname = 'a'\n[[migration]]\nname = 'b'\nphas = 'x'", f"shipit.toml: [[migration]] no. 2 phas: no such key; did you mean phase? valid keys: {MIGRATION_KEYS}"),
        (BASE + "[[migration]]\nname = 'a'\n[[migration]]\njob = 'b'", 'shipit.toml: [[migration]] no. 2 name: is missing: of several migrations each needs one, like name = "backfill"'),
        (BASE + "[[migration]]\nname = 'a'\n[[migration]]\nname = 'a'", 'shipit.toml: [[migration]] no. 2 name: another [[migration]] is called "a" too; give each a name of its own'),
        (BASE + "[[migration]]\ntemplate = 't/a.yaml'\njob = 'x'\n[[migration]]\ntemplate = 't/a.yaml'\njob = 'y'", 'shipit.toml: [[migration]] no. 2 name: another [[migration]] is called "a" too (by its template); give each a name of its own'),
        (BASE + "[migration]\nfirst_install = 'never'", 'shipit.toml: [migration] first_install: must be "before", "during", "after" or "skip", not "never"'),
        (TWO + "[[environments.p.migration]]\nname = 'sede'", 'shipit.toml: [[environments.p.migration]] no. 1 name: no [[migration]] is called "sede"; did you mean seed? there are schema, seed'),
        (TWO + "[environments.p.migration]\ntimeout = '1h'", "shipit.toml: [environments.p.migration] name: is missing: it says which migration this table changes; there are schema, seed"),
        (TWO + "[[environments.p.migration]]\nname = 'seed'\n[[environments.p.migration]]\nname = 'seed'", 'shipit.toml: [[environments.p.migration]] no. 2 name: two tables of this environment are for "seed"; make them one'),
        (BASE + "[[environments.p.migration]]\nname = 'seed'", 'shipit.toml: [[environments.p.migration]] no. 1 name: no [[migration]] is called "seed"; there are none with a name'),
        (BASE + "[environments.p]\nrelease = 1", "shipit.toml: [environments.p.release]: must be one table, [environments.p.release], not a number"),
        (BASE + '[environments.p]\nconfirm = "yes"', 'shipit.toml: [environments.p] confirm: must be true or false, without quotes, not "yes"'),
        # ── bad values ──
        (BASE + 'namespace = ""', "shipit.toml: [release] namespace: must be text in quotes, not empty"),
        (BASE + 'namespace = "Shop_1"', 'shipit.toml: [release] namespace: "Shop_1" is not a valid namespace: use up to 63 lower-case letters, digits and `-`, with a letter or digit first and last'),
        (BASE.replace("shop", "-shop"), 'shipit.toml: [release] name: "-shop" is not a valid release name: use up to 53 lower-case letters, digits, `-` and `.`, with a letter or digit first and last'),
        (BASE + 'timeout = "5 minutes"', f'shipit.toml: [release] timeout: must be {DURATION}, not "5 minutes"'),
        (BASE + 'timeout = "-5m"', f'shipit.toml: [release] timeout: must be {DURATION}, not "-5m"'),
        (BASE + '[migration]\nstart_timeout = "0s"', "shipit.toml: [migration] start_timeout: must be greater than zero"),
        (BASE + '[environments.p.migration]\ntimeout = "x\\n\\u001b"', f'shipit.toml: [environments.p.migration] timeout: must be {DURATION}, not "x\\n\\u001b"'),
        (BASE + '[migration]\njob = "Schema_*"', 'shipit.toml: [migration] job: "Schema_*" is not the name of a Job; use lower-case letters, digits, `-` and `.`, and `*` or `?` for what changes'),
        (BASE + '[migration]\nphase = "befor"', 'shipit.toml: [migration] phase: must be "before", "during" or "after", not "befor"'),
        (BASE + "[migration]\nretries = -1", "shipit.toml: [migration] retries: must be from 0 to 2147483647"),
        (BASE + "[migration]\nretries = 2147483648", "shipit.toml: [migration] retries: must be from 0 to 2147483647"),
        (BASE + '[migration]\nretries = "1"', 'shipit.toml: [migration] retries: must be a whole number, 0 or more, without quotes, not "1"'),
        (BASE + "[migration]\nretries = true", "shipit.toml: [migration] retries: must be a whole number, 0 or more, without quotes, not true or false"),
        (BASE + '[migration]\nfrom = "shop"', 'shipit.toml: [migration] from: "shop" is not a workload; write kind/name, like "deployment/shop", with one of the kinds deployment, statefulset, daemonset, cronjob, pod'),
        (BASE + '[migration]\nfrom = "replicaset/shop"', 'shipit.toml: [migration] from: "replicaset/shop" is not a workload; write kind/name, like "deployment/shop", with one of the kinds deployment, statefulset, daemonset, cronjob, pod'),
        (BASE + '[migration]\nfrom = "job/shop"', 'shipit.toml: [migration] from: "job/shop" is a Job already; name it with job, or its template with template'),
        (BASE + '[migration]\nfrom = "deploy/shop"\ntemplate = "templates/x.yaml"', "shipit.toml: [migration] template: excludes from: the migration is a Job of the chart, or is made from deploy/shop"),
        (BASE + '[migration]\nfrom = "deploy/shop"\njob = "x"', "shipit.toml: [migration] job: excludes from: the migration is a Job of the chart, or is made from deploy/shop"),
        (BASE + "[migration]\nlift = true", 'shipit.toml: [migration] lift: is for a Job that is made from a workload; for example: from = "deployment/shop"'),
        (BASE + "[migration]\nargs = []", 'shipit.toml: [migration] args: is for a Job that is made from a workload; for example: from = "deployment/shop"'),
        (BASE + '[migration]\nfrom = "sts/db"\ncommand = "alembic upgrade"', 'shipit.toml: [migration] command: must be a list of texts, like ["alembic", "upgrade", "head"], not "alembic upgrade"'),
        (BASE + '[migration]\nfrom = "sts/db"\nargs = ["", 1]', 'shipit.toml: [migration] args: must be a list of texts, like ["alembic", "upgrade", "head"]; item no. 2 is a number'),
        (BASE + '[migration]\nfrom = "sts/db"\nresources = { memory = "1Gi" }', 'shipit.toml: [migration] resources: no such key "memory"; use requests and limits, like { requests = { memory = "1Gi" } }'),
        (BASE + '[migration]\nname = "a b"', 'shipit.toml: [migration] name: "a b" is not a valid name: use up to 63 letters, digits, `-`, `_` and `.`'),
        (BASE + '[migration]\ntemplate = "../m.yaml"', 'shipit.toml: [migration] template: "../m.yaml" is not inside the chart; use a path from its folder, like "templates/migrate.yaml"'),
        (BASE + "tag_key = []", f"shipit.toml: [release] tag_key: names no value; {PATHS}"),
        (BASE + 'tag_key = "a..b"', f'shipit.toml: [release] tag_key: "a..b" is not the path of a value; {PATHS}'),
        (BASE + 'tag_key = ["image.tag", "a[x]"]', f'shipit.toml: [release] tag_key: "a[x]" is not the path of a value; {PATHS}'),
        (BASE + 'context = "a\\u0000"', "shipit.toml: [release] context: holds a NUL character, which no name or argument can"),
        (BASE + "set = { a = { b = [1, 2020-01-01] } }", "shipit.toml: [release] set: a.b[1] is a date or time, which YAML has no type for; write it in quotes"),
        (BASE + "set = { a = nan }", "shipit.toml: [release] set: a is not a number that YAML has; write it in quotes"),
        (BASE + "set = { a = 9223372036854775808 }", "shipit.toml: [release] set: a is too large for helm; write it in quotes"),
        (BASE + 'helm_args = ["foo"]', 'shipit.toml: [release] helm_args: item no. 1 is not a flag; write a flag and its value as "--flag=value"'),
        (BASE + 'helm_args = ["--skip-crds", "--atomic"]', "shipit.toml: [release] helm_args: --atomic is set by shipit: use rollback_on_failure"),
        (BASE + 'helm_args = ["--version", "1.2.3"]', "shipit.toml: [release] helm_args: --version is set by shipit: use version"),
        (BASE + 'helm_args = ["--set-file=image.tag=/etc/tag"]', "shipit.toml: [release] helm_args: --set-file would replace the tag at image.tag; use --set-string, or another tag_key"),
        (BASE + 'helm_args = ["--set-file", "a=/b,image=/etc/image"]', "shipit.toml: [release] helm_args: --set-file would replace the tag at image.tag; use --set-string, or another tag_key"),
        (BASE + 'tag_key = ["a", "images[0].tag"]\nhelm_args = ["--set-literal=images[0]=x"]', "shipit.toml: [release] helm_args: --set-literal would replace the tag at images[0].tag; use --set-string, or another tag_key"),
        # ── files that it names ──
        (BASE + 'values = ["no.yaml"]', "shipit.toml: [release] values: no such file: ./no.yaml"),
        (BASE + f'values = ["{"x" * 300}"]', f"shipit.toml: [release] values: ./{'x' * 300} can't be read: File name too long"),
        (BASE + 'values = ["chart"]', "shipit.toml: [release] values: ./chart is a folder; use a YAML file"),
        (BASE.replace('"chart"', '"no"'), f"shipit.toml: [release] chart: no such folder: ./no; {CHARTS}"),
        (BASE.replace('"chart"', '"a/b/c"'), f"shipit.toml: [release] chart: no such folder: ./a/b/c; {CHARTS}"),
        (BASE.replace('"chart"', '"../chart"'), f"shipit.toml: [release] chart: no such folder: ./../chart; {CHARTS}"),
        (BASE.replace('"chart"', '"shipit.toml"'), "shipit.toml: [release] chart: ./shipit.toml is neither a folder nor an archive (.tgz)"),
        (BASE.replace('"chart"', f'"{"x" * 300}"'), f"shipit.toml: [release] chart: ./{'x' * 300} can't be read: File name too long"),
        # ── variables ──
        (BASE + 'namespace = "${NS}"', "shipit.toml: [release] namespace: environment variable NS is not set; set it, or write ${NS:-default}"),
        (BASE + 'set = { a = ["x", { b = "${NS}" }] }', "shipit.toml: [release] set.a[1].b: environment variable NS is not set; set it, or write ${NS:-default}"),
        (BASE + 'namespace = "${NS"', "shipit.toml: [release] namespace: ${ without a variable's name; write ${NAME} or ${NAME:-default}, and $${ for a literal ${"),
        (BASE + 'namespace = "${A:-${B}}"', "shipit.toml: [release] namespace: ${ without a variable's name; write ${NAME} or ${NAME:-default}, and $${ for a literal ${"),
        (BASE + '[migration]\nwait_for = ["db"]', 'shipit.toml: [migration] wait_for: "db" is not KIND/NAME; the kinds are deployment, statefulset, daemonset, service, secret, configmap, job, pod'),
        (BASE + '[migration]\nwait_for = ["deploymnt/db"]', 'shipit.toml: [migration] wait_for: "deploymnt/db" is not KIND/NAME; did you mean deployment/db? the kinds are deployment, statefulset, daemonset, service, secret, configmap, job, pod'),
        (BASE + '[migration]\nwait_for = ["other/service/db"]', 'shipit.toml: [migration] wait_for: "other/service/db" is not KIND/NAME; the kinds are deployment, statefulset, daemonset, service, secret, configmap, job, pod'),
        (BASE + '[migration]\nprerequisites = "all"', 'shipit.toml: [migration] prerequisites: must be a list of templates, or "auto", not "all"'),
        (BASE + '[migration]\nprerequisites = ["/etc/a.yaml"]', 'shipit.toml: [migration] prerequisites: "/etc/a.yaml" is not inside the chart; use a path from its folder, like "templates/migrate.yaml"'),
        (BASE + '[on]\nstart = "./announce"', 'shipit.toml: [on] start: must be a list of texts, like ["alembic", "upgrade", "head"], not "./announce"'),
        (BASE + '[on]\nstart = [" ", "x"]', "shipit.toml: [on] start: its first word is the program to run, and is empty"),
        (BASE + "[on]\nsucess = []", "shipit.toml: [on] sucess: no such key; did you mean success? valid keys: failure, start, success"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_wrong(project: Path, text: str | bytes, message: str) -> None:
    assert refused(project, text) == message


@pytest.mark.parametrize(
    "text", ["[release", "x", 'a = "', "[release]\nname = 1\nname = 2", "a = 1979-13-45", "a = " + "9" * 5000]
)
def test_what_is_not_toml_is_said_with_its_place(project: Path, text: str) -> None:
    assert refused(project, text).startswith("shipit.toml is not valid TOML: ")


def test_malformed_toml_is_said_with_line_and_column(project: Path) -> None:
    assert "line 2, column 6" in refused(project, "[release]\nname shop\nchart = 'chart'\n")
    assert "at the end, line 3" in refused(project, '[release]\nname = "shop"\nchart = ')


def test_flags_that_do_not_touch_the_tag_may_set_files_and_literals(project: Path) -> None:
    text = BASE + 'helm_args = ["--set-file=ca=/ca.pem", "--set-literal", "note=a,image.tag=x"]'
    (project / "shipit.toml").write_text(text)
    assert load_config(None, None, project, {}, Flags()).helm_flags[1].value == "note=a,image.tag=x"


def test_an_unknown_environment_lists_the_known_ones(project: Path) -> None:
    text = BASE + "[environments.production]\n[environments.staging]\n"
    assert refused(project, text, "prod") == (
        '--env "prod": no such environment in shipit.toml; did you mean production? it has production, staging'
    )
    assert refused(project, text, "").startswith('--env "": no such environment')
    assert refused(project, BASE, "x") == '--env "x": no such environment in shipit.toml; it has none'


def test_a_typo_in_an_environment_is_found_before_its_day_comes(project: Path) -> None:
    text = BASE + "[environments.a]\n[environments.b.release]\ntimeout = '5'\nnamespace = '${NO}'\n"
    assert refused(project, text, "a").startswith("shipit.toml: [environments.b.release] timeout: ")


def test_a_folder_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    with pytest.raises(Usage, match=r"x/shipit\.toml: can't be looked at: File name too long$"):
        load_config(None, None, tmp_path / ("x" * 300), {}, Flags())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (Flags(namespace="A"), '--namespace: "A" is not a valid namespace: use up to 63'),
        (Flags(namespace=""), "--namespace: must be text, not empty"),
        (Flags(context=""), "--context: must be text, not empty"),
        (Flags(upgrade_timeout="5"), f'--upgrade-timeout: must be {DURATION}, not "5"'),
        (Flags(migration_timeout="0s"), "--timeout: must be greater than zero"),
        (Flags(values=("no.yaml",)), "--values: no such file: ./no.yaml"),
    ],
)
def test_a_bad_flag_is_named(project: Path, flags: Flags, message: str) -> None:
    assert refused(project, BASE, flags=flags).startswith(message)


def test_no_file_upward_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(
        Usage,
        match=rf"^no shipit\.toml in {re.escape(str(tmp_path))} or any folder above it; --config names one elsewhere$",
    ):
        load_config(None, None, tmp_path, {}, Flags())


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    for name, problem in {
        "no.toml": "no.toml: no such file",
        ".": ".: is a folder; name a file",
        "loop.toml": "loop.toml: can't be read: Too many levels of symbolic links",
    }.items():
        with pytest.raises(Usage) as caught:
            load_config(Path(name), None, tmp_path, {}, Flags())
        assert caught.value.message == problem


def test_a_file_without_read_permission_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, os.strerror(13))

    (project / "shipit.toml").write_text(BASE)
    monkeypatch.setattr(
        Path, "open", denied
    )  # root may read everything: a mode would stop nobody in a container
    with pytest.raises(Usage, match=r"^shipit\.toml: can't be read: Permission denied$"):
        load_config(None, None, project, {}, Flags())


def told(project: Path, text: str, environment: str | None = None, **environ: str) -> list[str]:
    """What is said of each mistake of that file."""
    (project / "shipit.toml").write_text(text)
    with pytest.raises(Usage) as caught:
        load_config(None, environment, project, environ, Flags())
    error = caught.value
    assert error.message == f"shipit.toml has {len(error.details)} mistakes"
    return [each.partition(";")[0] for each in error.details]


def test_every_mistake_of_a_file_is_told_at_once_in_its_order_with_line_and_column(project: Path) -> None:
    text = """\
[release]
nmae = "shop"
chart = "chart"
timout = "5m"
namespace = "${SHOP_NS}"
set = { db = { url = "${URL}", pools = [1, "${POOL}"] } }
values = ["chart", "no.yaml"]

[[migration]]
name = "a"
timeout = 15
phase = "befor"
[[migration]]
name = "a"

[environments.prod.release]
"max_restart" = 1
[environments.prod]
confirm = "yes"
  [[environments.prod.migration]]
  name = "a"
  start_timeout = "soon"
"""
    assert told(project, text) == [
        "shipit.toml:2:1: [release] nmae: no such key",
        "shipit.toml:4:1: [release] timout: no such key",
        "shipit.toml:5:1: [release] namespace: environment variable SHOP_NS is not set",
        "shipit.toml:6:16: [release] set.db.url: environment variable URL is not set",
        f"shipit.toml:7:11: [release] values: {project}/chart is a folder",
        f"shipit.toml:7:20: [release] values: no such file: {project}/no.yaml",
        'shipit.toml:11:1: [[migration]] no. 1 timeout: must be a duration like "90s", "15m" or "1h30m" (units h, m, s, ms), not a number',
        'shipit.toml:12:1: [[migration]] no. 1 phase: must be "before", "during" or "after", not "befor"',
        'shipit.toml:14:1: [[migration]] no. 2 name: another [[migration]] is called "a" too',
        "shipit.toml:17:1: [environments.prod.release] max_restart: no such key",
        'shipit.toml:19:1: [environments.prod] confirm: must be true or false, without quotes, not "yes"',
        'shipit.toml:22:3: [[environments.prod.migration]] no. 1 start_timeout: must be a duration like "90s", "15m" or "1h30m" (units h, m, s, ms), not "soon"',
    ]  # fmt: skip


def test_a_typo_is_not_told_a_second_time_as_what_is_missing(project: Path) -> None:
    text = '[release]\nnmae = "shop"\nchrt = "chart"\n[migration]\nfrm = "deployment/shop"\nlift = true\n'
    assert told(project, text) == [
        "shipit.toml:2:1: [release] nmae: no such key",
        "shipit.toml:3:1: [release] chrt: no such key",
        "shipit.toml:5:1: [migration] frm: no such key",
    ]


def test_a_mistake_in_the_flags_is_told_beside_those_of_the_file(project: Path) -> None:
    (project / "shipit.toml").write_text(BASE + "timout = '5m'\n")
    with pytest.raises(Usage) as caught:
        load_config(None, None, project, {}, Flags(migration_timeout="soon"))
    assert [each.split(": ")[0] for each in caught.value.details] == ["--timeout", "shipit.toml:4:1"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[release]\nname = "shop\nchart = "c"\n', "line 2, column 13: unterminated string"),
        ('a = "', "at the end, line 1: unterminated string"),
        ("a = 'x", "at the end, line 1: unterminated string"),
        ("a = shop", "line 1, column 5: not a value; put text in quotes"),
        ("a = 1 b = 2", "line 1, column 7: unexpected text after the value"),
        ("[release\n", "line 1, column 9: expected ] after the table's name"),
        ("a = 1\n[a]", "line 2, column 3: this key is there twice"),
        ("[a]\n[a]", "line 2, column 3: this table is there twice"),
        ("a = [1 2]", "line 1, column 8: missing a comma or ] in a list"),
        (
            'a = "\\q"',
            "line 1, column 8: unknown escape in a string; write \\\\, or the string in single quotes",
        ),
        ("name shop", "line 1, column 6: expected = after the key"),
    ],
)
def test_bad_toml_is_told_in_our_words(project: Path, text: str, problem: str) -> None:
    assert refused(project, text) == f"shipit.toml is not valid TOML: {problem}"
