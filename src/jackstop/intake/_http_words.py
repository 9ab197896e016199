"""What is said over HTTP: requests as the intake sees them, replies, and refusals with their status."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qsl

import orjson

Headers = tuple[tuple[bytes, bytes], ...]
_BREATH = 200
JSON = (b"content-type", b"application/json")


class Reply(NamedTuple):
    """A reply: status, body, and headers besides length."""

    status: int
    body: bytes
    headers: Headers = (JSON,)


class Refusal(Exception):
    """The request is refused.

    Attributes:
        status: HTTP status. text: what, and what was expected. retry_after: seconds after which it may be tried again.
        extra: further members of the reply's body.
    """

    def __init__(self, status: int, text: str, retry_after: float | None = None, extra: Mapping[str, int] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.retry_after = status, text, retry_after
        self.extra: Mapping[str, int] = extra or {}

    def headers(self) -> Headers:
        """Those that belong to its status (RFC 9110 §11.6.1, §10.2.3)."""
        found: Headers = (JSON,)
        if self.status == 401:
            found += ((b"www-authenticate", b'Bearer realm="jackstop", Basic realm="jackstop"'),)
        if self.retry_after is not None:
            found += ((b"retry-after", str(max(1, round(self.retry_after))).encode()),)
        return found


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose body is read and unpacked.

    Attributes:
        method, path: as sent. query: parameters, the last of a name. headers: by lower-case name, the last of a name.
        body: unpacked. peer: the sender's address, and the name its token stands for once that is known.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    body: bytes = b""
    peer: str = ""

    def header(self, name: bytes) -> str:
        """A header's text; empty for none."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def terminal(self) -> str | None:
        """The terminal it names, if it does."""
        return self.query.get("terminal") or None

    @property
    def source(self) -> str | None:
        """The source it names (parameter `source`, or header `X-Source`), if it does."""
        return self.query.get("source") or self.headers.get(b"x-source", b"").decode("utf-8", "replace") or None


def parameters(query: bytes) -> dict[str, str]:
    """The parameters of a query string, the last of each name.

    Raises:
        Refusal: there are too many.
    """
    if not query:
        return {}
    try:
        return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=32))
    except ValueError:
        raise Refusal(400, "more than 32 parameters, expected fewer") from None


async def breathe(number: int) -> None:
    """Let others run, every so many steps of long work: one large request must not hold up what else the process does."""
    if number % _BREATH == _BREATH - 1:
        await asyncio.sleep(0)


def answer(value: object, status: int = 200) -> Reply:
    """A reply in JSON."""
    return Reply(status, orjson.dumps(value))


@dataclass(slots=True)
class Budget:
    """Bytes of bodies that may be in memory at once, over all requests."""

    most: int
    used: int = 0

    def hold(self) -> "Held":
        """A share of it that grows, to be given back with `free`."""
        return Held(self)


@dataclass(slots=True)
class Held:
    """What one request holds of the budget."""

    budget: Budget
    bytes: int = field(default=0)

    def add(self, size: int) -> None:
        """Hold so many bytes more.

        Raises:
            Refusal: that would be too many at once.
        """
        if self.budget.used + size > self.budget.most:
            raise Refusal(429, "too many bytes are being taken at once, expected to be tried again", 1.0)
        self.budget.used += size
        self.bytes += size

    def free(self) -> None:
        """Give all of it back."""
        self.budget.used -= self.bytes
        self.bytes = 0
