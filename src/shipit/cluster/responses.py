"""Answers of the API server, and their absence, become results or the errors of errors.py."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from shipit.cluster.calls import Call
from shipit.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Denied,
    Forbidden,
    Invalid,
    NoDryRun,
    NotAllowed,
    NotFound,
    QuotaExceeded,
    Unauthorized,
    Unreachable,
    WebhookFailed,
)
from shipit.hints import advice, kubectl
from shipit.model import Json, as_map, as_maps, as_text

SUCCESS = range(200, 300)
REFUSAL = range(400, 500)

UNTYPED = "failed to create typed patch object"
"""What a server-side apply says of an unknown field or a wrong type: with a 500, though asking again can't help."""

QUOTA_RACE = "Operation cannot be fulfilled on resourcequotas"
"""What a creation is turned away with when others use up the same quota at that moment: it may be sent again."""

# Admission speaks before anything is stored, and with any status: a policy or webhook chooses its own
_NOT_CALLED = re.compile(r"failed calling webhook|failed to call webhook")
_DENIED = re.compile(
    r"ValidatingAdmissionPolicy '.*' denied request|admission webhook \".*\" denied the request"
)
_NO_DRY_RUN = re.compile(
    r"(?i)n[o']t support(?:ed)?\b.*\bdry[- ]?run|\bdry[- ]?runs? \w+ (?:not|un)\W?(?:be )?supported"
)
_QUOTA_FULL = re.compile(r"exceeded quota: ")

MOST_WORDS = 1000
"""Characters of the API server's words that are shown."""


class NotSent(Unreachable):
    """The request certainly never arrived, or was turned away unseen: it may be sent again, whatever it is.

    `after` is how many seconds the server asks to wait first; `hopeless` when asking again can't help; `verdict` what
    it is once it was asked often enough, None when that is no more than silence.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        after: float = 0.0,
        hopeless: bool = False,
        verdict: ApiError | None = None,
    ) -> None:
        super().__init__(message, status=status)
        self.after = after
        self.hopeless = hopeless
        self.verdict = verdict


class Lost(Unreachable):
    """No usable answer: whether the request was carried out is not known."""

    def __init__(self, message: str, *, status: int | None = None, after: float = 0.0) -> None:
        super().__init__(message, status=status)
        self.after = after


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def result_of(call: Call, answer: Answer) -> Json:
    """The object that the API server answers with. Raises the error that it answers with, or that it is useless."""
    decoded = _decoded(answer.body)
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise Unauthorized(
            "the API server does not accept the credentials", status=401, reason="Unauthorized"
        )
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise NotSent("it is rate-limiting requests (429)", status=429, after=_retry_after(answer))
    if decoded is None:
        raise Lost(
            f"it answered {answer.status}, but not with JSON",
            status=answer.status,
            after=_retry_after(answer),
        )
    if answer.status in SUCCESS:
        return _checked(call, decoded, answer)
    told = decoded.get("kind") == "Status"
    if told and (said := _of_admission(call, answer.status, decoded)) is not None:
        raise said
    if (
        told
        and answer.status == HTTPStatus.INTERNAL_SERVER_ERROR
        and UNTYPED in as_text(decoded.get("message"))
    ):
        raise Invalid(_words(call, decoded), status=answer.status, reason="Invalid")
    if not told or answer.status not in REFUSAL or answer.status == HTTPStatus.REQUEST_TIMEOUT:
        words = f": {_words(call, decoded)}" if told else ""
        raise Lost(f"it answered {answer.status}{words}", status=answer.status, after=_retry_after(answer))
    raise _refusal(call, answer.status, decoded)


def _decoded(body: bytes) -> Json | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _checked(call: Call, decoded: Json, answer: Answer) -> Json:
    """Gateways answer 200 with JSON of their own: take only what was asked for."""
    if call.kind is None:
        return decoded
    kind = as_text(decoded.get("kind"))
    wanted = kind.endswith("List") and isinstance(decoded.get("items") or [], list)
    if call.verb != "list":
        wanted = kind == call.kind.name or (call.verb == "delete" and kind == "Status")
    if not wanted:
        raise Lost(
            f"it answered {answer.status} with an unexpected object ({kind or 'no kind'})",
            status=answer.status,
        )
    return decoded


def _retry_after(answer: Answer) -> float:
    text = next((value for key, value in answer.headers.items() if key.lower() == "retry-after"), "")
    return float(text) if re.fullmatch("[0-9]{1,9}", text) else 0.0


def _words(call: Call, status: Json) -> str:
    """The Status' message, with what it quotes of a Secret cut out."""
    text = as_text(status.get("message")) or as_text(status.get("reason")) or "it gave no reason"
    if call.secret:
        text = re.sub(r"(?s)(Invalid value|Unsupported value|Duplicate value): .*", r"\1: (hidden)", text)
        text = re.sub(rf"(?s)({UNTYPED}[^:]*): .*", r"\1: (hidden)", text)
    text = " ".join(text.split())
    return text if len(text) <= MOST_WORDS else text[: MOST_WORDS - 1] + "…"


def _refusal(call: Call, status: int, decoded: Json) -> ApiError:
    reason, words = as_text(decoded.get("reason")), _words(call, decoded)
    match status:
        case 403:
            return _forbidden(call, reason, words)
        case 404:
            return NotFound(words, status=404, reason=reason)
        case 409 if QUOTA_RACE in words:
            return NotSent(words, status=409)
        case 409:
            kind = AlreadyExists if reason == "AlreadyExists" else Conflict
            return kind(words, status=409, reason=reason)
        case 400 | 422:
            return Invalid(words, status=status, reason=reason, details=_causes(call, decoded))
    return ApiError(f"the API server refused to {call}: {words}", status=status, reason=reason)


def _of_admission(call: Call, status: int, decoded: Json) -> ApiError | None:
    """What admission said; None when it was not admission that spoke."""
    reason, words = as_text(decoded.get("reason")), _words(call, decoded)
    if call.dry_run and _NO_DRY_RUN.search(words):
        return NoDryRun(words, status=status, reason=reason)
    if _DENIED.search(words):
        return Denied(words, status=status, reason=reason)
    if _NOT_CALLED.search(words):
        return NotSent(words, status=status, verdict=WebhookFailed(words, status=status, reason=reason))
    if _QUOTA_FULL.search(words):
        full = QuotaExceeded(words, status=status, reason=reason)
        # what was just deleted is still counted for a moment
        return full if call.dry_run else NotSent(words, status=status, verdict=full)
    return None


def _causes(call: Call, decoded: Json) -> tuple[str, ...]:
    """The fields of a rejected object, one a line, where there are several."""
    causes = as_maps(as_map(decoded.get("details")).get("causes"))
    if call.secret or not causes[1:]:
        return ()
    return tuple(f"{as_text(each.get('field'))}: {as_text(each.get('message'))}" for each in causes)


def _forbidden(call: Call, reason: str, words: str) -> Forbidden:
    """RBAC names what is missing; quota and admission say "forbidden" too, in words of their own."""
    if "cannot impersonate resource" in words:
        return Forbidden(
            f"not allowed to act as another user: {words}",
            status=403,
            reason=reason,
            hint=advice("`as` in the kubeconfig, and --kube-as-user, need a Role with the verb impersonate"),
        )
    if not re.search(r"\bcannot \w+ resource\b", words):
        return Forbidden(words, status=403, reason=reason)
    where = f" in namespace {call.namespace}" if call.namespace else ""
    question: tuple[str, ...] = (call.verb, call.resource)
    if call.subresource and call.kind is not None:
        question = (call.verb, call.kind.plural, f"--subresource={call.subresource}")
    why = "answers no until a Role allows it; examples/rbac has all that are needed"
    return NotAllowed(
        f"not allowed to {call.verb} {call.resource}{where}: {words}",
        status=403,
        reason=reason,
        hint=kubectl("auth", "can-i", *question, namespace=call.namespace, why=why),
    )
