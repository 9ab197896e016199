"""Health: `/healthz`, `/readyz`, `/metrics`, `/v1/health`, `/v1/feeds`."""

from typing import Annotated

from fastapi import Depends
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field, JsonValue
from starlette.responses import JSONResponse, Response

from jackstop import __version__
from jackstop.store import queries
from jackstop.store.faults import StoreError
from jackstop.web import context as contexts
from jackstop.web.asking import Ctx
from jackstop.web.context import Context
from jackstop.web.roles import METRICS, PUBLIC
from jackstop.web.routing import Routes
from jackstop.web.shapes import Moment, PageOf, Shape

routes = Routes("health")


class Alive(Shape):
    """It runs."""

    ok: bool


class PartState(Shape):
    """One part of the service."""

    part: str
    ok: bool
    facts: dict[str, JsonValue]


class LoopLine(Shape):
    """How far the loop has come."""

    seq: int
    watermark: Moment | None
    written_at: Moment | None
    checkpoint_seq: int | None
    checkpoint_at: Moment | None


class Health(Shape):
    """How the service stands."""

    ok: bool
    version: str
    at: Moment
    loop: LoopLine
    parts: list[PartState]


class FeedLine(Shape):
    """How one feed is read."""

    name: str
    format: str
    terminal: str | None
    records: int
    understood: int
    refused: int
    duplicates: int
    rows: int
    first_received: Moment | None
    last_received: Moment | None
    last_event: Moment | None
    reasons: dict[str, int] = Field(description="Why records were refused, and how many.")


@routes.on("GET", "/healthz", PUBLIC, Alive)
async def alive() -> Alive:
    """Whether the process answers."""
    return Alive(ok=True)


@routes.on("GET", "/readyz", PUBLIC, Alive, responses={503: {"model": Alive, "description": "Some part does not work."}})
def ready(context: Ctx) -> Response:
    """Whether the service works: the store answers, and so says every part."""
    try:
        queries.last_change(context.database)
        ok = all(p.ok for p in _parts(context))
    except StoreError:
        ok = False
    return JSONResponse({"ok": ok}, 200 if ok else 503)


@routes.on("GET", "/metrics", METRICS, response_class=Response)
def metrics(context: Annotated[Context, Depends(contexts.of)]) -> Response:
    """Metrics in Prometheus' text format."""
    return Response(generate_latest(context.registry), media_type=CONTENT_TYPE_LATEST)


@routes.on("GET", "/v1/health", "viewer", Health)
def health(context: Ctx) -> Health:
    """How the service and each of its parts stand."""
    parts = _parts(context)
    loop = LoopLine.model_validate(queries.loop_state(context.database))
    return Health(ok=all(p.ok for p in parts), version=__version__, at=context.clock(), loop=loop, parts=parts)


@routes.on("GET", "/v1/feeds", "viewer", PageOf[FeedLine])
def feeds(context: Ctx) -> PageOf[FeedLine]:
    """All feeds by name: how much came, how much was understood, how much was refused and why."""
    return PageOf(items=[FeedLine.model_validate(f) for f in queries.feeds(context.database)])


def _parts(context: Context) -> list[PartState]:
    return [
        PartState(part=name, ok=bool(facts.get("ok", True)), facts={k: _plain(v) for k, v in facts.items() if k != "ok"})
        for name, facts in sorted(context.health().items())
    ]


def _plain(value: object) -> JsonValue:
    """A fact as JSON has it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value)
