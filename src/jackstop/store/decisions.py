"""Verdicts, alerts, hours, facts and feeds of one step, put into the live store within its transaction.

A row that says the same as the one that is there is not written; one that says something else gets the next revision.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
import polars as pl
from sqlalchemy import Connection, case, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from jackstop.kpi.hourly import LEVEL
from jackstop.model.results import SEVERITIES, VERDICTS, Alert
from jackstop.model.written import json
from jackstop.store.database import put
from jackstop.store.schema import alert_terminals, alerts, changes, facts, feeds, hours, verdict_history, verdicts

_T = TypeVar("_T")
Row = dict[str, object]
"""One row of a table: column to value."""

LISTS = ("explained_by", "gates_failed", "sources_missing", "records")
"""Columns of verdicts that are JSON."""

_NAMES = tuple(VERDICTS)
_WEIGHED = ("verdict", "reason", "picked", "presented", "retained")
"""What makes another revision of a verdict."""

_GRAVE = ("unexplained", "contradicted")
_PIECE = 500


def text(value: str, most: int) -> str:
    """Text as both databases take it: no NUL, and of bounded length (a longer one ends in a digest of the whole)."""
    clean = value.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
    if len(clean) <= most:
        return clean
    digest = hashlib.sha256(clean.encode()).hexdigest()[:16]
    return f"{clean[: most - 17]}~{digest}" if most > 17 else clean[:most]


def put_verdicts(connection: Connection, given: pl.DataFrame, at: int, cause: str) -> list[Row]:
    """Verdicts (`results.VERDICTS`) in the order given; gives the changes worth telling others.

    The instant of a movement's first verdict stays. A revision is one of verdict, reason or amounts.
    """
    if not given.height:
        return []
    known = _known(connection, given["id"].unique().to_list())
    history: list[Row] = []
    told: list[Row] = []
    touched: dict[str, Row] = {}
    for row in _plain(given):
        name = str(row["id"])
        before = known.get(name)
        after = _merged(before, row)
        if before is not None and all(before[n] == after[n] for n in (*_NAMES, "revision")):
            continue
        known[name] = touched[name] = after
        if before is not None and before["revision"] == after["revision"]:
            continue
        why = _cause(before, row, cause)
        kept: Row = {n: row[n] for n in (*_WEIGHED, "decided_at")}
        history.append({"verdict_id": name, "revision": after["revision"], **kept, "written_at": at, "cause": why})
        if _worth_telling(before, row):
            told.append(_verdict_change(after, at, why))
    put(connection, verdicts, list(touched.values()))
    put(connection, verdict_history, history)
    return told


def put_alerts(connection: Connection, given: Sequence[Alert], at: int) -> list[Row]:
    """Alerts that are new or say something else; gives the changes worth telling others."""
    if not given:
        return []
    known: dict[str, tuple[int, bytes]] = {}
    names = [a.id for a in given]
    for some in _pieces(names):
        found = connection.execute(select(alerts.c.id, alerts.c.revision, alerts.c.body).where(alerts.c.id.in_(some)))
        known.update((i, (r, bytes(b))) for i, r, b in found)
    rows: dict[str, Row] = {}
    told: list[Row] = []
    for alert in given:
        body = msgspec.json.encode(alert)
        revision, before = known.get(alert.id, (0, b""))
        if body == before:
            continue
        known[alert.id] = (revision + 1, body)
        rows[alert.id] = _alert_row(alert, revision + 1, body, at)
        told.append(_alert_change(alert, revision + 1, at))
    put(connection, alerts, list(rows.values()))
    _put_terminals(connection, [a for a in given if a.id in rows])
    return told


def add_hours(connection: Connection, given: pl.DataFrame) -> None:
    """Add hourly counts (`kpi.HOURS`) to those that are there; of levels the latest stays."""
    rows = given.select("terminal", "hour", "measure", "at", "amount").rows()
    made = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = made(hours)
    new, c = statement.excluded, hours.c
    counted = case((c.measure.not_like(f"{LEVEL}%"), c.amount + new.amount), (new.at >= c.at, new.amount), else_=c.amount)
    adding = statement.on_conflict_do_update(
        index_elements=["terminal", "hour", "measure"],
        set_={"at": case((new.at >= c.at, new.at), else_=c.at), "amount": counted},
    )
    for some in _pieces(rows):
        shown = [{"terminal": text(t, 200), "hour": h, "measure": text(m, 60), "at": a, "amount": n} for t, h, m, a, n in some]
        connection.execute(adding, shown)


def put_facts(connection: Connection, given: Sequence[tuple[str, str, int, str]], step: int) -> None:
    """Facts (terminal, fact, at, value); those that changed carry the step. An earlier one that comes late changes nothing."""
    made = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = made(facts)
    new = statement.excluded
    changing = statement.on_conflict_do_update(
        index_elements=["terminal", "fact"],
        set_={"at": new.at, "value": new.value, "step": new.step},
        where=(new.at > facts.c.at) | ((new.at == facts.c.at) & (facts.c.value != new.value)),
    )
    latest = {(t, f): (a, v) for t, f, a, v in given}
    rows = [
        {"terminal": text(t, 200), "fact": text(f, 40), "at": a, "value": v.replace("\x00", "\\u0000"), "step": step}
        for (t, f), (a, v) in latest.items()
    ]
    for some in _pieces(rows):
        connection.execute(changing, some)


def put_feeds(connection: Connection, given: Iterable[Row]) -> None:
    """Accounts of feeds as they stand now; `reasons` is a mapping."""
    rows = {}
    for row in given:
        terminal = row["terminal"]
        name = text(str(row["name"]), 400)
        rows[name] = row | {
            "name": name,
            "format": text(str(row["format"]), 40),
            "terminal": None if terminal is None else text(str(terminal), 200),
            "reasons": json(row["reasons"]),
        }
    put(connection, feeds, list(rows.values()))


def announce(connection: Connection, told: Sequence[Row]) -> None:
    """Add rows of `changes` (kind, ref, revision, at, body)."""
    for some in _pieces(told):
        connection.execute(insert(changes), some)


def _known(connection: Connection, names: Sequence[str]) -> dict[str, Row]:
    """The verdicts that hold of these movements, by id."""
    columns = [verdicts.c[n] for n in (*_NAMES, "revision")]
    found: dict[str, Row] = {}
    for some in _pieces(names):
        rows = connection.execute(select(*columns).where(verdicts.c.id.in_(some))).mappings()
        found.update((str(r["id"]), dict(r)) for r in rows)
    return found


def _plain(given: pl.DataFrame) -> Iterable[Row]:
    """Verdict rows as the table holds them, without their revision."""
    as_json = [
        pl.struct(n).struct.json_encode().str.strip_prefix(f'{{"{n}":').str.strip_suffix("}").replace("null", "[]").alias(n)
        for n in LISTS
    ]
    shown = given.with_columns(
        pl.col("time", "decided_at").to_physical(),
        pl.col("kind", "verdict").cast(pl.String),
        pl.col("terminal", "reason").fill_null("").str.replace_all("\x00", "\\x00", literal=True),
        pl.col("currency").str.replace_all("\x00", "", literal=True).str.slice(0, 3),
        *as_json,
    )
    return shown.select(_NAMES).iter_rows(named=True)


def _merged(before: Row | None, row: Row) -> Row:
    """A verdict row on top of the one that held."""
    if before is None:
        return row | {"revision": 1}
    differs = any(before[n] != row[n] for n in _WEIGHED)
    return row | {"revision": _whole(before["revision"]) + differs, "decided_at": before["decided_at"]}


def _cause(before: Row | None, row: Row, cause: str) -> str:
    """Why a verdict is revised: first, amounts, reversal, decided (no longer pending), or what the step says."""
    if before is None:
        return "first"
    if cause:
        return cause
    if before["verdict"] == row["verdict"] and before["reason"] == row["reason"]:
        return "amounts"
    return "reversal" if row["reason"] == "reversed-after-taken" else "decided"


def _worth_telling(before: Row | None, row: Row) -> bool:
    """Whether others follow this: money nothing explains, or a word taken back."""
    if row["verdict"] in _GRAVE:
        return True
    return before is not None and before["verdict"] != "pending" and before["verdict"] != row["verdict"]


def _verdict_change(row: Row, at: int, cause: str) -> Row:
    shown = {n: row[n] for n in ("id", "terminal", "kind", "verdict", "reason", "time", "currency", "picked")}
    body = json(shown | {"cause": cause})
    return {"kind": "verdict", "ref": row["id"], "revision": row["revision"], "at": at, "body": body}


def _alert_row(alert: Alert, revision: int, body: bytes, at: int) -> Row:
    return {
        "id": alert.id,
        "revision": revision,
        "severity": alert.severity,
        "rank": SEVERITIES.index(alert.severity),
        "title": text(alert.title, 1000),
        "terminals": json(alert.terminals),
        "currency": text(alert.currency, 3),
        "unexplained": alert.unexplained,
        "money_at_risk": alert.money_at_risk,
        "first_event": alert.first_event,
        "raised_at": alert.raised_at,
        "updated_at": alert.updated_at,
        "paged_at": alert.paged_at,
        "written_at": at,
        "body": body,
    }


def _alert_change(alert: Alert, revision: int, at: int) -> Row:
    shown: Mapping[str, object] = {
        "id": alert.id,
        "severity": alert.severity,
        "title": alert.title,
        "terminals": alert.terminals,
        "first_event": alert.first_event,
        "raised_at": alert.raised_at,
        "updated_at": alert.updated_at,
        "paged_at": alert.paged_at,
        "unexplained": alert.unexplained,
        "money_at_risk": alert.money_at_risk,
        "currency": alert.currency,
    }
    return {"kind": "alert", "ref": alert.id, "revision": revision, "at": at, "body": json(shown)}


def _put_terminals(connection: Connection, changed: Sequence[Alert]) -> None:
    """Which terminals each alert concerns."""
    for some in _pieces([a.id for a in changed]):
        connection.execute(delete(alert_terminals).where(alert_terminals.c.alert.in_(some)))
    pairs = {(a.id, t) for a in changed for t in a.terminals}
    put(connection, alert_terminals, [{"alert": a, "terminal": text(t, 200)} for a, t in sorted(pairs)])


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _pieces(listed: Sequence[_T]) -> Iterable[Sequence[_T]]:
    return (listed[i : i + _PIECE] for i in range(0, len(listed), _PIECE))
