"""`/alerts/{id}`: one alert for people: its story, its evidence, what is done about it; and the forms on it."""

from dataclasses import dataclass
from urllib.parse import quote

import structlog
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from jackstop.policy.allowed import AT_TERMINAL, KINDS
from jackstop.report import story
from jackstop.runners.deeds import possible
from jackstop.store import actions, cases, queries
from jackstop.store.faults import StoreError
from jackstop.store.shown import AlertDetail, VerdictRow
from jackstop.web import context as contexts
from jackstop.web import gate, pages
from jackstop.web.asking import there
from jackstop.web.context import Context
from jackstop.web.errors import Refused
from jackstop.web.models import Timeline
from jackstop.web.routes.actions import ActionLine, Propose, line, suggest, take
from jackstop.web.routes.alerts import handle, remark, story_of
from jackstop.web.routing import Routes
from jackstop.web.shapes import Ident

routes = Routes("pages")
MOVEMENTS, RECORDS, EVENTS = 50, 60, 150
"""Rows of the page's tables at most; the API has all of them."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything the page shows of an alert. `silence`: why there is no timeline, as a key of the texts."""

    detail: AlertDetail
    remarks: list[cases.Remark]
    actions: list[ActionLine]
    timelines: list[Timeline]
    silence: str
    movements: list[VerdictRow]
    kinds: list[tuple[str, str]]


@routes.on("GET", "/alerts/{alert}", "viewer", page=True)
async def page(request: Request, alert: Ident) -> Response:
    """One alert."""
    context, who = contexts.of(request), gate.who(request)
    sheet = await run_in_threadpool(_sheet, context, alert)
    return pages.render(
        request,
        "alert.html.j2",
        sheet=sheet,
        row=sheet.detail.row,
        alert=sheet.detail.alert,
        telling=story,
        may_handle=who.at_least("analyst") and bool(who.session),
        may_approve=who.at_least("approver") and bool(who.session),
        most_records=RECORDS,
        most_events=EVENTS,
    )


@routes.on("POST", "/alerts/{alert}/handling", "analyst", page=True)
async def change(request: Request, alert: Ident) -> Response:
    """Change the status, or take the alert."""
    form, who = await pages.fields(request), gate.who(request)
    status, assignee = form.get("status") or None, who.name if form.get("take") else None
    if status is not None and status not in cases.STATUSES:
        raise Refused(422, "expected a status")
    await run_in_threadpool(handle, contexts.of(request), who, alert, status, assignee)
    return _back(alert)


@routes.on("POST", "/alerts/{alert}/remarks", "analyst", page=True)
async def say(request: Request, alert: Ident) -> Response:
    """Add a remark."""
    body = (await pages.fields(request)).get("body", "").strip()
    if not 0 < len(body) <= 4000:
        raise Refused(422, "expected 1 to 4,000 characters")
    await run_in_threadpool(remark, contexts.of(request), gate.who(request), "alert", alert, body)
    return _back(alert)


@routes.on("POST", "/alerts/{alert}/actions", "analyst", page=True)
async def propose(request: Request, alert: Ident) -> Response:
    """Propose an action."""
    form, context = await pages.fields(request), contexts.of(request)
    kind, _, terminal = form.get("kind", "").partition(" ")
    wanted = next((k for k in KINDS if k == kind), None)
    if wanted is None:
        raise Refused(422, "expected a kind of action")
    body = Propose(kind=wanted, alert=alert, terminal=terminal or None, note=form.get("note", "")[:1000])
    await run_in_threadpool(suggest, request, context, body)
    return _back(alert)


@routes.on("POST", "/alerts/{alert}/actions/{action}/{verb}", "analyst", page=True)
async def step(request: Request, alert: Ident, action: Ident, verb: str) -> Response:
    """Approve, reject or confirm an action."""
    who = gate.who(request)
    if verb not in {"approve", "reject", "confirm"}:
        raise Refused(404, f"no step {verb[:40]!r}")
    if verb != "confirm" and not who.at_least("approver"):
        raise Refused(403, "expected the role approver")
    await run_in_threadpool(take, contexts.of(request), who, action, verb, "")
    return _back(alert)


def _back(alert: str) -> Response:
    return pages.go(f"/alerts/{quote(alert, safe='')}")


def _sheet(context: Context, name: str) -> Sheet:
    detail = there(queries.alert(context.database, name), "alert", name)
    with context.database.read() as connection:
        said = cases.remarks_of(connection, "alert", name)
        listed = [line(context, a) for a in actions.listed(connection, alert=name)]
    told, silence = _told(context, name)
    found = [queries.verdict(context.database, v) for v in detail.alert.verdicts[:MOVEMENTS]]
    return Sheet(
        detail=detail,
        remarks=said,
        actions=listed,
        timelines=told,
        silence=silence,
        movements=[v for v in found if v is not None],
        kinds=_kinds(context, detail),
    )


def _told(context: Context, name: str) -> tuple[list[Timeline], str]:
    """The timelines, or why there are none: the page is there without them too."""
    if context.history is None:
        return [], "no_timeline"
    try:
        told = story_of(context, name)
    except StoreError as fault:
        structlog.get_logger("jackstop.web").error("history", fault=str(fault))
        return [], "bad_timeline"
    return told, "" if any(t.events for t in told) else "no_events"


def _kinds(context: Context, detail: AlertDetail) -> list[tuple[str, str]]:
    """What may be proposed: each kind some way does, with its terminal where it is done at one."""
    known = {t.id for t in context.fleet.terminal}
    found: list[tuple[str, str]] = []
    for kind in KINDS:
        if kind in possible(context.ways):
            found += [(kind, t) for t in detail.alert.terminals[:20] if t in known] if kind in AT_TERMINAL else [(kind, "")]
    return found
