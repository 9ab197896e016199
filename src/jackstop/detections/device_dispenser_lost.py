"""The dispenser vanishes or reports fraud (mission M9)."""

import polars as pl

from jackstop.detections._cases import Case, device, door
from jackstop.detections._claims import Detection, Text, View, claims, follows, none, openings, unpermitted
from jackstop.model.settings import MINUTE

META = Detection(
    title=Text("The dispenser was disconnected", "払出機の切断"),
    why=Text(
        "The dispenser went away or reported a fraud attempt with no visit: a black box is put in its place this way.",
        "作業予定なしに払出機が切断、または不正の試みを報告しました。ブラックボックス接続の手口です。",
    ),
    first_step=Text(
        "Look at the camera; have the cable between PC and dispenser checked.",
        "カメラを確認し、PCと払出機の間の配線を点検してください。",
    ),
    level="high",
    needs=("cash",),
    attack=("T1200",),
    silenced_by=("open-cabinet", "reboot"),
    gaps="A power cut at the site looks the same until the door says otherwise; alone it does not page.",
    stage="impairment",
)


LOST = ("offline", "power-off", "no-device")
FRAUD = ("fraud-attempt", "potential-fraud", "fraud-device-detected")
WITHIN = 30 * MINUTE


def detect(view: View) -> pl.DataFrame:
    """Fraud states: high. Loss of the dispenser: medium, high when a door was opened unannounced before."""
    cash = view.table("cash")
    if cash is None:
        return none()
    states = cash.filter(pl.col("activity") == "status")
    if not states.height:
        return none()
    state = pl.col("state").cast(pl.String)
    fraud = claims(unpermitted(states.filter(state.is_in(FRAUD)), view.visits, "open-cabinet"), "high", detail=state)
    lost = unpermitted(states.filter(state.is_in(LOST)), view.visits, "open-cabinet", "reboot")
    opened = openings(view)
    if opened is None:
        return pl.concat([fraud, claims(lost, "medium", detail=state)])
    after = follows(lost, opened, WITHIN)
    rest = lost.join(after, on="event_id", how="anti")
    proof = pl.concat_list("sign_record", pl.concat_list(pl.struct("source", "record_offset", "record_length", "record_digest")))
    return pl.concat([fraud, claims(rest, "medium", detail=state), claims(after, "high", detail=state, records=proof)])


TESTS = (
    Case("the door opens and the dispenser vanishes", (door(60), device(120, "status", state="no-device")), fires=True),
    Case(
        "a visit permits opening",
        (door(60), device(120, "status", state="offline")),
        fires=False,
        visits=((0, 900, ("open-cabinet",)),),
    ),
    Case("the dispenser is well", (device(120, "status", state="online"),), fires=False),
    Case(
        "the trace does not arrive",
        (door(60), device(120, "status", state="no-device")),
        fires=False,
        missing=("nextware-trace",),
    ),
)
