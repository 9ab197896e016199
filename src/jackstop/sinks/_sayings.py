"""What every shape says of an alert in words: the detection that leads it, its title, why, and the first step."""

from dataclasses import dataclass

from jackstop import detections
from jackstop.model import money
from jackstop.model.results import Alert

VENDOR, PRODUCT = "jackstop", "jackstop"


@dataclass(frozen=True, slots=True)
class Telling:
    """How the live service tells an alert, which may change; an investigation's alerts are told without one.

    Attributes:
        revision: of the alert, from 1. updated: whether the receiver was told an earlier revision.
        most: findings, and records of each, that are written out.
    """

    revision: int
    updated: bool = False
    most: int = 200


def key(alert: str, revision: int) -> str:
    """The idempotency key of one revision of an alert: the same however often it is sent."""
    return f"{alert}:{revision}"


@dataclass(frozen=True, slots=True)
class Saying:
    """One detection in words of one language; empty words where the detection is not known here."""

    id: str
    title: str
    why: str
    first_step: str


def of(detection: str, lang: str) -> Saying:
    """What a detection says of itself; its id as the title where it is not known here."""
    if detection not in detections.names():
        return Saying(detection, detection, "", "")
    meta = detections.find(detection).META
    title, why, step = (t.ja if lang == "ja" else t.en for t in (meta.title, meta.why, meta.first_step))
    return Saying(detection, title, why, step)


def lead(alert: Alert, lang: str = "en") -> Saying:
    """The detection an alert has its title from: one whose English title it is, else the first as grave as the alert."""
    titled = [n for n in alert.detections if of(n, "en").title == alert.title]
    grave = [f.detection for f in alert.findings if f.severity == alert.severity]
    name = next(iter((*titled, *grave, *alert.detections)), "")
    said = of(name, lang)
    return said if titled else Saying(said.id, alert.title, said.why, said.first_step)


def message(alert: Alert, lang: str = "en") -> str:
    """One sentence: what, where, and the money nothing explains."""
    said = f"{lead(alert, lang).title} ({', '.join(alert.terminals)})"
    if not alert.unexplained:
        return said
    word = "説明のつかない金額" if lang == "ja" else "unexplained"
    amount = money.show(alert.unexplained, alert.currency)
    return f"{said}: {word} {amount}" if lang == "ja" else f"{said}: {amount} {word}"


def status(telling: Telling | None) -> str:
    """`new` or `updated`; empty where an alert is told as a whole, once."""
    return "" if telling is None else "updated" if telling.updated else "new"


def told_at(alert: Alert, telling: Telling | None) -> int:
    """µs UTC of what is told: when the alert was raised, or last changed where the receiver knows it already."""
    return alert.updated_at if telling is not None and telling.updated else alert.raised_at


def parent(technique: str) -> str:
    """The ATT&CK technique that a sub-technique belongs to: `T1070` of `T1070.001`; a technique is its own."""
    return technique.partition(".")[0]
