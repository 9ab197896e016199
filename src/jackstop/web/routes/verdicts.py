"""`/v1/verdicts`: what became of each cash movement, and how that changed."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from jackstop.store import queries
from jackstop.web.asking import Ctx, paged, there
from jackstop.web.models import RevisionLine, VerdictLine
from jackstop.web.routing import Routes
from jackstop.web.shapes import After, Ident, Limit, PageOf, Since, Until

routes = Routes("verdicts")
Word = Literal["explained", "explained-by-visit", "ambiguous", "pending", "unexplained", "contradicted", "insufficient-evidence"]


class VerdictWhole(VerdictLine):
    """A verdict with everything that was held before it."""

    history: list[RevisionLine] = Field(description="First to last; the last is what holds.")


@routes.on("GET", "/v1/verdicts", "viewer", PageOf[VerdictLine])
def listing(
    context: Ctx,
    terminal: Annotated[str | None, Query(max_length=200)] = None,
    kind: Annotated[Literal["episode", "balance", "authorisation"] | None, Query()] = None,
    verdict: Annotated[Word | None, Query()] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> object:
    """Verdicts, the latest movement first."""
    return paged(
        lambda: queries.verdicts(
            context.database, terminal=terminal, kind=kind, verdict=verdict, since=since, until=until, limit=limit, after=after
        )
    )


@routes.on("GET", "/v1/verdicts/{verdict}", "viewer", VerdictWhole)
def one(context: Ctx, verdict: Ident) -> VerdictWhole:
    """One verdict with its history."""
    found = there(queries.verdict(context.database, verdict), "verdict", verdict)
    history = [RevisionLine.model_validate(r) for r in queries.verdict_history(context.database, verdict)]
    return VerdictWhole(**VerdictLine.model_validate(found).model_dump(), history=history)
