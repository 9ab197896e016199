"""Cash ordered, or the dispenser opened, by a program that is not on the terminal's list (mission M17)."""

import polars as pl

from jackstop.detections._cases import Case, device
from jackstop.detections._claims import Detection, Text, View, by_id, claims, none, unpermitted

META = Detection(
    title=Text("A foreign program commands the dispenser", "未登録プログラムによる払出機の操作"),
    why=Text(
        "The trace names the program that opened the dispenser or ordered cash, and it is not one that may.",
        "払出機を開いた、または払出を命じたプログラムが、許可リストにありません。",
    ),
    first_step=Text(
        "Take the terminal out of service; keep the program's file and its hash.",
        "端末を取扱中止にし、プログラムのファイルとハッシュ値を保全してください。",
    ),
    level="high",
    needs=("cash",),
    attack=("T1106", "T1574"),
    silenced_by=("software", "test-dispense"),
    gaps="Needs a trace that names callers and `callers` in fleet.toml; names can be borrowed, so a listed one proves nothing.",
    stage="cash",
)


def detect(view: View) -> pl.DataFrame:
    """Orders by an unlisted caller: high, as soon as they are seen, before notes move; the service opened by one: medium."""
    cash = view.table("cash")
    if cash is None:
        return none()
    ordered = pl.col("activity") == "dispense-requested"
    named = cash.filter((ordered | (pl.col("activity") == "opened-by")) & pl.col("caller").is_not_null())
    if not named.height:
        return none()
    pairs = named.select("terminal", "caller").unique(maintain_order=True)
    wrong = pairs.filter(pl.Series([not _may(c, _listed(t, view)) for t, c in pairs.iter_rows()], dtype=pl.Boolean))
    if not wrong.height:
        return none()
    found = unpermitted(
        named.join(wrong, on=["terminal", "caller"], maintain_order="left"), view.visits, "software", "test-dispense"
    )
    return claims(found, pl.when(ordered).then(pl.lit("high")).otherwise(pl.lit("medium")), detail=pl.col("caller"))


SHORTENED = 12
"""Characters from which a name may be one that the trace cut off."""


def _listed(terminal: str, view: View) -> tuple[str, ...]:
    """The callers listed for a terminal."""
    known = by_id(view.fleet).get(terminal)
    return () if known is None else known.callers


def _may(caller: str, listed: tuple[str, ...]) -> bool:
    """Whether a caller is listed, or nobody is: by its whole path where the entry has one, else by its file name.

    Case does not count.
    """
    if not listed:
        return True
    path = caller.strip().strip('"').replace("\\", "/").lower()
    name = path.rsplit("/", 1)[-1]
    entries = [e.replace("\\", "/").lower() for e in listed]
    return any(e in (path, name) or (len(name) >= SHORTENED and e.startswith(name)) for e in entries)


TESTS = (
    Case(
        "a program nobody listed orders notes",
        (device(60, "dispense-requested", 80_000, caller="C:\\Temp\\svch0st.exe"),),
        fires=True,
    ),
    Case("it only opens the dispenser", (device(60, "opened-by", caller="svch0st.exe"),), fires=True),
    Case(
        "the application orders notes, under its whole path",
        (device(60, "dispense-requested", 80_000, caller="C:\\Program Files\\ATM\\ATMAPPLICATION.EXE"),),
        fires=False,
    ),
    Case(
        "a visit permits software work",
        (device(60, "dispense-requested", 80_000, caller="SetupTest.exe"),),
        fires=False,
        visits=((0, 900, ("software",)),),
    ),
    Case(
        "the application orders notes, its name cut off by the trace",
        (device(60, "dispense-requested", 80_000, caller="AtmApplication.e"),),
        fires=False,
    ),
    Case("the trace names no callers", (device(60, "dispense-requested", 80_000),), fires=False),
    Case(
        "the trace is missing",
        (device(60, "dispense-requested", 80_000, caller="svch0st.exe"),),
        fires=False,
        missing=("nextware-trace",),
    ),
)
