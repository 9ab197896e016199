"""Plain lines over HTTP: what is taken, what is refused and how, and that nothing is taken twice."""

import asyncio
import contextlib
import gzip
import socket
import ssl
from pathlib import Path

import httpx
import pytest
import trustme
import zstandard
from fake_gate import FakeGate, FakePlace, Taken, running, until
from http_set import HEADERS, Set

from jackstop import formats
from jackstop.intake import Full, _http_app, http
from jackstop.intake._feeds import known
from jackstop.intake._http_body import Limits
from jackstop.model.service import Tls


@contextlib.asynccontextmanager
async def served(**keys: object):
    """The intake with its real server."""
    made = Set(listen="127.0.0.1:0", **keys)
    async with running(http, made.config, made.gate, made.fake):
        await until(lambda: "listening" in made.fake.facts)
        yield made, str(made.fake.facts["listening"])


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd", "GZIP"])
async def test_lines_are_handed_over_as_they_came_whatever_they_were_packed_with(encoding):
    made, body = Set(), b'{"a":1}\n{"b": 2}'
    packed = {"gzip": gzip.compress, "zstd": zstandard.compress}.get(encoding.lower(), bytes)(body)
    reply = await made.post("/v1/logs/logs", packed, content_encoding=encoding)
    assert (reply.status_code, reply.json()) == (200, {"bytes": 17, "again": False})
    assert made.gate.taken == [Taken("logs", body + b"\n", b"", "127.0.0.1 shipper")]


async def test_the_reply_comes_after_the_gate_took_it_and_not_before():
    made = Set()
    made.gate.opened.clear()
    asking = asyncio.ensure_future(made.post("/v1/logs/logs", b"x\n"))
    await asyncio.sleep(0.05)
    assert not asking.done()
    made.gate.opened.set()
    assert (await asking).status_code == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer gold-7", 200),
        ("bearer  gold-7", 200),
        ("Splunk gold-7", 200),
        ("Basic dXNlcjpnb2xkLTc=", 200),
        ("ApiKey aWQ6Z29sZC03", 200),
        ("Bearer bad", 403),
        ("Basic dXNlcjpiYWQ=", 403),
        ("Basic !!!", 401),
        ("Basic /w==", 401),
        ("Bearer ", 401),
        ("gold-7", 401),
        ("", 401),
        ("Bearer " + "x" * 9000, 401),
    ],
)
async def test_a_token_is_asked_for_in_any_of_its_forms(header, status):
    made = Set()
    reply = await made.post("/v1/logs/logs", b"x\n", authorization=header)
    assert reply.status_code == status
    assert ("www-authenticate" in reply.headers) == (status == 401)
    assert bool(made.gate.taken) == (status == 200)
    assert "gold-7" not in reply.text


async def test_a_token_is_verified_once_in_ten_seconds_and_a_bad_one_every_second():
    made, asked = Set(), []

    async def verify(token, intake):
        asked.append((token, intake))
        return "shipper" if token == "gold-7" else None

    made.app._tokens._verify = verify
    for _ in range(5):
        await made.post("/v1/logs/logs", b"x\n")
        await made.post("/v1/logs/logs", b"x\n", authorization="Bearer bad")
    assert asked == [("gold-7", "logs"), ("bad", "logs")]
    made.clock.now += 1.1
    await made.post("/v1/logs/logs", b"x\n", authorization="Bearer bad")
    await made.post("/v1/logs/logs", b"x\n")
    assert asked[2:] == [("bad", "logs")]
    made.clock.now += 10
    await made.post("/v1/logs/logs", b"x\n")
    assert asked[3:] == [("gold-7", "logs")]
    assert b"gold-7" not in repr(made.app._tokens._known).encode()


async def test_guessed_tokens_do_not_fill_memory():
    made = Set()
    for n in range(5000):
        await made.app._tokens.name(f"guess {n}")
    assert len(made.app._tokens._known) == 4096


async def test_a_terminal_has_a_feed_of_its_own_by_its_id_or_its_host_name():
    made = Set()
    for named in ("ATM-1", "PC-ATM-1", "pc-atm-1"):
        assert (await made.post(f"/v1/logs/logs?terminal={named}", b"x\n")).status_code == 200
    assert {t.feed for t in made.gate.taken} == {"logs/ATM-1"}
    feed = made.gate.feeds["logs/ATM-1"]
    assert (feed.format, feed.reading.terminal, feed.reading.currency) == ("winlogbeat", "ATM-1", "EUR")


async def test_an_unknown_terminal_is_refused_with_400():
    made = Set()
    reply = await made.post("/v1/logs/logs?terminal=ATM-9", b"x\n")
    assert (reply.status_code, reply.json()) == (400, {"error": "terminal 'ATM-9' is not in this fleet, expected a known one"})
    assert not made.gate.taken


async def test_where_feeds_are_per_terminal_one_must_be_named():
    made = Set(per_terminal=True)
    assert (await made.post("/v1/logs/logs", b"x\n")).status_code == 400
    assert (await made.post("/v1/logs/logs?terminal=ATM-2", b"x\n")).status_code == 200


async def test_sources_are_feeds_of_their_own_and_no_more_than_allowed():
    made = Set(sources=3)
    for n in range(5):
        reply = await made.post(f"/v1/logs/logs?source=trace-{n}.log", b"x\n")
        assert reply.status_code == (200 if n < 3 else 400)
    assert (await made.post("/v1/logs/logs", b"x\n", x_source="trace-1.log")).status_code == 200
    assert (await made.post("/v1/logs/logs?source=a%0Ab", b"x\n")).status_code == 400
    assert [t.feed for t in made.gate.taken] == [f"logs/trace-{n}.log" for n in (0, 1, 2, 1)]


async def test_a_source_cannot_take_the_name_of_a_terminals_feed():
    made = Set()
    await made.post("/v1/logs/logs?terminal=ATM-1", b"x\n")
    assert (await made.post("/v1/logs/logs?source=ATM-1", b"x\n")).status_code == 400


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b'[{"a":1},{"b":\r\n 2}]', [b'{"a":1}', b'{"b": 2}']),
        (b'{\n "a": 1,\n "b": "x\\ny"\n}\n', [b'{ "a": 1, "b": "x\\ny"}']),
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'[{"n":12345678901234567890.10}]', [b'{"n":12345678901234567890.10}']),
        (b"no json at all", [b"no json at all"]),
    ],
)
async def test_json_arrays_and_documents_over_several_lines_become_a_line_each_and_keep_their_bytes(body, lines):
    made = Set()
    reply = await made.post("/v1/logs/logs", body, content_type="application/json; charset=utf-8")
    assert reply.status_code == 200
    assert made.gate.lines() == lines


@pytest.mark.parametrize("body", [b"[1", b"[" * 5000 + b"]" * 5000, b"[1 2]"])
async def test_an_array_that_is_no_json_is_refused(body):
    made = Set()
    assert (await made.post("/v1/logs/logs", body, content_type="application/json")).status_code == 400
    assert not made.gate.taken


async def test_an_empty_array_is_nothing_taken():
    made = Set()
    assert (await made.post("/v1/logs/logs", b"[]", content_type="application/json")).json()["bytes"] == 0
    assert not made.gate.taken


async def test_bytes_of_other_framings_are_left_as_they_are():
    made = Set(format="ndc", lines=False)
    await made.post("/v1/logs/logs", b"\x00\x03abc", content_type="application/json")
    assert made.gate.data() == b"\x00\x03abc"


async def test_large_bodies_reach_the_gate_in_pieces_of_whole_lines():
    made = Set()
    body = b"".join(b"%06d %s\n" % (n, b"x" * 100) for n in range(90_000))
    assert (await made.post("/v1/logs/logs", body)).status_code == 200
    assert len(made.gate.taken) == 3
    assert made.gate.data() == body
    assert len(made.gate.lines()) == 90_000


async def test_a_line_longer_than_the_gate_takes_is_refused_with_413():
    made = Set()
    reply = await made.post("/v1/logs/logs", b"x" * (5 << 20))
    assert reply.status_code == 413
    assert not made.gate.taken


def packed(data: bytes) -> bytes:
    """Gzip data, the same at any time."""
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"x" * 2000, "", 413),
        (packed(b"x" * 2000), "gzip", 413),
        (zstandard.compress(b"x" * 2000), "zstd", 413),
        (packed(b"x\n" * 400), "gzip", 200),
        (packed(b"x\n" * 400)[:-5], "gzip", 400),
        (zstandard.compress(b"x\n" * 400)[:-5], "zstd", 400),
        (b"no gzip", "gzip", 400),
        (b"no zstd", "zstd", 400),
        (packed(b"x\n") + b"rest", "gzip", 400),
        (packed(b"x\n") * 2, "gzip", 200),
        (b"x\n", "br", 415),
        (b"", "", 400),
    ],
)
async def test_bodies_too_large_damaged_or_strangely_packed_are_refused(body, encoding, status):
    made = Set(size=1024)
    reply = await made.post("/v1/logs/logs", body, content_encoding=encoding)
    assert reply.status_code == status
    assert bool(made.gate.taken) == (status == 200)
    assert made.app.facts()["waiting"] == 0


async def test_what_unpacks_to_far_more_than_its_size_is_refused():
    made = Set(ratio=50)
    for packed, encoding in ((gzip.compress, "gzip"), (zstandard.compress, "zstd")):
        bomb = packed(b"\0" * (8 << 20))
        assert (await made.post("/v1/logs/logs", bomb, content_encoding=encoding)).status_code == 413


async def test_a_length_that_is_too_great_is_refused_before_the_body_is_read():
    made = Set()

    async def never():
        pytest.fail("the body was asked for")

    sent = []

    async def send(message):
        sent.append(message)

    headers = [(b"authorization", b"Bearer gold-7"), (b"content-length", b"999999999")]
    scope = {"type": "http", "method": "POST", "path": "/v1/logs/logs", "query_string": b"", "headers": headers, "client": None}
    await made.app(scope, never, send)
    assert sent[0]["status"] == 413


async def test_a_full_gate_is_429_with_the_time_to_come_back():
    made = Set()
    made.gate.full, made.gate.retry_after = 1, 7.2
    reply = await made.post("/v1/logs/logs", b"x\n")
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert reply.json() == {"error": "not taken: too much, expected to be tried again", "retry_ms": 7200}
    assert (await made.post("/v1/logs/logs", b"x\n")).status_code == 200
    assert made.gate.data() == b"x\n"


async def test_a_failing_disk_is_503():
    made = Set()
    made.gate.faults.append(OSError(28, "No space left on device"))
    reply = await made.post("/v1/logs/logs", b"x\n")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    assert made.fake.facts["fault"] == "OSError: No space left on device"


async def test_bodies_that_are_too_many_at_once_are_told_to_come_back():
    made, body = Set(waiting=1 << 20, size=1 << 19), b"x\n" * 200_000
    made.gate.opened.clear()
    first = [asyncio.ensure_future(made.post("/v1/logs/logs", body)) for _ in range(2)]
    await until(lambda: made.app.facts()["waiting"] == 2 * len(body))
    assert (await made.post("/v1/logs/logs", body)).status_code == 429
    made.gate.opened.set()
    assert [r.status_code for r in await asyncio.gather(*first)] == [200, 200]
    assert (await made.post("/v1/logs/logs", body)).status_code == 200
    assert made.app.facts()["waiting"] == 0
    with pytest.raises(ValueError, match="at least twice size"):
        Set(waiting=1 << 20, size=1 << 20)


async def test_the_same_key_is_taken_once_and_another_again():
    made = Set()
    for key in ("one", "one", "two", "one"):
        assert (await made.post("/v1/logs/logs", b"x\n", idempotency_key=key)).status_code == 200
    assert made.gate.data() == b"x\nx\n"


async def test_a_key_whose_request_was_not_taken_may_be_used_again():
    made = Set()
    made.gate.full = 1
    assert (await made.post("/v1/logs/logs", b"x\n", idempotency_key="k")).status_code == 429
    assert (await made.post("/v1/logs/logs", b"x\n", idempotency_key="k")).json() == {"bytes": 2, "again": False}
    assert (await made.post("/v1/logs/logs", b"x\n", idempotency_key="k")).json() == {"bytes": 0, "again": True}


async def test_a_request_sent_again_while_the_first_is_under_way_waits_for_it():
    made = Set()
    made.gate.slow = 0.05
    replies = await asyncio.gather(*(made.post("/v1/logs/logs", b"x\n", idempotency_key="k") for _ in range(5)))
    assert sorted(r.json()["again"] for r in replies) == [False, True, True, True, True]
    assert len(made.gate.taken) == 1


async def test_the_last_key_of_a_feed_is_known_after_a_restart():
    made = Set()
    await made.post("/v1/logs/logs", b"x\n", idempotency_key="k")
    again = Set()
    again.begin(made.gate)
    assert (await again.post("/v1/logs/logs", b"x\n", idempotency_key="k")).json()["again"] is True
    assert len(made.gate.taken) == 1


async def test_keys_are_of_bounded_length_and_number():
    made = Set()
    assert (await made.post("/v1/logs/logs", b"x\n", idempotency_key="k" * 300)).status_code == 400
    for n in range(4200):
        await made.app._taking.once(made.app.feeds.own, str(n), lambda mark: asyncio.sleep(0))
    assert len(made.app._taking._keys) == 4096


async def test_bytes_at_an_offset_are_taken_once_and_without_holes():
    made, path = Set(), "/v1/logs/logs?source=a.log&offset="
    assert (await made.post(path + "0", b"abc\n")).json() == {"offset": 4}
    assert (await made.post(path + "0", b"abc\n")).json() == {"offset": 4}
    assert (await made.post(path + "2", b"c\ndef\n")).json() == {"offset": 8}
    gap = await made.post(path + "9", b"x\n")
    assert (gap.status_code, gap.json()["offset"]) == (409, 8)
    assert made.gate.data() == b"abc\ndef\n"
    assert made.gate.mark("logs/a.log") == b"offset:8"
    assert (await made.post("/v1/logs/logs?offset=0", b"x\n")).status_code == 400
    assert (await made.post(path + "-1", b"x\n")).status_code == 400


async def test_a_large_body_at_an_offset_that_meets_a_full_gate_goes_on_where_it_stood():
    made, path = Set(), "/v1/logs/logs?source=a.log&offset=0"
    body = b"0123456789abcde\n" * (9 << 16)
    made.gate.faults = []
    taken_first = []
    real = made.gate.accept

    async def accept(feed, data, **rest):
        if len(taken_first) == 1:
            made.gate.full = 1
        taken_first.append(len(data))
        return await real(feed, data, **rest)

    made.gate.accept = accept
    assert (await made.post(path, body)).status_code == 429
    assert (await made.post(path, body)).json() == {"offset": len(body)}
    assert made.gate.data() == body


DECLARED = {"format": "nextware-trace", "latency": 5_000_000, "reading": {"name": "logs/ATM-1/x.nwlog", "terminal": "ATM-1"}}


async def test_a_source_is_read_as_it_was_declared_and_bears_just_the_name_it_was_given():
    made = Set(declare=True)
    undeclared = await made.post("/v1/logs/logs?source=logs/ATM-1/x.nwlog&offset=0", b"abc\n")
    assert undeclared.status_code == 400
    reply = await made.client.post("/v1/feeds/logs", json=[DECLARED])
    assert (reply.status_code, reply.json()) == (200, {"offsets": {"logs/ATM-1/x.nwlog": 0}})
    assert made.gate.feeds["logs/ATM-1/x.nwlog"].format == "nextware-trace"
    await made.post("/v1/logs/logs?source=logs/ATM-1/x.nwlog&offset=0", b"abc\n")
    assert made.gate.taken[0].feed == "logs/ATM-1/x.nwlog"
    assert (await made.client.post("/v1/feeds/logs", json=[DECLARED])).json() == {"offsets": {"logs/ATM-1/x.nwlog": 4}}


async def declared(*names: str) -> Set:
    made = Set(declare=True)
    await made.client.post("/v1/feeds/logs", json=[{**DECLARED, "reading": {"name": n}} for n in names])
    return made


async def test_many_sources_in_one_request_are_taken_each_from_where_it_stands():
    made = await declared("a", "b")
    body = b'{"source":"a","offset":0,"length":4}\none\n{"source":"b","offset":0,"length":2}\nx\n'
    body += b'{"source":"a","offset":4,"length":4}\ntwo\n'
    for _ in range(2):
        reply = await made.post("/v1/batches/logs", body)
        assert (reply.status_code, reply.json()) == (200, {"offsets": {"a": 8, "b": 2}})
    assert (made.gate.data("a"), made.gate.data("b"), len(made.gate.taken)) == (b"one\ntwo\n", b"x\n", 3)


async def test_a_batch_of_which_one_source_was_not_taken_may_come_again():
    made = await declared("a", "b")
    body = b'{"source":"a","offset":0,"length":2}\n1\n{"source":"b","offset":0,"length":2}\n2\n'
    made.gate.full = 1
    assert (await made.post("/v1/batches/logs", body)).status_code == 429
    assert len(made.gate.taken) == 1
    assert (await made.post("/v1/batches/logs", body)).status_code == 200
    assert sorted(t.data for t in made.gate.taken) == [b"1\n", b"2\n"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 200),
        (b"x", 400),
        (b'{"source":"a","offset":0,"length":9}\nshort', 400),
        (b'{"source":"a","offset":0,"length":-1}\n', 400),
        (b'{"source":"a","offset":7,"length":1}\nx', 409),
        (b'{"source":"z","offset":0,"length":1}\nx', 404),
        (b'{"source":"a"}\n', 400),
    ],
)
async def test_batches_that_are_wrong_are_refused(body, status):
    made = await declared("a")
    assert (await made.post("/v1/batches/logs", body)).status_code == status
    assert not made.gate.taken


@pytest.mark.parametrize(
    "change",
    [
        {"format": "no-such"},
        {"reading": {"name": "x", "terminal": "ATM-9"}},
        {"reading": {"name": ""}},
        {"reading": {"name": "logs"}},
        {"reading": {"name": "x", "colour": "red"}},
        {"latency": "soon"},
    ],
)
async def test_a_declaration_that_cannot_be_used_is_refused(change):
    made = Set(declare=True)
    assert made.app.feeds.own.name == "logs"
    assert (await made.client.post("/v1/feeds/logs", json=[{**DECLARED, **change}])).status_code == 400


async def test_declarations_are_not_taken_unless_that_is_configured():
    assert (await Set().client.post("/v1/feeds/logs", json=[DECLARED])).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/logs/logs", 405), ("POST", "/v1/logs/other", 404), ("POST", "/x", 404)]
)
async def test_other_methods_and_paths_are_refused(method, path, status):
    assert (await Set().client.request(method, path, content=b"x")).status_code == status


async def test_too_many_parameters_are_refused():
    assert (await Set().post("/v1/logs/logs?" + "&".join(f"p{n}=1" for n in range(100)), b"x")).status_code == 400


CSV = b"time,terminal_id,type,amount,currency,response,stan\n"
ROW = b"2026-03-01T02:11:%02d.000Z,ATM-1,withdrawal,8000,USD,00,%06d\n"


def rows_of(gate: FakeGate, name: str) -> tuple[int, int]:
    """How many rows a real reader gets from what was taken, and what it refused."""
    reader = formats.find(gate.feeds[name].format).reader(gate.feeds[name].reading)
    rows = sum(reader.feed(t.data).tables.host.height for t in gate.taken if t.feed == name)
    return rows, reader.tally.refused


@pytest.mark.parametrize(
    ("keys", "bodies"),
    [
        ({}, [CSV + ROW % (1, 1), CSV + ROW % (2, 2), CSV + ROW % (3, 3)]),
        ({}, [CSV + ROW % (1, 1), ROW % (2, 2), ROW % (3, 3)]),
        ({"header": CSV.decode().strip()}, [ROW % (1, 1), ROW % (2, 2), ROW % (3, 3)]),
    ],
    ids=["a header in each", "a header in the first", "the header is configured"],
)
async def test_a_switch_export_is_read_with_its_header_in_each_post_in_the_first_or_in_the_configuration(keys, bodies):
    made = Set(format="switch-csv", **keys)
    for body in bodies:
        assert (await made.post("/v1/logs/logs", body)).status_code == 200
    assert rows_of(made.gate, "logs") == (3, 0)


async def test_the_real_server_answers_on_kept_connections_and_tells_its_health():
    async with served() as (made, address), httpx.AsyncClient(base_url=f"http://{address}", headers=HEADERS) as client:
        for n in range(3):
            assert (await client.post("/v1/logs/logs", content=b"%d\n" % n)).status_code == 200
        assert made.gate.feeds["logs"].format == "winlogbeat"
        assert made.gate.data() == b"0\n1\n2\n"


async def test_every_terminals_feed_is_known_before_its_first_bytes():
    async with served(per_terminal=True) as (made, _):
        assert set(made.gate.feeds) == {"logs/ATM-1", "logs/ATM-2"}


async def test_chunked_bodies_are_read_and_bounded():
    async def parts(count):
        for _ in range(count):
            yield b"x" * 99 + b"\n"

    async with served(size=1024) as (made, address), httpx.AsyncClient(base_url=f"http://{address}", headers=HEADERS) as client:
        assert (await client.post("/v1/logs/logs", content=parts(5))).status_code == 200
        assert (await client.post("/v1/logs/logs", content=parts(50))).status_code == 413
        assert len(made.gate.data()) == 500


@pytest.mark.parametrize(
    "begin", [b"POST / HTTP/1.1\r\nX: " + b"x" * 10_000, b"POST / HTTP/1.1\r\n", b""], ids=["long", "slow", "silent"]
)
async def test_endless_headers_and_slow_ones_end_their_connection(monkeypatch, begin):
    monkeypatch.setattr(http, "HEAD", 4096)
    monkeypatch.setattr(http, "PATIENCE", 0.1)
    async with served() as (_, address):
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(begin)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_sender_that_leaves_in_the_middle_of_its_body_leaves_nothing():
    async with served() as (made, address):
        host, port = address.split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /v1/logs/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer gold-7\r\nContent-Length: 100\r\n\r\nhalf\n"
        )
        writer.close()
        await writer.wait_closed()
        async with httpx.AsyncClient(base_url=f"http://{address}", headers=HEADERS) as client:
            assert (await client.post("/v1/logs/logs", content=b"whole\n")).status_code == 200
        assert made.gate.data() == b"whole\n"


async def test_tls_serves_https_from_its_files_and_asks_for_client_certificates_where_told(tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    made = Set(listen="127.0.0.1:0", tls=Tls(cert="cert.pem", key="key.pem", client_ca="ca.pem"))
    made.fake.root = tmp_path
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    async with running(http, made.config, made.gate, made.fake):
        await until(lambda: "listening" in made.fake.facts)
        url = f"https://{made.fake.facts['listening']}"
        async with httpx.AsyncClient(verify=client_context, headers=HEADERS) as client:
            with pytest.raises(httpx.HTTPError):
                await client.post(f"{url}/v1/logs/logs", content=b"x\n")
        authority.issue_cert("client@bank.example").configure_cert(client_context)
        async with httpx.AsyncClient(verify=client_context, headers=HEADERS) as client:
            assert (await client.post(f"{url}/v1/logs/logs", content=b"x\n")).status_code == 200


async def test_off_loopback_nothing_is_served_in_the_clear_unless_that_is_said():
    with pytest.raises(ValueError, match="insecure = true"):
        await http.run(Set(listen="0.0.0.0:0").config, FakeGate(), FakePlace(Path()).place())
    made = Set(listen=":0", insecure=True)
    async with running(http, made.config, made.gate, made.fake):
        await until(lambda: "listening" in made.fake.facts)


async def test_an_address_in_use_is_an_error_that_leaves_nothing_open():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            await http.run(Set(listen=f"127.0.0.1:{other.getsockname()[1]}").config, FakeGate(), FakePlace(Path()).place())


async def test_thousands_of_feeds_are_made_known_at_once_though_the_gate_is_full_now_and_then():
    class Hesitant(FakeGate):
        calls = 0

        async def register(self, feed):
            self.calls += 1
            if self.calls % 3 == 0:
                raise Full("too much", 0.0)
            await super().register(feed)

    made, gate = Set(sources=3000), Hesitant()
    await known(gate, [made.app.feeds.of(None, f"s{n}") for n in range(2500)])
    assert len(gate.feeds) == 2500
    broken = FakeGate()
    broken.register = lambda feed: asyncio.sleep(0, result=1 / 0)
    with pytest.raises(ZeroDivisionError):
        await known(broken, [made.app.feeds.own])


def test_a_format_must_be_named():
    with pytest.raises(ValueError, match="format auto"):
        Set(format="auto")


def test_limits_are_what_the_configuration_says():
    made = Set(size=4096, ratio=9)
    assert made.app._limits == Limits(4096, 9)
    assert _http_app.LONGEST_KEY == 200
