"""Shelves: what the ledger keeps of each terminal, put where the rows of one terminal are found without looking at all.

Frames by name, each cut into shelves by the terminal's name; a step that concerns three terminals reads at most three shelves
of a table. Values: putting and taking away give new shelves and leave the old as they were.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

import polars as pl

Frames = dict[str, pl.DataFrame]

EACH = 64
"""Terminals on one shelf, about."""

_CHUNKS = 3
"""Pieces of a frame from which on it is made whole again: reading many small pieces is slow."""


@dataclass(frozen=True, slots=True)
class Shelves:
    """Frames with a column `terminal`, by name and shelf.

    Attributes:
        count: of shelves. tables: by name, a frame or None for each shelf.
    """

    count: int
    tables: Mapping[str, tuple[pl.DataFrame | None, ...]]

    @classmethod
    def empty(cls, terminals: int) -> "Shelves":
        """Shelves for so many terminals, with nothing on them."""
        return cls(1 + terminals // EACH, {})

    def of(self, name: str, terminals: Iterable[str] | None) -> pl.DataFrame | None:
        """The rows of some terminals (None: of all) in the order they were put; None where there are none."""
        shelves = self.tables.get(name)
        if shelves is None:
            return None
        found: list[pl.DataFrame] = []
        if terminals is None:
            found = [f for f in shelves if f is not None]
        else:
            for place, wanted in self._placed(terminals).items():
                frame = shelves[place]
                if frame is not None:
                    found.append(frame[_of(frame["terminal"], wanted).arg_true()])
        kept = [f for f in found if f.height]
        if not kept:
            return None
        return pl.concat(kept, how="diagonal_relaxed") if len(kept) > 1 else kept[0]

    def put(self, name: str, rows: pl.DataFrame) -> "Shelves":
        """Shelves with more rows of a table."""
        if not rows.height:
            return self
        shelves = list(self.tables.get(name, (None,) * self.count))
        for place, part in self._parted(rows):
            held = shelves[place]
            both = part if held is None else pl.concat([held, part], how="diagonal_relaxed")
            shelves[place] = both.rechunk() if both.n_chunks() > _CHUNKS else both
        return Shelves(self.count, {**self.tables, name: tuple(shelves)})

    def instead(self, name: str, terminals: Iterable[str] | None, rows: pl.DataFrame | None) -> "Shelves":
        """Shelves with these rows in place of all that some terminals (None: all) had of a table."""
        shelves = list(self.tables.get(name, (None,) * self.count))
        if terminals is None:
            shelves = [None] * self.count
        else:
            for place, gone in self._placed(terminals).items():
                held = shelves[place]
                if held is not None:
                    rest = held[(~_of(held["terminal"], gone)).arg_true()]
                    shelves[place] = rest if rest.height else None
        emptied = Shelves(self.count, {**self.tables, name: tuple(shelves)})
        return emptied if rows is None else emptied.put(name, rows)

    def whole(self) -> Frames:
        """Every table as one frame."""
        return {name: frame for name in self.tables if (frame := self.of(name, None)) is not None}

    def _place(self, terminal: str) -> int:
        return zlib.crc32(terminal.encode()) % self.count

    def _placed(self, terminals: Iterable[str]) -> dict[int, list[str]]:
        """Terminals by their shelf."""
        placed: dict[int, list[str]] = {}
        for terminal in terminals:
            placed.setdefault(self._place(terminal), []).append(terminal)
        return placed

    def _parted(self, rows: pl.DataFrame) -> list[tuple[int, pl.DataFrame]]:
        """Rows by the shelf they belong on."""
        if self.count == 1:
            return [(0, rows)]
        named = rows["terminal"].unique(maintain_order=True).to_list()
        places = [self._place(t) for t in named]
        if len(set(places)) == 1:
            return [(places[0], rows)]
        placed = rows.with_columns(_place=pl.col("terminal").replace_strict(named, places, return_dtype=pl.Int64))
        parts = placed.partition_by("_place", maintain_order=True, include_key=False, as_dict=True)
        return [(int(key[0]), part) for key, part in parts.items()]


def _of(terminals: pl.Series, wanted: list[str]) -> pl.Series:
    """Where one of these terminals stands; one after the other is quicker while they are few."""
    if len(wanted) > _FEW:
        return terminals.is_in(wanted)
    return reduce(or_, (terminals == t for t in wanted))


_FEW = 6
