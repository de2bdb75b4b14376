"""Valid objects with every field that counts somewhere, and what charts make of them: fields left out, null or odd."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from shipit.model import Json

Path = tuple[str | int, ...]
MISSING = object()

POD_SPEC: Json = {
    "restartPolicy": "Never",
    "activeDeadlineSeconds": 600,
    "serviceAccountName": "runner",
    "serviceAccount": "runner",
    "imagePullSecrets": [{"name": "registry"}],
    "initContainers": [{"name": "wait", "image": "shop:v2", "restartPolicy": "Always", "env": []}],
    "containers": [
        {
            "name": "migrate",
            "image": "shop:v2",
            "command": ["migrate"],
            "args": ["up"],
            "env": [
                {"name": "PLAIN", "value": "x"},
                {
                    "name": "URL",
                    "valueFrom": {"secretKeyRef": {"name": "db", "key": "url", "optional": False}},
                },
                {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}},
            ],
            "envFrom": [{"secretRef": {"name": "db"}}, {"configMapRef": {"name": "settings"}}],
            "resources": {"requests": {"cpu": 1}},
            "volumeMounts": [{"name": "sql", "mountPath": "/sql"}],
        }
    ],
    "volumes": [
        {"name": "sql", "configMap": {"name": "sql", "items": [{"key": "a", "path": "a"}]}},
        {"name": "tls", "secret": {"secretName": "tls", "optional": True}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "all", "projected": {"sources": [{"secret": {"name": "db"}}, {"configMap": {"name": "sql"}}]}},
        {"name": "csi", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "db"}}},
        {"name": "azure", "azureFile": {"secretName": "db", "shareName": "s"}},
    ],
}  # fmt: skip
META: Json = {
    "labels": {"app": "shop"},
    "annotations": {"note": "x"},
    "namespace": "shop",
    "finalizers": [],
    "ownerReferences": [],
}
TEMPLATE: Json = {
    "metadata": {
        "labels": {"app": "shop"},
        "annotations": {
            "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
            "karpenter.sh/do-not-disrupt": "true",
        },
    },
    "spec": POD_SPEC,
}
JOB: Json = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "migrate", "generateName": "migrate-", **META},
    "spec": {
        "backoffLimit": 0,
        "backoffLimitPerIndex": 1,
        "completions": 2,
        "parallelism": 2,
        "completionMode": "Indexed",
        "activeDeadlineSeconds": 600,
        "ttlSecondsAfterFinished": 60,
        "suspend": False,
        "manualSelector": False,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": "migrate", "operator": "In", "values": [3]},
                },
            ]
        },
        "selector": {"matchLabels": {"app": "shop"}},
        "template": TEMPLATE,
    },
    "status": {
        "active": 0,
        "succeeded": 1,
        "failed": 0,
        "terminating": 0,
        "conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "late"}],
    },
}
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "migrate", **META, **TEMPLATE["metadata"]},
    "spec": POD_SPEC,
    "status": {
        "phase": "Failed",
        "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}],
        "containerStatuses": [
            {
                "name": "migrate",
                "state": {"terminated": {"exitCode": 1, "startedAt": "2026-03-01T12:00:01Z"}},
                "lastState": {"terminated": {"exitCode": 1}},
            }
        ],
    },
}
DEPLOYMENT: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop", **META},
    "spec": {
        "replicas": 1,
        "selector": {
            "matchLabels": {"app": "shop"},
            "matchExpressions": [{"key": "app", "operator": "In", "values": ["shop"]}],
        },
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        "template": {**TEMPLATE, "spec": {**POD_SPEC, "restartPolicy": "Always"}},
    },
    "status": {"replicas": 1, "observedGeneration": 1, "conditions": [{"type": "Available", "status": "True"}]},
}  # fmt: skip
SECRET: Json = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "db", **META},
    "data": {"url": "cG9zdGdyZXM6Ly9zaG9w", "empty": ""},
    "stringData": {"password": "hunter22"},
}


def paths(body: Any, here: Path = ()) -> Iterator[Path]:
    """Every field of an object, and every item of its lists."""
    parts = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in parts:
        yield (*here, key)
        yield from paths(value, (*here, key))


def changed(body: Json, path: Path, value: Any) -> Json:
    """The object with that at a path, or without it (MISSING); as it is when the path is gone already."""
    made: Json = copy.deepcopy(body)
    parent: Any = made
    for key in path[:-1]:
        if not _holds(parent, key):
            return made
        parent = parent[key]
    if not _holds(parent, path[-1]):
        return made
    if value is MISSING:
        del parent[path[-1]]
    else:
        parent[path[-1]] = copy.deepcopy(value)
    return made


def _holds(parent: Any, key: str | int) -> bool:
    if isinstance(parent, dict):
        return key in parent
    return isinstance(parent, list) and isinstance(key, int) and key < len(parent)
