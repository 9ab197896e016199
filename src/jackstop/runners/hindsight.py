"""Hindsight: movements judged again, with the history, when records of their time came late.

A feed that was cut off delivers what it held back when it returns. By then the ledger may have judged a movement without its
approval, or let the approval go. So the terminals and times of late rows are noted, and when no more of them come the
window around them is judged anew from the history, as if everything had come in time. What that changes is a
revision of the verdict, never a second verdict.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import polars as pl

from jackstop import engine, triage
from jackstop.ledger.clock import PAIRS, STEPS
from jackstop.model.results import VERDICTS, Finding
from jackstop.model.settings import HOUR, MINUTE, SECOND
from jackstop.model.tables import BY_NAME, Tables

LATE = 30 * SECOND
"""µs by which a row must lie behind the watermark, besides its source's latency, to count as late."""

CALM, LONGEST = 5 * SECOND, MINUTE
"""µs of receipt without another late row after which a terminal is judged again, and the longest it is put off."""

CONTEXT = HOUR
"""µs before the late rows whose history is read, for clocks, counters and approvals."""

AROUND = 5 * MINUTE
"""µs around the late rows in which movements are judged again."""

WIDEST = 6 * HOUR
"""µs of one judging at most; what is further apart is judged in several."""

MOST = 100_000
"""Rows of one table read at most."""

_TABLES = ("cash", "host", "units", "operator")
_DECIDE = ("cash", "host", "units")
_OPEN = ("unexplained", "insufficient-evidence", "ambiguous", "pending", "contradicted")
_SURE = ("explained", "explained-by-visit", "unexplained", "contradicted", "ambiguous")

Rows = Callable[[str, Sequence[str] | None, int, int, int], pl.DataFrame]
"""Rows of a table, of some terminals or all, with `at` from one instant to another (µs UTC), so many at most."""


class _Span(msgspec.Struct):
    begin: int
    end: int
    noted: int
    last: int


class Lateness:
    """Where and when rows came late. `packed`: what a checkpoint kept of it."""

    def __init__(self, packed: bytes = b"") -> None:
        self._spans = msgspec.json.decode(packed, type=dict[str, _Span]) if packed else {}

    def note(self, rows: Mapping[str, pl.DataFrame], before: int, received: int) -> None:
        """Note the late ones among the rows of a step.

        Args:
            rows: `engine.Output.rows`. before: the watermark before the step (µs). received: the step's tick (µs).
        """
        for name in _DECIDE:
            frame = rows.get(name)
            if frame is None or not frame.height:
                continue
            late = frame.filter(pl.col("at") < before - LATE - pl.col("latency"))
            for terminal, begin, end in late.group_by("terminal").agg(pl.col("at").min(), end=pl.col("at").max()).iter_rows():
                known = self._spans.get(terminal)
                if known is None:
                    self._spans[terminal] = _Span(begin, end, received, received)
                else:
                    known.begin, known.end, known.last = min(known.begin, begin), max(known.end, end), received

    def ripe(self, received: int) -> dict[str, tuple[int, int]]:
        """Terminals and spans (µs) to be judged again now; they are noted no more."""
        due = [t for t, s in self._spans.items() if received - s.last >= CALM or received - s.noted >= LONGEST]
        spans = {t: self._spans.pop(t) for t in due}
        return {t: (s.begin, s.end) for t, s in spans.items()}

    def pack(self) -> bytes:
        """The lateness as bytes."""
        return msgspec.json.encode(self._spans)


@dataclass(frozen=True, slots=True)
class Again:
    """What judging again gave.

    Attributes:
        verdicts: of movements around the late rows (`results.VERDICTS`). findings: that rest on those not explained.
        explained: ids of movements and approvals that are explained now. there: ids of all movements there are, judged or not.
        spans: the late rows, as given.
    """

    verdicts: pl.DataFrame
    findings: tuple[Finding, ...]
    explained: frozenset[str]
    there: frozenset[str]
    spans: Mapping[str, tuple[int, int]]


def judge(setup: engine.Setup, state: engine.State, spans: Mapping[str, tuple[int, int]], rows: Rows) -> list[Again]:
    """Judge the movements around late rows again.

    Args:
        setup, state: the live engine's: its clocks and the denominations it knows serve here too.
        spans: terminal → first and last late row (µs). rows: of the history.

    Raises:
        StoreError: the history cannot be read.
    """
    return [_judge(setup, state, some, rows) for some in _near(spans)]


def _near(spans: Mapping[str, tuple[int, int]]) -> Iterable[dict[str, tuple[int, int]]]:
    """Spans in groups none of which is wider than `WIDEST`, but for a span that is so by itself."""
    group: dict[str, tuple[int, int]] = {}
    for terminal, (begin, end) in sorted(spans.items(), key=lambda s: (s[1], s[0])):
        if group and max(end, *(e for _, e in group.values())) - min(b for b, _ in group.values()) > WIDEST:
            yield group
            group = {}
        group[terminal] = (begin, end)
    if group:
        yield group


def _judge(setup: engine.Setup, state: engine.State, spans: Mapping[str, tuple[int, int]], rows: Rows) -> Again:
    begin, end = min(b for b, _ in spans.values()), max(e for _, e in spans.values())
    until = min(state.watermark, end + AROUND + HOUR)
    frames = {name: _read(name, spans, begin - CONTEXT, until, rows) for name in _TABLES}
    money = tuple(n for n in setup.detections if n in triage.MONEY)
    asked = replace(setup, detections=money)
    clocks = replace(state.intake.clocks, pairs=pl.DataFrame(schema=PAIRS), steps=pl.DataFrame(schema=STEPS))
    fresh = engine.State.begin(asked)
    fresh = replace(fresh, intake=replace(fresh.intake, clocks=clocks, history=state.intake.history))
    _, output = engine.advance(asked, fresh, Tables.of(**{n: f for n, f in frames.items() if f.height}), until)
    return _picked(output, spans)


def _read(name: str, spans: Mapping[str, tuple[int, int]], begin: int, end: int, rows: Rows) -> pl.DataFrame:
    """Rows of one table around late ones: of these terminals, and of the host's for all, which show that its feed lives."""
    schema = BY_NAME[name].schema
    if name == "host":
        everyone = rows(name, None, begin, end, MOST)
        if everyone.height < MOST:
            return everyone.select(list(schema)).cast(schema)  # type: ignore[arg-type]
    return rows(name, tuple(sorted(spans)), begin, end, MOST).select(list(schema)).cast(schema)  # type: ignore[arg-type]


def _picked(output: engine.Output, spans: Mapping[str, tuple[int, int]]) -> Again:
    """Of what the engine gave, what concerns movements around the late rows."""
    around = pl.DataFrame(
        [(t, b - AROUND, e + AROUND) for t, (b, e) in spans.items()], schema=["terminal", "_b", "_e"], orient="row"
    )
    at = pl.col("time").dt.timestamp("us")
    near = (
        output.verdicts.join(around, on="terminal", how="inner")
        .filter((pl.col("kind") == "episode") & at.is_between("_b", "_e") & pl.col("verdict").is_in(_SURE))
        .select(list(VERDICTS))
        .unique("id", keep="last", maintain_order=True)
    )
    said = near.filter(pl.col("verdict").is_in(["explained", "explained-by-visit"]))
    used = [f"a{i[1:]}" for i in said["explained_by"].explode(empty_as_null=True).drop_nulls() if i.startswith("h")]
    wrong = set(near["id"]) - set(said["id"])
    findings = tuple(f for f in output.findings if f.verdicts and wrong.issuperset(f.verdicts))
    return Again(near, findings, frozenset([*said["id"], *used]), frozenset(output.verdicts["id"]), spans)


def revised(again: Again, stored: pl.DataFrame) -> pl.DataFrame:
    """The verdict rows to be written: of movements whose verdict was open to doubt, or that had none; approvals now used.

    Args:
        again: what judging again gave. stored: verdicts that stand, of the same terminals and times.
    """
    doubted = stored.filter(pl.col("verdict").is_in(_OPEN))
    known = stored.select("id")
    fresh = again.verdicts.join(known, on="id", how="anti")
    better = again.verdicts.join(doubted.select("id", _was="verdict", _why="reason"), on="id", how="inner").filter(
        (pl.col("verdict") != pl.col("_was")) | (pl.col("reason") != pl.col("_why"))
    )
    used = doubted.filter((pl.col("kind") == "authorisation") & pl.col("id").is_in(list(again.explained)))
    return pl.concat(
        [
            fresh,
            better.select(list(VERDICTS)),
            _settled(used, reason=pl.lit("matched")),
            _settled(absorbed(again, stored), reason=pl.lit("same-movement")),
        ]
    )


def absorbed(again: Again, stored: pl.DataFrame) -> pl.DataFrame:
    """Stored verdicts of movements that are none by themselves: another log, which came late, tells of the same notes."""
    doubted = pl.col("verdict").is_in(_OPEN) | (pl.col("reason") == "same-movement")
    return stored.filter(doubted & (pl.col("kind") == "episode") & ~pl.col("id").is_in(list(again.there)))


def _settled(rows: pl.DataFrame, reason: pl.Expr) -> pl.DataFrame:
    """Verdict rows as explained."""
    return rows.with_columns(verdict=pl.lit("explained").cast(rows.schema["verdict"]), reason=reason).select(list(VERDICTS))


def late_findings(again: Iterable[Again], desk: triage.Desk, now: int) -> list[Finding]:
    """Findings that nobody was told of yet, as decided now (µs)."""
    told = {f.id for i in (*desk.open.values(), *desk.closed) for f in i.findings}
    return [replace(f, decided_at=now) for a in again for f in a.findings if f.id not in told]
