"""A courier: brings one sink what is due to it, a round at a time, and keeps count of how that goes."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Protocol

import msgspec

from jackstop.model.results import SEVERITIES, Alert, at_least
from jackstop.outlets import Common, Later, Message, Never, Outlet, Place, Threads
from jackstop.store import deliveries, letters
from jackstop.store.database import Database
from jackstop.store.deliveries import Due, Settled, Waiting
from jackstop.store.faults import StoreError

LONGEST_WAIT = 3600.0
"""Seconds a sink may ask us to wait; longer is not believed."""

_CLOSING = 5.0
_decode = msgspec.json.Decoder(Alert).decode


class _Metrics(Protocol):
    def count(self, name: str, sink: str, n: int) -> None: ...


class _Pace(Protocol):
    @property
    def first(self) -> float: ...
    @property
    def most(self) -> float: ...
    @property
    def longest(self) -> float: ...


class Courier:
    """The courier of one sink.

    Args:
        database: the store. config: the sink. place: what its outlet may know. random: spreads retries. metrics: what counts.
        pace: seconds, see `delivery.Pace`. opener: opens the outlet.
    """

    def __init__(
        self,
        database: Database,
        config: Common,
        place: Place,
        random: Random,
        metrics: _Metrics,
        pace: _Pace,
        opener: Callable[[Common, Place], Awaitable[Outlet]],
    ) -> None:
        self._database, self._config, self._metrics, self._pace = database, config, metrics, pace
        self._random, self._opener = random, opener
        self._threads = Threads()
        self._resolve = place.secret
        self._secrets: set[str] = set()
        self._place = replace(place, remember=self._remember, secret=self._secret, threads=self._threads)
        self._clock = place.clock
        self._outlet: Outlet | None = None
        self._begun = False
        self._faults = 0

    async def run(self, bell: asyncio.Event) -> None:
        """Go rounds until cancelled: at once while something is due, else when the bell rings, after faults when it is time."""
        try:
            while True:
                bell.clear()
                pause = await self.round()
                if pause is None:
                    await bell.wait()
                else:
                    await self._place.wait(pause)
        finally:
            await self._close()
            self._threads.close()

    async def round(self) -> float | None:
        """One round; gives the seconds until the next, None where nothing is due.

        This is the boundary of the sink: whatever goes wrong within it is its fault, is noted, and stops nobody else.
        """
        (outcome,) = await asyncio.gather(self._round(), return_exceptions=True)
        if isinstance(outcome, BaseException):
            return await self._fault(outcome)
        return outcome

    async def _round(self) -> float | None:
        name, at = self._config.name, self._clock()
        if not self._begun:
            start = self._config.begin == "start"
            await self._threads.run(lambda: deliveries.begin(self._database, name, at, start=start))
            self._begun = True
        waiting = await self._threads.run(self._look)
        self._faults = waiting.attempts
        pause = (waiting.next_at - at) / 1e6
        if waiting.attempts and 0 < pause <= LONGEST_WAIT:
            return pause
        if self._outlet is None:
            self._outlet = await self._opener(self._config, self._place)
        if waiting.letters:
            await self._resend(self._outlet, waiting.letters[0])
            return 0.0
        due = [d for d in waiting.due if self._wanted(d)]
        if due:
            await self._bring(self._outlet, due, waiting.end)
        elif waiting.end > waiting.position:
            await self._threads.run(lambda: deliveries.settle(self._database, name, waiting.end, (), at))
        else:
            return None
        return 0.0

    def _look(self) -> Waiting:
        with self._database.read() as connection:
            return deliveries.waiting(connection, self._config.name)

    def _wanted(self, due: Due) -> bool:
        """Whether the sink is to be told of an alert as it is now."""
        if due.revision <= due.revision_done:
            return False
        grave, told = self._config.at_least, due.severity_told
        if self._config.TELLS == "escalations":
            graver = not due.taken or SEVERITIES.index(due.severity) > SEVERITIES.index(told)
            return graver and at_least(due.severity, grave)
        return due.revision_done > 0 or at_least(max(due.severity, due.peak, key=SEVERITIES.index), grave)

    async def _bring(self, outlet: Outlet, due: Sequence[Due], end: int) -> None:
        """Send what is due, a batch of it, until all of that is taken or given up. `end`: the last change looked at."""
        some = due[: self._config.batch]
        then = due[len(some)].change - 1 if len(due) > len(some) else end
        pending, settled = await self._threads.run(lambda: self._messages(some))
        await self._settle(settled, pending, then)
        size = len(pending)
        while pending:
            part = pending[:size]
            taken, dead, fault = await self._send(outlet, [m for _, m, _ in part])
            if not taken and not dead and fault is None:
                size = max(1, len(part) // 2)
                continue
            done = [_settled(part[i], taken=True) for i in range(taken)]
            done += [_settled(part[i], taken=False, fault=self._scrubbed(why)) for i, why in sorted(dead.items())]
            gone = {*range(taken), *dead}
            pending = [p for i, p in enumerate(part) if i not in gone] + pending[size:]
            await self._settle(done, pending, then)
            if fault is not None:
                raise fault
            size = len(pending) if dead or len(part) > 1 else size

    async def _send(self, outlet: Outlet, batch: Sequence[Message]) -> tuple[int, dict[int, str], Later | None]:
        """Send a batch; gives how many of its first were taken, which never will be, and the fault that stopped it.

        All of that is empty where one of several is refused and it is not known which: halves will tell.
        """
        try:
            async with asyncio.timeout(self._pace.longest):
                await outlet.send(batch)
        except Later as fault:
            return min(fault.taken, len(batch)), {}, fault
        except Never as fault:
            dead = {i: why for i, why in fault.also.items() if 0 <= i < len(batch)}
            index = 0 if len(batch) == 1 else fault.index
            if index is not None and 0 <= index < len(batch):
                dead[index] = fault.reason
            return min(fault.taken, len(batch), *dead), dead, None
        return len(batch), {}, None

    def _messages(self, due: Sequence[Due]) -> tuple[list[tuple[Due, Message, bytes]], list[Settled]]:
        """Alerts that are due as messages, with their content as it is now; and those whose content cannot be read."""
        with self._database.read() as connection:
            found = deliveries.contents(connection, [d.alert for d in due])
        pending, settled = [], []
        for one in due:
            if one.alert not in found:
                continue
            revision, severity, body = found[one.alert]
            try:
                message = Message(_decode(body), revision, one.taken > 0, one.change, one.ref)
                pending.append((one, message, body))
            except (msgspec.DecodeError, ValueError) as fault:
                why = f"the alert in the store cannot be read: {str(fault)[:200]}"
                settled.append(Settled(one, revision, severity, taken=False, fault=why, body=body))
        return pending, settled

    async def _settle(self, done: Sequence[Settled], pending: Sequence[tuple[Due, Message, bytes]], then: int) -> None:
        """Note what is done with, and move the place as far as nothing before it is pending."""
        position = pending[0][0].change - 1 if pending else then
        at, name = self._clock(), self._config.name
        if done or not pending:
            await self._threads.run(lambda: deliveries.settle(self._database, name, position, done, at))
        self._faults = 0 if done else self._faults
        for word, n in (("sent", sum(d.taken for d in done)), ("dead", sum(not d.taken for d in done))):
            if n:
                self._metrics.count(word, name, n)

    async def _resend(self, outlet: Outlet, number: int) -> None:
        """Send a dead letter again, because a person asked for it."""
        at, name = self._clock(), self._config.name

        def known() -> tuple[deliveries.Letter, int, str]:
            letter = letters.letter(self._database, number)
            with self._database.read() as connection:
                return letter, *deliveries.told(connection, name, letter.key.rpartition(":")[0])

        letter, taken, ref = await self._threads.run(known)
        try:
            alert, revision = _decode(letter.body), int(letter.key.rpartition(":")[2])
            _, dead, fault = await self._send(outlet, [Message(alert, revision, taken > 0, letter.change, ref)])
        except (msgspec.DecodeError, ValueError):
            dead, fault = {0: "the alert in the letter cannot be read"}, None
        if fault is not None:
            raise fault
        if dead:
            why = self._scrubbed(dead[0])
            await self._threads.run(lambda: letters.refused(self._database, number, why))
        else:
            await self._threads.run(lambda: letters.taken(self._database, number, revision, alert.severity, at))
            self._metrics.count("resent", name, 1)

    async def _fault(self, fault: BaseException) -> float:
        """Note why a round failed; gives the seconds until the next, more after each fault, spread at random."""
        self._faults += 1
        spread = self._random.uniform(0.5, 1.0)
        pause = min(self._pace.most, self._pace.first * float(2 ** min(self._faults - 1, 30))) * spread
        if isinstance(fault, StoreError):
            self._metrics.count("store-faults", "", 1)
            return pause
        if isinstance(fault, Later):
            pause = max(pause, min(fault.retry_after or 0.0, LONGEST_WAIT))
            said = fault.reason
        else:
            said = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
            await self._close()
        self._metrics.count("retried", self._config.name, 1)
        next_at = self._clock() + int(pause * 1e6)
        note = partial(
            deliveries.failed, self._database, self._config.name, self._scrubbed(said), attempts=self._faults, next_at=next_at
        )
        await asyncio.gather(self._threads.run(note), return_exceptions=True)
        return pause

    async def _remember(self, alert: str, ref: str) -> None:
        at, name = self._clock(), self._config.name
        await self._threads.run(lambda: deliveries.remember(self._database, name, alert, ref, at))

    def _secret(self, value: str) -> str:
        """A secret resolved, and remembered so that no fault can tell it."""
        found = self._resolve(value)
        if found != value:
            self._secrets |= {found, *(p for p in re.split(r"[\s:/@?&=#]+", found) if len(p) >= 8)} - {""}
        return found

    def _scrubbed(self, text: str) -> str:
        """Text in one line without the sink's secrets."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "…")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:500]

    async def _close(self) -> None:
        """Close the outlet, however it stands."""
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            await asyncio.gather(asyncio.wait_for(outlet.close(), _CLOSING), return_exceptions=True)


def _settled(one: tuple[Due, Message, bytes], *, taken: bool, fault: str = "") -> Settled:
    due, message, body = one
    severity = message.alert.severity
    return Settled(due, message.revision, severity, taken=taken, fault=fault, body=b"" if taken else body)
