"""`/v1/terminals`: the fleet now, one machine with what is known of it, and what happened there."""

from typing import Annotated

import msgspec
from fastapi import Query
from pydantic import Field, JsonValue

from jackstop.model.settings import HOUR
from jackstop.store import queries
from jackstop.store.shown import TerminalRow
from jackstop.web.asking import Ctx, there
from jackstop.web.context import Context
from jackstop.web.errors import Refused
from jackstop.web.models import AlertLine, Timeline
from jackstop.web.routing import Routes
from jackstop.web.shapes import After, Limit, Minor, Moment, PageOf, Shape, Since, Until
from jackstop.web.timelines import timeline

routes = Routes("terminals")
LONGEST = 7 * 24 * HOUR


class TerminalLine(Shape):
    """A terminal as it stands now."""

    id: str
    model: str
    site: str
    currency: str
    open_alerts: int
    severity: str = Field(description="Of its gravest open alert; empty for none.")
    unexplained: Minor
    money_at_risk: Minor
    last_seen: Moment | None


class FactLine(Shape):
    """One thing known of a terminal."""

    fact: str
    at: Moment
    value: JsonValue


class TerminalWhole(TerminalLine):
    """A terminal with what is known of it and its open alerts."""

    names: dict[str, str] = Field(description="Every name it goes by: luno, terminal_id, hostname, alarm_account.")
    timezone: str
    facts: list[FactLine]
    alerts: list[AlertLine]


@routes.on("GET", "/v1/terminals", "viewer", PageOf[TerminalLine])
def listing(
    context: Ctx,
    troubled: Annotated[bool, Query(description="Only those with open alerts.")] = False,
    limit: Limit = 500,
    after: After = None,
) -> PageOf[TerminalLine]:
    """The fleet's terminals by id."""
    wanted = queries.troubled(context.database) if troubled else None
    ids = sorted(t.id for t in context.fleet.terminal if after is None or t.id > after)
    rest = [i for i in ids if wanted is None or i in wanted]
    rows = sorted(queries.terminals(context.database, context.fleet, rest[:limit]), key=lambda r: r.id)
    shown = [TerminalLine.model_validate(r) for r in rows]
    return PageOf(items=shown, next=shown[-1].id if len(rest) > limit else None)


@routes.on("GET", "/v1/terminals/{terminal}", "viewer", TerminalWhole)
def one(context: Ctx, terminal: str) -> TerminalWhole:
    """One terminal: its names, what is known of it, its open alerts."""
    row = _row(context, terminal)
    declared = next(t for t in context.fleet.terminal if t.id == row.id)
    names = {n: getattr(declared, n) for n in ("luno", "terminal_id", "hostname", "alarm_account")}
    alerts = queries.alerts(context.database, terminal=row.id, limit=50).items
    line = TerminalLine.model_validate(row).model_dump()
    return TerminalWhole(
        **line,
        names={n: v for n, v in names.items() if v},
        timezone=declared.timezone or context.fleet.fleet.timezone,
        facts=_facts(row),
        alerts=[AlertLine.model_validate(a) for a in alerts if a.status not in {"resolved", "false-alarm"}],
    )


@routes.on("GET", "/v1/terminals/{terminal}/facts", "viewer", list[FactLine])
def facts(context: Ctx, terminal: str) -> list[FactLine]:
    """What is known of one terminal now: doors, sensors, boot, cash, levels."""
    return _facts(_row(context, terminal))


@routes.on("GET", "/v1/terminals/{terminal}/timeline", "viewer", Timeline)
def events(context: Ctx, terminal: str, since: Since = None, until: Until = None) -> Timeline:
    """What happened at one terminal; the last day where nothing is asked, a week at most."""
    row = _row(context, terminal)
    end = until if until is not None else context.clock()
    begin = since if since is not None else end - 24 * HOUR
    if not begin < end <= begin + LONGEST:
        raise Refused(422, "expected a span of more than nothing and at most a week")
    return timeline(context, row.id, begin, end)


def _row(context: Context, terminal: str) -> TerminalRow:
    rows = queries.terminals(context.database, context.fleet, [terminal])
    return there(next(iter(rows), None), "terminal", terminal)


def _facts(row: TerminalRow) -> list[FactLine]:
    return [FactLine(fact=f.fact, at=f.at, value=_value(f.value)) for f in row.facts]


def _value(text: str) -> JsonValue:
    try:
        found: JsonValue = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return found
