"""Another fixed disk where one was known: the disk was swapped (mission M10)."""

import polars as pl

from jackstop.detections._cases import Case, Row, row
from jackstop.detections._claims import Detection, Text, View, claims, none, unpermitted

META = Detection(
    title=Text("The machine started from another disk", "ディスクの交換を検知"),
    why=Text(
        "A fixed disk shows another serial number than before and no visit permits it.",
        "固定ディスクのシリアル番号が以前と異なり、作業予定がありません。",
    ),
    first_step=Text("Keep the machine out of service; preserve the disk.", "端末を停止したまま、ディスクを保全してください。"),
    level="high",
    needs=("windows",),
    attack=("T1200", "T1542"),
    silenced_by=("software",),
    gaps="Needs the channel Partition/Diagnostic; the first disk ever seen is taken as the right one.",
    stage="media",
)


def detect(view: View) -> pl.DataFrame:
    """Disk changes outside visits that permit software or reboot work."""
    if not view.disks.height:
        return none()
    return claims(unpermitted(view.disks, view.visits, "software"), "high", detail=pl.col("serial"))


def _disk(at: float, serial: str, bus: str = "11") -> Row:
    """A Partition/Diagnostic event 1006."""
    data = f'{{"DiskNumber": "0", "BusType": "{bus}", "SerialNumber": "{serial}", "Capacity": "256060514304"}}'
    return row("windows", at, "winlogbeat", channel="Microsoft-Windows-Partition/Diagnostic", code=1006, data=data)


TESTS = (
    Case("the serial number changes", (_disk(0, "WD-1"), _disk(600, "XX-9")), fires=True),
    Case("the same disk starts again", (_disk(0, "WD-1"), _disk(600, "WD-1")), fires=False),
    Case("a USB disk comes", (_disk(0, "WD-1"), _disk(600, "STICK", bus="7")), fires=False),
    Case("a visit permits it", (_disk(0, "WD-1"), _disk(600, "XX-9")), fires=False, visits=((300, 900, ("software",)),)),
    Case("the Windows events do not arrive", (_disk(0, "WD-1"), _disk(600, "XX-9")), fires=False, missing=("winlogbeat",)),
)
