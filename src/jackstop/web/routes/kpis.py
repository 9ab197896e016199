"""`/v1/kpis`: the continuous measures over a stretch of time."""

from pydantic import Field

from jackstop.model.settings import HOUR
from jackstop.store import queries
from jackstop.web.asking import Ctx
from jackstop.web.errors import Refused
from jackstop.web.routing import Routes
from jackstop.web.shapes import Minor, Moment, Shape, Since, Until

routes = Routes("kpis")
LONGEST = 93 * 24 * HOUR


class HourLine(Shape):
    """The fleet in one hour."""

    hour: Moment
    dispensed: Minor
    authorised: Minor
    unexplained: Minor
    ewma: float


class DriftLine(Shape):
    """A terminal whose unexplained money drifts."""

    terminal: str
    since: Moment
    cusum: Minor
    unexplained: Minor


class WeekLine(Shape):
    """Cabinet events out of hours in one week."""

    start: Moment
    events: int
    terminal_weeks: float


class ShareLine(Shape):
    """A part of a whole, with the 95 % interval of the true share."""

    part: int
    whole: int
    low: float
    high: float


class LevelLine(Shape):
    """Cash at the end of an hour."""

    hour: Moment
    worth: Minor


class DropLine(Shape):
    """An hour in which a terminal's cash fell unlike its own hours."""

    terminal: str
    hour: Moment
    fell: Minor
    usual: Minor
    z: float
    level: list[LevelLine]


class Kpis(Shape):
    """All measures; see `jackstop kpi`."""

    currency: str
    zone: str
    ratio: float | None = Field(description="Money dispensed over money authorised.")
    dispensed: Minor
    authorised: Minor
    dispenses: int
    transactions: int
    hours: list[HourLine]
    allowance: Minor
    limit: Minor
    drifts: list[DriftLine]
    weeks: list[WeekLine]
    approved: ShareLine
    unapproved: ShareLine
    blocked: ShareLine
    drops: list[DropLine]
    profiled: int


@routes.on("GET", "/v1/kpis", "viewer", Kpis)
def measures(context: Ctx, since: Since = None, until: Until = None) -> object:
    """The measures from `since` to `until`: the last seven days where nothing is asked, three months at most."""
    end = until if until is not None else context.clock()
    begin = since if since is not None else end - 7 * 24 * HOUR
    if not begin < end <= begin + LONGEST:
        raise Refused(422, "expected a span of more than nothing and at most 93 days")
    return queries.measures(context.database, context.fleet, begin, end)
