"""Elasticsearch bulk over HTTP: each document has the status that makes a shipper do the right thing."""

import asyncio
import json

import pytest
from fake_gate import FakeGate
from http_set import Set

from jackstop.intake import Full

MIXED = (
    b'{"create":{"_index":"winlogbeat-8.19.0"}}\n{"a":1}\n'
    b'{"index":{"_index":"x","_id":7}}\n{"b":2}\n'
    b'\n{"create":{}}\n{"broken":\n'
    b'{"update":{"_id":"3"}}\n{"doc":{}}\n'
    b'{"delete":{"_id":"4"}}\n'
    b'{"create":{}}\n{"c":3}'
)


def outcome(reply) -> list[tuple[str, int]]:
    """Action and status of each item."""
    return [(verb, told["status"]) for item in reply.json()["items"] for verb, told in item.items()]


class Picky(FakeGate):
    """A gate that is full for some feeds."""

    busy = frozenset({"logs/ATM-2"})

    async def accept(self, feed, data, *, mark=b"", peer=""):
        if feed.name in self.busy:
            raise Full("too much", 3)
        return await super().accept(feed, data, mark=mark, peer=peer)


@pytest.mark.parametrize("path", ["/_bulk", "/winlogbeat-8.19.0/_bulk"])
async def test_documents_become_lines_as_they_came_and_each_has_its_status(path):
    made = Set()
    reply = await made.post(path, MIXED)
    assert reply.status_code == 200
    assert reply.headers["x-elastic-product"] == "Elasticsearch"
    assert outcome(reply) == [("create", 201), ("index", 201), ("create", 400), ("update", 400), ("delete", 400), ("create", 201)]
    assert reply.json()["errors"] is True
    assert reply.json()["items"][1]["index"]["_id"] == "7"
    assert made.gate.lines() == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


async def test_what_a_shipper_will_give_up_is_kept_as_refused():
    made = Set()
    await made.post("/_bulk", MIXED)
    assert [r.data for r in made.gate.refused] == [b'{"broken":', b'{"doc":{}}']
    assert made.gate.refused[0].reason == "the document is not JSON, expected one object in one line"


async def test_all_taken_has_no_errors_and_brief_items_where_the_shipper_asks_for_them():
    made = Set()
    reply = await made.post("/_bulk?filter_path=errors,items.*.error,items.*.status", b'{"create":{}}\n{"a":1}\n' * 3)
    assert reply.json() == {"took": 1, "errors": False, "items": [{"create": {"status": 201}}] * 3}


async def test_a_busy_gate_is_429_for_the_whole_request_so_that_every_shipper_tries_again():
    made = Set()
    made.gate.full = 1
    reply = await made.post("/_bulk", MIXED)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "1")
    assert reply.json()["error"]["type"] == "es_rejected_execution_exception"
    assert not made.gate.taken
    assert not made.gate.refused


async def test_where_some_feeds_are_busy_just_their_documents_are_429():
    made = Set(per_terminal=True, host="host.name")
    made.begin(Picky())
    documents = [b'{"create":{}}\n{"host":{"name":"pc-atm-%d"},"n":%d}\n' % (1 + n % 2, n) for n in range(4)]
    reply = await made.post("/_bulk", b"".join(documents))
    assert [s for _, s in outcome(reply)] == [201, 429, 201, 429]
    assert [json.loads(x)["n"] for x in made.gate.lines("logs/ATM-1")] == [0, 2]


async def test_the_same_request_again_gives_only_what_was_missing():
    made = Set(per_terminal=True, host="host.name")
    made.begin(Picky())
    body = b'{"create":{}}\n{"host.name":"ATM-1"}\n{"create":{}}\n{"host.name":"ATM-2"}\n'
    await made.post("/_bulk", body)
    made.gate.busy = frozenset()
    reply = await made.post("/_bulk", body)
    assert [s for _, s in outcome(reply)] == [201, 201]
    assert [t.feed for t in made.gate.taken] == ["logs/ATM-1", "logs/ATM-2"]
    await made.post("/_bulk", body)
    assert len(made.gate.taken) == 4


async def test_documents_of_unknown_terminals_are_400_and_kept():
    made = Set(per_terminal=True)
    body = b'{"create":{}}\n{"host":{"name":"elsewhere"}}\n{"create":{}}\n{"host":7}\n{"create":{}}\n{"host":{"name":"ATM-1"}}\n'
    assert [s for _, s in outcome(await made.post("/_bulk", body))] == [400, 400, 201]
    assert len(made.gate.refused) == 2


async def test_a_member_of_the_document_can_be_the_line():
    made = Set(format="ncr-journal", member="log.original")
    body = (
        b'{"create":{}}\n{"log":{"original":"02:11:07 CASH TAKEN"}}\n'
        b'{"create":{}}\n{"log.original":"caf\\u00e9\\n"}\n'
        b'{"create":{}}\n{"log":"no"}\n'
    )
    assert [s for _, s in outcome(await made.post("/_bulk?terminal=ATM-1", body))] == [201, 201, 400]
    assert made.gate.lines("logs/ATM-1") == [b"02:11:07 CASH TAKEN", "café".encode()]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"no json\n{}\n",
        b"[]\n{}\n",
        b"{}\n{}\n",
        b'{"create":{}}\n',
        b'{"create":{}}\n\n{"a":1}\n',
        b'{"create":7}\n{}\n',
    ],
)
async def test_what_is_no_bulk_request_is_400_and_nothing_is_taken(body):
    made = Set()
    reply = await made.post("/_bulk", body)
    assert reply.status_code == 400
    assert reply.json()["error"]["reason"]
    assert not made.gate.taken


async def test_a_document_longer_than_a_record_is_400_and_the_rest_is_taken():
    made = Set()
    body = b'{"create":{}}\n{"a":"%s"}\n{"create":{}}\n{"b":1}\n' % (b"x" * (1 << 20))
    assert [s for _, s in outcome(await made.post("/_bulk", body))] == [400, 201]


async def test_many_documents_reach_the_gate_in_pieces_it_can_take():
    made = Set()
    document = b'{"create":{}}\n{"a":"%s"}\n' % (b"x" * 1000)
    reply = await made.post("/_bulk", document * 9000)
    assert len(made.gate.taken) == 3
    assert len(made.gate.lines()) == 9000
    assert {s for _, s in outcome(reply)} == {201}


async def test_too_many_documents_are_413():
    assert (await Set().post("/_bulk", b'{"create":{}}\n0\n' * 100_001)).status_code == 413


@pytest.mark.parametrize(
    ("path", "piece"), [("/_bulk", b'{"create":{}}\n{"a":1}\n'), ("/services/collector", b'{"event":{"a":1}}')]
)
async def test_a_large_request_lets_others_run_meanwhile(path, piece):
    made, turns = Set(), 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(others())
    assert (await made.post(path, piece * 20_000)).status_code == 200
    beside.cancel()
    assert turns > 100


async def test_what_shippers_ask_before_they_send_is_answered():
    made = Set(elasticsearch="8.12.3")
    root = (await made.client.get("/")).json()
    assert (root["version"]["number"], root["tagline"]) == ("8.12.3", "You Know, for Search")
    assert (await made.client.get("/_license?human=false")).json()["license"]["status"] == "active"
    assert (await made.client.get("/_cluster/health")).json()["status"] == "green"
    head = await made.client.head("/_index_template/winlogbeat-8.19.0")
    assert (head.status_code, head.content) == (200, b"")
    for path in ("/_ilm/policy/winlogbeat", "/_index_template/winlogbeat", "/_data_stream/x", "/_ingest/pipeline/y", "/_xpack"):
        assert (await made.client.get(path)).status_code == 200
        assert (await made.client.put(path, json={})).json() == {"acknowledged": True}
    assert (await made.client.get("/winlogbeat-*/_search")).status_code == 404


async def test_nothing_is_told_without_a_token():
    made = Set()
    for path in ("/", "/_license", "/_bulk"):
        reply = await made.client.post(path, headers={"authorization": ""})
        assert (reply.status_code, reply.json()["error"]["type"]) == (401, "security_exception")
