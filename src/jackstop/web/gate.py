"""Who calls, and whether they may: tokens, sessions, forgery of requests, and how often."""

import hmac
from typing import cast

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from jackstop.model.fleet import microseconds
from jackstop.store import people
from jackstop.web import context as contexts
from jackstop.web.context import Context
from jackstop.web.errors import Refused
from jackstop.web.limits import Buckets
from jackstop.web.roles import INTERLOCK, PUBLIC, Principal, meets, widest
from jackstop.web.tokenbook import TokenBook

TOUCH = 60_000_000
"""µs after which the use of a session is noted again."""
ABSOLUTE = 24 * 3600 * 1_000_000
"""µs after which a login ends, used or not."""
CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf"
_SAFE = ("GET", "HEAD", "OPTIONS")
_FORM = "application/x-www-form-urlencoded"
_HERE = ("127.0.0.1", "::1")


class Doors:
    """What the gate keeps in memory for one app: buckets for callers, and the tokens that are good."""

    def __init__(self, context: Context) -> None:
        limits = context.limits
        self.known = Buckets(limits.calls, limits.burst)
        self.interlock = Buckets(limits.interlock, limits.interlock)
        self.strange = Buckets(limits.strange, limits.strange_burst)
        self.tokens = TokenBook(context.database, context.clock)


def cookie_name(context: Context) -> str:
    """The name of the login's cookie; with TLS browsers hold it to this host and to TLS (RFC 6265bis, 4.1.3.2)."""
    return "__Host-jackstop" if context.secure else "jackstop"


def address(request: Request) -> str:
    """The address of who calls, as `guard` found it."""
    return str(request.scope.get("address") or "unknown")


def who(request: Request) -> Principal:
    """Who calls a route that needs somebody."""
    found = request.scope.get("principal")
    assert isinstance(found, Principal), "the route's need lets strangers in"
    return found


def caller(request: Request) -> Principal | None:
    """Who calls, where it may be nobody known."""
    return cast("Principal | None", request.scope.get("principal"))


async def admit(request: Request, need: str) -> None:
    """Let a call through that meets a need; `who` tells afterwards who it is.

    Raises:
        Refused: 401 nobody known, 403 not allowed or forged, 429 too often.
    """
    context = contexts.of(request)
    doors = cast(Doors, request.app.state.doors)
    found = await identify(request)
    request.scope["principal"] = found
    _pace(context, doors, request, found)
    here = request.scope.get("peer") in _HERE and address(request) in _HERE
    if not meets(found, need, here=here):
        if found is None:
            raise Refused(401, "expected a login or an API token", {"WWW-Authenticate": 'Bearer realm="jackstop"'})
        raise Refused(403, f"expected {'a login of one' if need == 'person' else f'the role or scope {need}'}")
    if request.method not in _SAFE and need != PUBLIC and found is not None and found.session:
        await _unforged(request, found)


async def identify(request: Request) -> Principal | None:
    """Who calls, by token or by cookie; None for nobody known. A token that is no good is nobody, whatever the cookie."""
    context = contexts.of(request)
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind:
        if kind.lower() != "bearer":
            return None
        token = await cast(Doors, request.app.state.doors).tokens.find(secret.strip())
        if token is None:
            return None
        return Principal(f"token:{token.name}", widest(token.scopes), frozenset(token.scopes))
    cookie = request.cookies.get(cookie_name(context))
    return await run_in_threadpool(by_cookie, context, cookie) if cookie else None


def by_cookie(context: Context, cookie: str) -> Principal | None:
    """Who a login's cookie stands for, if it still holds; its use is noted."""
    kept, now = people.digest(cookie), context.clock()
    with context.database.read() as connection:
        session = people.session(connection, kept)
        user = people.find(connection, session.user) if session else None
    if session is None or user is None or user.disabled:
        return None
    idle = microseconds(context.declared.api.session)
    if now >= session.ends_at or now >= session.seen_at + idle:
        return None
    if now >= session.seen_at + min(TOUCH, idle // 4):
        with context.database.write() as connection:
            people.seen(connection, kept, now)
    return Principal(user.name, user.role, frozenset(), kept, session.csrf)


def _pace(context: Context, doors: Doors, request: Request, found: Principal | None) -> None:
    """Count the call.

    Raises:
        Refused: 429, with the seconds to wait.
    """
    now = context.clock()
    if found is None:
        wait = doors.strange.take(address(request), now)
    elif INTERLOCK in found.scopes:
        wait = doors.interlock.take(found.name, now)
    else:
        wait = doors.known.take(found.session or found.name, now)
    if wait:
        raise Refused(429, "too many calls, expected fewer", {"Retry-After": str(max(1, round(wait + 0.5)))})


async def _unforged(request: Request, found: Principal) -> None:
    """Hold a change made with a cookie against the session's own token, in a header or in the form's field.

    Raises:
        Refused: 403, it did not come back.
    """
    given = request.headers.get(CSRF_HEADER, "")
    if not given and request.headers.get("content-type", "").split(";")[0].strip().lower() == _FORM:
        form = await request.form()
        given = str(form.get(CSRF_FIELD, ""))
    if not hmac.compare_digest(given.encode("utf-8", "replace"), found.csrf.encode()):
        raise Refused(403, f"expected the session's token in {CSRF_HEADER}")
