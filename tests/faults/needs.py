"""What migrations need before the upgrade: a ConfigMap in which the tag is, and what may be left of it afterwards."""

from __future__ import annotations

from tests.faults.judge import Findings
from tests.faults.scene import Scene

SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME}
data: {TAG: "{{ .Values.image.tag }}"}
"""


def nothing_left(scene: Scene, findings: Findings, made: str) -> None:
    """Once a deploy has succeeded: no copy, and nothing that a later one would delete; what was `made` is the app's."""
    scene.kube.wait(lambda: not copies(scene), within=30)
    lease = scene.kube.get("lease", "shipit-shop")
    noted = (lease or {"metadata": {}})["metadata"].get("annotations", {}).get("shipit/prerequisites")
    findings.holds("F", noted is None, f"the lock still notes {noted}")
    found = scene.kube.get("configmap", made)
    findings.holds("F", found is not None, "the app's new ConfigMap is gone")


def copies(scene: Scene) -> list[str]:
    """The names of the ConfigMaps that are copies of the app's."""
    return [name for each in scene.kube.all("configmaps") if "-shipit-" in (name := each["metadata"]["name"])]
