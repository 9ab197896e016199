"""An alert as a row of a Log Analytics table, and the token that lets us write it.

Source: Microsoft, "Logs Ingestion API in Azure Monitor", "Azure Monitor service limits" (1 MB a call, 64 KB a value);
Microsoft identity platform, "OAuth 2.0 client credentials flow".
"""

from urllib.parse import quote, urlencode

from jackstop import sinks
from jackstop.model import written
from jackstop.model.results import Alert
from jackstop.outlets import Later, Message, Never, Place
from jackstop.outlets._web import Client, Web

VALUE = 60_000
"""Most bytes of one value: Azure cuts longer ones anywhere, which leaves no JSON."""

_SPARE = 300
"""Seconds before its end that a token is renewed."""


class Login(Web):
    """Where tokens are had: `url` is the authority."""


class Token:
    """An access token by client credentials, kept until shortly before its end."""

    def __init__(self, login: Login, tenant: str, client_id: str, secret: str, scope: str, place: Place) -> None:
        self._client, self._clock = Client(login, place), place.clock
        self._url = self._client.at(f"/{quote(tenant, safe='')}/oauth2/v2.0/token")
        asked = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, "scope": scope}
        self._body = urlencode(asked).encode()
        self._value, self._end = "", 0

    async def value(self, *, fresh: bool = False) -> str:
        """A token that is still good; `fresh`: in any case a new one.

        Raises:
            Later: none is given.
        """
        if fresh or self._clock() >= self._end:
            answer = await self._client.post(self._body, {"content-type": "application/x-www-form-urlencoded"}, self._url)
            told = answer.json()
            told = told if isinstance(told, dict) else {}
            token, lasts = told.get("access_token"), told.get("expires_in")
            if answer.status != 200 or not isinstance(token, str):
                said = str(told.get("error", answer.status))[:60]
                raise Later(f"{self._url.host} gives no token: {said}, expected one", self._client.retry_after(answer))
            seconds = int(lasts) if isinstance(lasts, int | str) and str(lasts).isdecimal() else 0
            self._value, self._end = token, self._clock() + max(0, seconds - _SPARE) * 1_000_000
        return self._value

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def row(message: Message, lang: str, link: str, longest: int, index: int) -> str:
    """A message as a row (JSON) of the columns in docs/outputs.md.

    Raises:
        Never: it is longer than `longest` bytes even with nothing in its lists; `index` is its place in the batch.
    """
    alert, led = message.alert, sinks.lead(message.alert, lang)
    lists = _lists(alert)
    kept = {name: cut(values) for name, values in lists.items()}
    made: dict[str, object] = {
        "TimeGenerated": written.stamp(alert.updated_at if message.updated else alert.raised_at),
        "Key": message.key,
        "AlertId": alert.id,
        "Revision": message.revision,
        "Status": message.status,
        "Severity": alert.severity,
        "Title": led.title[:1000],
        "Message": sinks.message(alert, lang)[:4000],
        "FirstStep": led.first_step,
        "Unexplained": alert.unexplained,
        "MoneyAtRisk": alert.money_at_risk,
        "Currency": alert.currency[:10],
        "FirstEvent": written.stamp(alert.first_event),
        "RaisedAt": written.stamp(alert.raised_at),
        "UpdatedAt": written.stamp(alert.updated_at),
        "Link": link,
        "Truncated": any(len(kept[n]) < len(lists[n]) for n in lists),
    }
    text = written.json(made | kept)
    if len(text.encode()) > longest:
        raise Never(f"a row of {len(text.encode())} bytes, expected at most {longest}", index)
    return text


def _lists(alert: Alert) -> dict[str, list[object]]:
    """The columns that hold lists, whole."""
    findings = [
        {"id": f.id, "detection": f.detection, "terminal": f.terminal, "severity": f.severity, "time": written.stamp(f.time),
         "amount": f.amount, "detail": dict(f.detail)}
        for f in alert.findings
    ]  # fmt: skip
    records = [{"path": r.path, "offset": r.offset, "length": r.length, "sha256": r.sha256} for r in alert.records]
    return {
        "Terminals": [*alert.terminals], "Detections": [*alert.detections], "Techniques": [*alert.attack],
        "Visits": [*alert.visits], "Verdicts": [*alert.verdicts], "Findings": [*findings], "Records": [*records],
    }  # fmt: skip


def cut(values: list[object]) -> list[object]:
    """The first of some values, as many as one value of Azure takes."""
    room, kept = VALUE, []
    for value in values:
        room -= len(written.json(value).encode()) + 1
        if room < 2:
            break
        kept.append(value)
    return kept
