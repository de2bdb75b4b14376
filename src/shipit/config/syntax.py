"""What is wrong with a text that is not TOML, in words that say what to write."""

from __future__ import annotations

import re

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_WORDS = (
    (r"Unterminated string|Illegal character '\\n'|Expected \"'+\"", "unterminated string"),
    (r"Illegal character (.*)", r"the character \1 is not allowed here"),
    (r"Found invalid character (.*)", r"the character \1 is not allowed here"),
    (
        r"Unescaped '\\' in a string",
        r"unknown escape in a string; write \\\\, or the string in single quotes",
    ),
    (r"Invalid value", "not a value; put text in quotes"),
    (r"Expected '=' after a key.*", "expected = after the key"),
    (r"Invalid initial character for a key part", "expected a key"),
    (r"Invalid statement", "expected a key, or a [table]"),
    (r"Expected newline or end of document after a statement", "unexpected text after the value"),
    (r"Expected ']' at the end of a table declaration", "expected ] after the table's name"),
    (r"Expected ']]' at the end of an array declaration", "expected ]] after the table's name"),
    (r"Unclosed array", "missing a comma or ] in a list"),
    (r"Unclosed inline table", "missing a comma or } in an inline table"),
    (r"Cannot declare .* twice", "this table is there twice"),
    (r"Cannot overwrite a value", "this key is there twice"),
    (r"Duplicate inline table key (.*)", r"the key \1 is there twice"),
    (r"Cannot (?:mutate|redefine|overwrite|expand).*", "this table or key is there already"),
    (r"Invalid date or datetime", "no such date or time"),
    (r"Invalid hex value", "not a Unicode escape"),
    (r"Escaped character is not a Unicode scalar value", "not a Unicode escape"),
)


def syntax_problem(said: str, text: str) -> str:
    """`line 3, column 15: unterminated string`, of what tomllib says of a text."""
    place = _PLACE.search(said)
    words = _PLACE.sub("", said)
    for pattern, ours in _WORDS:
        if found := re.fullmatch(pattern, words):
            words = found.expand(ours)
            break
    words = re.sub(r"\s+", " ", words)
    if place is None:
        return words
    line, column = place.groups()
    return f"{_at(line, column, text)}: {words}"


def _at(line: str | None, column: str | None, text: str) -> str:
    if line is None:
        return f"at the end, line {text.count(chr(10)) + 1}"
    return f"line {line}, column {column}"
