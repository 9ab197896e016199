"""A result held against the ground truth of a simulated bundle: who was found, how soon, at what loss, and who was troubled.

Reads `truth.jsonl` (stories) and `truth/withdrawals.jsonl` (legitimate withdrawals); `investigate` reads neither.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from jackstop.model.results import PAGING, Alert, Report
from jackstop.model.settings import HOUR, MINUTE, SECOND
from jackstop.sources.fleet_file import BundleError
from jackstop.store.results import Results

NEAR = 3 * MINUTE
"""µs that a verdict's time may lie from the true time of the notes (clocks are corrected, formats are coarse)."""

_BAD = ("unexplained", "contradicted")
_STORY_KEYS = {"story", "terminals", "attack", "start", "stolen", "notes"}


@dataclass(frozen=True, slots=True)
class Note:
    """Notes that left in a story: true time (µs UTC), terminal, minor units."""

    time: int
    terminal: str
    amount: int


@dataclass(frozen=True, slots=True)
class Story:
    """One line of `truth.jsonl`. `attack` false: it must stay quiet."""

    name: str
    terminals: tuple[str, ...]
    attack: bool
    start: int
    end: int
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class StoryScore:
    """What became of one story.

    Attributes:
        paged: terminals of the story that a paging alert names. missed: those it had to name and did not.
        to_alert_s: seconds from the first stolen note to the first page; negative where the page came before.
        loss: minor units gone by the first page. stolen: minor units in all.
        judged: of the stolen movements, how many are unexplained, contradicted or a balance. movements: of how many.
        detections: that fired.
        early: whether the first page came before the first note was gone.
    """

    story: str
    attack: bool
    terminals: tuple[str, ...]
    paged: tuple[str, ...]
    missed: tuple[str, ...]
    to_alert_s: float | None
    loss: int
    stolen: int
    judged: int
    movements: int
    detections: tuple[str, ...]
    early: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """The whole result.

    Attributes:
        precision: paging alerts that belong to an attack, of all. recall: attack stories with every terminal paged.
        false_alarms: paging alerts no attack explains. terminal_days: for the rate.
        withdrawals: legitimate ones. explained: those with the verdict `explained`.
    """

    stories: tuple[StoryScore, ...]
    precision: float
    recall: float
    alerts: int
    false_alarms: tuple[str, ...]
    terminal_days: float
    withdrawals: int
    explained: int

    @property
    def before_first_note(self) -> tuple[int, int]:
        """Attack stories whose first page came before the first note was gone, and attack stories in which notes left."""
        thefts = [s for s in self.stories if s.attack and s.movements]
        return sum(s.early for s in thefts), len(thefts)

    @property
    def explained_share(self) -> float:
        """Part of the legitimate withdrawals that are explained; 1 when there are none."""
        return self.explained / self.withdrawals if self.withdrawals else 1.0

    def as_json(self) -> dict[str, Any]:
        """For `--format json`."""
        return {
            **asdict(self),
            "explained_share": self.explained_share,
            "pages_before_first_note": self.before_first_note[0],
            "false_alarms_per_terminal_day": len(self.false_alarms) / self.terminal_days if self.terminal_days else 0.0,
        }


def stories(root: Path) -> tuple[Story, ...]:
    """The stories of a simulated bundle.

    Raises:
        BundleError: `truth.jsonl` is missing or a line of it is not a story.
    """
    path = root / "truth.jsonl"
    try:
        listed = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise BundleError([f"{path}: {fault}, expected the ground truth of a simulated bundle"]) from None
    made, faults = [], []
    for number, line in enumerate(listed, 1):
        try:
            made.append(_story(json.loads(line)))
        except (ValueError, KeyError, TypeError) as fault:
            faults.append(f"{path}:{number}: {fault!r}, expected a story with {', '.join(sorted(_STORY_KEYS))}")
    if faults:
        raise BundleError(faults)
    return tuple(made)


def _story(raw: dict[str, Any]) -> Story:
    notes = tuple(Note(_micros(n["time"]), n["terminal"], n["amount"]) for n in raw["notes"])
    ends = [n.time for n in notes] + [_micros(raw[k]) for k in ("last_note", "end") if raw.get(k)]
    start = _micros(raw["start"])
    return Story(raw["story"], tuple(raw["terminals"]), raw["attack"], start, max([start, *ends]), notes)


def _micros(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def withdrawals(root: Path) -> pl.DataFrame:
    """Legitimate withdrawals: time (µs), terminal, amount; empty where the bundle has no such file.

    Raises:
        BundleError: the file cannot be read.
    """
    path = root / "truth" / "withdrawals.jsonl"
    schema = {"time": pl.String, "terminal": pl.String, "amount": pl.Int64}
    if not path.exists():
        return pl.DataFrame(schema={**schema, "time": pl.Int64})
    try:
        rows = pl.read_ndjson(path, schema=schema)
    except (pl.exceptions.PolarsError, OSError) as fault:
        raise BundleError([f"{path}: {fault}, expected lines with time, terminal and amount"]) from None
    stamps = pl.col("time").str.to_datetime(time_unit="us", time_zone="UTC").to_physical()
    return rows.with_columns(time=stamps)


def score(told: Sequence[Story], paid: pl.DataFrame, report: Report, results: Results) -> Score:
    """How well a report agrees with the truth."""
    alerts = [d.alert for d in report.dossiers]
    paging = [a for a in alerts if a.severity in PAGING]
    moved = pl.concat([_slim(f) for f in results.verdicts()] or [_slim(pl.DataFrame(schema=_EMPTY))])
    scored = tuple(_score_story(s, alerts, moved) for s in told)
    attacks = [s for s in scored if s.attack]
    false = tuple(_line(a) for a in paging if not _belongs(a, told))
    days = (report.end - report.start) / (24 * HOUR) * len(report.terminals)
    return Score(
        scored,
        1 - len(false) / len(paging) if paging else 1.0,
        sum(not s.missed for s in attacks) / len(attacks) if attacks else 1.0,
        len(paging),
        false,
        days,
        paid.height,
        _explained(paid, moved),
    )


_EMPTY: dict[str, pl.DataType | type[pl.DataType]] = {
    "terminal": pl.String,
    "kind": pl.String,
    "time": pl.Datetime("us", "UTC"),
    "picked": pl.Int64,
    "verdict": pl.String,
}


def _slim(verdicts: pl.DataFrame) -> pl.DataFrame:
    return verdicts.select(
        "terminal", pl.col("kind").cast(pl.String), pl.col("time").to_physical(), "picked", pl.col("verdict").cast(pl.String)
    )


def _line(alert: Alert) -> str:
    return f"{', '.join(alert.terminals)}: {alert.title} ({', '.join(alert.detections)})"


def _belongs(alert: Alert, told: Iterable[Story]) -> bool:
    """Whether an attack at one of its terminals was going on."""
    return any(
        s.attack
        and set(s.terminals) & set(alert.terminals)
        and s.start - HOUR <= alert.updated_at
        and alert.first_event <= s.end + 24 * HOUR
        for s in told
    )


def _score_story(story: Story, alerts: Iterable[Alert], moved: pl.DataFrame) -> StoryScore:
    mine = [a for a in alerts if set(a.terminals) & set(story.terminals) and _belongs(a, [_as_attack(story)])]
    paging = [a for a in mine if a.severity in PAGING]
    paged = {t for a in paging for t in a.terminals if t in story.terminals}
    first = {t: min(_named(a, t) for a in paging if t in a.terminals) for t in paged}
    lost = sum(n.amount for n in story.notes if n.time <= first.get(n.terminal, 2**62))
    begun = min((n.time for n in story.notes), default=story.start)
    return StoryScore(
        story.name,
        story.attack,
        story.terminals,
        tuple(sorted(paged)),
        tuple(t for t in story.terminals if t not in paged) if story.attack else (),
        (min(first.values()) - begun) / SECOND if first else None,
        lost,
        sum(n.amount for n in story.notes),
        sum(_judged(n, moved) for n in story.notes),
        len(story.notes),
        tuple(dict.fromkeys(d for a in mine for d in a.detections)),
        bool(first) and min(first.values()) < begun,
    )


def _named(alert: Alert, terminal: str) -> int:
    """When a paging alert first woke a person for a terminal (µs): later where it spans terminals and came to this one."""
    paged = alert.raised_at if alert.paged_at is None else alert.paged_at
    return max(paged, min(f.decided_at for f in alert.findings if f.terminal == terminal))


def _as_attack(story: Story) -> Story:
    return Story(story.name, story.terminals, attack=True, start=story.start, end=story.end, notes=story.notes)


def _judged(note: Note, moved: pl.DataFrame) -> bool:
    """Whether notes are found: their movement is called bad, or counters tell of them within a day.

    A movement lies near the true time of its notes, or has just their worth where the clock was made to lie.
    """
    mine = moved.filter(pl.col("terminal") == note.terminal)
    near = (pl.col("time") - note.time).abs() <= NEAR
    later = pl.col("time").is_between(note.time - HOUR, note.time + 24 * HOUR)
    bad = pl.col("verdict").is_in(_BAD)
    lied = (pl.col("picked") == note.amount) & ((pl.col("time") - note.time).abs() <= 3 * HOUR)
    hit = ((pl.col("kind") == "episode") & bad & (near | lied)) | ((pl.col("kind") == "balance") & bad & later)
    return mine.filter(hit).height > 0


def _explained(paid: pl.DataFrame, moved: pl.DataFrame) -> int:
    """Legitimate withdrawals that have an explained movement of their amount near their time."""
    if not paid.height:
        return 0
    good = moved.filter((pl.col("kind") == "episode") & (pl.col("verdict") == "explained"))
    joined = paid.sort("time").join_asof(
        good.select("terminal", "time", amount="picked", hit=pl.lit(value=True)).sort("time"),
        on="time",
        by=["terminal", "amount"],
        strategy="nearest",
        tolerance=NEAR,
        check_sortedness=False,
    )
    return int(joined["hit"].sum())
