"""House-keeping: what is older than it is to be kept goes, but for legal holds; small files of the history are put together."""

import asyncio
from collections.abc import Callable

import structlog
from sqlalchemy import select

from jackstop.model.settings import HOUR
from jackstop.service.config import Config
from jackstop.spool import Position
from jackstop.spool.faults import SpoolError
from jackstop.spool.retention import sweep
from jackstop.spool.signer import Signer
from jackstop.store import compaction, retention
from jackstop.store.database import Database
from jackstop.store.faults import StoreError
from jackstop.store.history import History
from jackstop.store.schema import checkpoints

log = structlog.get_logger("keeping")

EVERY = 300.0
"""Seconds between two rounds of putting files together; what is old goes once an hour."""


async def keep(config: Config, database: Database, signer: Signer, clock: Callable[[], int]) -> None:
    """Keep house until cancelled; a fault is told, and the next round tries again."""
    history, expired = History(config.data / "history", database), 0
    while True:
        await asyncio.sleep(EVERY)
        try:
            fewer = await asyncio.to_thread(compaction.compact, history, clock())
            if fewer:
                log.info("history", files_fewer=fewer)
            if clock() - expired >= HOUR:
                expired = clock()
                await asyncio.to_thread(_expire, config, history, signer, clock())
        except (StoreError, SpoolError, OSError) as fault:
            log.error("house-keeping", fault=str(fault))


def _expire(config: Config, history: History, signer: Signer, now: int) -> None:
    """Remove what is too old."""
    gone = retention.expire(history, now, config.declared.history.keep)
    holds = [(h.begins, h.ends) for h in retention.standing(history.database)]
    with history.database.read() as connection:
        place = connection.execute(select(checkpoints.c.segment, checkpoints.c.offset).order_by(checkpoints.c.seq.desc())).first()
    segments = sweep(config.data / "spool", config.declared.spool.keep, holds, now, Position(*(place or (0, 0))), signer)
    log.info("expired", files=gone.files, verdicts=gone.verdicts, segments=len(segments))
