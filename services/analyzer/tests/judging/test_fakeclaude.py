import asyncio
import base64
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anthropic
import httpx2
import pytest
from anthropic.types import ImageBlockParam, MessageParam

from analyzer.fakeclaude import tokens
from analyzer.fakeclaude.catalogue import MODELS
from analyzer.fakeclaude.server import FakeServer
from analyzer.judged import JudgedPage
from analyzer.judging.answer import Answer
from analyzer.judging.judge import ClaudeJudge
from contracts.analyze import Preset

Result = TypeVar("Result")
LOOSE = {"type": "object", "properties": {}}
HELLO: list[MessageParam] = [{"role": "user", "content": "hello"}]
HEADERS = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}


def talk(fake: FakeServer, work: Callable[[anthropic.AsyncAnthropic], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with anthropic.AsyncAnthropic(api_key="k", base_url=fake.url, max_retries=0, timeout=10) as client:
            return await work(client)

    return asyncio.run(run())


def ask(fake: FakeServer, **changes: Any) -> anthropic.types.Message:  # noqa: ANN401  # any argument of create()
    arguments: dict[str, Any] = {"model": "claude-haiku-5-5", "max_tokens": 500, "messages": HELLO}
    message = talk(fake, lambda client: client.messages.create(**(arguments | changes)))
    assert isinstance(message, anthropic.types.Message)
    return message


def refusal(fake: FakeServer, **changes: Any) -> str:  # noqa: ANN401  # any argument of create()
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(fake, **changes)
    assert caught.value.type == "invalid_request_error"
    assert (caught.value.request_id or "").startswith("req_")
    return str(caught.value.api_message)


def post(fake: FakeServer, path: str, body: object, headers: dict[str, str]) -> httpx2.Response:
    return httpx2.post(f"{fake.url}{path}", json=body, headers=headers, trust_env=False)


def image(data: str, *, strict: bool = True) -> ImageBlockParam:
    block: ImageBlockParam = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": data},
    }
    return {**block, "transformations": {"oversized_image": "error"}} if strict else block


@pytest.fixture
def png_of(picture_of: Callable[..., bytes]) -> Callable[[int, int], str]:

    return lambda width, height: base64.b64encode(picture_of(width, height, "PNG")).decode()


def test_needs_credentials_and_a_version(fake: FakeServer) -> None:
    body = {"model": "claude-haiku-5-5", "max_tokens": 5, "messages": HELLO}
    nobody = post(fake, "/v1/messages", body, {"anthropic-version": "2026-10-21"})
    assert (nobody.status_code, nobody.json()["error"]["type"]) == (401, "authentication_error")
    undated = post(fake, "/v1/messages", body, {"authorization": "Bearer k"})
    assert (undated.status_code, undated.json()["error"]["type"]) == (400, "invalid_request_error")


def test_headers_tell_limits_that_shrink(fake: FakeServer) -> None:
    body = {"model": "claude-haiku-5-5", "max_tokens": 50, "messages": HELLO}
    first, second = (post(fake, "/v1/messages", body, HEADERS) for _ in range(2))
    name = "anthropic-ratelimit-output-tokens-remaining"
    assert int(second.headers[name]) < int(first.headers[name])
    assert first.headers["request-id"] != second.headers["request-id"]
    assert first.headers["anthropic-ratelimit-requests-reset"].endswith("Z")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"extra_body": {"temperature": 1}}, "temperature"),
        ({"extra_body": {"colour": 1}}, "colour"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "{"}]}, "prefill"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": " "}]}]}, "whitespace"),
        ({"model": "claude-sonnet-5-5", "thinking": {"type": "disabled"}}, "thinking"),
        ({"tool_choice": {"type": "none"}}, "tools"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {}}}}},
            "False",
        ),
        ({"extra_headers": {"x-fake-scenario": "no_such"}}, "no_such"),
    ],
)
def test_refuses_what_the_api_refuses(changes: dict[str, Any], word: str, fake: FakeServer) -> None:
    assert word.lower() in refusal(fake, **changes).lower()


def test_sampling_is_accepted_by_the_old_version(fake: FakeServer) -> None:
    old = {"anthropic-version": "2023-06-01"}
    assert ask(fake, extra_body={"temperature": 1}, extra_headers=old).stop_reason == "end_turn"


def test_forced_tools_are_refused_where_documented(fake: FakeServer) -> None:
    tool = {"name": "t", "input_schema": LOOSE}
    forced = {"tools": [tool], "tool_choice": {"type": "tool", "name": "t"}}
    assert "tool_choice" in refusal(fake, model="claude-sonnet-5-5", **forced)
    assert ask(fake, model="claude-haiku-5-5", **forced).stop_reason == "end_turn"


def test_a_schema_that_is_too_free_is_refused(fake: FakeServer) -> None:
    free = {f"p{number}": {"type": "string"} for number in range(25)}
    schema = {"type": "object", "properties": free, "required": [], "additionalProperties": False}
    assert "grammar" in refusal(fake, output_config={"format": {"type": "json_schema", "schema": schema}})


def test_an_oversized_image_is_refused_by_name(fake: FakeServer, png_of: Callable[[int, int], str]) -> None:
    content = [image(png_of(3_000, 1_000))]
    assert "2576 × 859" in refusal(fake, messages=[{"role": "user", "content": content}])
    scaled = [image(png_of(3_000, 1_000), strict=False)]
    assert ask(fake, messages=[{"role": "user", "content": scaled}]).usage.input_tokens == 92 * 31


def test_image_tokens_are_the_documented_ones() -> None:
    sizes = {(1440, 900): 1_716, (1440, 2576): 4_784, (1008, 630): 828, (780, 1688): 1_708, (390, 844): 434}
    assert {size: tokens.patches(*size) for size in sizes} == sizes
    assert not tokens.fits(MODELS["claude-haiku-4-5"], 1440, 900)


def test_counting_agrees_with_charging(fake: FakeServer) -> None:
    counted = talk(fake, lambda client: client.messages.count_tokens(model="claude-haiku-5-5", messages=HELLO))
    assert counted.input_tokens == ask(fake).usage.input_tokens


def test_the_prompt_cache_is_written_read_and_forgotten(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(fake.state, "clock", lambda: now)
    system = [{"type": "text", "text": "long words " * 500, "cache_control": {"type": "ephemeral"}}]
    first = ask(fake, system=system).usage
    assert (first.cache_creation_input_tokens or 0) > 1_024
    now += 200
    second = ask(fake, system=system).usage
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    now += 299
    assert ask(fake, system=system).usage.cache_read_input_tokens, "a read makes it young again"
    now += 301
    assert ask(fake, system=system).usage.cache_read_input_tokens == 0


def test_a_short_prefix_is_silently_not_cached(fake: FakeServer) -> None:
    system = [{"type": "text", "text": "short", "cache_control": {"type": "ephemeral"}}]
    assert ask(fake, system=system).usage.cache_creation_input_tokens == 0


def test_a_stream_has_the_apis_order(fake: FakeServer) -> None:
    fake.script("thinking")

    async def stream(client: anthropic.AsyncAnthropic) -> list[str]:
        events = await client.messages.create(model="claude-haiku-5-5", max_tokens=500, messages=HELLO, stream=True)
        return [event.type async for event in events]

    kinds = [kind for kind, _ in itertools.groupby(talk(fake, stream))]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert [kind for kind in kinds if kind != "ping"] == [
        "message_start",
        *block,
        *block,
        "message_delta",
        "message_stop",
    ]


def test_a_stream_and_a_whole_message_say_the_same(fake: FakeServer) -> None:
    async def streamed(client: anthropic.AsyncAnthropic) -> str:
        async with client.messages.stream(model="claude-haiku-5-5", max_tokens=500, messages=HELLO) as stream:
            return await stream.get_final_text()

    whole = ask(fake).content[0]
    assert whole.type == "text"
    assert talk(fake, streamed) == whole.text


def test_a_stream_can_break_with_status_200(fake: FakeServer) -> None:
    fake.script("stream_error")

    async def streamed(client: anthropic.AsyncAnthropic) -> None:
        async with client.messages.stream(model="claude-haiku-5-5", max_tokens=500, messages=HELLO) as stream:
            await stream.get_final_text()

    with pytest.raises(anthropic.APIStatusError) as caught:
        talk(fake, streamed)
    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")


def test_models_have_a_lifecycle_and_capabilities(fake: FakeServer) -> None:
    info = talk(fake, lambda client: client.models.retrieve("claude-sonnet-5-5"))
    assert info.lifecycle == "active"
    assert info.capabilities is not None
    assert not info.capabilities.thinking.types.disabled.supported

    async def retired(client: anthropic.AsyncAnthropic) -> list[str]:
        return [model.id async for model in client.models.list(lifecycle=["retired"])]

    assert talk(fake, retired) == ["claude-mythos-preview"]
    gone = {"model": "claude-mythos-preview", "max_tokens": 5, "messages": HELLO}
    assert post(fake, "/v1/messages", gone, HEADERS).status_code == 404


def test_a_scenario_can_be_met_a_number_of_times(fake: FakeServer) -> None:
    with pytest.raises(anthropic.InternalServerError):
        ask(fake, model="claude-haiku-5-5@overloaded*1")
    assert ask(fake, model="claude-haiku-5-5@overloaded*1").model == "claude-haiku-5-5"


def test_scripts_and_the_log_are_reachable_over_http(fake: FakeServer) -> None:
    assert post(fake, "/__script", ["no_such"], {}).status_code == 400
    assert post(fake, "/__script", ["rate_limited:3"], {}).json() == {"queued": 1}
    with pytest.raises(anthropic.RateLimitError) as caught:
        ask(fake)
    assert caught.value.response.headers["retry-after"] == "3"
    log = httpx2.get(f"{fake.url}/__log", trust_env=False).json()["data"]
    assert [(entry["path"], entry["status"]) for entry in log] == [("/v1/messages", 429)]
    assert post(fake, "/__reset", None, {}).status_code == 204
    assert not fake.state.log


def test_an_answer_fits_the_schema_and_the_request(judge: ClaudeJudge, page: JudgedPage, fake: FakeServer) -> None:
    async def run() -> None:
        async with judge:
            await judge(page, Preset.FAST, 20_000)

    asyncio.run(run())
    sent = fake.requests[0]["body"]
    schema = anthropic.transform_schema(Answer)
    document = sent["messages"][2]["content"][0]["content"][-1]["text"]
    arguments = {"messages": [{"role": "user", "content": document}], "max_tokens": 4_000}
    form = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    first, second = (ask(fake, **arguments, **form).content[0] for _ in range(2))
    assert first.type == second.type == "text"
    assert first.text == second.text
    answer = Answer.model_validate_json(first.text)
    ids = {one["id"] for part in json.loads(document)["sections"] for one in part["elements"]}
    assert [part.section_id for part in answer.sections] == ["s1", "s2"]
    assert {name for part in answer.sections for one in part.findings for name in one.element_ids} <= ids


def test_what_is_not_there_says_so(fake: FakeServer) -> None:
    answer = post(fake, "/v1/complete", {}, HEADERS)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


def test_runs_alone_and_says_when_it_is_ready() -> None:
    command = [sys.executable, "-m", "analyzer.fakeclaude", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split()[-1]
        assert httpx2.get(f"{url}/__log", trust_env=False).json() == {"data": []}
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == ""
        assert process.wait() in {0, -signal.SIGTERM}
    assert line.startswith("fake Messages API ready on http://127.0.0.1:")
