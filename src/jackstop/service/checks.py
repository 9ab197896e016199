"""What `jackstop doctor --config` looks at: everything a live service stands on, each with what to do about it."""

import json
import shutil
import ssl
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from jackstop.model.service import Tls
from jackstop.model.settings import MINUTE, SECOND
from jackstop.policy.model import Policy
from jackstop.service.clock import now
from jackstop.service.config import Config
from jackstop.sources.bundle import BundleError
from jackstop.spool.faults import SpoolError
from jackstop.spool.follower import Follower
from jackstop.store import audit, migrate, people, queries
from jackstop.store.database import Database, default_url
from jackstop.store.faults import StoreError
from jackstop.store.schema import cursors, dead_letters

SILENT = 15 * MINUTE
"""µs after which a feed that has spoken before counts as silent."""

DAYS = 30
"""Days before its end from which a certificate is told of."""

_GOOD_SHARE = 0.99
_HEARTBEAT = 15 * SECOND


class Check(NamedTuple):
    """One thing looked at. `state`: good, bad or note; `mend`: what to do about it."""

    state: str
    what: str
    mend: str = ""


def before_start(config: Config) -> Iterator[Check]:
    """What must be right before the service starts."""
    info = config.declared
    kinds = f"{len(config.intakes)} intakes, {len(config.sinks)} sinks, {len(config.ways)} ways of action"
    yield Check("good", f"{config.path}: {len(config.fleet.terminal)} terminals, {kinds}")
    for line in config.warnings:
        yield Check("bad", line)
    if not config.intakes:
        yield Check("bad", f"{config.path}: no [[intake]]", "without one no log arrives: docs/live.md")
    yield from _folder(config.data, info.spool.free)
    if info.api.tls is not None:
        yield from certificate(config.root, info.api.tls, "[api]")
    elif info.api.insecure:
        yield Check("note", f"[api] listens on {info.api.listen} in the clear", "only behind a proxy that does TLS")
    for one in config.intakes:
        tls = getattr(one, "tls", None)
        if isinstance(tls, Tls):
            yield from certificate(config.root, tls, f"intake {one.name}")
    yield from _switched(config.policy)


def running(config: Config) -> Iterator[Check]:
    """What the running, or last run, service shows."""
    yield from _spool(config.data / "spool")
    for part in ("front", "loop"):
        yield _alive(config.data / "run" / f"{part}.json", part)
    if config.url == default_url(config.data) and not config.data.exists():
        yield Check("note", f"{config.data}: no database yet", "it is made at the first start")
        return
    try:
        database = Database(config.url)
    except StoreError as fault:
        yield Check("bad", str(fault))
        return
    try:
        yield from _database(database)
    except StoreError as fault:
        yield Check("bad", str(fault), "start the database, or mend `[service] database`")
    finally:
        database.close()


def _folder(data: Path, least: int) -> Iterator[Check]:
    """The service's own folder: private, and with room."""
    place = next(p for p in (data.absolute(), *data.absolute().parents) if p.exists())
    if data.exists() and stat.S_IMODE(data.stat().st_mode) & 0o077:
        yield Check("bad", f"{data}: others may look into it", f"chmod 700 {data}")
    for key in sorted((data / "keys").glob("*")) if (data / "keys").is_dir() else ():
        if key.suffix not in {".pub", ".json"} and stat.S_IMODE(key.stat().st_mode) & 0o077:
            yield Check("bad", f"{key}: others may read it", f"chmod 600 {key}, and make new keys if somebody may have")
    free = shutil.disk_usage(place).free
    good = free >= 4 * least
    told = f"{data}: {free / 2**30:.1f} GiB free; nothing more is taken below {least / 2**30:.1f} GiB"
    yield Check("good" if good else "bad", told, "" if good else "make room, or keep less (`[spool] keep`)")


def certificate(root: Path, tls: Tls, of: str) -> Iterator[Check]:
    """Whether a certificate and its key fit, and how long it lasts."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(root / tls.cert, root / tls.key)
        found = x509.load_pem_x509_certificate((root / tls.cert).read_bytes())
    except (OSError, ValueError) as fault:
        said = getattr(fault, "strerror", None) or str(fault) or "not PEM"
        yield Check("bad", f"{of}: {tls.cert}: {said}", "give a certificate and the key that belongs to it, in PEM")
        return
    days = (found.not_valid_after_utc - datetime.now(UTC)).days
    state = "bad" if days < 0 else "note" if days < DAYS else "good"
    yield Check(state, f"{of}: {tls.cert} lasts {days} days", "" if state == "good" else "renew it")


def _switched(policy: Policy) -> Iterator[Check]:
    """What acts by itself, and what only looks on."""
    live, enforce = policy.response.live, policy.interlock.mode == "enforce"
    yield Check(
        "note" if not live else "good",
        f"response: {'live' if live else 'dry run, nothing leaves'}",
        "" if live else "docs/response.md",
    )
    yield Check(
        "note" if not enforce else "good",
        f"interlock: {'enforces' if enforce else 'looks on, answers allow'}",
        "" if enforce else "`jackstop policy backtest` shows what it would do",
    )


def _spool(folder: Path) -> Iterator[Check]:
    """Whether the spool's end can be read."""
    if not folder.is_dir():
        yield Check("note", f"{folder}: not there yet", "it is made at the first start")
        return
    follower = Follower(folder, None)
    try:
        seq, received = follower.head
        first = follower.take(1)
    except SpoolError as fault:
        yield Check("bad", str(fault), "jackstop evidence verify shows what is damaged")
        return
    finally:
        follower.close()
    size = sum(f.stat().st_size for f in folder.iterdir() if f.is_file())
    since = _moment(first[0].received) if first else "–"
    yield Check("good", f"{folder}: {seq:,} frames in {size / 2**20:,.0f} MiB, from {since} to {_moment(received)}")


def _alive(path: Path, part: str) -> Check:
    """Whether a part gave a sign of life lately."""
    try:
        at = int(json.loads(path.read_bytes())["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return Check("note", f"{part}: never heard of", "start the service: jackstop serve")
    age = now() - at
    if age > _HEARTBEAT:
        return Check("bad", f"{part}: last heard of {age / SECOND:,.0f} s ago", "start the service, and read its log")
    return Check("good", f"{part}: alive")


def _database(database: Database) -> Iterator[Check]:
    """The database, its schema, who may enter, what feeds and sinks show."""
    standing = migrate.check(database)
    if not standing.ready:
        yield Check("note", f"{database.shown}: schema {standing.there or 'none'}", "it is brought up to date at the next start")
        return
    yield Check("good", f"{database.shown}: schema {standing.there}")
    chain = audit.verify(database)
    if chain.fault:
        yield Check("bad", f"audit log: {chain.fault}", "somebody changed it: keep a copy of the database")
    else:
        yield Check("good", f"audit log: {chain.rows:,} entries, whole")
    with database.read() as connection:
        if not people.administrators(connection):
            yield Check("bad", "nobody may administer the service", "open the link that `serve` prints, or: jackstop users add")
    yield from _feeds(database)
    yield from _sinks(database)


def _feeds(database: Database) -> Iterator[Check]:
    """Feeds that fell silent, or are not understood."""
    listed = queries.feeds(database)
    spoken = [f for f in listed if f.last_received is not None]
    silent = [f for f in spoken if now() - (f.last_received or 0) > SILENT]
    yield Check("good", f"feeds: {len(spoken)} of {len(listed)} have spoken, {len(spoken) - len(silent)} in the last 15 minutes")
    for feed in silent[:20]:
        yield Check(
            "note", f"{feed.name}: silent since {_moment(feed.last_received or 0)}", "look whether its machine or shipper runs"
        )
    for feed in spoken:
        known = feed.understood + feed.duplicates
        if feed.records and feed.refused > (1 - _GOOD_SHARE) * feed.records:
            why = max(feed.reasons, key=lambda r: feed.reasons[r], default="damaged records")
            yield Check(
                "bad",
                f"{feed.name}: {feed.refused:,} of {feed.records:,} records refused ({known:,} understood)",
                f"most often: {why}",
            )


def _sinks(database: Database) -> Iterator[Check]:
    """How deliveries fare."""
    with database.read() as connection:
        rows = connection.execute(cursors.select().where(cursors.c.name != "loop").order_by(cursors.c.name)).mappings().all()
        dead = len(connection.execute(dead_letters.select().where(dead_letters.c.resent_at.is_(None)).limit(1000)).all())
    for row in rows:
        if row["fault"]:
            yield Check(
                "bad",
                f"{row['name']}: {row['attempts']} attempts failed: {row['fault']}",
                "mend the receiver: nothing is lost meanwhile",
            )
        elif row["sent"]:
            yield Check("good", f"{row['name']}: {row['sent']:,} delivered")
    if dead:
        yield Check(
            "bad",
            f"{dead} dead letters: alerts that a receiver will never take",
            "look at them on /v1/sinks/dead-letters, and resend",
        )


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else "–"


def all_of(config: Config, *, start: bool) -> list[Check]:
    """All checks; those of a running service are left out before a start."""
    made: list[Check] = []
    parts: tuple[Callable[[Config], Iterator[Check]], ...] = (before_start,) if start else (before_start, running)
    for part in parts:
        try:
            made += part(config)
        except BundleError as fault:
            made += [Check("bad", line) for line in fault.faults]
    return made
