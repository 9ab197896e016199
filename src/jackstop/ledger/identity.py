"""Identities: every name a terminal goes by, resolved to the fleet's one id."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from jackstop.model.fleet import Fleet

MOST = 2_000
"""Names that nobody answers to which are counted one by one."""

LONGEST = 64
"""Characters of such a name that are kept."""

NAMINGS = ("id", "luno", "terminal_id", "hostname", "alarm_account")


@dataclass(frozen=True, slots=True)
class Directory:
    """The names of all terminals: (naming, name folded) → id; ids also as they are spelled."""

    names: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, fleet: Fleet) -> "Directory":
        """The directory of a fleet. A terminal's own id is understood under any naming."""
        rows: dict[tuple[str, str], str] = {}
        for terminal in fleet.terminal:
            for naming in NAMINGS:
                rows.setdefault((naming, _fold(terminal.id)), terminal.id)
        for terminal in fleet.terminal:
            for naming in NAMINGS[1:]:
                if (name := getattr(terminal, naming)) is not None:
                    rows[naming, _fold(name)] = terminal.id
        spelled = {(n, t.id): rows[n, _fold(t.id)] for t in fleet.terminal for n in NAMINGS if n != "hostname"}
        return cls(rows | spelled)

    def look_up(self, frame: pl.DataFrame) -> pl.Series:
        """The fleet's id of each row of a frame with `naming` and `terminal`, as `id`; null where no terminal has that name.

        Few distinct names, so they are looked up once each and not once a row.
        """
        distinct = frame.select("naming", "terminal").unique(maintain_order=True)
        ids = pl.Series("id", [self.find(n, t) for n, t in distinct.iter_rows()], pl.String)
        if distinct.height == frame.height:
            return ids
        both = distinct.with_columns(ids)
        return frame.join(both, on=["naming", "terminal"], how="left", nulls_equal=True, maintain_order="left")["id"]

    def find(self, naming: str | None, name: str | None) -> str | None:
        """The id of the terminal of this name, if there is one."""
        if naming is None or name is None:
            return None
        as_said = self.names.get((naming, name)) if naming != "hostname" else None
        return as_said or self.names.get((naming, _fold(name.split(".", 1)[0] if naming == "hostname" else name)))

    def named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame's rows with the fleet's ids; rows that name no known terminal keep the name they have."""
        return frame.with_columns(terminal=pl.coalesce(pl.lit(self.look_up(frame)), "terminal"))


def nobody(rows: pl.DataFrame) -> pl.DataFrame:
    """How many rows (source, naming, terminal, table, `id`) name no known terminal, as `NOBODY`."""
    lost = rows["id"].is_null()
    if not lost.any():
        return NOBODY
    counted = rows.filter(lost).group_by("source", "naming", "terminal", "table", maintain_order=True).agg(rows=pl.len())
    return counted.with_columns(pl.col("terminal").str.head(LONGEST)).cast(NOBODY.schema)


def together(known: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    """Counts of names that nobody answers to, those of a step added; at most `MOST` names, the rest under the empty name.

    Names come from the logs, and whoever writes those can make up any number of them.
    """
    if not fresh.height:
        return known
    keys = ["source", "naming", "terminal", "table"]
    both = pl.concat([known, fresh]).group_by(keys, maintain_order=True).agg(pl.col("rows").sum())
    if both.height > MOST:
        first = pl.int_range(pl.len()) < MOST - 100
        some = pl.when(first).then("terminal").otherwise(pl.lit(""))
        named = pl.when(first).then("source").otherwise(pl.lit(""))
        both = both.with_columns(some.alias("terminal"), named.alias("source"))
        both = both.group_by(keys, maintain_order=True).agg(pl.col("rows").sum())
    return both.cast(NOBODY.schema)


def _fold(name: str) -> str:
    return name.strip().lower()


NOBODY = pl.DataFrame(
    schema={"source": pl.String, "naming": pl.String, "terminal": pl.String, "table": pl.String, "rows": pl.UInt32}
)
