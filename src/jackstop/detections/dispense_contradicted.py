"""Cash paid although the evidence says no: declined, reversed before, told otherwise on the line."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, paid, reply
from jackstop.detections._claims import Detection, Text, View, movement_claims, none, suspicious

META = Detection(
    title=Text("Cash left although the host said no", "ホストが拒否した取引での払い出し"),
    why=Text(
        "The host declined or had undone the transaction, and notes were paid all the same.",
        "ホストは取引を拒否または取消済みですが、紙幣が払い出されました。",
    ),
    first_step=Text(
        "Compare the host's answer with what the terminal was told; suspect the line between them.",
        "ホストの応答と端末が受け取った応答を比べ、その間の回線を疑ってください。",
    ),
    level="critical",
    needs=("cash", "host"),
    attack=("T1557",),
    gaps="A stand-in approval that is never advised looks the same.",
    stage="cash",
)


def detect(view: View) -> pl.DataFrame:
    """Contradicted movements other than those over the authorised amount, at their verdict."""
    found = suspicious(view)
    if not found.height:
        return none()
    found = found.filter((pl.col("verdict") == "contradicted") & (pl.col("reason") != "over-authorised"))
    return movement_claims(found, "critical")


TESTS = (
    Case("the host declined and notes were paid", (*HEARTBEAT, reply(57, 20_000, approved=False), *paid(60, 20_000)), fires=True),
    Case(
        "a decline is followed by an approval",
        (*HEARTBEAT, reply(40, 20_000, approved=False), reply(57, 20_000, rrn="600000000002"), *paid(60, 20_000)),
        fires=False,
    ),
    Case("the host feed is not there at all", paid(60, 20_000), fires=False, missing=("switch-csv",)),
)
