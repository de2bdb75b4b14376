"""The files that kubectl would read, merged as it merges them: for each name the first file that has it counts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as _Base
except ImportError:  # a PyYAML built without libyaml: slower, the same values
    from yaml import SafeLoader as _Base  # type: ignore[assignment]

from shipit.errors import Refused, Usage
from shipit.hints import kubectl
from shipit.model import Json

CLUSTERS, USERS, CONTEXTS = "clusters", "users", "contexts"
_BODIES = {CLUSTERS: "cluster", USERS: "user", CONTEXTS: "context"}
_PATHS = {CLUSTERS: ("certificate-authority",), USERS: ("client-certificate", "client-key", "tokenFile")}


class _Loader(_Base):
    """Dates and `=` are text, as for Go."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, looks) for tag, looks in each if tag.rpartition(":")[2] not in ("timestamp", "value")]
    for first, each in _Base.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Entries:
    """What the files hold: entries by name, the paths in them absolute, and the current context, "" for none."""

    clusters: Mapping[str, Json] = field(default_factory=dict)
    users: Mapping[str, Json] = field(default_factory=dict)
    contexts: Mapping[str, Json] = field(default_factory=dict)
    current: str = ""


def find_files(kubeconfig: str | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Those that are there, absolute: the flag's, else KUBECONFIG's, else ~/.kube/config.

    In KUBECONFIG a `~` is a letter like any other, for kubectl and Helm as well. Raises Usage for a flag's that isn't
    there.
    """
    if kubeconfig:
        named = Path(kubeconfig).expanduser().absolute()
        if not _is_there(named):
            raise Usage(f"the kubeconfig {kubeconfig} does not exist")
        return (named,)
    listed = dict.fromkeys(part for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part)
    candidates = [Path(part) for part in listed] or [Path("~/.kube/config").expanduser()]
    return tuple(path.absolute() for path in candidates if _is_there(path))


def read_files(paths: Sequence[Path]) -> Entries:
    """Merge them. Raises Refused, with nothing of their contents in it, for one that can't be read."""
    merged: dict[str, dict[str, Json]] = {CLUSTERS: {}, USERS: {}, CONTEXTS: {}}
    current = ""
    for path in paths:
        body = _read(path)
        for kind, found in merged.items():
            for name, entry in _entries(path, body, kind).items():
                found.setdefault(name, _with_absolute_paths(entry, kind, path.parent))
        current = current or _text(path, body.get("current-context"), "current-context")
    return Entries(merged[CLUSTERS], merged[USERS], merged[CONTEXTS], current)


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise bad(_named(path), (error.strerror or "unreadable").lower()) from error
    return True


def bad(where: str, problem: str) -> Refused:
    return Refused(
        f"{where} can't be used: {problem}", hint=kubectl("config", "view", why="shows how kubectl reads it")
    )


def _read(path: Path) -> Json:
    try:
        body = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe one
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise bad(_named(path), f"{error.problem or 'not valid YAML'}{line}") from error
    except yaml.YAMLError as error:
        raise bad(_named(path), "it is not valid YAML") from error
    except UnicodeDecodeError as error:
        raise bad(_named(path), "it is not valid UTF-8") from error
    except OSError as error:
        raise bad(_named(path), (error.strerror or "unreadable").lower()) from error
    except (ValueError, RecursionError) as error:
        raise bad(_named(path), "it is not a valid kubeconfig") from error
    if body is None:
        return {}
    if not isinstance(body, dict) or body.get("kind", "Config") not in ("Config", None):
        raise bad(_named(path), "it is not a kubeconfig")
    return body


def _entries(path: Path, body: Json, kind: str) -> dict[str, Json]:
    listed = body.get(kind) or []
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise bad(_named(path), f"{kind} is not a list of entries")
    found: dict[str, Json] = {}
    for each in listed:
        name = _text(path, each.get("name"), f"a name under {kind}")
        entry = each.get(_BODIES[kind]) or {}
        if not isinstance(entry, dict):
            raise bad(_named(path), f"an entry under {kind} is not a table")
        if name in found:
            raise bad(_named(path), f"{kind} has two entries named {name}")
        found[name] = {key: value for key, value in entry.items() if value is not None}
    return found


def _with_absolute_paths(entry: Json, kind: str, folder: Path) -> Json:
    """Relative paths start at the file that holds the entry; so does a plugin's command that is more than a name."""
    found = dict(entry)
    for key in _PATHS.get(kind, ()):
        if isinstance(found.get(key), str) and found[key]:
            found[key] = os.path.normpath(folder / found[key])
    plugin = found.get("exec")
    if kind == USERS and isinstance(plugin, dict):
        command = plugin.get("command")
        if isinstance(command, str) and os.sep in command:
            found["exec"] = {**plugin, "command": os.path.normpath(folder / command)}
    return found


def _text(path: Path, value: Any, what: str) -> str:
    if value is not None and not isinstance(value, str):
        raise bad(_named(path), f"{what} is not text: put it in quotes")
    return value or ""


def _named(path: Path) -> str:
    return f"the kubeconfig {path}"
