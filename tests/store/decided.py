"""Steps of a loop, made up: the same number always gives the same step."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl

from jackstop.kpi import HOURS
from jackstop.model.results import VERDICTS, Alert, RecordRef
from jackstop.model.settings import HOUR, SECOND
from jackstop.store.live import Decided, Fact, FeedAccount

START = 1_772_323_200_000_000
"""2026-03-01 00:00 UTC in µs."""

RECORD = {"path": "logs/a.jrn", "offset": 10, "length": 20, "sha256": "ab" * 32}
ROW = {
    "id": "m1",
    "terminal": "ATM-1",
    "kind": "episode",
    "time": START,
    "currency": "USD",
    "picked": 4000,
    "presented": 4000,
    "retained": 0,
    "verdict": "explained",
    "reason": "matched-key",
    "explained_by": ["000000012345"],
    "gates_failed": [],
    "sources_missing": [],
    "offset_ms": 120,
    "uncertainty_ms": 500,
    "decided_at": START + SECOND,
    "records": [RECORD],
}
ALERT = Alert(
    id="a1",
    terminals=("ATM-1",),
    severity="high",
    title="Cash left with no approval",
    detections=("dispense.unexplained",),
    attack=("T1",),
    first_event=START,
    raised_at=START + SECOND,
    updated_at=START + SECOND,
    unexplained=4000,
    money_at_risk=90_000,
    currency="USD",
    visits=(),
    verdicts=("m1",),
    records=(RecordRef("logs/a.jrn", 10, 20, "ab" * 32),),
)


def moment(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    """Verdict rows; what a row does not say is as in `ROW`."""
    whole = [ROW | r for r in rows]
    return pl.DataFrame([r | {c: moment(r[c]) for c in ("time", "decided_at")} for r in whole], schema=VERDICTS)


def hours(*rows: tuple[str, int, str, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=HOURS, orient="row")


def step(seq: int, **given: object) -> Decided:
    """A step that decided nothing but what is given."""
    empty = Decided(seq, START + seq, START + seq * SECOND, frame(), (), hours(), (), ())
    return replace(empty, **given)


def account(name: str = "logs/a.jrn", **given: object) -> FeedAccount:
    return replace(FeedAccount(name, "ncr-journal", "ATM-1", 1, 1, 0, 0, 1, START, START, START, {}), **given)


def busy(seq: int) -> Decided:
    """A step with a bit of everything; some movements and alerts come again and say something else."""
    movement, alert = seq // 2, seq // 3
    verdict = ("explained", "unexplained", "explained", "pending", "contradicted")[seq % 5]
    rows = [
        {"id": f"m{movement}", "time": START + movement * SECOND, "decided_at": START + seq * SECOND, "verdict": verdict},
        {"id": f"m{movement}x", "presented": seq % 4 * 1000, "reason": "matched"},
    ]
    told = replace(ALERT, id=f"a{alert}", unexplained=seq * 100, terminals=("ATM-1", f"ATM-{seq % 7}"))
    counted = hours(
        ("ATM-1", START // HOUR * HOUR, "cabinet", START + seq, 1), ("ATM-1", START, "level:1", START + seq % 50, seq)
    )
    fact = Fact(f"ATM-{seq % 5}", "last-cash", START + seq, str(seq))
    if seq % 4 == 0:
        return step(seq)
    return step(
        seq,
        verdicts=frame(*rows),
        alerts=(told,),
        hours=counted,
        facts=(fact,),
        feeds=(account(records=seq, reasons={"x": seq}),),
    )
