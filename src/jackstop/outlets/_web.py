"""HTTP towards other systems: one client a sink, bounded answers, no redirects to other hosts, faults without secrets."""

import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from pydantic import Field

from jackstop.outlets import Common, Later, Never, Place, Secret
from jackstop.outlets._tls import Tls, context, nobody
from jackstop.wire.trust import words

LARGEST = 4 << 20
"""Most bytes of an answer that are read."""

REFUSED = frozenset({400, 409, 413, 422})
"""Answers that speak of the message; all others that are no success speak of the place, the way in, or the moment."""

_HOPS = 3
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _quiet(record: logging.LogRecord) -> bool:
    """Whether a line of the HTTP library may be logged: those with addresses (they may hold tokens) may not."""
    return record.levelno >= logging.WARNING


logging.getLogger("httpx").addFilter(_quiet)


class Web(Common):
    """Keys of every sink that speaks HTTP.

    Attributes:
        url: where to; may be `env:NAME` or `file:PATH` where the address itself is a secret.
        tls: see `_tls.Tls`. proxy: address of an HTTP proxy; the environment's are not used.
        headers: more headers, values as `url`. timeout: seconds for an answer.
        insecure: whether plain HTTP is allowed to another machine.
    """

    url: str = Field(repr=False)
    tls: Tls = Tls()
    proxy: str | None = Field(default=None, repr=False)
    headers: dict[str, str] = Field(default={}, repr=False)
    timeout: float = Field(default=30.0, gt=0, le=300)
    insecure: bool = False


class Signed(Web):
    """Keys of sinks whose messages are signed. `signing`: where the secret is."""

    signing: Secret | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: status, headers (names in small letters), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def excerpt(self) -> str:
        """The beginning of the body, for people: one line, printable."""
        text = self.body[:400].decode("utf-8", "replace")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


class Client:
    """A client for one sink.

    Raises:
        Later: the address is wrong, or files of TLS cannot be read.
    """

    def __init__(self, config: Web, place: Place) -> None:
        self.base = httpx.URL(checked(place.secret(config.url), insecure=config.insecure))
        self._headers = {name: place.secret(value) for name, value in config.headers.items()}
        self._clock = place.clock
        self._tls_name = config.tls.name
        self._client = httpx.AsyncClient(
            verify=context(config.tls, place.root) if self.base.scheme == "https" else nobody(),
            proxy=place.secret(config.proxy) if config.proxy else None,
            timeout=httpx.Timeout(config.timeout, connect=min(10.0, config.timeout)),
            trust_env=False,
            follow_redirects=False,
        )

    def at(self, path: str) -> httpx.URL:
        """The address of a path below the sink's own; the path is escaped already."""
        return self.base.copy_with(raw_path=self.base.raw_path.partition(b"?")[0].rstrip(b"/") + path.encode("ascii"))

    async def post(
        self, body: bytes, headers: Mapping[str, str], url: httpx.URL | None = None, *, method: str = "POST", taken: int = 0
    ) -> Answer:
        """Send a request and give the answer, whatever its status; redirects of the same host are followed.

        Args:
            body, headers, method: of the request. url: in place of the sink's own.
            taken: messages of the batch that were taken before this request.

        Raises:
            Later: no answer, a redirect to another host, or an answer too long.
        """
        try:
            return await self._post(body, headers, url or self.base, method)
        except Later as fault:
            fault.taken = taken
            raise

    async def _post(self, body: bytes, headers: Mapping[str, str], goal: httpx.URL, method: str) -> Answer:
        """A request and up to so many redirects of the same host."""
        said = {"accept-encoding": "identity", "user-agent": "jackstop", **self._headers, **headers}
        for _ in range(_HOPS + 1):
            answer = await self._once(method, goal, body, said)
            if answer.status not in {301, 302, 303, 307, 308}:
                return answer
            goal = _further(goal, answer)
        raise Later(f"{goal.host} redirects in circles, expected an answer")

    async def _once(self, method: str, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        extensions = {"sni_hostname": self._tls_name} if self._tls_name else {}
        try:
            async with self._client.stream(method, url, content=body, headers=dict(headers), extensions=extensions) as answer:
                said = b""
                async for piece in answer.aiter_raw():
                    said += piece
                    if len(said) > LARGEST:
                        raise Later(f"{url.host} answers more than {LARGEST} bytes, expected a short answer")
                return Answer(answer.status_code, answer.headers, said)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as fault:
            raise Later(f"{url.host}: {_cause(fault)}, expected an answer") from None

    def retry_after(self, answer: Answer) -> float | None:
        """Seconds the other side asks to wait: a number, or a date."""
        said = answer.headers.get("retry-after", "").strip()
        if said.isascii() and said.isdigit():
            return float(said[:9])
        try:
            until = parsedate_to_datetime(said)
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        now = datetime.fromtimestamp(self._clock() / 1e6, UTC)
        return max(0.0, (until - now).total_seconds())

    def judge(self, answer: Answer, *, index: int | None = None, taken: int = 0) -> None:
        """Nothing, where the answer is a success.

        Raises:
            Never: it speaks of the message at `index` (None: one of those sent). Later: it speaks of anything else.
        """
        if 200 <= answer.status < 300:
            return
        reason = f"{self.base.host} answers {answer.status}: {answer.excerpt()}"
        if answer.status in REFUSED:
            raise Never(reason, index, taken=taken)
        raise Later(reason, self.retry_after(answer), taken=taken)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def basic(user: str, password: str) -> str:
    """The value of `Authorization` for a user with a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def checked(text: str, *, insecure: bool) -> str:
    """An address that may be spoken to.

    Raises:
        Later: it is none, or plain HTTP to another machine without leave. It is not shown: it may hold a token.
    """
    try:
        url = httpx.URL(text.strip())
    except (httpx.InvalidURL, ValueError):
        raise Later("url: not an address, expected https://HOST/PATH") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise Later("url: not an address of the web, expected https://HOST/PATH")
    if url.scheme == "http" and not insecure and url.host not in _LOOPBACK:
        raise Later(f"url: plain http to {url.host}, expected https (or insecure = true)")
    return str(url)


def _further(url: httpx.URL, answer: Answer) -> httpx.URL:
    """Where a redirect leads, if that is the same host and the request stays the same."""
    try:
        goal = url.join(answer.headers.get("location", ""))
    except (httpx.InvalidURL, ValueError):
        raise Later(f"{url.host} redirects to no address, expected an answer") from None
    if (goal.scheme, goal.host, goal.port) != (url.scheme, url.host, url.port):
        raise Later(f"{url.host} redirects to another host ({goal.host}), which is not followed; expected the final address")
    if answer.status not in {307, 308}:
        raise Later(f"{url.host} answers {answer.status}, a redirect that drops the message; expected the final address")
    return goal


def _cause(fault: BaseException) -> str:
    """What lies at the bottom of a fault of the HTTP library, in a few words."""
    below: BaseException | None = fault
    while below is not None:
        if isinstance(below, OSError):
            return words(below)
        below = below.__cause__ or below.__context__
    return "no answer in time" if isinstance(fault, httpx.TimeoutException) else type(fault).__name__
