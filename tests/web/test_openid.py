"""Logging in by an OpenID Connect provider that signs real tokens, and by one that lies."""

import base64
import json

import pytest
from a_bank import START, Clock, bank
from a_provider import CLIENT, ISSUER, SECRET, Provider
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from jackstop.store import audit, people

DECLARED = {
    "api": {"url": "http://127.0.0.1:8440"},
    "oidc": {
        "issuer": ISSUER,
        "client_id": CLIENT,
        "client_secret": "env:OIDC",
        "roles": {"soc": "analyst", "soc-lead": "approver", "everybody": "viewer"},
    },
}


@pytest.fixture
def clock():
    return Clock(START)


@pytest.fixture
def provider(clock):
    return Provider(clock)


@pytest.fixture
def home(tmp_path, clock, provider):
    made = bank(tmp_path, DECLARED, transport=provider.transport, secret=lambda v: SECRET if v == "env:OIDC" else v)
    clock.now = made.clock.now
    yield made
    made.context.database.close()


async def log_in(client, provider, change=None, **who):
    """The whole way: to the provider, and back."""
    sent = await client.get("/login/oidc")
    assert sent.status_code == 303, sent.text
    said = provider.log_in(sent.headers["location"], **who)
    return await client.get("/login/oidc/callback", params=said | (change or {}))


async def test_somebody_of_a_known_group_comes_in_with_its_role(home, provider):
    async with home.client() as client:
        answer = await log_in(client, provider)
        assert answer.status_code == 200
        me = (await client.get("/v1/session")).json()
        assert (me["user"], me["role"]) == ("mori", "analyst")
    with home.context.database.read() as connection:
        assert [e.action for e in audit.entries(connection)][:2] == ["login.done", "user.added"]


async def test_the_greatest_of_several_roles_counts_and_a_changed_one_ends_older_sessions(home, provider):
    async with home.client() as first, home.client() as second:
        await log_in(first, provider, groups=("everybody",))
        await log_in(second, provider, groups=("everybody", "soc-lead", "soc", "unknown"))
        assert (await second.get("/v1/session")).json()["role"] == "approver"
        assert (await first.get("/v1/session")).status_code == 401


@pytest.mark.parametrize("groups", [(), ("strangers",)])
async def test_somebody_of_no_known_group_stays_outside(home, provider, groups):
    async with home.client() as client:
        answer = await log_in(client, provider, groups=groups)
        assert answer.status_code == 403
        assert (await client.get("/v1/session")).status_code == 401
    with home.context.database.read() as connection:
        assert people.listing(connection) == []
        assert audit.entries(connection)[0].action == "login.failed"


async def test_a_disabled_user_stays_outside(home, provider):
    async with home.client() as client, home.logged_in("administrator") as boss:
        await log_in(client, provider)
        await boss.patch("/v1/users/mori", json={"disabled": True})
        assert (await log_in(client, provider)).status_code == 403


async def test_a_local_user_of_the_same_name_is_not_taken_over(home, provider):
    home.person("mori", "administrator")
    async with home.client() as client:
        await log_in(client, provider)
        me = (await client.get("/v1/session")).json()
        assert me["user"] != "mori"
        assert me["role"] == "analyst"


async def test_the_same_person_by_another_name_is_the_same_user(home, provider):
    async with home.client() as client:
        await log_in(client, provider)
        await log_in(client, provider, preferred_username="renamed")
        assert (await client.get("/v1/session")).json()["user"] == "mori"


@pytest.mark.parametrize(
    "lie",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"aud": ["jackstop", "another"], "azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
    ],
)
async def test_a_token_that_says_something_else_than_was_asked_opens_nothing(home, provider, lie):
    provider.claims = lie
    async with home.client() as client:
        assert (await log_in(client, provider)).status_code == 403
        assert (await client.get("/v1/session")).status_code == 401


async def test_a_token_signed_by_another_key_opens_nothing(home, provider):
    provider.sign_with = ECKey.generate_key("P-256", {"kid": "one"})
    async with home.client() as client:
        assert (await log_in(client, provider)).status_code == 403


@pytest.mark.parametrize("alg", ["none", "HS256"])
async def test_a_token_without_a_real_signature_opens_nothing(home, provider, alg):
    def unsigned(claims, _):
        parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in ({"alg": "none"}, claims)]
        return ".".join((*parts, ""))

    def shared(claims, key):
        public = OctKey.import_key(json.dumps(key.as_dict(private=False)))
        return jwt.encode({"alg": "HS256", "kid": key.kid}, claims, public)

    provider.signed = {"none": unsigned, "HS256": shared}[alg]
    async with home.client() as client:
        assert (await log_in(client, provider)).status_code == 403


@pytest.mark.parametrize("change", [{"state": "x"}, {"state": ""}, {"iss": "https://evil.example"}, {"code": "x"}])
async def test_an_answer_to_another_login_opens_nothing(home, provider, change):
    async with home.client() as client:
        assert (await log_in(client, provider, change)).status_code == 403


async def test_an_answer_without_the_browser_that_began_or_too_late_opens_nothing(home, provider):
    async with home.client() as victim, home.client() as thief:
        sent = await thief.get("/login/oidc")
        said = provider.log_in(sent.headers["location"])
        assert (await victim.get("/login/oidc/callback", params=said)).status_code == 403
    async with home.client() as slow:
        sent = await slow.get("/login/oidc")
        said = provider.log_in(sent.headers["location"])
        home.clock.turn(601)
        assert (await slow.get("/login/oidc/callback", params=said)).status_code == 403


async def test_new_keys_of_the_provider_are_fetched(home, provider):
    async with home.client() as client:
        await log_in(client, provider)
        provider.key = ECKey.generate_key("P-256", {"kid": "two", "alg": "ES256", "use": "sig"})
        assert (await log_in(client, provider)).status_code == 200
        assert provider.asked.count("/keys") == 2


async def test_a_provider_that_is_away_or_calls_itself_otherwise_is_told(home, provider):
    provider.issuer = "https://other.example"
    async with home.client() as client:
        answer = await client.get("/login/oidc", headers={"accept-language": "ja"})
        assert answer.status_code == 502
        assert "組織のアカウント" in answer.text


async def test_the_clients_secret_is_in_no_page_and_no_cookie(home, provider):
    async with home.client() as client:
        sent = await client.get("/login/oidc")
        assert SECRET not in sent.headers["location"] + sent.headers["set-cookie"]
        back = await log_in(client, provider)
        assert SECRET not in back.text


async def test_without_a_provider_there_is_no_such_way_in(tmp_path):
    plain = bank(tmp_path)
    async with plain.client() as client:
        assert (await client.get("/login/oidc")).status_code == 404
        assert (await client.get("/login/oidc/callback?code=x&state=y")).status_code == 404
        assert "/login/oidc" not in (await client.get("/login")).text
    plain.context.database.close()
