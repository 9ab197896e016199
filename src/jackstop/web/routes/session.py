"""`/v1/session`: log in and out by program, and who one is."""

from typing import Annotated

from fastapi import Depends, Request
from pydantic import Field
from starlette.responses import Response

from jackstop.store import audit, people
from jackstop.web import context as contexts
from jackstop.web import gate, login
from jackstop.web.context import Context
from jackstop.web.roles import PERSON, PUBLIC
from jackstop.web.routing import Routes
from jackstop.web.shapes import Asked, Done, Moment, PageOf, Shape

routes = Routes("session")
Ctx = Annotated[Context, Depends(contexts.of)]


class Credentials(Asked):
    """A name, a password and a one-time code."""

    user: str = Field(max_length=100, examples=["mori"])
    password: str = Field(max_length=512, json_schema_extra={"format": "password"})
    code: str = Field(max_length=20, description="Six digits of the authenticator.", examples=["123456"])


class Me(Shape):
    """Who calls. `csrf` goes into the header `X-CSRF-Token` of every change made with the cookie."""

    user: str
    role: str
    csrf: str


class SessionLine(Shape):
    """One login of one's own."""

    id: str = Field(description="The beginning of its digest.")
    begun_at: Moment
    seen_at: Moment
    ends_at: Moment
    address: str
    this: bool = Field(description="Whether it is the one this call was made with.")


@routes.on("POST", "/v1/session", PUBLIC, Me)
def log_in(request: Request, response: Response, context: Ctx, body: Credentials) -> Me:
    """Log in: the answer sets the cookie."""
    before = request.cookies.get(gate.cookie_name(context), "")
    opened = login.login(context, request.app.state.logins, body.user, body.password, body.code, gate.address(request), before)
    login.set_cookie(response, context, opened.secret)
    return Me(user=opened.user.name, role=opened.user.role, csrf=opened.session.csrf)


@routes.on("GET", "/v1/session", PERSON, Me)
async def me(request: Request) -> Me:
    """Who is logged in, and the token for changes."""
    who = gate.who(request)
    return Me(user=who.name, role=who.role, csrf=who.csrf)


@routes.on("DELETE", "/v1/session", PERSON, Done)
def log_out(request: Request, response: Response, context: Ctx) -> Done:
    """Log out: the session ends here and in the browser."""
    end(context, request)
    login.clear_cookie(response, context)
    return Done()


@routes.on("GET", "/v1/session/all", PERSON, PageOf[SessionLine])
def sessions(request: Request, context: Ctx) -> PageOf[SessionLine]:
    """All logins of one's own."""
    return PageOf(items=listed(context, request))


def end(context: Context, request: Request) -> None:
    """End the caller's session."""
    who, now = gate.who(request), context.clock()
    with context.database.write() as connection:
        people.end(connection, who.session)
        audit.append(connection, now, who.name, "logout", who.name, f"from {gate.address(request)}")


def listed(context: Context, request: Request) -> list[SessionLine]:
    """The caller's logins that still hold."""
    who, now = gate.who(request), context.clock()
    with context.database.read() as connection:
        found = people.sessions_of(connection, who.name)
    return [
        SessionLine(
            id=s.digest[:16],
            begun_at=s.begun_at,
            seen_at=s.seen_at,
            ends_at=s.ends_at,
            address=s.address,
            this=s.digest == who.session,
        )
        for s in found
        if s.ends_at > now
    ]
