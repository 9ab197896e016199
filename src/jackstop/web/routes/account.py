"""`/account`: one's own password, codes and sessions."""

from fastapi import Request
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from jackstop.store import audit, people
from jackstop.store.people import User
from jackstop.web import codes, gate, login, pages, passwords
from jackstop.web import context as contexts
from jackstop.web.context import Context
from jackstop.web.errors import Refused
from jackstop.web.roles import PERSON, Principal
from jackstop.web.routes import session
from jackstop.web.routes._forms import Chosen
from jackstop.web.routing import Routes

routes = Routes("pages")
_SEALED_FOR = "enrol:"


@routes.on("GET", "/account", PERSON, page=True)
async def account(request: Request) -> Response:
    """One's own account."""
    done = request.query_params.get("done", "")
    return await _page(request, done=done if done in {"changed", "enrolled", "ended"} else "")


@routes.on("POST", "/account/password", PERSON, page=True)
async def change_password(request: Request) -> Response:
    """Change the password; all other sessions end."""
    form = await pages.fields(request)
    fault = await run_in_threadpool(_change_password, request, form)
    return await _page(request, fault=fault, status=422) if fault else pages.go("/account?done=changed")


@routes.on("POST", "/account/codes", PERSON, page=True)
async def change_codes(request: Request) -> Response:
    """Enrol another authenticator; all other sessions end."""
    form = await pages.fields(request)
    fault = await run_in_threadpool(_change_codes, request, form)
    return await _page(request, fault=fault, status=422) if fault else pages.go("/account?done=enrolled")


@routes.on("POST", "/account/sessions", PERSON, page=True)
async def end_others(request: Request) -> Response:
    """End all other sessions."""
    await run_in_threadpool(_end_others, request)
    return pages.go("/account?done=ended")


async def _page(request: Request, fault: str = "", done: str = "", status: int = 200) -> Response:
    context, who = contexts.of(request), gate.who(request)
    listed = await run_in_threadpool(session.listed, context, request)
    user = await run_in_threadpool(_user, context, who)
    secret = codes.new_secret()
    return pages.render(
        request,
        "account.html.j2",
        status,
        fault=fault,
        done=done,
        sessions=listed,
        provider=user.subject is not None,
        secret=secret,
        sealed=context.keyring.seal(secret.encode(), _SEALED_FOR + who.session).hex(),
        picture=Markup(codes.picture(secret, who.name)),  # noqa: S704 - drawn here
    )


def _user(context: Context, who: Principal) -> User:
    with context.database.read() as connection:
        user = people.find(connection, who.name)
    if user is None:
        raise Refused(401, "expected a login")
    return user


def _shown(request: Request, form: dict[str, str]) -> int | None:
    """The step of the code where password and code are right now. Wrong tries wait as logins do.

    Raises:
        Refused: 429, too early.
    """
    context, who, now = contexts.of(request), gate.who(request), contexts.of(request).clock()
    request.app.state.logins.ask(gate.address(request), who.name, now)
    step = login.check(context, _user(context, who), form.get("current", ""), form.get("code", ""))
    if step is not None:
        request.app.state.logins.succeed(gate.address(request), who.name)
    return step


def _change_password(request: Request, form: dict[str, str]) -> str:
    context, who = contexts.of(request), gate.who(request)
    chosen = Chosen(form.get("password", ""), form.get("again", ""))
    if fault := chosen.fault(who.name):
        return fault
    step = _shown(request, form)
    kept = passwords.hashed(chosen.password)
    with context.database.write() as connection:
        done = step is not None and people.use_step(connection, who.name, step)
        if done:
            people.set_password(connection, who.name, kept)
            people.end_all(connection, who.name, but=who.session)
        audit.append(connection, context.clock(), who.name, "account.password" if done else "account.failed", who.name)
    return "" if done else "wrong_now"


def _change_codes(request: Request, form: dict[str, str]) -> str:
    context, who = contexts.of(request), gate.who(request)
    try:
        secret = context.keyring.unseal(bytes.fromhex(form.get("sealed", "")), _SEALED_FOR + who.session)
    except ValueError:
        secret = None
    fresh = codes.step_of(secret.decode(), form.get("fresh", ""), context.clock()) if secret else None
    if secret is None or fresh is None:
        return "code_bad"
    step = _shown(request, form)
    with context.database.write() as connection:
        done = step is not None and people.use_step(connection, who.name, step)
        if done:
            people.set_totp(connection, who.name, context.keyring.seal(secret, login.SEALED_FOR + who.name), fresh)
            people.end_all(connection, who.name, but=who.session)
        audit.append(connection, context.clock(), who.name, "account.codes" if done else "account.failed", who.name)
    return "" if done else "wrong_now"


def _end_others(request: Request) -> None:
    context, who = contexts.of(request), gate.who(request)
    with context.database.write() as connection:
        ended = people.end_all(connection, who.name, but=who.session)
        audit.append(connection, context.clock(), who.name, "account.sessions", who.name, f"{ended} ended")
