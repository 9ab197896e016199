"""A cassette missing or touched outside an exchange."""

import polars as pl

from jackstop.detections._cases import Case, Row, row
from jackstop.detections._claims import Detection, Text, View, claims, none, unpermitted

META = Detection(
    title=Text("A cassette was removed or touched unannounced", "予定外のカセット取り外し・接触"),
    why=Text(
        "The dispenser reports a cassette missing or manipulated outside every visit.",
        "作業予定のない時間に、カセットの欠落または操作が報告されました。",
    ),
    first_step=Text("Treat the safe as open: send a guard.", "金庫が開けられたものとして警備員を派遣してください。"),
    level="high",
    needs=("units",),
    attack=("T1200",),
    silenced_by=("exchange", "open-safe"),
    gaps="Dispensers without cassette sensing report nothing.",
    stage="access",
)


TURNED = ("missing", "manipulated")


def detect(view: View) -> pl.DataFrame:
    """Units that turned missing or manipulated outside visits."""
    units = view.table("units")
    if units is None or not units["status"].is_in(TURNED).any():
        return none()
    order = units.filter(pl.col("status").is_not_null()).sort("terminal", "unit", "at", "event_id")
    before = pl.col("status").cast(pl.String).shift(1).over("terminal", "basis", "unit")
    status = pl.col("status").cast(pl.String)
    turned = order.filter(status.is_in(TURNED) & before.is_not_null() & (before != status))
    return claims(unpermitted(turned, view.visits, "exchange", "open-safe"), "high", detail=pl.col("unit").cast(pl.String))


def _unit(at: float, status: str) -> Row:
    """The state of one cassette."""
    values = {"cause": "changed", "basis": "logical", "unit": 1, "kind": "bill", "status": status}
    return row("units", at, "nextware-trace", snapshot=round(at), **values)


TESTS = (
    Case("a cassette goes missing at night", (_unit(0, "ok"), _unit(60, "missing")), fires=True),
    Case("a visit permits it", (_unit(0, "ok"), _unit(60, "missing")), fires=False, visits=((0, 900, ("exchange",)),)),
    Case("a cassette runs low", (_unit(0, "ok"), _unit(60, "low")), fires=False),
    Case("the trace does not arrive", (_unit(0, "ok"), _unit(60, "missing")), fires=False, missing=("nextware-trace",)),
)
