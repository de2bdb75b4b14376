"""What the migration references: surely missing, it is refused by name; what a step before may make is waited for."""

from __future__ import annotations

import threading

import pytest

from tests.e2e.kit import Project, hook

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BEFORE = "pre-install,pre-upgrade"
TAKES = "          env: [{name: KEY, valueFrom: {secretKeyRef: {name: shop-keys, key: key}}}]\n"
MADE = """\
apiVersion: v1
kind: Secret
metadata:
  name: shop-keys
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-10"}
stringData: {NAME: k-123456}
"""


def test_a_key_is_looked_for_where_it_can_be_and_waited_for_where_a_step_before_may_make_it(
    project4: Project,
) -> None:
    kube = project4.kube
    project4.template("migrate", hook("echo key $KEY", BEFORE, name="migrate") + TAKES)
    project4.template("keys", hook("echo making keys; sleep 3", BEFORE, name="keys", weight=-10))

    def outside() -> None:
        """The image holds no client of the API: the Secret comes from here, well after the first Job."""
        kube.wait(lambda: kube.all("pods", "job-name=migrate"))
        threading.Event().wait(14)
        kube.kubectl("create", "secret", "generic", "shop-keys", "--from-literal=key=k-123456")

    maker = threading.Thread(target=outside)
    maker.start()
    done = project4.deploy("v1")
    maker.join()
    assert done.exit_code == 0, done.told
    assert done.log[0] == "making keys"
    assert done.log[-1].startswith("key ")
    told = [each["message"] for each in done.of("warning")]
    assert any("Secret shop-keys" in each and "Job keys" in each for each in told), told

    project4.without_template("keys")
    kube.kubectl("delete", "secret", "shop-keys")
    kube.kubectl("create", "secret", "generic", "shop-keys", "--from-literal=other=k-123456")
    refused = project4.deploy("v2")
    assert refused.exit_code == 3, refused.told
    (line,) = refused.error["details"]
    assert "key key of Secret shop-keys" in line
    assert line.endswith("holds only other")

    project4.template("keys", MADE.replace("NAME", "another"))
    assert project4.deploy("v2").exit_code == 3
    project4.template("keys", MADE.replace("NAME", "key"))
    again = project4.deploy("v2")
    assert again.exit_code == 0, again.told
