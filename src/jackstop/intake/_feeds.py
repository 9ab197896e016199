"""The feeds of one intake: its own, one of each terminal, one of each source; bounded, whatever a sender names."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

from jackstop.intake import Common, Full, Gate, Place
from jackstop.model.fleet import Terminal
from jackstop.model.service import Feed, feed

LONGEST = 300
"""Characters of a source's name at most."""

_AT_ONCE = 1000
_LONGEST_WAIT = 5.0


class Unknown(ValueError):
    """No feed is meant by what a sender named; the message says why and what was expected."""


class Feeds:
    """The feeds of one intake, made when they are first named.

    Names: `NAME`, `NAME/TERMINAL`, `NAME/SOURCE`, `NAME/TERMINAL/SOURCE`; a declared feed bears the name it was declared with.

    Args:
        config: the intake's keys. place: gives the fleet. most: feeds of sources at most; 0 is none.
        per_terminal: a terminal must be named. declared: sources must be declared.
    """

    def __init__(
        self, config: Common, place: Place, most: int = 0, *, per_terminal: bool = False, declared: bool = False
    ) -> None:
        self._config, self._place, self._most = config, place, most
        self._per_terminal, self._only_declared = per_terminal, declared
        self._terminals = terminals(place)
        self._made: dict[tuple[str | None, str | None], Feed] = {}
        self._names: set[str] = set()
        self._declared: dict[str, Feed] = {}
        self._sources = 0
        self._spec = _spec(config, place.root)

    @property
    def own(self) -> Feed:
        """The feed of all that names neither terminal nor source."""
        return self._made.get((None, None)) or self._make(None, None)

    def of(self, terminal: str | None = None, source: str | None = None) -> Feed:
        """The feed of a terminal (its id, or its host name in any case) and a source.

        Raises:
            Unknown: there is no such terminal, one must be named, sources are not taken, or there are too many of them.
        """
        if source is not None and (known := self._declared.get(source)) is not None:
            return known
        if source is not None and self._only_declared:
            raise Unknown(f"source {source[:80]!r} is not declared, expected a declaration before its bytes")
        found = None
        if terminal is not None:
            found = self._terminals.get(terminal) or self._terminals.get(terminal.casefold())
            if found is None:
                raise Unknown(f"terminal {terminal[:80]!r} is not in this fleet, expected a known one")
        elif self._per_terminal:
            raise Unknown("no terminal is named, expected one")
        made = self._made.get((found.id if found else None, source))
        return made if made is not None else self._make(found, source)

    def every_terminal(self) -> Iterator[Feed]:
        """A feed of each terminal of the fleet."""
        return (self.of(t.id) for t in self._place.fleet.terminal)

    def declare(self, declared: Feed) -> None:
        """Take a feed as its sender declares it.

        Raises:
            Unknown: it names no terminal of the fleet, or there are too many.
        """
        if declared.reading.terminal is not None and declared.reading.terminal not in self._terminals:
            raise Unknown(f"terminal {declared.reading.terminal[:80]!r} is not in this fleet, expected a known one")
        if declared.name in self._names:
            raise Unknown(f"feed {declared.name[:80]!r} is one of this intake's own, expected another name")
        if declared.name not in self._declared:
            self._room(declared.name)
        self._declared[declared.name] = declared

    def _make(self, terminal: Terminal | None, source: str | None) -> Feed:
        if source is not None:
            self._room(source)
        place = terminal.id if terminal else None
        name = "/".join(p for p in (self._config.name, place, source) if p is not None)
        if name in self._names:
            raise Unknown(f"source {source!r} makes the name of another feed, expected one of its own")
        made = self._made[place, source] = self._feed(name, terminal)
        self._names.add(name)
        self._sources += source is not None
        return made

    def _room(self, source: str) -> None:
        if not 0 < len(source) <= LONGEST or not source.isprintable():
            raise Unknown(f"source {source[:80]!r}, expected 1 to {LONGEST} printable characters")
        if self._sources + len(self._declared) >= self._most:
            raise Unknown(f"more than {self._most} sources, expected fewer (key `sources`)")

    def _feed(self, name: str, terminal: Terminal | None) -> Feed:
        named = terminal or self._terminals.get(self._config.terminal or "")
        fleet = self._place.fleet.fleet
        zone = (named and named.timezone) or fleet.timezone
        currency = (named and named.currency) or fleet.currency
        readable = self._config.model_copy(update={"spec": self._spec})
        return feed(readable, name, zone, currency, terminal.id if terminal else None)


async def known(gate: Gate, feeds: Iterable[Feed]) -> None:
    """Make feeds known before their first bytes, many at once; waits while the gate is full."""
    left = list(feeds)
    while left:
        now, left = left[:_AT_ONCE], left[_AT_ONCE:]
        ended = await asyncio.gather(*(gate.register(one) for one in now), return_exceptions=True)
        again = 0.0
        for one, fault in zip(now, ended, strict=True):
            if isinstance(fault, Full):
                left.append(one)
                again = max(again, fault.retry_after)
            elif fault is not None:
                raise fault
        await asyncio.sleep(min(again, _LONGEST_WAIT))


def terminals(place: Place) -> dict[str, Terminal]:
    """Terminals by id, and by host name without regard to case; an id goes before a host name."""
    hosts = {t.hostname.casefold(): t for t in place.fleet.terminal if t.hostname}
    return hosts | {t.id: t for t in place.fleet.terminal}


def _spec(config: Common, root: Path) -> str | None:
    """The text of the sidecar specification."""
    return (root / config.spec).read_text("utf-8") if config.spec else None
