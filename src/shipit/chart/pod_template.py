"""The pod template inside an object: its containers and the images they run."""

from __future__ import annotations

from typing import NamedTuple

from shipit.model import Json, as_map, as_maps, as_text


class Image(NamedTuple):
    """`registry:5000/team/shop:v2@sha256:…` in its parts; a part that isn't there is ""."""

    repository: str
    tag: str
    digest: str


def pod_template_of(body: Json) -> Json | None:
    """The pod (`metadata`, `spec`) that a Job, CronJob, workload or Pod would run; None for any other kind."""
    match body.get("kind"):
        case "Pod":
            return body
        case "Job" | "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController":
            return as_map(as_map(body.get("spec")).get("template"))
        case "CronJob":
            job = as_map(as_map(body.get("spec")).get("jobTemplate"))
            return as_map(as_map(job.get("spec")).get("template"))
    return None


def pod_spec(body: Json) -> Json:
    """The pod's spec; empty for a kind that runs no pods."""
    return as_map((pod_template_of(body) or {}).get("spec"))


def with_pod_spec(body: Json, spec: Json) -> Json:
    """A Job, CronJob, workload or Pod with another pod's spec."""
    if body.get("kind") == "Pod":
        return {**body, "spec": spec}
    if body.get("kind") == "CronJob":
        outer = as_map(body.get("spec"))
        inner = with_pod_spec({"kind": "Job", **as_map(outer.get("jobTemplate"))}, spec)
        return {**body, "spec": {**outer, "jobTemplate": {k: v for k, v in inner.items() if k != "kind"}}}
    outer = as_map(body.get("spec"))
    return {**body, "spec": {**outer, "template": {**as_map(outer.get("template")), "spec": spec}}}


def containers(body: Json) -> tuple[Json, ...]:
    """The init containers, then the containers, as the pod lists them."""
    spec = pod_spec(body)
    return (*as_maps(spec.get("initContainers")), *as_maps(spec.get("containers")))


def images(body: Json) -> tuple[str, ...]:
    """The images of its containers, init containers first, as they are written."""
    return tuple(image for each in containers(body) if (image := as_text(each.get("image"))))


def image(text: str) -> Image:
    """The parts of an image reference. A port is no tag: `registry:5000/shop` has none."""
    named, _, digest = text.partition("@")
    head, colon, tag = named.rpartition(":")
    if not colon or "/" in tag:
        return Image(named, "", digest)
    return Image(head, tag, digest)


def uses_tag(body: Json, tag: str) -> bool:
    """Whether a container runs exactly this tag: `v2` doesn't occur in `shop:v2.1`, nor in an environment variable.

    `tag` may end with a digest (`v2@sha256:…`), which must then be the image's; charts leave the tag out beside it. An
    image with a digest of its own runs what the digest says, whatever its tag: see `held_by_digest`.
    """
    wanted = image(f"x:{tag}")
    tags = ("", wanted.tag) if wanted.digest else (wanted.tag,)
    return any(each.tag in tags and each.digest == wanted.digest for each in map(image, images(body)))


def held_by_digest(body: Json, tag: str) -> tuple[str, ...]:
    """The images that show this tag, but run what another digest beside it says."""
    wanted = image(f"x:{tag}")
    return tuple(
        text
        for text in images(body)
        if (found := image(text)).tag == wanted.tag and found.digest not in ("", wanted.digest)
    )
