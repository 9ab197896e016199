"""The interlock while the service runs: what it must know stands in memory, so that an answer takes microseconds.

`refresh` reads what is new from the store, off the hot path; `answer` only looks. What is known ages when the loop stops
or the store cannot be read: then the policy's `on_unknown` counts, and what is known to speak against a machine still does.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from jackstop.model.fleet import Fleet
from jackstop.model.settings import SECOND
from jackstop.policy.interlock import Answer, Request, Situation, decide, stranger
from jackstop.policy.model import Policy
from jackstop.policy.stations import stations
from jackstop.runners.terminal_memory import Memory
from jackstop.store.database import Database
from jackstop.store.faults import StoreError

EVERY = 0.25
"""Seconds between two refreshes."""

LARGEST = 4096
"""Bytes of a question at most."""

_ASKED = 100_000
_GRANTS = 256
"""Grants kept one by one for a terminal; older ones are kept as their sum."""

_STALE = 2 * SECOND


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """A question as it comes: see `policy.interlock.Request`."""

    id: str = ""
    amount: int | None = None
    currency: str | None = None
    channel: str = ""

    def request(self) -> Request:
        """The request it makes.

        Raises:
            ValueError: an amount below 0 or beyond 2^53, a currency that is none, or words too long.
        """
        amount, currency = self.amount or 0, self.currency or ""
        if not 0 <= amount < 1 << 53:
            raise ValueError(f"amount is {amount}, expected minor units from 0")
        if currency and not (len(currency) == 3 and currency.isascii() and currency.isupper()):
            raise ValueError(f"currency is {currency!r:.20}, expected ISO 4217")
        if len(self.id) > 200 or len(self.channel) > 40:
            raise ValueError("id or channel is too long, expected at most 200 and 40 characters")
        return Request(self.id, amount, currency, self.channel)


class Interlock:
    """Answers whether a machine may pay.

    Args:
        database: the live store. fleet: the terminals. policy: the rules. note: takes each answer as one line of JSON, for the
            record; what it raises is counted and does not keep the answer back. clock: µs UTC.
    """

    def __init__(
        self, database: Database, fleet: Fleet, policy: Policy, note: Callable[[bytes], None], clock: Callable[[], int]
    ) -> None:
        self._stations = stations(policy, fleet)
        self._policy, self._note, self._clock = policy, note, clock
        windows = [s.spans.exposure for s in self._stations.values() if s.rules.exposure.answer != "off"]
        self._memory = Memory(database, max(windows, default=0))
        self._granted: dict[str, list[tuple[int, int]]] = {}
        self._asked: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._counts = {"allow": 0, "hold": 0, "deny": 0, "stale": 0, "unlogged": 0}
        self._fault = ""

    def refresh(self) -> None:
        """Read what is new from the store; may be called from another thread than `ask`.

        Raises:
            StoreError: the store cannot be read; what is known stays, and ages.
        """
        self._memory.refresh(self._clock())

    async def follow(self, every: float = EVERY) -> None:
        """Refresh until cancelled. A store that cannot be read is shown in `health`, and read again."""
        while True:
            try:
                await asyncio.to_thread(self.refresh)
                self._fault = ""
            except StoreError as fault:
                self._fault = str(fault)
            await asyncio.sleep(every)

    def ask(self, terminal: str, body: bytes | Mapping[str, object]) -> Answer:
        """The answer to a question in JSON (or as a mapping): `id`, `amount`, `currency`, `channel`, all of them optional.

        The same `id` at the same terminal is decided anew each time, and its amount counts once.

        Raises:
            ValueError: the question cannot be understood.
        """
        if isinstance(body, bytes) and len(body) > LARGEST:
            raise ValueError(f"a question of {len(body)} bytes, expected at most {LARGEST}")
        try:
            question = (
                msgspec.json.decode(body or b"{}", type=Question) if isinstance(body, bytes) else msgspec.convert(body, Question)
            )
        except msgspec.MsgspecError as fault:
            raise ValueError(f"question: {fault}, expected id, amount, currency, channel") from None
        return self.answer(terminal, question.request())

    def answer(self, terminal: str, request: Request, peer: str = "") -> Answer:
        """The answer to a request; logged."""
        now = self._clock()
        station = self._stations.get(terminal)
        enforce = self._policy.interlock.mode == "enforce"
        if station is None:
            unknown = self._policy.interlock.on_unknown
            found = stranger(terminal[:200], unknown, self._policy.digest, request, now, enforce=enforce)
        else:
            stale = self._memory.age(now) > station.stale_after
            self._counts["stale"] += stale
            known = self._memory.of(terminal)
            counts = station.rules.exposure.answer != "off"
            paid = self._paid(terminal, request.id, now - station.spans.exposure) if counts else None
            situation = Situation(known.facts, known.alerts, paid, known.reset, stale)
            found = decide(station, situation, request, now)
            if counts and found.would == "allow":
                self._grant(terminal, request, now)
        self._counts[found.answer] += 1
        self._log(found, request, peer)
        return found

    def health(self) -> dict[str, object]:
        """What it tells of itself: answers by word since the start, age of what it knows (ms), faults."""
        age = self._memory.age(self._clock())
        ok = not self._fault and age < _STALE + 30 * SECOND
        return {"ok": ok, **self._counts, "age_ms": min(age // 1000, 2**53), "fault": self._fault, "policy": self._policy.digest}

    def _paid(self, terminal: str, ident: str, since: int) -> tuple[tuple[int, int], ...] | None:
        """What left a terminal since an instant, and what was granted and has not been seen to leave yet."""
        seen = self._memory.paid(terminal)
        if seen is None:
            return None
        last = seen[-1][0] if seen else -(2**62)
        again = self._asked.get((terminal, ident)) if ident else None
        granted = [g for g in self._granted.get(terminal, ()) if g[0] > max(since, last) and g[0] != again]
        return (*(s for s in seen if s[0] > since), *granted)

    def _grant(self, terminal: str, request: Request, now: int) -> None:
        """Remember an amount that may be paid now, once for each id."""
        if not request.amount:
            return
        key = (terminal, request.id)
        if request.id and key in self._asked:
            return
        kept = [g for g in self._granted.get(terminal, ()) if g[0] > now - self._memory.window]
        if len(kept) > _GRANTS:
            half = kept[: _GRANTS // 2]
            kept = [(half[-1][0], sum(amount for _, amount in half)), *kept[_GRANTS // 2 :]]
        at = max(now, kept[-1][0] + 1) if kept else now
        self._granted[terminal] = [*kept, (at, request.amount)]
        if request.id:
            self._asked[key] = at
            if len(self._asked) > _ASKED:
                self._asked.popitem(last=False)

    def _log(self, answer: Answer, request: Request, peer: str) -> None:
        """One line of JSON for the record."""
        told: dict[str, Any] = {"interlock": answer, "amount": request.amount, "currency": request.currency}
        try:
            self._note(msgspec.json.encode({**told, "channel": request.channel, "peer": peer}))
        except (OSError, RuntimeError):
            self._counts["unlogged"] += 1
