"""`/v1/sinks`: how far each follower of the changes has come, and what it could not deliver."""

from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import Field
from sqlalchemy import case, func, select, true, update

from jackstop.store.deliveries import PREFIX
from jackstop.store.live import LOOP
from jackstop.store.schema import changes, cursors, dead_letters
from jackstop.web import gate
from jackstop.web.asking import Ctx
from jackstop.web.deeds import deed
from jackstop.web.errors import Refused
from jackstop.web.routing import Routes
from jackstop.web.shapes import After, Done, Limit, Moment, PageOf, Shape

routes = Routes("sinks")


class SinkLine(Shape):
    """A sink, or another follower of the changes, such as the responder."""

    name: str
    position: int = Field(description="The last change it has dealt with.")
    behind: int = Field(description="Changes it has not dealt with.")
    attempts: int = Field(description="Failed tries in a row; 0 while all is well.")
    next_at: Moment | None
    ok_at: Moment | None
    fault: str | None
    sent: int
    dead: int


class DeadLetter(Shape):
    """What a sink would never take as it was."""

    id: int
    sink: str
    change_id: int
    key: str
    at: Moment
    attempts: int
    fault: str
    bytes: int
    asked_at: Moment | None = Field(description="When somebody asked to send it again.")
    resent_at: Moment | None


@routes.on("GET", "/v1/sinks", "analyst", PageOf[SinkLine])
def listing(context: Ctx) -> PageOf[SinkLine]:
    """All sinks by name."""
    c, d = cursors.c, changes.c
    followed = case((c.name.startswith(PREFIX, autoescape=True), d.kind == "alert"), else_=true())
    waiting = select(func.count()).select_from(changes).where(d.id > c.position, followed).scalar_subquery()
    with context.database.read() as connection:
        rows = connection.execute(select(cursors, waiting.label("waiting")).where(c.name != LOOP).order_by(c.name)).all()
    return PageOf(
        items=[
            SinkLine(
                name=r.name,
                position=r.position,
                behind=r.waiting,
                attempts=r.attempts,
                next_at=r.next_at if r.attempts else None,
                ok_at=r.ok_at,
                fault=r.fault,
                sent=r.sent,
                dead=r.dead,
            )
            for r in rows
        ]
    )


@routes.on("GET", "/v1/sinks/dead-letters", "administrator", PageOf[DeadLetter])
def dead(
    context: Ctx,
    sink: Annotated[str | None, Query(max_length=100)] = None,
    limit: Limit = 100,
    after: After = None,
) -> PageOf[DeadLetter]:
    """What could not be delivered, newest first."""
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise Refused(400, f"{after[:40]!r} is not a place in a list, expected `next` of the page before")
    d = dead_letters.c
    query = select(dead_letters).order_by(d.id.desc()).limit(limit + 1)
    if sink is not None:
        query = query.where(d.sink == sink)
    if after is not None:
        query = query.where(d.id < int(after))
    with context.database.read() as connection:
        rows = connection.execute(query).mappings().all()
    shown = [DeadLetter.model_validate({**r, "bytes": len(r["body"])}) for r in rows[:limit]]
    return PageOf(items=shown, next=str(shown[-1].id) if len(rows) > limit else None)


@routes.on("POST", "/v1/sinks/dead-letters/{letter}/resend", "administrator", Done)
def resend(request: Request, context: Ctx, letter: Annotated[int, Path(ge=1, lt=2**62)]) -> Done:
    """Ask to send one again; its sink does so with its next round."""
    d, at = dead_letters.c, context.clock()
    with deed(context, gate.who(request).name, "sink.resend", str(letter)) as connection:
        query = update(dead_letters).where(d.id == letter, d.resent_at.is_(None)).values(asked_at=at)
        if connection.execute(query).rowcount != 1:
            raise LookupError(f"no dead letter {letter} that waits")
    return Done()
