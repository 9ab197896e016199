"""Splunk HTTP Event Collector: alerts as events, with indexer acknowledgement where the token asks for it.

Without acknowledgement a 200 only says that the events look right; with `ack = true` a batch counts as taken once Splunk says it
is indexed, and is sent again where it does not within `ack_timeout`. The indexed fields `alert_key` and `alert_id` find
what came twice.

```toml
[[sink]]
kind = "splunk-hec"
name = "splunk"
url = "https://splunk.example.com:8088"
token = "env:SPLUNK_HEC_TOKEN"
index = "atm"
```

Source: Splunk, "Format events for HTTP Event Collector", "Indexer acknowledgment", "Error codes" of the HTTP Event Collector.
"""

import json
from collections.abc import Sequence
from typing import Literal
from uuid import uuid4

from pydantic import Field

from jackstop.model import written
from jackstop.outlets import Later, Message, Never, Place, Secret
from jackstop.outlets._lines import fitted
from jackstop.outlets._web import Answer, Client, Web

_OF_THE_EVENT = frozenset({6, 12, 13, 15})
"""Codes that speak of one event: invalid data format, event missing, event blank, indexed fields."""

_EVERY = 0.5


class Config(Web):
    """Keys of a `splunk-hec` sink. `ack_timeout`: seconds to wait for the indexers; `longest`: bytes of one event."""

    token: Secret
    index: str | None = None
    source: str = "jackstop"
    sourcetype: str = "jackstop:alert"
    shape: Literal["ocsf", "ecs", "cef", "leef"] = "ocsf"
    ack: bool = False
    ack_timeout: float = Field(default=120.0, gt=0, le=600)
    longest: int = Field(default=800_000, ge=2_000)


class SplunkHec:
    """An open `splunk-hec` sink; its channel is its own, as acknowledgements need."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config, self._place = config, place
        self._channel = str(uuid4())
        self._headers = {"authorization": f"Splunk {place.secret(config.token)}", "content-type": "application/json"}
        if config.ack:
            self._headers["x-splunk-request-channel"] = self._channel
        self._client = Client(config, place)

    async def send(self, batch: Sequence[Message]) -> None:
        """Send messages in one request, and wait until they are indexed where that is asked for."""
        body = "".join(self._event(m, i) for i, m in enumerate(batch))
        answer = await self._client.post(body.encode(), self._headers, self._client.at("/services/collector/event"))
        told = answer.json()
        told = told if isinstance(told, dict) else {}
        if answer.status == 400:
            self._refused(answer, told, len(batch))
        self._client.judge(answer, index=0 if len(batch) == 1 else None)
        if self._config.ack:
            await self._indexed(told.get("ackId"))

    def _event(self, message: Message, index: int) -> str:
        config, alert = self._config, message.alert
        line = fitted(config.shape, message, config.lang, config.longest, index)
        at = alert.updated_at if message.updated else alert.raised_at
        event: dict[str, object] = {
            "time": f"{written.milliseconds(at) / 1000:.3f}",
            "host": next(iter(alert.terminals), "jackstop"),
            "source": config.source,
            "sourcetype": config.sourcetype,
            "fields": {"alert_key": message.key, "alert_id": alert.id, "alert_severity": alert.severity},
        }
        event |= {"index": config.index} if config.index else {}
        head = written.json(event)
        said = line if config.shape in {"ocsf", "ecs"} else written.json(line)
        return f'{head[:-1]},"event":{said}}}'

    def _refused(self, answer: Answer, told: dict[str, object], count: int) -> None:
        """What a 400 means: one event is at fault, or the way it is sent."""
        reason = f"{self._client.base.host} answers 400: {answer.excerpt()}"
        number = told.get("invalid-event-number")
        if told.get("code") not in _OF_THE_EVENT:
            raise Later(reason)
        known = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < count
        raise Never(reason, number if known and isinstance(number, int) else 0 if count == 1 else None)

    async def _indexed(self, ack: object) -> None:
        """Wait until a batch is indexed.

        Raises:
            Later: it is not within the time allowed, or Splunk gave no number to ask for.
        """
        host = self._client.base.host
        if not isinstance(ack, int) or isinstance(ack, bool):
            raise Later(f"{host} gives no ackId, expected a token with indexer acknowledgement (or ack = false)")
        url = self._client.at(f"/services/collector/ack?channel={self._channel}")
        end = self._place.clock() + int(self._config.ack_timeout * 1e6)
        while True:
            answer = await self._client.post(json.dumps({"acks": [ack]}).encode(), self._headers, url)
            if not 200 <= answer.status < 300:
                raise Later(f"{host} answers {answer.status} about ackId {ack}: {answer.excerpt()}")
            told = answer.json()
            acks = told.get("acks") if isinstance(told, dict) else None
            if isinstance(acks, dict) and acks.get(str(ack)) is True:
                return
            if self._place.clock() >= end:
                raise Later(f"{host}: not indexed within {self._config.ack_timeout:g} s, expected an acknowledgement")
            await self._place.wait(_EVERY)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


async def open(config: Config, place: Place) -> SplunkHec:
    """A `splunk-hec` sink ready to send."""
    return SplunkHec(config, place)
