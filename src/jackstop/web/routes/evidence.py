"""`/v1/exports`: packages of evidence of a case or an alert, made here and fetched as a zip file."""

from fastapi import Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from jackstop.store import cases, queries
from jackstop.web import gate
from jackstop.web.asking import Ctx, Lang, there
from jackstop.web.context import Context
from jackstop.web.deeds import deed
from jackstop.web.errors import Refused
from jackstop.web.exporting import Exporter, Job
from jackstop.web.roles import Principal
from jackstop.web.routing import Routes
from jackstop.web.shapes import Asked, Ident, Moment, PageOf, Shape

routes = Routes("evidence")
_ZIP = {200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}, "description": "The package."}}


class Export(Asked):
    """What to make a package of."""

    case: Ident = Field(description="The id of a case, or of an alert.")
    unmasked: bool = Field(default=False, description="Leave card data in: administrators only, and on record.")


class JobLine(Shape):
    """A package: waiting, ready or failed."""

    id: str
    case: str
    by: str
    unmasked: bool
    asked_at: Moment
    state: str
    fault: str
    bytes: int
    digest: str = Field(description="SHA-512 of what was signed.")
    warnings: list[str]


@routes.on("POST", "/v1/exports", "analyst", JobLine, status_code=202)
async def begin(request: Request, context: Ctx, body: Export, lang: Lang) -> JobLine:
    """Begin to make a package; ask `/v1/exports/{id}` until it is ready."""
    who = gate.who(request)
    if body.unmasked and not who.at_least("administrator"):
        raise Refused(403, "expected an administrator to leave card data in")
    exporter = _exporter(context)
    await run_in_threadpool(_known, context, body.case)
    return JobLine.model_validate(exporter.begin(body.case, who.name, lang, unmasked=body.unmasked))


@routes.on("GET", "/v1/exports", "analyst", PageOf[JobLine])
async def listing(context: Ctx) -> PageOf[JobLine]:
    """The packages there are, newest first; each is kept for a day."""
    return PageOf(items=[JobLine.model_validate(j) for j in _exporter(context).jobs()])


@routes.on("GET", "/v1/exports/{job}", "analyst", JobLine)
async def one(context: Ctx, job: Ident) -> JobLine:
    """One package."""
    return JobLine.model_validate(there(_exporter(context).find(job), "package", job))


@routes.on("GET", "/v1/exports/{job}/package", "analyst", response_class=FileResponse, responses=_ZIP)
async def fetch(request: Request, context: Ctx, job: Ident) -> Response:
    """The package itself, as a zip file."""
    exporter, who = _exporter(context), gate.who(request)
    found = there(exporter.find(job), "package", job)
    _may(who, found)
    if found.state != "ready":
        raise Refused(409, f"the package is {found.state}")
    await run_in_threadpool(_told, context, who, found)
    return FileResponse(exporter.path(found), media_type="application/zip", filename=f"{found.name}.zip")


def _may(who: Principal, job: Job) -> None:
    if job.unmasked and not who.at_least("administrator"):
        raise Refused(403, "expected an administrator: card data is left in")


def _told(context: Context, who: Principal, job: Job) -> None:
    with deed(context, who.name, "evidence.fetch", job.case, package=job.id):
        pass


def _exporter(context: Context) -> Exporter:
    if context.exports is None:
        raise Refused(409, "no packages are made here")
    return context.exports


def _known(context: Context, ident: str) -> None:
    if queries.alert(context.database, ident) is not None:
        return
    with context.database.read() as connection:
        try:
            cases.case(connection, ident)
        except LookupError:
            raise Refused(404, f"no case or alert {ident!r}") from None
