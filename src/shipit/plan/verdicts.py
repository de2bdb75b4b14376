"""What a rehearsal that was turned away says about the real thing: it fails for sure, it may, or it won't."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from shipit.errors import (
    ApiError,
    Conflict,
    Denied,
    Forbidden,
    Invalid,
    NoDryRun,
    NotAllowed,
    NotFound,
    QuotaExceeded,
    Refused,
    WebhookFailed,
)
from shipit.events import Emit, Warned
from shipit.hints import advice
from shipit.model import Cluster, Plan, Ref, Step
from shipit.plan.objects import Made, is_custom, kinds_of
from shipit.plan.quota import Leaving, Room, leaving, quota_of, room

REHEARSED = (Invalid, Forbidden, NotFound, Conflict, NoDryRun)
"""Answers of the API server to a rehearsal; what else is raised is silence."""

_JUDGES = frozenset(
    {
        "LimitRange",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "PriorityClass",
        "RuntimeClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)
"""Kinds that change what admission says."""

_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)'")
_OF_DRY_RUNS = re.compile(r"dryRun")
_OF_STAND_INS = re.compile(r"userInfo|authorizer|dryRun")
"""What an expression reads that is another for the Job controller's pod than for one that is tried."""


class Verdict(Enum):
    """SURE: the real thing fails too. MAY: it may pass. FINE: it passes, as far as can be known."""

    SURE = auto()
    MAY = auto()
    FINE = auto()


@dataclass(frozen=True, slots=True)
class Preflight:
    """What becomes of a verdict: a refusal, or a warning and the deploy goes ahead. `warns` is `preflight = "warn"`."""

    emit: Emit
    warns: bool = False

    def refuse(self, error: Refused) -> None:
        """Raise it; or, where the configuration says so, tell it."""
        if not self.warns:
            raise error
        told = "; ".join((error.message, *error.details))
        self.emit(Warned(f'{told} (tried all the same: preflight = "warn")', hint=error.hint))

    def judge(self, verdict: Verdict, what: str, error: ApiError) -> None:
        if verdict is Verdict.SURE:
            self.refuse(refused(what, error))
        elif verdict is Verdict.MAY:
            self.doubt(what, error)

    def doubt(self, what: str, error: ApiError) -> None:
        why = error.message
        self.emit(Warned(f"whether the API server accepts {what} can't be known beforehand: {why}"))


def refused(what: str, error: ApiError) -> Refused:
    hint = error.hint
    if isinstance(error, WebhookFailed):
        hint = advice("is what answers for that webhook running? deploy again once it is")
    if isinstance(error, Conflict):
        hint = advice("whoever set it may stop to; with Helm 4, --force-conflicts in helm_args takes it over")
    if isinstance(error, NotFound) and error.message.startswith("namespaces "):
        hint = advice("its template names that namespace: create it first, or leave metadata.namespace out")
    if "immutable" in error.message:
        hint = advice(
            "if it is a migration Job, name its template under [migration]: a live object's field can't be changed"
        )
    return Refused(
        f"the API server does not accept {what}: {error.message}", hint=hint, details=error.details
    )


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges what was said of a step's object, its pod, or an object of the app, by what is made before it."""

    cluster: Cluster
    plan: Plan
    made: Made

    def object(self, step: Step, error: ApiError) -> Verdict:
        """What was said of a step's own object: by who will make it, of what will be made."""
        return self._verdict(step.ref, error, lambda: leaving(step, self.plan, self.cluster))

    def pod(self, step: Step, error: ApiError) -> Verdict:
        """What was said of a stand-in for a Job's pod, which the Job controller will make."""
        pod = Ref("v1", "Pod", step.ref.namespace, step.ref.name)
        if isinstance(error, Denied):
            policy = self._policy(error)
            blind = bool(policy) and not _OF_STAND_INS.search(policy)
            return Verdict.SURE if blind and not self._changes() else Verdict.MAY
        return self._verdict(pod, error, lambda: leaving(step, self.plan, self.cluster))

    def app(self, ref: Ref, error: ApiError) -> Verdict:
        return self._verdict(ref, error, Leaving)

    def _verdict(self, ref: Ref, error: ApiError, gone: Callable[[], Leaving]) -> Verdict:
        match error:
            case NoDryRun():
                return Verdict.MAY
            case NotFound():
                return self._absent(ref)
            case QuotaExceeded() if self.made.holds("ResourceQuota", quota_of(error)):
                return Verdict.MAY
            case QuotaExceeded():
                return _BY_ROOM[room(error, gone(), ref)]
            case NotAllowed() | WebhookFailed():
                return Verdict.SURE
            case Denied() if _OF_DRY_RUNS.search(self._policy(error)):
                return Verdict.MAY
            case Forbidden() if self._changes() or _NO_ACCOUNT in error.message:
                return Verdict.MAY  # a namespace gets its account `default` a moment after it was made
        return Verdict.SURE

    def _absent(self, ref: Ref) -> Verdict:
        """The kind isn't served, or the namespace isn't there."""
        kind = (ref.api_version, ref.kind)
        if self.cluster.namespaced(*kind) is None:
            if self.plan.definitions and (not is_custom(ref) or self._is_defined(kind)):
                # rehearsed once they are installed; Helm without the API server believes in old kinds of Kubernetes' own
                return Verdict.FINE
            brought = self.made.brings_kind(*kind)
        else:
            brought = self.made.holds("Namespace", ref.namespace)
        return Verdict.MAY if brought or self.made.makers else Verdict.SURE

    def _is_defined(self, kind: tuple[str, str]) -> bool:
        return any(kind in kinds_of(each.body) for each in self.plan.definitions)

    def _changes(self) -> bool:
        """Whether what is made before changes what admission says."""
        return any(ref.kind in _JUDGES for ref in self.made.objects)

    def _policy(self, error: Denied) -> str:
        """What the policy says that denied it; "" for a webhook, and when it can't be read."""
        named = _POLICY.search(error.message)
        if named is None:
            return ""
        ref = Ref("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "", named[1])
        try:
            policy = self.cluster.get(ref)
        except Forbidden:
            return ""
        return json.dumps(policy.get("spec")) if policy is not None else ""


_BY_ROOM = {Room.YES: Verdict.FINE, Room.MAYBE: Verdict.MAY, Room.NO: Verdict.SURE}
_NO_ACCOUNT = "error looking up service account"
