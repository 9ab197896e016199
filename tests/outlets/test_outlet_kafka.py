"""Kafka through librdkafka's own mock cluster: acknowledged, keyed by terminal, refused, and absent brokers."""

import json

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from some_messages import HUGE, message, until

from jackstop import outlets
from jackstop.outlets import Later, Message, Never
from jackstop.outlets.kafka import Config, settings


@pytest.fixture(scope="module")
def cluster():
    """A mock cluster that lives as long as its host producer; gives its brokers."""
    host = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 2, "log_level": 2})
    brokers = [f"{b.host}:{b.port}" for b in host.list_topics(timeout=20).brokers.values()]
    yield brokers
    host.flush(1)


def config(brokers, **keys: object) -> Config:
    said = {"topic": "atm-alerts", "plaintext": True, "timeout": 15, **keys}
    return Config(kind="kafka", name="bus", brokers=tuple(brokers), **said)


async def consumed(brokers, topic, count):
    """So many messages of a topic, from its beginning."""
    consumer = Consumer(
        {"bootstrap.servers": ",".join(brokers), "group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.subscribe([topic])
    got = []

    def more():
        one = consumer.poll(0.05)
        if one is not None and one.error() is None:
            got.append(one)
        return len(got) >= count

    try:
        await until(more, 40)
    finally:
        consumer.close()
    return got


async def test_alerts_come_acknowledged_with_their_terminal_as_key_and_in_its_order(around, cluster):
    outlet = await outlets.open(config(cluster, topic="in-order"), around.place)
    await outlet.send([message(i, terminals=(f"ATM-{i % 2}",)) for i in range(6)])
    await outlet.send([message(0, 2, terminals=("ATM-0",))])
    await outlet.close()
    got = await consumed(cluster, "in-order", 7)
    assert {m.key() for m in got} == {b"ATM-0", b"ATM-1"}
    own = [json.loads(m.value())["metadata"]["uid"] for m in got if m.key() == b"ATM-0"]
    assert own == ["alert-0000:1", "alert-0002:1", "alert-0004:1", "alert-0000:2"]
    last = next(m for m in got if json.loads(m.value())["activity_id"] == 2)
    assert dict(last.headers()) == {"idempotency-key": b"alert-0000:2", "status": b"updated"}


async def test_a_long_alert_is_cut_to_what_a_broker_takes(around, cluster):
    outlet = await outlets.open(config(cluster, topic="long", longest=300_000), around.place)
    await outlet.send([Message(HUGE, 1, False, 1)])
    await outlet.close()
    (got,) = await consumed(cluster, "long", 1)
    assert len(got.value()) <= 300_000 and json.loads(got.value())["metadata"]["is_truncated"]


async def test_brokers_that_are_not_there_are_a_fault_and_the_outlet_lives_on(around, cluster):
    outlet = await outlets.open(config(["127.0.0.1:1"], timeout=1), around.place)
    with pytest.raises(Later, match="atm-alerts: "):
        await outlet.send([message(0)])
    outlet._settings["bootstrap.servers"] = ",".join(cluster)
    outlet._settings["delivery.timeout.ms"] = 15_000
    await outlet.send([message(1)])
    await outlet.close()
    (got,) = await consumed(cluster, "atm-alerts", 1)
    assert json.loads(got.value())["metadata"]["uid"] == "alert-0001:1"


async def test_a_message_no_broker_takes_is_refused_by_its_place_and_the_others_are_taken(around, cluster):
    outlet = await outlets.open(config(cluster, topic="refused"), around.place)
    outlet._settings["message.max.bytes"] = 5_000
    batch = [message(0), message(1, terminals=("ATM-0001" + "x" * 4_500,)), message(2)]
    with pytest.raises(Never) as caught:
        await outlet.send(batch)
    assert (caught.value.index, caught.value.taken) == (1, 1)
    await outlet.send([batch[0], batch[2]])
    await outlet.close()
    got = await consumed(cluster, "refused", 4)
    assert {dict(m.headers())["idempotency-key"] for m in got} == {b"alert-0000:1", b"alert-0002:1"}


def test_the_producer_is_idempotent_and_verified_by_default(around):
    around.secrets = {"env:KAFKA": "kafka-s3cret"}
    keys = {"plaintext": False, "sasl": {"user": "u", "password": "env:KAFKA"}, "tls": {"ca": "ca.pem"}}
    made = settings(config(["b:9093"], **keys), around.place)
    assert (made["enable.idempotence"], made["acks"], made["security.protocol"]) == (True, "all", "SASL_SSL")
    assert made["enable.ssl.certificate.verification"] and made["ssl.endpoint.identification.algorithm"] == "https"
    assert made["ssl.ca.location"] == str(around.root / "ca.pem")
    assert made["sasl.password"] == "kafka-s3cret"
    assert "kafka-s3cret" not in repr(config(["b:9093"], **keys))


def test_what_librdkafka_is_told_is_known_to_it(around, bank):
    around.secrets = {"env:KAFKA": "kafka-s3cret"}
    keys = {"plaintext": False, "sasl": {"user": "u", "password": "env:KAFKA"}, "tls": {"ca": str(bank.path)}}
    client = AdminClient(settings(config(["127.0.0.1:1"], **keys), around.place))
    assert client is not None
