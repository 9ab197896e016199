"""Elasticsearch's bulk requests, as Winlogbeat, Filebeat, Vector, Fluent Bit and Logstash send them, and what they ask before.

    {"create":{"_index":"winlogbeat-8.19.0"}}
    {"@timestamp":"2026-03-01T02:11:07.120Z","event":{"code":"6005"},"winlog":{…}}

Source: Elasticsearch reference, "Bulk API" (NDJSON of action and document, an answer's item for each with a status of its own:
a shipper sends those with 429 again and gives up those with 400) and "Root API". `index` and `create` are taken; each document
becomes a line as it came. Where none is taken the whole request is answered with 429, as Elasticsearch does when it is busy.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import orjson

from jackstop.intake import Full
from jackstop.intake._feeds import Feeds, Unknown
from jackstop.intake._http_taking import Share, Taking
from jackstop.intake._http_words import JSON, Headers, Refusal, Reply, Request, breathe
from jackstop.intake._text import PIECE, Lined, headed
from jackstop.model.service import Feed

LONGEST = 1 << 20
"""Bytes of one document at most: what a reader takes for a record."""

MOST = 100_000
"""Documents of one request at most."""

_PRODUCT = (b"x-elastic-product", b"Elasticsearch")
_HEADERS: Headers = (JSON, _PRODUCT)
_BUSY, _BAD = 429, 400


class _Place(msgspec.Struct):
    index: str | None = msgspec.field(name="_index", default=None)
    id: str | int | None = msgspec.field(name="_id", default=None)


class _Action(msgspec.Struct):
    create: _Place | None = None
    index: _Place | None = None
    update: _Place | None = None
    delete: _Place | None = None


_ACTIONS = msgspec.json.Decoder(_Action)
_ANY = msgspec.json.Decoder(msgspec.Raw)


class Documents(Lined):
    """Keys for documents that carry a line of a log in one of their members.

    Attributes:
        member: the member that is the line (`message` of Filebeat and Vector, `log` of Fluent Bit; dots lead into objects);
            without it the whole document is. host: the member that names the machine, where feeds are `per_terminal`.
        per_terminal: a feed of each terminal; senders name it in `?terminal=`, in `host` of HEC, or in the member `host`.
    """

    member: str | None = None
    host: str = "host.name"
    per_terminal: bool = False


@dataclass(slots=True)
class Item:
    """One document of a request: its action, the reason it is not taken for good, and which piece of which share it is in."""

    verb: str
    index: str | None
    id: str | None
    bad: str = ""
    share: int = -1
    piece: int = -1


class _Parcel(NamedTuple):
    feed: Feed
    pieces: list[list[bytes]]


@dataclass(slots=True)
class Bulk:
    """A request sorted: its items in order, and the lines of each feed in pieces."""

    items: list[Item] = field(default_factory=list)
    parcels: list[_Parcel] = field(default_factory=list)
    bad: list[tuple[Item, bytes]] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)
    _sizes: list[int] = field(default_factory=list)

    def put(self, item: Item, feed: Feed, line: bytes) -> None:
        """A line into the last piece of its feed, or a new one where that is full."""
        place = self._places.get(feed.name)
        if place is None:
            place = self._places[feed.name] = len(self.parcels)
            self.parcels.append(_Parcel(feed, [[]]))
            self._sizes.append(0)
        pieces = self.parcels[place].pieces
        if self._sizes[place] + len(line) > PIECE:
            pieces.append([])
            self._sizes[place] = 0
        pieces[-1].append(line)
        self._sizes[place] += len(line)
        item.share, item.piece = place, len(pieces) - 1

    def refuse(self, item: Item, document: bytes, reason: str) -> None:
        """A document that will never be taken."""
        item.bad = reason
        if document:
            self.bad.append((item, document))


async def bulk(request: Request, config: Documents, feeds: Feeds, taking: Taking) -> Reply:
    """Take a bulk request and answer it.

    Raises:
        Refusal: it is no bulk request, or nothing of it could be taken now.
    """
    sorted_ = await sort(request, config, feeds)
    shares = [Share(p.feed, [headed(config, b"".join(lines)) for lines in p.pieces]) for p in sorted_.parcels]
    await taking.shares(shares, request.peer, request.body)
    fulls = [s.full for s in shares if s.full is not None]
    if fulls and not any(s.taken for s in shares):
        raise busy(fulls[0])
    for n, (item, document) in enumerate(sorted_.bad):
        try:
            await taking.gate.refuse(feeds.own, document, item.bad, peer=request.peer)
        except Full:
            for left, _ in sorted_.bad[n:]:
                left.bad = ""
            break
    return await _answer(sorted_.items, shares, brief="filter_path" in request.query)


def busy(full: Full) -> Refusal:
    """The refusal of what the gate does not take now."""
    exactly = {"retry_ms": round(1000 * full.retry_after)}
    return Refusal(_BUSY, f"not taken: {full.reason}, expected to be tried again", full.retry_after, exactly)


async def sort(request: Request, config: Documents, feeds: Feeds) -> Bulk:
    """The documents of a request, sorted to their feeds.

    Raises:
        Refusal: an action line is none, a document is missing, or there are too many.
    """
    found, named = Bulk(), request.terminal
    for item, document in _pairs(request.body):
        await breathe(len(found.items))
        found.items.append(item)
        if len(found.items) > MOST:
            raise Refusal(413, f"more than {MOST} documents, expected fewer")
        if item.verb in {"update", "delete"}:
            found.refuse(item, document, f"action {item.verb}, expected create or index")
            continue
        try:
            line, host = spoken(document, config)
            feed = feeds.of(named or host)
        except Unknown as fault:
            found.refuse(item, document, str(fault))
            continue
        found.put(item, feed, line)
    if not found.items:
        raise Refusal(400, "no documents, expected NDJSON of actions and documents")
    return found


def _pairs(body: bytes) -> Iterator[tuple[Item, bytes]]:
    """Actions and their documents."""
    lines = iter(body.split(b"\n"))
    number, known = 0, (b"", Item("", None, None))
    for line in lines:
        number += 1
        if not line.strip():
            continue
        if line != known[0]:
            known = (line, _action(line, number))
        head = known[1]
        item = Item(head.verb, head.index, head.id)
        document = b"" if head.verb == "delete" else next(lines, b"")
        number += head.verb != "delete"
        if head.verb != "delete" and not document.strip():
            raise Refusal(400, f"no document after the action in line {number - 1}, expected one")
        yield item, document


def _action(line: bytes, number: int) -> Item:
    try:
        action = _ACTIONS.decode(line)
    except (ValueError, RecursionError):
        raise Refusal(400, f"line {number} is no action, expected an object with create or index") from None
    for verb in ("create", "index", "update", "delete"):
        place: _Place | None = getattr(action, verb)
        if place is not None:
            return Item(verb, place.index, None if place.id is None else str(place.id))
    raise Refusal(400, f"line {number} is no action, expected an object with create or index")


def spoken(document: bytes, config: Documents) -> tuple[bytes, str | None]:
    """The line a document is or carries (with its line feed), and the machine it names where that is asked.

    Raises:
        Unknown: it is not JSON, too long, or has not the member that is asked.
    """
    if len(document) > LONGEST:
        raise Unknown(f"a document of {len(document)} bytes, expected {LONGEST} at most")
    try:
        if config.member is None and not config.per_terminal:
            _ANY.decode(document)
            return document + b"\n", None
        told = orjson.loads(document)
    except (ValueError, RecursionError):
        raise Unknown("the document is not JSON, expected one object in one line") from None
    line = document if config.member is None else _member(told, config.member)
    if not isinstance(line, str | bytes) or not line:
        raise Unknown(f"the document has no text in {config.member!r}, expected the line of a log")
    data = line if isinstance(line, bytes) else line.encode()
    host = _member(told, config.host) if config.per_terminal else None
    return (data if data.endswith(b"\n") else data + b"\n"), host if isinstance(host, str) else None


def _member(told: Any, path: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """What stands at a path of names; a name with dots in it is found as well."""
    if isinstance(told, dict) and path in told:
        return told[path]
    for name in path.split("."):
        told = told.get(name) if isinstance(told, dict) else None
    return told


async def _answer(items: list[Item], shares: list[Share], *, brief: bool) -> Reply:
    """The answer: an item for each document, in order."""
    told, errors = [], False
    for n, item in enumerate(items):
        await breathe(n)
        taken = item.share >= 0 and item.piece < shares[item.share].taken
        if taken:
            told.append(f'{{"{item.verb}":{{"status":201}}}}' if brief else _created(item, n))
            continue
        errors = True
        told.append(_item(item, n, _BAD if item.bad else _BUSY))
    said = f'{{"took":1,"errors":{"true" if errors else "false"},"items":[{",".join(told)}]}}'
    return Reply(200, said.encode("utf-8", "replace"), _HEADERS)


def _created(item: Item, number: int) -> str:
    name = f'"{number}"' if item.id is None else _quoted(item.id)
    place = f'"_index":{_quoted(item.index or "jackstop")},"_id":{name}'
    return f'{{"{item.verb}":{{{place},"_version":1,"result":"created","_seq_no":{number},"_primary_term":1,"status":201}}}}'


@lru_cache(256)
def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def _item(item: Item, number: int, status: int) -> str:
    kind = "mapper_parsing_exception" if status == _BAD else "es_rejected_execution_exception"
    error = {"type": kind, "reason": item.bad or "not taken now, expected to be tried again"}
    place = {"_index": item.index or "jackstop", "_id": item.id or str(number)}
    return orjson.dumps({item.verb: {**place, "error": error, "status": status}}).decode()


def greeting(path: str, version: str) -> Reply | None:
    """What shippers ask before they send, answered as by an Elasticsearch that has all its templates; None for other paths."""
    said: dict[str, Any] | None = None
    match path.strip("/").split("/")[0]:
        case "":
            said = {
                "name": "jackstop",
                "cluster_name": "jackstop",
                "cluster_uuid": "jackstop-intake-0000000",
                "version": _versions(version),
            }
            said["tagline"] = "You Know, for Search"
        case "_license":
            said = {"license": {"status": "active", "uid": "jackstop", "type": "basic", "mode": "basic"}}
        case "_xpack":
            said = {"features": {}, "license": {"type": "basic", "mode": "basic", "status": "active"}}
        case "_cluster":
            said = {"cluster_name": "jackstop", "status": "green", "timed_out": False, "number_of_nodes": 1}
        case "_nodes":
            said = {"cluster_name": "jackstop", "nodes": {}}
        case "_ilm" | "_index_template" | "_component_template" | "_template" | "_data_stream" | "_ingest" | "_alias":
            said = {}
    return None if said is None else Reply(200, orjson.dumps(said), _HEADERS)


def _versions(version: str) -> dict[str, str]:
    return {
        "number": version,
        "build_flavor": "default",
        "minimum_wire_compatibility_version": "7.17.0",
        "minimum_index_compatibility_version": "7.0.0",
    }


def refused(refusal: Refusal) -> Reply:
    """A refusal in Elasticsearch's words."""
    kind = (
        "es_rejected_execution_exception"
        if refusal.status == _BUSY
        else "security_exception"
        if refusal.status in {401, 403}
        else "parse_exception"
    )
    said = {"error": {"type": kind, "reason": refusal.text}, "status": refusal.status}
    return Reply(refusal.status, orjson.dumps(said), (*refusal.headers(), _PRODUCT))
