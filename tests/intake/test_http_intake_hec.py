"""Splunk's HTTP Event Collector: events become lines, and refusals have HEC's codes."""

import gzip
import json

import pytest
from fake_gate import FakeGate
from http_set import Set

from jackstop.intake import Full

EVENT = "/services/collector/event"


class Picky(FakeGate):
    """A gate that is full for some feeds."""

    busy = frozenset({"logs/ATM-2"})

    async def accept(self, feed, data, *, mark=b"", peer=""):
        if feed.name in self.busy:
            raise Full("too much", 3)
        return await super().accept(feed, data, mark=mark, peer=peer)


@pytest.mark.parametrize("between", ["", "\n", " \r\n\t", "\n\n"])
@pytest.mark.parametrize("path", ["/services/collector", EVENT, EVENT + "/1.0"])
async def test_events_one_after_the_other_become_lines(path, between):
    made = Set()
    events = [{"event": "a}{b"}, {"time": 1.5, "event": {"x": "}{", "y": [1, 2.50]}}, {"event": 'q"\\'}, {"event": 7}]
    body = between.join(json.dumps(e) for e in events).encode()
    reply = await made.post(path, body)
    assert (reply.status_code, reply.json()) == (200, {"text": "Success", "code": 0})
    assert made.gate.lines() == [b"a}{b", b'{"x": "}{", "y": [1, 2.5]}', b'q"\\', b"7"]


async def test_an_object_keeps_its_bytes_and_one_over_several_lines_becomes_one():
    made = Set()
    await made.post(EVENT, b'{"event": {"n":1.50,\n  "m":12345678901234567890123}}')
    assert made.gate.lines() == [b'{"n":1.50,  "m":12345678901234567890123}']


async def test_raw_bodies_are_lines_packed_or_not():
    made = Set(format="cef")
    assert (await made.post("/services/collector/raw?source=x&sourcetype=y&channel=1", b"one\ntwo")).status_code == 200
    assert (await made.post("/services/collector/raw/1.0", gzip.compress(b"three\n"), content_encoding="gzip")).status_code == 200
    assert made.gate.lines("logs") == [b"one", b"two", b"three"]


@pytest.mark.parametrize(
    ("body", "code", "status", "number"),
    [
        (b"", 5, 400, None),
        (b" \n ", 5, 400, None),
        (b"x", 6, 400, 0),
        (b'{"event":"a"}x', 6, 400, 1),
        (b'{"event":"a"}{"event":', 6, 400, 1),
        (b'["event"]', 6, 400, 0),
        (b'{"event":"\xff"}', 6, 400, 0),
        (b'{"event":"a"}{"time":1}', 12, 400, 1),
        (b'{"event":""}', 13, 400, 0),
        (b'{"event":" "}', 13, 400, 0),
        (b'{"event":null}', 13, 400, 0),
        (b'{"event":' * 9000 + b"1" + b"}" * 9000, 6, 400, 0),
    ],
)
async def test_wrong_requests_have_hecs_codes_take_nothing_and_are_kept_as_refused(body, code, status, number):
    made = Set()
    reply = await made.post(EVENT, body)
    assert (reply.status_code, reply.json()["code"], reply.json().get("invalid-event-number")) == (status, code, number)
    assert not made.gate.taken
    assert [r.data for r in made.gate.refused] == ([body] if body.strip() else [])


@pytest.mark.parametrize(
    ("header", "code", "status"), [("", 2, 401), ("Splunk", 3, 401), ("Splunk no-such", 4, 403), ("Splunk gold-7", 0, 200)]
)
async def test_tokens_have_hecs_codes(header, code, status):
    reply = await Set().post(EVENT, b'{"event":"a"}', authorization=header)
    assert (reply.status_code, reply.json()["code"]) == (status, code)


async def test_a_busy_gate_is_code_9_with_503_because_shippers_give_up_on_4xx():
    made = Set()
    made.gate.full, made.gate.retry_after = 1, 4
    reply = await made.post(EVENT, b'{"event":"a"}')
    assert (reply.status_code, reply.json(), reply.headers["retry-after"]) == (503, {"text": "Server is busy", "code": 9}, "4")
    assert (await made.post(EVENT, b'{"event":"a"}')).status_code == 200
    assert made.gate.lines() == [b"a"]


async def test_a_request_for_several_terminals_of_which_one_was_busy_is_finished_when_it_comes_again():
    made = Set(per_terminal=True)
    made.begin(Picky())
    body = b'{"host":"PC-ATM-1","event":"a"}{"host":"ATM-2","event":"b"}'
    assert (await made.post(EVENT, body)).status_code == 503
    made.gate.busy = frozenset()
    assert (await made.post(EVENT, body)).status_code == 200
    assert [(t.feed, t.data) for t in made.gate.taken] == [("logs/ATM-1", b"a\n"), ("logs/ATM-2", b"b\n")]


async def test_unknown_machines_are_incorrect_index():
    made = Set(per_terminal=True)
    reply = await made.post(EVENT, b'{"host":"ATM-1","event":"a"}{"host":"ATM-9","event":"b"}')
    assert reply.json() == {"text": "Incorrect index", "code": 7, "invalid-event-number": 1}
    assert (await made.post("/services/collector/raw?host=ATM-2", b"x")).status_code == 200


async def test_health_needs_no_token_and_acknowledgement_is_off():
    made = Set()
    for path in ("/services/collector/health", "/services/collector/health/1.0"):
        reply = await made.client.get(path, headers={"authorization": ""})
        assert (reply.status_code, reply.json()["code"]) == (200, 17)
    assert (await made.post("/services/collector/ack?channel=1", b'{"acks":[1]}')).json()["code"] == 14
    assert (await made.client.get(EVENT)).status_code == 404
    assert (await made.post("/services/collector/nothing", b"x")).status_code == 404


async def test_an_event_longer_than_a_record_is_refused():
    made = Set()
    assert (await made.post(EVENT, b'{"event":"%s"}' % (b"x" * (1 << 20 | 1)))).json()["code"] == 6


async def test_a_failing_disk_is_503():
    made = Set()
    made.gate.faults.append(OSError(28, "No space left on device"))
    assert (await made.post(EVENT, b'{"event":"a"}')).status_code == 503
