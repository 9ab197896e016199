"""What the API is made over: everything it may reach, handed to `app.create` by whoever starts the service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx
import polars as pl
from fastapi import Request as Call
from prometheus_client import CollectorRegistry

from jackstop.actions import Common
from jackstop.advisories import Advisory
from jackstop.model.fleet import Fleet
from jackstop.model.results import TimelineEntry
from jackstop.model.service import Declared
from jackstop.policy.interlock import Answer, Request
from jackstop.policy.model import Policy
from jackstop.store.database import Database
from jackstop.web.exporting import Exporter
from jackstop.web.keys import Keyring
from jackstop.web.limits import Limits

Facts = Mapping[str, object]
"""What one part of the service tells of itself: `ok` (whether it works) and whatever else it counts."""


class Interlock(Protocol):
    """The role of the interlock: answers at once from what is in memory, and logs every answer itself."""

    def answer(self, terminal: str, request: Request, peer: str = "") -> Answer:
        """The answer to one question. `peer`: who asks."""


class Visits(Protocol):
    """The role of what takes visits: lines of the `visits` format, without a header, each with its line feed."""

    async def __call__(self, lines: bytes) -> None:
        """Take them; they are safe when this returns.

        Raises:
            ConnectionError: not taken now; try again later.
        """


class Timelines(Protocol):
    """The role of the history: what happened at terminals, from all rows that are kept."""

    def timeline(self, terminal: str, begin: int, end: int, limit: int) -> list[TimelineEntry]:
        """A terminal's events from `begin` to before `end` (µs UTC), oldest first, so many at most."""


async def _nobody(lines: bytes) -> None:
    raise ConnectionError(f"this service takes no visits ({len(lines)} bytes)")


@dataclass(frozen=True, slots=True)
class Context:
    """Everything the API may reach.

    Attributes:
        database: the live store, migrated. fleet: who the terminals are. declared: `jackstop.toml`.
        clock: now, µs UTC. keyring: what secrets are sealed with. registry: of the metrics shown at `/metrics`.
        accept_visits: takes visits into the service. interlock: None where no policy has one. health: part to facts.
        history: None where no history is kept yet. exports: None where packages cannot be made here.
        advisories: those in use. policy: when cash may be paid, and what may be done. limits: of calls and logins.
        ways: the `[[action]]` there are, in order. visits: of the file of visits (rows of the table `visits`), for the list.
        secret: resolves `env:NAME` and `file:PATH`.
        transport: how the OpenID Connect provider is reached, None for the network.
    """

    database: Database
    fleet: Fleet
    declared: Declared
    clock: Callable[[], int]
    keyring: Keyring
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    accept_visits: Visits = _nobody
    interlock: Interlock | None = None
    health: Callable[[], Mapping[str, Facts]] = dict
    history: Timelines | None = None
    exports: Exporter | None = None
    advisories: tuple[Advisory, ...] = ()
    policy: Policy = field(default_factory=Policy)
    ways: tuple[Common, ...] = ()
    visits: pl.DataFrame | None = None
    limits: Limits = field(default_factory=Limits)
    secret: Callable[[str], str] = str
    transport: httpx.AsyncBaseTransport | None = None

    @property
    def secure(self) -> bool:
        """Whether browsers come by TLS: ours, or that of a proxy before us."""
        api = self.declared.api
        return api.tls is not None or (api.url or "").lower().startswith("https://")


def of(request: Call) -> Context:
    """The context a request is served from."""
    context = request.app.state.context
    assert isinstance(context, Context)
    return context
