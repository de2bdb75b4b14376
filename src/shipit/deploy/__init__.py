"""Everything that changes the cluster, in order: `sequence.py` is the page to read first."""

from shipit.deploy.sequence import Deployed, deploy
