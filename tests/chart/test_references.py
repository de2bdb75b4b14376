"""Everything that a pod can't start without is found in its template."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shipit.chart.references import Reference, references_of
from shipit.chart.yaml import load_yaml

MIGRATE = """
kind: Job
spec:
  template:
    spec:
      serviceAccountName: migrator
      imagePullSecrets: [{name: registry}]
      initContainers:
      - name: wait
        envFrom:
        - secretRef: {name: db}
        - configMapRef: {name: settings, optional: true}
      containers:
      - name: migrate
        env:
        - {name: PLAIN, value: x}
        - {name: DATABASE_URL, valueFrom: {secretKeyRef: {name: db, key: url}}}
        - {name: LEVEL, valueFrom: {configMapKeyRef: {name: settings, key: level}}}
        - {name: EXTRA, valueFrom: {secretKeyRef: {name: extra, key: x, optional: true}}}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
      volumes:
      - {name: tls, secret: {secretName: tls}}
      - {name: ca, secret: {secretName: ca, items: [{key: ca.crt, path: ca.crt}, {key: crl, path: crl}]}}
      - {name: files, configMap: {name: files, optional: true}}
      - {name: data, persistentVolumeClaim: {claimName: data}}
      - name: both
        projected:
          sources:
          - secret: {name: p-secret}
          - configMap: {name: p-config, items: [{key: k, path: k}]}
          - serviceAccountToken: {path: token}
      - {name: share, azureFile: {secretName: azure, shareName: s}}
      - {name: driver, csi: {driver: x, nodePublishSecretRef: {name: csi}}}
      - {name: ceph, cephfs: {secretRef: {name: ceph}}}
      - {name: scratch, emptyDir: {}}
"""


def job(spec: Any) -> dict[str, Any]:
    return {"kind": "Job", "spec": {"template": {"spec": spec}}}


def test_every_way_to_name_something_is_found() -> None:
    assert references_of(load_yaml(MIGRATE)) == (
        Reference("ServiceAccount", "migrator", where="serviceAccountName"),
        Reference("Secret", "registry", optional=True, where="imagePullSecrets"),
        Reference("Secret", "tls", where="volume tls"),
        Reference("Secret", "ca", "ca.crt", where="volume ca"),
        Reference("Secret", "ca", "crl", where="volume ca"),
        Reference("ConfigMap", "files", optional=True, where="volume files"),
        Reference("PersistentVolumeClaim", "data", where="volume data"),
        Reference("Secret", "p-secret", where="volume both"),
        Reference("ConfigMap", "p-config", "k", where="volume both"),
        Reference("Secret", "azure", where="volume share"),
        Reference("Secret", "csi", where="volume driver"),
        Reference("Secret", "ceph", where="volume ceph"),
        Reference("Secret", "db", where="container wait, envFrom"),
        Reference("ConfigMap", "settings", optional=True, where="container wait, envFrom"),
        Reference("Secret", "db", "url", where="container migrate, env DATABASE_URL"),
        Reference("ConfigMap", "settings", "level", where="container migrate, env LEVEL"),
        Reference("Secret", "extra", "x", optional=True, where="container migrate, env EXTRA"),
    )


def test_what_is_named_twice_is_told_once_with_who_needs_it_first() -> None:
    container = {"envFrom": [{"secretRef": {"name": "db"}}]}
    found = references_of(job({"containers": [{"name": "a", **container}, {"name": "b", **container}]}))
    assert found == (Reference("Secret", "db", where="container a, envFrom"),)


def test_needing_it_somewhere_counts_beside_an_optional_mention() -> None:
    sources = [{"secretRef": {"name": "db", "optional": True}}, {"secretRef": {"name": "db"}}]
    found = references_of(job({"containers": [{"name": "a", "envFrom": sources}]}))
    assert [each.optional for each in found] == [True, False]


def test_the_default_account_is_not_looked_for() -> None:
    assert references_of(job({"serviceAccountName": "default"})) == ()
    assert references_of(job({"serviceAccount": "old-style"}))[0].name == "old-style"


def test_it_reads_well_in_a_sentence() -> None:
    assert str(Reference("Secret", "db", "url")) == "Secret db, key url"
    assert str(Reference("ServiceAccount", "migrator")) == "ServiceAccount migrator"


_keys = [
    "volumes",
    "secret",
    "containers",
    "env",
    "valueFrom",
    "secretKeyRef",
    "name",
    "items",
    "optional",
    "projected",
]
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_keys), inner, max_size=3),
    max_leaves=15,
)


@given(_json)
def test_whatever_a_chart_writes_is_looked_through(spec: Any) -> None:
    assert all(each.name for each in references_of(job(spec)))
