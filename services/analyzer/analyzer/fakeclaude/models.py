"""`/v1/models`: what exists, how long it will, and what each model accepts."""

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from analyzer.fakeclaude.catalogue import MODELS, Model
from analyzer.fakeclaude.endpoint import Call, endpoint, page
from analyzer.fakeclaude.scenarios import split_model
from analyzer.fakeclaude.wire import ApiError, Json

_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_THINKING = ("adaptive", "between_tools", "disabled", "enabled")
_RELEASED = "2026-08-01T00:00:00Z"


def _supported(*, supported: bool = True) -> Json:
    return {"supported": supported}


def _document(model: Model) -> Json:
    plain = ("batch", "citations", "code_execution", "context_management", "image_input", "pdf_input")
    thinking = {kind: _supported(supported=kind in model.thinking) for kind in _THINKING}
    tools = {"supported": True, "code_execution": _supported(), "web_search": _supported()}
    capabilities: Json = {name: _supported() for name in (*plain, "structured_outputs")}
    capabilities["effort"] = {"supported": True, **{name: _supported() for name in _EFFORTS}}
    capabilities["thinking"] = {"supported": True, "types": thinking}
    capabilities["server_tools"] = tools
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.id.replace("-", " ").title(),
        "created_at": _RELEASED,
        "line": model.line,
        "lifecycle": model.lifecycle,
        "deprecated_at": None if model.lifecycle == "active" else _RELEASED,
        "retires_at": model.retires_at,
        "max_input_tokens": model.max_input_tokens,
        "max_tokens": model.max_tokens,
        "capabilities": capabilities,
    }


async def listing(call: Call) -> Response:
    """List the models, all or those of the asked lifecycles."""
    query = call.request.query_params
    wanted = set(query.getlist("lifecycle") + query.getlist("lifecycle[]")) or {"active", "deprecated"}
    return page([_document(model) for model in MODELS.values() if model.lifecycle in wanted])


async def retrieve(call: Call) -> Response:
    """Describe one model, retired ones included."""
    name, _ = split_model(call.request.path_params["model"])
    if name not in MODELS:
        raise ApiError("not_found_error", f"model: {name}")
    return JSONResponse(_document(MODELS[name]))


ROUTES = [
    Route("/v1/models", endpoint(listing)),
    Route("/v1/models/{model}", endpoint(retrieve)),
]
