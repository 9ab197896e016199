"""NDC: the terminal command "go out of service" or "go in service" for a LUNO, handed to a gateway of the bank's host.

`1␜LUNO␜␜2` or `1␜LUNO␜␜1` behind a 2-byte big-endian length, over TCP or TLS. The gateway passes it to the terminal; jackstop
never speaks to a terminal, and builds no other message: the codes below are all there are. Source: formats.md §3.1;
ut-codec-ndc, messages `goInService` and `goOutOfService` (class, LUNO, sequence, code).

```toml
[[action]]
way = "ndc"
name = "gateway"
does = ["out-of-service", "in-service"]
gateway = "ndc-gateway.example.com:6001"
tls = { ca = "keys/host-ca.pem" }
confirm = "fact"
```
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Literal

from pydantic import field_validator, model_validator

from jackstop.actions import Common, Order, Outcome, Place, Unsent
from jackstop.actions._wire import context
from jackstop.formats._ndc_messages import FS, split
from jackstop.formats._ndc_status import solicited
from jackstop.formats._reading import Unreadable
from jackstop.model.fleet import microseconds
from jackstop.wire.trust import Trust, words

CODES: Mapping[str, str] = MappingProxyType({"in-service": "1", "out-of-service": "2"})
"""Every order there is, with its command code."""

_LUNO = re.compile(r"[0-9A-Za-z]{1,16}")
_GATEWAY = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([1-9]\d{0,4})")
_FRAMES = 50
"""Messages looked through for the terminal's answer."""


class Config(Common):
    """Keys of the way `ndc`.

    Attributes:
        gateway: HOST:PORT of the host's gateway. tls: how it is believed; absent: plain TCP. answer: wait for the terminal's
            answer on the same connection (`22`, ready or reject).
    """

    way: Literal["ndc"]
    does: tuple[Literal["out-of-service", "in-service"], ...]
    confirm: Literal["answer", "fact", "line", "callback"] = "fact"
    gateway: str
    tls: Trust | None = None
    answer: bool = False

    @field_validator("gateway")
    @classmethod
    def _address(cls, text: str) -> str:
        found = _GATEWAY.fullmatch(text)
        if found is None or int(found[2]) > 65535:
            raise ValueError(f"{text!r} is no gateway, expected HOST:PORT")
        return text

    @model_validator(mode="after")
    def _heard(self) -> "Config":
        if self.confirm == "answer" and not self.answer:
            raise ValueError("confirm is 'answer', expected answer = true: else nobody listens")
        return self


def message(kind: str, luno: str) -> bytes:
    """The framed command; the only messages this package builds.

    Raises:
        Unsent: another kind than the two, or a LUNO that is none.
    """
    code = CODES.get(kind)
    if code is None:
        raise Unsent(f"{kind!r} is no order for a terminal, expected one of: {', '.join(CODES)}", final=True)
    if not _LUNO.fullmatch(luno):
        raise Unsent(f"LUNO is {luno!r:.40}, expected 1 to 16 letters and digits", final=True)
    said = FS.join(("1", luno, "", code)).encode("ascii")
    return len(said).to_bytes(2, "big") + said


async def send(config: Config, order: Order, place: Place) -> Outcome:
    """Hand the command to the gateway.

    Raises:
        Unsent: the terminal has no LUNO, the gateway cannot be reached, or the terminal rejects the command.
    """
    luno = order.terminal.luno if order.terminal else None
    if not luno:
        raise Unsent("the terminal has no luno in fleet.toml, expected one", final=True)
    framed = message(order.kind, luno)
    host, _, port = config.gateway.rpartition(":")
    host = host.strip("[]")
    _no_terminal(host, place)
    tls = context(config.tls, place.root) if config.tls is not None else None
    begun = False
    try:
        async with asyncio.timeout(microseconds(config.timeout) / 1e6):
            reader, writer = await asyncio.open_connection(host, int(port), ssl=tls, limit=1 << 16)
            try:
                begun = True
                writer.write(framed)
                await writer.drain()
                said = await _answer(reader, luno) if config.answer else ""
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, EOFError) as fault:
        raise Unsent(f"gateway {config.gateway}: {words(fault)}, expected it to take the command", unsure=begun) from None
    return Outcome(f"gateway {config.gateway} took {order.kind} for LUNO {luno}{said}", done=config.confirm == "answer")


def _no_terminal(host: str, place: Place) -> None:
    """Nothing, where a host is none of the fleet's own.

    Raises:
        Unsent: it is a terminal.
    """
    names = {t.hostname.partition(".")[0].lower() for t in place.fleet.terminal if t.hostname}
    if host.partition(".")[0].lower() in names:
        raise Unsent(f"gateway {host} is a terminal of the fleet, expected a gateway of the host", final=True)


async def _answer(reader: asyncio.StreamReader, luno: str) -> str:
    """What the terminal says to the command.

    Raises:
        Unsent: it rejects it, or nothing of it comes. EOFError, OSError: the connection ends.
    """
    for _ in range(_FRAMES):
        length = int.from_bytes(await reader.readexactly(2), "big")
        text = (await reader.readexactly(length)).decode("latin-1")
        try:
            told = split(text)
            if told.kind != "22" or told.luno != luno:
                continue
            state = solicited(told)
        except Unreadable:
            continue
        if state.descriptor in "9B":
            return ", which is ready"
        if state.descriptor in "8AC":
            raise Unsent(f"LUNO {luno} rejects the command ({state.descriptor} {state.field(0)[:20]!r})", final=True)
    raise Unsent(f"LUNO {luno} says nothing to the command in {_FRAMES} messages", unsure=True)
