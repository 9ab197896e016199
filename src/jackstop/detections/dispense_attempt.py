"""An order to pay that nothing explains and that moved no notes."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, device, reply
from jackstop.detections._claims import Detection, Text, View, movement_claims, none

META = Detection(
    title=Text("An unexplained order to pay failed", "説明のない払出命令(失敗)"),
    why=Text(
        "Somebody ordered notes without a transaction; the dispenser refused or failed.",
        "取引なしに払出が命じられましたが、払出機は拒否または失敗しました。",
    ),
    first_step=Text(
        "Find out which program gave the order; look for further attempts.",
        "命令を出したプログラムを特定し、再試行の有無を確認してください。",
    ),
    level="medium",
    needs=("cash", "host"),
    attack=("T1106",),
    gaps="A failed order that the trace does not record is not seen.",
    stage="cash",
)


def detect(view: View) -> pl.DataFrame:
    """Unexplained episodes in which nothing was picked."""
    if not view.movements.height:
        return none()
    nothing = (pl.col("picked") == 0) & (pl.col("shown") == 0)
    moved = view.movements.filter(pl.col("verdict").is_in(["unexplained", "contradicted"]) & nothing)
    return movement_claims(moved, "medium")


TESTS = (
    Case(
        "an order fails and nothing was approved",
        (*HEARTBEAT, device(60, "dispense-requested", 80_000), device(62, "incomplete", 0), device(63, "rejected")),
        fires=True,
    ),
    Case(
        "an approved order fails",
        (*HEARTBEAT, reply(57, 80_000), device(60, "dispense-requested", 80_000), device(63, "dispense-failed", result=-14)),
        fires=False,
    ),
    Case(
        "the trace does not arrive",
        (*HEARTBEAT, device(60, "dispense-requested", 80_000), device(62, "incomplete", 0), device(63, "rejected")),
        fires=False,
        missing=("nextware-trace",),
    ),
)
