"""A small fleet, a store in a file, a clock that is set, and a way that does what it is told: for tests of response."""

import asyncio
from collections import deque
from pathlib import Path
from typing import Literal

import msgspec
from sqlalchemy import event, insert

from jackstop.actions import Common, Order, Outcome, Place, Unsent
from jackstop.model.fleet import Fleet
from jackstop.model.results import SEVERITIES, Alert, Finding
from jackstop.policy import model
from jackstop.runners.responder import Responder
from jackstop.store import schema
from jackstop.store.database import Database, put

MINUTE = 60_000_000
HOUR = 60 * MINUTE
START = 1_772_330_400_000_000
NORTH = [f"N-{i}" for i in range(6)]
SOUTH = [f"S-{i}" for i in range(6)]


def fleet() -> Fleet:
    """Twelve terminals in two regions."""
    listed = [{"id": i, "region": "north" if i in NORTH else "south", "luno": f"{n:03d}"} for n, i in enumerate(NORTH + SOUTH)]
    return Fleet.model_validate({"fleet": {"timezone": "UTC", "currency": "USD"}, "terminal": listed})


POLICY = """
[response]
live = true
[[response.rule]]
severity = "high"
kinds = ["out-of-service", "open-ticket"]
[[response.rule]]
detections = ["dispense.unexplained"]
severity = "critical"
kinds = ["out-of-service"]
automatic = true
[response.limits]
per_hour = 2
region_percent = 34
fleet_percent = 25
[response.kinds.open-ticket]
approvals = 1
"""


def database(path: Path) -> Database:
    """A store with its tables; without syncs, for speed."""
    made = Database(f"sqlite:///{path / 'store.sqlite'}")
    event.listen(made.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    schema.metadata.create_all(made.engine)
    return made


class FakeConfig(Common):
    """Keys of the fake way."""

    way: Literal["fake"]


class FakeWay:
    """A way that keeps what it was given and does what it is told: ok, unsent, unsure, final, hang, or taken-then-hang."""

    Config = FakeConfig

    def __init__(self) -> None:
        self.script: deque[str] = deque()
        self.sent: list[tuple[Order, str]] = []
        self.inside: list[str] = []
        self.twice = False

    async def send(self, config: Common, order: Order, place: Place) -> Outcome:
        """See `Way.send`."""
        self.twice |= order.key in self.inside
        self.inside.append(order.key)
        try:
            word = self.script.popleft() if self.script else "ok"
            self.sent.append((order, word))
            match word:
                case "unsent":
                    raise Unsent("nobody answers")
                case "unsure":
                    raise Unsent("no answer in time", unsure=True)
                case "final":
                    raise Unsent("refused", final=True)
                case "hang" | "taken-then-hang":
                    await asyncio.Event().wait()
            return Outcome("taken", done=config.confirm == "answer")
        finally:
            self.inside.remove(order.key)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


class Scene:
    """Store, policy, way, clock and a responder over them."""

    def __init__(self, path: Path, text: str = POLICY, store: Database | None = None, **config: object) -> None:
        self.database = store or database(path)
        self.fleet, self.policy = fleet(), model.parse(text, "policy.toml")
        self.way, self.clock, self.path = FakeWay(), Clock(), path
        usual = {"way": "fake", "name": "fake", "does": ["out-of-service", "in-service", "open-ticket"], "confirm": "callback"}
        self.ways = [FakeConfig.model_validate({**usual, **config})]
        self.responder = self.fresh()

    def fresh(self) -> Responder:
        """A responder, as after a start."""
        return Responder(
            self.database, self.policy, self.ways, self.clock, fleet=self.fleet, root=self.path, find=lambda _: self.way
        )  # fmt: skip

    async def work(self) -> None:
        """Rounds until nothing is left to do; orders that hang are left alone."""
        for _ in range(20):
            done = await self.responder.round()
            for _ in range(200):
                if not [t for t in self.responder.flying() if not t.done()] or self.hanging():
                    break
                await asyncio.sleep(0.001)
            if not done and not self.responder.flying():
                return
            if self.hanging():
                return

    def hanging(self) -> bool:
        """Whether every order on its way hangs."""
        flying = [t for t in self.responder.flying() if not t.done()]
        return bool(flying) and len(self.way.inside) == len(flying)

    async def crash(self) -> None:
        """The process ends; another one starts."""
        await self.responder.close()
        self.responder = self.fresh()

    def alert(
        self, ident: str, terminals: list[str], severity: str = "critical", detection: str = "dispense.unexplained"
    ) -> None:
        """The loop writes an alert."""
        found = tuple(Finding(f"f-{ident}-{t}", detection, t, severity, self.clock.now, self.clock.now) for t in terminals)
        alert = Alert(
            ident, tuple(terminals), severity, "Cash without approval", (detection,), (), self.clock.now, self.clock.now,
            self.clock.now, 80_000, 1_600_000, "USD", (), (), (), found,
        )  # fmt: skip
        rank = SEVERITIES.index(severity)
        row = {
            "id": ident, "revision": 1, "severity": severity, "rank": rank, "title": alert.title, "terminals": "[]",
            "currency": "USD", "unexplained": 80_000, "money_at_risk": 1, "first_event": self.clock.now,
            "raised_at": self.clock.now, "updated_at": self.clock.now, "paged_at": None, "written_at": self.clock.now,
            "body": msgspec.json.encode(alert),
        }  # fmt: skip
        with self.database.write() as connection:
            put(connection, schema.alerts, [row])
            put(connection, schema.alert_terminals, [{"alert": ident, "terminal": t} for t in terminals])
            told = {"kind": "alert", "ref": ident, "revision": 1, "at": self.clock.now, "body": "{}"}
            connection.execute(insert(schema.changes).values(**told))

    def handle(self, ident: str, status: str, by: str = "ann") -> None:
        """A person closes an alert."""
        with self.database.write() as connection:
            row = {
                "alert": ident,
                "status": status,
                "assignee": None,
                "case_id": None,
                "changed_at": self.clock.now,
                "changed_by": by,
            }
            put(connection, schema.handling, [row])
            told = {"kind": "handling", "ref": ident, "revision": 1, "at": self.clock.now, "body": "{}"}
            connection.execute(insert(schema.changes).values(**told))

    def fact(self, terminal: str, fact: str, value: str) -> None:
        """The loop writes a fact."""
        with self.database.write() as connection:
            put(connection, schema.facts, [{"terminal": terminal, "fact": fact, "at": self.clock.now, "value": value, "step": 1}])
