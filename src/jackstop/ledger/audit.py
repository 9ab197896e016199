"""What of Windows' auditing each terminal has shown, and which detections it leaves blind.

Many channels and audit policies are off by default; a detection that waits for their events then never fires, and its silence
would read as safety. A channel that never showed anything is not collected; an event id that never showed may be off, or may
just never have happened.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

Concerns = Mapping[str, frozenset[tuple[str, int]]]
"""Detection to the events it waits for, any of which will do: (channel in small letters, event id, or `OTHER` for every one)."""

SEEN = {"terminal": pl.String(), "channel": pl.String(), "code": pl.Int32(), "first": pl.Int64(), "last": pl.Int64()}
SEEN |= {"count": pl.Int64()}
"""State: first and last time (µs UTC) and number of events, by terminal, channel and event id; see `OTHER`."""
OTHER = -1
"""In a concern: any event of the channel. In the state: all events of ids that no detection waits for."""


class Channel(NamedTuple):
    """One channel at one terminal: its first and last event (µs UTC, None where it never showed any), how many there were,
    and the ids wanted of it that never showed."""

    channel: str
    first: int | None
    last: int | None
    events: int
    never: tuple[int, ...]


class Audit(NamedTuple):
    """What one terminal's Windows events show.

    Attributes:
        channels: those that detections want, by name.
        blind: detections all of whose channels never showed anything. unproven: none of whose events ever showed, though
            a channel did.
    """

    terminal: str
    channels: tuple[Channel, ...]
    blind: tuple[str, ...]
    unproven: tuple[str, ...]


def begin() -> pl.DataFrame:
    """The state before any row."""
    return pl.DataFrame(schema=SEEN)


def fold(seen: pl.DataFrame, rows: pl.DataFrame, concerns: Concerns) -> pl.DataFrame:
    """The state after more rows of `windows` (with `at`, µs UTC); how rows are cut into frames changes nothing.

    Only channels that detections want are kept, so the state is bounded by them and the terminals.
    """
    wanted = _wanted(concerns)
    small = rows.select("terminal", pl.col("channel").str.to_lowercase(), "code", "at")
    kept = small.filter(pl.col("channel").is_in(list(wanted["channel"].unique())), pl.col("terminal").is_not_null())
    if not kept.height:
        return seen
    known = wanted.with_columns(known=pl.lit(value=True))
    fresh = kept.join(known, on=["channel", "code"], how="left")
    code = pl.when("known").then("code").otherwise(pl.lit(OTHER, pl.Int32))
    counted = fresh.select("terminal", "channel", code.alias("code"), first="at", last="at", count=pl.lit(1, pl.Int64))
    keys = ["terminal", "channel", "code"]
    return (
        pl.concat([seen, counted])
        .group_by(keys)
        .agg(pl.col("first").min(), pl.col("last").max(), pl.col("count").sum())
        .sort(keys)
    )


def _wanted(concerns: Concerns) -> pl.DataFrame:
    """The events any detection waits for."""
    events = sorted({event for wanted in concerns.values() for event in wanted})
    return pl.DataFrame(events, schema={"channel": pl.String, "code": pl.Int32}, orient="row")


def of(terminals: Iterable[str], seen: pl.DataFrame, concerns: Concerns) -> tuple[Audit, ...]:
    """What each terminal has shown, in the order given."""
    shown: dict[str, dict[tuple[str, int], tuple[int, int, int]]] = {}
    for terminal, channel, code, first, last, count in seen.select(*SEEN).iter_rows():
        shown.setdefault(terminal, {})[channel, code] = (first, last, count)
    wanted = [(c, int(n)) for c, n in _wanted(concerns).iter_rows()]
    return tuple(_audit(t, shown.get(t, {}), wanted, concerns) for t in terminals)


def _audit(
    terminal: str, shown: Mapping[tuple[str, int], tuple[int, int, int]], wanted: list[tuple[str, int]], concerns: Concerns
) -> Audit:
    channels = []
    for name in sorted({c for c, _ in wanted}):
        spans = [span for (channel, _), span in shown.items() if channel == name]
        never = tuple(n for channel, n in wanted if channel == name and n != OTHER and (channel, n) not in shown)
        first, last = min((s[0] for s in spans), default=None), max((s[1] for s in spans), default=None)
        channels.append(Channel(name, first, last, sum(s[2] for s in spans), never))
    heard = {c.channel for c in channels if c.events}
    came = shown.keys() | {(channel, OTHER) for channel in heard}
    waiting = {name: events for name, events in concerns.items() if events and not events & came}
    blind = tuple(sorted(name for name, events in waiting.items() if not heard & {c for c, _ in events}))
    return Audit(terminal, tuple(channels), blind, tuple(sorted(waiting.keys() - set(blind))))
