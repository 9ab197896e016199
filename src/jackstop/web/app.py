"""The API and its pages as one ASGI app over a `Context`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry, Counter, Histogram

from jackstop import __version__
from jackstop.web import errors, pages, routing, tracing
from jackstop.web.context import Context
from jackstop.web.errors import Problem
from jackstop.web.gate import Doors, cookie_name
from jackstop.web.guard import Guard, Told
from jackstop.web.listening import Follower
from jackstop.web.login import Logins
from jackstop.web.oidc import Provider

SUMMARY = "Every banknote that leaves a cash machine is explained by an authorisation, or becomes an alert."
ABOUT = """Times are ISO 8601 in UTC, money is integer minor units with its ISO 4217 code. Lists come in pages: `next` of a page,
given as `after`, gets the page that follows. Answers to GET carry an `ETag`; `If-None-Match` saves sending them again. Faults are
`application/problem+json` (RFC 9457). Programs come with an API token (`Authorization: Bearer jst_…`), people with a session's
cookie; changes made with the cookie need the session's token in `X-CSRF-Token`. What a route needs stands in `x-need`."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)


def create(context: Context) -> FastAPI:
    """The app. It opens nothing and starts nothing by itself; it follows the store while somebody listens.

    Raises:
        ValueError: a route or `[api]` is declared wrongly.
    """
    app = FastAPI(
        title="jackstop",
        version=__version__,
        summary=SUMMARY,
        description=ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
        strict_content_type=False,
    )
    limits, state = context.limits, app.state
    state.context, state.doors, state.logins = context, Doors(context), Logins(context)
    state.follower = Follower(context.database, limits.listeners, limits.of_one)
    state.provider = Provider(context, context.declared.oidc, here(context)) if context.declared.oidc else None
    errors.install(app, lambda request, status, detail: pages.fault(request, status, detail) if pages.wanted(request) else None)
    routing.mount(app)
    told = _teller(context.registry)
    app.add_middleware(routing.Express)
    app.add_middleware(Guard, api=context.declared.api, secure=context.secure, body=limits.body, tell=told)
    if (by := tracing.tracer()) is not None:
        app.add_middleware(tracing.Traced, by=by)
    app.openapi = cache(lambda: _openapi(app, context))  # type: ignore[method-assign]
    return app


def here(context: Context) -> str:
    """The service's own URL, as browsers see it."""
    api = context.declared.api
    return (api.url or f"{'https' if api.tls else 'http'}://{api.listen}").rstrip("/")


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.follower.close()


def _teller(registry: CollectorRegistry) -> Told:
    """What counts calls."""
    calls = Counter(
        "jackstop_http_requests", "Calls by method, route and status.", ["method", "route", "status"], registry=registry
    )
    spent = Histogram("jackstop_http_seconds", "Seconds a call took.", ["route"], buckets=_BUCKETS, registry=registry)
    known: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}

    def tell(method: str, route: str, status: int, seconds: float) -> None:
        key = (method if method in _METHODS else "other", route, status)
        if key not in known:
            known[key] = (calls.labels(key[0], route, str(status)).inc, spent.labels(route).observe)
        count, observe = known[key]
        count()
        observe(seconds)

    return tell


def _openapi(app: FastAPI, context: Context) -> dict[str, Any]:
    """The OpenAPI document, with the problem and the two ways to be known."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        servers=[{"url": here(context)}],
    )
    parts = made.setdefault("components", {})
    model = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    parts.setdefault("schemas", {}).update({**model.pop("$defs", {}), "Problem": model})
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "jst_…"},
        "session": {"type": "apiKey", "in": "cookie", "name": cookie_name(context)},
    }
    return made
