"""Notes shown time after time within two minutes, none of them explained (mission M6)."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, Row, paid, reply, row
from jackstop.detections._claims import Detection, Text, View, doubtful, movement_claims, none, with_session
from jackstop.model.settings import MINUTE

META = Detection(
    title=Text("Notes are paid one after the other", "短時間での連続払い出し"),
    why=Text(
        "Three movements of notes within two minutes that nothing explains: customers need longer, programs do not.",
        "説明のつかない払い出しが2分間に3回ありました。人の操作では起こりにくい間隔です。",
    ),
    first_step=Text(
        "Take the terminal out of service and look at its camera now.", "端末を直ちに取扱中止にし、監視カメラを確認してください。"
    ),
    level="high",
    needs=("cash",),
    attack=("T1106",),
    silenced_by=("test-dispense",),
    gaps="Needs no host feed, but with none it comes at the end of the usual wait; slower thefts pass: see dispense.no-session.",
    stage="cash",
)


TIMES, WITHIN = 3, 2 * MINUTE


def detect(view: View) -> pl.DataFrame:
    """The third and each further one: high where no customer's session is open or no journal says, else medium."""
    shown = doubtful(view)
    if shown.height >= TIMES:
        shown = shown.filter(pl.col("shown_final") > 0)
    if shown.height < TIMES:
        return none()
    order = with_session(shown, view).sort("terminal", "at", "id")
    back = range(1, TIMES)
    decided = pl.max_horizontal("decided", *(pl.col("decided").shift(i).over("terminal") for i in back))
    served = pl.any_horizontal("served", *(pl.col("served").shift(i).over("terminal") for i in back)).fill_null(value=False)
    quick = pl.col("at") - pl.col("at").shift(TIMES - 1).over("terminal") <= WITHIN
    found = order.with_columns(all_decided=decided, any_served=served, quick=quick).filter(pl.col("quick"))
    level = pl.when("any_served").then(pl.lit("medium")).otherwise(pl.lit("high"))
    return movement_claims(found, level, decided="all_decided")


def _journal(at: float, activity: str) -> Row:
    """A line of the journal."""
    return row("cash", at, "ncr-journal", activity=activity, layer="application", session="1")


_THRICE = tuple(r for i in range(3) for r in paid(60 + 30 * i, 20_000))
_APPROVED = tuple(reply(57 + 30 * i, 20_000, rrn=f"60000000000{i}") for i in range(3))

TESTS = (
    Case("three times within a minute and the host approved none", (*HEARTBEAT, *_THRICE), fires=True),
    Case("three times within a minute where no host feed is known", _THRICE, fires=True, missing=("switch-csv",)),
    Case("no journal is known either", _THRICE, fires=True, missing=("switch-csv", "ncr-journal")),
    Case("the host approved each", (*HEARTBEAT, *_APPROVED, *_THRICE), fires=False),
    Case("two are no series", (*HEARTBEAT, *paid(60, 20_000), *paid(90, 20_000)), fires=False),
)
