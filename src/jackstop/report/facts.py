"""The figures of a whole report: how much moved, how much is explained, and who has to be called."""

from collections import Counter
from dataclasses import dataclass

from jackstop.model.results import PAGING, SEVERITIES, Dossier, Glance, Report
from jackstop.model.vocabulary import VERDICT
from jackstop.report.texts import Texts

_SOUND = ("explained", "explained-by-visit")


@dataclass(frozen=True, slots=True)
class Facts:
    """Totals over a report.

    Attributes:
        movements: episodes. decided: verdicts of every kind but the pending. by_verdict: their number.
        dispensed, unexplained: minor units by currency. alerts, paging: all, and those that page a person.
        hit: terminals with an alert. terminals: all.
    """

    movements: int
    decided: int
    by_verdict: dict[str, int]
    dispensed: dict[str, int]
    unexplained: dict[str, int]
    alerts: int
    paging: int
    hit: int
    terminals: int

    @property
    def explained(self) -> str:
        """The share of decided movements that is explained, in per cent; never rounded up to 100."""
        if not self.decided:
            return "–"
        basis = 10_000 * sum(self.by_verdict.get(v, 0) for v in _SOUND) // self.decided
        return f"{basis // 100}.{basis % 100:02d} %" if basis < 10_000 else "100 %"


def of(report: Report) -> Facts:
    """The totals of a report."""
    verdicts: Counter[str] = Counter()
    dispensed: Counter[str] = Counter()
    unexplained: Counter[str] = Counter()
    for glance in report.terminals:
        verdicts.update(glance.by_verdict)
        dispensed[glance.currency] += glance.dispensed
    for dossier in report.dossiers:
        unexplained[dossier.alert.currency] += dossier.alert.unexplained
    return Facts(
        movements=sum(g.movements for g in report.terminals),
        decided=sum(verdicts.values()) - verdicts["pending"],
        by_verdict={v: verdicts[v] for v in VERDICT if verdicts[v]},
        dispensed={c: n for c, n in sorted(dispensed.items()) if n},
        unexplained={c: n for c, n in sorted(unexplained.items()) if n},
        alerts=len(report.dossiers),
        paging=sum(d.alert.severity in PAGING for d in report.dossiers),
        hit=len({t for d in report.dossiers for t in d.alert.terminals}),
        terminals=len(report.terminals),
    )


def amounts(by_currency: dict[str, int], fallback: str, t: Texts) -> str:
    """Money in several currencies, in words; zero of the fallback where there is none."""
    return " + ".join(t.money(n, c) for c, n in by_currency.items()) or t.money(0, fallback)


def by_gravity(report: Report) -> list[Dossier]:
    """The dossiers, gravest first, then those with most unexplained money, then in the order raised."""
    return sorted(
        report.dossiers, key=lambda d: (-SEVERITIES.index(d.alert.severity), -d.alert.unexplained, d.alert.raised_at, d.alert.id)
    )


def worst_first(report: Report) -> tuple[list[Glance], list[Glance]]:
    """Terminals with an alert, worst first, and those without, by name."""
    loud = [g for g in report.terminals if g.severity]
    quiet = [g for g in report.terminals if not g.severity]
    loud.sort(key=lambda g: (-SEVERITIES.index(g.severity), -g.unexplained, g.terminal))
    return loud, sorted(quiet, key=lambda g: g.terminal)


def blind(glance: Glance) -> dict[str, list[str]]:
    """What a terminal's sources cannot show: missing table to the detections that want it."""
    wanting: dict[str, list[str]] = {}
    for spot in glance.blind_spots:
        detection, _, table = spot.partition(":")
        wanting.setdefault(table, []).append(detection)
    return wanting
