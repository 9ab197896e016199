"""Notes shown at the customer's side while the machine is in supervisor or vendor mode (mission M5)."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, device, paid, told
from jackstop.detections._claims import Detection, Text, View, movement_claims, none

META = Detection(
    title=Text("Cash shown in supervisor mode", "保守モード中の紙幣提示"),
    why=Text(
        "Notes were put within reach while the machine was in maintenance; tests end in the reject bin, not there.",
        "保守中に紙幣が客側へ出されました。正規の試験では紙幣はリジェクト庫に入ります。",
    ),
    first_step=Text("Ask who is at the machine and under which order.", "現場の作業者と作業指示を確認してください。"),
    level="critical",
    needs=("cash", "operator"),
    attack=("T1078",),
    silenced_by=(),
    gaps="A mode entered before the look-back of a day is not known.",
    stage="cash",
)


MODES = ("supervisor-entered", "vendor-entered", "supervisor-left", "vendor-left")


def detect(view: View) -> pl.DataFrame:
    """Movements no approval explains, shown while the last mode change entered supervisor or vendor mode; at their verdict."""
    operator = view.table("operator")
    if operator is None or not view.movements.height:
        return none()
    modes = operator.filter(pl.col("activity").is_in(MODES)).sort("at")
    entered = modes.select("terminal", mode_at="at", inside=pl.col("activity").cast(pl.String).str.ends_with("entered")).sort(
        "mode_at"
    )
    shown = view.movements.filter((pl.col("shown_final") > 0) & (pl.col("verdict") != "explained")).sort("at")
    joined = shown.join_asof(entered, left_on="at", right_on="mode_at", by="terminal", check_sortedness=False)
    seen = pl.max_horizontal("arrival", pl.coalesce("presented", "taken", "at") + pl.col("latency"))
    return movement_claims(joined.filter(pl.col("inside")), "critical", decided=pl.max_horizontal("decided", seen))


TESTS = (
    Case("notes are shown in supervisor mode", (*HEARTBEAT, told(10, "supervisor-entered"), *paid(60, 40_000)), fires=True),
    Case(
        "supervisor mode was left before",
        (*HEARTBEAT, told(10, "supervisor-entered"), told(30, "supervisor-left"), *paid(60, 40_000)),
        fires=False,
    ),
    Case(
        "a test goes to the reject bin under a visit",
        (
            *HEARTBEAT,
            told(10, "supervisor-entered"),
            device(60, "dispense-requested", 2000),
            device(63, "dispensed", 2000),
            device(66, "rejected"),
        ),
        fires=False,
        visits=((0, 900, ("test-dispense", "supervisor")),),
    ),
    Case(
        "the trace does not arrive",
        (*HEARTBEAT, told(10, "supervisor-entered"), *paid(60, 40_000)),
        fires=False,
        missing=("nextware-trace",),
    ),
)
