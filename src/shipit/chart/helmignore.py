"""`.helmignore` as Helm reads it (pkg/ignore, 3.13 to 4.3): no gitignore, although it looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """`whole`: matched against the path from the chart's folder, not only the last name of it."""

    pattern: re.Pattern[str]
    negated: bool
    folders_only: bool
    whole: bool

    def matches(self, path: str) -> bool:
        return self.pattern.fullmatch(path if self.whole else path.rpartition("/")[2]) is not None


def parse(text: str) -> tuple[Rule, ...]:
    lines = (line.strip() for line in text.removeprefix("\ufeff").splitlines())
    return tuple(_rule(line) for line in lines if line and not line.startswith("#"))


def ignores(rules: Iterable[Rule], path: str, *, folder: bool) -> bool:
    """Whether Helm leaves out that file or folder (`crds/a.yaml`, relative to the chart).

    A negated rule ignores what it does not match, and never brings anything back.
    """
    for rule in rules:
        if rule.negated:
            if (rule.folders_only and not folder) or not rule.matches(path):
                return True
        elif (folder or not rule.folders_only) and rule.matches(path):
            return True
    return False


def _rule(line: str) -> Rule:
    negated = line.startswith("!")
    name = line.removeprefix("!")
    folders_only = name.endswith("/")
    name = name.removesuffix("/")
    whole = "/" in name
    return Rule(_compiled(name.removeprefix("/")), negated, folders_only, whole)


def _compiled(glob: str) -> re.Pattern[str]:
    """Go's filepath.Match: `*` and `?` stop at a slash, `[^a-c]` negates, a backslash takes the next sign as it is."""
    parts = []
    for sign in re.finditer(r"\\(.)|\[(\^?)((?:\\.|[^\]\\])+)\]|(.)", glob, re.DOTALL):
        escaped, negation, inside, plain = sign.groups()
        if escaped is not None:
            parts.append(re.escape(escaped))
        elif inside is not None:
            parts.append(f"[{negation}{inside.replace('[', chr(92) + '[')}]")
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(plain) or re.escape(plain))
    return re.compile("".join(parts), re.DOTALL)
