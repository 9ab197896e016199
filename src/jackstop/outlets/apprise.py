"""E-mail, chat and pagers through Apprise: people are told of an alert once, and again only when it gets graver.

Each address is tried on its own: one that failed is tried again, those that took the message are not told twice (but after a
restart in between). Addresses hold passwords, so they stand in the environment or in files, and Apprise logs nothing here.

```toml
[[sink]]
kind = "apprise"
name = "on-call"
lang = "ja"
urls = ["env:ONCALL_MAIL", "file:keys/teams-url"]
```

Source: Apprise documentation, "URL basics", "Service wiki".
"""

import logging
from collections.abc import Sequence
from contextvars import ContextVar
from functools import partial
from typing import Annotated, ClassVar, Literal

import apprise as library
from pydantic import AfterValidator, Field

from jackstop.outlets import Common, Later, Message, Place, Secret, _letter

_said: ContextVar[list[str] | None] = ContextVar("said", default=None)
"""Warnings of the message under way, for its fault."""


def _kept_back(record: logging.LogRecord) -> bool:
    """Whether a line of Apprise is logged: none is, for its lines name addresses; warnings are kept for the fault."""
    said = _said.get()
    if said is not None and record.levelno >= logging.WARNING:
        said.append(record.getMessage())
    return False


logging.getLogger("apprise").addFilter(_kept_back)
_KINDS = {
    "info": library.NotifyType.INFO,
    "low": library.NotifyType.INFO,
    "medium": library.NotifyType.WARNING,
    "high": library.NotifyType.WARNING,
    "critical": library.NotifyType.FAILURE,
}


def _some(urls: tuple[str, ...]) -> tuple[str, ...]:
    if not urls:
        raise ValueError("no address, expected one or more")
    return urls


class Config(Common):
    """Keys of an `apprise` sink. `urls`: where the addresses are; only paging alerts are told by default."""

    TELLS: ClassVar[Literal["revisions", "escalations"]] = "escalations"

    at_least: Literal["info", "low", "medium", "high", "critical"] = "high"
    urls: Annotated[tuple[Secret, ...], AfterValidator(_some)]
    batch: int = Field(default=1, ge=1, le=1)
    timeout: float = Field(default=30.0, gt=0, le=300)


class Apprise:
    """An open `apprise` sink."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config, self._place = config, place
        asset = library.AppriseAsset(secure_logging=True, async_mode=False, storage_mode=library.PersistentStoreMode.MEMORY)
        asset.app_id = asset.app_desc = "jackstop"
        asset.http_redirects = False
        self._services = []
        for nth, url in enumerate(config.urls, 1):
            service = library.Apprise(asset=asset)
            if not service.add(place.secret(url)):
                raise Later(f"urls: number {nth} ({url}) is no address Apprise knows, expected one of its service URLs")
            self._services.append(service)
        self._told: tuple[str, set[int]] = ("", set())

    async def send(self, batch: Sequence[Message]) -> None:
        """Tell people of each message."""
        for index, message in enumerate(batch):
            if self._told[0] != message.key:
                self._told = (message.key, set())
            for nth, service in enumerate(self._services):
                if nth not in self._told[1]:
                    await self._tell(nth, service, message, index)

    async def _tell(self, nth: int, service: library.Apprise, message: Message, index: int) -> None:
        lang = self._config.lang
        body = _letter.text(message, lang, self._place.link(message.alert.id))
        said: list[str] = []

        def notify() -> bool:
            _said.set(said)
            done = service.notify(
                body=body,
                title=_letter.subject(message, lang),
                notify_type=_KINDS[message.alert.severity],
                body_format=library.NotifyFormat.TEXT,
                interpret_escapes=False,
                timeout=self._config.timeout,
            )
            _said.set(None)
            return bool(done)

        if not await self._place.threads.run(notify):
            why = _letter.plain(said[-1], 200) if said else "not taken"
            raise Later(f"urls: number {nth + 1} ({self._config.urls[nth]}): {why}", taken=index)
        self._told[1].add(nth)

    async def close(self) -> None:
        """Nothing stays open between messages."""


async def open(config: Config, place: Place) -> Apprise:
    """An `apprise` sink ready to send; Apprise loads all its services, which takes a while."""
    return await place.threads.run(partial(Apprise, config, place))
