"""The responder: carries out what was approved, within the limits, once each, and waits until it is known to be done.

Before anything leaves, the store says `sending`, with a lease. A crash in between leaves the lease to run out; then the order is
handed over again with the same key, or people are asked, as the way's `repeat` says. Several responders may run: the store's
compare-and-set lets one of them begin.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection, select

from jackstop import actions
from jackstop.actions import Common, Hold, Order, Outcome, Place, Unsent, Way
from jackstop.model.fleet import Fleet, Terminal, microseconds
from jackstop.model.settings import HOUR, MINUTE, SECOND
from jackstop.policy.limits import refusal
from jackstop.policy.model import Policy
from jackstop.policy.proposals import after_failure
from jackstop.policy.response import SERVICE, Action, Refused
from jackstop.runners.deeds import possible, taken_back
from jackstop.runners.proposing import Proposer
from jackstop.store import actions as stored
from jackstop.store import audit, schema, switches
from jackstop.store.database import Database
from jackstop.store.faults import StoreError

EVERY = 0.5
"""Seconds between two rounds."""

AT_ONCE = 16
"""Orders that are on their way at a time."""

MARGIN = 30 * SECOND
"""µs a lease is longer than one attempt may take."""

LOOK = 5 * SECOND
"""µs between two looks whether an order was carried out."""

_LONGEST_WAIT = 10 * MINUTE
_AHEAD = 2 * MINUTE


class Responder:
    """Args:
    database: the live store. policy: `[response]` of it. ways: the `[[action]]` of jackstop.toml, in order. clock: µs UTC.
    fleet: the terminals. root: the folder relative paths start from. secret: resolves `env:NAME` and `file:PATH`.
    lang: of words for people. find: the way of an id.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        ways: Sequence[Common],
        clock: Callable[[], int],
        *,
        fleet: Fleet,
        root: Path,
        secret: Callable[[str], str] = str,
        lang: str = "en",
        find: Callable[[str], Way] = actions.find,
    ) -> None:
        self._database, self._response, self._ways, self._clock = database, policy.response, ways, clock
        self._fleet, self._lang, self._find, self._fault = fleet, lang, find, ""
        self._terminals: Mapping[str, Terminal] = {t.id: t for t in fleet.terminal}
        self._place = Place(root, fleet, policy.response.programs, secret, self._hold)
        self._proposer = Proposer(database, policy.response, fleet, possible(ways))
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._failed = 0

    async def round(self) -> int:
        """One look at everything; gives how many things were dealt with. Orders leave beside it: see `settle`.

        Raises:
            StoreError: the store cannot be read or written.
        """
        self._land()
        done = await asyncio.to_thread(self._proposer.follow, self._clock())
        done += await asyncio.to_thread(self._tidy)
        for action in await asyncio.to_thread(self._begin):
            self._flying[action.id] = asyncio.create_task(self._hand_over(action))
            done += 1
        return done + await self._look()

    async def settle(self) -> None:
        """Wait for the orders that are on their way."""
        if self._flying:
            await asyncio.wait(self._flying.values())
        self._land()

    async def close(self) -> None:
        """Break off what is on its way; the store says that it may have arrived."""
        for task in self._flying.values():
            task.cancel()
        await asyncio.gather(*self._flying.values(), return_exceptions=True)
        self._flying.clear()

    def flying(self) -> tuple[asyncio.Task[None], ...]:
        """The orders that are on their way."""
        return tuple(self._flying.values())

    def health(self) -> dict[str, object]:
        """What it tells of itself: orders on their way, those that failed since the start, and the last fault."""
        return {"ok": not self._fault, "sending": len(self._flying), "failed": self._failed, "fault": self._fault}

    def note_fault(self, fault: str) -> None:
        """What went wrong in the last round; empty for nothing."""
        self._fault = fault

    def _land(self) -> None:
        """Forget orders that are over; one that broke off by a fault of ours stays `sending` until its lease ends."""
        for ident, task in list(self._flying.items()):
            if task.done():
                del self._flying[ident]
                if not task.cancelled() and task.exception() is not None:
                    self._fault = f"action {ident}: {type(task.exception()).__name__}"

    def _tidy(self) -> int:
        """What lapsed, and what the kill switch stops."""
        now, done = self._clock(), 0
        with self._database.read() as connection:
            lapsed = stored.lapsed(connection, now)
            stopped = switches.read(connection).stopped
            waiting = stored.listed(connection, ["approved"]) if stopped else []
        for action, verb, note in [(a, "expire", "nobody acted in time") for a in lapsed] + [
            (a, "stop", "stopped by the kill switch") for a in waiting
        ]:
            done += self._step(action, verb, note) is not None
        return done

    def _begin(self) -> list[Action]:
        """The actions that may leave now, each on record as `sending`."""
        begun: list[Action] = []
        now, room = self._clock(), AT_ONCE - len(self._flying)
        with self._database.read() as connection:
            due = stored.due(connection, ["sending"], now, AT_ONCE) + stored.due(connection, ["approved"], now, AT_ONCE)
        for action in [a for a in due if a.id not in self._flying][: max(room, 0)]:
            claimed = self._again(action) if action.state == "sending" else self._claim(action.id)
            if claimed is not None:
                begun.append(claimed)
        return begun

    def _claim(self, ident: str) -> Action | None:
        """An approved action, begun; None where the limits do not let it leave now, or another responder took it."""
        now = self._clock()
        with self._database.write() as connection:
            audit.turn(connection)
            action = stored.find(connection, ident, lock=True)
            if action is None or action.state != "approved":
                return None
            said = switches.read(connection)
            dry = action.dry or not (self._response.live if said.live is None else said.live)
            world = switches.world(connection, self._fleet, self._response, now, stopped=said.stopped, dry=dry)
            against = refusal(self._response, replace(action, dry=dry), world)
            if against is not None:
                stored.put_off(connection, action, min(against.again, now + HOUR), now, against.en, SERVICE)
                return None
            way = self._way(action)
            lease = now + (microseconds(way.timeout) if way is not None else 0) + MARGIN
            needed = self._response.terms(action.kind).approvals
            try:
                return stored.move(
                    connection, ident, "send", SERVICE, now, needed=needed, note="attempt 1", next_at=lease, dry=dry
                )
            except Refused:
                return None

    def _again(self, action: Action) -> Action | None:
        """An action whose attempt failed or was cut off, begun again; None where it is not to be."""
        way, now = self._way(action), self._clock()
        with self._database.read() as connection:
            said = switches.read(connection)
        arrived = "; it may have arrived" if action.unsure else ""
        if said.stopped:
            self._step(action, "fail", f"stopped by the kill switch{arrived}")
        elif not (action.dry or (self._response.live if said.live is None else said.live)):
            self._step(action, "fail", f"response was switched to dry runs{arrived}")
        elif way is None and not action.dry:
            self._step(action, "fail", f"no [[action]] does {action.kind} here")
        elif way is not None and action.attempts >= way.attempts:
            self._step(action, "fail", f"given up after {action.attempts} attempts{arrived}")
        elif way is not None and action.unsure and way.repeat == "ask" and not action.dry:
            self._step(action, "fail", "it is not known whether it arrived: look, then propose it again")
        else:
            lease = now + (microseconds(way.timeout) if way is not None else 0) + MARGIN
            return self._step(action, "retry", f"attempt {action.attempts + 1}", next_at=lease)
        return None

    def _way(self, action: Action) -> Common | None:
        """The way that carries an action out: the first that does its kind at its terminal."""
        terminal = self._terminals.get(action.terminal or "")
        return next((w for w in self._ways if action.kind in w.does and (terminal is None or w.fits(terminal))), None)

    async def _hand_over(self, action: Action) -> None:
        """Hand an order over and put down what came of it."""
        way = self._way(action)
        if action.dry:
            await asyncio.to_thread(self._delivered, action, way, Outcome("dry run: nothing left", done=True))
            return
        if way is None:
            await asyncio.to_thread(self._step, action, "fail", f"no [[action]] does {action.kind} here")
            return
        try:
            outcome = await self._find(way.way).send(way, self._order(action), self._place)
        except Unsent as fault:
            await asyncio.to_thread(self._undelivered, action, fault)
            return
        await asyncio.to_thread(self._delivered, action, way, outcome)

    def _order(self, action: Action) -> Order:
        now = self._clock()
        return Order(
            key=action.id,
            kind=action.kind,
            terminal=self._terminals.get(action.terminal or ""),
            alert=action.alert,
            told=action.told,
            begins=action.told.first_event or action.proposed_at,
            ends=now,
            attempt=action.attempts,
            at=now,
            lang=self._lang,
        )

    def _delivered(self, action: Action, way: Common | None, outcome: Outcome) -> None:
        """It was taken; it is confirmed at once where that is enough."""
        now = self._clock()
        with self._database.write() as connection:
            try:
                sent = stored.move(connection, action.id, "deliver", SERVICE, now, note=outcome.note, next_at=now + SECOND)
                if outcome.done or way is None:
                    done = stored.move(connection, action.id, "confirm", SERVICE, now, note="done")
                    taken_back(connection, replace(done, dry=sent.dry), now)
            except Refused:
                return

    def _undelivered(self, action: Action, fault: Unsent) -> None:
        """It was not taken, or that is not known: given up, or tried again after a while."""
        wait = min(2 * SECOND * 2**action.attempts, _LONGEST_WAIT)
        now = self._clock()
        with self._database.write() as connection:
            put = stored.put_off(connection, action, now + wait, now, fault.reason, SERVICE, unsure=fault.unsure)
            if put and fault.final:
                failed = stored.move(connection, action.id, "fail", SERVICE, now, note="refused for good")
                self._told(connection, failed, fault.reason, now)

    async def _look(self) -> int:
        """Look whether what was handed over was carried out."""
        now, done = self._clock(), 0
        with self._database.read() as connection:
            due = stored.due(connection, ["sent"], now, AT_ONCE)
        for action in due:
            way = self._way(action)
            if await self._carried_out(action, way):
                done += await asyncio.to_thread(self._confirmed, action) is not None
            elif way is None or now >= action.sent_at + microseconds(way.within):
                within = way.within if way is not None else "time"
                done += await asyncio.to_thread(self._step, action, "fail", f"not known to be done within {within}") is not None
            else:
                await asyncio.to_thread(self._later, action, now + LOOK)
        return done

    async def _carried_out(self, action: Action, way: Common | None) -> bool:
        """Whether it is known to be done by now."""
        if way is None or way.confirm in {"callback", "answer"}:
            return False
        if way.confirm in {"fact", "line"}:
            return await asyncio.to_thread(self._shown, action, "service" if way.confirm == "fact" else "ordered")
        asking = actions.asking(self._find(way.way))
        if asking is None:
            return False
        try:
            return await asking.status(way, self._order(action), self._place)
        except Unsent:
            return False

    def _shown(self, action: Action, fact: str) -> bool:
        """Whether rows show it: that the terminal is out, by its last word; in, or what its host ordered, said since then."""
        f = schema.facts.c
        with self._database.read() as connection:
            told = connection.execute(
                select(f.value, f.at).where(f.terminal == action.terminal, f.fact == fact)
            ).first()  # fmt: skip
        if told is None:
            return False
        lately = told.at >= action.sent_at - _AHEAD
        if action.kind == "out-of-service":
            return bool(told.value == '"out"' and (lately or fact == "service"))
        return bool(told.value == '"in"' and lately)

    def _confirmed(self, action: Action) -> Action | None:
        now = self._clock()
        with self._database.write() as connection:
            try:
                done = stored.move(connection, action.id, "confirm", SERVICE, now, note="seen to be done")
            except Refused:
                return None
            taken_back(connection, done, now)
            return done

    def _later(self, action: Action, next_at: int) -> None:
        with self._database.write() as connection:
            stored.put_off(connection, action, next_at, self._clock(), "", SERVICE, unsure=action.unsure)

    def _step(self, action: Action, verb: str, note: str, next_at: int | None = None) -> Action | None:
        """A step by the service itself; None where somebody else was first."""
        now = self._clock()
        with self._database.write() as connection:
            try:
                done = stored.move(connection, action.id, verb, SERVICE, now, note=note, next_at=next_at)
            except Refused:
                return None
            if verb == "fail":
                self._told(connection, done, note, now)
            return done

    def _told(self, connection: Connection, failed: Action, why: str, now: int) -> None:
        """An action failed: it is counted, and what the policy says is begun about it."""
        self._failed += not failed.dry
        for action in after_failure(self._response, failed, possible(self._ways), why, now):
            if stored.propose(connection, action, SERVICE, action.told.note):
                stored.move(connection, action.id, "pass", SERVICE, now, note="about an action that failed")

    async def _hold(self, hold: Hold) -> None:
        """Keep evidence."""

        def place() -> None:
            with self._database.write() as connection:
                span = (hold.begins, hold.ends)
                switches.place_hold(connection, hold.id, span, hold.reason, SERVICE, self._clock(), hold.alert)

        await asyncio.to_thread(place)


async def respond(responder: Responder, every: float = EVERY) -> None:
    """Do rounds until cancelled. A store that cannot be reached is told in `health`, and tried again."""
    try:
        while True:
            try:
                done = await responder.round()
                responder.note_fault("")
            except StoreError as fault:
                done = 0
                responder.note_fault(str(fault))
            await asyncio.sleep(0 if done else every)
    finally:
        await responder.close()
