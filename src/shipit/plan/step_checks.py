"""What a step's own manifest shows to be hopeless: it can't be followed, never ends, or runs nothing. Pure."""

from __future__ import annotations

from shipit.chart import pod_spec
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Step, as_text, spec_of


def check_step(step: Step) -> None:
    """Raises Refused for a Job or Pod that surely does not do what a step is for."""
    if step.ref.kind == "Job":
        _check_job(step)
    elif step.ref.kind == "Pod":
        _check_pod(step)


def _check_job(step: Step) -> None:
    spec = spec_of(step.manifest)
    if spec.get("manualSelector"):  # its pods carry no label of their Job
        raise Refused(
            f"Job {step.ref.name} has a manualSelector: its pods can't be told from another Job's",
            hint=advice("leave manualSelector and selector out of the Job's spec"),
        )
    if step.migration and spec.get("completions") == 0:
        raise Refused(
            f"Job {step.ref.name} runs nothing: its completions is 0, so that it is complete without a pod",
            hint=advice("completions: 1 in the Job's spec runs it once"),
        )


def _check_pod(step: Step) -> None:
    """The kubelet starts the containers of such a Pod again even after they have ended well."""
    policy = as_text(pod_spec(step.manifest).get("restartPolicy"))
    if policy in ("", "Always"):
        why = "is Always" if policy else "is not set, and Kubernetes' default is Always"
        raise Refused(
            f"Pod {step.ref.name} would run again and again, and never end: its restartPolicy {why}",
            hint=advice("restartPolicy: Never in the Pod's spec runs it once"),
        )
    if step.migration and step.retries:
        raise Refused(
            f"Pod {step.ref.name} can't be run again when it fails: retries under [migration] are for Jobs",
            hint=advice("leave retries out, make it a Job, or name the Job's template under [migration]"),
        )
