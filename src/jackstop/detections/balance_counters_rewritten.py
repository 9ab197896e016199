"""Counters written or an exchange made with no visit that permits it."""

import polars as pl

from jackstop.detections._cases import Case, told
from jackstop.detections._claims import Detection, Text, View, claims, none, unpermitted

META = Detection(
    title=Text("Cash counters were rewritten unannounced", "予定外の現金カウンタ書き換え"),
    why=Text(
        "Counters were set or an exchange was made outside every visit: a way to hide missing notes.",
        "作業予定のないカウンタ設定・カセット交換です。不足の隠蔽に使われます。",
    ),
    first_step=Text(
        "Have the cassettes counted before the counters are trusted again.", "カウンタを信用する前にカセットを実査してください。"
    ),
    level="high",
    needs=("operator",),
    attack=("T1565",),
    silenced_by=("exchange",),
    gaps="Counters written behind the service provider's back are not announced.",
    stage="impairment",
)


WRITES = ("counters-set", "counters-cleared", "exchange-started")


def detect(view: View) -> pl.DataFrame:
    """Counter writes and exchanges outside visits."""
    operator = view.table("operator")
    if operator is None:
        return none()
    written = operator.filter(pl.col("activity").is_in(WRITES))
    return claims(unpermitted(written, view.visits, "exchange"), "high", detail=pl.col("activity").cast(pl.String))


TESTS = (
    Case("counters are set at night", (told(60, "counters-set"),), fires=True),
    Case(
        "a visit permits the exchange",
        (told(60, "exchange-started"), told(300, "exchange-ended")),
        fires=False,
        visits=((0, 900, ("exchange",)),),
    ),
    Case("the trace does not arrive", (told(60, "counters-set"),), fires=False, missing=("nextware-trace",)),
)
