"""What the ledger knows of each source: its format, whose clock stamps it, how late its rows usually arrive."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl

from jackstop import formats


@dataclass(frozen=True, slots=True)
class Stream:
    """One source: `name` as in rows, `format` id, `latency` in µs, the one `terminal` it belongs to or None."""

    name: str
    format: str
    latency: int = 0
    terminal: str | None = None

    @property
    def is_host(self) -> bool:
        """Whether it can tell of authorisations."""
        return "host" in _known(self.format)[1]

    @property
    def is_journal(self) -> bool:
        """Whether it is a journal: the application's own account."""
        return self.clock == "journal"

    @property
    def group(self) -> str:
        """Feeds that live and fall silent together: a fleet-wide feed is one, a terminal's own is its own."""
        return self.format if self.terminal is None else f"{self.format}/{self.terminal}"

    @property
    def clock(self) -> str:
        """The clock that stamps it: trace, journal, pc or host (the reference)."""
        return _known(self.format)[0]


@cache
def _known(name: str) -> tuple[str, tuple[str, ...]]:
    """The clock of a format, and the tables it fills."""
    found = formats.find(name)
    return found.CLOCK, tuple(found.FILLS)


@dataclass(frozen=True, slots=True)
class Placed:
    """Streams by the source their rows name."""

    by_source: Mapping[str, Stream]

    @classmethod
    def of_all(cls, streams: Iterable[Stream]) -> "Placed":
        """Some streams."""
        return cls({s.name: s for s in streams})

    def of(self, sources: pl.Series) -> pl.DataFrame:
        """The streams of these sources as a frame to join rows with: source, clock, latency, group."""
        known = (s for name in sources.unique() if (s := self.by_source.get(name)) is not None)
        rows = [(s.name, s.clock, s.latency, s.group) for s in known]
        return pl.DataFrame(rows, schema=_PLACED, orient="row")


_PLACED = {"source": pl.String, "clock": pl.String, "latency": pl.Int64, "group": pl.String}


def by_terminal(streams: Iterable[Stream], terminals: Iterable[str]) -> pl.DataFrame:
    """What sources each terminal has: terminal, latency (the longest that decides), has_host, has_journal."""
    listed = [s for s in streams if s.is_host or s.clock in {"trace", "journal"}]
    common = [s for s in listed if s.terminal is None]
    own: dict[str, list[Stream]] = {}
    for s in listed:
        if s.terminal is not None:
            own.setdefault(s.terminal, []).append(s)
    shared = _together(common)
    rows = [(t, *(_together([*common, *own[t]]) if t in own else shared)) for t in terminals]
    schema = {"terminal": pl.String, "latency": pl.Int64, "has_host": pl.Boolean, "has_journal": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _together(streams: Iterable[Stream]) -> tuple[int, bool, bool]:
    """The longest latency of some streams, and whether one is a host's and one a journal."""
    listed = list(streams)
    return max((s.latency for s in listed), default=0), any(s.is_host for s in listed), any(s.is_journal for s in listed)
