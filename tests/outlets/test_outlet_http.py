"""HTTP and webhooks against real servers: what is sent, what answers mean, whom to believe, where never to go."""

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from fake_web import GONE, Asked, Reply, served
from some_messages import AT, HUGE, message, messages

from jackstop import outlets
from jackstop.outlets import Later, Message, Never
from jackstop.outlets import http as http_outlet
from jackstop.outlets import webhook as webhook_outlet

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "webhook.schema.json").read_text("utf-8"))


def http(url: str, **keys: object) -> http_outlet.Config:
    return http_outlet.Config(kind="http", name="lake", url=url, **keys)


def webhook(url: str, **keys: object) -> webhook_outlet.Config:
    return webhook_outlet.Config(kind="webhook", name="soar", url=url, signing="env:SIGNING", **keys)


async def sent(config, around, batch):
    """Open an outlet, send, close."""
    outlet = await outlets.open(config, around.place)
    try:
        await outlet.send(batch)
    finally:
        await outlet.close()


async def test_a_batch_is_one_request_of_json_lines_in_order(around):
    async with served(lambda _: Reply(202)) as server:
        await sent(http(server.url + "/v1/alerts", headers={"authorization": "Bearer x"}), around, messages(3))
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.headers["authorization"]) == ("POST", "/v1/alerts", "Bearer x")
    assert asked.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["metadata"]["uid"] for line in asked.body.splitlines()] == [f"alert-000{i}:1" for i in range(3)]
    assert asked.headers["idempotency-key"] == hashlib.sha256(b"alert-0000:1 alert-0001:1 alert-0002:1").hexdigest()


async def test_a_batch_can_be_an_array_of_ecs(around):
    async with served(lambda _: Reply()) as server:
        await sent(http(server.url, body="array", shape="ecs"), around, [message(1, 2)])
    (told,) = server.asked[0].json()
    assert told["event"]["action"] == "alert-updated"
    assert server.keys == ["alert-0001:2"]


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 408, 429, 500, 502, 503])
async def test_what_speaks_of_the_moment_or_the_way_in_is_tried_again(around, status):
    async with served(lambda _: Reply(status, b"not now", {"retry-after": "17"})) as server:
        with pytest.raises(Later) as caught:
            await sent(http(server.url), around, messages(2))
    if status != 301:
        assert caught.value.retry_after == 17
        assert f"answers {status}: not now" in caught.value.reason


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_speaks_of_the_message_is_never_tried_again(around, status):
    async with served(lambda _: Reply(status)) as server:
        with pytest.raises(Never) as many:
            await sent(http(server.url), around, messages(2))
        with pytest.raises(Never) as one:
            await sent(http(server.url), around, messages(1))
    assert (many.value.index, one.value.index) == (None, 0)


async def test_a_date_to_come_back_at_is_understood_and_a_wrong_one_is_not(around):
    dates = iter(["Sun, 01 Mar 2026 02:02:07 GMT", "soon"])
    async with served(lambda _: Reply(503, b"", {"retry-after": next(dates)})) as server:
        for expected in (pytest.approx(59.88), None):
            with pytest.raises(Later) as caught:
                await sent(http(server.url), around, messages(1))
            assert caught.value.retry_after == expected


async def test_a_connection_that_ends_or_is_refused_is_tried_again(around):
    async with served(lambda _: GONE) as server:
        with pytest.raises(Later, match=r"127\.0\.0\.1: .*expected an answer"):
            await sent(http(server.url), around, messages(1))
    with pytest.raises(Later, match=r"127\.0\.0\.1"):
        await sent(http(server.url), around, messages(1))


async def test_redirects_stay_on_the_host_and_keep_the_message(around):
    def answer(asked: Asked) -> Reply:
        return Reply(308, b"", {"location": "/new"}) if asked.path == "/old" else Reply()

    async with served(answer) as server:
        await sent(http(server.url + "/old"), around, messages(1))
    assert [a.path for a in server.asked] == ["/old", "/new"]
    assert server.asked[0].body == server.asked[1].body


async def test_a_redirect_to_another_host_is_not_followed_and_nothing_is_sent_there(around):
    async with (
        served(lambda _: Reply()) as thief,
        served(lambda _: Reply(307, b"", {"location": thief.url + "/steal?token=t0p"})) as server,
    ):
        with pytest.raises(Later, match="redirects to another host") as caught:
            await sent(http(server.url), around, messages(1))
        assert thief.asked == []
        assert "t0p" not in caught.value.reason


async def test_redirects_in_circles_and_those_that_drop_the_message_end(around):
    for status, words in ((307, "in circles"), (302, "drops the message")):
        async with served(lambda _, s=status: Reply(s, b"", {"location": "/"})) as server:
            with pytest.raises(Later, match=words):
                await sent(http(server.url), around, messages(1))
        assert len(server.asked) <= 4


async def test_an_answer_without_end_is_not_read_to_its_end(around):
    async with served(lambda _: Reply(200, b"x" * (5 << 20))) as server:
        with pytest.raises(Later, match="more than"):
            await sent(http(server.url), around, messages(1))


async def test_certificates_are_verified_and_a_wrong_authority_is_refused(around, bank, stranger):
    async with served(lambda _: Reply(), bank.server()) as server:
        await sent(http(server.url, tls={"ca": str(bank.path)}), around, messages(1))
        for keys in ({}, {"tls": {"ca": str(stranger.path)}}):
            with pytest.raises(Later, match="certificate not believed"):
                await sent(http(server.url, **keys), around, messages(1))
        assert len(server.asked) == 1
        await sent(http(server.url, tls={"verify": False}), around, messages(1))
        assert len(server.asked) == 2


async def test_a_certificate_of_another_host_is_refused_unless_that_name_is_asked_for(around, bank):
    async with served(lambda _: Reply(), bank.server("siem.example")) as server:
        with pytest.raises(Later, match="certificate not believed"):
            await sent(http(server.url, tls={"ca": str(bank.path)}), around, messages(1))
        await sent(http(server.url, tls={"ca": str(bank.path), "name": "siem.example"}), around, messages(1))


async def test_our_own_certificate_is_shown_to_a_server_that_asks(around, bank):
    async with served(lambda _: Reply(), bank.server(mutual=True)) as server:
        tls = {"ca": str(bank.path), "cert": str(bank.client_cert), "key": str(bank.client_key)}
        await sent(http(server.url, tls=tls), around, messages(1))
        with pytest.raises(Later):
            await sent(http(server.url, tls={"ca": str(bank.path)}), around, messages(1))


@pytest.mark.parametrize(
    "url", ["http://siem.example/x?token=s3cret", "ftp://host/", "nonsense s3cret", "https://", "http://[::s3cret"]
)
async def test_addresses_not_to_be_spoken_to_are_refused_and_not_shown(around, url):
    with pytest.raises(Later, match=r"^url: ") as caught:
        await outlets.open(http(url), around.place)
    assert "s3cret" not in caught.value.reason


async def test_missing_certificates_are_a_fault_that_can_be_mended(around):
    with pytest.raises(Later, match="expected readable PEM files"):
        await outlets.open(http("https://siem.example", tls={"ca": "nowhere.pem"}), around.place)


def verified(asked: Asked, key: bytes) -> bool:
    """What a receiver does, from the words of the standard alone."""
    name, at = asked.headers["webhook-id"], asked.headers["webhook-timestamp"]
    made = hmac.new(key, f"{name}.{at}.".encode() + asked.body, hashlib.sha256).digest()
    given = asked.headers["webhook-signature"].split(",", 1)
    return given[0] == "v1" and hmac.compare_digest(base64.b64decode(given[1]), made)


@pytest.mark.parametrize("secret", ["whsec_" + base64.b64encode(b"k" * 32).decode(), "a plain secret, long enough"])
async def test_a_webhook_is_signed_over_id_time_and_body(around, secret):
    around.secrets = {"env:SIGNING": secret}
    key = b"k" * 32 if secret.startswith("whsec_") else secret.encode()
    async with served(lambda _: Reply(204, b"")) as server:
        await sent(webhook(server.url), around, [message(1), message(1, 2)])
    first, second = server.asked
    assert verified(first, key) and verified(second, key)
    assert not verified(first, b"another key of such length")
    assert not verified(replace(first, body=first.body.replace(b"80000", b"90000")), key)
    assert not verified(replace(first, headers={**first.headers, "webhook-timestamp": "1772330468"}), key)
    assert first.headers["webhook-timestamp"] == str(AT // 1_000_000)
    assert [a.headers["webhook-id"] for a in server.asked] == server.keys == ["alert-0001:1", "alert-0001:2"]


async def test_the_body_of_a_webhook_is_as_its_schema_says(around):
    around.secrets = {"env:SIGNING": "0123456789abcdef"}
    batch = [message(1), message(1, 2, severity="high", paged_at=None), message(2, terminals=())]
    batch.append(Message(HUGE, 1, False, 9))
    async with served(lambda _: Reply()) as server:
        await sent(webhook(server.url, lang="ja"), around, batch)
    told = [a.json() for a in server.asked]
    for one in told:
        jsonschema.validate(one, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert [t["type"] for t in told] == ["alert.new", "alert.updated", "alert.new", "alert.new"]
    assert told[0]["data"]["link"] == "https://jackstop.example/alerts/alert-0001"
    assert told[0]["data"]["alert"]["title"] == "Cash left with no authorisation" != told[0]["data"]["title"]
    assert [t["data"]["truncated"] for t in told] == [False, False, False, True]


async def test_a_webhook_tells_how_many_it_took_before_it_failed(around):
    around.secrets = {"env:SIGNING": "0123456789abcdef"}
    answers = iter([Reply(), Reply(409), Reply(503), Reply(), Reply(422), Reply(), GONE])
    async with served(lambda _: next(answers)) as server:
        with pytest.raises(Later) as later:
            await sent(webhook(server.url), around, messages(5))
        with pytest.raises(Never) as never:
            await sent(webhook(server.url), around, messages(5))
        with pytest.raises(Later) as gone:
            await sent(webhook(server.url), around, messages(5))
    assert later.value.taken == 2
    assert (never.value.taken, never.value.index) == (1, 1)
    assert gone.value.taken == 1


@pytest.mark.parametrize("secret", ["t00few", "whsec_####", "whsec_c2hvcnQ="])
async def test_a_signing_secret_that_is_none_is_refused_and_not_shown(around, secret):
    around.secrets = {"env:SIGNING": secret}
    with pytest.raises(ValueError, match="signing secret") as caught:
        await outlets.open(webhook("https://soar.example"), around.place)
    assert secret not in str(caught.value)


async def test_one_outlet_uses_its_connection_again(around):
    async with served(lambda _: Reply()) as server:
        outlet = await outlets.open(http(server.url), around.place)
        for batch in (messages(2), messages(1)):
            await asyncio.wait_for(outlet.send(batch), 10)
        await outlet.close()
        await outlet.close()
    assert len(server.asked) == 2
