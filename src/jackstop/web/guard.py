"""The outermost door of the API: whose address it is, for which host, how long, from which site; headers; the last net.

Plain ASGI, for it stands before every call.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from types import TracebackType
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jackstop.model.service import ApiInfo
from jackstop.web.errors import Refused, problem, unexpected

SLOW = 30
"""Seconds a caller may take for the body of a request."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HSTS = "max-age=31536000; includeSubDomains"
_SAFE = ("GET", "HEAD", "OPTIONS")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

Network = IPv4Network | IPv6Network
Told = Callable[[str, str, int, float], None]
"""Takes method, route, status and seconds of every call."""


class Guard:
    """The door before an app.

    Args:
        api: `[api]`. secure: whether browsers come by TLS. body: bytes of a request at most. tell: is told of every call.
    """

    def __init__(self, app: ASGIApp, api: ApiInfo, *, secure: bool, body: int, tell: Told) -> None:
        self._app, self._body, self._tell = app, body, tell
        self._proxies = networks(api.proxies)
        self._hosts = hosts(api)
        own = _HEADERS | ({"Strict-Transport-Security": _HSTS} if secure else {}) | {"Cache-Control": "no-store"}
        self._headers = [(k.lower().encode(), v.encode()) for k, v in own.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await (
                self._app(scope, receive, send)
                if scope["type"] == "lifespan"
                else send({"type": "websocket.close", "code": 1008})
            )
            return
        begun, sent = time.perf_counter(), _Sent(send, self._headers)
        headers = Headers(scope=scope)
        scope["peer"] = str((scope.get("client") or ("unknown",))[0])
        async with _Net(scope, receive, sent):
            scope["address"] = self._address(scope["peer"], headers)
            refusal = self._refusal(scope, headers)
            if refusal is not None:
                await refusal(scope, receive, sent)
            else:
                await self._app(scope, _Counted(receive, self._body), sent)
        path = getattr(scope.get("route"), "path", "none")
        self._tell(scope["method"], path, sent.status, time.perf_counter() - begun)

    def _address(self, peer: str, headers: Headers) -> str:
        """Who calls: the peer, or the last address before the proxies that are trusted."""
        if not self._proxies:
            return peer
        chain = [peer, *reversed([a.strip() for v in headers.getlist("x-forwarded-for") for a in v.split(",")])]
        for known in chain:
            if not _within(known, self._proxies):
                return known[:64] if _is_address(known) or known == peer else peer
        return chain[-1][:64]

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Why a call is not let in at all."""
        host = _host(headers.get("host", ""))
        if host not in self._hosts and not (host in _LOOPBACK and scope["peer"] in _LOOPBACK):
            return problem(421, "this service does not go by that host name, expected the one of [api] url")
        if not scope.get("query_string", b"").isascii():
            return problem(400, "the query has bytes beyond ASCII, expected them percent-encoded (RFC 3986, 2.1)")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:18]) > self._body:
            return problem(413, f"expected at most {self._body} bytes")
        if scope["method"] not in _SAFE and "authorization" not in headers and _foreign(headers):
            return problem(403, "expected a request from this site's own pages")
        return None


class _Sent:
    """What is sent, with the house's headers; keeps the status."""

    def __init__(self, send: Send, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._send, self._headers, self.status = send, headers, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = list(message.get("headers", ()))
            there = {name for name, _ in given}
            message["headers"] = given + [h for h in self._headers if h[0] not in there]
        await self._send(message)


class _Counted:
    """What is received: no longer, and no slower, than allowed."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._left, self._done = receive, most, False

    async def __call__(self) -> Message:
        if self._done:
            return await self._receive()
        try:
            async with asyncio.timeout(SLOW):
                message = await self._receive()
        except TimeoutError:
            raise Refused(408, f"expected the whole request within {SLOW} s") from None
        self._left -= len(message.get("body", b""))
        self._done = not message.get("more_body", False)
        if self._left < 0:
            raise Refused(413, "the request is too long")
        return message


class _Net(AbstractAsyncContextManager["_Net"]):
    """The last net: a fault nobody foresaw is logged and answered with 500; what stops the service is let through."""

    def __init__(self, scope: Scope, receive: Receive, sent: _Sent) -> None:
        self._scope, self._receive, self._sent = scope, receive, sent

    async def __aexit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None) -> bool:
        if fault is None or not isinstance(fault, Exception):
            return False
        response = unexpected(fault, f"{self._scope['method']} {getattr(self._scope.get('route'), 'path', '?')}")
        if not self._sent.status:
            await response(self._scope, self._receive, self._sent)
        return True


def hosts(api: ApiInfo) -> frozenset[str]:
    """The host names the service goes by: that of its URL, else of where it listens and of the machine."""
    listen, _, _ = api.listen.rpartition(":")
    bound = listen.strip("[]").lower()
    if api.url:
        return frozenset({_host(urlsplit(api.url).netloc)})
    named = {bound} if bound not in {"", "0.0.0.0", "::"} else {socket.gethostname().lower(), socket.getfqdn().lower()}  # noqa: S104
    return frozenset(named | (set(_LOOPBACK) if bound in {*_LOOPBACK, "", "0.0.0.0", "::"} else set()))  # noqa: S104


def networks(listed: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks as networks.

    Raises:
        ValueError: one is none.
    """
    return tuple(ip_network(entry, strict=False) for entry in listed)


def _within(text: str, among: tuple[Network, ...]) -> bool:
    if not among or not _is_address(text):
        return False
    return any(ip_address(text) in n for n in among)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _host(netloc: str) -> str:
    """A host without its port, in small letters."""
    name = netloc.lower().rpartition("@")[2]
    if name.startswith("["):
        inner, end, _ = name[1:].partition("]")
        return inner if end else ""
    return name.partition(":")[0]


def _foreign(headers: Headers) -> bool:
    """Whether a browser says that another site's page sent this: by Fetch Metadata, and by Origin (RFC 6454, 7) where the
    browser is too old for that."""
    site, origin = headers.get("sec-fetch-site", ""), headers.get("origin", "")
    if site:
        return site not in {"same-origin", "none"}
    return bool(origin) and origin.lower().partition("://")[2] != headers.get("host", "").lower()
