"""The pages about the API, which need no internet: `/docs`, and `/docs/errors` that every problem links to."""

from html import escape
from importlib.resources import files

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from contracts.errors import ErrorCode

ASSETS = "/docs/assets"

router = APIRouter(include_in_schema=False)


def assets() -> StaticFiles:
    """Serve Swagger UI's own files from the package that carries them."""
    return StaticFiles(directory=str(files("fastapi_offline") / "static"))


@router.get("/docs")
async def swagger() -> HTMLResponse:
    """Show the OpenAPI document."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="CRO Analyzer API",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
    )


@router.get("/docs/errors")
async def errors() -> HTMLResponse:
    """List every error code."""
    rows = "".join(_row(code) for code in ErrorCode)
    head = "<tr><th>code</th><th>HTTP</th><th>meaning</th><th>who acts</th><th>try again</th></tr>"
    style = "body{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem}td,th{padding:.4rem .8rem;text-align:left}"
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Error codes</title><style>{style}:target'
        f"{{background:#ffd}}</style><h1>Error codes</h1><table>{head}{rows}</table></html>"
    )


def _row(code: ErrorCode) -> str:
    cells = (f"<code>{code.value}</code>", code.status, escape(code.headline), code.fault.value)
    body = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr id="{code.value}">{body}<td>{"yes" if code.retry else "no"}</td></tr>'
