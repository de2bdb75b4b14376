"""The shapes that everything speaks of: what the cluster shows, what Helm answers, what a deploy decides."""

from shipit.model.deploy import (
    Identity,
    LeftOut,
    MigrationRun,
    MigrationsRun,
    Phase,
    Plan,
    SeenRevisions,
    Situation,
    Start,
    Step,
    StepResult,
)
from shipit.model.fingerprint import UNKNOWN, Fingerprint, slow_digest
from shipit.model.helm import (
    ChartFiles,
    HelmExit,
    HelmVersion,
    Hook,
    Layer,
    Rendered,
    Revision,
    Storage,
    Values,
)
from shipit.model.interfaces import Changes, Clock, Cluster, Departures, Helm, HelmProcess, Mask, World
from shipit.model.json import (
    EPOCH,
    as_int,
    as_list,
    as_map,
    as_maps,
    as_text,
    as_texts,
    as_time,
    metadata_of,
    spec_of,
    uid_of,
)
from shipit.model.kubernetes import (
    COPY_ANNOTATION,
    DO_NOT_DISRUPT,
    HASH_ANNOTATION,
    NEVER_STARTED_ANNOTATION,
    NOTES_VERSION,
    RELEASE_LABEL,
    REVISION_ANNOTATION,
    RUN_ANNOTATION,
    SAFE_TO_EVICT,
    TAG_ANNOTATION,
    VERSION_ANNOTATION,
    Condition,
    Container,
    Job,
    Json,
    KubeEvent,
    Marked,
    Pod,
    Ref,
    Resource,
    Termination,
    Workload,
)
from shipit.model.lookup import JobOrPod, get_job_or_pod, is_active, pods_of
from shipit.model.made import MadeObject
