"""`/v1/advisories`: threat briefs, and what of them is seen by which detection."""

import datetime

from pydantic import Field

from jackstop import advisories as shipped
from jackstop import coverage
from jackstop.advisories import Advisory, Sign
from jackstop.coverage import Covered
from jackstop.web.asking import Ctx, Lang, there
from jackstop.web.context import Context
from jackstop.web.routing import Routes
from jackstop.web.shapes import PageOf, Shape

routes = Routes("advisories")


class AdvisoryLine(Shape):
    """A threat brief in a list."""

    id: str
    title: str
    date: datetime.date
    call_to_act: float | None = Field(description="0 to 10.")
    indicators: int


class ActionLine(Shape):
    """One thing to do, and by when."""

    horizon: str
    text: str


class AdvisoryWhole(AdvisoryLine):
    """A threat brief."""

    points: list[str]
    signs: list[str]
    techniques: list[str]
    actions: list[ActionLine]


class SeenLine(Shape):
    """A detection that sees something of an advisory, and with how many cases it is tested."""

    detection: str
    tests: int
    needs: list[str]
    level: str


class CoveredLine(Shape):
    """One technique or sign, and what sees it."""

    kind: str = Field(description="technique or sign")
    id: str = Field(description="Of ATT&CK; empty for a sign.")
    text: str
    by: list[SeenLine]
    wanted: list[str] = Field(description="Detections it names that there are not.")


class CoverageWhole(Shape):
    """What of an advisory is seen."""

    advisory: str
    seen: int
    all: int
    entries: list[CoveredLine]


@routes.on("GET", "/v1/advisories", "viewer", PageOf[AdvisoryLine])
def listing(context: Ctx, lang: Lang) -> PageOf[AdvisoryLine]:
    """All threat briefs in use, newest first."""
    found = sorted(_all(context).values(), key=lambda a: (a.date, a.id), reverse=True)
    return PageOf(items=[_line(a, lang) for a in found])


@routes.on("GET", "/v1/advisories/{advisory}", "viewer", AdvisoryWhole)
def one(context: Ctx, advisory: str, lang: Lang) -> AdvisoryWhole:
    """One threat brief."""
    a = there(_all(context).get(advisory), "advisory", advisory)
    return AdvisoryWhole(
        **_line(a, lang).model_dump(),
        points=[p.say(lang) for p in a.points],
        signs=[s.say(lang) for s in a.signs],
        techniques=[f"{t.id} {t.say(lang)}" for t in a.techniques],
        actions=[ActionLine(horizon=x.horizon, text=x.say(lang)) for x in a.actions],
    )


@routes.on("GET", "/v1/advisories/{advisory}/coverage", "viewer", CoverageWhole)
def covered(context: Ctx, advisory: str, lang: Lang) -> CoverageWhole:
    """Which techniques and signs of a threat brief the detections see."""
    found = coverage.of(there(_all(context).get(advisory), "advisory", advisory))
    entries = [_covered(c, lang) for c in (*found.techniques, *found.signs)]
    return CoverageWhole(advisory=advisory, seen=len(entries) - len(found.uncovered), all=len(entries), entries=entries)


def _all(context: Context) -> dict[str, Advisory]:
    """Those that come with jackstop, and the bank's own."""
    return {n: shipped.find(n) for n in shipped.names()} | {a.id: a for a in context.advisories}


def _line(a: Advisory, lang: str) -> AdvisoryLine:
    act = a.scores.call_to_act if a.scores else None
    return AdvisoryLine(id=a.id, title=a.title.say(lang), date=a.date, call_to_act=act, indicators=len(a.indicators))


def _covered(c: Covered, lang: str) -> CoveredLine:
    is_sign = isinstance(c.entry, Sign)
    return CoveredLine(
        kind="sign" if is_sign else "technique",
        id="" if isinstance(c.entry, Sign) else c.entry.id,
        text=c.entry.say(lang),
        by=[SeenLine.model_validate(s) for s in c.by],
        wanted=list(c.wanted),
    )
