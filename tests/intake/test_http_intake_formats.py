"""What arrives over HTTP is understood by the readers: each way in gives the rows that the log itself gives."""

import gzip
import json

import pytest
from http_set import Set
from some_logs import logs, understood

DOCUMENTS = ("winlogbeat", "nxlog", "wazuh", "xfs4iot")
ALL = sorted(logs())
ONE_LINE = sorted(n for n in ALL if not n.startswith("nextware"))


def arrived(made: Set) -> list[bytes]:
    return [t.data for t in made.gate.taken]


def lines(name: str) -> list[bytes]:
    return [line for line in logs()[name].split(b"\n") if line.strip()]


def batches(items: list[bytes], size: int = 7) -> list[list[bytes]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def test_there_are_logs_of_the_formats_shippers_bring():
    assert {*DOCUMENTS, "switch-csv", "windows-xml", "nextware-trace"} <= set(ALL)


@pytest.mark.parametrize("name", ALL)
async def test_plain_posts_of_a_log_in_parts_give_its_rows(name):
    made, data = Set(format=name), logs()[name]
    part = max(1, len(data) // 9)
    at = 0
    while at < len(data):
        end = data.find(b"\n", at + part) + 1 or len(data)
        assert (await made.post("/v1/logs/logs", gzip.compress(data[at:end]), content_encoding="gzip")).status_code == 200
        at = end
    assert understood(name, arrived(made)) == understood(name, [data])
    assert understood(name, [data])[0] > 4


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_bulk_requests_of_documents_give_their_rows(name):
    made = Set(format=name)
    for batch in batches(lines(name)):
        body = b"".join(b'{"create":{"_index":"logs"}}\n' + line + b"\n" for line in batch)
        reply = await made.post("/_bulk", body)
        assert reply.json()["errors"] is False
    assert understood(name, arrived(made)) == understood(name, [logs()[name]])


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_an_array_of_documents_gives_their_rows(name):
    made = Set(format=name)
    for batch in batches(lines(name)):
        body = b"[" + b",\n".join(batch) + b"]"
        assert (await made.post("/v1/logs/logs", body, content_type="application/json")).status_code == 200
    assert understood(name, arrived(made)) == understood(name, [logs()[name]])


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_events_of_a_collector_give_their_rows(name):
    made = Set(format=name)
    for batch in batches(lines(name)):
        body = b"".join(b'{"time":1,"host":"x","event":' + line + b"}" for line in batch)
        assert (await made.post("/services/collector/event", body)).json()["code"] == 0
    assert understood(name, arrived(made)) == understood(name, [logs()[name]])


@pytest.mark.parametrize("name", ONE_LINE)
async def test_lines_inside_filebeats_documents_give_their_rows(name):
    made = Set(format=name, member="message")
    for batch in batches(logs()[name].decode().rstrip("\n").split("\n"), 50):
        documents = [json.dumps({"@timestamp": "x", "message": line, "log": {"offset": 0}}) for line in batch if line.strip()]
        body = "".join('{"create":{}}\n' + d + "\n" for d in documents)
        assert (await made.post("/_bulk", body.encode())).json()["errors"] is False
    assert understood(name, arrived(made)) == understood(name, [logs()[name]])
