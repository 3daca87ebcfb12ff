"""The web page, the API documentation, and their files: everything from this server, nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from pathlib import Path

import anyio
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from llm_banking.api.dependencies import ServicesDep, policy, router
from llm_banking.api.errors import error_response
from llm_banking.identity.principal import PUBLIC, LimitClass, public

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_PROVIDERS = '<meta name="sign-in-providers" content="{}" />'
"""Where the page reads which providers there are."""
MOUNTS = ("/assets", "/swagger")
"""Folders of files that anyone may read."""

routes = router("", "pages")


def static_folder() -> Path:
    """Where the built page lies inside the package."""
    return Path(str(resources.files("llm_banking.api") / "static"))


def mount_static(app: FastAPI) -> None:
    """Serve the built files, where they are built."""
    for path, folder in zip(MOUNTS, ("assets", "docs"), strict=True):
        app.mount(path, StaticFiles(directory=static_folder() / folder, check_dir=False), name=folder)


@routes.get("/", include_in_schema=False)
@policy(public(LimitClass.PAGE))
async def page(request: Request, services: ServicesDep) -> Response:
    """The chat page; it is told which providers may sign somebody in."""
    file = anyio.Path(static_folder() / "index.html")
    if not await file.is_file():
        return _not_built(request)
    html = await file.read_text(encoding="utf-8")
    names = " ".join(services.identity.oidc.names)
    return HTMLResponse(
        html.replace(_PROVIDERS.format(""), _PROVIDERS.format(names)),
        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"},
    )


@routes.get("/favicon.svg", include_in_schema=False)
@policy(public(LimitClass.PAGE))
async def favicon(request: Request) -> Response:
    """The page's icon."""
    content_type = "image/svg+xml; charset=utf-8"
    return _file(request, "favicon.svg", {"Content-Type": content_type, "Cache-Control": "max-age=86400"})


def _file(request: Request, name: str, headers: dict[str, str]) -> Response:
    path = static_folder() / name
    if not path.is_file():
        return _not_built(request)
    return FileResponse(path, headers={**headers, "X-Content-Type-Options": "nosniff"})


def _not_built(request: Request) -> Response:
    return error_response(request, "NOT_FOUND", "The web page is not built. Run `make web`; the API works without it.")


@routes.get("/openapi.json", include_in_schema=False)
@policy(PUBLIC)
async def openapi(request: Request) -> JSONResponse:
    """The API's schema."""
    return JSONResponse(request.app.openapi())


@routes.get("/docs", include_in_schema=False)
@policy(PUBLIC)
async def docs() -> HTMLResponse:
    """The API's documentation. Its one inline script is let in by its hash, and no other."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="llm-banking API",
        swagger_js_url="/swagger/swagger-ui-bundle.js",
        swagger_css_url="/swagger/swagger-ui.css",
        swagger_favicon_url="/favicon.svg",
    )
    scripts = _INLINE_SCRIPT.findall(bytes(page.body).decode())
    hashes = "".join(f" 'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)
    page.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
        "script-src 'self'", f"script-src 'self'{hashes}"
    )
    return page
