"""A door opened with no visit that permits it (mission M4)."""

import polars as pl

from jackstop.detections._cases import Case, door
from jackstop.detections._claims import Detection, Text, View, claims, none, openings, with_hours

META = Detection(
    title=Text("The machine was opened unannounced", "予定外の開扉"),
    why=Text("A door or lid was opened and no visit permits it.", "作業予定のない開扉です。"),
    first_step=Text(
        "Call the site; ask for the work order; look at the camera.", "現地へ連絡し、作業指示とカメラを確認してください。"
    ),
    level="high",
    needs=("cabinet",),
    attack=("T1200",),
    silenced_by=("open-cabinet", "open-safe"),
    gaps="In opening hours it does not page on its own: paper and receipt changes look the same.",
    stage="access",
)


def detect(view: View) -> pl.DataFrame:
    """Openings outside visits: high while the site is closed or at the safe, else medium."""
    opened = openings(view)
    if opened is None or not opened.height:
        return none()
    grave = pl.col("closed") | (pl.col("part") == "safe")
    part = pl.col("part").cast(pl.String)
    return claims(with_hours(opened, view.fleet), pl.when(grave).then(pl.lit("high")).otherwise(pl.lit("medium")), detail=part)


TESTS = (
    Case("the cabinet is opened at night", (door(60),), fires=True),
    Case("a visit permits it", (door(60),), fires=False, visits=((0, 900, ("open-cabinet",)),)),
    Case("only a closing is heard of", (door(60, "closed"),), fires=False),
    Case("the panel's lines do not arrive", (door(60),), fires=False, missing=("cef",)),
)
