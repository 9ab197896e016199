"""What a journal writer is given: the rows a journal can say, in time order."""

from typing import Any, NamedTuple

import polars as pl

from jackstop.model.tables import Tables


class Cash(NamedTuple):
    """One row of cash of the application layer; `time` in µs UTC."""

    time: int
    activity: str
    currency: str | None
    amount: int | None
    counts: list[int] | None
    session: str | None
    tsn: str | None
    rrn: str | None
    auth_code: str | None
    result_name: str | None
    detail: str | None


class Said(NamedTuple):
    """One row of operator or cabinet; `part` is the cabinet's."""

    time: int
    table: str
    activity: str
    detail: str | None
    part: str | None = None


class Unit(NamedTuple):
    """One row of units of basis journal; `remaining` is its count."""

    time: int
    snapshot: int | None
    cause: str | None
    unit: int | None
    kind: str | None
    currency: str | None
    value: int | None
    initial: int | None
    remaining: int | None
    rejected: int | None
    dispensed: int | None


class Counted(NamedTuple):
    """The units of one snapshot."""

    time: int
    cause: str
    units: list[Unit]


Event = Cash | Said | Counted


def gather(tables: Tables) -> list[Event]:
    """Rows of application cash, operator, cabinet doors, and journal counters, as events in time order."""
    events: list[Event] = [Cash(*row) for row in _rows(tables.cash.filter(layer="application"), Cash._fields)]
    events += [Said(row[0], "operator", row[1], row[2]) for row in _rows(tables.operator, ("time", "activity", "detail"))]
    doors = tables.cabinet.filter(pl.col("sensor").eq_missing("door"))
    events += [Said(row[0], "cabinet", row[1], row[2], row[3]) for row in _rows(doors, ("time", "activity", "detail", "part"))]
    events += _snapshots(tables.units.filter(basis="journal"))
    events.sort(key=_time)
    return events


def _time(event: Event) -> int:
    return event.time


def _rows(frame: pl.DataFrame, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return frame.select(pl.col("time").to_physical(), *columns[1:]).rows()


def _snapshots(units: pl.DataFrame) -> list[Event]:
    grouped: dict[tuple[int | None, int], list[Unit]] = {}
    columns = tuple("count" if name == "remaining" else name for name in Unit._fields)
    for row in _rows(units, columns):
        unit = Unit(*row)
        grouped.setdefault((unit.snapshot, unit.time), []).append(unit)
    return [Counted(time, listed[0].cause or "snapshot", listed) for (_, time), listed in grouped.items()]


def declined(event: Cash) -> bool:
    """Whether a reply's row says that the host declined."""
    return event.detail is not None and "declin" in event.detail.lower()
