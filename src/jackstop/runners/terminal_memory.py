"""What the interlock remembers of each terminal, read from the store piece by piece: facts, open alerts, cash paid, resets."""

from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, select

from jackstop.model.results import SEVERITIES
from jackstop.model.settings import SECOND
from jackstop.policy.interlock import Facts, Open
from jackstop.store import schema, switches
from jackstop.store.database import Database
from jackstop.store.live import WATERMARK

NEVER = 2**62
WHOLE = 30 * SECOND
"""µs after which open alerts are read whole, whatever the changes said."""

_UNUSED = ("last-seen", "cash-out")
_DONE = ("resolved", "false-alarm")
_GRAVE = SEVERITIES.index("medium")
_PIECE = 400


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of one terminal (see `policy.interlock.Situation`)."""

    facts: Facts = field(default_factory=dict)
    alerts: tuple[Open, ...] = ()
    reset: int = -NEVER


_NOTHING = Remembered()


class Memory:
    """What is known of every terminal. One thread refreshes; others may look meanwhile and see a whole, if older, state.

    Args:
        database: the live store. window: µs of cash paid to be remembered; 0: none.
    """

    def __init__(self, database: Database, window: int) -> None:
        self.window = window
        self._database = database
        self._known: dict[str, Remembered] = {}
        self._paid: dict[str, tuple[tuple[int, int], ...]] = {}
        self._alerts: dict[str, tuple[tuple[str, ...], Open]] = {}
        self._step, self._change, self._decided, self._whole_at = -1, -1, -NEVER, -NEVER
        self._read_at = self._alive_at = self._watermark = -NEVER

    def of(self, terminal: str) -> Remembered:
        """What is known of a terminal."""
        return self._known.get(terminal, _NOTHING)

    def paid(self, terminal: str) -> tuple[tuple[int, int], ...] | None:
        """What left a terminal within the window, as (µs UTC, minor units), oldest first; None: nothing was read yet."""
        return self._paid.get(terminal, ()) if self._read_at > -NEVER else None

    def age(self, now: int) -> int:
        """How old what is known is (µs): since the store was read, the loop wrote, or its time came on."""
        return now - min(self._read_at, self._alive_at, self._watermark)

    def refresh(self, now: int) -> None:
        """Read what is new.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._database.read() as connection:
            alive = connection.execute(
                select(schema.keep.c.value, schema.keep.c.at).where(schema.keep.c.name == WATERMARK)
            ).first()  # fmt: skip
            self._read_facts(connection)
            self._read_alerts(connection, now)
            self._read_resets(connection)
            if self.window:
                self._read_paid(connection, now)
        if alive is not None and bytes(alive.value).lstrip(b"-").isdigit():
            self._watermark, self._alive_at = int(alive.value), alive.at
        self._read_at = now

    def _set(self, terminal: str, **changes: object) -> None:
        self._known[terminal] = replace(self._known.get(terminal, _NOTHING), **changes)  # type: ignore[arg-type]

    def _read_facts(self, connection: Connection) -> None:
        f = schema.facts.c
        query = select(f.terminal, f.fact, f.at, f.value, f.step).where(f.step > self._step, f.fact.not_in(_UNUSED))
        fresh: dict[str, dict[str, tuple[int, str]]] = {}
        last = self._step
        for terminal, fact, at, value, step in connection.execute(query):
            last = max(last, step)
            if not fact.startswith("level:"):
                fresh.setdefault(terminal, {})[fact] = (at, value)
        for terminal, news in fresh.items():
            known = self.of(terminal).facts
            later = {n: v for n, v in news.items() if n not in known or known[n][0] <= v[0]}
            self._set(terminal, facts={**known, **later})
        self._step = last

    def _read_alerts(self, connection: Connection, now: int) -> None:
        """Open alerts: those that changes name, and now and then all."""
        c = schema.changes.c
        if now - self._whole_at > WHOLE:
            self._change = connection.execute(select(c.id).order_by(c.id.desc()).limit(1)).scalar() or 0
            self._replace(self._open(connection, None), set(self._alerts))
            self._whole_at = now
            return
        rows = connection.execute(select(c.id, c.ref).where(c.id > self._change, c.kind.in_(["alert", "handling"]))).all()
        if rows:
            self._change = max(row.id for row in rows)
            refs = sorted({row.ref for row in rows})
            for begin in range(0, len(refs), _PIECE):
                some = refs[begin : begin + _PIECE]
                self._replace(self._open(connection, some), set(some))

    def _open(self, connection: Connection, refs: list[str] | None) -> dict[str, tuple[tuple[str, ...], Open]]:
        """Alerts nobody has closed, by id: their terminals, and what they are."""
        a, h, t = schema.alerts, schema.handling, schema.alert_terminals
        joined = a.join(t, t.c.alert == a.c.id).outerjoin(h, h.c.alert == a.c.id)
        still = (a.c.rank >= _GRAVE) & (h.c.status.is_(None) | h.c.status.not_in(_DONE))
        query = select(a.c.id, a.c.severity, t.c.terminal).select_from(joined).where(still)
        if refs is not None:
            query = query.where(a.c.id.in_(refs))
        found: dict[str, tuple[tuple[str, ...], Open]] = {}
        for ident, severity, terminal in connection.execute(query):
            places = found[ident][0] if ident in found else ()
            found[ident] = ((*places, terminal), Open(ident, severity))
        return found

    def _replace(self, found: dict[str, tuple[tuple[str, ...], Open]], looked: set[str]) -> None:
        """The alerts looked at as they stand now; those not found are closed."""
        touched = {t for i in looked | set(found) for t in (*self._alerts.get(i, ((), None))[0], *found.get(i, ((), None))[0])}
        for ident in looked:
            self._alerts.pop(ident, None)
        self._alerts.update(found)
        by_terminal: dict[str, list[Open]] = {t: [] for t in touched}
        for places, opened in self._alerts.values():
            for place in places:
                if place in by_terminal:
                    by_terminal[place].append(opened)
        for terminal, alerts in by_terminal.items():
            self._set(terminal, alerts=tuple(sorted(alerts, key=lambda o: (-SEVERITIES.index(o.severity), o.id))))

    def _read_resets(self, connection: Connection) -> None:
        for terminal, at in switches.resets(connection).items():
            if self.of(terminal).reset != at:
                self._set(terminal, reset=at)

    def _read_paid(self, connection: Connection, now: int) -> None:
        """Movements decided since the last look, whatever their verdict."""
        v = schema.verdicts.c
        since = max(self._decided, now - self.window - 3600 * SECOND)
        query = select(v.terminal, v.time, v.picked, v.decided_at).where(v.decided_at > since, v.kind == "episode", v.picked > 0)
        fresh: dict[str, list[tuple[int, int]]] = {}
        for terminal, time, picked, decided in connection.execute(query):
            fresh.setdefault(terminal, []).append((time, picked))
            self._decided = max(self._decided, decided)
        for terminal, news in fresh.items():
            kept = [p for p in (*self._paid.get(terminal, ()), *news) if p[0] > now - self.window]
            self._paid[terminal] = tuple(sorted(kept))
