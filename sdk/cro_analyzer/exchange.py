"""One call with its retries."""

import random
from itertools import count
from typing import TypeVar

from cro_analyzer.errors import ConnectionFailedError, CroError
from cro_analyzer.problems import FIRST_ERROR_STATUS, error_of
from cro_analyzer.retries import RetryPolicy, pause_s
from cro_analyzer.steps import Call, Flow, Pause, send

T = TypeVar("T")


def exchange(call: Call[T], policy: RetryPolicy) -> Flow[T]:
    """Send until there is an answer that says yes, or no attempt is left. Raises `CroError`."""
    for tried in count(1):
        failure: CroError
        try:
            answer = yield from send(call.request, streamed=call.streamed)
        except ConnectionFailedError as exc:
            failure = exc
        else:
            if answer.status < FIRST_ERROR_STATUS:
                return call.parse(answer)
            failure = error_of(answer)
        luck = random.random()  # noqa: S311  # spreads load, guards nothing
        seconds = pause_s(policy, failure, tried, luck, repeatable=call.repeatable)
        if seconds is None:
            raise failure
        yield Pause(seconds)
    raise AssertionError("count never ends")
