"""Dispensed and explained value drift apart at one machine (mission M25)."""

import polars as pl

from jackstop.detections._cases import Case, Row, paid, reply
from jackstop.detections._claims import Detection, Text, View, claims, none
from jackstop.ledger.verdicts import ident

META = Detection(
    title=Text("More is dispensed than explained, again and again", "出金と承認の差が累積"),
    why=Text(
        "Hour by hour this machine dispensed more than can be explained; each movement may be unclear, together they drift.",
        "説明のつかない出金が時間をまたいで積み重なっています。個々は不明瞭でも、合計は偏っています。",
    ),
    first_step=Text(
        "Compare the cassette counts with the host's totals; see whether a source of this machine is late or missing.",
        "カセットの残数とホスト集計を照合し、この端末のログに遅延や欠落がないか確認してください。",
    ),
    level="low",
    needs=("cash", "host"),
    gaps="Told once the hour is over; a machine that has paid nothing explained yet has no usual withdrawal to measure by.",
)


def detect(view: View) -> pl.DataFrame:
    """Hours in which the sum of what nothing explains rose over the limit."""
    if not view.risen.height:
        return none()
    return claims(
        view.risen, "low", key="id", amount="amount", records=pl.col("records"), decided="decided", verdict=ident(prefix="e")
    )


_LATER = 7200


def _served(count: int) -> tuple[Row, ...]:
    """Withdrawals that are approved."""
    made = [(*paid(60 + 300 * i, 20_000), reply(57 + 300 * i, 20_000, rrn=f"6000000001{i:02}")) for i in range(count)]
    return tuple(r for rows in made for r in rows)


def _unclear(count: int) -> tuple[Row, ...]:
    """Withdrawals nothing approves, some hours later."""
    return tuple(r for i in range(count) for r in paid(_LATER + 300 * i, 20_000))


TESTS = (
    Case("nine approved, then five that nothing explains", (*_served(9), *_unclear(5)), fires=True),
    Case("nine approved, then one that nothing explains", (*_served(9), *_unclear(1)), fires=False),
    Case("all are approved", _served(9), fires=False),
    Case("the trace does not arrive", (*_served(9), *_unclear(5)), fires=False, missing=("nextware-trace",)),
)
