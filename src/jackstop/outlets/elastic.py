"""Elasticsearch (and OpenSearch) bulk API: alerts as ECS documents into a data stream or an index.

Documents are created, never overwritten, with the idempotency key as `_id`: sending one again is answered 409 and changes
nothing. Where a data stream has rolled over to its next backing index in between, that one cannot know, and may hold it twice.

```toml
[[sink]]
kind = "elastic"
name = "siem"
url = "https://es.example.com:9200"
index = "logs-jackstop.alert-default"
api_key = "env:ELASTIC_API_KEY"
```

Source: Elasticsearch reference: Bulk API, Data streams, API keys.
"""

from collections.abc import Sequence
from urllib.parse import quote

from pydantic import Field, model_validator

from jackstop.model import written
from jackstop.outlets import Later, Message, Never, Place, Secret
from jackstop.outlets._lines import fitted
from jackstop.outlets._web import Answer, Client, Web, basic

_TAKEN = frozenset({200, 201, 409})
_OF_THE_DOCUMENT = frozenset({400, 413})


class Config(Web):
    """Keys of an `elastic` sink: which index or data stream, and an API key or a user with a password."""

    index: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=255)
    api_key: Secret | None = None
    user: str | None = None
    password: Secret | None = None
    longest: int = Field(default=5_000_000, ge=2_000)

    @model_validator(mode="after")
    def _one_way_in(self) -> "Config":
        if (self.user is None) != (self.password is None) or (self.user is not None and self.api_key is not None):
            raise ValueError("expected api_key, or user and password")
        return self


class Elastic:
    """An open `elastic` sink."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config = config
        self._headers = {"content-type": "application/x-ndjson"}
        if config.api_key:
            self._headers["authorization"] = f"ApiKey {place.secret(config.api_key)}"
        elif config.user is not None and config.password:
            self._headers["authorization"] = basic(config.user, place.secret(config.password))
        self._client = Client(config, place)
        self._url = self._client.at(f"/{quote(config.index)}/_bulk?filter_path=errors,items.*.status,items.*.error")

    async def send(self, batch: Sequence[Message]) -> None:
        """Send messages in one bulk request."""
        lines = []
        for index, message in enumerate(batch):
            lines.append(written.json({"create": {"_id": message.key}}))
            lines.append(fitted("ecs", message, self._config.lang, self._config.longest, index))
        answer = await self._client.post(("\n".join(lines) + "\n").encode(), self._headers, self._url)
        if answer.status == 400:
            raise Later(f"{self._client.base.host} answers 400: {answer.excerpt()}", self._client.retry_after(answer))
        self._client.judge(answer, index=0 if len(batch) == 1 else None)
        _settle(_items(answer, len(batch)), self._client.base.host)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _items(answer: Answer, count: int) -> list[tuple[int, str]]:
    """Status and reason of each document.

    Raises:
        Later: the answer is none of a bulk request of so many documents.
    """
    told = answer.json()
    if isinstance(told, dict) and told.get("errors") is False:
        return [(201, "")] * count
    items = told.get("items") if isinstance(told, dict) else None
    if not isinstance(items, list) or len(items) != count:
        raise Later(f"an answer without its {count} items, expected one of the bulk API")
    return [_item(i) for i in items]


def _item(item: object) -> tuple[int, str]:
    made = item.get("create") if isinstance(item, dict) else None
    if not isinstance(made, dict) or not isinstance(made.get("status"), int):
        return 500, "no status"
    fault = made.get("error")
    said = f"{fault.get('type')}: {fault.get('reason')}" if isinstance(fault, dict) else str(fault)
    return made["status"], " ".join(said.split())[:200]


def _settle(items: Sequence[tuple[int, str]], host: str) -> None:
    """Nothing, where all were taken. What the index refuses is told at once; what must wait, when nothing is refused."""
    refused = {i: f"{host} refuses with {s}: {why}" for i, (s, why) in enumerate(items) if s in _OF_THE_DOCUMENT}
    waiting = [(i, s, why) for i, (s, why) in enumerate(items) if s not in _TAKEN and s not in _OF_THE_DOCUMENT]
    taken = next((i for i, (s, _) in enumerate(items) if s not in _TAKEN), len(items))
    if refused:
        index = min(refused)
        raise Never(refused.pop(index), index, also=refused, taken=taken)
    if waiting:
        _, status, why = waiting[0]
        raise Later(f"{host} answers {status} to {len(waiting)} of {len(items)}: {why}", taken=taken)


async def open(config: Config, place: Place) -> Elastic:
    """An `elastic` sink ready to send."""
    return Elastic(config, place)
