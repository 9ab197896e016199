"""The live service as declared in `jackstop.toml`; kinds of intake and sink declare their own keys in their own files."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from jackstop.model import fleet
from jackstop.model.fleet import Reading, Span, microseconds


class Strict(BaseModel):
    """A table of `jackstop.toml`: unknown keys are refused, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Feed(Strict):
    """One stream of log bytes as the service knows it: its format, how late it usually is, and how it is read.

    `reading.name` is its name everywhere: in rows, in evidence, in the spool. `latency` is in µs.
    """

    format: str
    latency: int = 0
    reading: Reading

    @property
    def name(self) -> str:
        """The feed's name."""
        return self.reading.name


class Readable(fleet.Readable):
    """Keys that every intake which brings log text has: how it is to be read (as `[[source]]` of fleet.toml)."""

    format: str


class Tls(Strict):
    """A certificate and its key (PEM files), and whose client certificates are believed."""

    cert: str
    key: str
    client_ca: str | None = None


class ServiceInfo(Strict):
    """`[service]`: where things lie, relative to `jackstop.toml`.

    Attributes:
        fleet, visits: files as in a bundle. data: folder of the spool, the history, keys and the default database.
        database: SQLAlchemy URL; empty is SQLite in `data`. detections, advisories: folders of the bank's own.
        time: `clock` judges by the time of arrival; `records` by the records' own time, for what is past and for tests.
        slack: with `records`, how far out of order records may come.
        catch_up: with `clock`, how long after a start time stands still for feeds that were cut off.
        lang: of texts for people that leave the service.
    """

    fleet: str = "fleet.toml"
    visits: str | None = None
    data: str = "data"
    database: str = ""
    detections: str | None = None
    advisories: str | None = None
    time: Literal["clock", "records"] = "clock"
    slack: Span = "2m"
    catch_up: Span = "20s"
    lang: Literal["en", "ja"] = "en"


class SpoolInfo(Strict):
    """`[spool]`: the evidence. `segment`: bytes after which a segment is closed, signed and compressed. `keep`: days.

    `quota`: bytes a second one feed may bring on average, `burst` at once; `pending`: bytes in memory before senders wait.
    `free`: bytes of disk below which nothing more is taken. `timestamp`: URL of an RFC 3161 server, for exports;
    `timestamp_ca`: PEM file with the certificates its time stamps are traced to.
    """

    segment: int = Field(default=64 << 20, ge=1 << 16)
    keep: int = Field(default=400, ge=1)
    quota: int = Field(default=8 << 20, ge=1024)
    burst: int = Field(default=32 << 20, ge=1 << 16)
    pending: int = Field(default=64 << 20, ge=1 << 20)
    free: int = Field(default=512 << 20, ge=0)
    timestamp: str | None = None
    timestamp_ca: str | None = None


class HistoryInfo(Strict):
    """`[history]`: decoded rows as Parquet. `keep`: days; `every`: how often rows are put away with a checkpoint."""

    keep: int = Field(default=400, ge=1)
    every: Span = "15s"


class ApiInfo(Strict):
    """`[api]`: where the API and the pages are served. Off loopback TLS is needed, or `insecure = true` said aloud.

    `proxies`: addresses whose `X-Forwarded-For` is believed. `session`: how long a login lasts unused.
    """

    listen: str = "127.0.0.1:8440"
    url: str | None = None
    tls: Tls | None = None
    insecure: bool = False
    proxies: tuple[str, ...] = ()
    session: Span = "8h"


class OidcInfo(Strict):
    """`[oidc]`: log in by an OpenID Connect provider. `roles`: value of the claim to role; without one, no entry."""

    issuer: str
    client_id: str
    client_secret: str
    claim: str = "groups"
    roles: dict[str, Literal["viewer", "analyst", "approver", "administrator"]] = {}


class Declared(Strict):
    """The tables of `jackstop.toml` that are not lists of plug-ins."""

    service: ServiceInfo = ServiceInfo()
    spool: SpoolInfo = SpoolInfo()
    history: HistoryInfo = HistoryInfo()
    api: ApiInfo = ApiInfo()
    oidc: OidcInfo | None = None

    @field_validator("service")
    @classmethod
    def _places(cls, info: ServiceInfo) -> ServiceInfo:
        if not info.data.strip("/ "):
            raise ValueError(f"data is {info.data!r}, expected a folder of its own")
        return info


def feed(readable: Readable, name: str, fleet_zone: str, fleet_currency: str, terminal: str | None = None) -> Feed:
    """The feed of an intake: its own settings, else the fleet's.

    Args:
        readable: the intake's keys; `spec` is the text of the specification already read, if there is one.
        name: of the feed. fleet_zone, fleet_currency: the fleet's, or those of the feed's terminal.
        terminal: in place of the intake's own.
    """
    return Feed(
        format=readable.format,
        latency=microseconds(readable.latency),
        reading=Reading(
            name=name,
            terminal=terminal or readable.terminal,
            timezone=readable.timezone or fleet_zone,
            currency=readable.currency or fleet_currency,
            date_order=readable.date_order,
            columns=readable.columns,
            events=readable.events,
            spec=readable.spec,
            encoding=readable.encoding,
        ),
    )
