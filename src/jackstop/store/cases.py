"""What people do with alerts: handling (who has it, how far it is), remarks, cases, legal holds.

Every function works in the caller's transaction, tells `changes` what it changed, and leaves the audit log to its caller.
"""

import secrets
from dataclasses import asdict, dataclass

import msgspec
from sqlalchemy import Connection, desc, insert, select, update

from jackstop.store.database import put
from jackstop.store.schema import alerts, cases, changes, handling, holds, remarks

STATUSES = ("new", "acknowledged", "investigating", "resolved", "false-alarm")
OPEN = STATUSES[:3]


@dataclass(frozen=True, slots=True)
class Handling:
    """How an alert stands among people."""

    alert: str
    status: str
    assignee: str | None
    case_id: str | None
    changed_at: int
    changed_by: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody said about an alert or a case."""

    id: int
    subject: str
    ref: str
    at: int
    author: str
    body: str


@dataclass(frozen=True, slots=True)
class Case:
    """An investigation over some alerts. `status`: open or closed."""

    id: str
    title: str
    status: str
    opened_at: int
    opened_by: str
    closed_at: int | None
    summary: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: what was received from `begins` to `ends` (µs UTC) is not removed while it stands."""

    id: str
    case_id: str | None
    begins: int
    ends: int
    reason: str
    placed_at: int
    placed_by: str
    released_at: int | None
    released_by: str | None


def handled(connection: Connection, alert: str) -> Handling | None:
    """How an alert stands; None where nobody has touched it."""
    row = connection.execute(select(handling).where(handling.c.alert == alert)).mappings().first()
    return Handling(**row) if row else None


def handle(
    connection: Connection,
    alert: str,
    by: str,
    at: int,
    *,
    status: str | None = None,
    assignee: str | None = None,
    case_id: str | None = None,
) -> Handling:
    """Change what is given of an alert's handling; an empty assignee or case takes it away.

    Raises:
        LookupError: no such alert. ValueError: the status is none.
    """
    if connection.execute(select(alerts.c.id).where(alerts.c.id == alert)).first() is None:
        raise LookupError(f"no alert {alert!r}")
    if status is not None and status not in STATUSES:
        raise ValueError(f"status {status!r}, expected one of: {', '.join(STATUSES)}")
    was = handled(connection, alert)
    now = Handling(
        alert,
        status if status is not None else was.status if was else "new",
        (assignee or None) if assignee is not None else was.assignee if was else None,
        (case_id or None) if case_id is not None else was.case_id if was else None,
        at,
        by,
    )
    put(connection, handling, [asdict(now)])
    _tell(connection, "handling", alert, at, {"status": now.status, "assignee": now.assignee, "case": now.case_id})
    return now


def remark(connection: Connection, subject: str, ref: str, author: str, body: str, at: int) -> int:
    """Add a remark to an alert or a case, and give its number.

    Raises:
        LookupError: there is no such alert or case. ValueError: `subject` is neither.
    """
    table = {"alert": alerts, "case": cases}.get(subject)
    if table is None:
        raise ValueError(f"subject {subject!r}, expected alert or case")
    if connection.execute(select(table.c.id).where(table.c.id == ref)).first() is None:
        raise LookupError(f"no {subject} {ref!r}")
    made = connection.execute(insert(remarks).values(subject=subject, ref=ref, at=at, author=author, body=body))
    number = int(made.inserted_primary_key[0])  # type: ignore[index]
    _tell(connection, "handling" if subject == "alert" else "case", ref, at, {"remark": number, "author": author})
    return number


def remarks_of(connection: Connection, subject: str, ref: str) -> list[Remark]:
    """The remarks on an alert or a case, oldest first."""
    query = select(remarks).where(remarks.c.subject == subject, remarks.c.ref == ref).order_by(remarks.c.id)
    return [Remark(**row) for row in connection.execute(query).mappings()]


def open_case(connection: Connection, title: str, by: str, at: int) -> Case:
    """Open a case."""
    made = Case(f"case-{secrets.token_hex(6)}", title, "open", at, by, None, "")
    connection.execute(insert(cases).values(**asdict(made)))
    _tell(connection, "case", made.id, at, {"status": "open", "title": title})
    return made


def case(connection: Connection, ident: str) -> Case:
    """A case.

    Raises:
        LookupError: there is none of this id.
    """
    row = connection.execute(select(cases).where(cases.c.id == ident)).mappings().first()
    if row is None:
        raise LookupError(f"no case {ident!r}")
    return Case(**row)


def listing(connection: Connection, status: str = "", before: tuple[int, str] | None = None, limit: int = 100) -> list[Case]:
    """Cases, newest first; `before` is the last one seen (opened_at, id)."""
    query = select(cases).order_by(desc(cases.c.opened_at), desc(cases.c.id)).limit(limit)
    if status:
        query = query.where(cases.c.status == status)
    if before is not None:
        at, ident = before
        query = query.where((cases.c.opened_at < at) | ((cases.c.opened_at == at) & (cases.c.id < ident)))
    return [Case(**row) for row in connection.execute(query).mappings()]


def close_case(connection: Connection, ident: str, summary: str, at: int) -> Case:
    """Close a case with what came of it.

    Raises:
        LookupError: no such case. ValueError: it is closed already.
    """
    if case(connection, ident).status == "closed":
        raise ValueError(f"case {ident!r} is closed already")
    connection.execute(update(cases).where(cases.c.id == ident).values(status="closed", closed_at=at, summary=summary))
    _tell(connection, "case", ident, at, {"status": "closed"})
    return case(connection, ident)


def alerts_of(connection: Connection, ident: str) -> list[str]:
    """The ids of a case's alerts."""
    return [
        r.alert
        for r in connection.execute(select(handling.c.alert).where(handling.c.case_id == ident).order_by(handling.c.alert))
    ]


def place_hold(connection: Connection, case_id: str | None, begins: int, ends: int, reason: str, by: str, at: int) -> Hold:
    """Place a legal hold on what was received in a span (µs UTC).

    Raises:
        LookupError: no such case. ValueError: the span is empty.
    """
    if case_id is not None:
        case(connection, case_id)
    if ends <= begins:
        raise ValueError("the hold ends before it begins, expected an end after its beginning")
    made = Hold(f"hold-{secrets.token_hex(6)}", case_id, begins, ends, reason, at, by, None, None)
    connection.execute(insert(holds).values(**asdict(made)))
    return made


def release_hold(connection: Connection, ident: str, by: str, at: int) -> Hold:
    """Release a hold.

    Raises:
        LookupError: there is none of this id that stands.
    """
    query = update(holds).where(holds.c.id == ident, holds.c.released_at.is_(None)).values(released_at=at, released_by=by)
    if connection.execute(query).rowcount != 1:
        raise LookupError(f"no standing hold {ident!r}")
    return next(h for h in holds_of(connection) if h.id == ident)


def holds_of(connection: Connection, case_id: str | None = None) -> list[Hold]:
    """Holds, newest first, of one case or all; released ones too."""
    query = select(holds).order_by(desc(holds.c.placed_at), holds.c.id)
    if case_id is not None:
        query = query.where(holds.c.case_id == case_id)
    return [Hold(**row) for row in connection.execute(query).mappings()]


def _tell(connection: Connection, kind: str, ref: str, at: int, body: dict[str, object]) -> None:
    connection.execute(insert(changes).values(kind=kind, ref=ref, revision=0, at=at, body=msgspec.json.encode(body).decode()))
