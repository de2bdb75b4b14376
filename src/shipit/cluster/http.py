"""One HTTP exchange with the API server, bounded in time; urllib3's exceptions end here."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from shipit.cluster.calls import Call
from shipit.cluster.deadlines import Attempt, Deadline, GivenUp, OutOfTime, bounded
from shipit.cluster.responses import Answer, Lost, NotSent

CONNECT = 5.0
"""Seconds to connect."""
READ = 10.0
"""Seconds of silence that an answer may have."""
CHUNK = 1 << 16
OK = 200


def exchange(client: Any, call: Call, deadline: Deadline) -> Answer:
    """Send a call and read its answer to the end. Raises NotSent or Lost, both within the deadline."""
    attempt = Attempt()
    answer: Answer = _translated(
        lambda: _whole(_open(client, call, (CONNECT, READ)), deadline, attempt), deadline, attempt
    )
    return answer


def open_stream(client: Any, call: Call, deadline: Deadline, attempt: Attempt, quiet: float) -> Any:
    """Send a call whose answer is a stream: the urllib3 response, its body unread, or an Answer that is no success.

    A read from it raises after `quiet` seconds of silence; `attempt.give_up` ends it from any thread.
    Raises NotSent or Lost.
    """

    def work() -> Any:
        response = _open(client, call, (CONNECT, quiet))
        return response if response.status == OK else _whole(response, deadline, attempt)

    return _translated(work, deadline, attempt)


def chunks_of(response: Any) -> Iterator[bytes]:
    """The body as it arrives. Raises Lost when it is cut, ends when it ends."""
    with _translating():
        while chunk := response.read1(CHUNK):
            yield chunk


def moment_of(answer: Answer) -> datetime | None:
    """The server's clock, from its Date header."""
    try:
        return parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _open(client: Any, call: Call, timeout: tuple[float, float]) -> Any:
    headers = {"Accept": "*/*" if call.subresource == "log" else "application/json"}
    if call.body is not None:
        headers["Content-Type"] = call.content_type
    arguments = client.param_serialize(
        call.method,
        call.path,
        query_params=list(call.query),
        header_params=headers,
        body=call.body,
        auth_settings=["BearerToken"],
    )
    return client.call_api(*arguments, _request_timeout=timeout).response


def _whole(response: Any, deadline: Deadline, attempt: Attempt) -> Answer:
    body = []
    try:
        while chunk := response.read1(CHUNK):
            body.append(chunk)
            if not deadline.left:
                raise OutOfTime
    except BaseException:
        response.close()
        raise
    response.release_conn()
    attempt.end()
    return Answer(response.status, dict(response.headers), b"".join(body))


def _translated(work: Callable[[], Any], deadline: Deadline, attempt: Attempt) -> Any:
    with _translating():
        try:
            return bounded(work, deadline, attempt)
        except OutOfTime:
            raise Lost("it took too long to answer") from None
        except GivenUp:
            raise Lost("the request was given up") from None


@contextlib.contextmanager
def _translating() -> Iterator[None]:
    """urllib3's exceptions and the client's, told apart by whether the request can have arrived."""
    import urllib3.exceptions as http
    from kubernetes.client.exceptions import ApiException

    try:
        yield
    except http.NameResolutionError as error:
        raise NotSent(f"can't resolve its name{_host(error)}") from error
    except (http.NewConnectionError, http.ConnectTimeoutError) as error:
        raise NotSent(_reason(error)) from error
    except http.ProxyError as error:
        raise NotSent(f"the proxy failed: {_reason(error)}") from error
    except (http.LocationValueError, http.URLSchemeUnknown) as error:
        raise NotSent(f"its address is invalid: {error}", hopeless=True) from error
    except (http.HTTPError, ApiException, ssl.SSLError, OSError) as error:
        raise _broken(error) from error


def _host(error: Any) -> str:
    host = getattr(error, "_host", "")
    return f" {host}" if host else ""


def _broken(error: BaseException) -> NotSent | Lost:
    text = str(getattr(error, "reason", "") or error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        why = text.partition("CERTIFICATE_VERIFY_FAILED] ")[2] or text
        return NotSent(f"its certificate is not trusted: {why.split(' (_ssl')[0]}", hopeless=True)
    if "SSLError" in text or isinstance(error, ssl.SSLError):
        return Lost(f"TLS failed: {text.splitlines()[-1]}")
    return Lost(_reason(error))


def _reason(error: BaseException) -> str:
    """The innermost cause in plain words: urllib3 wraps the operating system's words several times."""
    seen: list[BaseException] = []
    inner: BaseException | None = error
    while inner is not None and inner not in seen:
        seen.append(inner)
        inner = inner.__cause__ or inner.__context__
    for each in reversed(seen):
        if isinstance(each, TimeoutError):
            return "it did not answer in time"
        if isinstance(each, OSError) and each.strerror:
            return each.strerror.lower()
    kind = type(error).__name__
    return {
        "ReadTimeoutError": "it did not answer in time",
        "ConnectTimeoutError": "it did not answer in time",
        "IncompleteRead": "its answer was cut short",
        "ProtocolError": "it closed the connection",
    }.get(kind, f"{error}" or kind)
