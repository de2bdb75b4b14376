"""A chart as `helm template` prints it, hooks among the rest, in the shape of a rendering."""

from __future__ import annotations

from collections.abc import Iterator

from shipit.chart.manifest import Document, split
from shipit.model import Hook, Rendered, as_map, as_text, metadata_of


def rendered_of(text: str, *, server_side: bool) -> Rendered:
    """The rendering of a first install; its notes are not printed. Raises Refused for what isn't YAML or no object."""
    found = [(each, _hook(each)) for each in split(text)]
    manifest = "".join(_printed(each) for each, hook in found if hook is None)
    hooks = tuple(hook for _, hook in found if hook is not None)
    return Rendered(manifest, hooks, revision=1, install=True, server_side=server_side)


def _printed(document: Document) -> str:
    return f"---\n# Source: {document.source}\n{document.text}\n"


def _hook(document: Document) -> Hook | None:
    notes = as_map(metadata_of(document.body).get("annotations"))
    events = tuple(_listed(notes.get("helm.sh/hook")))
    if not events:
        return None
    weight = as_text(notes.get("helm.sh/hook-weight")).strip()
    return Hook(
        name=document.ref.name,
        kind=document.ref.kind,
        path=document.source,
        manifest=document.text,
        events=events,
        weight=int(weight) if weight.removeprefix("-").isdecimal() else 0,
        delete_policies=tuple(_listed(notes.get("helm.sh/hook-delete-policy"))),
    )


def _listed(value: object) -> Iterator[str]:
    return (part.strip() for part in as_text(value).split(",") if part.strip())
