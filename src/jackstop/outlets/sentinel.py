"""Microsoft Sentinel: alerts as rows of a custom table, through the Logs Ingestion API and a data collection rule (DCR).

A call carries at most 1 MB; more messages make more calls, in order. The columns are in docs/outputs.md. Azure has no
idempotency: `Key` is the same where a row came twice (`summarize arg_max(TimeGenerated, *) by Key`).

```toml
[[sink]]
kind = "sentinel"
name = "sentinel"
url = "https://jackstop-abcd.westeurope-1.ingest.monitor.azure.com"
rule = "dcr-00000000000000000000000000000000"
stream = "Custom-JackstopAlerts"
tenant = "…"
client_id = "…"
client_secret = "env:AZURE_CLIENT_SECRET"
```

Source: Microsoft, "Logs Ingestion API in Azure Monitor", api-version 2023-01-01.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from pydantic import Field

from jackstop.outlets import Later, Message, Place, Secret
from jackstop.outlets._azure import Login, Token, row
from jackstop.outlets._web import Client, Web

LONGEST = 1_000_000
"""Most bytes of a call."""


class Config(Web):
    """Keys of a `sentinel` sink: the rule's immutable id, its stream, and the application that may write to it.

    `authority`, `scope`: of another cloud than the public one.
    """

    rule: str = Field(pattern=r"^dcr-[0-9a-f]{32}$")
    stream: str = Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")
    tenant: str
    client_id: str
    client_secret: Secret
    authority: str = "https://login.microsoftonline.com"
    scope: str = "https://monitor.azure.com/.default"


class Sentinel:
    """An open `sentinel` sink."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config, self._place = config, place
        login = Login(
            kind=config.kind, name=config.name, url=config.authority, tls=config.tls, proxy=config.proxy,
            timeout=config.timeout, insecure=config.insecure,
        )  # fmt: skip
        self._client = Client(config, place)
        self._token = Token(login, config.tenant, config.client_id, place.secret(config.client_secret), config.scope, place)
        path = f"/dataCollectionRules/{config.rule}/streams/{quote(config.stream)}?api-version=2023-01-01"
        self._url = self._client.at(path)

    async def send(self, batch: Sequence[Message]) -> None:
        """Send messages in as many calls as their size asks for."""
        link = self._place.link
        rows = [row(m, self._config.lang, link(m.alert.id), LONGEST - 2, i) for i, m in enumerate(batch)]
        taken = 0
        for some in pieces(rows, LONGEST):
            try:
                await self._call(f"[{','.join(some)}]".encode(), taken, len(some))
            except Later as fault:
                fault.taken = taken
                raise
            taken += len(some)

    async def _call(self, body: bytes, taken: int, count: int) -> None:
        """One call; a token that is not believed any more is renewed once."""
        for fresh in (False, True):
            token = await self._token.value(fresh=fresh)
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
            answer = await self._client.post(body, headers, self._url)
            if answer.status != 401:
                break
        self._client.judge(answer, index=taken if count == 1 else None, taken=taken)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await self._token.close()


def pieces(rows: Sequence[str], longest: int) -> Iterator[list[str]]:
    """Rows in their order, cut into as few arrays as fit into so many bytes each (brackets and commas included)."""
    some: list[str] = []
    size = 2
    for text in rows:
        cost = len(text.encode()) + 1
        if some and size + cost > longest:
            yield some
            some, size = [], 2
        some.append(text)
        size += cost
    if some:
        yield some


async def open(config: Config, place: Place) -> Sentinel:
    """A `sentinel` sink ready to send."""
    return Sentinel(config, place)
