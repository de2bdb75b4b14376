"""Everything that can be known before anything changes: rendered, selected, checked, frozen into a Plan."""

from shipit.plan.candidates import Candidate, Rendering, counterparts, migrations_of
from shipit.plan.changes import shown
from shipit.plan.charts import with_charts
from shipit.plan.checklist import Checklist
from shipit.plan.comparison import differences
from shipit.plan.doctor import CHART_FIRST, Place, examine_chart, examine_cluster, leave_out, missing_role
from shipit.plan.drift import by_hand
from shipit.plan.job_metadata import HOOK_ANNOTATION, RELEASE_NAME_ANNOTATION, RESOURCE_POLICY_ANNOTATION
from shipit.plan.noted_upgrade import is_handover, is_upgrade
from shipit.plan.objects import Objects, kinds_of, made_before
from shipit.plan.other_releases import other_owner, refuse_anothers
from shipit.plan.own_objects import copy_of, is_copy, kept_by_helm
from shipit.plan.parts import Path, parts_of, volatile_paths, written
from shipit.plan.preflight import missing_to_deploy
from shipit.plan.preparation import check, compared, draft, look_over, prepare, summary
from shipit.plan.prerequisites import reached_by
from shipit.plan.rendering import ReleaseRendering
from shipit.plan.revisions import ROLLBACK_TO, live_release, newest_good
from shipit.plan.rollback import lists_migrations, prepare_rollback
from shipit.plan.same_content import COPIED
from shipit.plan.saved import Options, SavedPlan, check_plan, check_target, read_plan, saved_plan, write_plan
from shipit.plan.secret_values import (
    mask_credentials,
    mask_secrets,
    mask_secrets_of_job,
    mask_secrets_taken,
    mask_values,
)
from shipit.plan.status import status_of
from shipit.plan.tag import PROBE_TAG
from shipit.plan.unchanged import reasons_to_deploy
from shipit.plan.verdicts import Preflight
from shipit.plan.watch import Watch
from shipit.plan.way_back import WayBack, look_back
