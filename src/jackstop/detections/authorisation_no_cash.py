"""Approvals for which no cash moved and nothing was reversed, in series."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, paid, reply
from jackstop.detections._claims import Detection, Text, View, claims, none
from jackstop.ledger.verdicts import ident
from jackstop.model.settings import HOUR

META = Detection(
    title=Text("Approvals without cash", "払出を伴わない承認の連続"),
    why=Text(
        "The host approved withdrawals and the machine moved no notes: forged requests, or a trace that is missing.",
        "ホストが承認した出金で紙幣が動いていません。偽の要求か、トレース欠落の可能性があります。",
    ),
    first_step=Text(
        "Check whether the terminal's trace arrives, then ask the host who sent the requests.",
        "端末のトレースの到着を確認し、要求の発信元をホスト側に照会してください。",
    ),
    level="medium",
    needs=("host", "cash"),
    attack=("T1557",),
    gaps="Single ones are ordinary faults and stay silent.",
)


SERIES = 3


def detect(view: View) -> pl.DataFrame:
    """Every third idle approval of a terminal within an hour."""
    if view.idle.height < SERIES:
        return none()
    idle = view.idle.filter(pl.col("verdict") == "unexplained").sort("terminal", "at", "id")
    first = pl.col("at").shift(SERIES - 1).over("terminal")
    series = idle.filter(pl.col("at") - first <= HOUR)
    return claims(
        series, "medium", key="id", decided="decided", amount="amount", records=pl.col("records"), verdict=ident(prefix="a")
    )


TESTS = (
    Case(
        "three approvals and no cash",
        (*HEARTBEAT, *paid(-900, 500), reply(60, 2_000, rrn="1"), reply(120, 3_000, rrn="2"), reply(180, 4_000, rrn="3")),
        fires=True,
    ),
    Case("one approval and no cash", (*HEARTBEAT, *paid(-60, 500), reply(60, 2_000, rrn="1")), fires=False),
    Case(
        "the trace does not arrive",
        (*HEARTBEAT, *paid(-900, 500), reply(60, 2_000, rrn="1"), reply(120, 3_000, rrn="2"), reply(180, 4_000, rrn="3")),
        fires=False,
        missing=("nextware-trace",),
    ),
)
