"""A hash, name or address that an advisory tells of, seen in any log (mission M26)."""

import polars as pl

from jackstop.detections._cases import Case, Row, row
from jackstop.detections._claims import Detection, Text, View, claims, none
from jackstop.detections._signals import KNOWN_BAD

META = Detection(
    title=Text("Something known from an advisory was seen", "注意喚起に記載の痕跡を検知"),
    why=Text(
        "A log names a hash, file, service, account or address that an advisory in the bundle lists as an attacker's.",
        "注意喚起で攻撃者のものとされたハッシュ値・ファイル・サービス・アカウント・アドレスがログに現れました。",
    ),
    first_step=Text(
        "Take the machine out of service and search the others with `jackstop hunt`.",
        "端末を停止し、`jackstop hunt` で他の端末も調べてください。",
    ),
    level="high",
    needs=(),
    attack=(),
    gaps="Knows what the advisories in the bundle's folder `advisories` list, and no more; a rebuilt tool has another hash.",
    stage="persistence",
)


def detect(view: View) -> pl.DataFrame:
    """Rows that hold an indicator."""
    if not view.signals.height:
        return none()
    seen = view.signals.filter(pl.col("rule") == KNOWN_BAD, pl.col("terminal").is_not_null())
    return claims(seen, "high", detail=pl.col("values"), records=pl.col("records"))


def _started(path: str) -> Row:
    """A process creation."""
    return row("windows", 0, "winlogbeat", channel="Security", code=4688, data=f'{{"NewProcessName":"{path}"}}')


_LISTED = (("file-name", "listed.exe"),)

TESTS = (
    Case("a listed program starts", (_started("C:\\\\x\\\\LISTED.exe"),), fires=True, indicators=_LISTED),
    Case("another program starts", (_started("C:\\\\x\\\\app.exe"),), fires=False, indicators=_LISTED),
    Case("no advisory lists it", (_started("C:\\\\x\\\\LISTED.exe"),), fires=False),
    Case(
        "the log does not arrive", (_started("C:\\\\x\\\\LISTED.exe"),), fires=False, indicators=_LISTED, missing=("winlogbeat",)
    ),
)
