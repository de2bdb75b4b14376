"""Jobs, pods and Events in, a sentence and a hint out: why something fails, and when waiting on can't help. Pure."""

from shipit.diagnosis.awaited import is_absent, object_awaited, service_awaited, workload_awaited
from shipit.diagnosis.finding import SETTLE, Finding, Observation
from shipit.diagnosis.job import State, diagnose, outcome_of, why_vanished
from shipit.diagnosis.objects import is_unjudged, is_waited_for, waits_for_a_consumer, why_waiting
from shipit.diagnosis.rollout import Restarts, overdue, why_not_ready
