"""Drift: the value that nothing explains, summed up by a CUSUM for each terminal, hour by hour.

Single movements may be too unclear to page (their source was late, two explanations fit); that many are, at one machine, is a
sign. The sum rises by an hour's unexplained value and falls by a slack; both are measured in the terminal's usual withdrawal,
so currency and habits do not matter. Source: Page 1954, Biometrika 41 (one-sided cumulative sum).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from jackstop.model.settings import HOUR, Settings
from jackstop.model.tables import RECORD

_RECORDS = pl.List(RECORD)
OPEN: dict[str, pl.DataType] = {
    "terminal": pl.String(),
    "hour": pl.Int64(),
    "id": pl.UInt64(),
    "doubt": pl.Int64(),
    "good": pl.Int64(),
    "currency": pl.String(),
    "records": _RECORDS,
}
SUMS = {"terminal": pl.String, "hour": pl.Int64, "usual": pl.Float64, "sum": pl.Float64}
RISEN: dict[str, pl.DataType] = {
    "terminal": pl.String(),
    "id": pl.UInt64(),
    "at": pl.Int64(),
    "decided": pl.Int64(),
    "amount": pl.Int64(),
    "currency": pl.String(),
    "records": _RECORDS,
}
_DOUBTED = ("unexplained", "contradicted", "insufficient-evidence", "ambiguous")
_WEIGHT = 0.1
"""Of an hour's mean withdrawal in the usual one (exponentially weighted)."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What is remembered: movements of hours not yet over, each terminal's sum, and where it has risen over the limit.

    `risen`: terminal, id (of the hour's largest doubtful movement), at (begin of the hour, µs), decided, amount, currency,
    records (of that movement).
    """

    open: pl.DataFrame
    sums: pl.DataFrame
    risen: pl.DataFrame

    @classmethod
    def empty(cls) -> "Drift":
        """Nothing known."""
        return cls(pl.DataFrame(schema=OPEN), pl.DataFrame(schema=SUMS), pl.DataFrame(schema=RISEN))


def note(known: Drift, fresh: pl.DataFrame, settings: Settings, watermark: int) -> Drift:
    """The drift with the verdicts on picked notes that hold since the last watermark; hours are those they were given in."""
    doubted = pl.col("verdict").is_in(_DOUBTED)
    added = fresh.select(
        "terminal",
        "id",
        "currency",
        "records",
        hour=pl.col("decided") // HOUR,
        doubt=pl.when(doubted).then("picked").otherwise(pl.lit(0, pl.Int64)),
        good=pl.when(~doubted).then("picked").otherwise(pl.lit(0, pl.Int64)),
    ).select(list(OPEN))
    waiting = pl.concat([known.open, added.cast(OPEN)])  # type: ignore[arg-type]
    now = watermark // HOUR
    done, rest = waiting.filter(pl.col("hour") < now), waiting.filter(pl.col("hour") >= now)
    kept = known.risen.filter(pl.col("decided") > watermark - settings.recall)
    if not done.height:
        return Drift(rest, known.sums, kept)
    sums = {t: (h, u, s) for t, h, u, s in known.sums.select(list(SUMS)).iter_rows()}
    risen = list(_risen(_hours(done), sums, settings))
    table = pl.DataFrame([(t, *v) for t, v in sorted(sums.items())], schema=SUMS, orient="row")
    return Drift(rest, table, pl.concat([kept, pl.DataFrame(risen, schema=RISEN, orient="row")]))


def _hours(done: pl.DataFrame) -> pl.DataFrame:
    """Movements by terminal and hour: doubtful value, mean good one, the largest doubtful movement."""
    by_hour = done.sort("terminal", "hour", "doubt", "id").group_by("terminal", "hour", maintain_order=True)
    return by_hour.agg(
        doubt=pl.col("doubt").sum(),
        good=pl.col("good").filter(pl.col("good") > 0).mean(),
        id=pl.col("id").last(),
        currency=pl.col("currency").last(),
        records=pl.col("records").last(),
    )


def _risen(hours: pl.DataFrame, sums: dict[str, tuple[int, float, float]], settings: Settings) -> Iterator[tuple[object, ...]]:
    """Hours in which a sum rose over the limit; `sums` is brought up to date."""
    for row in hours.iter_rows(named=True):
        terminal, hour, doubt = row["terminal"], row["hour"], row["doubt"]
        last, usual, level = sums.get(terminal, (hour, 0.0, 0.0))
        if usual:
            rested = max(0.0, level - settings.drift_slack * max(hour - last, 1))
            level = rested + doubt / usual
            if level > settings.drift_limit >= rested and doubt:
                yield terminal, row["id"], hour * HOUR, (hour + 1) * HOUR, doubt, row["currency"], row["records"]
        sums[terminal] = (hour, _usual(usual, row["good"]), level)


def _usual(usual: float, good: float | None) -> float:
    """The usual withdrawal after an hour with such a mean one."""
    if good is None:
        return usual
    return usual + _WEIGHT * (good - usual) if usual else good
