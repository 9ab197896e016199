"""`/v1/alerts`: the list, one with its evidence and timeline, and its handling."""

from typing import Annotated

from fastapi import Query, Request
from pydantic import Field

from jackstop.model.settings import HOUR
from jackstop.report import story, texts
from jackstop.store import cases, people, queries
from jackstop.store.shown import AlertDetail
from jackstop.web import gate
from jackstop.web.asking import Ctx, Lang, paged, there
from jackstop.web.context import Context
from jackstop.web.deeds import deed
from jackstop.web.errors import Refused
from jackstop.web.models import AlertLine, AlertWhole, HandlingState, Remark, Saying, Severity, Status, Timeline
from jackstop.web.roles import Principal
from jackstop.web.routing import Routes
from jackstop.web.shapes import After, Asked, Ident, Limit, PageOf, Since, Until, Words
from jackstop.web.timelines import timeline

routes = Routes("alerts")
AROUND = 6 * HOUR
"""µs of an alert's timeline before its first event; an hour after its last."""


class Handle(Asked):
    """What is to be changed of an alert's handling; what is left out stays."""

    status: Status | None = None
    assignee: str | None = Field(default=None, max_length=100, description="A user's name; empty for nobody.")


class Say(Asked):
    """A remark."""

    body: Words


@routes.on("GET", "/v1/alerts", "viewer", PageOf[AlertLine])
def listing(
    context: Ctx,
    least: Annotated[Severity | None, Query(description="This grave or graver.")] = None,
    status: Annotated[Status | None, Query(description="Of the handling.")] = None,
    terminal: Annotated[str | None, Query(max_length=200)] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> object:
    """Alerts, the last raised first."""
    return paged(
        lambda: queries.alerts(
            context.database, least=least, status=status, terminal=terminal, since=since, until=until, limit=limit, after=after
        )
    )


@routes.on("GET", "/v1/alerts/{alert}", "viewer", AlertWhole)
def one(context: Ctx, alert: Ident, lang: Lang) -> AlertWhole:
    """One alert with its evidence, its handling and what was said of it."""
    return whole(context, there(queries.alert(context.database, alert), "alert", alert), lang)


@routes.on("GET", "/v1/alerts/{alert}/timeline", "viewer", list[Timeline])
def story_of(context: Ctx, alert: Ident) -> list[Timeline]:
    """What happened around an alert, at each of its terminals."""
    found = there(queries.alert(context.database, alert), "alert", alert).alert
    begin, end = found.first_event - AROUND, max(found.updated_at, found.raised_at) + HOUR
    return [timeline(context, terminal, begin, end) for terminal in found.terminals[:20]]


@routes.on("PATCH", "/v1/alerts/{alert}", "analyst", HandlingState)
def change(request: Request, context: Ctx, alert: Ident, body: Handle) -> object:
    """Acknowledge an alert, give it to somebody, or say how far it is."""
    return handle(context, gate.who(request), alert, body.status, body.assignee)


@routes.on("POST", "/v1/alerts/{alert}/remarks", "analyst", Remark, status_code=201)
def say(request: Request, context: Ctx, alert: Ident, body: Say) -> Remark:
    """Say something about an alert."""
    return remark(context, gate.who(request), "alert", alert, body.body)


def handle(context: Context, who: Principal, alert: str, status: str | None, assignee: str | None) -> cases.Handling:
    """Change an alert's handling.

    Raises:
        Refused: 404 no such alert or user, 409 nothing to change.
    """
    if status is None and assignee is None:
        raise Refused(409, "nothing to change, expected a status or an assignee")
    with deed(context, who.name, "alert.handle", alert, status=status, assignee=assignee) as connection:
        if assignee and people.find(connection, assignee) is None:
            raise LookupError(f"no user {assignee!r}")
        return cases.handle(connection, alert, who.name, context.clock(), status=status, assignee=assignee)


def remark(context: Context, who: Principal, subject: str, ref: str, body: str) -> Remark:
    """Add a remark to an alert or a case.

    Raises:
        Refused: 404, there is none.
    """
    at = context.clock()
    with deed(context, who.name, f"{subject}.remark", ref) as connection:
        number = cases.remark(connection, subject, ref, who.name, body, at)
    return Remark(id=number, at=at, author=who.name, body=body)


def whole(context: Context, found: AlertDetail, lang: str) -> AlertWhole:
    """An alert with everything known of it."""
    told = story.told(found.alert, texts.of(lang))
    with context.database.read() as connection:
        said = cases.remarks_of(connection, "alert", found.row.id)
    line = AlertLine.model_validate(found.row).model_dump()
    a = found.alert
    return AlertWhole.model_validate(
        {
            **line,
            "told": Saying(title=told.title, why=told.why, first_step=told.first_step),
            "detections": a.detections,
            "attack": a.attack,
            "visits": a.visits,
            "verdicts": a.verdicts,
            "cites": a.cites,
            "records": a.records,
            "findings": a.findings,
            "handling": found.handling,
            "remarks": said,
        },
        from_attributes=True,
    )
