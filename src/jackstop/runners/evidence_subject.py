"""What a package of evidence is about: a case or one alert, with everything the store has of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from jackstop.model.results import RecordRef
from jackstop.store import audit, cases, queries
from jackstop.store.audit import Entry
from jackstop.store.cases import Case, Hold, Remark
from jackstop.store.database import Database
from jackstop.store.queries import AlertDetail, Revision, VerdictRow
from jackstop.store.schema import action_steps, actions

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an action: which action and of what kind, when (µs UTC), by whom, to which state, and what was said."""

    action: str
    kind: str
    at: int
    actor: str
    after: str
    note: str


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: the id of a case or an alert, the language, whether card data is left in, by whom, when (µs UTC)."""

    ident: str
    lang: str
    unmasked: bool
    actor: str
    now: int


@dataclass(frozen=True, slots=True)
class Subject:
    """A case or an alert, and what belongs to it.

    Attributes:
        ident: its id. title: of the case or the alert. case: None where it is an alert alone. alerts: those it is about, and
            those that they cite. verdicts: on which they rest. revisions: everything that was held of these. remarks, holds,
            steps: what people said, held and did. entries: of the audit log, the earliest first.
    """

    ident: str
    title: str
    case: Case | None
    alerts: tuple[AlertDetail, ...]
    verdicts: tuple[VerdictRow, ...]
    revisions: tuple[Revision, ...]
    remarks: tuple[Remark, ...]
    holds: tuple[Hold, ...]
    steps: tuple[Step, ...]
    entries: tuple[Entry, ...]

    def references(self) -> dict[RecordRef, list[str]]:
        """The records that prove it, each with the ids of the alerts and verdicts that cite it; by feed and place."""
        found: dict[RecordRef, dict[str, None]] = {}
        for detail in self.alerts:
            alert = detail.alert
            for ref in (*alert.records, *(r for f in alert.findings for r in f.records)):
                found.setdefault(ref, {})[alert.id] = None
        for row in self.verdicts:
            for ref in row.records:
                found.setdefault(ref, {})[row.id] = None
        return {ref: list(found[ref]) for ref in sorted(found, key=lambda r: (r.path, r.offset, r.length, r.sha256))}


def gather(database: Database, ident: str) -> Subject:
    """A case or an alert by its id.

    Raises:
        LookupError: there is neither of this id. StoreError: the database cannot be read.
    """
    with database.read() as connection:
        case = _case(connection, ident)
        names = cases.alerts_of(connection, ident) if case else [ident]
    alerts = _with_cited(database, names)
    if case is None and not alerts:
        raise LookupError(f"{ident!r} is neither a case nor an alert, expected the id of one")
    verdicts = [v for n in _verdicts(alerts) if (v := queries.verdict(database, n)) is not None]
    revisions = [r for v in verdicts for r in queries.verdict_history(database, v.id)]
    ids = [a.alert.id for a in alerts]
    with database.read() as connection:
        about = ([("case", ident)] if case else []) + [("alert", a) for a in ids]
        remarks = [r for subject, ref in about for r in cases.remarks_of(connection, subject, ref)]
        holds = cases.holds_of(connection, ident) if case else []
        steps = _steps(connection, ids)
        subjects = dict.fromkeys([ident, *ids, *(h.id for h in holds), *(s.action for s in steps)])
        entries = sorted((e for s in subjects for e in _entries(connection, s)), key=lambda e: e.id)
    title = case.title if case else alerts[0].alert.title
    remarks.sort(key=lambda r: r.id)
    return Subject(
        ident,
        title,
        case,
        *map(tuple, (alerts, verdicts, revisions, remarks, holds, steps, entries)),  # type: ignore[arg-type]
    )


def _case(connection: Connection, ident: str) -> Case | None:
    try:
        return cases.case(connection, ident)
    except LookupError:
        return None


def _with_cited(database: Database, names: list[str]) -> list[AlertDetail]:
    """Alerts by their ids, and those that they cite behind them."""
    found = [a for n in names if (a := queries.alert(database, n)) is not None]
    known = {a.alert.id for a in found}
    cited = dict.fromkeys(c for a in found for c in a.alert.cites if c not in known)
    return found + [a for n in cited if (a := queries.alert(database, n)) is not None]


def _verdicts(alerts: list[AlertDetail]) -> list[str]:
    named = (v for a in alerts for v in (*a.alert.verdicts, *(n for f in a.alert.findings for n in f.verdicts)))
    return list(dict.fromkeys(named))


def _steps(connection: Connection, ids: list[str]) -> list[Step]:
    """The steps of all actions for these alerts, in order."""
    s, a = action_steps.c, actions.c
    found: list[Step] = []
    for begin in range(0, len(ids), _PAGE):
        asked = select(s.action, a.kind, s.at, s.actor, s.after, s.note).join_from(action_steps, actions, a.id == s.action)
        found += [Step(*row) for row in connection.execute(asked.where(a.alert.in_(ids[begin : begin + _PAGE])).order_by(s.id))]
    return sorted(found, key=lambda step: step.at)


def _entries(connection: Connection, subject: str) -> Iterator[Entry]:
    """All rows of the audit log about one subject."""
    before: int | None = None
    while page := audit.entries(connection, before, _PAGE, subject=subject):
        yield from page
        before = page[-1].id
