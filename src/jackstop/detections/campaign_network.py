"""Many machines pay against their host's word, or while it is silent: somebody is on the line between (man in the middle)."""

from collections.abc import Iterable

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, Row, paid, reply, row
from jackstop.detections._claims import Detection, Text, View, none
from jackstop.detections._joint import Past, joined, recent, said
from jackstop.model.results import Finding
from jackstop.model.settings import HOUR

META = Detection(
    title=Text("The network between machines and host is not to be trusted", "端末・ホスト間ネットワークの異常"),
    why=Text(
        "Several machines paid within the hour although the host had said no, or had said nothing at all.",
        "1時間以内に複数端末が、ホストの拒否または無応答にもかかわらず払い出しました。",
    ),
    first_step=Text(
        "Ask the network operator what stands between these machines and the host; stop them if they were contradicted.",
        "該当端末とホストの間の経路を通信担当に確認し、拒否に反する払出があれば停止してください。",
    ),
    level="critical",
    needs=("cash", "host"),
    attack=("T1557",),
    gaps="A host feed that is silent everywhere is far more often an outage: that is told, and does not page.",
)
FLEETWIDE = True
NAME = "campaign.network"
MACHINES, WITHIN = 3, HOUR
KINDS = {"dispense.contradicted": ("critical", "contradicted"), "feed.dark": ("medium", "host silent while paying")}


def detect(_: View) -> pl.DataFrame:
    """Nothing from rows."""
    return none()


def join(new: Finding, past: Past) -> Iterable[Finding]:
    """A finding for each machine not told of yet, once three are concerned within the hour."""
    if new.detection not in KINDS:
        return
    severity, what = KINDS[new.detection]
    alike = recent(past.kinds.get(new.detection, ()), new.decided_at, WITHIN)
    first = {f.terminal: f for f in reversed(alike)}
    if len(first) < MACHINES:
        return
    told = {f.terminal for f in recent(past.kinds.get(NAME, ()), new.decided_at) if said(f) == what}
    for terminal in sorted(first.keys() - told, key=lambda t: (first[t].decided_at, t)):
        yield joined(NAME, severity, new, [first[terminal]], what)


def _at(rows: Iterable[Row], terminal: str, after: float) -> tuple[Row, ...]:
    """The rows at another terminal, so many seconds later."""
    return tuple(row(r.table, r.at + after, r.source, **{**r.values, "terminal": terminal}) for r in rows)


_DECLINED = (reply(57, 20_000, approved=False), *paid(60, 20_000))
_THREE = tuple(r for i, t in enumerate(("ATM-T", "ATM-U", "ATM-V")) for r in _at(_DECLINED, t, 300 * i))

TESTS = (
    Case("three machines pay though declined", (*HEARTBEAT, *_THREE), fires=True),
    Case(
        "one machine does, three times",
        (*HEARTBEAT, *(r for i in range(3) for r in _at(_DECLINED, "ATM-T", 300 * i))),
        fires=False,
    ),
    Case("the host feed is not there at all", _THREE, fires=False, missing=("switch-csv",)),
)
