"""API tokens: what they open, when they stop, and that their secrets are nowhere."""

from pathlib import Path

import pytest
from a_bank import SECOND, bank

from jackstop.store import tokens
from jackstop.web.tokenbook import TokenBook


@pytest.fixture
def home(tmp_path):
    made = bank(tmp_path)
    yield made
    made.context.database.close()


async def make(boss, **body):
    return await boss.post("/v1/tokens", json={"name": "siem", "scopes": ["viewer"]} | body)


async def test_a_tokens_secret_is_shown_once_and_kept_nowhere(home, tmp_path):
    async with home.logged_in("administrator") as boss:
        made = (await make(boss)).json()
        assert made["secret"].startswith("jst_")
        assert len(made["secret"]) >= 4 + 43
        listed = await boss.get("/v1/tokens")
        assert made["secret"] not in listed.text
        assert listed.json()["items"][0]["good"] is True
    home.context.database.close()
    for path in Path(tmp_path).rglob("*"):
        if path.is_file():
            assert made["secret"].encode() not in path.read_bytes()


async def test_a_revoked_token_is_good_for_nothing_at_once(home):
    async with home.logged_in("administrator") as boss:
        made = (await make(boss)).json()
        async with home.client(authorization=f"Bearer {made['secret']}") as program:
            assert (await program.get("/v1/alerts")).status_code == 200
            assert (await boss.delete(f"/v1/tokens/{made['id']}")).status_code == 200
            assert (await program.get("/v1/alerts")).status_code == 401
        assert (await boss.delete(f"/v1/tokens/{made['id']}")).status_code == 404


async def test_a_token_revoked_by_another_process_is_good_for_nothing_within_a_second(home):
    secret = home.token("viewer")
    async with home.client(authorization=f"Bearer {secret}") as program:
        assert (await program.get("/v1/alerts")).status_code == 200
        with home.context.database.write() as connection:
            ident = tokens.listing(connection)[0].id
            assert tokens.revoke(connection, ident, home.clock())
        home.clock.turn(1)
        assert (await program.get("/v1/alerts")).status_code == 401


async def test_a_token_ends_at_its_end(home):
    secret = home.token("viewer", days=1)
    async with home.client(authorization=f"Bearer {secret}") as program:
        home.clock.turn(86_399)
        assert (await program.get("/v1/alerts")).status_code == 200
        home.clock.turn(1)
        assert (await program.get("/v1/alerts")).status_code == 401


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer jst_", "Basic eDp5", "Bearer jst_é", "jst_x", "Bearer " + "jst_" + "x" * 5000]
)
async def test_what_is_no_token_is_nobody_even_beside_a_good_cookie(home, header):
    async with home.logged_in("administrator") as boss:
        answer = await boss.get("/v1/alerts", headers={"authorization": header.encode()})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "body",
    [{"scopes": []}, {"scopes": ["root"]}, {"scopes": ["intake:"]}, {"scopes": ["intake:a b"]}, {"days": 0}, {"name": "a b"}],
)
async def test_a_token_needs_a_name_an_end_and_scopes_that_there_are(home, body):
    async with home.logged_in("administrator") as boss:
        assert (await make(boss, **body)).status_code in {409, 422}


async def test_the_book_says_whose_token_it_is_for_a_scope_and_for_no_other(home):
    book = TokenBook(home.context.database, home.clock)
    secret = home.token("intake:branch-7")
    assert await book.verify(secret, "intake:branch-7") == "intake-branch-7"
    for scope in ("intake:branch-8", "intake:*", "viewer", "interlock", ""):
        assert await book.verify(secret, scope) is None
    assert await book.verify("jst_unknown", "intake:branch-7") is None


async def test_a_burst_of_calls_reads_the_tokens_once(home):
    read = []
    book = TokenBook(home.context.database, home.clock)
    load = book._load
    book._load = lambda used: read.append(1) or load(used)
    secret = home.token("interlock")
    for _ in range(500):
        assert await book.verify(secret, "interlock")
    assert len(read) == 1


async def test_the_use_of_a_token_is_noted_now_and_then(home):
    secret = home.token("viewer")
    book = home.app.state.doors.tokens
    async with home.client(authorization=f"Bearer {secret}") as program:
        await program.get("/v1/alerts")
        home.clock.turn(2)
        await program.get("/v1/alerts")
        if book._reading is not None:
            await book._reading
    with home.context.database.read() as connection:
        assert tokens.listing(connection)[0].used_at == home.clock() - 2 * SECOND
