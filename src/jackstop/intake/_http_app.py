"""The HTTP intake as an ASGI application: who may send, what a path means, and replies in the sender's own dialect."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from jackstop import formats
from jackstop.intake import Full, Gate, Place
from jackstop.intake import _http_bulk as elastic
from jackstop.intake import _http_hec as splunk
from jackstop.intake._feeds import Feeds, Unknown, known
from jackstop.intake._http_batch import batch
from jackstop.intake._http_body import Gone, Limits, Receive, read, unpacked
from jackstop.intake._http_bulk import Documents
from jackstop.intake._http_taking import Taking
from jackstop.intake._http_tokens import Tokens, presented
from jackstop.intake._http_words import Budget, Refusal, Reply, Request, answer, parameters
from jackstop.intake._text import TooLong, headed, pieces, pieces_of_any, unfolded, whole
from jackstop.model.service import Feed

LONGEST_KEY = 200
"""Characters of an idempotency key at most."""

_LOGS, _FEEDS, _BATCHES = "/v1/logs/", "/v1/feeds/", "/v1/batches/"
_DECLARED = TypeAdapter(list[Feed])

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Bodies(Documents):
    """Keys of what may be sent.

    Attributes:
        size: bytes of one body at most, as sent and unpacked. ratio: how many times larger it may become by unpacking.
        waiting: bytes of all bodies in memory at once. sources: feeds of `?source=` at most; 0 takes none.
        declare: whether senders may say how their sources are read (`POST /v1/feeds/NAME`); for labs and replays.
        elasticsearch: the version `GET /` tells; shippers want one at least as new as themselves.
    """

    size: int = Field(default=16 << 20, ge=1024, le=256 << 20)
    ratio: int = Field(default=200, ge=2)
    waiting: int = Field(default=128 << 20, ge=1 << 20)
    sources: int = Field(default=1000, ge=0)
    declare: bool = False
    elasticsearch: str = "8.19.0"

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.waiting < 2 * self.size:
            raise ValueError(f"waiting is {self.waiting}, expected at least twice size ({self.size}): a body packed and unpacked")
        return self


class App:
    """The application. One intake, one listener.

    Args:
        config, gate, place: of the intake. clock: seconds that never go back.
    """

    def __init__(self, config: Bodies, gate: Gate, place: Place, clock: Callable[[], float]) -> None:
        self._config, self._place = config, place
        self.feeds = Feeds(config, place, config.sources, per_terminal=config.per_terminal, declared=config.declare)
        self._taking = Taking(gate)
        self._tokens = Tokens(place.verify, config.name, clock)
        self._limits = Limits(config.size, config.ratio)
        self._budget = Budget(config.waiting)
        self._bytes = self._requests = self._refused = 0

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3, `http` only)."""
        if scope["type"] != "http":
            return
        try:
            reply = await self._reply(scope, receive)
        except Gone:
            return
        self._requests += 1
        self._refused += reply.status >= 400
        headers = [*reply.headers, (b"content-length", str(len(reply.body)).encode())]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    def facts(self) -> dict[str, int]:
        """Counts for the intake's health: requests, those refused, bytes taken in bodies, bytes in memory now."""
        return {"requests": self._requests, "refused": self._refused, "bytes": self._bytes, "waiting": self._budget.used}

    async def _reply(self, scope: Mapping[str, Any], receive: Receive) -> Reply:
        """The reply in the dialect of the path."""
        path: str = scope["path"]
        bulk, hec = path.endswith("_bulk"), path.startswith(splunk.PREFIX)
        try:
            if hec and path.removeprefix(splunk.PREFIX).strip("/").removesuffix("/1.0") == "health":
                return splunk.healthy()
            return await self._answered(scope, receive, path)
        except splunk.Refused as fault:
            return splunk.refused(fault)
        except Refusal as fault:
            refusal = fault
        except Full as full:
            refusal = elastic.busy(full)
        except OSError as fault:
            self._place.tell("fault", f"{type(fault).__name__}: {fault.strerror}")
            refusal = Refusal(503, "nothing can be kept now, expected to be tried again", 5.0)
        if hec:
            return splunk.refusal(refusal)
        if bulk or not path.startswith("/v1/"):
            return elastic.refused(refusal)
        return Reply(refusal.status, answer({"error": refusal.text, **refusal.extra}).body, refusal.headers())

    async def _answered(self, scope: Mapping[str, Any], receive: Receive, path: str) -> Reply:
        headers = dict(scope["headers"])
        query = parameters(scope["query_string"])
        peer = scope["client"][0] if scope["client"] else ""
        request = Request(scope["method"], path, query, headers, peer=peer)
        name = await self._who(request)
        held = self._budget.hold()
        try:
            sent = await read(receive, headers.get(b"content-length", b""), self._limits, held)
            body = await unpacked(sent, request.header(b"content-encoding"), self._limits, held)
            self._bytes += len(body)
            return await self._act(Request(request.method, path, query, headers, body, f"{peer} {name}"))
        finally:
            held.free()

    async def _who(self, request: Request) -> str:
        """The name of the sender's token."""
        header = request.header(b"authorization")
        if not header:
            raise Refusal(401, "no token, expected Authorization with Bearer, Splunk, ApiKey or Basic")
        token = presented(header)
        if token is None:
            if request.path.startswith(splunk.PREFIX):
                raise splunk.Refused(splunk.MALFORMED)
            raise Refusal(401, "no token can be read, expected Authorization with Bearer, Splunk, ApiKey or Basic")
        name = await self._tokens.name(token)
        if name is None:
            raise Refusal(403, f"the token is not good for intake {self._config.name}, expected one with its scope")
        return name

    async def _act(self, request: Request) -> Reply:
        """What the path and method mean."""
        path, method = request.path, request.method
        if path.startswith(splunk.PREFIX):
            if method != "POST":
                raise splunk.Refused(splunk.NOT_FOUND)
            return await splunk.hec(request, self._config, self.feeds, self._taking)
        if path == _LOGS + self._config.name:
            return await self._logs(_post(request))
        if path == _FEEDS + self._config.name and self._config.declare:
            return await self._declare(_post(request))
        if path == _BATCHES + self._config.name and self._config.declare:
            return await batch(_post(request), self.feeds, self._taking)
        if path == "/_bulk" or (path.endswith("/_bulk") and path.count("/") == 2):
            if method not in {"POST", "PUT"}:
                raise Refusal(405, f"method {method}, expected POST")
            return await elastic.bulk(request, self._config, self.feeds, self._taking)
        if (said := elastic.greeting(path, self._config.elasticsearch)) is not None:
            return said if method in {"GET", "HEAD"} else answer({"acknowledged": True})
        raise Refusal(404, f"no such path, expected {_LOGS}{self._config.name}, /_bulk or {splunk.PREFIX}")

    async def _logs(self, request: Request) -> Reply:
        """`POST /v1/logs/NAME`: lines, or bytes of the format."""
        if not request.body:
            raise Refusal(400, "an empty body, expected log lines")
        try:
            feed = self.feeds.of(request.terminal, request.source)
            if "offset" in request.query:
                return await self._at_offset(feed, request)
            data = request.body
            if self._config.lines and b"json" in request.headers.get(b"content-type", b""):
                data = unfolded(data)
            if not data:
                return answer({"bytes": 0, "again": False})
            cut = [headed(self._config, p) for p in pieces(whole(self._config, data), lines=self._config.lines)]
        except (Unknown, TooLong) as fault:
            raise Refusal(413 if isinstance(fault, TooLong) else 400, str(fault)) from None
        except ValueError as fault:
            raise Refusal(400, f"the body is not JSON ({str(fault)[:80]}), expected an array of documents") from None
        return await self._kept(feed, cut, request)

    async def _kept(self, feed: Feed, cut: list[bytes], request: Request) -> Reply:
        """Take pieces of one feed, once for each key."""
        key = request.header(b"idempotency-key")
        if len(key) > LONGEST_KEY:
            raise Refusal(400, f"a key of {len(key)} characters, expected {LONGEST_KEY} at most")

        async def work(mark: bytes) -> None:
            await self._taking.pieces(feed, cut, request.peer, request.body, mark)

        again = False
        if key:
            again = await self._taking.once(feed, key, work)
        else:
            await work(b"")
        return answer({"bytes": 0 if again else sum(map(len, cut)), "again": again})

    async def _at_offset(self, feed: Feed, request: Request) -> Reply:
        """Take bytes that stand at an offset of their source; nothing is added to them."""
        told = request.query["offset"]
        if request.source is None or not told.isdecimal() or len(told) > 18:
            raise Refusal(400, f"offset {told[:40]!r}, expected a number of bytes, and a source")
        return answer({"offset": await self._taking.at(feed, int(told), pieces_of_any(request.body), request.peer)})

    async def _declare(self, request: Request) -> Reply:
        """`POST /v1/feeds/NAME`: how sources are read from here on; the reply tells how many bytes of each are taken."""
        try:
            feeds = _DECLARED.validate_json(request.body)
        except ValidationError as fault:
            first = fault.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(p) for p in first["loc"]) or "body"
            raise Refusal(400, f"{where}: {first['msg']}, expected an array of feed declarations") from None
        for feed in feeds:
            if feed.format not in formats.names():
                raise Refusal(400, f"format {feed.format[:40]!r} is unknown, expected one of: {', '.join(formats.names())}")
            try:
                self.feeds.declare(feed)
            except Unknown as fault:
                raise Refusal(400, str(fault)) from None
        await known(self._taking.gate, feeds)
        return answer({"offsets": {f.name: self._taking.offset(f) for f in feeds}})


def _post(request: Request) -> Request:
    if request.method != "POST":
        raise Refusal(405, f"method {request.method}, expected POST")
    return request
