"""`/v1/tokens`: API tokens. A token's secret is shown once, when it is made."""

from typing import Annotated

from fastapi import Request
from pydantic import Field

from jackstop.store import tokens
from jackstop.store.tokens import Token
from jackstop.web import gate
from jackstop.web.asking import Ctx
from jackstop.web.deeds import deed
from jackstop.web.routing import Routes
from jackstop.web.shapes import Asked, Done, Ident, Moment, PageOf, Shape

routes = Routes("tokens")
DAY = 24 * 3600 * 1_000_000
Scope = Annotated[str, Field(max_length=120, examples=["viewer", "intake:branch-7", "interlock", "metrics"])]


class MakeToken(Asked):
    """A token to make."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["switch-east"])
    scopes: list[Scope] = Field(min_length=1, max_length=32)
    days: int | None = Field(default=365, ge=1, le=3650, description="How long it holds; null for ever.")


class TokenLine(Shape):
    """A token, without its secret."""

    id: str
    name: str
    scopes: list[str]
    made_by: str
    made_at: Moment
    ends_at: Moment | None
    used_at: Moment | None
    revoked_at: Moment | None
    good: bool


class TokenMade(TokenLine):
    """A token with its secret, which is shown only here."""

    secret: str


@routes.on("GET", "/v1/tokens", "administrator", PageOf[TokenLine])
def listing(context: Ctx) -> PageOf[TokenLine]:
    """All tokens, newest first."""
    with context.database.read() as connection:
        return PageOf(items=[_line(t, context.clock()) for t in tokens.listing(connection)])


@routes.on("POST", "/v1/tokens", "administrator", TokenMade, status_code=201)
def make(request: Request, context: Ctx, body: MakeToken) -> TokenMade:
    """Make a token."""
    who, now = gate.who(request), context.clock()
    ends = now + body.days * DAY if body.days is not None else None
    with deed(context, who.name, "token.make", body.name, scopes=list(body.scopes), days=body.days) as connection:
        made, secret = tokens.make(connection, body.name, tuple(body.scopes), who.name, now, ends)
    request.app.state.doors.tokens.forget()
    return TokenMade(**_line(made, now).model_dump(), secret=secret)


@routes.on("DELETE", "/v1/tokens/{token}", "administrator", Done)
def revoke(request: Request, context: Ctx, token: Ident) -> Done:
    """Revoke a token; it is good for nothing within a second."""
    who = gate.who(request)
    with deed(context, who.name, "token.revoke", token) as connection:
        if not tokens.revoke(connection, token, context.clock()):
            raise LookupError(f"no token {token!r} that is not revoked")
    request.app.state.doors.tokens.forget()
    return Done()


def _line(token: Token, now: int) -> TokenLine:
    said = {n: getattr(token, n) for n in Token.__slots__ if n != "digest"}
    return TokenLine.model_validate({**said, "good": token.holds(now)})
