"""Supervisor or vendor mode with no visit (mission M5)."""

import polars as pl

from jackstop.detections._cases import Case, told
from jackstop.detections._claims import Detection, Text, View, claims, none, unpermitted

META = Detection(
    title=Text("Maintenance mode unannounced", "予定外の保守モード"),
    why=Text("Supervisor or vendor mode was entered outside every visit.", "作業予定のない保守モードへの移行です。"),
    first_step=Text("Ask for the work order; watch for cash movements.", "作業指示を確認し、現金の動きを監視してください。"),
    level="medium",
    needs=("operator",),
    attack=("T1078",),
    silenced_by=("supervisor", "exchange", "test-dispense"),
    gaps="Machines whose mode switch is not logged show nothing.",
    stage="access",
)


def detect(view: View) -> pl.DataFrame:
    """Supervisor and vendor mode entered outside visits."""
    operator = view.table("operator")
    if operator is None:
        return none()
    entered = operator.filter(pl.col("activity").is_in(["supervisor-entered", "vendor-entered"]))
    return claims(
        unpermitted(entered, view.visits, "supervisor", "exchange", "test-dispense"),
        "medium",
        detail=pl.col("activity").cast(pl.String),
    )


TESTS = (
    Case("supervisor mode at night", (told(60, "supervisor-entered"),), fires=True),
    Case("a visit permits it", (told(60, "supervisor-entered"),), fires=False, visits=((0, 900, ("supervisor",)),)),
    Case("the trace does not arrive", (told(60, "supervisor-entered"),), fires=False, missing=("nextware-trace",)),
)
