"""A restart that no visit permits."""

import polars as pl

from jackstop.detections._cases import Case, told
from jackstop.detections._claims import Detection, Text, View, claims, none, unpermitted

META = Detection(
    title=Text("Unexpected restart", "予定外の再起動"),
    why=Text("The machine restarted and no visit permits it.", "作業予定のない再起動です。"),
    first_step=Text("See whether neighbours restarted too: then it was the power.", "近隣端末も再起動していれば停電です。"),
    level="low",
    needs=("operator",),
    attack=("T1529",),
    silenced_by=("reboot", "software"),
    gaps="Power cuts restart machines too; alone it never pages.",
)


def detect(view: View) -> pl.DataFrame:
    """Power-ups outside visits."""
    operator = view.table("operator")
    if operator is None:
        return none()
    booted = operator.filter(pl.col("activity") == "power-up")
    return claims(unpermitted(booted, view.visits, "reboot", "software"), "low", detail=pl.col("detail"))


TESTS = (
    Case("the machine restarts", (told(60, "power-up"),), fires=True),
    Case("a visit permits it", (told(60, "power-up"),), fires=False, visits=((0, 900, ("reboot",)),)),
    Case("the trace does not arrive", (told(60, "power-up"),), fires=False, missing=("nextware-trace",)),
)
