"""What Helm renders and what it is given back: manifests, hooks, pod templates, the frozen chart."""

from shipit.chart.frozen import freeze, freeze_live
from shipit.chart.hooks import deletes_after, deletes_before_creation, for_event
from shipit.chart.manifest import (
    Document,
    candidates,
    canonical,
    digest,
    from_template,
    ref_of,
    resources,
    split,
    without,
    workloads,
)
from shipit.chart.pod_template import held_by_digest, images, pod_template_of, uses_tag
from shipit.chart.references import references_of
from shipit.chart.size import MOST_STORED, check_stored_size, stored_size
from shipit.chart.values import read_values
from shipit.chart.yaml import load_yaml

__all__ = [
    "MOST_STORED",
    "Document",
    "candidates",
    "canonical",
    "check_stored_size",
    "deletes_after",
    "deletes_before_creation",
    "digest",
    "for_event",
    "freeze",
    "freeze_live",
    "from_template",
    "held_by_digest",
    "images",
    "load_yaml",
    "pod_template_of",
    "read_values",
    "ref_of",
    "references_of",
    "resources",
    "split",
    "stored_size",
    "uses_tag",
    "without",
    "workloads",
]
