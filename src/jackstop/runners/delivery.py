"""Delivery: every alert to every sink, at least once and in order, whatever becomes of sinks, of this process, or of the power.

One task a sink follows the changes of alerts from the sink's own place in the store. The place moves only after the sink took
what was sent, so a crash in between sends again, under the same idempotency key. A sink that cannot be reached waits longer
after each fault, up to `Pace.most`, and loses nothing; what it will never take becomes a dead letter, and the rest goes on. No
sink waits for another. Of an alert that changed several times while a sink was away, the sink is told the newest revision: it
holds all that the earlier ones said, and its severity.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from jackstop import outlets
from jackstop.outlets import Common, Outlet, Place, Threads
from jackstop.runners.courier import Courier
from jackstop.store import deliveries
from jackstop.store.database import Database
from jackstop.store.faults import StoreError

__all__ = ["Metrics", "Pace", "deliver"]

Opener = Callable[[Common, Place], Awaitable[Outlet]]


class Metrics(Protocol):
    """What counts. Names: `sent`, `dead`, `retried`, `resent`, `store-faults`."""

    def count(self, name: str, sink: str, n: int) -> None:
        """Add to a counter of one sink; `store-faults` has no sink."""


class Uncounted:
    """Metrics nobody wants."""

    def count(self, name: str, sink: str, n: int) -> None:
        """Count nothing."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, in seconds.

    Attributes:
        poll: between looks for changes, one look for all sinks. first, most: waits after the first fault and after many.
        longest: of one batch's sending, after which it counts as a fault.
    """

    poll: float = 0.2
    first: float = 1.0
    most: float = 300.0
    longest: float = 900.0


async def deliver(
    database: Database,
    sinks: Sequence[Common],
    place: Place,
    random: Random,
    *,
    metrics: Metrics | None = None,
    pace: Pace | None = None,
    opener: Opener = outlets.open,
) -> None:
    """Deliver until cancelled.

    Args:
        database: with the tables of `store.schema`. sinks: as configured. place: what outlets may know; `remember` and
            `threads` are each sink's own. random: spreads retries. metrics: what counts. opener: opens an outlet.
    """
    counted, pace = metrics or Uncounted(), pace or Pace()
    bells = {sink.name: asyncio.Event() for sink in sinks}
    threads = Threads()
    try:
        async with asyncio.TaskGroup() as group:
            for sink in sinks:
                courier = Courier(database, sink, place, random, counted, pace, opener)
                group.create_task(courier.run(bells[sink.name]))
            group.create_task(_watch(database, bells, threads, counted, pace.poll, place.wait))
    finally:
        threads.close()


async def _watch(
    database: Database,
    bells: Mapping[str, asyncio.Event],
    threads: Threads,
    metrics: Metrics,
    poll: float,
    wait: Callable[[float], Awaitable[None]],
) -> None:
    """Wake sinks when there are new changes of alerts, or letters to be sent again. The one look for all of them."""
    seen = -1

    def look() -> tuple[int, frozenset[str]]:
        with database.read() as connection:
            return deliveries.newest(connection), deliveries.asked(connection)

    while True:
        try:
            newest, asked = await threads.run(look)
        except StoreError:
            metrics.count("store-faults", "", 1)
        else:
            for name, bell in bells.items():
                if newest > seen or name in asked:
                    bell.set()
            seen = max(seen, newest)
        await wait(poll)
