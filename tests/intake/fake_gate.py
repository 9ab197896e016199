"""A gate that keeps what it took in memory, and a place to run an intake in; they can be told to misbehave."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from jackstop.intake import Common, Full, Gate, Intake, Place
from jackstop.model.fleet import Fleet, FleetInfo, Terminal
from jackstop.model.service import Feed

LARGEST = 4 << 20
"""Bytes of one acceptance, as the gate's contract says."""


class Taken(NamedTuple):
    """One acceptance."""

    feed: str
    data: bytes
    mark: bytes
    peer: str


class Refused(NamedTuple):
    """One refusal."""

    feed: str
    data: bytes
    reason: str
    peer: str


@dataclass
class FakeGate:
    """Plays `jackstop.intake.Gate`.

    `full`: so many acceptances from now on raise `Full`, `shy`: so many declarations and ends. `faults`: errors the next
    acceptances raise, in order. `slow`: seconds an acceptance takes. `opened`: cleared, acceptances wait until it is set again.
    """

    taken: list[Taken] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    feeds: dict[str, Feed] = field(default_factory=dict)
    full: int = 0
    shy: int = 0
    retry_after: float = 0.01
    faults: list[BaseException] = field(default_factory=list)
    slow: float = 0.0
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    turned_away: int = 0
    _marks: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.opened.set()

    async def accept(self, feed: Feed, data: bytes, *, mark: bytes = b"", peer: str = "") -> int:
        assert data, "nothing to take"
        assert len(data) <= LARGEST
        await self.opened.wait()
        if self.slow:
            await asyncio.sleep(self.slow)
        if self.full:
            self.full -= 1
            self.turned_away += 1
            raise Full("too much", self.retry_after)
        if self.faults:
            raise self.faults.pop(0)
        self.feeds[feed.name] = feed
        self.taken.append(Taken(feed.name, data, mark, peer))
        self._marks[feed.name] = mark
        return len(self.taken)

    async def register(self, feed: Feed) -> None:
        self._shy()
        self.feeds[feed.name] = feed

    def _shy(self) -> None:
        if self.shy:
            self.shy -= 1
            raise Full("shy", self.retry_after)

    async def end(self, feed: Feed) -> None:
        self._shy()
        self.ended.append(feed.name)

    async def refuse(self, feed: Feed, data: bytes, reason: str, *, peer: str = "") -> None:
        self.feeds.setdefault(feed.name, feed)
        self.refused.append(Refused(feed.name, data, reason, peer))

    def mark(self, name: str) -> bytes:
        return self._marks.get(name, b"")

    def marks(self, prefix: str) -> Mapping[str, bytes]:
        return {n: m for n, m in self._marks.items() if n.startswith(prefix)}

    def data(self, name: str | None = None) -> bytes:
        """All bytes taken of a feed, in order; of all feeds without a name."""
        return b"".join(t.data for t in self.taken if name in {None, t.feed})

    def lines(self, name: str | None = None) -> list[bytes]:
        """All lines taken, without their line feeds; every acceptance must be whole lines."""
        assert all(t.data.endswith(b"\n") for t in self.taken if name in {None, t.feed})
        return self.data(name).split(b"\n")[:-1]


@dataclass
class FakePlace:
    """A place for an intake: `facts` are the last told, `history` all of them; `tokens` maps API tokens to names."""

    root: Path
    terminals: Iterable[str] = ()
    tokens: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    history: list[tuple[str, object]] = field(default_factory=list)

    def place(self) -> Place:
        """The place itself."""
        fleet = Fleet(
            fleet=FleetInfo(timezone="Europe/Paris", currency="EUR"),
            terminal=tuple(Terminal(id=t, hostname=f"PC-{t}", alarm_account=f"9{n}") for n, t in enumerate(self.terminals)),
        )
        known = {t.id: t for t in fleet.terminal}
        return Place(self.root, fleet, self._verify, self._tell, self._secret, known)

    async def _verify(self, token: str, intake: str) -> str | None:
        return self.tokens.get(token)

    def _tell(self, key: str, value: object) -> None:
        self.facts[key] = value
        self.history.append((key, value))

    def _secret(self, value: str) -> str:
        return self.secrets.get(value, value)


def gate_role(gate: FakeGate) -> Gate:
    """The fake as the role it plays, for the type checker."""
    return gate


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is so; fails when it is not in time."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.002)


class running:  # noqa: N801 - reads as `async with running(…)`
    """An intake at work for the time of a block; what it raised by itself is raised at the block's end."""

    def __init__(self, kind: Intake, config: Common, gate: FakeGate, place: FakePlace) -> None:
        self._work: Callable[[], Awaitable[None]] = lambda: kind.run(config, gate, place.place())

    async def __aenter__(self) -> "asyncio.Future[None]":
        self.task = asyncio.ensure_future(self._work())
        return self.task

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        try:
            await self.task
        except asyncio.CancelledError:
            return
