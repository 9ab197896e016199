"""Server-sent events: in order, each once, resumed where they broke off, bounded, and only while one may listen."""

import asyncio
import contextlib
import json
import socket

import httpx
import pytest
import uvicorn
from a_bank import bank

from jackstop.store import cases, queries, tokens
from jackstop.web import gate
from jackstop.web.limits import Limits
from jackstop.web.listening import Follower
from jackstop.web.routes import events


@pytest.fixture
def home(tmp_path):
    made = bank(tmp_path, limits=Limits(calls=1000, burst=1000, strange=1000, strange_burst=1000, listeners=3, of_one=2))
    yield made
    made.context.database.close()


@contextlib.asynccontextmanager
async def served(home):
    """The API on a real port, for streams do not end."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(home.app, log_level="critical", timeout_graceful_shutdown=1, lifespan="on")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        home.app.state.follower.close()
        server.should_exit = True
        await task
        sock.close()


@contextlib.asynccontextmanager
async def listening(base, secret, **headers):
    """A stream of events as they come: (id, kind, data), and None for a comment."""
    headers = {"authorization": f"Bearer {secret}", **headers}
    async with (
        httpx.AsyncClient(base_url=base, timeout=10) as client,
        client.stream("GET", "/v1/events", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")

        async def told():
            event = {}
            async for line in answer.aiter_lines():
                if line.startswith(":"):
                    yield None
                elif not line:
                    if "id" in event:
                        yield int(event["id"]), event["event"], json.loads(event["data"])
                    event = {}
                else:
                    name, _, value = line.partition(": ")
                    event[name] = value

        yield told()


def handle(home, status):
    with home.context.database.write() as connection:
        cases.handle(connection, "a1", "analyst-1", home.clock(), status=status)


async def take(stream, n):
    found = []
    async with asyncio.timeout(10):
        async for event in stream:
            if event is not None:
                found.append(event)
            if len(found) == n:
                return found
    return found


async def test_what_changes_is_told_as_it_changes(home):
    secret = home.token("viewer")
    async with served(home) as base, listening(base, secret) as stream:
        waiting = asyncio.create_task(take(stream, 2))
        async with asyncio.timeout(10):
            while home.app.state.follower._last is None:
                await asyncio.sleep(0.01)
        handle(home, "acknowledged")
        handle(home, "resolved")
        found = await waiting
    assert [(kind, data["ref"], data["body"]["status"]) for _, kind, data in found] == [
        ("handling", "a1", "acknowledged"),
        ("handling", "a1", "resolved"),
    ]


async def test_one_that_comes_back_misses_nothing_and_sees_nothing_twice(home):
    secret = home.token("viewer")
    for i in range(20):
        handle(home, "acknowledged" if i % 2 else "investigating")
    everything = [c.id for c in queries.changes(home.context.database, 0, 1000)]
    async with served(home) as base:
        async with listening(base, secret, **{"last-event-id": "0"}) as stream:
            first = [e[0] for e in await take(stream, 9)]
        handle(home, "resolved")
        async with listening(base, secret, **{"last-event-id": str(first[-1])}) as stream:
            rest = [e[0] for e in await take(stream, len(everything) + 1 - 9)]
    assert first + rest == [*everything, everything[-1] + 1]


async def test_there_is_room_for_so_many_and_of_one_caller_for_fewer(home):
    one, two = home.token("viewer"), home.token("analyst")
    async with served(home) as base, contextlib.AsyncExitStack() as open_ones:
        for _ in range(2):
            await open_ones.enter_async_context(listening(base, one))
        async with httpx.AsyncClient(base_url=base) as client:
            answer = await client.get("/v1/events", headers={"authorization": f"Bearer {one}"})
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
            await open_ones.enter_async_context(listening(base, two))
            answer = await client.get("/v1/events", headers={"authorization": f"Bearer {home.token('approver')}"})
            assert answer.status_code == 503
        await open_ones.aclose()
        async with asyncio.timeout(10):
            while home.app.state.follower._listening.total():
                await asyncio.sleep(0.02)
        async with listening(base, one, **{"last-event-id": "0"}) as stream:
            assert len(await take(stream, 1)) == 1


async def test_a_quiet_stream_beats_and_ends_when_its_token_is_revoked(home, monkeypatch):
    monkeypatch.setattr(events, "BEAT", 0.05)
    secret = home.token("viewer")
    async with served(home) as base, listening(base, secret) as stream:
        async with asyncio.timeout(10):
            assert await anext(stream) is None
            with home.context.database.write() as connection:
                tokens.revoke(connection, tokens.listing(connection)[0].id, home.clock())
            home.clock.turn(1)
            async for event in stream:
                assert event is None


async def test_a_stream_ends_when_the_service_does(home):
    secret = home.token("viewer")
    async with served(home) as base, listening(base, secret) as stream:
        home.app.state.follower.close()
        async with asyncio.timeout(10):
            assert [e async for e in stream] == []


@pytest.mark.parametrize("place", ["x", "-1", "1" * 30, "1.5"])
async def test_a_place_that_is_none_is_refused(home, place):
    async with home.holding("viewer") as client:
        answer = await client.get("/v1/events", headers={"last-event-id": place})
        assert answer.status_code in {400, 422}


async def test_nobody_listens_without_a_role(home):
    for scope in ("intake:a", "interlock", "metrics"):
        async with home.holding(scope) as client:
            assert (await client.get("/v1/events")).status_code == 403


async def test_while_nobody_listens_the_store_is_left_alone(home, monkeypatch):
    asked = []
    real = queries.changes
    monkeypatch.setattr(queries, "changes", lambda *a, **k: asked.append(1) or real(*a, **k))
    follower = Follower(home.context.database, 5, 5)
    async with follower.place("x"):
        async with asyncio.timeout(10):
            while not asked:
                await asyncio.sleep(0.01)
    await asyncio.wait_for(follower._task, 10)
    before = len(asked)
    await asyncio.sleep(0)
    assert len(asked) == before
    follower.close()
    assert gate
