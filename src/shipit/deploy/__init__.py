"""Everything that changes the cluster, in order: `sequence.py` is the page to read first."""

from shipit.deploy.dry_run import Preview, preview
from shipit.deploy.rollback_sequence import roll_back_to
from shipit.deploy.sequence import Deployed, deploy
