"""The front's process: intakes before the gate and the spool; the API; sinks; the responder; the interlock; house-keeping."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from random import SystemRandom

import structlog
import uvicorn

from jackstop import intake, outlets
from jackstop.intake import Common, Full, Place
from jackstop.model.fleet import Reading
from jackstop.model.service import ApiInfo, Feed
from jackstop.runners import timestamping
from jackstop.runners.delivery import deliver
from jackstop.runners.evidence import Sources
from jackstop.runners.feeding import VISITS
from jackstop.runners.interlock import Interlock
from jackstop.runners.responder import Responder, respond
from jackstop.service import keeping, saying, watch
from jackstop.service.clock import now, written
from jackstop.service.config import Config, load, secret
from jackstop.service.figures import Figures
from jackstop.sources.bundle import BundleError
from jackstop.spool.faults import SpoolError
from jackstop.spool.gate import SpoolGate
from jackstop.spool.signer import Signer
from jackstop.spool.steady import Steady
from jackstop.spool.writer import Writer
from jackstop.store import migrate
from jackstop.store.database import Database
from jackstop.store.faults import StoreError
from jackstop.store.history import History
from jackstop.web import app as web
from jackstop.web.context import Context
from jackstop.web.exporting import Exporter
from jackstop.web.keys import KeyFault, Keyring
from jackstop.web.setup import setup_link
from jackstop.web.tokenbook import TokenBook

log = structlog.get_logger("front")

INTERLOCK = "jackstop/interlock"
"""The spool's notes of what the interlock answered."""

HEADER = b"terminal,kind,work_order,start,end,people,permits,expected_in,expected_out\n"

SOONEST, LATEST = 1.0, 60.0
"""Seconds before an intake that failed is begun again: doubled each time, from the first to the second."""

STEADY = 120.0


def main(path: Path, lifeline: Connection) -> None:
    """Run until told to stop. See `watch.Watchman`."""
    saying.begin("front")
    watch.die_with(lifeline)
    try:
        config = load(path)
        asyncio.run(_serve(config))
    except (BundleError, KeyFault, SpoolError, migrate.TooNew, _Unsafe) as fault:
        for line in getattr(fault, "faults", None) or [str(fault)]:
            log.error("configuration", fault=line)
        raise SystemExit(watch.REFUSED) from None


class _Unsafe(Exception):
    """Something would be served in the clear where others can listen."""


async def _serve(config: Config) -> None:
    """Everything, until SIGTERM."""
    safe(config.declared.api)
    config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(config.url)
    writer = Writer(config.data / "spool", config.declared.spool, Steady(now), Signer(config.data / "keys"))
    try:
        await _migrated(database)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await Front(config, database, writer).run(stop)
    finally:
        writer.close()
        database.close()


async def _migrated(database: Database) -> None:
    """The database with this version's schema; waits for one that is not there yet."""
    while True:
        try:
            await asyncio.to_thread(migrate.upgrade, database)
            return
        except migrate.TooNew:
            raise
        except StoreError as fault:
            log.error("store", fault=str(fault), again_in=LATEST / 20)
            await asyncio.sleep(LATEST / 20)


def safe(api: ApiInfo) -> None:
    """Hold to it that the API is not served in the clear off this machine.

    Raises:
        _Unsafe: it would be.
    """
    host = api.listen.rpartition(":")[0].strip("[]")
    if api.tls is None and not api.insecure and host not in {"127.0.0.1", "::1", "localhost"}:
        raise _Unsafe(f"[api] listen = {api.listen!r} is not loopback, expected `tls` (or `insecure = true` behind a proxy)")


class Front:
    """The parts of the front, and what they have in common."""

    def __init__(self, config: Config, database: Database, writer: Writer) -> None:
        self._config, self._database = config, database
        self._gate = SpoolGate(writer, config.declared.spool, Full)
        self._signer = Signer(config.data / "keys")
        self._figures = Figures(config.data, self._gate)
        self._tokens = TokenBook(database, now)
        self._interlock = Interlock(database, config.fleet, config.policy, self._noted, now)
        self._responder = Responder(
            database,
            config.policy,
            config.ways,
            now,
            fleet=config.fleet,
            root=config.root,
            secret=self._secret,
            lang=config.declared.service.lang,
        )
        if config.declared.service.time == "clock":
            self._figures.add("interlock", self._interlock.health)
        self._figures.add("responder", self._responder.health)

    async def run(self, stop: asyncio.Event) -> None:
        """Run all parts until `stop`; then senders first, the gate last."""
        gate = asyncio.create_task(self._gate.run(), name="gate")
        parts = [asyncio.create_task(c, name=n) for n, c in self._parts().items()]
        stopped = asyncio.create_task(_wait(stop), name="stop")
        try:
            done, _ = await asyncio.wait([gate, stopped, *parts], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                log.error("part ended", what=task.get_name(), fault=repr(task.exception())[:300])
                task.result()
        finally:
            await _ended(parts)
            await _ended([gate, stopped])

    def _parts(self) -> dict[str, Coroutine[object, object, None]]:
        parts: dict[str, Coroutine[object, object, None]] = {f"intake {c.name}": self._intake(c) for c in self._config.intakes}
        parts["api"] = self._api()
        parts["sinks"] = deliver(self._database, self._config.sinks, self._outlets(), SystemRandom(), metrics=self._figures)
        parts["responder"] = respond(self._responder)
        parts["interlock"] = self._interlock.follow()
        parts["keeping"] = keeping.keep(self._config, self._database, self._signer, now)
        parts["heartbeat"] = self._beat()
        return parts

    async def _intake(self, config: Common) -> None:
        """One intake; whatever it raises is told, and it is begun again after a while."""
        name, wait = f"intake {config.name}", SOONEST
        kind = intake.find(config.kind)
        place = self._place(config)
        while True:
            begun = time.monotonic()
            self._figures.tell(name, "ok", value=True)
            try:
                await kind.run(config, self._gate, place)
                fault = "it ended"
            except Exception as raised:  # noqa: BLE001 - the boundary of an intake
                fault = f"{type(raised).__name__}: {raised}"
            wait = SOONEST if time.monotonic() - begun > STEADY else wait
            self._figures.tell(name, "ok", value=False)
            self._figures.tell(name, "fault", saying.scrubbed(fault)[:300])
            log.error("intake", name=config.name, fault=fault[:300], again_in=wait)
            await asyncio.sleep(wait)
            wait = min(LATEST, 2 * wait)

    async def _api(self) -> None:
        declared = self._config.declared.api
        host, _, port = declared.listen.rpartition(":")
        tls: dict[str, str] = {}
        if declared.tls is not None:
            root = self._config.root
            tls = {"ssl_certfile": str(root / declared.tls.cert), "ssl_keyfile": str(root / declared.tls.key)}
        context = self._context()
        await self._invite(web.here(context))
        server = _Server(
            uvicorn.Config(
                web.create(context),
                host=host.strip("[]"),
                port=int(port),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=3,
                **tls,  # type: ignore[arg-type]
            )
        )
        serving = asyncio.ensure_future(server.serve())
        try:
            await asyncio.wait([serving])
        finally:
            server.should_exit = True
            await serving
        raise OSError(f"{declared.listen}: the API ended, expected a free address to listen on")

    async def _invite(self, here: str) -> None:
        """Print the link for the first administrator, while there is none."""
        try:
            link = await asyncio.to_thread(setup_link, self._database, now)
        except StoreError as fault:
            log.error("store", fault=str(fault))
            return
        if link is not None:
            sys.stdout.write(f"First administrator: open {here}{link} within 24 hours; it serves once.\n")
            sys.stdout.flush()

    async def _beat(self) -> None:
        """A sign of life in a file, each second."""
        while True:
            await asyncio.to_thread(written, self._config.data / "run" / "front.json", self._figures.line(now()))
            await asyncio.sleep(1)

    def _context(self) -> Context:
        config = self._config
        return Context(
            database=self._database,
            fleet=config.fleet,
            declared=config.declared,
            clock=now,
            keyring=Keyring.open(config.data / "keys"),
            registry=self._figures.registry,
            accept_visits=self._visits,
            interlock=self._interlock,
            health=self._figures.health,
            history=History(config.data / "history", self._database),
            exports=self._exporter(),
            advisories=config.advisories,
            policy=config.policy,
            ways=config.ways,
            visits=config.visits,
            secret=self._secret,
        )

    def _exporter(self) -> Exporter:
        """What makes packages of evidence for people at the API.

        Raises:
            BundleError: the roots of time stamps cannot be read.
        """
        config, info = self._config, self._config.declared.spool
        try:
            trusted = timestamping.roots(config.root / info.timestamp_ca) if info.timestamp_ca else ()
        except timestamping.StampError as fault:
            raise BundleError([str(fault)]) from None
        stamper = timestamping.asker(info.timestamp, trusted) if info.timestamp is not None else None
        history = History(config.data / "history", self._database)
        sources = Sources(config.data / "spool", self._signer, self._database, history, config.fleet)
        return Exporter(sources, config.data / "exports", now, stamper)

    def _place(self, config: Common) -> Place:
        async def verify(token: str, name: str) -> str | None:
            return await self._tokens.verify(token, f"intake:{name}")

        def tell(key: str, value: object) -> None:
            self._figures.tell(f"intake {config.name}", key, value)

        return Place(self._config.root, self._config.fleet, verify, tell, self._secret)

    def _outlets(self) -> outlets.Place:
        api = self._config.declared.api
        base = (api.url or f"{'https' if api.tls else 'http'}://{api.listen}").rstrip("/")
        return outlets.Place(root=self._config.root, clock=now, secret=self._secret, link=lambda alert: f"{base}/alerts/{alert}")

    async def _visits(self, lines: bytes) -> None:
        """Visits people enter, as a feed of their own; its first line says what the columns are."""
        info = self._config.fleet.fleet
        feed = Feed(format="visits", reading=Reading(name=VISITS, timezone=info.timezone, currency=info.currency))
        try:
            await self._gate.accept(feed, lines if self._gate.mark(VISITS) else HEADER + lines, mark=b"visits")
        except Full as full:
            raise ConnectionError(f"{full.reason}, expected room in the spool") from None

    def _noted(self, answer: bytes) -> None:
        self._gate.note(INTERLOCK, answer)

    def _secret(self, value: str) -> str:
        return secret(value, self._config.root)


class _Server(uvicorn.Server):
    """A server beside others: signals are the front's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _ended(tasks: list["asyncio.Task[None]"]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    for task, result in zip(tasks, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
        if isinstance(result, Exception):
            log.error("part ended", what=task.get_name(), fault=repr(result)[:300])
