"""Pure ASGI middleware, outermost: the headers that tell a browser what a response must never be used for."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_DOCUMENT_POLICY = (
    "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)
"""For whatever is no page of ours: opened as one, it may load, send and run nothing, and be shown nowhere.

Pages bring their own."""

STRICT_TRANSPORT_SECURITY = "max-age=63072000; includeSubDomains"
"""Two years (RFC 6797)."""

_DENIED_FEATURES = (
    *("accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation"),
    *("gyroscope", "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "screen-wake-lock"),
    *("sync-xhr", "usb", "xr-spatial-tracking"),
)
_OWN_FEATURES = ("publickey-credentials-create", "publickey-credentials-get")

HEADERS = {
    "Content-Security-Policy": NO_DOCUMENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": ", ".join(
        [*(f"{name}=()" for name in _DENIED_FEATURES), *(f"{name}=(self)" for name in _OWN_FEATURES)]
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every response that does not set them itself (OWASP Secure Headers; ASVS 5.0, chapter V3)."""


class SecurityHeaders:
    """Adds HEADERS to every response; `no-store` to all below /api/; Strict-Transport-Security where `tls` is said.

    `tls`: customers reach this server by https alone, whoever ends it.
    """

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        self._app = app
        self._headers = {**HEADERS, **({"Strict-Transport-Security": STRICT_TRANSPORT_SECURITY} if tls else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        private = scope["path"].startswith("/api/")

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if private:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, send_hardened)
