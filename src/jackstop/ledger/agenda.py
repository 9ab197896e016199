"""The agenda: by terminal, the next instant at which something there can become certain.

A terminal to which no row comes and whose instant has not come need not be looked at: nothing can be said of it. That is what
keeps a step small, however many terminals there are.
"""

from collections.abc import Iterable

import polars as pl

AGENDA = {"terminal": pl.String, "due": pl.Int64, "pair": pl.Int64, "restless": pl.Boolean, "watched": pl.Boolean}
"""By terminal: `due`, the next instant (µs); `pair`, the next at which its clock may learn; `restless`: whether a verdict there
waits for a sign of life of the host's feed; `watched`: whether its cash rows bear on claims made as they arrive. Terminals
without any of these are not in it."""

NEVER = 2**62


def empty() -> pl.DataFrame:
    """No instants."""
    return pl.DataFrame(schema=AGENDA)


def due(agenda: pl.DataFrame, watermark: int, *, alive: bool) -> list[str]:
    """Terminals whose instant has come by the watermark (µs); `alive`: whether a host feed has shown life since the last step."""
    come = agenda["due"] <= watermark
    if alive:
        come = come | agenda["restless"]
    return agenda["terminal"].filter(come).to_list() if come.any() else []


def pairing(agenda: pl.DataFrame, watermark: int) -> list[str]:
    """Terminals whose clocks may learn by the watermark (µs)."""
    come = agenda["pair"] <= watermark
    return agenda["terminal"].filter(come).to_list() if come.any() else []


def earliest(instants: pl.Series) -> int:
    """The first of some instants (µs), far off where there is none."""
    first = instants.min()
    return NEVER if first is None else int(first)  # type: ignore[arg-type]


def instants(frame: pl.DataFrame | None, watermark: int, *columns: pl.Expr) -> list[pl.DataFrame]:
    """The instants (µs expressions of a frame with `terminal`) that are still to come, as parts for `entered`."""
    if frame is None or not frame.height:
        return []
    each = [pl.when(c > watermark).then(c) for c in columns]
    first = each[0] if len(each) == 1 else pl.min_horizontal(each)
    return [frame.select("terminal", due=first.cast(pl.Int64))]


def sooner(agenda: pl.DataFrame, parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The agenda with the instants of new rows (terminal, due, pair) beside what it said of their terminals."""
    listed = [p.filter(pl.col("due").is_not_null()) for p in parts]
    if not listed:
        return agenda
    fresh = pl.concat(listed)
    names = fresh["terminal"].unique().implode()
    theirs = agenda["terminal"].is_in(names)
    calm = pl.lit(value=False)
    both = pl.concat([agenda.filter(theirs), fresh.select("terminal", "due", "pair", restless=calm, watched=calm)])
    return pl.concat([agenda.filter(~theirs), _first(both)])


def _first(entries: pl.DataFrame) -> pl.DataFrame:
    return entries.group_by("terminal").agg(pl.col("due", "pair").min(), pl.col("restless", "watched").any())


def entered(
    agenda: pl.DataFrame,
    touched: Iterable[str] | None,
    parts: Iterable[pl.DataFrame],
    pairs: Iterable[pl.DataFrame],
    restless: Iterable[str],
    watched: Iterable[str],
) -> pl.DataFrame:
    """The agenda with what is known anew of some terminals (None: all) in place of what it said of them.

    Args:
        parts: see `instants`. pairs: the same, of instants at which clocks learn. restless, watched: names of terminals.
    """
    rest = agenda.clear() if touched is None else agenda.filter(~pl.col("terminal").is_in(list(touched)))
    nothing, calm = pl.lit(None, pl.Int64), pl.lit(value=False)
    dues, learning, marked = list(parts), list(pairs), [(t, True, False) for t in restless] + [(t, False, True) for t in watched]
    listed = [pl.concat(dues).with_columns(pair=nothing, restless=calm, watched=calm)] if dues else []
    listed += [pl.concat(learning).with_columns(pair="due", restless=calm, watched=calm)] if learning else []
    if marked:
        names = pl.DataFrame(marked, schema=["terminal", "restless", "watched"], orient="row")
        listed.append(names.select("terminal", due=nothing, pair=nothing, restless="restless", watched="watched"))
    if not listed:
        return rest
    fresh = _first(pl.concat(listed))
    wanted = fresh.filter(pl.col("due").is_not_null() | pl.col("restless") | pl.col("watched"))
    if touched is not None:
        wanted = wanted.filter(pl.col("terminal").is_in(list(touched)))
    return pl.concat([rest, wanted])
