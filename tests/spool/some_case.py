"""A small bank's night in a spool, judged by the live loop, with a case about it: what packages of evidence are made from."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from some_spool import Clock, opened

from jackstop import simulator
from jackstop.model.service import Feed, SpoolInfo
from jackstop.model.settings import MINUTE
from jackstop.runners.live import Loop, Terms
from jackstop.runners.pace import RecordPace
from jackstop.sources import bundle as bundles
from jackstop.spool import Kind
from jackstop.spool.follower import Follower
from jackstop.store import audit, cases, migrate, queries
from jackstop.store.database import Database, default_url
from jackstop.store.history import History
from jackstop.store.live import Live

HOSTILE = "<script>alert(1)</script> \u202e 4111 1111 1111 1111"
TOML = '[service]\nfleet = "bundle/fleet.toml"\nvisits = "bundle/visits.csv"\ntime = "records"\n'


@dataclass(frozen=True)
class Night:
    """The service's folder, the case's id, and the ids of its alerts."""

    root: Path
    case: str
    alerts: tuple[str, ...]

    @property
    def data(self) -> Path:
        return self.root / "data"

    def store(self) -> Database:
        return Database(default_url(self.data))


def night(root: Path) -> Night:
    """Simulate, spool, judge, and open a case over all alerts."""
    simulator.simulate("usb-malware", root / "bundle", 2, 3.0, 3)
    (root / "jackstop.toml").write_text(TOML)
    bundle = bundles.load(root / "bundle")
    _spool(bundle, root / "data")
    with closing(Database(default_url(root / "data"))) as database:
        migrate.upgrade(database)
        history, clock = History(root / "data" / "history", database), Clock()
        pace = lambda kept: RecordPace(10 * MINUTE, kept)  # noqa: E731
        terms = Terms(bundle.fleet, bundle.visits, pace, clock, bundle.indicators, every=0)
        loop = Loop(terms, Live(database), history, lambda at: Follower(root / "data" / "spool", at))
        while loop.turn():
            pass
        loop.save()
        told = tuple(r.id for r in queries.alerts(database).items)
        with database.write() as connection:
            made = cases.open_case(connection, f"Night {HOSTILE}", "ann", clock())
            audit.append(connection, clock(), "ann", "case.open", made.id)
            for alert in told:
                cases.handle(connection, alert, "ann", clock(), case_id=made.id)
                audit.append(connection, clock(), "ann", "alert.case", alert, made.id)
            cases.remark(connection, "case", made.id, "bob", f"Seen on video {HOSTILE}", clock())
    return Night(root, made.id, told)


def _spool(bundle: bundles.Bundle, data: Path) -> None:
    data.mkdir()
    with closing(opened(data, SpoolInfo(segment=1 << 18, free=0))) as writer:
        for file in bundle.files:
            feed = Feed(format=file.format, latency=file.latency, reading=file.reading)
            writer.append(Kind.FEED, file.name, feed.model_dump_json().encode())
            content = file.path.read_bytes()
            for begin in range(0, len(content), 3000):
                writer.append(Kind.DATA, file.name, content[begin : begin + 3000], peer="10.1.2.3")
                if begin % 30_000 == 0:
                    writer.commit()
        for _ in range(3):
            writer.append(Kind.TICK, "", b"")
        writer.commit()
