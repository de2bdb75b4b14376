"""Everything that can be known before anything changes: rendered, selected, checked, frozen into a Plan."""

from shipit.plan.candidates import Candidate, Rendering, counterparts, migrations_of
from shipit.plan.charts import with_charts
from shipit.plan.comparison import differences
from shipit.plan.doctor import examine
from shipit.plan.job_metadata import HOOK_ANNOTATION
from shipit.plan.noted_upgrade import is_handover, is_upgrade
from shipit.plan.objects import kinds_of
from shipit.plan.other_releases import other_owner, refuse_anothers
from shipit.plan.own_objects import copy_of, is_copy, kept_by_helm
from shipit.plan.preparation import prepare
from shipit.plan.revisions import ROLLBACK_TO, newest_good
from shipit.plan.rollback import lists_migrations, prepare_rollback
from shipit.plan.same_content import COPIED
from shipit.plan.secret_values import mask_secrets_of_job, mask_secrets_taken, mask_values
from shipit.plan.tag import PROBE_TAG
from shipit.plan.way_back import WayBack, look_back
