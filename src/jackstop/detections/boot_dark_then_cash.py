"""Silence, a restart, then cash that nothing explains (mission M10)."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, paid, reply, told
from jackstop.detections._claims import Detection, Text, View, follows, movement_claims, none, suspicious, unpermitted
from jackstop.model.settings import HOUR

META = Detection(
    title=Text("Cash left after an unexplained restart", "不審な再起動後の払い出し"),
    why=Text(
        "The machine went dark, came back with no visit and paid without authorisation: a swapped or rewritten disk.",
        "端末が沈黙し、予定なく復帰した後に承認なしで払い出しました。ディスク交換・改変の典型です。",
    ),
    first_step=Text(
        "Preserve the disk; compare its programs with the gold image.", "ディスクを保全し、正規イメージと比較してください。"
    ),
    level="high",
    needs=("operator", "cash", "host"),
    attack=("T1562", "T1685", "T1542"),
    gaps="A restart that leaves no trace in journal or Windows log is not seen.",
    stage="cash",
)


WITHIN = 2 * HOUR


def detect(view: View) -> pl.DataFrame:
    """Suspicious movements at most two hours after an unannounced start."""
    operator = view.table("operator")
    if operator is None:
        return none()
    if not suspicious(view).height:
        return none()
    booted = unpermitted(operator.filter(pl.col("activity") == "power-up"), view.visits, "reboot", "software")
    return movement_claims(follows(suspicious(view), booted, WITHIN), "high")


TESTS = (
    Case("a restart, then cash without approval", (*HEARTBEAT, told(-500, "power-up"), *paid(60, 80_000)), fires=True),
    Case(
        "a restart, then an approved withdrawal",
        (*HEARTBEAT, told(-500, "power-up"), reply(57, 80_000), *paid(60, 80_000)),
        fires=False,
    ),
    Case(
        "the trace does not arrive",
        (*HEARTBEAT, told(-500, "power-up"), *paid(60, 80_000)),
        fires=False,
        missing=("nextware-trace",),
    ),
)
