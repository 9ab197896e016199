"""Signs of two or more stages of an attack at one machine within a day: the page before the first note (mission M9, M10)."""

from collections.abc import Iterable

import polars as pl

from jackstop.detections._cases import Case, device, door, row, told
from jackstop.detections._claims import Detection, Text, View, none
from jackstop.detections._joint import Past, joined, recent, said
from jackstop.model.results import Finding
from jackstop.model.settings import HOUR
from jackstop.model.vocabulary import STAGE

META = Detection(
    title=Text("Signs of an attack in the making", "攻撃準備の兆候の連鎖"),
    why=Text(
        "Within a day this machine showed signs of different stages of an attack, and no visit explains them. "
        "Each is slight by itself; together they come before the cash.",
        "この端末で24時間以内に、攻撃の異なる段階の兆候が作業予定なしに重なりました。個々は軽微でも、現金被害の前触れです。",
    ),
    first_step=Text(
        "Take the terminal out of service, look at the camera, and ask who has been there.",
        "端末を取扱中止にし、カメラを確認し、誰が作業したかを確かめてください。",
    ),
    level="critical",
    needs=(),
    attack=("T1200", "T1562", "T1685"),
    gaps="Two signs of the same stage do not page; a stage whose source is missing is not seen; a device plugged while the "
    "machine was off is taken for one that was always there; work that no visit announces looks the same.",
)
FLEETWIDE = False
AGAIN = 2 * HOUR
"""µs after which signs that repeat an old chain are told anew, if they make one by themselves."""


def detect(_: View) -> pl.DataFrame:
    """Nothing from rows."""
    return none()


def join(new: Finding, past: Past) -> Iterable[Finding]:
    """Critical when a second stage is seen, and again with each stage that is added."""
    stage = past.stage(new.detection)
    if not stage or new not in past.staged.get(new.terminal, ()):
        return
    signs = recent(past.staged.get(new.terminal, ()), new.decided_at)
    by_stage = {past.stage(f.detection): f for f in reversed(signs)}  # the first sign of each
    before = [f for f in recent(past.kinds.get(NAME, ()), new.decided_at) if f.terminal == new.terminal]
    if len(by_stage) < 2 or (before and not _news(stage, signs, before, past)):
        return
    stages = [s for s in STAGE if s in by_stage]
    cited = dict.fromkeys((*(by_stage[s] for s in stages), new))
    yield joined(NAME, "critical", new, cited, " + ".join(stages))


def _news(stage: str, signs: list[Finding], before: list[Finding], past: Past) -> bool:
    """Whether a sign adds a stage to what was told, or those since then make a chain of their own."""
    last = before[-1].decided_at
    if all(stage not in said(f).split(" + ") for f in before):
        return True
    since = {past.stage(f.detection) for f in signs if f.decided_at > last}
    return len(since) > 1 and signs[-1].decided_at - last > AGAIN


NAME = "chain.precursors"
_CLEARED = row("feeds", 3600, "winlogbeat", activity="log-cleared", detail="Security")
_SUPERVISOR = told(60, "supervisor-entered")

TESTS = (
    Case(
        "maintenance mode unannounced, and the clock is set",
        (_SUPERVISOR, row("feeds", 900, "winlogbeat", activity="clock-step", before=3_600_000_000, after=0)),
        fires=True,
    ),
    Case(
        "a door by day, and hours later the dispenser goes offline",
        (door(31 * 3600), device(40 * 3600, "status", state="offline")),
        fires=True,
    ),
    Case("vibration only, twice", (door(60, "alarm", sensor="seismic"), door(600, "alarm", sensor="seismic")), fires=False),
    Case("two signs of one stage", (_SUPERVISOR, door(90)), fires=False),
    Case("a log is cleared and nothing else", (_CLEARED,), fires=False),
    Case(
        "a visit permits the one of them",
        (_SUPERVISOR, _CLEARED),
        fires=False,
        visits=((0, 900, ("supervisor",)),),
    ),
    Case("the source of the second stage is missing", (_SUPERVISOR, _CLEARED), fires=False, missing=("winlogbeat",)),
    Case(
        "they are more than a day apart", (_SUPERVISOR, row("feeds", 90_000, "winlogbeat", activity="log-cleared")), fires=False
    ),
)
