"""Order after order takes the same large number of notes from one cassette (mission M6)."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, Row, device, reply
from jackstop.detections._claims import Detection, Text, View, doubtful, movement_claims, none
from jackstop.model.settings import MINUTE

META = Detection(
    title=Text("Cassettes are emptied in equal loads", "同一枚数での繰り返し払い出し"),
    why=Text(
        "Three orders in a row each took the same large number of notes from a single cassette, as emptying programs do.",
        "単一カセットから同じ多枚数を取り出す命令が3回続きました。現金を抜き取るプログラムの特徴です。",
    ),
    first_step=Text(
        "Compare with the journal: no customer asks for notes this way.",
        "ジャーナルと照合してください。通常の取引ではこの形になりません。",
    ),
    level="low",
    needs=("cash",),
    attack=("T1106",),
    silenced_by=("test-dispense",),
    gaps="Needs note counts in the trace. It adds to what others found and never pages alone.",
    stage="cash",
)


TIMES, NOTES, WITHIN = 3, 20, 10 * MINUTE


def detect(view: View) -> pl.DataFrame:
    """The third and each further order of a series that nothing explains, at its verdict."""
    cash, moved = view.table("cash"), doubtful(view)
    if cash is None or moved.height < TIMES:
        return none()
    said = cash.filter(pl.col("activity").is_in(["dispense-requested", "dispensed"]) & pl.col("counts").is_not_null())
    mixes = said.select("terminal", mix_at="at", mix="counts").sort("mix_at")
    joined = moved.sort("at", "id").join_asof(
        mixes,
        left_on="at",
        right_on="mix_at",
        by="terminal",
        strategy="forward",
        tolerance=view.settings.completion,
        check_sortedness=False,
    )
    alone = pl.col("mix").list.max() == pl.col("mix").list.sum()
    loads = joined.with_columns(load=pl.when(alone).then(pl.col("mix").list.max())).sort("terminal", "at", "id")
    back = range(1, TIMES)
    same = pl.all_horizontal(pl.col("load") == pl.col("load").shift(i).over("terminal") for i in back)
    near = pl.col("at") - pl.col("at").shift(TIMES - 1).over("terminal") <= WITHIN
    decided = pl.max_horizontal("decided", *(pl.col("decided").shift(i).over("terminal") for i in back))
    found = loads.with_columns(all_decided=decided, series=same & near & (pl.col("load") >= NOTES))
    return movement_claims(found.filter(pl.col("series")), "low", decided="all_decided")


def _load(at: float, counts: list[int]) -> tuple[Row, ...]:
    """A movement of so many notes of 20 per cassette, taken."""
    amount = 2000 * sum(counts)
    return (
        device(at, "dispense-requested", amount, counts=counts),
        device(at + 4, "dispensed", amount, result=0, counts=counts),
        device(at + 7, "presented"),
        device(at + 12, "taken"),
    )


_LOADS = tuple(r for i in range(3) for r in _load(60 + 60 * i, [0] * i + [40] + [0] * (3 - i)))

TESTS = (
    Case("forty notes from one cassette after the other", (*HEARTBEAT, *_LOADS), fires=True),
    Case("the same with no host feed", _LOADS, fires=True, missing=("switch-csv",)),
    Case("mixed notes", (*HEARTBEAT, *(r for i in range(3) for r in _load(60 + 60 * i, [3, 2, 0, 1]))), fires=False),
    Case(
        "a queue in which all want the same, and the host approved it",
        (*HEARTBEAT, *(reply(57 + 60 * i, 80_000, rrn=f"60000000000{i}") for i in range(3)), *_LOADS),
        fires=False,
    ),
)
