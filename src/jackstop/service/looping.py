"""The loop's process: begins the loop from its checkpoint, lets it turn, tells how it fares, and gets up again after a fault."""

import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import structlog

from jackstop import detections
from jackstop.model.fleet import microseconds
from jackstop.model.settings import HOUR, SECOND, Settings
from jackstop.runners.live import Loop, Terms
from jackstop.runners.pace import ClockPace, Pace, RecordPace
from jackstop.service import saying, watch
from jackstop.service.clock import now, written
from jackstop.service.config import Config, load
from jackstop.sources.bundle import BundleError
from jackstop.spool import Position
from jackstop.spool.follower import Follower
from jackstop.store import migrate
from jackstop.store.database import Database
from jackstop.store.faults import StoreError
from jackstop.store.history import History
from jackstop.store.live import Live
from jackstop.store.states import States

log = structlog.get_logger("loop")

IDLE = 0.02
"""Seconds between two looks at a spool that has nothing new."""

AGAIN = 2.0
"""Seconds before the loop begins anew after its store could not be written."""

AHEAD = 48 * HOUR
"""µs by which a row may be stamped ahead of time and wait for it: memory is not for whoever writes stamps of other years."""

STRIKES = 2
"""Times a step may break the loop before its bytes are left out of what is decided (they stay in the spool)."""


def main(path: Path, lifeline: Connection) -> None:
    """Run until told to stop. See `watch.Watchman`."""
    saying.begin("loop")
    watch.die_with(lifeline)
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    stopping: list[bool] = []
    try:
        config = load(path)
        detections.learn(config.detections)
    except (BundleError, detections.Faulty) as fault:
        for line in str(fault).splitlines():
            log.error("configuration", fault=line)
        raise SystemExit(watch.REFUSED) from None
    while not stopping:
        try:
            _turn(config, stopping)
        except StoreError as fault:
            log.error("store", fault=str(fault), again_in=AGAIN)
            time.sleep(AGAIN)


def _turn(config: Config, stopping: list[bool]) -> None:
    """One life of the loop: from its checkpoint until it is told to stop or its store fails."""
    config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    database, loop = Database(config.url), None
    try:
        _ready(database, stopping)
        loop = begin(config, database)
        standing, told = Standings(config.data), 0
        if loop.rebuilt:
            log.warning("checkpoint", why=loop.rebuilt, mended="made anew from the history")
        log.info("begins", seq=loop.standing.seq, checkpoint=loop.standing.checkpoint)
        while not stopping:
            dealt = _turned(loop, config)
            if now() - told > SECOND:
                standing.write(loop)
                told = now()
            if not dealt:
                time.sleep(IDLE)
        loop.save()
        standing.write(loop)
        log.info("ends", seq=loop.standing.seq)
    finally:
        if loop is not None:
            loop.close()
        database.close()


def _ready(database: Database, stopping: list[bool]) -> None:
    """Wait until the front has brought the database to this version's schema, or it is time to stop."""
    while not stopping:
        try:
            migrate.wait(database)
            return
        except migrate.NotReady as fault:
            log.info("waits", why=str(fault))
    raise SystemExit(0)


def _turned(loop: Loop, config: Config) -> int:
    """A turn; a step that breaks the loop is noted, so that it cannot do so for ever."""
    broken = True
    try:
        dealt = loop.turn()
        broken = False
        return dealt
    except StoreError:
        broken = False
        raise
    finally:
        if broken:
            Strikes(config.data).note(*loop.at_work)
            log.error("broken", first=loop.at_work[0], last=loop.at_work[1])


def begin(config: Config, database: Database) -> Loop:
    """A loop for a configuration, from its last checkpoint.

    Raises:
        StoreError: the store cannot be read. memory.Unknown: the checkpoint cannot be read.
    """
    info = config.declared.service

    def pace(packed: bytes) -> Pace:
        if info.time == "records":
            return RecordPace(microseconds(info.slack), packed)
        return ClockPace(microseconds(info.catch_up), packed)

    terms = Terms(
        fleet=config.fleet,
        visits=config.visits,
        pace=pace,
        clock=now,
        indicators=config.indicators,
        settings=Settings(ahead=AHEAD) if info.time == "clock" else Settings(),
        every=microseconds(config.declared.history.every),
        strikes=Strikes(config.data).left_out(),
    )
    history = History(config.data / "history", database)

    def follow(start: Position | None) -> Follower:
        return Follower(config.data / "spool", start)

    return Loop(terms, Live(database), history, follow, States(config.data / "states"))


class _Strike(msgspec.Struct):
    first: int
    last: int
    times: int = 1


class Strikes:
    """Steps that broke the loop, kept beside the data: after `STRIKES` times the bytes of such a step are left out."""

    def __init__(self, data: Path) -> None:
        self._path = data / "run" / "strikes.json"

    def left_out(self) -> tuple[tuple[int, int], ...]:
        """Spans of frames (first and last seq) that are left out of what is decided."""
        return tuple((s.first, s.last) for s in self._read() if s.times >= STRIKES)

    def note(self, first: int, last: int) -> None:
        """Note that the step with these frames broke the loop."""
        kept = self._read()
        known = next((s for s in kept if (s.first, s.last) == (first, last)), None)
        if known is None:
            kept.append(_Strike(first, last))
        else:
            known.times += 1
        written(self._path, msgspec.json.encode(kept))

    def _read(self) -> list[_Strike]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[_Strike])
        except (OSError, msgspec.DecodeError):
            return []


class Standings:
    """How the loop fares, in a file for the front to read."""

    def __init__(self, data: Path) -> None:
        self._path = data / "run" / "loop.json"

    def write(self, loop: Loop) -> None:
        """Write it anew."""
        written(self._path, msgspec.json.encode({"at": now(), **msgspec.to_builtins(loop.standing)}))
