"""Identities: every name a terminal goes by, resolved to the fleet's one id."""

from dataclasses import dataclass

import polars as pl

from jackstop.model.fleet import Fleet
from jackstop.model.tables import Tables

NAMINGS = ("id", "luno", "terminal_id", "hostname", "alarm_account")


@dataclass(frozen=True, slots=True)
class Directory:
    """The names of all terminals, as a frame: naming, name (folded), id."""

    names: pl.DataFrame

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
        return cls(
            pl.DataFrame(
                [(n, name, t) for (n, name), t in rows.items()],
                schema={"naming": pl.String, "name": pl.String, "id": pl.String},
                orient="row",
            )
        )

    def resolve(self, tables: Tables) -> tuple[Tables, pl.DataFrame]:
        """Rows with the fleet's ids, and the rows that name no known terminal.

        Returns:
            The tables with `terminal` resolved, and a frame (source, naming, terminal, table, rows) of what was left out.
        """
        strangers: list[pl.DataFrame] = []
        known: dict[str, pl.DataFrame] = {}
        for name, frame in tables.items():
            if not frame.height:
                continue
            found = self._look_up(frame)
            lost = found.filter(pl.col("id").is_null())
            if lost.height:
                strangers.append(lost.group_by("source", "naming", "terminal").agg(table=pl.lit(name), rows=pl.len()))
                found = found.filter(pl.col("id").is_not_null())
            known[name] = found.with_columns(terminal=pl.col("id")).select(frame.columns)
        return Tables.of(**known), pl.concat(strangers) if strangers else NOBODY

    def named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame's rows with the fleet's ids; rows that name no known terminal keep the name they have."""
        return self._look_up(frame).with_columns(terminal=pl.coalesce("id", "terminal")).select(frame.columns)

    def _look_up(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with `id`; few distinct names, so they are folded once each and not once a row."""
        distinct = frame.select("naming", "terminal").unique()
        host = pl.when(pl.col("naming") == "hostname").then(pl.col("terminal").str.split(".").list.first())
        folded = host.otherwise(pl.col("terminal")).str.strip_chars().str.to_lowercase()
        resolved = distinct.with_columns(name=folded).join(self.names, on=["naming", "name"], how="left").drop("name")
        return frame.join(resolved, on=["naming", "terminal"], how="left", nulls_equal=True, maintain_order="left")


def _fold(name: str) -> str:
    return name.strip().lower()


NOBODY = pl.DataFrame(
    schema={"source": pl.String, "naming": pl.String, "terminal": pl.String, "table": pl.String, "rows": pl.UInt32}
)
