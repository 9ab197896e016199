"""A whole morning at the API with known secrets: none of them is in any log line or output, or in the database in the clear."""

import io
import logging
import re

import pyotp
import pytest
import structlog
from a_bank import PASSWORD, SECOND, bank
from a_provider import SECRET, Provider
from test_openid import DECLARED

from jackstop.web import setup


@pytest.fixture
def heard(capfd):
    """Everything that was logged or printed, but for the lines of the tests' own client."""
    logging.getLogger("httpx").propagate = False
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream), cache_logger_on_first_use=False)
    yield lambda: stream.getvalue() + "".join(capfd.readouterr())
    structlog.reset_defaults()
    logging.getLogger("httpx").propagate = True
    root.removeHandler(handler)
    root.setLevel(level)


async def test_secrets_are_nowhere_but_where_they_belong(tmp_path, heard, monkeypatch):
    provider = Provider(None)
    home = bank(tmp_path, DECLARED, transport=provider.transport, secret=lambda v: SECRET if v == "env:OIDC" else v)
    provider.clock = home.clock
    secrets = {SECRET, PASSWORD, "a-wrong-password-77"}
    path = setup.setup_link(home.context.database, home.clock)
    secrets.add(path.partition("token=")[2])
    async with home.client() as client:
        page = (await client.get(path)).text
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        totp = "".join(re.search(r'key-text">([A-Z2-7 ]+)<', page)[1].split())
        secrets.add(totp)
        form = hidden | {
            "name": "boss",
            "password": PASSWORD,
            "again": PASSWORD,
            "code": pyotp.TOTP(totp).at(home.clock() // SECOND),
        }
        assert (await client.post("/join", data=form)).status_code == 200
        home.clock.turn(30)
        wrong = {"user": "boss", "password": "a-wrong-password-77", "code": "123456"}
        assert (await client.post("/v1/session", json=wrong)).status_code == 401
        code = pyotp.TOTP(totp).at(home.clock() // SECOND)
        opened = (await client.post("/v1/session", json={"user": "boss", "password": PASSWORD, "code": code})).json()
        secrets.add(client.cookies["jackstop"])
        headers = {"x-csrf-token": opened["csrf"]}
        made = (await client.post("/v1/tokens", json={"name": "t", "scopes": ["viewer"]}, headers=headers)).json()
        invited = (await client.post("/v1/users", json={"name": "new", "role": "viewer"}, headers=headers)).json()
        secrets |= {made["secret"], invited["link"].partition("token=")[2]}
        assert (
            await client.patch("/v1/alerts/a1", content=f'{{"status":"{made["secret"]}"}}', headers=headers)
        ).status_code == 422
    async with home.client(authorization=f"Bearer {made['secret']}") as program:
        assert (await program.get("/v1/alerts")).status_code == 200
        await _break(home, program, monkeypatch, made["secret"])
    async with home.client() as client:
        sent = await client.get("/login/oidc")
        said = provider.log_in(sent.headers["location"])
        secrets.add(said["code"] + "-x")
        await client.get("/login/oidc/callback", params=said)
    home.context.database.close()
    said = heard()
    assert opened["csrf"] not in said
    assert "unexpected fault" in said
    kept = b"".join(p.read_bytes() for p in tmp_path.iterdir() if p.is_file())
    for secret in secrets:
        assert secret not in said
        assert secret.encode() not in kept
        assert secret not in repr(home.context.keyring)


async def _break(home, program, monkeypatch, secret):
    """A fault whose message holds a secret."""
    from jackstop.store import queries

    def broken(*_, **__):
        raise ValueError(f"could not use {secret}")

    with monkeypatch.context() as patch:
        patch.setattr(queries, "feeds", broken)
        assert (await program.get("/v1/feeds")).status_code == 500
