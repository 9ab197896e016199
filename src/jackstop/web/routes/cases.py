"""`/v1/cases` and `/v1/holds`: investigations, what belongs to them, and legal holds."""

from typing import Annotated, Literal

from fastapi import Query, Request
from pydantic import Field

from jackstop.store import cases
from jackstop.web import gate
from jackstop.web.asking import Ctx
from jackstop.web.context import Context
from jackstop.web.deeds import deed
from jackstop.web.errors import Refused
from jackstop.web.models import CaseLine, CaseWhole, HoldLine, Remark
from jackstop.web.routes.alerts import Say, remark
from jackstop.web.routing import Routes
from jackstop.web.shapes import After, Asked, Done, Ident, Limit, Moment, PageOf, Words

routes = Routes("cases")
Alerts = Annotated[list[Ident], Field(max_length=500)]


class OpenCase(Asked):
    """A case to open, with its first alerts."""

    title: str = Field(min_length=1, max_length=300)
    alerts: Alerts = Field(default=[])


class AddAlerts(Asked):
    """Alerts to add to a case."""

    alerts: Annotated[list[Ident], Field(min_length=1, max_length=500)]


class CloseCase(Asked):
    """What came of it."""

    summary: Words


class PlaceHold(Asked):
    """A span of receipt to keep, and why."""

    begins: Moment
    ends: Moment
    reason: Words


@routes.on("GET", "/v1/cases", "viewer", PageOf[CaseLine])
def listing(
    context: Ctx,
    status: Annotated[Literal["open", "closed"] | None, Query()] = None,
    limit: Limit = 100,
    after: After = None,
) -> PageOf[CaseLine]:
    """Cases, newest first."""
    with context.database.read() as connection:
        found = cases.listing(connection, status or "", _place(after), limit + 1)
    shown = [CaseLine.model_validate(c) for c in found[:limit]]
    return PageOf(items=shown, next=f"{found[limit - 1].opened_at}.{found[limit - 1].id}" if len(found) > limit else None)


@routes.on("POST", "/v1/cases", "analyst", CaseWhole, status_code=201)
def open_case(request: Request, context: Ctx, body: OpenCase) -> CaseWhole:
    """Open a case."""
    who, at = gate.who(request), context.clock()
    with deed(context, who.name, "case.open", body.title[:200], alerts=list(body.alerts)) as connection:
        made = cases.open_case(connection, body.title, who.name, at)
        for alert in body.alerts:
            cases.handle(connection, alert, who.name, at, case_id=made.id)
    return whole(context, made.id)


@routes.on("GET", "/v1/cases/{case}", "viewer", CaseWhole)
def one(context: Ctx, case: Ident) -> CaseWhole:
    """One case with its alerts, remarks and holds."""
    return whole(context, case)


@routes.on("POST", "/v1/cases/{case}/alerts", "analyst", CaseWhole)
def add(request: Request, context: Ctx, case: Ident, body: AddAlerts) -> CaseWhole:
    """Add alerts to a case."""
    who, at = gate.who(request), context.clock()
    with deed(context, who.name, "case.add", case, alerts=list(body.alerts)) as connection:
        _still_open(cases.case(connection, case))
        for alert in body.alerts:
            cases.handle(connection, alert, who.name, at, case_id=case)
    return whole(context, case)


@routes.on("DELETE", "/v1/cases/{case}/alerts/{alert}", "analyst", CaseWhole)
def remove(request: Request, context: Ctx, case: Ident, alert: Ident) -> CaseWhole:
    """Take an alert out of a case."""
    who, at = gate.who(request), context.clock()
    with deed(context, who.name, "case.remove", case, alerts=[alert]) as connection:
        _still_open(cases.case(connection, case))
        if alert not in cases.alerts_of(connection, case):
            raise LookupError(f"no alert {alert!r} in this case")
        cases.handle(connection, alert, who.name, at, case_id="")
    return whole(context, case)


@routes.on("POST", "/v1/cases/{case}/close", "analyst", CaseWhole)
def close(request: Request, context: Ctx, case: Ident, body: CloseCase) -> CaseWhole:
    """Close a case with what came of it."""
    who = gate.who(request)
    with deed(context, who.name, "case.close", case) as connection:
        cases.close_case(connection, case, body.summary, context.clock())
    return whole(context, case)


@routes.on("POST", "/v1/cases/{case}/remarks", "analyst", Remark, status_code=201)
def say(request: Request, context: Ctx, case: Ident, body: Say) -> Remark:
    """Say something about a case."""
    return remark(context, gate.who(request), "case", case, body.body)


@routes.on("POST", "/v1/cases/{case}/holds", "approver", HoldLine, status_code=201)
def hold(request: Request, context: Ctx, case: Ident, body: PlaceHold) -> HoldLine:
    """Place a legal hold: what was received in the span is not removed while it stands."""
    who = gate.who(request)
    with deed(context, who.name, "hold.place", case, begins=body.begins, ends=body.ends) as connection:
        made = cases.place_hold(connection, case, body.begins, body.ends, body.reason, who.name, context.clock())
    return HoldLine.model_validate(made)


@routes.on("GET", "/v1/holds", "viewer", PageOf[HoldLine])
def holds(context: Ctx) -> PageOf[HoldLine]:
    """All legal holds, released ones too, newest first."""
    with context.database.read() as connection:
        return PageOf(items=[HoldLine.model_validate(h) for h in cases.holds_of(connection)])


@routes.on("DELETE", "/v1/holds/{hold}", "administrator", Done)
def release(request: Request, context: Ctx, hold: Ident) -> Done:
    """Release a legal hold."""
    who = gate.who(request)
    with deed(context, who.name, "hold.release", hold) as connection:
        cases.release_hold(connection, hold, who.name, context.clock())
    return Done()


def whole(context: Context, ident: str) -> CaseWhole:
    """A case with everything that belongs to it.

    Raises:
        Refused: 404, there is none.
    """
    with context.database.read() as connection:
        try:
            found = cases.case(connection, ident)
        except LookupError as fault:
            raise Refused(404, str(fault.args[0])) from None
        more = {
            "alerts": cases.alerts_of(connection, ident),
            "remarks": cases.remarks_of(connection, "case", ident),
            "holds": cases.holds_of(connection, ident),
        }
    return CaseWhole.model_validate({**CaseLine.model_validate(found).model_dump(), **more}, from_attributes=True)


def _still_open(case: cases.Case) -> None:
    if case.status != "open":
        raise ValueError(f"case {case.id!r} is closed")


def _place(after: str | None) -> tuple[int, str] | None:
    if after is None:
        return None
    at, dot, ident = after.partition(".")
    if not (dot and ident and at.isascii() and at.isdigit() and len(at) < 19):
        raise Refused(400, f"{after[:40]!r} is not a place in a list, expected `next` of the page before")
    return int(at), ident
