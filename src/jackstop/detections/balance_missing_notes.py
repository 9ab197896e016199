"""Counters fell by more than every movement explains: cash that left with no log line (black box; mission M6, M9)."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, Row, paid, reply, row
from jackstop.detections._claims import Detection, Text, View, claims, none
from jackstop.ledger.verdicts import ident

META = Detection(
    title=Text("Notes are missing from the cassettes", "カセット内の紙幣の不足"),
    why=Text(
        "The counters fell by more than all recorded movements and approvals together.",
        "カウンタの減少が、記録されたすべての払出と承認の合計を超えています。",
    ),
    first_step=Text(
        "Have the cassettes counted; look for a device between PC and dispenser.",
        "カセットを実査し、PCと払出機の間の不審な機器を探してください。",
    ),
    level="critical",
    needs=("units", "cash"),
    attack=("T1200",),
    silenced_by=("exchange", "open-safe", "test-dispense"),
    gaps="Counters that only the PC's software keeps do not see a black box; the next count by hand does.",
    stage="cash",
)


def detect(view: View) -> pl.DataFrame:
    """Losses the ledger found."""
    if not view.losses.height:
        return none()
    proof = pl.col("records")
    return claims(
        view.losses,
        "critical",
        key="id",
        decided="decided",
        amount="loss",
        detail=pl.col("basis"),
        records=proof,
        verdict=ident(prefix="b"),
    )


def _count(at: float, notes: int) -> Row:
    """A counter reading of one cassette of 20s."""
    counted = {
        "cause": "snapshot",
        "basis": "physical",
        "unit": 1,
        "kind": "bill",
        "currency": "USD",
        "value": 2000,
        "count": notes,
    }
    return row("units", at, "nextware-trace", snapshot=round(at), **counted)


TESTS = (
    Case("a cassette loses forty notes between two readings", (*HEARTBEAT, _count(0, 1000), _count(600, 960)), fires=True),
    Case(
        "the notes were paid to a customer",
        (*HEARTBEAT, _count(0, 1000), reply(57, 8_000), *paid(60, 8_000), _count(600, 996)),
        fires=False,
    ),
    Case(
        "a visit exchanges the cassettes",
        (*HEARTBEAT, _count(0, 1000), _count(600, 0)),
        fires=False,
        visits=((100, 500, ("exchange",)),),
    ),
    Case(
        "the trace is missing and the host approved it",
        (*HEARTBEAT, _count(0, 1000), reply(57, 8_000), _count(600, 996)),
        fires=False,
    ),
    Case("the trace does not arrive", (*HEARTBEAT, _count(0, 1000), _count(600, 960)), fires=False, missing=("nextware-trace",)),
)
