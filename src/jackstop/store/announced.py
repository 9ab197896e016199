"""Visits that people announced while the service runs, as they last stood: what the API lists. What counts is in the spool."""

from dataclasses import asdict, dataclass

import msgspec
from sqlalchemy import Connection, select

from jackstop.store.database import put
from jackstop.store.schema import announced


@dataclass(frozen=True, slots=True)
class Visit:
    """One announced visit. Times µs UTC; `expected_in`, `expected_out`: (minor units a note, notes)."""

    terminal: str
    work_order: str
    kind: str
    begins: int
    ends: int
    people: tuple[str, ...]
    permits: tuple[str, ...]
    expected_in: tuple[tuple[int, int], ...]
    expected_out: tuple[tuple[int, int], ...]
    cancelled: bool
    changed_at: int
    changed_by: str


_LISTS = {
    "people": tuple[str, ...],
    "permits": tuple[str, ...],
    "expected_in": tuple[tuple[int, int], ...],
    "expected_out": tuple[tuple[int, int], ...],
}


def keep(connection: Connection, visit: Visit) -> None:
    """Keep a visit in place of the earlier one of the same terminal and work order."""
    row = asdict(visit)
    put(connection, announced, [row | {n: msgspec.json.encode(row[n]).decode() for n in _LISTS}])


def find(connection: Connection, terminal: str, work_order: str) -> Visit | None:
    """The visit of a terminal's work order."""
    where = (announced.c.terminal == terminal, announced.c.work_order == work_order)
    row = connection.execute(select(announced).where(*where)).mappings().first()
    return _visit(dict(row)) if row else None


def listing(connection: Connection, begin: int, end: int, terminal: str | None = None, limit: int = 1000) -> list[Visit]:
    """Visits that touch a span (µs UTC), by their beginning."""
    query = select(announced).where(announced.c.ends >= begin, announced.c.begins < end)
    if terminal is not None:
        query = query.where(announced.c.terminal == terminal)
    order = (announced.c.begins, announced.c.terminal, announced.c.work_order)
    return [_visit(dict(row)) for row in connection.execute(query.order_by(*order).limit(limit)).mappings()]


def _visit(row: dict[str, object]) -> Visit:
    lists = {n: msgspec.json.decode(str(row[n]), type=kind) for n, kind in _LISTS.items()}
    return Visit(**(row | lists))  # type: ignore[arg-type]
