"""Whatever file a Secret holds, none of its values gets through."""

from __future__ import annotations

import base64
import configparser
import io
import json
import time
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shipit.output.mask import MASK, Mask
from shipit.output.secret_encodings import SHORTEST, forms
from shipit.output.secret_files import values_in


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PASSWORD = "s3cr3t/pw+1"
QUOTED_PASSWORD = "s3cr3t%2Fpw%2B1"
HELD = {
    "yaml": f"database:\n  host: localhost\n  password: {PASSWORD}\n",
    "yaml, a list": f"- plain\n- {PASSWORD}\n",
    "yaml, a key that holds several": f"passwords:\n  - first-one\n  - '{PASSWORD}' # the second\n",
    "yaml, several documents": f"a: 1\n---\nb: [x, {{c: {PASSWORD}}}]\n",
    "yaml with an anchor": f"a: &a {{pw: {PASSWORD}}}\nb: *a\n",
    "yaml that no parser reads": f"a: {{{{ .Values.x }}}}\n  b: [\npassword: {PASSWORD}\n",
    "yaml, commented out": f"host: x\n# password: {PASSWORD}\n",
    "json": json.dumps({"a": {"b": [1, PASSWORD]}}),
    "json over several lines": json.dumps({"a": {"b": [1, PASSWORD]}}, indent=2),
    "json with a comment": f'{{\n  // the database\n  "password": "{PASSWORD}",\n}}\n',
    "json in yaml": "config: |\n  " + json.dumps({"a": PASSWORD}) + "\n",
    "toml": f'[database]\npassword = "{PASSWORD}"\n',
    "ini": f"[database]\nhost = db\npassword = {PASSWORD}\n",
    "ini with a comment": f"[database]\nuser_pw = {PASSWORD} ; of last year\n",
    "properties": f"spring.datasource.url=jdbc:x\nspring.datasource.pw={PASSWORD}\n",
    "properties with a colon": f"#first\nspring.datasource.pw : {PASSWORD}\nx=1\n",
    "properties, continued": "pw=s3cr3t\\\n   /pw+1\nx=1\n",
    "properties, escaped": "a=1\npw=s3cr3t\\/pw\\u002b1\n",
    "properties with a blank": f"a.b=1\nkeystore.password {PASSWORD}\n",
    ".env": f"# db\nexport DB_PW='{PASSWORD}'\nX=1\n",
    ".env of one line": f"DB_PW={PASSWORD}",
    "URL": f"postgres://migrator:{QUOTED_PASSWORD}@db/shop",
    "URL with the user alone": f"https://{QUOTED_PASSWORD}@git.example.com/x",
    "URL with a query": f"jdbc:postgresql://db/shop?user=migrator&password={QUOTED_PASSWORD}",
    "URL in an .env": f"A=1\nDATABASE_URL=postgres://migrator:{QUOTED_PASSWORD}@db/shop\n",
    "words of libpq": f"host=db user=migrator password='{PASSWORD}' dbname=shop",
    "ADO": f"Server=db;User Id=migrator;Password={PASSWORD};Encrypt=true",
    "pem": f"-----BEGIN X-----\nMIIEvQIBADANBg\n{PASSWORD}\n-----END X-----\n",
    "netrc": f"machine api.example.com\n  login migrator\n  password {PASSWORD}\n",
    "netrc on one line": f"machine api.example.com login migrator password {PASSWORD}",
    "pgpass": f"db.example.com:5432:shop:migrator:{PASSWORD}\n",
    "htpasswd": f"one:x\nmigrator:{PASSWORD}\n",
    "docker": json.dumps({"auths": {"registry.example.com": {"auth": b64(f"migrator:{PASSWORD}")}}}),
    "xml": f'<?xml version="1.0"?>\n<a>\n<pw>{PASSWORD}</pw></a>',
    "an attribute of xml": f'<data-source user="x"\n  pw="{PASSWORD}"/>',
    "php": f"<?php\nreturn ['pw' => '{PASSWORD}'];\n",
    "redis": f"port 6379\nrequirepass {PASSWORD}\n",
    "a Secret in a Secret": f"kind: Secret\ndata:\n  pw: {b64(PASSWORD)}\n",
    "base64": b64(f"pw: {PASSWORD}\nuser: x\n"),
    "windows": f"[database]\r\npw={PASSWORD}\r\n",
}


def hidden(line: str, *values: str, public: tuple[str, ...] = ()) -> str:
    mask = Mask(lambda _event: None, values)
    mask.spare(public)
    return mask.text(line)


@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_a_value_in_a_file_is_hidden_alone_and_in_base64(held: str) -> None:
    assert hidden(f"as {PASSWORD}!", held) == f"as {MASK}!"
    if "BEGIN" not in held:  # of a key, lines are looked for as they are
        assert hidden(b64(PASSWORD), held) == MASK


def test_numbers_and_booleans_are_hidden_only_under_a_key_that_tells() -> None:
    held = "port: 543210\nlimit: 1000000\nsince: 2025-11-29\nat: 2025-11-29T10:00:00Z\ntls: false\npassword: 48151623\n"
    line = "543210 1000000 2025-11-29 10:00:00Z false"
    assert hidden(line, held) == line
    assert hidden("48151623", held) == MASK
    assert (
        hidden("1000000 48151623", json.dumps({"n": 1000000, "auth": {"token": 48151623}}))
        == f"1000000 {MASK}"
    )
    assert hidden("300000", "LIMIT=300000\nX=1\n") == "300000"
    assert hidden("300000", "300000") == MASK, "a value of its own is no setting"


def test_a_value_that_is_a_key_of_its_file_as_well_is_structure() -> None:
    held = "[alembic]\nscript_location = alembic\nsqlalchemy.url = postgres://a:s3cr3tpw@db/x\n"
    assert (
        hidden("INFO [alembic.runtime.migration] with s3cr3tpw", held)
        == "INFO [alembic.runtime.migration] with ***"
    )


def test_a_password_that_is_a_key_as_well_is_hidden() -> None:
    assert hidden("as hunter22", "users: {hunter22: admin}\npassword: hunter22\n") == f"as {MASK}"


LEAVES = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_categories=["C"]), min_size=SHORTEST
)
TREES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4)
        | st.dictionaries(st.text("abcdefg_-", min_size=1, max_size=5), inner, min_size=1, max_size=4)
    ),
    max_leaves=12,
).filter(lambda tree: not isinstance(tree, str))


def leaves(tree: Any) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    return [leaf for each in (tree.values() if isinstance(tree, dict) else tree) for leaf in leaves(each)]


def an_ini(tree: Any) -> str:
    file = configparser.RawConfigParser()
    file.add_section("one")
    for number, leaf in enumerate(leaves(tree)):
        file.set("one", f"k{number}", leaf.strip())
    out = io.StringIO()
    file.write(out)
    return out.getvalue()


WRITERS: dict[str, Callable[[Any], str]] = {
    "json": json.dumps,
    "json over several lines": lambda tree: json.dumps(tree, indent=2, ensure_ascii=False),
    "yaml": lambda tree: yaml.safe_dump(tree, allow_unicode=True),
    "yaml in flow style": lambda tree: yaml.safe_dump(tree, default_flow_style=True) + "\n",
    "ini": an_ini,
    ".env": lambda tree: "".join(f'K{n}="{leaf}"\n' for n, leaf in enumerate(leaves(tree))),
    "json in yaml": lambda tree: yaml.safe_dump({"file": json.dumps(tree), "x": "y"}),
    "base64 of yaml": lambda tree: b64(yaml.safe_dump(tree)),
}


def excused(leaf: str, line: str) -> bool:
    """A number, what stands in the line once more without the value, or in `***`."""
    bare = leaf.strip()
    number = bare.strip("0123456789-+_.,:TZ ") == ""
    return number or len(bare) < SHORTEST or bare in line.replace(leaf, MASK)


@pytest.mark.parametrize("kind", WRITERS)
@settings(max_examples=60, deadline=None)
@given(tree=TREES, before=st.text(max_size=6), after=st.text(max_size=6))
def test_no_value_of_any_file_gets_through(kind: str, tree: Any, before: str, after: str) -> None:
    mask = Mask(lambda _event: None, [WRITERS[kind](tree)])
    for leaf in leaves(tree):
        line = before + leaf + after
        # PyYAML itself doesn't read `[a?]` as it wrote it
        misread = kind == "yaml in flow style" and "?" in leaf
        assert misread or excused(leaf, line) or leaf.strip() not in mask.text(line)


@given(st.text() | st.text("[]{}:=\"'#-\n \\,<>/@a1").map(str))
def test_any_text_can_be_taken_apart(text: str) -> None:
    assert text in values_in(text)
    assert text in forms(text) or len(text) < SHORTEST


@pytest.mark.parametrize(
    "held",
    [
        "\n".join(f"key_{n}: value-{n:09d}" for n in range(40_000)),
        "\n".join(f"key_{n}=value-{n:09d}" for n in range(40_000)),
        json.dumps([f"value-{n:09d}" for n in range(50_000)]),
        "[" * 1_000_000,
        "a" * 1_000_000,
        "a:" * 500_000,
        "password=" * 100_000,
        "\\" * 1_000_000,
        '"' * 1_000_000,
        "x://" * 250_000,
        "<a>" * 300_000,
        "- " * 500_000,
        "a \n" * 300_000,
    ],
    ids=lambda held: held[:12],
)
def test_a_secret_of_the_largest_size_is_taken_apart_in_time(held: str) -> None:
    began = time.process_time()
    forms(held)
    assert time.process_time() - began < 20, "seconds, on a machine that has others to serve"


def test_toml_is_read_as_it_is_meant() -> None:
    held = 'pw = """\nfirst line of it\nsecond"""\nn = 5\n'
    assert tomllib.loads(held)["pw"] in values_in(held)
    assert hidden("a first line of it", held) == f"a {MASK}"
    pem = "-----BEGIN X-----\n    MIIEvQIBADANBg\n    c2hvcnQ0\n    -----END X-----\n"
    assert hidden("MIIEvQIBADANBg", f"key: |\n    {pem}other: x\n") == MASK


def test_a_list_of_one_word_is_not_taken_for_the_name_of_a_table() -> None:
    assert "correct-horse" in values_in("[correct-horse]\n")
