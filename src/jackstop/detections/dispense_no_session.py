"""Notes moved while the journal shows no customer (mission M2)."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, Row, paid, reply, row
from jackstop.detections._claims import Detection, Text, View, doubtful, movement_claims, none, with_session

META = Detection(
    title=Text("Cash moved with no customer at the machine", "取引セッションのない払い出し"),
    why=Text(
        "The journal shows no session with a card or a cardless token when notes moved, and nothing else explains them.",
        "紙幣が動いた時刻に、ジャーナル上カードまたはカードレスの取引がなく、ほかの説明もありません。",
    ),
    first_step=Text(
        "See in the trace which program gave the order; look at the camera.",
        "命令を出したプログラムをトレースで確認し、カメラも見てください。",
    ),
    level="medium",
    needs=("cash",),
    attack=("T1106",),
    silenced_by=("test-dispense",),
    gaps="Terminals without a journal are left out; a journal that stopped being written looks like an empty one.",
    stage="cash",
)


def detect(view: View) -> pl.DataFrame:
    """Movements outside every session that neither host nor visit explains, at their verdict."""
    doubted = doubtful(view)
    if not doubted.height:
        return none()
    found = with_session(doubted, view)
    return movement_claims(found.filter(~pl.col("served")), "medium")


def _line(at: float, activity: str) -> Row:
    """A line of the journal."""
    return row("cash", at, "ncr-journal", activity=activity, layer="application", session="1")


_AROUND = (_line(30, "session-start"), _line(33, "card"))

TESTS = (
    Case("notes move and nobody is there", (*HEARTBEAT, *paid(60, 20_000)), fires=True),
    Case("the last customer has gone", (*HEARTBEAT, *_AROUND, _line(50, "session-end"), *paid(60, 20_000)), fires=True),
    Case("a customer's session is open", (*HEARTBEAT, *_AROUND, *paid(60, 20_000), _line(80, "session-end")), fires=False),
    Case("the host approved it, so the journal has a hole", (*HEARTBEAT, reply(57, 20_000), *paid(60, 20_000)), fires=False),
    Case("the terminal has no journal", (*HEARTBEAT, *paid(60, 20_000)), fires=False, missing=("ncr-journal",)),
)
