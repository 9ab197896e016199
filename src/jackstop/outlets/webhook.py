"""Webhook: one signed JSON document for each revision of an alert, for a system of one's own.

The body is described by `docs/webhook.schema.json`. `Idempotency-Key` and `webhook-id` are the revision's key, the same when it
is sent again; `webhook-timestamp` and `webhook-signature` guard against forging, changing and replaying. See `wire.signature`.

```toml
[[sink]]
kind = "webhook"
name = "soar"
url = "https://soar.example.com/hooks/jackstop"
signing = "file:keys/soar"
```
"""

import json
from collections.abc import Sequence

from pydantic import Field

from jackstop import sinks
from jackstop.model import written
from jackstop.outlets import Message, Never, Place, Secret
from jackstop.outlets._web import Client, Web
from jackstop.report import outputs
from jackstop.wire import signature


class Config(Web):
    """Keys of a `webhook` sink. `signing`: where the secret is, which a webhook always has; `longest`: bytes of a body."""

    signing: Secret
    batch: int = Field(default=20, ge=1, le=25)
    longest: int = Field(default=1_000_000, ge=2_000)


class Webhook:
    """An open `webhook` sink."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config, self._place = config, place
        self._key = signature.key_of(place.secret(config.signing))
        self._client = Client(config, place)

    async def send(self, batch: Sequence[Message]) -> None:
        """Send messages one by one, in order."""
        for index, message in enumerate(batch):
            text = body(message, self._config.lang, self._place.link(message.alert.id), self._config.longest)
            if text is None:
                raise Never(f"more than {self._config.longest} bytes", index, taken=index)
            signed = signature.headers(self._key, message.key, self._place.clock() // 1_000_000, text)
            headers = {"content-type": "application/json", "idempotency-key": message.key, **signed}
            answer = await self._client.post(text, headers, taken=index)
            if answer.status != 409:
                self._client.judge(answer, index=index, taken=index)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def body(message: Message, lang: str, link: str, longest: int) -> bytes | None:
    """A message as the body of a webhook; without findings and records where it is too long, None where it still is."""
    alert = message.alert
    told = json.loads(next(iter(outputs.alerts_jsonl([alert]))))
    led = sinks.lead(alert, lang)
    data = {
        "key": message.key,
        "revision": message.revision,
        "status": message.status,
        "title": led.title,
        "message": sinks.message(alert, lang),
        "first_step": led.first_step,
        "link": link or None,
    }
    made = {"type": f"alert.{message.status}", "timestamp": told["updated_at"]}
    text = written.json(made | {"data": data | {"truncated": False, "alert": told}}).encode()
    if len(text) > longest:
        told |= {"findings": [], "records": []}
        text = written.json(made | {"data": data | {"truncated": True, "alert": told}}).encode()
    return text if len(text) <= longest else None


async def open(config: Config, place: Place) -> Webhook:
    """A `webhook` sink ready to send."""
    return Webhook(config, place)
