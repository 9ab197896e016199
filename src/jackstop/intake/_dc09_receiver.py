"""What a receiver does with a SIA DC-09 frame: take it once and acknowledge it, or say why not (ANSI/SIA DC-09-2013 §5.5, §5.6).

ACK: it is on disk. NAK: its time stamp is outside the window; the reply tells the time. DUH: it cannot be processed (unknown
id, no key, sent in the clear though it must be encrypted). A frame that is damaged gets no reply: its panel sends it again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from jackstop.formats import _dc09_frame as dc09
from jackstop.formats._iso_stamp import write
from jackstop.intake._dc09_seal import Unsealed, open_, seal

_REMEMBERED = 65_536
_SECOND = 1_000_000
_STRANGER = "an account that is not known, expected one of the fleet's alarm accounts"


class Answer(NamedTuple):
    """What is sent back (with LF and CR; empty: nothing), and why the frame was refused (empty: it was not)."""

    reply: bytes
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """Whom a receiver believes.

    Attributes:
        keys: AES key by account; `""` is the key of all others. known: accounts, None for any.
        early, late: seconds by which an encrypted frame's stamp may be ahead or behind. repeat: seconds in which a frame that
            comes again is a repeat.
    """

    keys: Mapping[str, bytes]
    known: frozenset[str] | None
    early: float
    late: float
    repeat: float

    def key(self, account: str | None) -> bytes | None:
        """The key of an account, if it has one."""
        return self.keys.get((account or "").upper()) or self.keys.get("")

    def __repr__(self) -> str:
        return "Rules(…)"


Take = Callable[[dc09.Message, bytes, str], Awaitable[None]]
"""Keeps a frame: its fields, its line, and who sent it; ends when it is on disk."""


class Receiver:
    """One receiver, for all panels.

    Args:
        rules: whom it believes. take: keeps a frame. now: µs UTC.
    """

    def __init__(self, rules: Rules, take: Take, now: Callable[[], int]) -> None:
        self._rules, self._take, self._now = rules, take, now
        self._taken: OrderedDict[bytes, int] = OrderedDict()
        self._taking: dict[bytes, asyncio.Future[None]] = {}
        self.repeats = 0

    async def answer(self, text: bytes, peer: str) -> Answer:
        """Deal with a frame whose CRC and length fit."""
        try:
            message = dc09.parse(text)
        except dc09.Broken as fault:
            return Answer(b"", str(fault))
        if message.kind not in dc09.KINDS:
            return Answer(_duh(message), f"id {message.kind}, expected {', '.join(dc09.KINDS)}")
        if message.sealed:
            return await self._sealed(text, message, peer)
        if self._stranger(message.who):
            return Answer(_duh(message), _STRANGER)
        if self._rules.key(message.account) is not None or self._rules.key(message.who) is not None:
            return Answer(_duh(message), "not encrypted, expected what this account's key encrypts")
        await self._once(message, text, peer)
        return Answer(_reply("ACK", message, b"[]"))

    def _stranger(self, account: str | None) -> bool:
        return self._rules.known is not None and (account or "").upper() not in self._rules.known

    async def _sealed(self, text: bytes, outer: dc09.Message, peer: str) -> Answer:
        secret = self._rules.key(outer.account)
        if secret is None:
            return Answer(_duh(outer), "encrypted, expected a key for this account")
        start = text.index(b"[") + 1
        try:
            plain = text[:start] + open_(text[start:], secret)
            message = dc09.parse(plain)
        except (Unsealed, dc09.Broken) as fault:
            return Answer(_duh(outer), str(fault))
        if self._rules.key(message.who) != secret:
            return Answer(_duh(outer), "another account's events, expected those of the account whose key was used")
        if self._stranger(message.who):
            return Answer(_duh(outer), _STRANGER)
        now = self._now()
        if message.stamp is None or not -self._rules.early <= (now - message.stamp) / _SECOND <= self._rules.late:
            return Answer(_nak(now), "a time stamp outside the window, or none, in an encrypted frame")
        await self._once(message, plain, peer)
        sealed = seal(b"]_" + dc09.stamped(_utc(self._now())).encode(), secret)
        return Answer(_reply("*ACK", message, b"[" + sealed))

    async def _once(self, message: dc09.Message, text: bytes, peer: str) -> None:
        """Keep a frame, unless it was kept already or is being kept."""
        now = self._now()
        key = _identity(message)
        if (waiting := self._taking.get(key)) is not None:
            self.repeats += 1
            await asyncio.shield(waiting)
            return
        if now - self._taken.get(key, -(1 << 62)) < self._rules.repeat * _SECOND:
            self.repeats += 1
            return
        self._taking[key] = waiting = asyncio.get_running_loop().create_future()
        try:
            await self._take(message, write(now, 6).encode() + b" " + dc09.framed(text) + b"\n", peer)
            waiting.set_result(None)
        finally:
            del self._taking[key]
            waiting.cancel()
        self._taken[key] = now
        self._taken.move_to_end(key)
        if len(self._taken) > _REMEMBERED:
            self._taken.popitem(last=False)


def _identity(message: dc09.Message) -> bytes:
    """What makes a frame the same sent again: all but its stamp, which may be new."""
    return sha256(repr(message._replace(stamp=None)).encode()).digest()


def _utc(now: int) -> datetime:
    return datetime.fromtimestamp(now // _SECOND, UTC)


def _reply(kind: str, message: dc09.Message, rest: bytes) -> bytes:
    """A reply with the receiver, line and account of the frame, as it said them."""
    receiver = f"R{message.receiver}" if message.receiver is not None else ""
    account = f"#{message.account}" if message.account is not None else ""
    head = f'"{kind}"{message.sequence:04d}{receiver}L{message.line or "0"}{account}'
    return b"\n" + dc09.framed(head.encode() + rest) + b"\r"


def _duh(message: dc09.Message) -> bytes:
    return _reply("DUH", message, b"[]")


def _nak(now: int) -> bytes:
    return b"\n" + dc09.framed(f'"NAK"0000R0L0A0[]_{dc09.stamped(_utc(now))}'.encode()) + b"\r"
