"""The body of a creating request: JSON that names an address, or a form that holds a picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from gateway.analyses.schemas import AnalysisCreate, PictureCreate
from gateway.uploads import form
from gateway.uploads.form import Form

FILE_FIELD = "image"
_MAX_JSON_BYTES = 64 * 1024


@dataclass(frozen=True)
class Submission:
    """What is asked; with a `form`, of the picture in it."""

    create: AnalysisCreate | PictureCreate
    form: Form | None = None


async def read(request: Request) -> Submission:
    """Read what is asked. Raises `RequestValidationError`, or `ServiceError` for a form that cannot be read."""
    if not form.is_multipart(request):
        body = b"".join([chunk async for chunk in form.bounded(request, _MAX_JSON_BYTES)])
        with _as_of_the_body():
            return Submission(AnalysisCreate.model_validate_json(body))
    found = await form.read(request, FILE_FIELD)
    with _as_of_the_body():
        return Submission(PictureCreate.model_validate(found.fields), found)


@contextmanager
def _as_of_the_body() -> Iterator[None]:
    """Name fields as FastAPI would, so that one handler answers."""
    try:
        yield
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        raise RequestValidationError(errors) from error


def _schema(model: type[BaseModel], **more: object) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)  # the answers name the same ones
    schema["properties"] |= more
    schema["required"] = [*schema.get("required", []), *more]
    return schema


OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _schema(AnalysisCreate)},
            "multipart/form-data": {
                "schema": _schema(
                    PictureCreate,
                    image={"type": "string", "format": "binary", "description": "PNG, JPEG or WebP, at most 10 MB"},
                )
            },
        },
    }
}
"""FastAPI cannot tell two content types of one route apart, so the description is written here."""
