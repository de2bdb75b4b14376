"""YAML as Helm and Kubernetes read it: PyYAML's parser with the resolver rules of Go's.

Both decode through `sigs.k8s.io/yaml` (1.3 to 1.6), which is go-yaml v2 and a conversion to JSON. The rules here
are those of its `resolve.go` and `decode.go`: `y`, `yes` and `on` are booleans; `12:30`, `2024-01-01` and `=` are
text; `017`, `0o17`, `0b11`, `0x1f` and `1_000` are integers; of equal keys the last one counts, a merge key (`<<`)
included; a key that is a number or a boolean becomes text; an alias means the last anchor of its name; only the first
document of a text is read.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Any

import yaml

from shipit.errors import Refused

try:
    from yaml import CSafeLoader as _Parser
except ImportError:  # a PyYAML built without libyaml: slower, the same nodes
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]

_PLAIN = "plain"
_QUOTED = "quoted"
_STANDARD = "tag:yaml.org,2002:"
_STR, _BOOL, _INT, _FLOAT, _NULL, _TIMESTAMP, _BINARY, _MERGE = (
    _STANDARD + kind for kind in ("str", "bool", "int", "float", "null", "timestamp", "binary", "merge")
)

_WORDS: dict[str, tuple[str, bool | float | None]] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], (_BOOL, True)),
    **dict.fromkeys(
        ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], (_BOOL, False)
    ),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], (_NULL, None)),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], (_FLOAT, math.nan)),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], (_FLOAT, math.inf)),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], (_FLOAT, -math.inf)),
}

_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_STRAY_UNDERSCORE = re.compile(r"(?<![0-9])_|_(?![0-9])")
_BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}

MOST_DIGITS = 100  # a number longer than that is no 64-bit integer, whatever its base
MOST_VALUES = 2_000_000  # a document of 1 MiB has fewer; aliases of aliases of aliases have more


def load_yaml(text: str, source: str = "") -> Any:
    """The first document of a text as JSON values; None when it is empty.

    Raises Refused, naming `source` and the line, for what Helm would not read either.
    """
    try:
        try:
            return _loaded(_Loader(text), source)
        except yaml.composer.ComposerError:
            return _loaded(_Recomposer(text), source)
    except yaml.YAMLError as error:
        raise _refused(source, _line(error), _problem(error)) from error
    except UnicodeError as error:
        raise _refused(source, 0, "not valid UTF-8") from error
    except RecursionError as error:
        raise _refused(source, 0, "nested too deeply") from error


def _loaded(loader: Any, source: str) -> Any:
    try:
        return _Conversion(source).value(loader.get_node()) if loader.check_node() else None
    finally:
        loader.dispose()


class _Loader(_Parser):
    """Tells a plain scalar from a quoted one, and leaves what they mean to the rules of this module."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is not yaml.ScalarNode:
            return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]
        return _PLAIN if implicit[0] else _QUOTED


class _Recomposer(_Loader):
    """Lets an anchor be set again, which libyaml's own composer refuses: PyYAML's, slower, on libyaml's events."""

    _composer = yaml.composer.Composer
    check_node, get_node, compose_document = (
        _composer.check_node,
        _composer.get_node,
        _composer.compose_document,
    )
    compose_scalar_node = _composer.compose_scalar_node
    compose_sequence_node = _composer.compose_sequence_node
    compose_mapping_node = _composer.compose_mapping_node

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.anchors: dict[str, yaml.Node] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
        return self._composer.compose_node(self, parent, index)  # type: ignore[arg-type]


class _Conversion:
    """One document's nodes as JSON values; an aliased node becomes a value of its own each time."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.made = 0
        self.open: set[int] = set()

    def value(self, node: Any) -> Any:
        self.made += 1
        if self.made > MOST_VALUES:
            raise self.refused(node, "document contains excessive aliasing")
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if id(node) in self.open:
            raise self.refused(node, "an anchor's value contains itself")
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node)
            return [self.value(child) for child in node.value]
        finally:
            self.open.discard(id(node))

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == "<<" and key.tag in (_PLAIN, _MERGE):
                for merged in self.merged(value):
                    found.update(merged)
            else:
                found[self.key(key)] = self.value(value)
        return found

    def merged(self, node: Any) -> list[dict[str, Any]]:
        """The maps that a merge key brings, the one that counts most last."""
        nodes = [*reversed(node.value)] if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(each, yaml.MappingNode) for each in nodes):
            raise self.refused(node, "map merge requires map or sequence of maps as the value")
        return [self.value(each) for each in nodes]

    def key(self, node: Any) -> str:
        found = self.scalar(node) if isinstance(node, yaml.ScalarNode) else None
        match found:
            case bool():
                return "true" if found else "false"
            case str() | int():
                return str(found)
            case float():
                return repr(found)
        raise self.refused(node, "invalid map key: only text, numbers and booleans can be keys")

    def scalar(self, node: yaml.ScalarNode) -> Any:
        tag, text = str(node.tag), str(node.value)
        try:
            found = text if tag == _QUOTED else _resolved(tag, text)
        except ValueError as error:
            raise self.refused(node, str(error)) from error
        if isinstance(found, float) and not math.isfinite(found):
            raise self.refused(node, f"{text} can't be written as JSON")
        # 8.0 is written as 8 on the way to JSON, and read back as an integer
        if isinstance(found, float) and found.is_integer() and abs(found) < 2**63:
            return int(found)
        return found

    def refused(self, node: Any, problem: str) -> Refused:
        return _refused(self.source, node.start_mark.line + 1, problem)


def _resolved(tag: str, text: str) -> Any:
    """A scalar's value by its explicit tag, or by its looks when it is plain. Raises ValueError when they differ."""
    if tag == _BINARY:
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except binascii.Error as error:
            raise ValueError("!!binary value contains invalid base64 data") from error
    if tag == _STR or tag not in (_PLAIN, _BOOL, _INT, _FLOAT, _NULL, _TIMESTAMP):
        return text
    found_tag, found = _by_looks(text)
    if tag in (_PLAIN, found_tag, _TIMESTAMP):
        return found if tag != _TIMESTAMP else text
    if tag == _FLOAT and found_tag == _INT:
        return found
    raise ValueError(
        f"cannot decode !!{found_tag.removeprefix(_STANDARD)} `{text}` as a !!{tag.removeprefix(_STANDARD)}"
    )


def _by_looks(text: str) -> tuple[str, Any]:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789" or (text[0] == "." and _STRAY_UNDERSCORE.search(text)):
        return _STR, text
    plain = text.replace("_", "")
    matched = _INTEGER.fullmatch(plain)
    if matched and len(plain) < MOST_DIGITS:
        base, digits = next(
            (_BASES[name], part) for name, part in matched.groupdict().items() if part and name != "sign"
        )
        number = int(matched["sign"] + digits, base)
        if -(2**63) <= number < 2**63 or (number < 2**64 and not matched["sign"]):
            return _INT, number
    if _DECIMAL.fullmatch(plain) and math.isfinite(float(plain)):
        return _FLOAT, float(plain)
    return _STR, text


def _line(error: yaml.YAMLError) -> int:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return mark.line + 1 if mark else 0


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        return ", ".join(part for part in (error.context, error.problem) if part)
    return str(error).splitlines()[0] if str(error) else "not valid YAML"


def _refused(source: str, line: int, problem: str) -> Refused:
    where = ", ".join(part for part in (source or "YAML", f"line {line}" if line else "") if part)
    return Refused(f"{where}: {problem}")
