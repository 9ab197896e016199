"""A bundle played to the HTTP intake: every byte once, in the order of event time, whatever happens on the way."""

import asyncio
import gzip
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from fake_gate import FakeGate, FakePlace, running, until
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from jackstop import formats
from jackstop.cli import send as command
from jackstop.intake import Full, http
from jackstop.runners import timetable
from jackstop.runners.send import NotSent, Options, play
from jackstop.simulator import simulate
from jackstop.sources import bundle as bundles

SECOND = 1_000_000
TOKEN = "gold-7"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    root = tmp_path_factory.mktemp("send") / "bundle"
    simulate("quiet", root, 2, 6.0, 5)
    packed = next(root.rglob("*.jrn"), None) or next(p for p in root.rglob("logs/**/*") if p.is_file())
    text = (root / "fleet.toml").read_text()
    name = packed.relative_to(root).as_posix()
    if name in text:
        (packed.parent / (packed.name + ".gz")).write_bytes(gzip.compress(packed.read_bytes()))
        packed.unlink()
        (root / "fleet.toml").write_text(text.replace(name, name + ".gz"))
    return bundles.load(root)


class Service:
    """An intake that can be killed and begun again before the same gate."""

    def __init__(self, bundle, gate: FakeGate | None = None) -> None:
        self.gate = gate or FakeGate()
        self.fake = FakePlace(bundle.root, [t.id for t in bundle.fleet.terminal], tokens={TOKEN: "player"})
        self.listen = "127.0.0.1:0"

    def config(self) -> http.Config:
        return http.Config(kind="http", name="lab", format="winlogbeat", declare=True, listen=self.listen)

    async def __aenter__(self) -> "Service":
        self.fake.facts.clear()
        self._running = running(http, self.config(), self.gate, self.fake)
        await self._running.__aenter__()
        await until(lambda: "listening" in self.fake.facts)
        self.listen = str(self.fake.facts["listening"])
        return self

    async def __aexit__(self, *fault: object) -> None:
        await self._running.__aexit__(*fault)

    @property
    def url(self) -> str:
        return f"http://{self.listen}/v1/logs/lab"


def unpacked(file) -> bytes:
    with bundles.opened(file.path) as stream:
        return stream.read()


def rows(pieces: list[bytes], form: str, reading, *, final: bool) -> pl.DataFrame:
    """Row ids, offsets and times a real reader gives."""
    reader = formats.find(form).reader(reading)
    parts = [reader.feed(p).tables for p in pieces] + ([reader.feed(b"", final=True).tables] if final else [])
    frames = [f.select("event_id", "record_offset", "time") for t in parts for _, f in t.items() if f.height]
    return pl.concat(frames).sort(pl.all()) if frames else pl.DataFrame()


def whole(bundle, gate: FakeGate) -> None:
    """Hold to it that the gate has every byte of every file once."""
    for file in bundle.files:
        data = unpacked(file)
        assert gate.data(file.name) in {data, data + b"\n"}, file.name


def fast(**changes) -> Options:
    return Options(patience=20, **changes)


async def test_every_file_arrives_whole_under_its_own_name_and_gives_the_rows_of_the_bundle(bundle):
    async with Service(bundle) as service:
        sent = await play(bundle, service.url, TOKEN, fast())
    whole(bundle, service.gate)
    assert sent.files == len(bundle.files) > 5
    assert sent.bytes == sum(len(t.data) for t in service.gate.taken)
    assert {f.path.suffix for f in bundle.files} >= {".gz"}
    for file in bundle.files:
        feed = service.gate.feeds[file.name]
        assert (feed.format, feed.latency, feed.reading) == (file.format, file.latency, file.reading)
        pieces = [t.data for t in service.gate.taken if t.feed == file.name]
        here = rows(pieces, feed.format, feed.reading, final=False)
        there = rows([unpacked(file)], file.format, file.reading, final=True)
        assert here.equals(there), file.name


async def test_bytes_come_in_the_order_of_event_time(bundle):
    async with Service(bundle) as service:
        await play(bundle, service.url, TOKEN, fast(width=60 * SECOND))
    first: dict[str, int] = {}
    seen: list[int] = []
    for file in bundle.files:
        table = rows([unpacked(file)], file.format, file.reading, final=True)
        first[file.name] = 0
        times = table.filter(pl.col("time").to_physical() > 0).sort("record_offset")
        offset = 0
        for n, taken in enumerate(service.gate.taken):
            if taken.feed == file.name:
                inside = times.filter(pl.col("record_offset").is_between(offset, offset + len(taken.data) - 1))
                offset += len(taken.data)
                seen += [(n, t) for t in inside["time"].to_physical().to_list()[:1]]
    order = [t for _, t in sorted(seen)]
    assert len(order) > 25
    reached = np.maximum.accumulate(order)
    assert (reached - np.array(order) <= 60 * SECOND).mean() > 0.95


async def test_nothing_after_until_is_sent(bundle):
    table = timetable.plan(bundle, 10 * SECOND)
    starts = [s for s, _ in table.spans()]
    middle = starts[len(starts) // 2]
    async with Service(bundle) as service:
        sent = await play(bundle, service.url, TOKEN, fast(until=middle))
    assert 0 < sent.bytes < table.bytes
    for file in bundle.files:
        data = unpacked(file)
        got = service.gate.data(file.name)
        assert data.startswith(got)
        after = rows([data], file.format, file.reading, final=True).filter(pl.col("record_offset") < len(got))
        assert after["time"].to_physical().max() is None or after["time"].to_physical().quantile(0.9) <= middle


class Unruly(FakeGate):
    """A gate that is full, or fails, at random."""

    dice = random.Random(4)

    async def accept(self, feed, data, *, mark=b"", peer=""):
        throw = self.dice.random()
        if throw < 0.1:
            raise Full("too much", 0.001)
        if throw < 0.2:
            raise OSError(28, "No space left on device")
        return await super().accept(feed, data, mark=mark, peer=peer)


async def no_wait(seconds: float) -> None:
    await asyncio.sleep(0)


async def test_a_gate_that_is_full_or_fails_now_and_then_gets_every_byte_once(bundle):
    async with Service(bundle, Unruly()) as service:
        sent = await play(bundle, service.url, TOKEN, fast(width=600 * SECOND, sleep=no_wait))
    whole(bundle, service.gate)
    assert sent.repeated > 3


async def test_an_intake_that_is_killed_and_begun_again_gets_every_byte_once(bundle):
    service = Service(bundle)
    service.gate.slow = 0.01
    async with service:
        playing = asyncio.ensure_future(play(bundle, service.url, TOKEN, fast(width=10 * SECOND)))
        await until(lambda: len(service.gate.taken) > 10)
    assert not playing.done()
    async with service:
        sent = await asyncio.wait_for(playing, 30)
    whole(bundle, service.gate)
    assert sent.repeated > 0


async def test_a_player_that_is_stopped_and_begun_again_sends_nothing_twice(bundle):
    async with Service(bundle) as service:
        service.gate.slow = 0.001
        playing = asyncio.ensure_future(play(bundle, service.url, TOKEN, fast(width=10 * SECOND)))
        await until(lambda: len(service.gate.taken) > 10)
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
        sent = await play(bundle, service.url, TOKEN, fast())
        assert sent.bytes < sum(len(unpacked(f)) for f in bundle.files)
        again = await play(bundle, service.url, TOKEN, fast())
    whole(bundle, service.gate)
    assert again.bytes == 0


async def test_speed_spreads_the_spans_over_time(bundle):
    now, slept = [0.0], []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    async with Service(bundle) as service:
        sent = await play(bundle, service.url, TOKEN, Options(speed=600, clock=lambda: now[0], sleep=sleep))
    starts = [s for s, _ in timetable.plan(bundle, 10 * SECOND).spans()]
    assert sent.seconds == pytest.approx((starts[-1] - starts[0]) / SECOND / 600)
    assert sum(slept) == pytest.approx(sent.seconds)


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("http://{at}/v1/logs/lab", "wrong", "status 403"),
        ("http://{at}/v1/logs/other", TOKEN, "status 404"),
        ("http://{at}/", TOKEN, "is no intake"),
        ("ftp://{at}/v1/logs/lab", TOKEN, "is no intake"),
    ],
)
async def test_what_cannot_be_sent_is_told_in_one_line(bundle, url, token, said):
    async with Service(bundle) as service:
        with pytest.raises(NotSent, match=said) as fault:
            await play(bundle, url.format(at=service.listen), token, fast())
    assert "\n" not in str(fault.value)
    assert not service.gate.taken


async def test_an_intake_that_never_answers_is_given_up_after_a_while(bundle):
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    with pytest.raises(NotSent, match="for 60 s"):
        await play(bundle, "http://127.0.0.1:9/v1/logs/lab", TOKEN, Options(patience=60, clock=lambda: now[0], sleep=sleep))


async def test_the_command_plays_a_bundle_and_tells_what_it_sent(bundle):
    app = typer.Typer()
    command.add(app)
    async with Service(bundle) as service:
        wrong = await asyncio.to_thread(CliRunner().invoke, app, [str(bundle.root), "--to", service.url])
        assert wrong.exit_code == 2
        words = [str(bundle.root), "--to", service.url, "--token", TOKEN, "--fast"]
        done = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert done.exit_code == 0, done.output
    whole(bundle, service.gate)


TIMES = st.lists(st.integers(1, 50) | st.sampled_from([10**13]), min_size=1, max_size=30)


@given(times=TIMES)
def test_times_never_go_back_and_stray_ones_hold_nothing_up(times):
    made = timetable._rising(np.array(times, np.int64)).tolist()
    assert made == sorted(made)
    for n, time in enumerate(made):
        assert time >= min(times[n:])
        assert time <= 50 or min(times[n:]) > 50


def test_a_last_line_without_its_line_feed_is_given_one(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "fleet.toml").write_text(
        '[fleet]\ntimezone = "UTC"\ncurrency = "USD"\n[[terminal]]\nid = "A"\n'
        '[[source]]\npath = "logs/x.jsonl"\nformat = "xfs4iot"\nterminal = "A"\n'
    )
    message = b'{"header":{"type":"unsolicited","name":"CashManagement.ItemsTakenEvent"},"payload":{}}'
    line = b'{"time":"2026-03-01T02:11:0%d.000Z","message":' + message + b"}"
    Path(tmp_path / "logs/x.jsonl").write_bytes(line % 1 + b"\n" + line % 2)
    table = timetable.plan(bundles.load(tmp_path), SECOND)
    assert table.added == {0}
    assert table.bytes == 2 * len(line % 1) + 2
    assert [(s // SECOND % 60, p.start) for s, [p] in table.spans()] == [(1, 0), (2, len(line % 1) + 1)]
