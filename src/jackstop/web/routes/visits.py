"""`/v1/visits`: who is allowed to do what, where and when. Announced visits silence alarms, so approvers announce them.

What is announced is written as a line of the `visits` format, and the loop reads it like any other record: a later line of a
terminal's work order takes the place of the earlier, and a cancelled visit is one that permits nothing.
"""

import csv
import io
from typing import Annotated, Literal

from fastapi import Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from jackstop import formats
from jackstop.formats import visits as form
from jackstop.model.fleet import Reading
from jackstop.model.settings import HOUR
from jackstop.model.written import stamp
from jackstop.store import announced
from jackstop.store.announced import Visit
from jackstop.web import gate
from jackstop.web.asking import Ctx, there
from jackstop.web.context import Context
from jackstop.web.deeds import deed
from jackstop.web.errors import Refused
from jackstop.web.routing import Routes
from jackstop.web.shapes import Asked, Moment, PageOf, Shape, Since, Until

routes = Routes("visits")
Kind = Literal["cit", "first-line", "second-line", "audit", "software"]
Permit = Literal["open-cabinet", "open-safe", "exchange", "supervisor", "test-dispense", "reboot", "usb", "software"]
Order = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["WO-00017"])]
Person = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f;]{1,80}$", examples=["crew-07"])]
Value = Annotated[int, Field(gt=0, lt=10**12, description="Minor units of one note.")]
Count = Annotated[int, Field(ge=0, lt=10**7)]
LONGEST = 31 * 24 * HOUR
"""µs one visit may last."""
_MOST = 1000


class Change(Asked):
    """A visit as it is to stand from here on."""

    kind: Kind
    begins: Moment
    ends: Moment
    people: list[Person] = Field(default=[], max_length=20)
    permits: list[Permit] = Field(max_length=8)
    expected_in: list[tuple[Value, Count]] = Field(default=[], max_length=20, description="Value of a note, and notes.")
    expected_out: list[tuple[Value, Count]] = Field(default=[], max_length=20)


class Announce(Change):
    """A visit to announce."""

    terminal: Annotated[str, Field(min_length=1, max_length=200)]
    work_order: Order


class VisitLine(Shape):
    """A visit as it stands. `announced`: through this API; otherwise from the file of visits."""

    terminal: str
    work_order: str
    kind: str
    begins: Moment
    ends: Moment
    people: list[str]
    permits: list[str]
    expected_in: list[tuple[int, int]]
    expected_out: list[tuple[int, int]]
    cancelled: bool
    changed_at: Moment | None
    changed_by: str
    announced: bool


@routes.on("GET", "/v1/visits", "viewer", PageOf[VisitLine])
def listing(
    context: Ctx,
    terminal: Annotated[str | None, Query(max_length=200)] = None,
    since: Since = None,
    until: Until = None,
) -> PageOf[VisitLine]:
    """Visits by their beginning; from a day ago to a week ahead where nothing is asked. At most 1,000."""
    now = context.clock()
    begin = since if since is not None else now - 24 * HOUR
    end = until if until is not None else now + 7 * 24 * HOUR
    with context.database.read() as connection:
        known = announced.listing(connection, begin, end, terminal, _MOST)
    lines = [_line(v) for v in known]
    taken = {(v.terminal, v.work_order) for v in lines}
    lines += [v for v in _of_file(context, begin, end, terminal) if not v.work_order or (v.terminal, v.work_order) not in taken]
    return PageOf(items=sorted(lines, key=lambda v: (v.begins, v.terminal, v.work_order))[:_MOST])


@routes.on("POST", "/v1/visits", "approver", VisitLine, status_code=201)
async def announce(request: Request, context: Ctx, body: Announce) -> VisitLine:
    """Announce a visit."""
    visit = _visit(context, gate.who(request).name, body.terminal, body.work_order, body)
    return await _take(context, "visit.announce", visit, fresh=True)


@routes.on("PUT", "/v1/visits/{terminal}/{work_order}", "approver", VisitLine)
async def change(request: Request, context: Ctx, terminal: str, work_order: Order, body: Change) -> VisitLine:
    """Change an announced visit, or one of the file."""
    visit = _visit(context, gate.who(request).name, terminal, work_order, body)
    return await _take(context, "visit.change", visit)


@routes.on("DELETE", "/v1/visits/{terminal}/{work_order}", "approver", VisitLine)
async def cancel(request: Request, context: Ctx, terminal: str, work_order: Order) -> VisitLine:
    """Cancel a visit: from here on it permits nothing."""
    who = gate.who(request).name
    was = there(await run_in_threadpool(_known, context, terminal, work_order), "visit", f"{terminal} {work_order}")
    gone = Visit(
        was.terminal, was.work_order, was.kind, was.begins, was.begins, tuple(was.people), (), (), (), True, context.clock(), who
    )
    return await _take(context, "visit.cancel", gone)


async def _take(context: Context, action: str, visit: Visit, *, fresh: bool = False) -> VisitLine:
    """Keep a visit and hand its line to the service. The audit row comes first: no visit counts that it does not tell of."""
    line = _checked(context, visit)
    was = await run_in_threadpool(_keep, context, action, visit, fresh)
    try:
        await context.accept_visits(line)
    except ConnectionError as fault:
        await run_in_threadpool(_undo, context, visit, was)
        raise Refused(503, str(fault), {"Retry-After": "5"}) from None
    return _line(visit)


def _keep(context: Context, action: str, visit: Visit, fresh: bool) -> Visit | None:
    span = f"{stamp(visit.begins)} to {stamp(visit.ends)}"
    subject = f"{visit.terminal} {visit.work_order}"
    permits = list(visit.permits)
    with deed(context, visit.changed_by, action, subject, span=span, permits=permits) as connection:
        was = announced.find(connection, visit.terminal, visit.work_order)
        if fresh and was is not None:
            raise ValueError(f"work order {visit.work_order!r} is announced for {visit.terminal!r} already, expected another")
        announced.keep(connection, visit)
    return was


def _undo(context: Context, visit: Visit, was: Visit | None) -> None:
    """Put back what stood before, for the service did not take the visit."""
    gone = was or Visit(
        visit.terminal,
        visit.work_order,
        visit.kind,
        visit.begins,
        visit.begins,
        (),
        (),
        (),
        (),
        True,
        visit.changed_at,
        visit.changed_by,
    )
    with deed(context, visit.changed_by, "visit.not-taken", f"{visit.terminal} {visit.work_order}") as connection:
        announced.keep(connection, gone)


def _visit(context: Context, who: str, terminal: str, work_order: str, body: Change) -> Visit:
    if terminal not in {t.id for t in context.fleet.terminal}:
        raise Refused(404, f"no terminal {terminal[:100]!r}")
    if not body.begins < body.ends <= body.begins + LONGEST:
        raise Refused(422, "expected a visit that ends after it begins, and within 31 days")
    return Visit(
        terminal,
        work_order,
        body.kind,
        body.begins,
        body.ends,
        tuple(body.people),
        tuple(dict.fromkeys(body.permits)),
        tuple(body.expected_in),
        tuple(body.expected_out),
        False,
        context.clock(),
        who,
    )


def _checked(context: Context, visit: Visit) -> bytes:
    """A visit as a line, once the reader of the format itself has understood it.

    Who changed it when stands at its end, in a column the format has no use for: so no line is like an earlier one, which
    would be dropped as a repetition.

    Raises:
        Refused: 422, it does not.
    """
    pairs = [";".join(f"{value}:{count}" for value, count in part) for part in (visit.expected_in, visit.expected_out)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        (
            visit.terminal, visit.kind, visit.work_order, stamp(visit.begins), stamp(visit.ends),
            ";".join(visit.people), ";".join(visit.permits), *pairs, f"{visit.changed_by} {stamp(visit.changed_at)}",
        )
    )  # fmt: skip
    line = text.getvalue().encode()
    defaults = context.fleet.fleet
    reader = formats.find("visits").reader(Reading(name="visits", timezone=defaults.timezone, currency=defaults.currency))
    decoded = reader.feed(",".join(form.COLUMNS).encode() + b"\n" + line, final=True)
    if decoded.refusals or decoded.tables.visits.height != 1:
        raise Refused(422, "; ".join(r.reason for r in decoded.refusals)[:300] or "expected one visit in one line")
    return line


def _known(context: Context, terminal: str, work_order: str) -> VisitLine | None:
    with context.database.read() as connection:
        found = announced.find(connection, terminal, work_order)
    if found is not None:
        return None if found.cancelled else _line(found)
    return next((v for v in _of_file(context, -(2**62), 2**62, terminal) if v.work_order == work_order), None)


def _line(visit: Visit) -> VisitLine:
    return VisitLine.model_validate({**{n: getattr(visit, n) for n in Visit.__slots__}, "announced": True})


def _of_file(context: Context, begin: int, end: int, terminal: str | None) -> list[VisitLine]:
    """The visits of the file that touch a span."""
    if context.visits is None or not context.visits.height:
        return []
    frame = context.visits
    times = frame.select(begins=frame["time"].to_physical(), ends=frame["until"].to_physical())
    lines = []
    for row, (begins, ends) in zip(frame.iter_rows(named=True), times.iter_rows(), strict=True):
        if ends < begin or begins >= end or (terminal is not None and row["terminal"] != terminal):
            continue
        pairs = [[(p["value"], p["count"]) for p in row[c] or []] for c in ("expected_in", "expected_out")]
        lines.append(
            VisitLine(
                terminal=row["terminal"] or "",
                work_order=row["work_order"] or "",
                kind=str(row["kind"]),
                begins=begins,
                ends=ends,
                people=row["people"] or [],
                permits=[str(p) for p in row["permits"] or []],
                expected_in=pairs[0],
                expected_out=pairs[1],
                cancelled=False,
                changed_at=None,
                changed_by="",
                announced=False,
            )
        )
    return lines
