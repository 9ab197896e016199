"""Webhook: the order as a signed JSON document, for the bank's monitoring, the guard's dispatcher, the ticket system.

`Idempotency-Key` and `webhook-id` are the action's id, the same however often it is handed over; `webhook-signature` guards
against forging and changing (Standard Webhooks). An answer 2xx takes the order; 400, 404, 409, 410, 413 and 422 refuse it.

    {"type": "action.out-of-service", "timestamp": "…Z", "data": {"key": "…", "kind": "out-of-service", "attempt": 1,
     "terminal": {"id": "ATM-0001", "luno": "001", …}, "alert": "…", "severity": "critical", "title": "…", "message": "…", …}}

```toml
[[action]]
way = "webhook"
name = "monitoring"
does = ["out-of-service", "in-service", "open-ticket"]
url = "https://monitoring.example.com/atm"
signing = "file:keys/monitoring"
confirm = "fact"
```
"""

from typing import Literal

import httpx
from pydantic import Field

from jackstop.actions import Common, Order, Outcome, Place, Unsent
from jackstop.actions._sayings import saying
from jackstop.actions._wire import context, signed
from jackstop.model.fleet import microseconds
from jackstop.model.written import json, stamp
from jackstop.wire.trust import Trust, words

LARGEST = 64 << 10
"""Bytes of an answer that are read."""

REFUSED = frozenset({400, 404, 409, 410, 413, 422})
"""Answers after which trying again is of no use."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Config(Common):
    """Keys of the way `webhook`.

    Attributes:
        url: where to; may be `env:NAME` or `file:PATH`. signing: where the secret is. headers: more headers, values as `url`.
        tls: how the other side is believed. insecure: plain HTTP to another machine is allowed.
    """

    way: Literal["webhook"]
    confirm: Literal["answer", "fact", "line", "callback"] = "answer"
    url: str = Field(repr=False)
    signing: str = Field(repr=False)
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    tls: Trust = Trust()
    insecure: bool = False


async def send(config: Config, order: Order, place: Place) -> Outcome:
    """Post an order.

    Raises:
        Unsent: no answer, or a refusal.
    """
    url = _address(place.secret(config.url), insecure=config.insecure)
    text = body(order)
    said = {
        "content-type": "application/json",
        "user-agent": "jackstop",
        "idempotency-key": order.key,
        **{name: place.secret(value) for name, value in config.headers.items()},
        **signed(place.secret(config.signing), order.key, order.at // 1_000_000, text),
    }
    timeout = microseconds(config.timeout) / 1e6
    verify = context(config.tls, place.root)
    try:
        async with (
            httpx.AsyncClient(verify=verify, timeout=timeout, trust_env=False, follow_redirects=False) as client,
            client.stream("POST", url, content=text, headers=said) as answer,
        ):
            status, excerpt = answer.status_code, await _beginning(answer)
    except httpx.ConnectError as fault:
        raise Unsent(f"{url.host}: {words(_cause(fault))}, expected an answer") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as fault:
        raise Unsent(f"{url.host}: {words(_cause(fault))}, expected an answer", unsure=True) from None
    if 200 <= status < 300:
        return Outcome(f"{url.host} took it ({status})", done=config.confirm == "answer")
    raise Unsent(f"{url.host} answers {status}: {excerpt}, expected it to take the order", final=status in REFUSED)


def body(order: Order) -> bytes:
    """An order as JSON."""
    told, t = order.told, order.terminal
    place = None
    if t is not None:
        names = {"id": t.id, "luno": t.luno, "terminal_id": t.terminal_id, "hostname": t.hostname, "region": t.region}
        place = names | ({"lat": t.site.lat, "lon": t.site.lon} if t.site else {})
    data = {
        "key": order.key,
        "kind": order.kind,
        "attempt": order.attempt,
        "terminal": place,
        "terminals": told.terminals,
        "alert": order.alert or None,
        "severity": told.severity or None,
        "title": told.title,
        "message": saying(order),
        "detections": told.detections,
        "unexplained": told.unexplained,
        "currency": told.currency or None,
        "first_event": stamp(told.first_event) if told.first_event else None,
    }
    return json({"type": f"action.{order.kind}", "timestamp": stamp(order.at), "data": data}).encode()


def _address(text: str, *, insecure: bool) -> httpx.URL:
    try:
        url = httpx.URL(text.strip())
    except (httpx.InvalidURL, ValueError):
        raise Unsent("url: not an address, expected https://HOST/PATH", final=True) from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise Unsent("url: not an address of the web, expected https://HOST/PATH", final=True)
    if url.scheme == "http" and not insecure and url.host not in _LOOPBACK:
        raise Unsent(f"url: plain http to {url.host}, expected https (or insecure = true)", final=True)
    return url


async def _beginning(answer: httpx.Response) -> str:
    """The beginning of an answer, for people: one line, printable; no more of it is read than is bearable."""
    said = b""
    async for piece in answer.aiter_raw():
        said += piece
        if len(said) >= LARGEST:
            break
    text = said[:400].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


def _cause(fault: BaseException) -> BaseException:
    """What lies at the bottom of a fault of the HTTP library."""
    below: BaseException | None = fault
    while below is not None:
        if isinstance(below, OSError):
            return below
        below = below.__cause__ or below.__context__
    return TimeoutError() if isinstance(fault, httpx.TimeoutException) else fault
