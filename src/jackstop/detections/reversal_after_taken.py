"""Money taken back at the host although the notes were taken: transaction-reversal fraud."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, Row, device, paid, reply, row
from jackstop.detections._claims import Detection, Text, View, claims, none
from jackstop.ledger.verdicts import ident

META = Detection(
    title=Text("A withdrawal was reversed after the notes were taken", "紙幣取得後の取引取消"),
    why=Text(
        "The customer's account was given back what the customer had already taken.",
        "利用者が紙幣を受け取った後に、口座へ返金されました。",
    ),
    first_step=Text(
        "Stop the credit; compare the presenter's camera with the reversal's time.",
        "返金を止め、取消時刻の出金口カメラを確認してください。",
    ),
    level="high",
    needs=("cash", "host"),
    attack=("T1565",),
    gaps="Needs a trace or journal that tells of notes taken.",
)


def detect(view: View) -> pl.DataFrame:
    """Reversals that took back more than came back."""
    if not view.undone.height:
        return none()
    found = view.undone.with_columns(at=pl.col("undone_at"))
    return claims(
        found, "high", key="id", decided="decided", amount="excess", records=pl.col("records"), verdict=ident("episode", "e")
    )


def _undone(at: float, amount: int) -> Row:
    """A reversal of the transaction `reply` made."""
    values = {"activity": "reversal", "view": "host", "amount": amount, "currency": "USD", "rrn": "600000000001"}
    return row("host", at, "switch-csv", **values)


TESTS = (
    Case(
        "the notes were taken and the whole amount reversed",
        (*HEARTBEAT, reply(57, 20_000), *paid(60, 20_000), _undone(95, 20_000)),
        fires=True,
    ),
    Case(
        "the notes were drawn back and the amount reversed",
        (*HEARTBEAT, reply(57, 20_000), *paid(60, 20_000)[:3], device(100, "retracted"), _undone(110, 20_000)),
        fires=False,
    ),
    Case(
        "the reversal comes two hours late", (*HEARTBEAT, reply(57, 20_000), *paid(60, 20_000), _undone(7200, 20_000)), fires=True
    ),
    Case(
        "the host's messages do not arrive",
        (*HEARTBEAT, reply(57, 20_000), *paid(60, 20_000), _undone(95, 20_000)),
        fires=False,
        missing=("switch-csv",),
    ),
)
