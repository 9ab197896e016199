"""Routes as the modules of `web/routes/` declare them: each names the least it needs, and none is served without."""

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from jackstop.store.faults import StoreError
from jackstop.web import errors, gate, routes
from jackstop.web.roles import METRICS, NEEDS, PUBLIC

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
NEED = "x-need"
"""Where a route's need stands in the OpenAPI document."""
_SAFE = ("GET", "HEAD")
_FAULTS = {400: "It cannot be understood.", 401: "Nobody known calls.", 403: "The caller may not.", 404: "No such thing."}
_MORE = {409: "It cannot be done as things stand.", 413: "Too long.", 422: "Values are not as expected.", 429: "Too often."}


@dataclass(frozen=True, slots=True)
class Route:
    """One route as declared: method, path, what it needs, the function that answers, and how it is told of."""

    method: str
    path: str
    need: str
    endpoint: Callable[..., Any]
    answers: Any
    page: bool
    options: dict[str, Any]


@dataclass(slots=True)
class Routes:
    """The routes of one module. `tag`: the chapter of the OpenAPI document they stand in."""

    tag: str
    listed: list[Route] = field(default_factory=list)

    def on(
        self,
        method: str,
        path: str,
        need: str,
        answers: Any = None,  # noqa: ANN401 - a model, or a form of one
        *,
        page: bool = False,
        **options: Any,  # noqa: ANN401 - FastAPI's own
    ) -> Callable[[Endpoint], Endpoint]:
        """Declare a route.

        Args:
            need: word of `roles.NEEDS`. answers: the model of the answer. page: for people: not in the OpenAPI document.
            options: of FastAPI's `add_api_route`; `express`: served by `Express`, for calls that come a thousand a second.

        Raises:
            ValueError: no such need.
        """
        if need not in NEEDS:
            raise ValueError(f"{method} {path} needs {need!r}, expected one of: {', '.join(NEEDS)}")

        def declare(endpoint: Endpoint) -> Endpoint:
            self.listed.append(Route(method, path, need, endpoint, answers, page, options))
            return endpoint

        return declare


class Gated(APIRoute):
    """A route that lets nobody through who does not meet its need, before anything of the call is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function that serves it."""
        serve, need = super().get_route_handler(), str((self.openapi_extra or {})[NEED])
        safe = set(self.methods or ()) <= set(_SAFE)

        async def handler(request: Request) -> Response:
            await gate.admit(request, need)
            response = await serve(request)
            return _tagged(request, response) if safe else response

        return handler


def _tagged(request: Request, response: Response) -> Response:
    """The answer with an entity tag, or 304 where the caller has it already (RFC 9110, 13.1.2)."""
    body = getattr(response, "body", None)
    if response.status_code != 200 or body is None or response.headers.get("content-type") != "application/json":
        return response
    tag = f'"{hashlib.sha256(bytes(body)).hexdigest()[:32]}"'
    known = {t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return response


def mount(app: FastAPI) -> None:
    """Add the routes of every module of `web/routes/` to an app."""
    app.router.route_class = Gated
    for found in _modules():
        for route in found.listed:
            _add(app, found.tag, route)


def declared() -> list[Route]:
    """All routes as declared."""
    return [route for found in _modules() for route in found.listed]


def _modules() -> list[Routes]:
    named = sorted(m.name for m in pkgutil.iter_modules(routes.__path__) if not m.name.startswith("_"))
    return [cast(Routes, importlib.import_module(f"{routes.__name__}.{m}").routes) for m in named]


def _add(app: FastAPI, tag: str, route: Route) -> None:
    said = _FAULTS | (_MORE if route.method not in _SAFE else {422: _MORE[422], 429: _MORE[429]})
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": text, "content": {errors.MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for status, text in said.items()
    }
    extra: dict[str, Any] = {NEED: route.need}
    if route.need not in {PUBLIC, METRICS}:
        extra["security"] = [{"token": []}, {"session": []}]
    app.router.add_api_route(
        route.path,
        route.endpoint,
        methods=[route.method],
        tags=[tag],
        response_model=route.answers,
        openapi_extra=extra | route.options.get("extra", {}),
        include_in_schema=not route.page,
        responses=responses | route.options.get("responses", {}),
        **{k: v for k, v in route.options.items() if k not in {"extra", "responses", "express"}},
    )


class Express:
    """Serves routes declared `express` past the framework's own machinery: by the same gate and the same function.

    The function takes the call and the parts of its path as text, and gives the response itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ways = [(r, compile_path(r.path)[0], SimpleNamespace(path=r.path)) for r in declared() if r.options.get("express")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        for route, pattern, told in self._ways if scope["type"] == "http" else ():
            found = pattern.match(scope["path"])
            if found is not None and scope["method"] == route.method:
                scope["route"] = told
                request = Request(scope, receive)
                try:
                    await gate.admit(request, route.need)
                    response = await route.endpoint(request, **found.groupdict())
                except (HTTPException, StoreError) as fault:
                    response = errors.foreseen(fault, route.path)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
