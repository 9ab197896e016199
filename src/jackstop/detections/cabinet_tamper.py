"""Tamper switches and anti-fraud sensors (mission M21)."""

import polars as pl

from jackstop.detections._cases import Case, door
from jackstop.detections._claims import Detection, Text, View, claims, none, unpermitted

META = Detection(
    title=Text("The machine was tampered with", "筐体の不正操作検知"),
    why=Text(
        "A tamper switch, vandal shield or anti-fraud sensor tripped.",
        "タンパースイッチ、防護シールド、不正防止センサーが作動しました。",
    ),
    first_step=Text(
        "Look at the camera; send a guard if somebody is there.", "カメラを確認し、人がいれば警備員を派遣してください。"
    ),
    level="high",
    needs=("cabinet",),
    attack=("T1200",),
    silenced_by=("open-cabinet", "open-safe"),
    gaps="Vibration and heat alone only add to the record: roadworks shake machines too.",
    stage="access",
)


PLAIN = ("seismic", "heat", "proximity", "power", "other")


def detect(view: View) -> pl.DataFrame:
    """Tamper events outside visits: high; vibration, heat and the like: low."""
    cabinet = view.table("cabinet")
    if cabinet is None:
        return none()
    signs = cabinet.filter(pl.col("activity").is_in(["tamper", "alarm"]))
    loose = unpermitted(signs, view.visits, "open-cabinet", "open-safe")
    plain = pl.col("sensor").is_in(PLAIN) | ((pl.col("sensor") == "door") & (pl.col("activity") == "alarm"))
    return claims(loose, pl.when(plain).then(pl.lit("low")).otherwise(pl.lit("high")), detail=pl.col("sensor").cast(pl.String))


TESTS = (
    Case("the tamper switch trips", (door(60, "tamper", sensor="tamper"),), fires=True),
    Case("a visit permits opening", (door(60, "tamper", sensor="tamper"),), fires=False, visits=((0, 900, ("open-cabinet",)),)),
    Case("the panel's lines do not arrive", (door(60, "tamper", sensor="tamper"),), fires=False, missing=("cef",)),
)
