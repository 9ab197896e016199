"""Splunk's HTTP Event Collector, as Vector, Fluent Bit, Fluentd and the universal loggers speak it, without acknowledgement ids.

    {"time":1772330000.1,"host":"ATM0001","event":"02:11:07 CASH TAKEN"}{"host":"ATM0001","event":{"@timestamp":"…"}}

Source: Splunk documentation, "Format events for HTTP Event Collector" and "Troubleshoot HTTP Event Collector" (codes). Events
stand one after the other, with or without white space between. `event` becomes a line: a string as its text, anything else as
the JSON it is. A request is taken whole or not at all, but for one to several terminals' feeds, of which some may be busy: it
is then finished when it comes again. Busy is code 9 with status 503, for shippers give up what they are refused with 4xx.
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
import orjson

from jackstop.intake import Full
from jackstop.intake._feeds import Feeds, Unknown
from jackstop.intake._http_bulk import Documents
from jackstop.intake._http_taking import Share, Taking
from jackstop.intake._http_words import Refusal, Reply, Request, answer, breathe
from jackstop.intake._text import TooLong, headed, pieces, whole
from jackstop.model.service import Feed

MOST = 100_000
"""Events of one request at most."""

LONGEST = 1 << 20
"""Bytes of one event at most: what a reader takes for a record."""

PREFIX = "/services/collector"

_OK = answer({"text": "Success", "code": 0})
_HEALTHY = answer({"text": "HEC is healthy", "code": 17})
_SPACE = re.compile(r"[ \t\r\n]*")


class Hec(NamedTuple):
    """A code of HEC, with its text and HTTP status."""

    code: int
    text: str
    status: int


REQUIRED, MALFORMED, INVALID = (
    Hec(2, "Token is required", 401),
    Hec(3, "Invalid authorization", 401),
    Hec(4, "Invalid token", 403),
)
NO_DATA, FORMAT, INDEX = Hec(5, "No data", 400), Hec(6, "Invalid data format", 400), Hec(7, "Incorrect index", 400)
INTERNAL, BUSY = Hec(8, "Internal server error", 500), Hec(9, "Server is busy", 503)
NO_EVENT, BLANK, ACK = (
    Hec(12, "Event field is required", 400),
    Hec(13, "Event field cannot be blank", 400),
    Hec(14, "ACK is disabled", 400),
)
NOT_FOUND = Hec(404, "The requested URL was not found on this server.", 404)


class Refused(Exception):
    """A request that HEC refuses; `number`: of the event that is wrong."""

    def __init__(self, hec: Hec, number: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(hec.text)
        self.hec, self.number, self.retry_after = hec, number, retry_after


class Event(msgspec.Struct):
    """The members of an event that are looked at."""

    event: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    host: str | None = None


_EVENTS = msgspec.json.Decoder(Event)
_SCAN = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def healthy() -> Reply:
    """The answer to `/services/collector/health`."""
    return _HEALTHY


async def hec(request: Request, config: Documents, feeds: Feeds, taking: Taking) -> Reply:
    """Take what came to `/services/collector/…` and answer it.

    Raises:
        Refused: it is not taken, and why.
    """
    match request.path.removeprefix(PREFIX).strip("/").removesuffix("/1.0"):
        case "" | "event":
            sort = _events
        case "raw":
            sort = _raw
        case "ack":
            raise Refused(ACK)
        case _:
            raise Refused(NOT_FOUND)
    if not request.body.strip():
        raise Refused(NO_DATA)
    shares = await _sorted(sort, request, config, feeds, taking)
    await taking.shares(shares, request.peer, request.body)
    full = next((s.full for s in shares if s.full is not None), None)
    if full is not None:
        raise busy(full)
    return _OK


def busy(full: Full) -> Refused:
    """The refusal of what the gate does not take now."""
    return Refused(BUSY, retry_after=full.retry_after)


Sort = Callable[[Request, Documents, Feeds], Awaitable[list[tuple[Feed, bytes]]]]


async def _sorted(sort: Sort, request: Request, config: Documents, feeds: Feeds, taking: Taking) -> list[Share]:
    """The request's lines by feed; one that cannot be understood is kept as evidence, for its sender will give it up."""
    try:
        lines = await sort(request, config, feeds)
        return [Share(f, [headed(config, p) for p in pieces(d, lines=config.lines)]) for f, d in lines]
    except (Refused, TooLong) as fault:
        try:
            await taking.gate.refuse(feeds.own, request.body, f"HEC: {fault}", peer=request.peer)
        except Full as full:
            raise busy(full) from None
        if isinstance(fault, TooLong):
            raise Refused(FORMAT) from None
        raise


async def _raw(request: Request, config: Documents, feeds: Feeds) -> list[tuple[Feed, bytes]]:
    """`raw`: the body is lines."""
    host = request.query.get("host") if config.per_terminal else None
    return [(_feed(feeds, request.terminal or host, 0), whole(config, request.body))]


async def _events(request: Request, config: Documents, feeds: Feeds) -> list[tuple[Feed, bytes]]:
    """`event`: the lines of the events, by feed."""
    found: dict[str, tuple[Feed, list[bytes]]] = {}
    events = await split(request.body)
    if len(events) > MOST:
        raise Refused(FORMAT, MOST)
    named = request.terminal
    for number, event in enumerate(events):
        await breathe(number)
        host = event.host if config.per_terminal else None
        feed = _feed(feeds, named or host, number)
        found.setdefault(feed.name, (feed, []))[1].append(_line(event.event, number))
    return [(feed, b"".join(lines)) for feed, lines in found.values()]


def _feed(feeds: Feeds, terminal: str | None, number: int) -> Feed:
    """HEC has no word for an unknown machine; `Incorrect index` is the nearest it has for data that belongs nowhere."""
    try:
        return feeds.of(terminal)
    except Unknown:
        raise Refused(INDEX, number) from None


def _line(event: msgspec.Raw | msgspec.UnsetType, number: int) -> bytes:
    """The line of an event, with its line feed."""
    if event is msgspec.UNSET:
        raise Refused(NO_EVENT, number)
    raw = bytes(event)
    if raw.startswith(b'"'):
        try:
            raw = orjson.loads(raw).encode()
        except ValueError:
            raise Refused(FORMAT, number) from None
    elif raw == b"null":
        raise Refused(BLANK, number)
    if not raw.strip():
        raise Refused(BLANK, number)
    if len(raw) > LONGEST:
        raise Refused(FORMAT, number)
    if raw[:1] in b"{[":
        raw = raw.translate(None, b"\r\n")
    return raw if raw.endswith(b"\n") else raw + b"\n"


async def split(body: bytes) -> list[Event]:
    """The events of a body, one after the other with or without white space between, in linear time.

    Raises:
        Refused: they are not JSON, or no events; with the number of the first that is not.
    """
    lines = [line for line in body.split(b"\n") if line.strip()]
    if (events := await _all(lines)) is not None:
        return events
    parts = body.strip().split(b"}{")
    parts = [b"{" * (i > 0) + p + b"}" * (i + 1 < len(parts)) for i, p in enumerate(parts)]
    events = await _all(parts)
    return await _scanned(body) if events is None else events


async def _all(parts: list[bytes]) -> list[Event] | None:
    """The events, if each part is one."""
    found: list[Event] = []
    for number, part in enumerate(parts):
        await breathe(number)
        try:
            found.append(_EVENTS.decode(part))
        except (ValueError, RecursionError):
            return None
    return found


async def _scanned(body: bytes) -> list[Event]:
    """The events, found token by token."""
    found: list[Event] = []
    try:
        text = body.decode("utf-8-sig")
        at = _after(text, 0)
        while at < len(text):
            await breathe(len(found))
            _, end = _SCAN.raw_decode(text, at)
            found.append(_EVENTS.decode(text[at:end]))
            at = _after(text, end)
    except (ValueError, RecursionError):
        raise Refused(FORMAT, len(found)) from None
    return found


def _after(text: str, at: int) -> int:
    """Where the white space from a place ends."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def refused(fault: Refused) -> Reply:
    """A refusal in HEC's words."""
    said: dict[str, str | int] = {"text": fault.hec.text, "code": fault.hec.code}
    if fault.number is not None:
        said["invalid-event-number"] = fault.number
    made = answer(said, fault.hec.status)
    if fault.retry_after is None:
        return made
    return made._replace(headers=Refusal(fault.hec.status, "", fault.retry_after).headers())


def refusal(fault: Refusal) -> Reply:
    """A refusal of the ground floor in HEC's words."""
    known = {401: REQUIRED, 403: INVALID, 429: BUSY, 404: NOT_FOUND, 405: NOT_FOUND, 503: BUSY, 400: FORMAT}
    said = known.get(fault.status, Hec(FORMAT.code, fault.text, fault.status))
    return refused(Refused(said, retry_after=fault.retry_after))
