"""Objects as YAML for people to read: texts of several lines as such, keys in one order where two are compared."""

from __future__ import annotations

from typing import Any

import yaml

from shipit.model import Json

try:
    from yaml import CSafeDumper as _Dumper
except ImportError:  # a PyYAML built without libyaml: slower, the same text
    from yaml import SafeDumper as _Dumper  # type: ignore[assignment]

_FIRST = ("apiVersion", "kind", "metadata")
_NEVER_FOLDED = 1 << 30


class _Readable(_Dumper):
    """Block style throughout, without anchors."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def dump_yaml(body: Json, *, sort: bool = False) -> str:
    """An object; `sort` puts the keys of each map in order, but for what an object begins with."""
    if sort:
        rest = sorted(key for key in body if key not in _FIRST)
        body = {key: _sorted(body[key]) for key in (*(key for key in _FIRST if key in body), *rest)}
    text = yaml.dump(
        body,
        Dumper=_Readable,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=_NEVER_FOLDED,
    )
    return str(text)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _sorted(value[key]) for key in sorted(value, key=str)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
