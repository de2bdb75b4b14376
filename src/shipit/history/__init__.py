"""The record of past deploys: a ConfigMap beside the release, to which each deploy adds itself."""

from shipit.history.plot import plot
from shipit.history.record import KEPT
from shipit.history.store import VERBS, add, past_deploys, record_ref
