"""One-time links: the first administrator, and everybody who is given a way in."""

import re
from pathlib import Path

import pyotp
import pytest
from a_bank import PASSWORD, SECOND, bank

from jackstop.store import audit, people
from jackstop.web import setup

GOOD = {"password": PASSWORD, "again": PASSWORD}


@pytest.fixture
def home(tmp_path):
    made = bank(tmp_path)
    yield made
    made.context.database.close()


def link(home):
    return setup.setup_link(home.context.database, home.clock)


async def form(client, path):
    """The hidden fields of the page a link leads to, and the code its secret gives."""
    page = await client.get(path)
    assert page.status_code == 200, page.text
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    secret = "".join(re.search(r'key-text">([A-Z2-7 ]+)<', page.text)[1].split())
    return hidden, secret


def code(home, secret):
    return pyotp.TOTP(secret).at(home.clock() // SECOND)


async def test_the_first_link_makes_an_administrator_who_can_log_in(home):
    async with home.client() as client:
        hidden, secret = await form(client, link(home))
        answer = await client.post("/join", data=hidden | GOOD | {"name": "Mori", "code": code(home, secret)})
        assert answer.status_code == 200
        home.clock.turn(30)
        body = {"user": "mori", "password": PASSWORD, "code": code(home, secret)}
        assert (await client.post("/v1/session", json=body)).json()["role"] == "administrator"
    with home.context.database.read() as connection:
        assert [e.action for e in audit.entries(connection)][:3] == ["login.done", "user.joined", "setup.link"]


async def test_a_link_serves_once_and_there_is_none_once_there_is_an_administrator(home):
    async with home.client() as client:
        first = link(home)
        hidden, secret = await form(client, first)
        await client.post("/join", data=hidden | GOOD | {"name": "mori", "code": code(home, secret)})
        assert (await client.get(first)).status_code == 404
        again = await client.post("/join", data=hidden | GOOD | {"name": "tanaka", "code": code(home, secret)})
        assert again.status_code == 404
    assert link(home) is None
    with home.context.database.read() as connection:
        assert [u.name for u in people.listing(connection)] == ["mori"]


async def test_a_newer_first_link_takes_the_place_of_the_older(home):
    async with home.client() as client:
        old, new = link(home), link(home)
        assert (await client.get(old)).status_code == 404
        assert (await client.get(new)).status_code == 200


async def test_a_link_holds_for_a_day(home):
    async with home.client() as client:
        path = link(home)
        home.clock.turn(24 * 3600 - 1)
        assert (await client.get(path)).status_code == 200
        home.clock.turn(1)
        assert (await client.get(path)).status_code == 404


async def test_a_first_link_is_dead_once_somebody_else_became_administrator(home):
    async with home.client() as client:
        path = link(home)
        hidden, secret = await form(client, path)
        home.person("boss", "administrator")
        answer = await client.post("/join", data=hidden | GOOD | {"name": "late", "code": code(home, secret)})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "000000"},
        {"password": "short", "again": "short"},
        {"again": "something-else-1"},
        {"name": "Not A Name"},
        {"name": ""},
        {"name": "jackstop"},
        {"sealed": "00"},
    ],
)
async def test_what_does_not_fit_leaves_the_link_as_it_was(home, wrong):
    async with home.client() as client:
        path = link(home)
        hidden, secret = await form(client, path)
        fields = hidden | GOOD | {"name": "mori", "code": code(home, secret)}
        assert (await client.post("/join", data=fields | wrong)).status_code == 422
        assert (await client.post("/join", data=fields)).status_code == 200


async def test_the_secret_of_one_link_cannot_be_used_with_another(home):
    home.person("boss", "administrator")
    async with home.logged_in("administrator") as boss, home.client() as client:
        paths = [(await boss.post("/v1/users", json={"name": n, "role": "viewer"})).json()["link"] for n in ("one", "two")]
        (first, secret), (second, _) = [await form(client, p) for p in paths]
        answer = await client.post("/join", data=second | {"sealed": first["sealed"], "code": code(home, secret)} | GOOD)
        assert answer.status_code == 422


async def test_an_invited_user_has_the_role_they_were_given_and_no_say_in_the_name(home):
    async with home.logged_in("administrator") as boss, home.client() as client:
        made = (await boss.post("/v1/users", json={"name": "tanaka", "role": "approver"})).json()
        assert made["ready"] is False
        hidden, secret = await form(client, made["link"])
        answer = await client.post("/join", data=hidden | GOOD | {"name": "administrator-1", "code": code(home, secret)})
        assert answer.status_code == 200
        home.clock.turn(30)
        body = {"user": "tanaka", "password": PASSWORD, "code": code(home, secret)}
        assert (await client.post("/v1/session", json=body)).json()["role"] == "approver"


async def test_a_reset_takes_everything_away_and_the_new_link_gives_it_back(home):
    home.person("tanaka", "analyst")
    cookie, _ = home.session("tanaka")
    async with home.logged_in("administrator") as boss, home.client() as client:
        client.cookies.set("jackstop", cookie)
        assert (await client.get("/v1/session")).status_code == 200
        path = (await boss.post("/v1/users/tanaka/reset", json={})).json()["link"]
        assert (await client.get("/v1/session")).status_code == 401
        client.cookies.clear()
        body = {"user": "tanaka", "password": PASSWORD, "code": home.code()}
        assert (await client.post("/v1/session", json=body)).status_code == 401
        hidden, secret = await form(client, path)
        assert (await client.post("/join", data=hidden | GOOD | {"code": code(home, secret)})).status_code == 200


async def test_the_last_administrator_stays(home):
    async with home.logged_in("administrator") as boss:
        for change in ({"role": "viewer"}, {"disabled": True}):
            assert (await boss.patch("/v1/users/administrator-1", json=change)).status_code == 409
        assert (await boss.post("/v1/users/administrator-1/reset", json={})).status_code == 409
        home.person("second", "administrator")
        assert (await boss.patch("/v1/users/second", json={"role": "viewer"})).status_code == 200


def test_only_the_digest_of_a_link_is_kept(home):
    token = link(home).partition("token=")[2]
    assert token.encode() not in Path(home.context.database.engine.url.database).read_bytes()
