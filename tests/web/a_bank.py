"""A small bank with its API: a fleet, some decisions, people of every role, and a clock that tests turn."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import polars as pl
import pyotp
from fastapi import FastAPI
from sqlalchemy import insert

from jackstop.actions import Common
from jackstop.kpi import HOURS
from jackstop.model.fleet import Fleet
from jackstop.model.results import VERDICTS, Alert, Finding, RecordRef, TimelineEntry
from jackstop.model.service import Declared
from jackstop.policy.allowed import KINDS
from jackstop.policy.interlock import Answer, Request
from jackstop.policy.response import Action, Told
from jackstop.store import actions, cases, people, tokens
from jackstop.store.database import Database
from jackstop.store.live import Decided, Fact, FeedAccount, Live
from jackstop.store.schema import dead_letters, metadata
from jackstop.web import app as apps
from jackstop.web import login, passwords
from jackstop.web.context import Context
from jackstop.web.keys import Keyring
from jackstop.web.limits import Limits

START = 1_772_330_400_000_000
"""2026-03-01 02:00 UTC."""
SECOND = 1_000_000
PASSWORD = "otter-violin-harbour-19"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
_HASH = passwords.hashed(PASSWORD)
ROLES = people.ROLES

FLEET = Fleet.model_validate(
    {
        "fleet": {"name": "Example Bank", "timezone": "America/New_York", "currency": "USD"},
        "terminal": [
            {"id": "ATM-0001", "luno": "001", "hostname": "ATM0001", "site": {"kind": "indoor", "open": "09:00-17:00"}},
            {"id": "ATM-0002"},
        ],
    }
)
RECORD = RecordRef("logs/ATM-0001/a.nwlog", 1234, 210, "ab" * 32)
WHY = (("detail", "no-authorisation"),)
FINDING = Finding(
    "f1", "dispense.unexplained", "ATM-0001", "critical", START, START + SECOND, WHY, 80_000, "USD", (RECORD,)
)  # fmt: skip
ALERT = Alert(
    id="a1",
    terminals=("ATM-0001",),
    severity="critical",
    title="Cash left with no authorisation",
    detections=("dispense.unexplained",),
    attack=("T1106",),
    first_event=START,
    raised_at=START + SECOND,
    updated_at=START + SECOND,
    unexplained=80_000,
    money_at_risk=1_600_000,
    currency="USD",
    visits=(),
    verdicts=("m1",),
    records=(RECORD,),
    findings=(FINDING,),
    paged_at=START + SECOND,
)
VERDICT = {
    "id": "m1", "terminal": "ATM-0001", "kind": "episode", "time": START, "currency": "USD", "picked": 80_000,
    "presented": 80_000, "retained": 80_000, "verdict": "unexplained", "reason": "no-authorisation", "explained_by": [],
    "gates_failed": ["time"], "sources_missing": [], "offset_ms": 120, "uncertainty_ms": 500, "decided_at": START + SECOND,
    "records": [{"path": RECORD.path, "offset": RECORD.offset, "length": RECORD.length, "sha256": RECORD.sha256}],
}  # fmt: skip


class Clock:
    """A clock that stands until it is turned."""

    def __init__(self, now: int = START + 60 * SECOND) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


class Line:
    """Takes visits as the service would, unless it is told to be down."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.down = False

    async def __call__(self, lines: bytes) -> None:
        if self.down:
            raise ConnectionError("the service takes nothing now")
        self.taken.append(lines)


class Lock:
    """An interlock that says the same to everybody, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Request, str]] = []

    def answer(self, terminal: str, request: Request, peer: str = "") -> Answer:
        self.asked.append((terminal, request, peer))
        return Answer(terminal, "allow", "allow", (), None, (), "policy-1", START, request.id)


class Past:
    """A history with one event."""

    def timeline(self, terminal: str, begin: int, end: int, limit: int) -> list[TimelineEntry]:
        event = TimelineEntry(START, "cash", "dispensed", "", 80_000, "unexplained", RECORD)
        return [event][:limit] if begin <= START < end and terminal == "ATM-0001" else []


@dataclass
class Bank:
    """The bank: its parts, and how tests reach them."""

    context: Context
    app: FastAPI
    clock: Clock
    line: Line
    lock: Lock
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: dict[str, str] = field(default_factory=dict)

    def client(self, address: str = "192.0.2.7", **headers: str) -> httpx.AsyncClient:
        """A browser or program at an address."""
        transport = httpx.ASGITransport(self.app, client=(address, 40000))
        return httpx.AsyncClient(transport=transport, base_url=self.url, headers=headers)

    @property
    def url(self) -> str:
        return apps.here(self.context)

    def logged_in(self, role: str) -> httpx.AsyncClient:
        """A browser of somebody of a role, with the session's token in each call."""
        name = f"{role}-1"
        self.person(name, role)
        cookie, csrf = self.session(name)
        client = self.client(**{"x-csrf-token": csrf})
        client.cookies.set("__Host-jackstop" if self.context.secure else "jackstop", cookie)
        return client

    def holding(self, *scopes: str) -> httpx.AsyncClient:
        """A program with a token."""
        return self.client(authorization=f"Bearer {self.token(*scopes)}")

    def person(self, name: str, role: str) -> None:
        """A user who can log in."""
        with self.context.database.write() as connection:
            if people.find(connection, name) is None:
                people.add(connection, name, role, self.clock())
                sealed = self.context.keyring.seal(SECRET.encode(), login.SEALED_FOR + name)
                people.enrol(connection, name, _HASH, sealed, 0)

    def session(self, name: str) -> tuple[str, str]:
        """A session of a user: the cookie, and its token."""
        if name not in self.cookies:
            with self.context.database.write() as connection:
                user = people.find(connection, name)
                assert user is not None
                opened = login.begin(connection, self.context, user, "192.0.2.7")
            self.cookies[name], self.csrf[name] = opened.secret, opened.session.csrf
        return self.cookies[name], self.csrf[name]

    def token(self, *scopes: str, days: int = 30) -> str:
        """A token's secret."""
        with self.context.database.write() as connection:
            ends = self.clock() + days * 86_400 * SECOND
            _, secret = tokens.make(connection, "-".join(s.replace(":", "-") for s in scopes), scopes, "test", self.clock(), ends)
        self.app.state.doors.tokens.forget()
        return secret

    def code(self) -> str:
        """The one-time code of now."""
        return pyotp.TOTP(SECRET).at(self.clock() // SECOND)


def bank(folder, declared: Mapping[str, object] | None = None, limits: Limits | None = None, **more: object) -> Bank:
    """A bank in a folder."""
    database = more.pop("database", None) or _copied(folder)
    clock, line, lock = Clock(), Line(), Lock()
    context = Context(
        database=database,
        fleet=FLEET,
        declared=Declared.model_validate(declared or {}),
        clock=clock,
        keyring=Keyring.open(folder / "keys"),
        accept_visits=line,
        interlock=lock,
        ways=(Common(way="webhook", name="guard", does=KINDS),),
        health=lambda: {"loop": {"ok": True, "behind": 0}},
        history=Past(),
        limits=limits or Limits(calls=10_000, burst=10_000, strange=10_000, strange_burst=10_000),
    )
    context = replace(context, **more)
    return Bank(context, apps.create(context), clock, line, lock)


def _copied(folder: Path) -> Database:
    (folder / "web.sqlite").write_bytes(_decided())
    return Database(f"sqlite:///{folder / 'web.sqlite'}")


@cache
def _decided() -> bytes:
    """A database with some decisions, made once."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made.sqlite"
        database = Database(f"sqlite:///{path}")
        metadata.create_all(database.engine)
        decide(database)
        database.close()
        return path.read_bytes()


def decide(database: Database) -> None:
    """One alert, one verdict, one fact, one feed, one case with a hold, one action, one dead letter."""
    frame = pl.DataFrame([VERDICT], schema={n: pl.Int64() if n in {"time", "decided_at"} else t for n, t in VERDICTS.items()})
    moved = frame.with_columns(pl.from_epoch(c, "us").dt.replace_time_zone("UTC").alias(c) for c in ("time", "decided_at"))
    feed = FeedAccount("edge/ATM-0001", "nextware-trace", "ATM-0001", 10, 9, 1, 0, 9, START, START, START, {"not UTF-8": 1})
    known = [Fact("ATM-0001", "opened:safe", START, '"door"')]
    hours = pl.DataFrame(schema=HOURS)
    Live(database).commit(Decided(1, START + SECOND, START + SECOND, moved, [ALERT], hours, known, [feed]))
    with database.write() as connection:
        case = cases.open_case(connection, "Night of March", "analyst-1", START)
        cases.place_hold(connection, case.id, START, START + SECOND, "police", "approver-1", START)
        told = Told(title="Cash left with no authorisation", severity="critical")
        action = Action("act1", "dispatch-guard", "ATM-0001", "", "a1", told, "jackstop", START, START + 10**12)
        actions.propose(connection, action, "jackstop")
        lost = {"sink": "siem", "change_id": 1, "key": "a1:1", "at": START, "attempts": 3, "fault": "400", "body": b"{}"}
        connection.execute(insert(dead_letters).values(**lost))
