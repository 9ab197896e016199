"""HTTP POST of alerts as OCSF (or ECS) to any collector, many at a time: JSON lines or a JSON array.

The `Idempotency-Key` header names the batch: the key of its one message, or a digest of all keys. With `signing`, the body is
signed as in `webhook`. A refused batch is sent again in halves until the message at fault is alone.

```toml
[[sink]]
kind = "http"
name = "lake"
url = "https://collector.example.com/v1/alerts"
headers = { authorization = "env:LAKE_TOKEN" }
```
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from jackstop.outlets import Message, Never, Place
from jackstop.outlets._lines import fitted
from jackstop.outlets._web import Client, Signed
from jackstop.wire import signature

_TYPES = {"lines": "application/x-ndjson", "array": "application/json"}


class Config(Signed):
    """Keys of an `http` sink. `body`: how many messages stand in one request; `longest`: bytes of one of them."""

    shape: Literal["ocsf", "ecs"] = "ocsf"
    body: Literal["lines", "array"] = "lines"
    longest: int = Field(default=1_000_000, ge=2_000)


class Http:
    """An open `http` sink."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config, self._place = config, place
        self._key = signature.key_of(place.secret(config.signing)) if config.signing else b""
        self._client = Client(config, place)

    async def send(self, batch: Sequence[Message]) -> None:
        """Send messages in one request."""
        config = self._config
        lines = [fitted(config.shape, m, config.lang, config.longest, i) for i, m in enumerate(batch)]
        text = "".join(line + "\n" for line in lines) if config.body == "lines" else f"[{','.join(lines)}]"
        body = text.encode()
        name = batch[0].key if len(batch) == 1 else hashlib.sha256(" ".join(m.key for m in batch).encode()).hexdigest()
        headers = {"content-type": _TYPES[config.body], "idempotency-key": name}
        if self._key:
            headers |= signature.headers(self._key, name, self._place.clock() // 1_000_000, body)
        answer = await self._client.post(body, headers)
        try:
            self._client.judge(answer)
        except Never as fault:
            if answer.status == 409:
                return
            raise Never(fault.reason, 0 if len(batch) == 1 else None) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


async def open(config: Config, place: Place) -> Http:
    """An `http` sink ready to send."""
    return Http(config, place)
