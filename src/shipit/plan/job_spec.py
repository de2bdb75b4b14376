"""A Job's spec as shipit creates it: what of the chart's is left out, and what `shipit.toml` says instead."""

from __future__ import annotations

from shipit.model import Json, as_map


def as_created(body: Json, retries: int | None) -> Json:
    """A Job without ttlSecondsAfterFinished, and with as many retries as the file asks for (None: as the chart says).

    A Job that goes by itself can't be read, nor recognised by the next deploy. Where a pod that still ends may be
    replaced (podReplacementPolicy TerminatingOrFailed, the default), two of them run at once.
    """
    if not as_map(body.get("spec")):
        return body  # it is the API server's to refuse, in its own words
    spec = {key: value for key, value in body["spec"].items() if key != "ttlSecondsAfterFinished"}
    if retries is not None:
        spec |= {"backoffLimit": retries, "podReplacementPolicy": "Failed"}
    return {**body, "spec": spec}
