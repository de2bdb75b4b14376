"""What `helm template` prints becomes a rendering again."""

from __future__ import annotations

from shipit.chart import split
from shipit.chart.templated import rendered_of
from shipit.model import Hook

TEXT = """\
---
# Source: shop/templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
# Source: shop/templates/hook.yaml
apiVersion: v1
kind: Secret
metadata:
  name: h
  annotations:
    helm.sh/hook: pre-install, pre-upgrade
    helm.sh/hook-weight: "-5"
    helm.sh/hook-delete-policy: hook-succeeded,before-hook-creation
---
# Source: shop/charts/db/templates/b.yaml
apiVersion: batch/v1
kind: Job
metadata: {name: b, annotations: null}
"""


def test_hooks_are_told_from_the_rest() -> None:
    found = rendered_of(TEXT, server_side=True)
    assert [(each.source, each.ref.name) for each in split(found.manifest)] == [
        ("shop/templates/a.yaml", "a"),
        ("shop/charts/db/templates/b.yaml", "b"),
    ]
    (hook,) = found.hooks
    assert hook == Hook(
        name="h",
        kind="Secret",
        path="shop/templates/hook.yaml",
        manifest=hook.manifest,
        events=("pre-install", "pre-upgrade"),
        weight=-5,
        delete_policies=("hook-succeeded", "before-hook-creation"),
    )
    assert "name: h" in hook.manifest
    assert (found.install, found.revision, found.server_side) == (True, 1, True)


def test_a_weight_that_is_no_number_is_none() -> None:
    assert rendered_of(TEXT.replace('"-5"', "heavy"), server_side=False).hooks[0].weight == 0
