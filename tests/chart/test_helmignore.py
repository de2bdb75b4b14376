""".helmignore as Helm reads it."""

from __future__ import annotations

import pytest

from shipit.chart.helmignore import ignores, parse


@pytest.mark.parametrize(
    ("rules", "path", "folder", "ignored"),
    [
        ("*.orig", "crds/a.yaml.orig", False, True),
        ("*.orig", "crds/a.yaml", False, False),
        ("crds/*.bak", "crds/a.bak", False, True),
        ("crds/*.bak", "crds/deep/a.bak", False, False),
        ("/a.yaml", "a.yaml", False, True),
        ("/a.yaml", "crds/a.yaml", False, False),
        ("charts/dev/", "charts/dev", True, True),
        ("dev/", "charts/dev", True, True),
        ("dev/", "charts/dev", False, False),
        ("# *.yaml\n\n  ", "a.yaml", False, False),
        ("\ufeffa?.yaml", "ab.yaml", False, True),
        ("a?.yaml", "a.yaml", False, False),
        ("[a-c]x", "bx", False, True),
        ("[^a-c]x", "bx", False, False),
        (r"\*x", "*x", False, True),
        (r"\*x", "ax", False, False),
        ("a.yaml", "aXyaml", False, False),
    ],
)
def test_a_rule_ignores(rules: str, path: str, *, folder: bool, ignored: bool) -> None:
    assert ignores(parse(rules), path, folder=folder) is ignored


def test_a_negated_rule_ignores_all_that_it_does_not_match() -> None:
    """Unlike gitignore's, it brings nothing back."""
    rules = parse("!keep.yaml\n*.yaml")

    assert ignores(rules, "other.txt", folder=False)
    assert ignores(rules, "keep.yaml", folder=False)
    assert not ignores(parse("!keep.yaml"), "keep.yaml", folder=False)
    assert ignores(parse("!keep/"), "keep", folder=False)
