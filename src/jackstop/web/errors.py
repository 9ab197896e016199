"""Faults as callers see them: `application/problem+json` (RFC 9457), never a trace."""

import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from jackstop.store.faults import StoreError

MEDIA = "application/problem+json"
_MOST = 20


class Fault(BaseModel):
    """One value that was not as expected."""

    where: str = Field(description="Where it stands: body.status, query.limit …")
    what: str = Field(description="What is wrong with it, and what was expected.")


class Problem(BaseModel):
    """A fault (RFC 9457)."""

    type: str = Field(default="about:blank", description="Always about:blank: the status says what it is.")
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(description="HTTP status.", examples=[404])
    detail: str = Field(default="", description="What, where, and what was expected.", examples=["no alert 'a-17'"])
    instance: str = Field(default="", description="Of an unexpected fault: its id in the service's log.")
    faults: list[Fault] = Field(default=[], description="Values that were not as expected.")


class Refused(HTTPException):
    """A call that is answered with a problem. `status`: HTTP status; `detail`: what, where, and what was expected."""

    def __init__(self, status: int, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, dict(headers or {}))


def problem(
    status: int,
    detail: str = "",
    headers: Mapping[str, str] | None = None,
    faults: list[dict[str, str]] | None = None,
    ident: str = "",
) -> Response:
    """The answer for a fault."""
    body: dict[str, object] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if ident:
        body["instance"] = f"urn:jackstop:fault:{ident}"
    if faults:
        body["faults"] = faults
    return Response(msgspec.json.encode(body), status, dict(headers or {}), MEDIA)


def unexpected(fault: BaseException, where: str) -> Response:
    """The answer for a fault nobody foresaw: an id for the caller, everything else for the log.

    The log gets the places in the code and the kind of the fault, not its message: that may quote what was sent.
    """
    ident = secrets.token_hex(6)
    places, at = [], fault.__traceback__
    while at is not None:
        places.append(f"{at.tb_frame.f_code.co_filename.rpartition('/')[2]}:{at.tb_lineno}")
        at = at.tb_next
    structlog.get_logger("jackstop.web").error(
        "unexpected fault", id=ident, where=where, kind=type(fault).__name__, places=places[-8:]
    )
    return problem(500, "something went wrong here; the log tells more under this id", ident=ident)


def foreseen(fault: HTTPException | StoreError, where: str) -> Response:
    """The answer for a fault that was foreseen; one of the store is logged."""
    if isinstance(fault, StoreError):
        structlog.get_logger("jackstop.web").error("store fault", where=where, fault=str(fault))
        return problem(503, "the store cannot be reached now, try again", {"Retry-After": "2"})
    detail = "" if fault.detail == HTTPStatus(fault.status_code).phrase else str(fault.detail)
    return problem(fault.status_code, detail, fault.headers)


Shown = Callable[[Request, int, str], Response | None]
"""Takes a call that failed, a status and what was wrong; gives a page for people, or None where a document is wanted."""


def install(app: FastAPI, shown: Shown) -> None:
    """Make the app answer all foreseen faults so; people get a page."""

    async def refused(request: Request, fault: Exception) -> Response:
        assert isinstance(fault, HTTPException)
        detail = "" if fault.detail == HTTPStatus(fault.status_code).phrase else str(fault.detail)
        page = shown(request, fault.status_code, detail)
        if page is None:
            return foreseen(fault, request.url.path)
        page.headers.update(fault.headers or {})
        return page

    async def store(request: Request, fault: Exception) -> Response:
        assert isinstance(fault, StoreError)
        document = foreseen(fault, request.url.path)
        return shown(request, 503, "") or document

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StoreError, store)


async def _invalid(_: Request, fault: Exception) -> Response:
    """What was wrong with each value; the values themselves are not repeated, they may be secrets."""
    assert isinstance(fault, RequestValidationError)
    told = [{"where": ".".join(str(p) for p in e["loc"])[:200], "what": str(e["msg"])[:300]} for e in fault.errors()[:_MOST]]
    return problem(422, "some values are not as expected", faults=told)
