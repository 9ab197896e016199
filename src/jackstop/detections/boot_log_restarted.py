"""Windows record numbers begin anew though nobody cleared the log: another disk, or a log wiped from outside (mission M10)."""

import polars as pl

from jackstop.detections._cases import Case, Row, row, told
from jackstop.detections._claims import Detection, Text, View, claims, none, record, unpermitted
from jackstop.model.settings import MINUTE

META = Detection(
    title=Text("The event log began anew", "イベントログの通番の巻き戻り"),
    why=Text(
        "Windows numbers its records without end; numbers that begin anew come from another disk or from a wiped log.",
        "Windowsの記録番号は増え続けます。巻き戻りは、別のディスクからの起動かログの消去を示します。",
    ),
    first_step=Text(
        "Preserve the disk; compare its serial number with the inventory.",
        "ディスクを保全し、シリアル番号を台帳と照合してください。",
    ),
    level="high",
    needs=("feeds",),
    attack=("T1070", "T1070.001", "T1685.005", "T1542"),
    silenced_by=("software",),
    gaps="A small step back is taken as a batch delivered twice; a copied disk goes on with the same numbers.",
    stage="media",
)


FEW, FAR = 100, 5_000
"""Record numbers up to the first are a new log's; a fall by the second or more is another log's."""

CLEARED, WITHIN = 2 * MINUTE, 30 * MINUTE


def detect(view: View) -> pl.DataFrame:
    """Numbers that begin anew: medium; high once more where the machine restarted unannounced about then."""
    feeds = view.table("feeds")
    if feeds is None:
        return none()
    anew = (pl.col("after") <= FEW) | (pl.col("before") - pl.col("after") >= FAR)
    fallen = feeds.filter((pl.col("activity") == "restarted") & (pl.col("clock") == "pc") & (pl.col("at") > 0) & anew)
    if not fallen.height:
        return none()
    cleared = feeds.filter(pl.col("activity") == "log-cleared").select("terminal", other="at", seen="arrival")
    found = unpermitted(fallen, view.visits, "software")
    told_of = _near(found, cleared, CLEARED).filter(pl.col("seen") <= pl.col("arrival") + pl.col("latency"))
    wiped = found.join(told_of, on="event_id", how="anti").with_columns(sure=pl.col("arrival") + pl.col("latency"))
    number = pl.format("{} → {}", "before", "after")
    return pl.concat([claims(wiped, "medium", decided="sure", detail=number), _restarted(view, wiped)])


def _restarted(view: View, wiped: pl.DataFrame) -> pl.DataFrame:
    """Unannounced starts near a log that began anew."""
    operator = view.table("operator")
    if operator is None or not wiped.height:
        return none()
    booted = unpermitted(operator.filter(pl.col("activity") == "power-up"), view.visits, "reboot", "software")
    logs = wiped.select("terminal", other="at", seen="sure", log=record())
    both = _near(booted, logs, WITHIN).sort("event_id", "other").unique("event_id", keep="first", maintain_order=True)
    proof = pl.concat_list("log", record())
    return claims(both, "high", decided=pl.max_horizontal("arrival", "seen"), records=proof)


def _near(frame: pl.DataFrame, signs: pl.DataFrame, within: int) -> pl.DataFrame:
    """Rows with each sign (terminal, other) at their terminal at most `within` µs away."""
    return frame.join(signs, on="terminal", how="inner").filter((pl.col("at") - pl.col("other")).abs() <= within)


def _fall(at: float, after: int = 1) -> Row:
    """What the reader notes of record numbers that fall."""
    return row("feeds", at, "winlogbeat", activity="restarted", count=1, before=41_207, after=after)


TESTS = (
    Case("numbers begin anew", (_fall(60),), fires=True),
    Case("numbers begin anew as the machine starts unannounced", (_fall(60), told(110, "power-up")), fires=True),
    Case(
        "the log was cleared, which is said elsewhere",
        (row("feeds", 60, "winlogbeat", activity="log-cleared"), _fall(61)),
        fires=False,
    ),
    Case("a batch is delivered twice", (_fall(60, 41_100),), fires=False),
    Case("a visit permits software work", (_fall(60),), fires=False, visits=((0, 900, ("software",)),)),
    Case("Windows events do not arrive", (_fall(60),), fires=False, missing=("winlogbeat",)),
)
