"""A rendered manifest is taken apart and put together without a byte changed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.chart.manifest import (
    Document,
    candidates,
    cluster_scoped,
    digest,
    from_template,
    ref_of,
    resources,
    split,
    without,
    workloads,
)
from shipit.chart.yaml import load_yaml
from shipit.errors import Refused
from shipit.model import Ref

SHOP = """---
# Source: shop/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: shop
data:
  text: |
    first
     ---
    last
---
# Source: shop/charts/db/templates/db.yaml
# a comment of the chart's own
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
  namespace: data
---
# Source: shop/templates/app.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
---
# Source: shop/templates/app.yaml
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}

---
# Source: shop/templates/role.yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: shop}
"""

LIST = """---
# Source: shop/templates/all.yaml
apiVersion: v1
kind: List
items:
- apiVersion: batch/v1
  kind: Job
  metadata: {name: migrate}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: shop}
  data: {smile: "\U0001f600\\x7f"}
"""

MIGRATE = Ref("batch/v1", "Job", "prod", "migrate")


def join(documents: Iterable[Document]) -> str:
    """The manifest that Helm would write for these documents."""
    return "".join(f"---\n# Source: {each.source}\n{each.text}\n" for each in documents)


def test_every_document_knows_its_template_and_its_object() -> None:
    found = split(SHOP, "prod")
    assert [(each.source, str(each.ref)) for each in found] == [
        ("shop/templates/config.yaml", "ConfigMap prod/shop"),
        ("shop/charts/db/templates/db.yaml", "StatefulSet data/db"),
        ("shop/templates/app.yaml", "Deployment prod/shop"),
        ("shop/templates/app.yaml", "Job prod/migrate"),
        ("shop/templates/role.yaml", "ClusterRole shop"),
    ]


def test_a_text_is_helms_to_the_byte() -> None:
    found = split(SHOP)
    assert found[0].text.endswith("first\n     ---\n    last")
    assert found[1].text.startswith("# a comment of the chart's own\napiVersion")
    assert found[3].text.endswith("metadata: {name: migrate}\n")
    assert join(found) == SHOP


def test_crlf_and_braces_stay() -> None:
    text = "---\n# Source: shop/templates/x.yaml\nkind: Braces\r\nmetadata:\r\n  name: '{{ x }}'\r\n\n"
    assert join(split(text)) == text
    assert split(text)[0].ref.name == "{{ x }}"


def test_documents_without_anything_in_them_are_dropped() -> None:
    text = "---\n# Source: a\n\n---\n# Source: b\n# only a comment\n---\n---\n# Source: c\nkind: X\n"
    assert [each.source for each in split(text)] == ["c"]
    assert split("") == ()
    assert split("\n\n") == ()


def test_a_separator_that_helm_3_left_in_a_document_does_not_part_it_from_its_source() -> None:
    found = split("---\n# Source: a\n--- \nkind: A\n---\n# Source: b\n---\n# only a comment\n---\nkind: C\n")
    assert [(each.source, each.text) for each in found] == [("a", "kind: A"), ("", "kind: C")]


def test_a_post_renderer_may_lose_the_sources() -> None:
    found = split("kind: A\n--- # here\r\nkind: B\n---\nkind: C")
    assert [(each.source, each.ref.kind) for each in found] == [("", "A"), ("", "B"), ("", "C")]


def test_what_is_no_object_is_refused_with_its_template() -> None:
    with pytest.raises(Refused, match=r"^shop/templates/x.yaml: not a Kubernetes object, but `just text`$"):
        split("---\n# Source: shop/templates/x.yaml\njust text\n")
    with pytest.raises(Refused, match=r"but a list$"):
        split("---\n# Source: shop/templates/x.yaml\n- a\n")
    with pytest.raises(Refused, match=r"^shop/templates/x.yaml, line 3: "):
        split("---\n# Source: shop/templates/x.yaml\na: 1\nb: [\n")
    with pytest.raises(Refused, match=r"^the rendered manifest: not a Kubernetes object"):
        split("just text\n")


def test_the_objects_of_a_list_are_found_but_the_document_stays_one() -> None:
    (document,) = split(LIST, "prod")
    assert document.ref.kind == "List"
    assert [str(each.ref) for each in resources([document])] == ["Job prod/migrate", "ConfigMap prod/shop"]
    assert [each.ref for each in candidates([document])] == [MIGRATE]
    assert join([document]) == LIST


def test_lists_in_lists_are_opened_too() -> None:
    text = "kind: List\nitems: [{kind: SecretList, items: [{kind: Secret}, 5]}, {kind: A}]"
    assert [each.ref.kind for each in resources(split(text))] == ["Secret", "A"]


def test_an_object_that_happens_to_have_items_is_no_list() -> None:
    assert [each.ref.kind for each in resources(split("kind: Menu\nitems: [{kind: A}]"))] == ["Menu"]


def test_candidates_are_plain_jobs_only() -> None:
    assert [each.ref for each in candidates(split(SHOP, "prod"))] == [MIGRATE]
    assert candidates(split("apiVersion: example.com/v1\nkind: Job\n")) == ()


def test_workloads_are_what_rolls_out() -> None:
    assert workloads(split(SHOP, "prod")) == (
        Ref("apps/v1", "StatefulSet", "data", "db"),
        Ref("apps/v1", "Deployment", "prod", "shop"),
    )


def test_without_the_job_everything_else_stays_to_the_byte() -> None:
    documents = split(SHOP, "prod")
    assert without(documents, [MIGRATE]) == documents[:3] + documents[4:]
    assert without(documents, []) == documents


def test_a_list_is_written_anew_without_the_job_and_means_the_same() -> None:
    (rest,) = without(split(LIST, "prod"), [MIGRATE])
    assert load_yaml(rest.text) == rest.body
    assert [str(each.ref) for each in rest.resources] == ["ConfigMap prod/shop"]
    assert rest.resources[0].body["data"] == {"smile": "\U0001f600\x7f"}
    assert rest.source == "shop/templates/all.yaml"
    assert without([rest], [rest.resources[0].ref]) == ()


def test_the_digest_counts_what_is_said_not_how() -> None:
    documents = split(SHOP)
    commented = split(SHOP.replace("kind: Job", "kind:    Job # the migration"))
    moved = split(SHOP.replace("templates/app.yaml", "templates/1.yaml"))
    assert digest(documents) == digest(commented) == digest(moved) == digest(documents[::-1])
    assert digest(documents) != digest(split(SHOP.replace("first", "second")))
    assert len(digest(documents)) == 64


@pytest.mark.parametrize(
    ("source", "template", "same"),
    [
        ("shop/templates/migrate.yaml", "templates/migrate.yaml", True),
        ("shop/templates/migrate.yaml", "./templates/migrate.yaml", True),
        ("shop/templates/migrate.yaml", "shop/templates/migrate.yaml", True),
        ("shop/charts/db/templates/x.yaml", "charts/db/templates/x.yaml", True),
        ("shop/charts/db/templates/migrate.yaml", "templates/migrate.yaml", False),
        ("shop/templates/migrate.yaml", "migrate.yaml", False),
        ("", "", False),
    ],
)
def test_a_template_is_named_from_the_charts_folder(source: str, template: str, same: bool) -> None:
    assert from_template(source, template) is same


def test_a_kind_of_kubernetes_own_is_told_from_a_namesake() -> None:
    assert cluster_scoped("v1", "Namespace")
    assert cluster_scoped("rbac.authorization.k8s.io/v1", "ClusterRole")
    assert not cluster_scoped("metal.example.com/v1", "Node")
    assert not cluster_scoped("v1", "Secret")


def test_a_ref_takes_whatever_a_chart_writes() -> None:
    assert ref_of({"metadata": None}, "prod") == Ref("", "", "prod", "")
    assert ref_of({"kind": 5, "metadata": {"name": 5, "namespace": ["x"]}}, "prod") == Ref("", "", "prod", "")


@given(st.lists(st.text("ab: \n\r#-{}é", max_size=30), max_size=4))
def test_any_manifest_is_taken_apart_or_refused(chunks: list[str]) -> None:
    text = "".join(f"---\n# Source: shop/{n}.yaml\n{chunk}\n" for n, chunk in enumerate(chunks))
    try:
        found = split(text)
    except Refused:
        return
    assert all(each.body == load_yaml(each.text) for each in found)
