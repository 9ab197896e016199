"""`/v1/openapi.json`: this API, described."""

from fastapi import Request
from starlette.responses import JSONResponse

from jackstop.web.routing import Routes

routes = Routes("document")


@routes.on("GET", "/v1/openapi.json", "viewer", page=True)
async def document(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())
