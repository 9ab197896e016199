"""The Kafka intake: each message once over crashes, full gates and moving partitions, against librdkafka's mock cluster too."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from fake_gate import FakeGate, FakePlace, running, until
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.intake import Full, kafka
from jackstop.intake._kafka_log import Told
from jackstop.intake._kafka_marks import Marks

TERMINALS = ("ATM-1", "ATM-2")


class FakeLog:
    """Plays `Log` over partitions in memory; `rebalance` makes it lose and get its partitions again, in the next poll."""

    def __init__(self, partitions: dict[tuple[str, int], list[tuple[bytes, bytes | None]]], first: int = 0) -> None:
        self.partitions, self.first = partitions, first
        self.at: dict[tuple[str, int], int] = {}
        self.noted: dict[tuple[str, int], int] = {}
        self.held: set[tuple[str, int]] = set()
        self.closed = True
        self.rebalance = True
        self.broken: BaseException | None = None
        self.resume: Callable[..., int | None] = lambda *_: None

    def opened(self, given: Mapping[str, str], topics: tuple[str, ...], resume) -> "FakeLog":
        self.closed = False
        self.given, self.topics, self.resume = dict(given), topics, resume
        return self

    def poll(self, most: int, size: int, timeout: float) -> list[Told]:
        if self.broken is not None:
            raise self.broken
        if self.rebalance:
            self.rebalance = False
            self.held.clear()
            for place, messages in self.partitions.items():
                at = self.resume(place, self.first, self.first + len(messages))
                self.at[place] = self.noted.get(place, self.first) if at is None else at
        found: list[Told] = []
        for place, messages in self.partitions.items():
            if place not in self.held:
                due = range(self.at[place], self.first + len(messages))[: max(0, most - len(found))]
                found += [Told(place, offset, *messages[offset - self.first]) for offset in due]
                self.at[place] = max([self.at[place], *(t.offset + 1 for t in found if t.place == place)])
        return found

    def hold(self, places) -> None:
        self.held.update(places)

    def release(self, places) -> None:
        self.held.difference_update(places)

    def note(self, positions: Mapping[tuple[str, int], int]) -> None:
        self.noted.update(positions)

    def lag(self) -> int:
        return sum(self.first + len(m) - self.at.get(p, self.first) for p, m in self.partitions.items())

    def faults(self) -> list[str]:
        return []

    def close(self) -> None:
        self.closed = True


def config(**keys: object) -> kafka.Config:
    given = {"kind": "kafka", "name": "k", "format": "winlogbeat", "brokers": "127.0.0.1:9092", "topics": ["t"], **keys}
    return kafka.Config.model_validate(given)


def place() -> FakePlace:
    return FakePlace(Path(), TERMINALS, secrets={"env:SECRET": "hush"})


class following:  # noqa: N801 - reads as `async with following(…)`
    """The intake over a fake log for the time of a block."""

    def __init__(self, log: FakeLog, gate: FakeGate, **keys: object) -> None:
        self.log, self.gate, self.fake, self.config = log, gate, place(), config(**keys)

    async def __aenter__(self) -> FakePlace:
        self.task = asyncio.ensure_future(kafka.follow(self.config, self.gate, self.fake.place(), self.log.opened))
        return self.fake

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        assert self.log.closed


def numbered(count: int, partitions: int = 1, topic: str = "t") -> dict:
    return {(topic, p): [(TERMINALS[n % 2].encode(), b"%d-%d" % (p, n)) for n in range(count)] for p in range(partitions)}


async def test_messages_become_lines_of_the_topics_feed_and_their_place_is_the_mark():
    gate, log = FakeGate(), FakeLog(numbered(3))
    async with following(log, gate) as fake:
        await until(lambda: log.noted)
    assert gate.data("k") == b"0-0\n0-1\n0-2\n"
    assert json.loads(gate.mark("k")) == {"t/0": [0, 3]}
    assert log.noted == {("t", 0): 3}
    assert fake.facts["messages"] == 3
    assert gate.taken[0].peer == "kafka t"


async def test_several_topics_and_terminals_have_feeds_of_their_own_known_before_their_first_bytes():
    gate = FakeGate()
    log = FakeLog({**numbered(2, topic="a"), **numbered(2, topic="b")})
    async with following(log, gate, topics=["a", "b"], per_terminal=True):
        await until(lambda: len(gate.taken) == 4)
        assert set(gate.feeds) == {f"k/{t}/{topic}" for t in TERMINALS for topic in "ab"}
    assert gate.data("k/ATM-2/b") == b"0-1\n"


async def test_after_a_restart_the_next_message_is_the_first_and_deleted_ones_are_passed_over():
    gate, partitions = FakeGate(), numbered(4)
    partitions["t", 0][1] = (b"", None)
    async with following(FakeLog(partitions), gate):
        await until(lambda: len(gate.lines()) == 3)
    partitions["t", 0].append((b"", b"new"))
    async with following(FakeLog(partitions), gate):
        await until(lambda: len(gate.lines()) == 4)
    assert gate.lines() == [b"0-0", b"0-2", b"0-3", b"new"]


async def test_messages_that_cannot_be_taken_are_kept_as_refused():
    gate = FakeGate()
    log = FakeLog({("t", 0): [(b"ATM-9", b"strange"), (b"", b"nobody"), (b"ATM-1", b"x" * (5 << 20)), (b"pc-atm-1", b"good")]})
    async with following(log, gate, per_terminal=True):
        await until(lambda: gate.taken)
    assert [r.data[:8] for r in gate.refused] == [b"strange", b"nobody", b"xxxxxxxx"]
    assert gate.refused[0].peer == "kafka t/0@0"
    assert gate.data("k/ATM-1") == b"good\n"


async def test_a_full_gate_makes_the_cluster_wait_and_nothing_is_lost(monkeypatch):
    monkeypatch.setattr(kafka, "_LEAST", 1 << 10)
    monkeypatch.setattr(kafka, "_WAITING", 1 << 10)
    gate, log = FakeGate(full=5), FakeLog(numbered(50, 3))
    async with following(log, gate) as fake:
        await until(lambda: log.held)
        await until(lambda: len(gate.lines()) == 150 and not log.held)
    assert ("waiting", "too much") in fake.history
    assert fake.facts["waiting"] == ""
    assert sorted(gate.lines()) == sorted(b"%d-%d" % (p, n) for p in range(3) for n in range(50))


class Loud(FakeGate):
    """A gate that takes nothing of one feed until it is told to."""

    shut = True

    async def accept(self, feed, data, *, mark=b"", peer=""):
        if self.shut and feed.name == "k/ATM-1":
            raise Full("over its quota", 0.01)
        return await super().accept(feed, data, mark=mark, peer=peer)


async def test_a_loud_terminal_holds_up_its_own_partition_and_no_other(monkeypatch):
    monkeypatch.setattr(kafka, "_LEAST", 1 << 10)
    monkeypatch.setattr(kafka, "_WAITING", 1 << 10)
    gate = Loud()
    quiet = [(b"ATM-2", b"quiet %d" % n) for n in range(500)]
    log = FakeLog({("t", 0): [(b"ATM-1", b"loud %d" % n) for n in range(500)], ("t", 1): quiet[:100]})
    async with following(log, gate, per_terminal=True):
        await until(lambda: log.held == {("t", 0)})
        log.partitions["t", 1] = quiet
        await until(lambda: len(gate.lines("k/ATM-2")) == 500)
        assert not gate.lines("k/ATM-1")
        gate.shut = False
        await until(lambda: len(gate.lines("k/ATM-1")) == 500 and not log.held)
    assert gate.lines("k/ATM-1") == [b"loud %d" % n for n in range(500)]


async def test_a_topic_that_was_made_anew_is_read_from_its_beginning():
    gate = FakeGate()
    async with following(FakeLog(numbered(9)), gate):
        await until(lambda: len(gate.lines()) == 9)
    async with following(FakeLog(numbered(2)), gate):
        await until(lambda: len(gate.lines()) == 11)
    assert json.loads(gate.mark("k")) == {"t/0": [0, 2]}


async def test_what_the_cluster_has_already_deleted_is_passed_over():
    gate = FakeGate()
    async with following(FakeLog(numbered(2)), gate):
        await until(lambda: len(gate.lines()) == 2)
    async with following(FakeLog(numbered(3), first=10), gate):
        await until(lambda: len(gate.lines()) == 5)
    assert json.loads(gate.mark("k")) == {"t/0": [10, 13]}


async def test_a_cluster_that_refuses_is_a_fault_of_the_intake():
    log = FakeLog(numbered(1))
    log.broken = RuntimeError("not authorised")
    with pytest.raises(RuntimeError, match="not authorised"):
        await kafka.follow(config(), FakeGate(), place().place(), log.opened)
    assert log.closed


class Crashing(FakeGate):
    """A gate whose process is killed after so many acceptances, or which is full now and then."""

    left = 10**9
    every = 0
    calls = 0

    async def accept(self, feed, data, *, mark=b"", peer=""):
        self.calls += 1
        if self.every and self.calls % self.every == 0:
            raise Full("too much", 0.0)
        if self.left <= 0:
            raise asyncio.CancelledError
        self.left -= 1
        return await super().accept(feed, data, mark=mark, peer=peer)


@given(
    counts=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    crashes=st.lists(st.integers(0, 5), max_size=4),
    every=st.sampled_from([0, 2, 3]),
    per_terminal=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_over_any_crashes_each_message_is_taken_once_and_in_its_partitions_order(counts, crashes, every, per_terminal):
    partitions = {("t", p): numbered(c)[("t", 0)] for p, c in enumerate(counts)}
    partitions = {(t, p): [(k, b"%d-%d" % (p, n)) for n, (k, _) in enumerate(m)] for (t, p), m in partitions.items()}
    gate = Crashing()
    gate.every = every
    wanted = sorted(v for m in partitions.values() for _, v in m)

    async def story() -> None:
        for left in crashes:
            gate.left = left
            log = FakeLog(partitions)
            task = asyncio.ensure_future(kafka.follow(config(per_terminal=per_terminal), gate, place().place(), log.opened))
            await until(lambda task=task: task.done() or len(gate.lines()) >= len(wanted))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        gate.left = 10**9
        async with following(FakeLog(partitions), gate, per_terminal=per_terminal):
            await until(lambda: len(gate.lines()) >= len(wanted))

    asyncio.run(story())
    assert sorted(gate.lines()) == wanted
    for p in range(len(counts)):
        for feed in {t.feed for t in gate.taken}:
            mine = [x for x in gate.lines(feed) if x.startswith(b"%d-" % p)]
            assert mine == sorted(mine, key=lambda x: int(x.split(b"-")[1]))


@given(st.dictionaries(st.sampled_from(["k", "k/ATM-1"]), st.binary(max_size=40) | st.just(b'{"t/0":[1,2]}'), max_size=2))
def test_any_mark_is_learnt_or_passed_over(marks):
    Marks().learn(marks)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"brokers": "kafka.bank.example:9093"}, "off loopback"),
        ({"brokers": "127.0.0.1:1,kafka.bank.example:9093"}, "off loopback"),
        ({"brokers": "k:9", "settings": {"security.protocol": "SASL_PLAINTEXT"}}, "off loopback"),
        (
            {"brokers": "k:9", "settings": {"security.protocol": "ssl", "enable.ssl.certificate.verification": "false"}},
            "off loopback",
        ),
    ],
)
async def test_off_loopback_nothing_crosses_the_network_in_the_clear(keys, said):
    with pytest.raises(ValueError, match=said):
        await kafka.follow(config(**keys), FakeGate(), place().place(), FakeLog({}).opened)


async def test_settings_reach_librdkafka_with_secrets_resolved_and_never_the_ones_that_are_ours():
    log = FakeLog({})
    given = {"security.protocol": "sasl_ssl", "sasl.password": "env:SECRET"}
    async with following(log, FakeGate(), brokers="k.example:9093", settings=given, group="g"):
        await until(lambda: hasattr(log, "given"))
    assert log.given["sasl.password"] == "hush"
    assert (log.given["group.id"], log.given["enable.auto.commit"]) == ("g", "false")
    for key in kafka.OURS:
        with pytest.raises(ValueError, match="cannot be given"):
            config(settings={key: "x"})
    with pytest.raises(ValueError, match="patterns"):
        config(topics=["^atm"])


QUICK = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}


@pytest.fixture(scope="module")
def cluster():
    """librdkafka's mock cluster: its brokers, and a producer to them."""
    mock = Producer({"test.mock.num.brokers": 1, "log_level": "0"})
    brokers = ",".join(f"{b.host}:{b.port}" for b in mock.list_topics(timeout=10).brokers.values())
    producer = Producer({"bootstrap.servers": brokers, "log_level": "0"})
    yield brokers, producer
    producer.flush(5)
    mock.flush(5)


def produce(cluster, topic: str, count: int, begin: int = 0) -> None:
    _, producer = cluster
    assert len(producer.list_topics(topic, timeout=10).topics[topic].partitions) >= 3
    for n in range(begin, begin + count):
        producer.produce(topic, key=TERMINALS[n % 2], value=b"%06d" % n, partition=n % 3)
    assert producer.flush(20) == 0


async def test_a_real_cluster_is_followed_resumed_exactly_and_told_how_far_it_was_read(cluster):
    await asyncio.to_thread(produce, cluster, "real", 3000)
    gate, wanted = FakeGate(), [b"%06d" % n for n in range(4000)]
    made = config(brokers=cluster[0], topics=["real"], per_terminal=True, settings=QUICK)
    async with running(kafka, made, gate, place()):
        await until(lambda: len(gate.lines()) >= 1000, 20)
    gate.full = 3
    await asyncio.to_thread(produce, cluster, "real", 1000, 3000)
    fake = place()
    async with running(kafka, made, gate, fake):
        await until(lambda: len(gate.lines()) >= 4000, 20)
        await until(lambda: fake.facts.get("lag") == 0 and fake.facts.get("messages"), 20)
    assert sorted(gate.lines()) == wanted
    assert gate.turned_away == 3

    def committed() -> list[int]:
        with_group = Consumer({"bootstrap.servers": cluster[0], "group.id": "jackstop-k", "log_level": "0"})
        found = with_group.committed([TopicPartition("real", p) for p in range(3)], timeout=10)
        with_group.close()
        return [p.offset for p in found]

    assert sum(await asyncio.to_thread(committed)) == 4000


async def test_two_members_of_a_group_share_partitions_and_lose_nothing(cluster):
    await asyncio.to_thread(produce, cluster, "shared", 300)
    one, two = FakeGate(), FakeGate()
    made = config(brokers=cluster[0], topics=["shared"], group="both", settings=QUICK)
    async with running(kafka, made, one, place()):
        await until(lambda: len(one.lines()) >= 300, 20)
        async with running(kafka, made, two, place()):
            for n in range(3, 400):
                await asyncio.to_thread(produce, cluster, "shared", 30, 100 * n)
                if two.taken:
                    break
            sent = {b"%06d" % m for m in range(300)} | {b"%06d" % (100 * k + i) for k in range(3, n + 1) for i in range(30)}
            await until(lambda: sent <= {*one.lines(), *two.lines()}, 30)
    assert two.taken


async def test_a_cluster_that_is_away_is_told_and_waited_for():
    fake = place()
    async with running(kafka, config(brokers="127.0.0.1:9"), FakeGate(), fake):
        await until(lambda: "fault" in fake.facts, 15)
    assert "refused" in str(fake.facts["fault"]).lower() or "down" in str(fake.facts["fault"]).lower()
