"""What Helm renders and what it is given back: manifests, hooks, pod templates, the frozen chart."""

from shipit.chart.conditions import values_asked_for
from shipit.chart.dependencies import dependencies_on_disk, is_locked, missing_dependencies
from shipit.chart.dump import dump_yaml
from shipit.chart.frozen import freeze, freeze_live, is_frozen
from shipit.chart.hooks import (
    TEST,
    delete_policies,
    deletes_after,
    deletes_before,
    deletes_before_creation,
    for_event,
    stored_hooks,
)
from shipit.chart.manifest import (
    Document,
    candidates,
    canonical,
    digest,
    from_template,
    generated_name,
    known_source,
    ref_of,
    resources,
    split,
    with_bodies,
    without,
    workloads,
)
from shipit.chart.pod_template import (
    containers,
    held_by_digest,
    image,
    images,
    pod_spec,
    pod_template_of,
    uses_tag,
    with_pod_spec,
)
from shipit.chart.references import references_of
from shipit.chart.renamed_references import with_references
from shipit.chart.size import MOST_STORED, check_stored_size, stored_size
from shipit.chart.source import (
    all_files,
    brings_crds,
    chart_files,
    copy_chart,
    file_in,
    kept_files,
    template_paths,
)
from shipit.chart.templated import rendered_of
from shipit.chart.values import read_values
from shipit.chart.yaml import load_yaml
