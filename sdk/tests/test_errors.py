"""The tree of errors is that of the API's codes."""

import pytest

from contracts.errors import ErrorCode, Fault
from contracts.errors import Problem as Sent
from cro_analyzer import decoding, errors
from cro_analyzer.models.jobs import Problem

FAMILIES = {
    Fault.CALLER: errors.CallerError,
    Fault.TARGET: errors.TargetError,
    Fault.PROVIDER: errors.ProviderError,
    Fault.OURS: errors.PlatformError,
}


def read(code: str, status: int) -> errors.ApiError:
    return errors.of(Problem(title="It failed", status=status, code=code, detail="Change it."))


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_a_class_in_its_family(code: ErrorCode) -> None:
    error = read(code.value, code.status)
    assert error.code == code.value
    assert type(error) not in FAMILIES.values()
    assert isinstance(error, FAMILIES[code.fault])
    assert (error.detail, str(error)) == ("Change it.", f"{code.value}: Change it.")


def test_there_is_no_class_without_a_code() -> None:
    kinds = {kind.code for family in FAMILIES.values() for kind in family.__subclasses__()}
    assert kinds == {code.value for code in ErrorCode}


@pytest.mark.parametrize(("status", "family"), [(418, errors.CallerError), (599, errors.PlatformError)])
def test_codes_of_newer_releases_go_by_their_status(status: int, family: type[errors.ApiError]) -> None:
    error = read("made_tomorrow", status)
    assert type(error) is family
    assert error.problem.code == "made_tomorrow"


def test_a_problem_is_read_as_it_is_sent() -> None:
    sent = Sent(title="No", status=422, code=ErrorCode.URL_INVALID, request_id="req_1", retry_after_s=1.5)
    error = errors.of(decoding.decode(Problem, sent.model_dump_json().encode()))
    assert (error.request_id, error.retry_after_s, error.detail) == ("req_1", 1.5, "No")
