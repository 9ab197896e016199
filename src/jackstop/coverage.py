"""What of an advisory the detections see: each technique and sign with the detections that cover it and how they are tested."""

from dataclasses import dataclass

from jackstop import advisories, detections
from jackstop.advisories import Advisory, Sign, TechniqueUse


@dataclass(frozen=True, slots=True)
class Seen:
    """One detection that covers an entry: its id, how many test cases it carries, what it needs to see."""

    detection: str
    tests: int
    needs: tuple[str, ...]
    level: str


@dataclass(frozen=True, slots=True)
class Covered:
    """One technique or sign of an advisory.

    Attributes:
        entry: the technique or sign. by: detections there are that see it. wanted: detections it names that there are not.
    """

    entry: TechniqueUse | Sign
    by: tuple[Seen, ...]
    wanted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """All of an advisory's techniques and signs, and the detection that looks for its indicators, where there is one."""

    advisory: Advisory
    techniques: tuple[Covered, ...]
    signs: tuple[Covered, ...]
    hunter: Seen | None

    @property
    def uncovered(self) -> tuple[TechniqueUse | Sign, ...]:
        """The techniques and signs that no detection sees."""
        return tuple(c.entry for c in (*self.techniques, *self.signs) if not c.by)


HUNTER = "tool.known-bad"
"""The detection that looks for indicators of advisories."""


def of(advisory: Advisory) -> Coverage:
    """The coverage of one advisory by the detections there are."""
    return Coverage(
        advisory,
        tuple(Covered(t, _claiming((t.id, *t.now))) for t in advisory.techniques),
        tuple(_sign(s) for s in advisory.signs),
        _seen(HUNTER) if HUNTER in detections.names() else None,
    )


def _claiming(wanted: tuple[str, ...]) -> tuple[Seen, ...]:
    metas = {name: detections.find(name).META for name in detections.names()}
    return tuple(_seen(n) for n, m in metas.items() if any(advisories.covers(a, wanted) for a in m.attack))


def _sign(sign: Sign) -> Covered:
    known = detections.names()
    return Covered(
        sign, tuple(_seen(d) for d in sign.detections if d in known), tuple(d for d in sign.detections if d not in known)
    )


def _seen(name: str) -> Seen:
    found = detections.find(name)
    return Seen(name, len(found.TESTS), found.META.needs, found.META.level)
