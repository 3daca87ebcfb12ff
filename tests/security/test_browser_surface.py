"""What a browser, or whoever sends one here, can make of the server: chapters V3 and V4 of ASVS 5.0."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from sqlalchemy import event, text
from starlette.routing import WebSocketRoute

from llm_banking.api import pages
from llm_banking.api.security_headers import HEADERS
from llm_banking.identity.demo import demo_id
from llm_banking.identity.principal import Permission, Principal
from llm_banking.kit.database import Database, Scope
from tests.api.test_policies import api_routes, letting_in

CUSTOMER = demo_id("CUST001")
EVERYTHING = Principal(CUSTOMER, "CUST001", frozenset(Permission), frozenset({CUSTOMER}))
PAGE_FILES = {
    "index.html": b"<!doctype html>",
    "favicon.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "assets/page.js": b"export {}",
    "assets/page.css": b"p {}",
}
WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE|TRUNCATE|MERGE|COPY|CREATE|ALTER|DROP)\b", re.IGNORECASE)
WEB = Path(__file__).parents[2] / "web"
DANGERS = {
    "makes elements of text": r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|srcdoc|document\.write",
    "runs text": r"\beval\s*\(|new Function\b|javascript:",
    "listens to other windows": r"addEventListener\(\s*['\"]message|window\.onmessage",
    "embeds what browsers gave up or another page": r"<(object|embed|applet|iframe|frame)\b",
    "stands in the way of pasting": r"onPaste|onBeforeInput|['\"]paste['\"]",
    "loads from elsewhere": r"(src|href)=[\"'](https?:)?//",
}


def addresses(app: FastAPI, method: str) -> list[str]:
    """Every address that answers a method, with ids that belong to nobody."""
    found = [route.path for route in api_routes(app) if method in (route.methods or ())]
    return [re.sub(r"\{[^}]+\}", str(uuid4()), path) for path in found]


@contextmanager
def written(database: Database) -> Iterator[list[str]]:
    """The statements that change rows while it is open."""
    seen: list[str] = []
    engine = database.engine.sync_engine

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if WRITES.match(statement):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_a_safe_method_changes_nothing(app: FastAPI, client: AsyncClient) -> None:
    found = addresses(app, "GET")
    assert len(found) >= 14
    with written(app.state.services.database) as statements, letting_in(app, lambda _: EVERYTHING):
        for path in found:
            for method in ("GET", "HEAD", "OPTIONS"):
                await client.request(method, path)
    assert statements == []


async def test_the_check_sees_a_write(app: FastAPI) -> None:
    database: Database = app.state.services.database
    with written(database) as statements:
        async with database.transaction(scope=Scope.SYSTEM) as session:
            await session.execute(text("UPDATE users SET display_name = display_name WHERE false"))
    assert len(statements) == 1


def leads_elsewhere(response: Response) -> bool:
    """Whether an answer sends its reader to an address that is not plainly one of this host."""
    place = response.headers.get("Location")
    return place is not None and re.match(r"/(?![/\\])", place) is None


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nobody_is_sent_to_the_host_that_the_request_names(
    app: FastAPI, client: AsyncClient, method: str
) -> None:
    """Behind a proxy the server sees http: a redirect to its own address would lead out of the encryption."""
    mounted = ["/assets", "/swagger", "/assets/", "/swagger/.."]
    for path in [*addresses(app, method), *mounted]:
        for asked in (path, f"{path.rstrip('/')}/", f"/{path}"):
            response = await client.request(method, asked, headers={"Host": "elsewhere.example"})
            assert not leads_elsewhere(response), asked


async def test_the_check_sees_the_redirect_of_a_slash(app: FastAPI) -> None:
    planted = FastAPI(redirect_slashes=True)

    @planted.get("/thing")
    async def thing() -> None: ...

    async with AsyncClient(transport=ASGITransport(planted), base_url="https://test") as client:
        assert leads_elsewhere(await client.get("/thing/", headers={"Host": "elsewhere.example"}))


async def test_no_method_is_taken_that_no_route_names(app: FastAPI, client: AsyncClient) -> None:
    for path in addresses(app, "GET"):
        for method in ("TRACE", "CONNECT", "PROPFIND", "X-ANYTHING"):
            assert (await client.request(method, path)).status_code in (404, 405), path


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", None]
)
async def test_no_body_comes_without_the_browsers_question(
    app: FastAPI, client: AsyncClient, content_type: str | None
) -> None:
    """A page of another origin may send these types unasked (Fetch, CORS-safelisted): no route of the API takes one."""
    headers = {"Content-Type": content_type} if content_type else {}
    with letting_in(app, lambda _: EVERYTHING):
        for path in addresses(app, "POST"):
            if path.startswith("/api/"):
                response = await client.post(path, content=b'{"message": "hello"}', headers=headers)
                assert response.status_code == 400, path


def charset_is_missing(response: Response) -> bool:
    """Whether a text or XML does not say that it is UTF-8. JSON has no such parameter (RFC 8259, section 11)."""
    kind, _, parameters = response.headers["Content-Type"].lower().partition(";")
    if kind.startswith("text/") or kind.endswith(("+xml", "/xml")):
        return "charset=utf-8" not in parameters.replace('"', "").split("; ")[-1].strip()
    return kind not in ("application/json", "application/problem+json", "application/javascript")


async def test_every_answer_says_what_it_is(
    app: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, content in PAGE_FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(pages, "static_folder", lambda: tmp_path)
    with letting_in(app, lambda _: EVERYTHING):
        answers = [await client.get(path) for path in [*addresses(app, "GET"), "/nowhere", "/api/nowhere"]]
    files = FastAPI()
    pages.mount_static(files)
    async with AsyncClient(transport=ASGITransport(files), base_url="http://test") as mounted:
        answers += [await mounted.get(f"/{name}") for name in PAGE_FILES if name.startswith("assets/")]
    assert [one.url.path for one in answers if one.content and charset_is_missing(one)] == []
    assert {"text/html", "text/css", "image/svg+xml", "application/json", "text/plain"} <= {
        one.headers["Content-Type"].partition(";")[0] for one in answers
    }


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "text/plain; charset=latin-1", "text/xml"])
def test_the_check_sees_a_missing_charset(content_type: str) -> None:
    assert charset_is_missing(Response(200, headers={"Content-Type": content_type}))


@pytest.mark.parametrize("policy", [HEADERS["Content-Security-Policy"], pages.CONTENT_SECURITY_POLICY])
def test_every_policy_names_what_nothing_else_covers(policy: str) -> None:
    """`base-uri`, `form-action` and `frame-ancestors` do not fall back to `default-src` (CSP Level 3, section 6)."""
    directives = {name: values for name, *values in (one.split() for one in policy.split(";"))}
    assert directives["object-src"] == directives["base-uri"] == directives["frame-ancestors"] == ["'none'"]
    assert directives["form-action"] in (["'none'"], ["'self'"])
    assert directives["default-src"] in (["'none'"], ["'self'"])
    assert "unsafe" not in policy
    assert "*" not in policy


def test_nobody_is_taken_by_a_web_socket(app: FastAPI) -> None:
    assert [route for route in app.routes if isinstance(route, WebSocketRoute) or "ws" in type(route).__name__] == []


def dangers(source: str) -> list[str]:
    """What a source of the page does that it must not."""
    return [what for what, pattern in DANGERS.items() if re.search(pattern, source)]


def test_the_page_shows_text_as_text_and_nothing_of_others() -> None:
    scripts = (path for path in sorted((WEB / "src").rglob("*.ts*")) if ".test." not in path.name)
    sources = [WEB / "index.html", *scripts]
    assert len(sources) > 20
    found = {str(path.relative_to(WEB)): dangers(path.read_text(encoding="utf-8")) for path in sources}
    assert {path: what for path, what in found.items() if what} == {}


PLANTED: Mapping[str, str] = {
    "makes elements of text": "node.innerHTML = reply",
    "runs text": "eval(reply)",
    "listens to other windows": "window.addEventListener('message', take)",
    "embeds what browsers gave up or another page": '<iframe src="/docs">',
    "stands in the way of pasting": "<input onPaste={refuse} />",
    "loads from elsewhere": '<script src="https://cdn.example/a.js">',
}


def test_the_check_sees_each_danger() -> None:
    assert {what: dangers(source) for what, source in PLANTED.items()} == {what: [what] for what in DANGERS}


def password_fields(source: str) -> tuple[int, int]:
    """How many fields of a source mask what is typed, and how many tell password managers what they are for."""
    return source.count('type="password"'), len(re.findall(r'autoComplete="(?:current|new)-password"', source))


def test_every_password_field_is_masked_and_known_to_password_managers() -> None:
    """ASVS 5.0, 6.2.6 and 6.2.7; that nothing refuses pasting is among the dangers."""
    for path in sorted((WEB / "src").rglob("*.tsx")):
        masked, known = password_fields(path.read_text(encoding="utf-8"))
        assert masked == known, path.name


@pytest.mark.parametrize("field", ['<input type="password" />', '<input type="text" autoComplete="new-password" />'])
def test_the_check_sees_a_field_that_is_only_half_one(field: str) -> None:
    masked, known = password_fields(field)
    assert masked != known
