"""What every shape says of an alert in words: the detection that leads it, its title, why, and the first step."""

from dataclasses import dataclass

from jackstop import detections
from jackstop.model import money
from jackstop.model.results import Alert
from jackstop.sinks import Telling

VENDOR, PRODUCT = "jackstop", "jackstop"


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


def lead(alert: Alert, lang: str) -> Saying:
    """The detection an alert has its title from: one whose English title it is, else the first as grave as the alert."""
    titled = [n for n in alert.detections if of(n, "en").title == alert.title]
    grave = [f.detection for f in alert.findings if f.severity == alert.severity]
    name = next(iter((*titled, *grave, *alert.detections)), "")
    said = of(name, lang)
    return said if titled else Saying(said.id, alert.title, said.why, said.first_step)


def message(alert: Alert, lang: str) -> str:
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
