"""`/v1/messages/batches`: create, follow, cancel, and results in an order of their own.

A batch ends `State.batch_s` seconds after it was made, or expires a day after. One request's fate is chosen as a
message's is: `claude-haiku-5-5@expired` never runs, `@overloaded` is an error, `@refusal` is an answer.
"""

import copy
import json
from collections import Counter

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from analyzer.fakeclaude import catalogue, files, scenarios, validation
from analyzer.fakeclaude.endpoint import Call, endpoint, page
from analyzer.fakeclaude.files import stamp
from analyzer.fakeclaude.messages import message_for
from analyzer.fakeclaude.scenarios import Kind
from analyzer.fakeclaude.state import State, StoredBatch
from analyzer.fakeclaude.wire import ApiError, Json, digest

MAX_REQUESTS = 100_000
MAX_BYTES = 256 * 1000 * 1000
_LIFE_S = 86_400.0
_KINDS = ("processing", "succeeded", "errored", "canceled", "expired")


async def create(call: Call) -> Response:
    """Take a batch; its requests are checked one by one and fail one by one."""
    requests = call.body.get("requests")
    if not isinstance(requests, list) or not 0 < len(requests) <= MAX_REQUESTS:
        raise ApiError("invalid_request_error", f"requests: must have from 1 to {MAX_REQUESTS} items")
    ids = [str(one.get("custom_id")) for one in requests]
    if len(set(ids)) != len(ids):
        raise ApiError("invalid_request_error", "requests: custom_id must be unique")
    now = call.state.clock()
    document: Json = {"id": call.state.next_id("msgbatch"), "type": "message_batch"}
    results = [{"custom_id": one["custom_id"], "result": _result(call, one.get("params", {}))} for one in requests]
    batch = StoredBatch(document, results, now, now + min(call.state.batch_s, _LIFE_S))
    call.state.batches[document["id"]] = batch
    return JSONResponse(_document(call, batch))


def _result(call: Call, params: Json) -> Json:
    try:
        body = copy.deepcopy(params)
        files.resolve(call.state, body)
        name, suffix = scenarios.split_model(str(body.get("model", "")))
        model = catalogue.find(name)
        validation.check(model, body, call.version)
        scenario = call.state.scenario("", suffix)
        if scenario.kind is Kind.EXPIRED:
            return {"type": "expired"}
        scenario.raise_error()
    except ApiError as exc:
        return {"type": "errored", "error": exc.body(call.request_id)}
    message = message_for(call.state, body, model, scenario)
    message["usage"]["service_tier"] = "batch"
    return {"type": "succeeded", "message": message}


def _present(state: State, batch: StoredBatch) -> tuple[str, list[Json]]:
    """Return a batch's status now, and its results as far as they count."""
    now = state.clock()
    ended = now >= batch.ends_s
    if batch.cancelled_s is not None and batch.cancelled_s < batch.ends_s:
        return "ended", [{**one, "result": {"type": "canceled"}} for one in batch.results]
    if state.batch_s >= _LIFE_S and ended:
        return "ended", [{**one, "result": {"type": "expired"}} for one in batch.results]
    return ("ended", batch.results) if ended else ("in_progress", [])


def _document(call: Call, batch: StoredBatch) -> Json:
    status, results = _present(call.state, batch)
    counts = Counter(one["result"]["type"] for one in results)
    counts["processing"] = len(batch.results) - len(results)
    own = str(call.request.base_url).rstrip("/")
    cancelled = batch.cancelled_s
    return {
        **batch.document,
        "processing_status": status,
        "request_counts": {kind: counts[kind] for kind in _KINDS},
        "created_at": stamp(batch.created_s),
        "expires_at": stamp(batch.created_s + _LIFE_S),
        "ended_at": stamp(batch.ends_s if cancelled is None else cancelled) if status == "ended" else None,
        "cancel_initiated_at": None if cancelled is None else stamp(cancelled),
        "archived_at": None,
        "results_url": f"{own}/v1/messages/batches/{batch.document['id']}/results" if status == "ended" else None,
    }


def _find(call: Call) -> StoredBatch:
    batch = call.state.batches.get(call.request.path_params["batch"])
    if batch is None:
        raise ApiError("not_found_error", "Batch not found")
    return batch


async def listing(call: Call) -> Response:
    """List the batches."""
    return page([_document(call, batch) for batch in call.state.batches.values()])


async def retrieve(call: Call) -> Response:
    """Describe a batch as it is now."""
    return JSONResponse(_document(call, _find(call)))


async def cancel(call: Call) -> Response:
    """End a batch whose requests have not run."""
    batch = _find(call)
    if call.state.clock() < batch.ends_s and batch.cancelled_s is None:
        batch.cancelled_s = call.state.clock()
    return JSONResponse({**_document(call, batch), "processing_status": "canceling"})


async def delete(call: Call) -> Response:
    """Forget a batch that has ended."""
    batch = _find(call)
    if _present(call.state, batch)[0] != "ended":
        raise ApiError("invalid_request_error", "Batch is still in progress")
    del call.state.batches[batch.document["id"]]
    return JSONResponse({"id": batch.document["id"], "type": "message_batch_deleted"})


async def results(call: Call) -> Response:
    """Return the results, one line each, never in the order of the requests."""
    batch = _find(call)
    status, lines = _present(call.state, batch)
    if status != "ended":
        raise ApiError("not_found_error", "Batch has not ended")
    shuffled = sorted(lines, key=lambda one: digest(batch.document["id"], one["custom_id"]))
    if shuffled == lines:
        shuffled = shuffled[1:] + shuffled[:1]
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in shuffled)
    return Response(text, media_type="application/x-jsonl")


ROUTES = [
    Route("/v1/messages/batches", endpoint(create, max_bytes=MAX_BYTES), methods=["POST"]),
    Route("/v1/messages/batches", endpoint(listing)),
    Route("/v1/messages/batches/{batch}", endpoint(retrieve)),
    Route("/v1/messages/batches/{batch}", endpoint(delete), methods=["DELETE"]),
    Route("/v1/messages/batches/{batch}/cancel", endpoint(cancel), methods=["POST"]),
    Route("/v1/messages/batches/{batch}/results", endpoint(results)),
]
