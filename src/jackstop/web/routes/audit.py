"""`/v1/audit`: who did what, and whether the log is whole."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from jackstop.store import audit
from jackstop.web.asking import Ctx
from jackstop.web.errors import Refused
from jackstop.web.routing import Routes
from jackstop.web.shapes import After, Limit, Moment, PageOf, Shape

routes = Routes("audit")


class EntryLine(Shape):
    """One row of the log."""

    id: int
    at: Moment
    actor: str
    action: str
    subject: str
    detail: str
    hash: str


class ChainState(Shape):
    """Whether the log is whole."""

    whole: bool
    rows: int
    head: str = Field(description="Hash of the last row: note it elsewhere.")
    fault: str = Field(description="The first fault; empty for none.")


@routes.on("GET", "/v1/audit", "administrator", PageOf[EntryLine])
def listing(
    context: Ctx,
    actor: Annotated[str, Query(max_length=100)] = "",
    action: Annotated[str, Query(max_length=60, description="alert.handle, or alert for all that begin so.")] = "",
    subject: Annotated[str, Query(max_length=200)] = "",
    limit: Limit = 100,
    after: After = None,
) -> PageOf[EntryLine]:
    """What was done, newest first."""
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise Refused(400, f"{after[:40]!r} is not a place in a list, expected `next` of the page before")
    with context.database.read() as connection:
        found = audit.entries(connection, int(after) if after else None, limit + 1, actor, action, subject)
    shown = [EntryLine.model_validate(e) for e in found[:limit]]
    return PageOf(items=shown, next=str(shown[-1].id) if len(found) > limit else None)


@routes.on("GET", "/v1/audit/verification", "administrator", ChainState)
def verify(context: Ctx) -> ChainState:
    """Hold every row against the one before."""
    chain = audit.verify(context.database)
    return ChainState(whole=not chain.fault, rows=chain.rows, head=chain.head, fault=chain.fault)
