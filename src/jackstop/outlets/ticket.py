"""Tickets in another system (ServiceNow, Jira and the like): one for each alert, made with its first revision, updated with
later ones by the number the other side gave.

The number is kept before anything else is sent. A crash between the other side's answer and that moment makes a second
ticket; map `{alert}` to a field the other side holds unique (`correlation_id`) to prevent it. `Idempotency-Key` is sent too.

```toml
[[sink]]
kind = "ticket"
name = "servicenow"
url = "https://bank.service-now.com/api/now/table/incident"
headers = { authorization = "env:SNOW_AUTHORIZATION" }
id = "result.sys_id"
update = "/{ref}"
update_method = "PATCH"
update_fields = { work_notes = "{message}" }
[sink.fields]
short_description = "{subject}"
description = "{text}"
correlation_id = "{alert}"
urgency = { by = "severity", critical = "1", other = "2" }
```
"""

import re
from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import AfterValidator, Field, JsonValue

from jackstop.model import written
from jackstop.outlets import Message, Never, Place, _letter
from jackstop.outlets._mapping import checked, filled, found
from jackstop.outlets._web import Client, Web

Fields = Annotated[dict[str, JsonValue], AfterValidator(checked), Field(min_length=1)]
UNKNOWN = "?"
"""The number of a ticket that was made and whose number the other side did not tell."""


class Config(Web):
    """Keys of a `ticket` sink.

    Attributes:
        fields: of a new ticket. id: path of its number in the answer. update: path below `url` of a ticket, `{ref}` its number.
        update_method, update_fields: how it is updated; without fields, later revisions are not told.
    """

    at_least: Literal["info", "low", "medium", "high", "critical"] = "high"
    batch: int = Field(default=20, ge=1, le=25)
    fields: Fields
    id: str = Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=200)
    update: str = Field(default="/{ref}", pattern=r"^/[A-Za-z0-9/{}._~?=&-]*$")
    update_method: Literal["PATCH", "PUT", "POST"] = "PATCH"
    update_fields: Fields | None = None


class Ticket:
    """An open `ticket` sink."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config, self._place = config, place
        self._client = Client(config, place)

    async def send(self, batch: Sequence[Message]) -> None:
        """Make or update the ticket of each message, in order."""
        made: dict[str, str] = {}
        for index, message in enumerate(batch):
            ref = message.ref or made.get(message.alert.id, "")
            if ref == UNKNOWN:
                raise Never("the ticket's number is not known, expected it in the answer that made it", index, taken=index)
            if not ref:
                made[message.alert.id] = await self._make(message, index)
            elif self._config.update_fields:
                await self._update(message, ref, index)

    async def _make(self, message: Message, index: int) -> str:
        """A new ticket; gives its number."""
        answer = await self._client.post(self._body(self._config.fields, message), _headers(message), taken=index)
        self._client.judge(answer, index=index, taken=index)
        ref = found(answer.json(), self._config.id)
        await self._place.remember(message.alert.id, ref or UNKNOWN)
        if not ref:
            reason = (
                f"{self._client.base.host} made a ticket but tells no {self._config.id}, expected its number: {answer.excerpt()}"
            )
            raise Never(reason, index, taken=index)
        return ref

    async def _update(self, message: Message, ref: str, index: int) -> None:
        """A later revision told to its ticket."""
        url = self._client.at(self._config.update.replace("{ref}", quote(ref, safe="")))
        body = self._body(self._config.update_fields or {}, message)
        answer = await self._client.post(body, _headers(message), url, method=self._config.update_method, taken=index)
        if answer.status in {404, 410}:
            raise Never(f"{url.host} has no ticket {ref!r} any more, expected one to update", index, taken=index)
        self._client.judge(answer, index=index, taken=index)

    def _body(self, fields: dict[str, JsonValue], message: Message) -> bytes:
        lang, link = self._config.lang, self._place.link(message.alert.id)
        told = {**_letter.values(message, lang, link), "text": _letter.text(message, lang, link)}
        return written.json(filled(fields, told)).encode()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _headers(message: Message) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "accept": "application/json",
        "idempotency-key": re.sub(r"[^\x21-\x7e]", "_", message.key),
    }


async def open(config: Config, place: Place) -> Ticket:
    """A `ticket` sink ready to send."""
    return Ticket(config, place)
