"""Every route, held against everybody who may call."""

import pytest
from a_bank import ROLES, bank
from fastapi.routing import APIRoute

from jackstop.web.roles import INTERLOCK, METRICS, NEEDS, PERSON, PUBLIC
from jackstop.web.routing import NEED

CALLERS = ("nobody", *ROLES, "token viewer", "token administrator", "token intake:a", "token interlock", "token metrics")
ENDS = {("DELETE", "/v1/session"), ("POST", "/logout")}
"""Those that end the caller's session: tested for themselves."""
_TAKEN = {"alert": "a1", "terminal": "ATM-0001", "verdict": "m1", "action": "act1", "name": "viewer-1", "letter": "1"}


def allowed(need: str, caller: str) -> bool:
    """The oracle: who may call what, in plain words."""
    kind, _, word = caller.rpartition(" ")
    if need == PUBLIC:
        return True
    if need == PERSON:
        return caller in ROLES
    if need == INTERLOCK:
        return caller == "token interlock"
    if need == METRICS:
        return caller in {"administrator", "token administrator", "token metrics"}
    return word in ROLES and ROLES.index(word) >= ROLES.index(need) and kind in {"", "token"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    made = bank(tmp_path_factory.mktemp("roles"))
    yield made
    made.context.database.close()


def routes(app):
    return [(m, r) for r in app.routes for m in sorted(getattr(r, "methods", None) or ["?"])]


def test_every_route_declares_what_it_needs(home):
    listed = routes(home.app)
    assert len(listed) > 60
    for method, route in listed:
        assert isinstance(route, APIRoute), f"{method} {route.path} is no gated route"
        assert (route.openapi_extra or {}).get(NEED) in NEEDS, f"{method} {route.path} declares no need"


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_route_lets_in_whom_it_may_and_nobody_else(home, caller):
    kind, _, scope = caller.rpartition(" ")
    if caller == "nobody":
        client = home.client()
    elif kind == "token":
        client = home.holding(scope)
    else:
        client = home.logged_in(caller)
    wrong = []
    async with client:
        for method, route in routes(home.app):
            need = route.openapi_extra[NEED]
            if route.path == "/v1/events" or (method, route.path) in ENDS:
                continue
            answer = await client.request(method, path(route.path), headers={"accept": "application/json"})
            said = answer.status_code
            let_in = said not in {401, 403} or (need == PUBLIC)
            if let_in != allowed(need, caller):
                wrong.append(f"{method} {route.path} ({need}): {said} {answer.text[:120]}")
            if not allowed(need, caller) and said != (401 if caller == "nobody" else 403):
                wrong.append(f"{method} {route.path}: {said}, expected 401 or 403")
            if said >= 500 and need != PUBLIC:
                wrong.append(f"{method} {route.path}: {said} {answer.text}")
    assert wrong == []


def path(template: str) -> str:
    """A path without bodies: whoever is let in is told what is wrong, or gets what is there."""
    parts = [_TAKEN.get(p.strip("{}"), "nothing-here") if p.startswith("{") else p for p in template.split("/")]
    return "/".join(parts)
