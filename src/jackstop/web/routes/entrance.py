"""Pages that lead in and out: `/login`, `/logout`, `/join`, and the provider's way in."""

from dataclasses import replace

from fastapi import Request
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from jackstop.web import codes, gate, login, oidc, pages, setup
from jackstop.web import context as contexts
from jackstop.web.errors import Refused
from jackstop.web.oidc import OidcFault
from jackstop.web.roles import PERSON, PUBLIC
from jackstop.web.routes._forms import Chosen
from jackstop.web.routes.session import end
from jackstop.web.routing import Routes

routes = Routes("pages")


@routes.on("GET", "/login", PUBLIC, page=True)
async def login_page(request: Request) -> Response:
    """The page to log in."""
    return _login_page(request, fault="gone" if "gone" in request.query_params else "")


@routes.on("POST", "/login", PUBLIC, page=True)
async def log_in(request: Request) -> Response:
    """Log in; what goes wrong is told on the same page."""
    form, context = await pages.fields(request), contexts.of(request)
    said = (form.get("name", ""), form.get("password", ""), form.get("code", ""))
    before = request.cookies.get(gate.cookie_name(context), "")
    try:
        opened = await run_in_threadpool(login.login, context, request.app.state.logins, *said, gate.address(request), before)
    except Refused as refused:
        seconds = (refused.headers or {}).get("Retry-After", "")
        page = _login_page(request, "slow" if seconds else "wrong", refused.status_code, seconds=seconds, name=said[0][:100])
        page.headers.update(refused.headers or {})
        return page
    response = pages.go(pages.local(form.get("next", "/")))
    login.set_cookie(response, context, opened.secret)
    return response


@routes.on("POST", "/logout", PERSON, page=True)
async def log_out(request: Request) -> Response:
    """Log out."""
    context = contexts.of(request)
    await run_in_threadpool(end, context, request)
    response = pages.go("/login?gone")
    login.clear_cookie(response, context)
    return response


@routes.on("GET", "/login/oidc", PUBLIC, page=True)
async def to_provider(request: Request) -> Response:
    """Send the browser to the provider."""
    context, provider = contexts.of(request), request.app.state.provider
    if provider is None:
        raise Refused(404, "no provider is configured")
    try:
        url, kept = await provider.begin()
    except OidcFault as fault:
        return _login_page(request, "failed", 502, reason=str(fault))
    response = pages.go(url)
    response.set_cookie(oidc.COOKIE, kept, max_age=600, path="/login/oidc", secure=context.secure, httponly=True, samesite="lax")
    return response


@routes.on("GET", oidc.CALLBACK, PUBLIC, page=True)
async def from_provider(request: Request) -> Response:
    """The provider's answer. The page it ends on is this site's own, so that the browser sends its strict cookie from there."""
    context, provider = contexts.of(request), request.app.state.provider
    if provider is None:
        raise Refused(404, "no provider is configured")
    kept = request.cookies.get(oidc.COOKIE, "")
    try:
        opened = await provider.finish(kept, dict(request.query_params), gate.address(request))
    except OidcFault as fault:
        response: Response = _login_page(request, "failed", 403, reason=str(fault))
    else:
        response = pages.render(request, "moved.html.j2")
        login.set_cookie(response, context, opened.secret)
    response.delete_cookie(oidc.COOKIE, path="/login/oidc", secure=context.secure, httponly=True, samesite="lax")
    return response


@routes.on("GET", "/join", PUBLIC, page=True)
async def join_page(request: Request) -> Response:
    """Where a one-time link leads."""
    token = request.query_params.get("token", "")[:200]
    found = await run_in_threadpool(setup.look, contexts.of(request), token)
    return _join_page(request, token, found, "", "" if found else "link_gone")


@routes.on("POST", "/join", PUBLIC, page=True)
async def join(request: Request) -> Response:
    """Use a one-time link."""
    form, context = await pages.fields(request), contexts.of(request)
    token, sealed, name = form.get("token", "")[:200], form.get("sealed", ""), form.get("name", "")[:100]
    found = await run_in_threadpool(setup.look, context, token, sealed)
    chosen = Chosen(form.get("password", ""), form.get("again", ""))
    fault = "link_gone" if found is None else "password_differs" if chosen.password != chosen.again else ""
    if not fault:
        fault = await run_in_threadpool(
            setup.join, context, token, sealed, name, chosen.password, form.get("code", ""), gate.address(request)
        )
    if fault:
        return _join_page(request, token, found, name, fault)
    called = found.user if found and found.user else name.strip().casefold()
    return pages.render(request, "joined.html.j2", name=called)


def _login_page(request: Request, fault: str = "", status: int = 200, **more: str) -> Response:
    said = {"seconds": "", "reason": "", "name": ""} | more
    values = {**said, "fault": fault, "next": pages.local(request.query_params.get("next", "/"))}
    return pages.render(request, "login.html.j2", status, provider=request.app.state.provider is not None, **values)


def _join_page(request: Request, token: str, found: setup.Invitation | None, name: str, fault: str) -> Response:
    if found is None:
        return pages.render(request, "fault.html.j2", 404, status=404, detail="", key=fault)
    shown = replace(found, user=found.user or name)
    picture = Markup(codes.picture(shown.secret, shown.user or "administrator"))  # noqa: S704 - drawn here
    values = {"token": token, "sealed": found.sealed, "secret": found.secret, "picture": picture}
    return pages.render(request, "join.html.j2", 422 if fault else 200, fault=fault, user=found.user, name=name, **values)
