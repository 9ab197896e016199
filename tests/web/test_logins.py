"""Logging in: what lets somebody in, what does not, and how a login ends."""

import asyncio

import pytest
from a_bank import PASSWORD, SECOND, bank
from sqlalchemy import update

from jackstop.store import audit, people
from jackstop.store.schema import users
from jackstop.web import gate, passwords
from jackstop.web.limits import Limits


@pytest.fixture
def home(tmp_path):
    made = bank(tmp_path)
    made.person("mori", "analyst")
    yield made
    made.context.database.close()


async def log_in(home, client, name="mori", password=PASSWORD, code=None, **more):
    body = {"user": name, "password": password, "code": code or home.code()}
    return await client.post("/v1/session", json=body | more)


def trail(home, action):
    with home.context.database.read() as connection:
        return audit.entries(connection, action=action)


async def test_name_password_and_code_let_somebody_in(home):
    async with home.client() as client:
        answer = await log_in(home, client)
        assert answer.status_code == 200
        assert answer.json()["role"] == "analyst"
        assert (await client.get("/v1/session")).json() == answer.json()
        assert (await client.get("/v1/alerts")).status_code == 200
    assert trail(home, "login.done")[0].actor == "mori"


@pytest.mark.parametrize(
    "wrong", [{"password": "wrong-password-here"}, {"code": "000000"}, {"name": "nobody"}, {"code": "12345x"}, {"password": ""}]
)
async def test_whatever_is_wrong_the_answer_is_the_same(home, wrong):
    async with home.client() as client:
        answer = await log_in(home, client, **wrong)
        assert answer.status_code == 401
        assert answer.json()["detail"] == "name, password or code is wrong"
        assert "set-cookie" not in answer.headers
    assert len(trail(home, "login.failed")) == 1


async def test_a_code_serves_once(home):
    async with home.client() as client:
        assert (await log_in(home, client)).status_code == 200
        assert (await log_in(home, client)).status_code == 401
        home.clock.turn(30)
        assert (await log_in(home, client)).status_code == 200


async def test_an_older_code_does_not_serve_after_a_newer_one(home):
    old = home.code()
    home.clock.turn(30)
    async with home.client() as client:
        assert (await log_in(home, client)).status_code == 200
        assert (await log_in(home, client, code=old)).status_code == 401


async def test_of_two_logins_with_one_code_at_once_one_comes_in(home):
    async with home.client() as client:
        answers = await asyncio.gather(*(log_in(home, client) for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [200, 401, 401, 401]


async def test_failed_logins_wait_longer_and_longer_and_a_success_forgets_them(tmp_path):
    home = bank(tmp_path, limits=Limits(tries=3, strange=1000, strange_burst=1000))
    home.person("mori", "analyst")
    async with home.client() as client:
        for _ in range(3):
            assert (await log_in(home, client, password="wrong")).status_code == 401
        waits = []
        for _ in range(4):
            answer = await log_in(home, client, password="wrong")
            assert answer.status_code == 429
            waits.append(int(answer.headers["retry-after"]))
            home.clock.turn(waits[-1])
            assert (await log_in(home, client, password="wrong")).status_code == 401
        assert waits == sorted(waits)
        assert waits[-1] >= 8
        home.clock.turn(3600)
        assert (await log_in(home, client)).status_code == 200
        home.clock.turn(30)
        assert (await log_in(home, client, password="wrong")).status_code == 401
    home.context.database.close()


async def test_strangers_cannot_shut_a_user_out_for_longer_than_a_minute(tmp_path):
    home = bank(tmp_path, limits=Limits(tries=3, strange=1000, strange_burst=1000))
    home.person("mori", "analyst")
    for i in range(12):
        async with home.client(address=f"198.51.100.{i}") as client:
            await log_in(home, client, password="wrong")
            home.clock.turn(61)
    async with home.client(address="203.0.113.9") as client:
        assert (await log_in(home, client)).status_code == 200
    home.context.database.close()


async def test_who_came_in_from_an_address_before_is_not_kept_waiting_there_by_strangers(tmp_path):
    home = bank(tmp_path, limits=Limits(tries=3, strange=1000, strange_burst=1000))
    home.person("mori", "analyst")
    async with home.client(address="203.0.113.9") as usual, home.client(address="203.0.113.10") as elsewhere:
        assert (await log_in(home, usual)).status_code == 200
        home.clock.turn(30)
        for i in range(4):
            async with home.client(address=f"198.51.100.{i}") as stranger:
                await log_in(home, stranger, password="wrong")
        assert (await log_in(home, elsewhere)).status_code == 429
        assert (await log_in(home, usual)).status_code == 200
    home.context.database.close()


async def test_a_cookie_that_somebody_planted_is_worth_nothing_after_the_login(home):
    async with home.client() as thief, home.client() as victim:
        home.person("thief", "viewer")
        planted = (await log_in(home, thief, "thief")).cookies["jackstop"]
        victim.cookies.set("jackstop", planted)
        answer = await log_in(home, victim)
        assert answer.cookies["jackstop"] != planted
        assert (await thief.get("/v1/session")).status_code == 401


async def test_without_tls_the_cookie_is_plain_and_with_tls_it_is_bound_to_host_and_tls(home, tmp_path_factory):
    async with home.client() as client:
        said = (await log_in(home, client)).headers["set-cookie"]
        assert said.startswith("jackstop=")
        assert "HttpOnly" in said
        assert "samesite=strict" in said.lower()
    safe = bank(tmp_path_factory.mktemp("tls"), {"api": {"url": "https://atm.example"}})
    safe.person("mori", "analyst")
    async with safe.client() as client:
        said = (await log_in(safe, client)).headers["set-cookie"]
        assert said.startswith("__Host-jackstop=")
        assert {"Secure", "HttpOnly", "Path=/"} <= {p.strip() for p in said.split(";")}
        assert "domain" not in said.lower()
    safe.context.database.close()


async def test_a_login_ends_when_it_is_not_used(home):
    async with home.client() as client:
        await log_in(home, client)
        for _ in range(3):
            home.clock.turn(7 * 3600)
            assert (await client.get("/v1/session")).status_code == 200
    async with home.client() as client:
        home.clock.turn(60)
        await log_in(home, client)
        home.clock.turn(8 * 3600 + 1)
        assert (await client.get("/v1/session")).status_code == 401


async def test_a_login_ends_after_a_day_however_much_it_is_used(home):
    async with home.client() as client:
        await log_in(home, client)
        for _ in range(23):
            home.clock.turn(3600)
            assert (await client.get("/v1/session")).status_code == 200
        home.clock.turn(3600)
        assert (await client.get("/v1/session")).status_code == 401
        assert gate.ABSOLUTE == 24 * 3600 * SECOND


async def test_logging_out_ends_the_session_itself_not_only_the_cookie(home):
    async with home.client() as client:
        csrf = (await log_in(home, client)).json()["csrf"]
        cookie = client.cookies["jackstop"]
        assert (await client.delete("/v1/session", headers={"x-csrf-token": csrf})).status_code == 200
        client.cookies.set("jackstop", cookie)
        assert (await client.get("/v1/session")).status_code == 401


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"disabled": True}])
async def test_a_new_role_or_a_closed_door_ends_all_sessions_of_a_user(home, change):
    async with home.client() as client, home.logged_in("administrator") as boss:
        await log_in(home, client)
        assert (await boss.patch("/v1/users/mori", json=change)).status_code == 200
        assert (await client.get("/v1/session")).status_code == 401
        home.clock.turn(30)
        assert (await log_in(home, client)).status_code == (401 if "disabled" in change else 200)


async def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(home):
    fresh = "kettle-lantern-meadow-8"
    async with home.client() as here, home.client() as elsewhere:
        csrf = (await log_in(home, here)).json()["csrf"]
        home.clock.turn(30)
        await log_in(home, elsewhere)
        home.clock.turn(30)
        form = {"csrf": csrf, "current": PASSWORD, "code": home.code(), "password": fresh, "again": fresh}
        answer = await here.post("/account/password", data=form)
        assert answer.headers["location"] == "/account?done=changed"
        assert (await here.get("/v1/session")).status_code == 200
        assert (await elsewhere.get("/v1/session")).status_code == 401
        home.clock.turn(30)
        assert (await log_in(home, elsewhere)).status_code == 401
        assert (await log_in(home, elsewhere, password=fresh)).status_code == 200


async def test_a_password_is_not_changed_with_a_wrong_one_or_a_used_code(home):
    async with home.client() as client:
        csrf = (await log_in(home, client)).json()["csrf"]
        fresh = "kettle-lantern-meadow-8"
        good = {"csrf": csrf, "current": PASSWORD, "code": home.code(), "password": fresh, "again": fresh}
        assert (await client.post("/account/password", data=good)).status_code == 422
        home.clock.turn(30)
        for wrong in ({"current": "wrong"}, {"again": "other-words-here-1"}, {"password": "short", "again": "short"}):
            answer = await client.post("/account/password", data=good | {"code": home.code()} | wrong)
            assert answer.status_code == 422


async def test_another_authenticator_takes_the_place_of_the_old_one(home):
    import re

    import pyotp

    async with home.client() as client:
        csrf = (await log_in(home, client)).json()["csrf"]
        home.clock.turn(30)
        page = (await client.get("/account")).text
        sealed = re.search(r'name="sealed" value="([0-9a-f]+)"', page)[1]
        secret = "".join(re.search(r'key-text">([A-Z2-7 ]+)<', page)[1].split())
        fresh = pyotp.TOTP(secret).at(home.clock() // SECOND)
        form = {"csrf": csrf, "sealed": sealed, "fresh": fresh, "current": PASSWORD, "code": home.code()}
        assert (await client.post("/account/codes", data=form | {"fresh": "000000"})).status_code == 422
        assert (await client.post("/account/codes", data=form)).headers["location"] == "/account?done=enrolled"
        home.clock.turn(60)
        assert (await log_in(home, client)).status_code == 401
        assert (await log_in(home, client, code=pyotp.TOTP(secret).at(home.clock() // SECOND))).status_code == 200


async def test_a_hash_of_older_settings_is_renewed_at_the_next_login(home):
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with home.context.database.write() as connection:
        connection.execute(update(users).where(users.c.name == "mori").values(password=old))
    async with home.client() as client:
        assert (await log_in(home, client)).status_code == 200
    with home.context.database.read() as connection:
        kept = people.find(connection, "mori").password
    assert kept != old
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.matches(kept, PASSWORD)


def test_easy_passwords_are_not_taken_and_long_ones_are():
    for bad in ("short", "a" * 40, "123456789012345", "jackstop-is-my-password", "mori-tanaka-2026-x", "x" * 300):
        assert passwords.fault(bad, "mori-tanaka")
    for good in (PASSWORD, "長いパスワードは十二文字以上なら良い", "correct horse battery staple"):
        assert passwords.fault(good, "mori-tanaka") == ""


async def test_one_sees_ones_own_sessions_and_ends_the_others(home):
    async with home.client() as here, home.client(address="198.51.100.4") as elsewhere:
        csrf = (await log_in(home, here)).json()["csrf"]
        home.clock.turn(30)
        await log_in(home, elsewhere)
        listed = (await here.get("/v1/session/all")).json()["items"]
        assert {s["address"]: s["this"] for s in listed} == {"192.0.2.7": True, "198.51.100.4": False}
        assert (await here.post("/account/sessions", data={"csrf": csrf})).status_code == 303
        assert (await elsewhere.get("/v1/session")).status_code == 401
        assert (await here.get("/v1/session")).status_code == 200
