"""`/v1/actions`: what is to be done outside: proposed, approved by different people, sent, confirmed, taken back.

Approving is for people: a token, whatever its role, is no second pair of eyes.
"""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Query, Request
from pydantic import Field

from jackstop.policy.allowed import AT_TERMINAL, Kind
from jackstop.policy.proposals import of
from jackstop.policy.response import STATES, Action, Told
from jackstop.runners import deeds
from jackstop.store import actions, queries
from jackstop.web import gate
from jackstop.web.asking import Ctx, there
from jackstop.web.changing import changing
from jackstop.web.context import Context
from jackstop.web.errors import Refused
from jackstop.web.roles import Principal
from jackstop.web.routing import Routes
from jackstop.web.shapes import After, Asked, Ident, Limit, Moment, PageOf, Shape

routes = Routes("actions")
State = Literal[
    "proposed", "approved", "sending", "sent", "confirmed", "failed", "rolled-back", "rejected", "expired", "stopped"
]  # fmt: skip
assert set(State.__args__) == set(STATES)  # type: ignore[attr-defined]
Note = Annotated[str, Field(max_length=1000)]


class ActionLine(Shape):
    """An action as it stands."""

    id: str
    kind: str
    terminal: str | None
    region: str
    alert: str
    state: str
    automatic: bool = Field(description="Whether the policy may approve it.")
    dry: bool = Field(description="Whether it is gone through and nothing leaves.")
    title: str
    severity: str
    note: str
    undoes: str = Field(description="Id of the action it takes back; empty for none.")
    passed_on: str = Field(description="Why the policy did not approve it by itself.")
    proposed_by: str
    proposed_at: Moment
    ends_at: Moment
    changed_at: Moment
    approvers: list[str]
    needed: int = Field(description="Approvals it takes.")
    attempts: int


class StepLine(Shape):
    """One step of an action."""

    at: Moment
    actor: str
    before: str
    after: str
    note: str


class ActionWhole(ActionLine):
    """An action with every step on record."""

    steps: list[StepLine]


class Propose(Asked):
    """An action to propose. At a terminal for `out-of-service`, `in-service`, `dispatch-guard`; else for an alert."""

    kind: Kind
    alert: str = Field(default="", max_length=100)
    terminal: str | None = Field(default=None, max_length=200)
    note: Note = ""


class Because(Asked):
    """Why, in words."""

    note: Note = ""


@routes.on("GET", "/v1/actions", "viewer", PageOf[ActionLine])
def listing(
    context: Ctx,
    state: Annotated[list[State] | None, Query(max_length=10)] = None,
    alert: Annotated[str, Query(max_length=100)] = "",
    limit: Limit = 100,
    after: After = None,
) -> PageOf[ActionLine]:
    """Actions, the newest proposal first."""
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise Refused(400, f"{after[:40]!r} is not a place in a list, expected `next` of the page before")
    before = int(after) if after is not None else None
    with context.database.read() as connection:
        found = actions.listed(connection, state or (), alert=alert, before=before, limit=limit + 1)
    shown = [line(context, a) for a in found[:limit]]
    return PageOf(items=shown, next=str(found[limit - 1].proposed_at) if len(found) > limit else None)


@routes.on("GET", "/v1/actions/{action}", "viewer", ActionWhole)
def one(context: Ctx, action: Ident) -> ActionWhole:
    """One action with its steps."""
    with context.database.read() as connection:
        found = there(actions.find(connection, action), "action", action)
        steps = [StepLine.model_validate(s) for s in actions.steps(connection, action)]
    return ActionWhole(**line(context, found).model_dump(), steps=steps)


@routes.on("POST", "/v1/actions", "analyst", ActionLine, status_code=201)
def suggest(request: Request, context: Ctx, body: Propose) -> ActionLine:
    """Propose an action."""
    if (body.kind in AT_TERMINAL) != (body.terminal is not None):
        raise Refused(422, f"{body.kind} {'needs a terminal' if body.kind in AT_TERMINAL else 'is for an alert, not a terminal'}")
    if body.terminal is None and not body.alert:
        raise Refused(422, "expected an alert")
    found = there(queries.alert(context.database, body.alert), "alert", body.alert) if body.alert else None
    told = replace(of(found.alert) if found else Told(terminals=(body.terminal or "",)), note=body.note)
    who, response = gate.who(request).name, context.policy.response
    with changing(context) as connection:
        made = deeds.propose(
            connection, response, context.ways, context.fleet, body.kind, body.terminal, body.alert, who, context.clock(), told
        )
    return line(context, made)


@routes.on("POST", "/v1/actions/{action}/approve", "approver", ActionLine)
def approve(request: Request, context: Ctx, action: Ident, body: Because) -> ActionLine:
    """Approve an action: different people, and not the one who proposed it."""
    return take(context, gate.who(request), action, "approve", body.note)


@routes.on("POST", "/v1/actions/{action}/reject", "approver", ActionLine)
def reject(request: Request, context: Ctx, action: Ident, body: Because) -> ActionLine:
    """Reject an action that has not begun."""
    return take(context, gate.who(request), action, "reject", body.note)


@routes.on("POST", "/v1/actions/{action}/confirm", "analyst", ActionLine)
def confirm(request: Request, context: Ctx, action: Ident, body: Because) -> ActionLine:
    """Say that what was sent has come about, as people have seen."""
    return take(context, gate.who(request), action, "confirm", body.note)


@routes.on("POST", "/v1/actions/{action}/fail", "analyst", ActionLine)
def fail(request: Request, context: Ctx, action: Ident, body: Because) -> ActionLine:
    """Say that what was sent has not come about."""
    return take(context, gate.who(request), action, "fail", body.note)


@routes.on("POST", "/v1/actions/{action}/roll-back", "analyst", ActionLine, status_code=201)
def roll_back(request: Request, context: Ctx, action: Ident, body: Because) -> ActionLine:
    """Propose to take back an action that was sent; it needs its own approvals."""
    who, response = gate.who(request).name, context.policy.response
    with changing(context) as connection:
        return line(
            context,
            deeds.take_back(connection, response, context.ways, context.fleet, action, who, context.clock(), body.note),
        )


def take(context: Context, who: Principal, ident: str, verb: str, note: str) -> ActionLine:
    """Take a step with an action in somebody's name: `approve`, `reject`, `confirm` or `fail`.

    Raises:
        Refused: 403 their word does not count, 404 no such action, 409 it cannot be taken as things stand.
    """
    if verb in {"approve", "reject"} and not who.session:
        raise Refused(403, f"expected a person: a token cannot {verb}")
    with changing(context) as connection:
        at = context.clock()
        match verb:
            case "approve":
                moved = deeds.approve(connection, context.policy.response, ident, who.name, at, note)
            case "reject":
                moved = deeds.reject(connection, ident, who.name, at, note)
            case "confirm":
                moved = deeds.confirm(connection, ident, who.name, at, note)
            case _:
                moved = deeds.fail(connection, ident, who.name, at, note)
    return line(context, moved)


def line(context: Context, action: Action) -> ActionLine:
    """An action as the API shows it."""
    told = action.told
    said = {n: getattr(action, n) for n in ActionLine.model_fields if hasattr(action, n)}
    needed = context.policy.response.terms(action.kind).approvals
    more = {"title": told.title, "severity": told.severity, "note": told.note, "undoes": told.undoes, "passed_on": told.passed_on}
    return ActionLine.model_validate({**said, **more, "needed": needed})
