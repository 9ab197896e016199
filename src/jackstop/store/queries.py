"""The read side of the live store: what the API shows, as typed rows. Each function sees one moment.

Lists come in pages, newest first; `next` of a page, given as `after`, gets the page that follows. What is written between
two pages is not skipped and not shown twice, unless its own place in the order changes.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl
from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from jackstop.model.results import SEVERITIES, VERDICTS, Alert, RecordRef
from jackstop.store import schema
from jackstop.store.database import Database
from jackstop.store.decisions import LISTS
from jackstop.store.faults import StoreError
from jackstop.store.live import LOOP, WATERMARK, FeedAccount
from jackstop.store.shown import (
    AlertDetail,
    AlertRow,
    Change,
    Handling,
    LoopState,
    Page,
    PlaceError,
    Revision,
    TerminalRow,
    VerdictRow,
)
from jackstop.store.standing import measures, terminals, troubled

__all__ = [
    "AlertDetail",
    "AlertRow",
    "Change",
    "FeedAccount",
    "Handling",
    "LoopState",
    "Page",
    "PlaceError",
    "Revision",
    "TerminalRow",
    "VerdictRow",
    "alert",
    "alerts",
    "changes",
    "feeds",
    "last_change",
    "loop_state",
    "measures",
    "read_alert",
    "terminals",
    "troubled",
    "verdict",
    "verdict_frame",
    "verdict_history",
    "verdicts",
]

Asked = Select[*tuple[Any, ...]]
NEW = "new"
"""The status of an alert nobody has touched."""

MOST = 1000
"""Rows of one page at most."""

_told, _handling, _movements, _changes = schema.alerts, schema.handling, schema.verdicts, schema.changes


_ALERT = (
    _told.c.id,
    _told.c.revision,
    _told.c.severity,
    _told.c.title,
    _told.c.terminals,
    _told.c.currency,
    _told.c.unexplained,
    _told.c.money_at_risk,
    _told.c.first_event,
    _told.c.raised_at,
    _told.c.updated_at,
    _told.c.paged_at,
    _told.c.written_at,
    func.coalesce(_handling.c.status, NEW).label("status"),
    _handling.c.assignee,
    _handling.c.case_id,
)
_VERDICT = tuple(_movements.c[n] for n in VerdictRow.__dataclass_fields__)
_REVISION = tuple(schema.verdict_history.c[n] for n in Revision.__dataclass_fields__)
_CHANGE = tuple(_changes.c[n] for n in Change.__dataclass_fields__)
_FEED = tuple(schema.feeds.c[n] for n in FeedAccount.__dataclass_fields__)


def alerts(
    database: Database,
    *,
    least: str | None = None,
    status: str | None = None,
    terminal: str | None = None,
    since: int | None = None,
    until: int | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Page[AlertRow]:
    """Alerts, the last raised first.

    Args:
        least: severity, this grave or graver. status: of their handling; `new` is those nobody has touched.
        terminal: that they concern. since, until: `raised_at` from and before (µs UTC).

    Raises:
        PlaceError: `after` is not a place. ValueError: no such severity. StoreError: the database cannot be read.
    """
    asked: Asked = select(*_ALERT).join_from(_told, _handling, _handling.c.alert == _told.c.id, isouter=True)
    if least is not None:
        asked = asked.where(_told.c.rank >= _rank(least))
    if status is not None:
        asked = asked.where(func.coalesce(_handling.c.status, NEW) == status)
    if terminal is not None:
        asked = asked.where(
            exists().where((schema.alert_terminals.c.alert == _told.c.id) & (schema.alert_terminals.c.terminal == terminal))
        )
    asked = _between(asked, _told.c.raised_at, since, until)
    rows, place = _page(database, asked, _told.c.raised_at, _told.c.id, limit, after)
    return Page(tuple(_alert_row(r) for r in rows), place)


def alert(database: Database, name: str) -> AlertDetail | None:
    """One alert by its id, or None.

    Raises:
        StoreError: the database cannot be read, or the alert was written by another version.
    """
    whole = (_told.c.body, _handling.c.changed_at, _handling.c.changed_by)
    asked = select(*_ALERT, *whole).join_from(_told, _handling, _handling.c.alert == _told.c.id, isouter=True)
    with database.read() as connection:
        row = connection.execute(asked.where(_told.c.id == name)).first()
    if row is None:
        return None
    shown = _alert_row(row[: len(_ALERT)])
    body, changed_at, changed_by = row[len(_ALERT) :]
    known = Handling(shown.status, shown.assignee, shown.case_id, changed_at, changed_by) if changed_by is not None else None
    return AlertDetail(shown, read_alert(bytes(body)), known)


def read_alert(body: bytes) -> Alert:
    """An alert from its `body`.

    Raises:
        StoreError: it was written by another version.
    """
    try:
        return msgspec.json.decode(body, type=Alert)
    except msgspec.DecodeError as fault:
        raise StoreError(f"alert: {fault}, expected one of this version") from None


def verdicts(
    database: Database,
    *,
    terminal: str | None = None,
    kind: str | None = None,
    verdict: str | None = None,
    since: int | None = None,
    until: int | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Page[VerdictRow]:
    """Verdicts, the latest movement first.

    Args:
        terminal, kind, verdict: only those. since, until: `time` from and before (µs UTC).

    Raises:
        PlaceError: `after` is not a place. StoreError: the database cannot be read.
    """
    asked: Asked = select(*_VERDICT)
    for column, wanted in ((_movements.c.terminal, terminal), (_movements.c.kind, kind), (_movements.c.verdict, verdict)):
        if wanted is not None:
            asked = asked.where(column == wanted)
    asked = _between(asked, _movements.c.time, since, until)
    rows, place = _page(database, asked, _movements.c.time, _movements.c.id, limit, after)
    return Page(tuple(_verdict_row(r) for r in rows), place)


def verdict(database: Database, name: str) -> VerdictRow | None:
    """One verdict by its movement's id, or None."""
    with database.read() as connection:
        row = connection.execute(select(*_VERDICT).where(_movements.c.id == name)).first()
    return _verdict_row(row) if row else None


def verdict_frame(database: Database, terminal: str, since: int, until: int, limit: int = 10_000) -> pl.DataFrame:
    """The movements of one terminal with `time` from `since` to before `until` (µs UTC), the earliest first, as a frame of
    `results.VERDICTS`."""
    c = _movements.c
    asked = select(*_VERDICT).where(c.terminal == terminal, c.time >= since, c.time < until)
    with database.read() as connection:
        rows = connection.execute(asked.order_by(c.time, c.id).limit(limit)).all()
    shown = [{n: _json(n, v) for n, v in zip(VerdictRow.__dataclass_fields__, r, strict=True) if n != "revision"} for r in rows]
    plain = {
        n: pl.Int64() if isinstance(t, pl.Datetime) else pl.String() if isinstance(t, pl.Enum) else t for n, t in VERDICTS.items()
    }
    frame = pl.DataFrame(shown, schema=plain, orient="row")
    times = [pl.from_epoch(n, time_unit="us").dt.replace_time_zone("UTC") for n in ("time", "decided_at")]
    return frame.with_columns(times).cast(VERDICTS)  # type: ignore[arg-type]


def verdict_history(database: Database, name: str) -> tuple[Revision, ...]:
    """Everything that was held of a movement, first to last."""
    asked = select(*_REVISION).where(schema.verdict_history.c.verdict_id == name).order_by(schema.verdict_history.c.revision)
    with database.read() as connection:
        return tuple(Revision(*r) for r in connection.execute(asked))


def changes(database: Database, after: int, limit: int, kinds: Sequence[str] = ()) -> list[Change]:
    """What is new since the change numbered `after`, oldest first; of some kinds only, if any are named."""
    asked = select(*_CHANGE).where(_changes.c.id > after).order_by(_changes.c.id).limit(limit)
    if kinds:
        asked = asked.where(_changes.c.kind.in_(kinds))
    with database.read() as connection:
        return [Change(*r) for r in connection.execute(asked)]


def last_change(database: Database) -> int:
    """The number of the newest change; 0 where there is none."""
    with database.read() as connection:
        return connection.execute(select(func.max(_changes.c.id))).scalar() or 0


def feeds(database: Database) -> tuple[FeedAccount, ...]:
    """How each feed was read, by name."""
    with database.read() as connection:
        rows = connection.execute(select(*_FEED).order_by(schema.feeds.c.name)).all()
    return tuple(_account(tuple(r)) for r in rows)


def loop_state(database: Database) -> LoopState:
    """How far the loop has come."""
    with database.read() as connection:
        place = connection.execute(
            select(schema.cursors.c.position, schema.cursors.c.ok_at).where(schema.cursors.c.name == LOOP)
        ).first()
        mark = connection.execute(select(schema.keep.c.value).where(schema.keep.c.name == WATERMARK)).scalar()
        c = schema.checkpoints.c
        made = connection.execute(select(c.seq, c.made_at).order_by(c.seq.desc(), c.id.desc()).limit(1)).first()
    seq, at = place or (0, None)
    return LoopState(seq, None if mark is None else int(mark), at, *(made or (None, None)))


def _rank(severity: str) -> int:
    if severity not in SEVERITIES:
        raise ValueError(f"{severity!r} is not a severity, expected one of: {', '.join(SEVERITIES)}")
    return SEVERITIES.index(severity)


def _between(asked: Asked, column: ColumnElement[int], since: int | None, until: int | None) -> Asked:
    if since is not None:
        asked = asked.where(column >= since)
    return asked if until is None else asked.where(column < until)


def _page(
    database: Database,
    asked: Asked,
    time: ColumnElement[int],
    name: ColumnElement[str],
    limit: int,
    after: str | None,
) -> tuple[list[tuple[Any, ...]], str | None]:
    """A page of a query by time and name, falling, and the place of the next."""
    most = min(max(limit, 1), MOST)
    if after is not None:
        at, last = _place(after)
        asked = asked.where(or_(time < at, and_(time == at, name < last)))
    keys = (time.label("_time"), name.label("_name"))
    with database.read() as connection:
        rows = connection.execute(asked.add_columns(*keys).order_by(time.desc(), name.desc()).limit(most + 1)).all()
    more = len(rows) > most
    shown = rows[:most]
    return [tuple(r)[:-2] for r in shown], f"{shown[-1][-2]}.{shown[-1][-1]}" if more else None


def _place(after: str) -> tuple[int, str]:
    at, dot, name = after.partition(".")
    digits = at.removeprefix("-")
    if not (dot and name and digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise PlaceError(f"{after[:40]!r} is not a place in a list, expected `next` of the page before")
    return int(at), name


def _json(name: str, value: object) -> object:
    """A stored value of a verdict's column, with JSON read."""
    return msgspec.json.decode(str(value)) if name in LISTS else value


def _account(row: tuple[Any, ...]) -> FeedAccount:
    values = list(row)
    values[-1] = msgspec.json.decode(values[-1], type=dict[str, int])
    return FeedAccount(*values)


def _alert_row(row: Sequence[Any]) -> AlertRow:
    values = list(row)
    values[4] = msgspec.json.decode(values[4], type=tuple[str, ...])
    return AlertRow(*values)


def _verdict_row(row: Sequence[Any]) -> VerdictRow:
    values = list(row)
    values[11:14] = (msgspec.json.decode(v, type=tuple[str, ...]) for v in values[11:14])
    values[-1] = msgspec.json.decode(values[-1], type=tuple[RecordRef, ...])
    return VerdictRow(*values)
