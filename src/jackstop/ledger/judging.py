"""Judging: the movements and approvals of some terminals in the window, with their verdicts as known now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from jackstop.ledger import authorisations, episodes, latecomers, presence, reconcile, verdicts
from jackstop.ledger.shelves import Frames
from jackstop.model.settings import Settings
from jackstop.model.tables import BY_NAME

POOL = ("cash", "host", "units", "operator", "cabinet", "feeds")
"""Tables whose rows the ledger keeps for a while."""

_ADDED = {c: pl.Int64() for c in ("latency", "when", "at", "offset", "spread", "arrival")}
_PLACED = {"known": pl.Boolean(), "clock": pl.String(), "group": pl.String()}
_BLANK = {n: pl.DataFrame(schema={**BY_NAME[n].schema, **_ADDED, **_PLACED}) for n in POOL}
_UNTAKEN = pl.DataFrame(schema=reconcile.TAKEN)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a step is given besides rows: settings, visits, what sources terminals have, the fleet-wide latency."""

    settings: Settings
    visits: pl.DataFrame
    sources: pl.DataFrame
    latency: int
    history: pl.DataFrame

    @property
    def lag(self) -> int:
        """µs after which counters are held against the movements."""
        return self.settings.settle + self.settings.completion + self.latency

    @property
    def reach(self) -> int:
        """µs after which a dispense and its approval are complete, for clocks to learn from."""
        return 2 * self.settings.pairing + self.latency


class Judged(NamedTuple):
    """Some terminals as known now.

    Attributes:
        walked: cash rows marked with their episodes. movements: episodes, judged. decisions: authorisations.
        idle: authorisations for which no cash moved. late: movements that a late approval explains (`latecomers`).
    """

    walked: pl.DataFrame
    movements: pl.DataFrame
    decisions: pl.DataFrame
    idle: pl.DataFrame
    late: pl.DataFrame


def blank(name: str) -> pl.DataFrame:
    """A table of the pool with no rows, with the columns intake adds."""
    return _BLANK[name]


def judge(held: Frames, life: presence.Life, since: Mapping[str, int], terms: Terms, before: int) -> Judged:
    """The movements and approvals of the window.

    Args:
        held: rows by table, and `taken`. life: of the host feeds. since: when each terminal's first row of view `host` was.
        before: the last watermark (µs): what was decided by then is told.
    """
    cash = episodes.asked(held.get("cash", blank("cash")), terms.settings)
    walked = episodes.walk(cash, terms.settings)
    moved = _movements(walked, cash, terms)
    built = authorisations.build(held.get("host", blank("host")), terms.settings)
    decisions = authorisations.authority(built, _began(built, since), terms.settings)
    matched = reconcile.match(moved, decisions, held.get("taken", _UNTAKEN), terms.settings)
    alive = presence.with_life(matched, life, terms.settings)
    final = alive.rename({"shown": "shown_final", "kept": "kept_final"})
    valued = episodes.value(final, until=pl.col("base"))
    judged = verdicts.judge(valued, decisions, terms.settings)
    late = latecomers.find(judged, decisions, terms.settings, before)
    if late.height:
        judged = verdicts.judge(latecomers.explained(valued, late), decisions, terms.settings)
    movements = judged.with_columns(closes=pl.col("at") + terms.settings.closing).sort("decided", "id")
    latency = terms.sources.select("terminal", "latency")
    idle = verdicts.idle(decisions, movements, latency, terms.latency, terms.settings)
    return Judged(walked, movements, decisions, idle, late)


def _began(frame: pl.DataFrame, since: Mapping[str, int]) -> pl.DataFrame:
    """Of the terminals of a frame, since when a table is known: terminal, since (µs)."""
    known = [(t, since[t]) for t in frame["terminal"].unique() if t in since]
    return pl.DataFrame(known, schema={"terminal": pl.String, "since": pl.Int64}, orient="row")


def _movements(walked: pl.DataFrame, cash: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    """Episodes of the window with their amounts, keys and windows."""
    built = episodes.primary(episodes.value(episodes.build(walked)), terms.settings)
    placed = presence.with_application(built, presence.application(cash), terms.settings)
    visited = presence.with_visit(placed, terms.visits)
    flags = terms.sources.select("terminal", "has_host", "has_journal")
    known = visited.join(flags, on="terminal", how="left", maintain_order="left").with_columns(
        pl.col("has_host", "has_journal").fill_null(value=False)
    )
    return reconcile.windows(known, terms.sources.select("terminal", "latency"), terms.latency, terms.settings)


def paying(idle: pl.DataFrame, since: Mapping[str, int]) -> pl.DataFrame:
    """Idle approvals at terminals of which a cash row was known by then; `since`: when each one's first arrived."""
    if not idle.height:
        return idle
    known = idle.join(_began(idle, since).rename({"since": "_since"}), on="terminal", how="inner", maintain_order="left")
    return known.filter(pl.col("_since") <= pl.col("decided")).drop("_since")
