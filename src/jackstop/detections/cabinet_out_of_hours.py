"""Any event of doors and sensors while the site is closed (mission M4, M25)."""

import polars as pl

from jackstop.detections._cases import Case, door
from jackstop.detections._claims import Detection, Text, View, claims, none, with_hours

META = Detection(
    title=Text("Cabinet event out of hours", "時間外の筐体イベント"),
    why=Text("Something moved at the machine while nobody should be there.", "無人のはずの時間帯に筐体で動きがありました。"),
    first_step=Text("Look at the camera for that minute.", "該当時刻のカメラを確認してください。"),
    level="low",
    needs=("cabinet",),
    attack=("T1200",),
    gaps="Sites without opening hours in fleet.toml are never closed.",
)


def detect(view: View) -> pl.DataFrame:
    """Openings, tamper and alarms while the site is closed."""
    cabinet = view.table("cabinet")
    if cabinet is None:
        return none()
    events = with_hours(cabinet.filter(pl.col("activity").is_in(["opened", "tamper", "alarm"])), view.fleet)
    return claims(events.filter("closed"), "low", detail=pl.col("part").cast(pl.String))


TESTS = (
    Case("a door opens on a Sunday night", (door(60),), fires=True),
    Case("a sensor comes to rest", (door(60, "restored"),), fires=False),
    Case("the panel's lines do not arrive", (door(60),), fires=False, missing=("cef",)),
)
