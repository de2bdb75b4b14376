"""docs/troubleshooting.md has an entry for each refusal and warning in the code, and none for what isn't there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "troubleshooting.md"
SOURCE = ROOT / "src" / "shipit"

# Which argument holds the words. What the last three make is told as part of another message: it may have an entry.
TOLD = {
    **dict.fromkeys(
        ("Usage", "Refused", "MigrationFailed", "MigrationTimedOut", "UpgradeFailed", "Busy", "Unknown", "AfterFailed",
         "Interrupted", "HelmFailed", "LockLost", "Unreachable", "Unauthorized", "IdentityChanged", "Warned", "Unset"),
        0,
    ),
    "wrong": 1,
    "cause": 2,
}  # fmt: skip
PARTS = {
    **dict.fromkeys(("Lost", "NotSent", "Forbidden", "Invalid", "NotFound", "Conflict", "ApiError"), 0),
    "Finding": 1,
}
GAP = "…"
LETTERS = 8
"""Fewer say nothing: the words are made elsewhere, or it is another error that is handed on."""


@dataclass(frozen=True)
class Message:
    """What one place in the code says, with a gap where it puts something in."""

    where: str
    text: str
    part: bool

    @property
    def says_something(self) -> bool:
        return letters(self.text) >= LETTERS


def letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def messages() -> list[Message]:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for scope in ast.walk(tree):
            if isinstance(scope, ast.FunctionDef | ast.Module):
                found += list(_of_scope(scope, str(path.relative_to(SOURCE))))
    return found


def _of_scope(scope: ast.FunctionDef | ast.Module, path: str) -> Iterator[Message]:
    own = list(_own_nodes(scope))
    named: dict[str, list[ast.expr]] = {}
    for node in own:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, []).append(node.value)
    for node in own:
        if not isinstance(node, ast.Call):
            continue
        name = _called(node, named)
        at = TOLD.get(name, PARTS.get(name))
        if at is not None and len(node.args) > at:
            for text in set(_texts(node.args[at], named)):
                yield Message(f"{path}:{node.lineno}", re.sub(rf"{GAP}(\s*{GAP})*", GAP, text), name in PARTS)


def _called(call: ast.Call, named: dict[str, list[ast.expr]]) -> str:
    """The class or function; of `kind = A if x else B` the first of them."""
    if not isinstance(call.func, ast.Name):
        return getattr(call.func, "attr", "")
    kinds = (
        node.id
        for value in named.get(call.func.id, [])
        for node in ast.walk(value)
        if isinstance(node, ast.Name)
    )
    return next((kind for kind in kinds if kind in TOLD), call.func.id)


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Those of a function, not of the functions in it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _own_nodes(child)


def _texts(node: ast.expr, named: dict[str, list[ast.expr]]) -> list[str]:
    """What an expression may say."""
    match node:
        case ast.Constant(value=str(text)):
            return [re.sub(r"\{\w+\}", GAP, text)]
        case ast.JoinedStr():
            parts = [_texts(part, named) for part in node.values]
            return ["".join(words) for words in product(*parts)]
        case ast.FormattedValue():
            return _texts(node.value, named)
        case ast.BinOp(op=ast.Add()):
            return [a + b for a, b in product(_texts(node.left, named), _texts(node.right, named))]
        case ast.IfExp():
            return [*_texts(node.body, named), *_texts(node.orelse, named)]
        case ast.Name(id=name) if name in named:
            return [
                text
                for value in named[name]
                for text in _texts(value, {k: v for k, v in named.items() if k != name})
            ]
    return [GAP]


def entries() -> list[str]:
    """What the page quotes at the begin of an item."""
    return re.findall(r"^- `([^`]+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def is_of(entry: str, message: Message) -> bool:
    """Whether the words of an entry stand in a message, in their order."""
    words = [re.escape(part) for part in entry.split(GAP) if part.strip()]
    return re.search(".*".join(words), message.text) is not None


def test_every_refusal_and_warning_has_an_entry() -> None:
    known = entries()
    missing = [
        f"{each.where}: {each.text}"
        for each in messages()
        if each.says_something and not each.part and not any(is_of(entry, each) for entry in known)
    ]
    assert missing == [], "describe them in docs/troubleshooting.md:\n" + "\n".join(missing)


def test_every_entry_is_of_something_that_is_said() -> None:
    every = messages()
    stale = [entry for entry in entries() if not any(is_of(entry, each) for each in every)]
    assert stale == [], "nothing says that any more"


def test_an_entry_has_words_enough_and_an_explanation() -> None:
    for entry in entries():
        assert letters(entry) >= LETTERS, entry
    items = re.findall(r"^- `[^`]+`(.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [item for item in items if letters(item) < 12] == []


def test_messages_are_found_whatever_they_are_made_of() -> None:
    """The counterpart of the test above: it would see a new one."""
    source = """
def refuse(x):
    what = f"the first {x}" if x else "the second"
    raise Refused(what + " is refused", hint=x)
def tell(emit):
    emit(Warned("one" " sentence"))
    raise section.wrong("key", "is wrong")
"""
    found = [
        each
        for scope in ast.parse(source).body
        if isinstance(scope, ast.FunctionDef)
        for each in _of_scope(scope, "x.py")
    ]
    assert sorted(each.text for each in found) == [
        "is wrong", "one sentence", "the first … is refused", "the second is refused",
    ]  # fmt: skip
