"""When a request is sent again, and that nothing is made twice."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from cro_analyzer import Client, RetryPolicy, errors, problems
from cro_analyzer.models.jobs import Problem
from cro_analyzer.retries import pause_s
from tests.fixtures.clients import AT_ONCE, async_client, client

POLICY = RetryPolicy(max_retries=3, base_s=0.5, longest_s=60)
KEY = {"id": "key_1", "name": "n", "hint": "cro_", "scopes": [], "active": True, "created_by": "operator"}
KEY |= {"created_at": "2026-11-21T12:00:00Z", "expires_at": None, "revoked_at": None, "last_used_at": None}
KEY |= {"replaces": None, "key": "cro_live_secret"}
ANALYSIS = {"id": "an_1", "status": "queued", "url": "https://a.test/", "preset": "rules", "attempt": 0}
ANALYSIS |= {"created_at": "2026-11-21T12:00:00Z", "started_at": None, "finished_at": None, "links": {"self": "/"}}


def problem(status: int, code: str, **more: object) -> httpx2.Response:
    return httpx2.Response(status, json={"title": "No", "status": status, "code": code, **more})


def said(code: str, status: int, retry_after_s: float | None = None) -> errors.ApiError:
    return errors.of(Problem(title="No", status=status, code=code, retry_after_s=retry_after_s))


class Service:
    """Gives its answers one after another, and remembers what it was asked."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def keys(self) -> list[str | None]:
        return [request.headers.get("idempotency-key") for request in self.requests]


@pytest.mark.parametrize(
    "failure",
    [
        lambda: problem(503, "overloaded", retry_after_s=0.001),
        lambda: problem(429, "rate_limited"),
        lambda: problem(500, "internal"),
        lambda: problem(408, "request_timeout"),
        lambda: httpx2.Response(502, text="<html>Bad gateway"),
        lambda: httpx2.ConnectError("refused"),
        lambda: httpx2.ReadTimeout("slow"),
        lambda: httpx2.RemoteProtocolError("gone"),
    ],
)
def test_what_may_pass_is_tried_again_with_the_same_key(failure: Callable[[], httpx2.Response | Exception]) -> None:
    service = Service(failure(), failure(), httpx2.Response(202, json=ANALYSIS))
    assert client(service).analyses.create("https://a.test/").id == "an_1"
    assert len(service.requests) == 3
    assert service.keys[0]
    assert len(set(service.keys)) == 1
    assert service.requests[0].content == service.requests[2].content


def test_two_calls_have_two_keys_and_the_callers_own_goes_first() -> None:
    service = Service(*(httpx2.Response(202, json=ANALYSIS) for _ in range(3)))
    with client(service) as api:
        for _ in range(2):
            api.analyses.create("https://a.test/")
        api.analyses.create("https://a.test/", idempotency_key="mine")
    assert len(set(service.keys)) == 3
    assert service.keys[2] == "mine"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda: problem(422, "url_invalid"), errors.UrlInvalidError),
        (lambda: problem(401, "unauthenticated"), errors.UnauthenticatedError),
        (lambda: problem(409, "conflict"), errors.ConflictError),
        (lambda: problem(429, "quota_exceeded", retry_after_s=0), errors.QuotaExceededError),
        (lambda: problem(503, "backlog", retry_after_s=61), errors.BacklogError),
    ],
)
def test_what_will_not_pass_soon_is_raised_at_once(
    answer: Callable[[], httpx2.Response], kind: type[errors.CroError]
) -> None:
    service = Service(answer())
    with pytest.raises(kind):
        client(service).analyses.create("https://a.test/")


def test_the_last_failure_is_raised() -> None:
    service = Service(*(problem(503, "overloaded", detail=str(number)) for number in range(4)))
    with pytest.raises(errors.OverloadedError, match="3"):
        client(service).usage()
    assert len(service.requests) == 4


@pytest.mark.parametrize("failure", [httpx2.ReadError("gone"), httpx2.ReadTimeout("slow"), None])
def test_what_has_no_key_is_not_repeated_when_it_may_have_happened(failure: Exception | None) -> None:
    service = Service(failure or problem(500, "internal"))
    with pytest.raises(errors.CroError):
        client(service).keys.create("n8n", ["usage:read"])


@pytest.mark.parametrize("failure", [httpx2.ConnectError("refused"), None])
def test_and_is_repeated_when_it_certainly_did_not(failure: Exception | None) -> None:
    service = Service(failure or problem(503, "overloaded"), httpx2.Response(201, json=KEY))
    assert client(service).keys.create("n8n", ["usage:read"]).key == "cro_live_secret"


@pytest.mark.anyio
async def test_both_clients_do_the_same() -> None:
    one, other = (
        Service(problem(503, "overloaded"), problem(500, "internal"), httpx2.Response(202, json=ANALYSIS))
        for _ in range(2)
    )
    with client(one) as blocking:
        first = blocking.analyses.create("https://a.test/", idempotency_key="k", wait=5)
    async with async_client(other) as waiting:
        second = await waiting.analyses.create("https://a.test/", idempotency_key="k", wait=5)
    assert first == second
    assert [(r.method, str(r.url), r.content) for r in one.requests] == [
        (r.method, str(r.url), r.content) for r in other.requests
    ]


def test_pauses_grow_with_full_jitter() -> None:
    failure = said("overloaded", 503)
    most = [pause_s(POLICY, failure, tried, 1.0, repeatable=True) for tried in (1, 2, 3)]
    assert most == [0.5, 1.0, 2.0]
    assert pause_s(POLICY, failure, 2, 0.0, repeatable=True) == 0
    assert pause_s(POLICY, failure, 4, 1.0, repeatable=True) is None


def test_pauses_have_an_end() -> None:
    many = RetryPolicy(max_retries=100, base_s=0.5, longest_s=20)
    assert pause_s(many, said("overloaded", 503), 50, 1.0, repeatable=True) == 20


def test_what_the_service_asks_for_goes_first_and_is_never_undercut() -> None:
    waits = [pause_s(POLICY, said("backlog", 503, 10), 1, luck, repeatable=True) or 0 for luck in (0.0, 0.5, 1.0)]
    assert waits[0] == 10
    assert waits == sorted(waits)
    assert waits[2] <= 12


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("soon", None), ("", None), ("nan", None)]
)
def test_retry_after_as_a_number(header: str, seconds: float | None) -> None:
    assert problems.retry_after_s({"retry-after": header}, datetime.now(UTC)) == seconds


def test_retry_after_as_a_date() -> None:
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=30), usegmt=True)
    assert problems.retry_after_s({"retry-after": later}, now) == 30
    assert problems.retry_after_s({"retry-after": later}, now + timedelta(hours=1)) == 0


def test_a_stranger_in_between_is_named_as_one() -> None:
    with pytest.raises(errors.UnavailableError, match="between here and the API"):
        client(Service(httpx2.Response(503, text="<html>")), RetryPolicy(max_retries=0)).usage()


def test_options_of_a_copy_do_not_touch_the_client() -> None:
    service = Service(*(problem(503, "overloaded") for _ in range(5)))
    api = client(service)
    with pytest.raises(errors.OverloadedError):
        api.with_options(timeout_s=1, retries=RetryPolicy(max_retries=0)).usage()
    assert len(service.requests) == 1
    assert service.requests[0].extensions["timeout"]["read"] == 1
    with pytest.raises(errors.OverloadedError):
        api.usage()
    assert len(service.requests) == 5


def test_time_that_a_request_asks_to_wait_is_added_to_the_timeout() -> None:
    service = Service(httpx2.Response(200, json=ANALYSIS))
    client(service).analyses.get("an_1", wait=90)
    assert service.requests[0].extensions["timeout"]["read"] == 150


@pytest.mark.parametrize("job_id", ["", "..", "../tenant", "../keys/key_1", "an_1?x=1", "an_1#", "an 1"])
def test_what_is_no_id_leads_nowhere_else(job_id: str) -> None:
    with Client("", "http://127.0.0.1:1", retries=AT_ONCE) as client:
        for call in (client.analyses.get, client.analyses.delete, client.captures.get, client.webhooks.delete):
            with pytest.raises(errors.CroError, match="is no address of the API") as caught:
                call(job_id)
            assert not isinstance(caught.value, errors.ConnectionFailedError)


def test_an_idempotency_key_that_cannot_be_sent_is_said() -> None:
    with Client("", "http://127.0.0.1:1") as client, pytest.raises(errors.CroError, match="idempotency-key: visible"):
        client.analyses.create("https://a.test/", idempotency_key="schlüssel")


def test_a_service_that_is_away_is_named() -> None:
    said = r"cannot connect to http://127\.0\.0\.1:1 .*CRO_API_URL"
    with (
        Client("", "http://127.0.0.1:1", retries=AT_ONCE) as client,
        pytest.raises(errors.ConnectionFailedError, match=said),
    ):
        client.tenant()


@pytest.mark.parametrize("url", ["ftp://a.test", "a.test", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(errors.CroError, match="http"):
        Client("", url)


def test_a_key_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(errors.CroError) as caught:
        Client("cro_live_sécret\n x", "http://a.test")
    assert "cret" not in str(caught.value)
