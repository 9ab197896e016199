"""Splunk HEC, Elasticsearch and Sentinel, played by servers that follow their documentation."""

import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from fake_web import GONE, Asked, Reply, served
from some_messages import ALERT, FINDING, HUGE, RECORD, message, messages

from jackstop import outlets
from jackstop.outlets import Later, Message, Never, elastic, sentinel, splunk_hec
from jackstop.outlets.sentinel import LONGEST, pieces


async def sent(config, around, *batches):
    outlet = await outlets.open(config, around.place)
    try:
        for batch in batches:
            await outlet.send(batch)
    finally:
        await outlet.close()


# --- Splunk ----------------------------------------------------------------------------------------------------------


class Hec:
    """A HEC token with indexer acknowledgement: batches are indexed after so many questions."""

    def __init__(self, after: int = 2, refuse: int | None = None) -> None:
        self.after, self.refuse = after, refuse
        self.batches: list[list[dict[str, object]]] = []
        self.questions = 0

    def __call__(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != "Splunk hec-s3cret":
            return Reply.of({"text": "Invalid token", "code": 4}, 403)
        if asked.path.startswith("/services/collector/ack"):
            assert parse_qs(urlsplit(asked.path).query)["channel"] == [self.channel]
            self.questions += 1
            return Reply.of({"acks": {str(i): self.questions >= self.after for i in asked.json()["acks"]}})
        assert asked.path == "/services/collector/event"
        self.channel = asked.headers.get("x-splunk-request-channel")
        events = list(stream(asked.body.decode()))
        if self.refuse is not None and len(events) > self.refuse:
            return Reply.of({"text": "Invalid data format", "code": 6, "invalid-event-number": self.refuse}, 400)
        self.batches.append(events)
        return Reply.of({"text": "Success", "code": 0} | ({"ackId": 7} if self.channel else {}))


def stream(text: str):
    """The events of a body: JSON objects one after the other."""
    at = 0
    while at < len(text):
        event, at = json.JSONDecoder().raw_decode(text, at)
        yield event


def hec(url: str, **keys: object) -> splunk_hec.Config:
    return splunk_hec.Config(kind="splunk-hec", name="splunk", url=url, token="env:HEC", **keys)


@pytest.fixture
def secret(around):
    around.secrets = {"env:HEC": "hec-s3cret", "env:ELASTIC": "es-s3cret", "env:AZURE": "azure-s3cret"}
    return around


async def test_events_reach_splunk_with_their_time_machine_and_key(secret):
    splunk = Hec()
    async with served(splunk) as server:
        await sent(hec(server.url, index="atm"), secret, [message(1), message(1, 2)])
    first, second = splunk.batches[0]
    assert (first["time"], first["host"], first["index"]) == ("1772330469.120", "ATM-0001", "atm")
    assert (first["sourcetype"], first["source"]) == ("jackstop:alert", "jackstop")
    assert first["fields"] == {"alert_key": "alert-0001:1", "alert_id": "alert-0001", "alert_severity": "critical"}
    assert (first["event"]["activity_name"], second["event"]["activity_name"]) == ("Create", "Update")


async def test_lines_reach_splunk_as_text(secret):
    splunk = Hec()
    async with served(splunk) as server:
        await sent(hec(server.url, shape="cef"), secret, messages(1))
    assert splunk.batches[0][0]["event"].startswith("CEF:0|") and "index" not in splunk.batches[0][0]


async def test_with_acknowledgement_a_batch_is_taken_when_it_is_indexed(secret):
    splunk = Hec(after=3)
    async with served(splunk) as server:
        await sent(hec(server.url, ack=True), secret, messages(2))
    assert splunk.questions == 3 and secret.waits == [0.5, 0.5]


async def test_what_is_not_indexed_in_time_is_due_again(secret):
    async with served(Hec(after=10**6)) as server:
        with pytest.raises(Later, match="not indexed within 10 s"):
            await sent(hec(server.url, ack=True, ack_timeout=10), secret, messages(1))


async def test_a_token_that_acknowledges_nothing_is_told(secret):
    async with served(lambda _: Reply.of({"text": "Success", "code": 0})) as server:
        with pytest.raises(Later, match="gives no ackId"):
            await sent(hec(server.url, ack=True), secret, messages(1))


async def test_the_event_splunk_names_is_refused_and_no_other(secret):
    async with served(Hec(refuse=2)) as server:
        with pytest.raises(Never) as caught:
            await sent(hec(server.url), secret, messages(4))
    assert caught.value.index == 2


@pytest.mark.parametrize(("status", "code"), [(400, 7), (400, 10), (403, 4), (503, 9), (400, None), (401, 2)])
async def test_faults_of_the_way_in_refuse_no_event(secret, status, code):
    async with served(lambda _: Reply.of({"text": "x", "code": code}, status)) as server:
        with pytest.raises(Later, match=f"answers {status}"):
            await sent(hec(server.url), secret, messages(1))


async def test_a_batch_too_large_is_refused_as_a_whole(secret):
    async with served(lambda _: Reply(413, b"too large")) as server:
        with pytest.raises(Never) as caught:
            await sent(hec(server.url), secret, messages(4))
    assert caught.value.index is None


# --- Elasticsearch ---------------------------------------------------------------------------------------------------


class Index:
    """An index that creates documents once, and refuses or delays those it is told to."""

    def __init__(self, **statuses: int) -> None:
        self.statuses = statuses
        self.documents: dict[str, dict[str, object]] = {}

    def __call__(self, asked: Asked) -> Reply:
        assert asked.headers["authorization"] == "ApiKey es-s3cret"
        assert urlsplit(asked.path).path == "/logs-jackstop.alert-default/_bulk"
        lines = [json.loads(line) for line in asked.body.splitlines()]
        items = [self._create(a["create"]["_id"], d) for a, d in zip(lines[::2], lines[1::2], strict=True)]
        return Reply.of({"errors": any(i["create"]["status"] >= 300 for i in items), "items": items})

    def _create(self, name: str, document: dict[str, object]) -> dict[str, object]:
        status = self.statuses.get(name.replace(":", "_").replace("-", "_"), 409 if name in self.documents else 201)
        if status == 201:
            self.documents[name] = document
            return {"create": {"status": 201}}
        return {"create": {"status": status, "error": {"type": "some_exception", "reason": "because"}}}


def es(url: str, **keys: object) -> elastic.Config:
    said = {"api_key": "env:ELASTIC", **keys}
    return elastic.Config(kind="elastic", name="siem", url=url, index="logs-jackstop.alert-default", **said)


async def test_documents_are_created_once_however_often_they_are_sent(secret):
    index = Index()
    async with served(index) as server:
        await sent(es(server.url), secret, messages(3), messages(4), [message(0, 2)])
    assert list(index.documents) == ["alert-0000:1", "alert-0001:1", "alert-0002:1", "alert-0003:1", "alert-0000:2"]
    assert index.documents["alert-0000:2"]["event"]["action"] == "alert-updated"


async def test_documents_the_index_refuses_are_named_and_the_rest_is_taken(secret):
    index = Index(alert_0001_1=400, alert_0003_1=400)
    async with served(index) as server:
        with pytest.raises(Never) as caught:
            await sent(es(server.url), secret, messages(5))
    assert (caught.value.index, list(caught.value.also), caught.value.taken) == (1, [3], 1)
    assert "some_exception: because" in caught.value.reason
    assert set(index.documents) == {"alert-0000:1", "alert-0002:1", "alert-0004:1"}


async def test_documents_that_must_wait_are_due_again(secret):
    async with served(Index(alert_0001_1=429)) as server:
        with pytest.raises(Later, match="answers 429 to 1 of 3") as caught:
            await sent(es(server.url), secret, messages(3))
    assert caught.value.taken == 1


@pytest.mark.parametrize(
    "reply",
    [
        GONE, Reply.of({"error": "x"}, 400), Reply.of({"error": "x"}, 401), Reply(200, b"not json"), Reply(200, b"[" * 10_000),
        Reply.of({"errors": True}), Reply.of({"errors": True, "items": [{}]}), Reply.of({"errors": True, "items": [1, 2]}),
        Reply.of({"errors": True, "items": [{"create": {"status": "201"}}, {"create": None}]}), Reply.of([]),
    ],
)  # fmt: skip
async def test_an_answer_that_is_none_of_a_bulk_request_takes_nothing(secret, reply):
    async with served(lambda _: reply) as server:
        with pytest.raises(Later) as caught:
            await sent(es(server.url), secret, messages(2))
    assert caught.value.taken == 0


def test_elastic_has_one_way_in():
    for keys in ({"user": "u"}, {"user": "u", "password": "env:P"}, {"api_key": None, "password": "env:P"}):
        with pytest.raises(ValueError, match="expected api_key, or user and password"):
            es("https://es", **keys)


async def test_a_user_with_a_password_is_basic_authentication(secret):
    keys = {"api_key": None, "user": "elastic", "password": "env:ELASTIC"}
    async with served(lambda _: Reply.of({"errors": False})) as server:
        await sent(es(server.url, **keys), secret, messages(1))
    assert server.asked[0].headers["authorization"] == "Basic ZWxhc3RpYzplcy1zM2NyZXQ="


# --- Sentinel --------------------------------------------------------------------------------------------------------

RULE = "dcr-" + "0a" * 16


class Azure:
    """The identity platform and a data collection rule on one host; tokens last an hour and can be revoked."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.calls: list[list[dict[str, object]]] = []
        self.believed = True
        self.replies: list[Reply] = []

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/tenant-1/oauth2/v2.0/token":
            assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
            assert parse_qs(asked.body.decode()) == {
                "grant_type": ["client_credentials"], "client_id": ["app"], "client_secret": ["azure-s3cret"],
                "scope": ["https://monitor.azure.com/.default"],
            }  # fmt: skip
            self.tokens.append(f"token-{len(self.tokens)}")
            return Reply.of({"token_type": "Bearer", "expires_in": 3599, "access_token": self.tokens[-1]})
        assert asked.path == f"/dataCollectionRules/{RULE}/streams/Custom-JackstopAlerts?api-version=2023-01-01"
        if asked.headers["authorization"] != f"Bearer {self.tokens[-1]}" or not self.believed:
            self.believed = True
            return Reply.of({"error": {"code": "Unauthorized"}}, 401)
        if self.replies:
            return self.replies.pop(0)
        assert len(asked.body) <= 1_000_000
        self.calls.append(asked.json())
        return Reply(204, b"")


def azure(url: str) -> sentinel.Config:
    return sentinel.Config(
        kind="sentinel", name="sentinel", url=url, authority=url, rule=RULE, stream="Custom-JackstopAlerts",
        tenant="tenant-1", client_id="app", client_secret="env:AZURE",
    )  # fmt: skip


COLUMNS = {
    "TimeGenerated": str, "Key": str, "AlertId": str, "Revision": int, "Status": str, "Severity": str, "Title": str,
    "Message": str, "FirstStep": str, "Unexplained": int, "MoneyAtRisk": int, "Currency": str, "FirstEvent": str, "RaisedAt": str,
    "UpdatedAt": str, "Link": str, "Truncated": bool, "Terminals": list, "Detections": list, "Techniques": list,
    "Visits": list, "Verdicts": list,
    "Findings": list, "Records": list,
}  # fmt: skip


async def test_rows_have_the_columns_the_docs_tell_and_one_token_serves_until_it_is_old(secret):
    cloud = Azure()
    async with served(cloud) as server:
        outlet = await outlets.open(azure(server.url), secret.place)
        await outlet.send([message(1), message(1, 2)])
        secret.now += 3200 * 1_000_000
        await outlet.send([message(2)])
        assert len(cloud.tokens) == 1
        secret.now += 100 * 1_000_000
        await outlet.send([message(3)])
        assert len(cloud.tokens) == 2
        await outlet.close()
    first, second = cloud.calls[0]
    assert {k: type(v) for k, v in first.items()} == COLUMNS
    assert (first["Key"], first["Status"], second["Status"], second["Revision"]) == ("alert-0001:1", "new", "updated", 2)
    assert first["Records"] == [{"path": RECORD.path, "offset": 1234, "length": 210, "sha256": "ab" * 32}]
    assert first["Findings"][0]["detection"] == FINDING.detection


async def test_a_revoked_token_is_renewed_once(secret):
    cloud = Azure()
    async with served(cloud) as server:
        outlet = await outlets.open(azure(server.url), secret.place)
        await outlet.send(messages(1))
        cloud.believed = False
        await outlet.send(messages(1))
        await outlet.close()
    assert len(cloud.tokens) == 2 and len(cloud.calls) == 2


async def test_calls_are_no_longer_than_a_megabyte_and_keep_their_order(secret):
    cloud = Azure()
    batch = [Message(replace(HUGE, id=f"alert-{i}"), 1, False, i) for i in range(20)]
    async with served(cloud) as server:
        await sent(azure(server.url), secret, batch)
    assert len(cloud.calls) > 1
    rows = [row for call in cloud.calls for row in call]
    assert [r["AlertId"] for r in rows] == [f"alert-{i}" for i in range(20)]
    assert all(r["Truncated"] for r in rows)
    assert all(len(json.dumps(v).encode()) <= 65_536 for r in rows for v in r.values())


async def test_what_was_taken_before_a_call_failed_is_told(secret):
    batch = [Message(replace(HUGE, id=f"alert-{i}"), 1, False, i) for i in range(20)]
    for reply, fault in ((Reply(429, b"", {"retry-after": "30"}), Later), (Reply(400), Never), (Reply(413), Never)):
        cloud = Azure()
        async with served(cloud) as server:
            outlet = await outlets.open(azure(server.url), secret.place)
            cloud.replies = []
            taken = len(cloud.calls)
            cloud.replies = [Reply(204, b""), reply]
            with pytest.raises(fault) as caught:
                await outlet.send(batch)
            await outlet.close()
        assert taken == 0 and 0 < caught.value.taken < 20


@pytest.mark.parametrize("reply", [GONE, Reply.of({"error": "invalid_client"}, 401), Reply.of([]), Reply(200, b"<html>")])
async def test_without_a_token_nothing_is_sent(secret, reply):
    async with served(lambda _: reply) as server:
        with pytest.raises(Later) as caught:
            await sent(azure(server.url), secret, messages(1))
    assert "azure-s3cret" not in caught.value.reason
    assert all("oauth2" in a.path for a in server.asked)


@pytest.mark.parametrize("longest", [10, 25, 100])
def test_pieces_hold_all_rows_in_order_and_fit(longest):
    rows = ["x" * n for n in (1, 5, 8, 3, 3, 3, 8, 1)]
    cut = list(pieces(rows, longest))
    assert [r for piece in cut for r in piece] == rows
    assert all(len(f"[{','.join(p)}]") <= longest or len(p) == 1 for p in cut)
    assert LONGEST == 1_000_000 and ALERT.id
