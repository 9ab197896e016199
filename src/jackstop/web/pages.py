"""Pages for people: rendered here, work without scripts, in English and Japanese; every word from logs is escaped."""

from functools import cache
from urllib.parse import quote

import jinja2
from fastapi import Request
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from jackstop import __version__
from jackstop.report import moments, plain
from jackstop.web import context as contexts
from jackstop.web import gate, texts
from jackstop.web.asking import spoken

LANG_COOKIE = "lang"
_YEAR = 365 * 86_400


def render(request: Request, template: str, code: int = 200, /, **values: object) -> HTMLResponse:
    """A page in the language of the caller."""
    context = contexts.of(request)
    asked = request.query_params.get("lang")
    t = texts.of(spoken(asked, request.cookies.get(LANG_COOKIE), request.headers.get("accept-language", "")))
    who = gate.caller(request)
    page = (
        _world()
        .get_template(template)
        .render(
            t=t,
            who=who,
            csrf=who.csrf if who else "",
            clock=moments.Clock(context.fleet.fleet.timezone),
            now=context.clock(),
            version=__version__,
            zone=context.fleet.fleet.timezone,
            fleet=context.fleet.fleet.name,
            other=_with_lang(request, t("web.other_lang")),
            **values,
        )
    )
    response = HTMLResponse(page, code, headers={"Vary": "Accept-Language, Cookie"})
    if asked in texts.LANGUAGES:
        response.set_cookie(LANG_COOKIE, asked, max_age=_YEAR, secure=context.secure, httponly=True, samesite="lax")
    return response


def go(path: str) -> RedirectResponse:
    """Send the browser to a page of this site, to be asked for with GET."""
    return RedirectResponse(path, 303)


def local(path: str) -> str:
    """A path of this site that somebody is to be sent to after a login; anything else becomes the first page."""
    fit = path.startswith("/") and not path.startswith(("//", "/login", "/join")) and "\\" not in path and path.isprintable()
    return path if fit and len(path) < 500 else "/"


async def fields(request: Request) -> dict[str, str]:
    """The fields of a form, as text."""
    form = await request.form()
    return {k: v for k, v in form.items() if isinstance(v, str)}


def wanted(request: Request) -> bool:
    """Whether the caller wants a page, not a document."""
    return not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")


def fault(request: Request, status: int, detail: str) -> Response:
    """A fault as a page; who is not logged in is sent to do so."""
    if status == 401 and request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        return go(f"/login?next={quote(local(request.url.path + query), safe='')}")
    return render(request, "fault.html.j2", status, status=status, detail=detail, key="")


def _with_lang(request: Request, lang: str) -> str:
    """This page in the other language."""
    kept = [(k, v) for k, v in request.query_params.multi_items() if k != LANG_COOKIE]
    query = "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in [*kept, (LANG_COOKIE, lang)])
    return f"?{query}"


@cache
def _world() -> jinja2.Environment:
    world = jinja2.Environment(
        loader=jinja2.PackageLoader("jackstop.web", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    world.filters.update(line=plain.line)
    return world


def _finalize(value: object) -> object:
    return plain.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
