"""The service killed at random moments while logs come in: nothing acknowledged is lost, and everything decided is there once."""

import asyncio
import contextlib
import json
import random
import threading
import time
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from running import Service
from sqlalchemy import select

from jackstop import simulator
from jackstop.model.settings import MINUTE
from jackstop.runners import local, send
from jackstop.runners.local import Options
from jackstop.sources import bundle as bundles
from jackstop.spool import Kind
from jackstop.spool.follower import Follower
from jackstop.store import queries, schema
from jackstop.store.database import Database
from jackstop.store.results import Results

HOOK = """
[[sink]]
kind = "webhook"
name = "hook"
url = "http://127.0.0.1:{port}/alerts"
signing = "file:hook.key"
insecure = true
at_least = "info"
from = "start"
"""


class Receiver(ThreadingHTTPServer):
    """Takes alerts by webhook; now and then it says no, or says nothing."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Taking)
        self.taken: dict[str, list[bytes]] = defaultdict(list)
        self.chance = random.Random(7)


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.chance.random() < 0.2:
            self.send_error(503)
            return
        self.server.taken[self.headers["idempotency-key"]].append(body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    root = tmp_path_factory.mktemp("night")
    simulator.simulate("usb-malware", root / "bundle", 5, 6.0, 3)
    bundle = bundles.load(root / "bundle")
    results = Results(root / "results.sqlite")
    report = local.investigate(bundle, results, Options(jobs=1))
    decided = pl.concat(list(results.verdicts()))
    results.close()
    return bundle, decided, tuple(d.alert for d in report.dossiers)


@pytest.fixture
def begun():
    """A service that is gone when the test is."""
    made = []

    def keep(service):
        made.append(service)
        return service

    yield keep
    for service in made:
        service.end()


def disturbed(service: Service, bundle, speed: float, kills: int, seed: int, also=lambda n: None) -> Counter[str]:
    """Play a bundle to the service while it is killed; gives how often what was killed."""
    chance, killed = random.Random(seed), Counter()
    service.start()
    service.ready()
    url = f"http://127.0.0.1:{service.logs}/v1/logs/lab"
    token = service.token("intake:lab")
    options = send.Options(speed=speed, patience=900.0)
    player = Player(lambda: asyncio.run(send.play(bundle, url, token, options)))
    player.start()
    for n in range(kills):
        service.ready()
        time.sleep(chance.uniform(0.0, 1.2))
        killed[service.kill(chance)] += 1
        also(n)
    service.ready()
    player.join(180)
    assert not player.is_alive(), service.log()
    assert player.fault is None, repr(player.fault)
    return killed


class Player(threading.Thread):
    """Plays in the background, and keeps what went wrong."""

    def __init__(self, play) -> None:
        super().__init__(daemon=True)
        self.fault: Exception | None = None
        self._play = play

    def run(self) -> None:
        try:
            self._play()
        except Exception as fault:  # noqa: BLE001 - told by the test
            self.fault = fault


def finished(service: Service, *, delivers: bool = True) -> int:
    """Wait until the loop and the sink have dealt with everything, and stop; gives the watermark it came to."""
    follower = Follower(service.folder / "data" / "spool", None)
    head, _ = follower.head
    follower.close()
    service.until(lambda: service.standing().get("seq", 0) > head, 120, "the loop does not come to the spool's end")
    if delivers:
        service.until(lambda: _rested(service.url), 120, "alerts are not delivered")
    assert service.stop() == 0, service.log()
    return service.standing()["watermark"]


def spooled(folder: Path) -> tuple[dict[str, bytes], list[int]]:
    """The bytes of every feed, and the numbers of all frames."""
    follower, feeds, numbers = Follower(folder, None), defaultdict(bytes), []
    while frames := follower.take():
        for frame in frames:
            numbers.append(frame.seq)
            if frame.kind is Kind.DATA:
                assert frame.offset == len(feeds[frame.feed])
                feeds[frame.feed] += frame.data
    follower.close()
    return feeds, numbers


def compared(url: str, decided: pl.DataFrame, alerts, until: int) -> None:
    """Verdicts and alerts in the store are those of an investigation, each once."""
    with contextlib.closing(Database(url)) as database:
        with database.read() as connection:
            rows = connection.execute(select(schema.verdicts)).mappings().all()
            first = connection.execute(select(schema.verdict_history).where(schema.verdict_history.c.revision == 1)).all()
            told = connection.execute(select(schema.changes).where(schema.changes.c.kind == "alert")).mappings().all()
        ours = {r["id"]: (r["terminal"], r["verdict"], r["reason"], r["picked"], r["presented"]) for r in rows}
        due = decided.filter(pl.col("decided_at").dt.timestamp("us") <= until - 10 * MINUTE)
        columns = (
            pl.col("id"),
            pl.col("terminal"),
            pl.col("verdict").cast(pl.String),
            pl.col("reason"),
            pl.col("picked"),
            pl.col("presented"),
        )
        theirs = {r[0]: r[1:] for r in due.select(columns).iter_rows()}
        assert len(theirs) > 20
        assert {i: ours.get(i) for i in theirs} == theirs
        assert len(first) == len(rows)
        times = Counter((c["ref"], c["revision"]) for c in told)
        assert max(times.values()) == 1
        held = {a.id: queries.alert(database, a.id) for a in alerts if a.updated_at <= until - 10 * MINUTE}
        assert held
        for alert in alerts:
            if (found := held.get(alert.id)) is not None:
                assert (found.alert.severity, found.alert.raised_at, found.alert.findings) == (
                    alert.severity,
                    alert.raised_at,
                    alert.findings,
                )
        assert {r.id for r in queries.alerts(database).items} <= {a.id for a in alerts}


def delivered(url: str, taken: dict[str, list[bytes]]) -> None:
    """Every alert's last word reached the receiver; what came twice says the same."""
    with contextlib.closing(Database(url)) as database:
        rows = queries.alerts(database).items
    assert rows
    for row in rows:
        assert any(key.startswith(f"{row.id}:") for key in taken), row.id
        assert f"{row.id}:{row.revision}" in taken
    for bodies in taken.values():
        said = [{k: v for k, v in json.loads(b).items() if k not in {"sent_at", "timestamp"}} for b in bodies]
        assert all(s == said[0] for s in said)


def test_killed_fifty_times_it_loses_nothing_and_says_nothing_twice(night, receiver, begun, tmp_path):
    bundle, decided, alerts = night
    (tmp_path / "bundle").symlink_to(bundle.root)
    (tmp_path / "hook.key").write_text("a secret that only this test knows of, and no other")
    service = begun(Service(tmp_path, more=HOOK.format(port=receiver.server_port)))
    killed = disturbed(service, bundle, 150.0, 50, 1)
    assert killed.total() == 50
    assert min(killed.values()) > 5
    until = finished(service)
    feeds, numbers = spooled(tmp_path / "data" / "spool")
    assert numbers == list(range(1, len(numbers) + 1))
    for file in bundle.files:
        assert feeds[file.name] == file.path.read_bytes(), file.name
    compared(service.url, decided, alerts, until)
    delivered(service.url, receiver.taken)


def _rested(url: str) -> bool:
    """Whether the sink has dealt with all changes there are."""
    with contextlib.closing(Database(url)) as database, database.read() as connection:
        last = connection.execute(
            select(schema.changes.c.id).where(schema.changes.c.kind == "alert").order_by(schema.changes.c.id.desc())
        ).scalar()
        at = connection.execute(select(schema.cursors.c.position).where(schema.cursors.c.name.contains("hook"))).scalar()
    return last is None or (at or 0) >= last
