"""Bytes of many declared sources in one request: what `jackstop send` plays.

    {"source":"logs/ATM-0001/x.nwlog","offset":0,"length":11}
    hello world{"source":"logs/host.csv","offset":120,"length":3}
    abc

Each part is a line of JSON and then so many bytes. A part is taken from where its source stands: bytes that were taken before are
passed over, so a request may come again as often as it takes.
"""

import asyncio
from collections.abc import Iterator
from typing import Annotated, NamedTuple

import msgspec

from jackstop.intake import Full
from jackstop.intake._feeds import Feeds, Unknown
from jackstop.intake._http_taking import Taking
from jackstop.intake._http_words import Refusal, Reply, Request, answer
from jackstop.intake._text import pieces_of_any
from jackstop.model.service import Feed

MOST = 20_000
"""Parts of one request at most."""

_LINE = 4096


class Part(msgspec.Struct, forbid_unknown_fields=True):
    """What stands before the bytes of one part."""

    source: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    offset: Annotated[int, msgspec.Meta(ge=0, le=2**60)]
    length: Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class _Owed(NamedTuple):
    feed: Feed
    offset: int
    data: bytes


_PARTS = msgspec.json.Decoder(Part)


def parts(body: bytes) -> Iterator[tuple[Part, bytes]]:
    """The parts of a request.

    Raises:
        Refusal: one is no part, or its bytes are missing.
    """
    at = 0
    while at < len(body):
        end = body.find(b"\n", at, at + _LINE)
        try:
            part = _PARTS.decode(body[at:end]) if end >= 0 else None
        except (ValueError, RecursionError):
            part = None
        if part is None:
            raise Refusal(400, f"no part begins at byte {at}, expected a line with source, offset and length")
        data = body[end + 1 : end + 1 + part.length]
        if len(data) < part.length:
            raise Refusal(400, f"the part at byte {at} has {len(data)} bytes, expected {part.length}")
        yield part, data
        at = end + 1 + part.length


async def batch(request: Request, feeds: Feeds, taking: Taking) -> Reply:
    """Take a request of many sources; the reply tells where each stands.

    Raises:
        Refusal: a part is none, a source is not declared, or bytes are missing before a part. Full: some were not taken.
    """
    owed: dict[str, list[_Owed]] = {}
    for n, (part, data) in enumerate(parts(request.body)):
        if n >= MOST:
            raise Refusal(413, f"more than {MOST} parts, expected fewer")
        try:
            feed = feeds.of(None, part.source)
        except Unknown as fault:
            raise Refusal(404, str(fault)) from None
        owed.setdefault(part.source, []).append(_Owed(feed, part.offset, data))

    async def one(parts: list[_Owed]) -> int:
        reached = 0
        for p in parts:
            reached = await taking.at(p.feed, p.offset, pieces_of_any(p.data), request.peer)
        return reached

    ended = await asyncio.gather(*(one(p) for p in owed.values()), return_exceptions=True)
    faults = [e for e in ended if isinstance(e, BaseException)]
    if faults:
        raise min(faults, key=lambda f: (isinstance(f, Full), isinstance(f, Refusal)))
    return answer({"offsets": dict(zip(owed, ended, strict=True))})
