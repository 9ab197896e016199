"""API tokens: `jst_` and 256 bits, kept as their SHA-256, with scopes and an end.

A scope is a role (`viewer`, `analyst`, `approver`, `administrator`), `intake:NAME`, `interlock`, or `metrics`.
"""

import re
import secrets
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, insert, select, update

from jackstop.store.people import ROLES, digest
from jackstop.store.schema import tokens

PREFIX = "jst_"
PLAIN_SCOPES = (*ROLES, "interlock", "metrics")
_INTAKE = re.compile(r"intake:[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_MOST = 32


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept; the secret itself is not here. Times are µs UTC, None where it never ends or was never used."""

    id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    made_by: str
    made_at: int
    ends_at: int | None
    used_at: int | None
    revoked_at: int | None

    def holds(self, at: int) -> bool:
        """Whether it is good at an instant."""
        return self.revoked_at is None and (self.ends_at is None or at < self.ends_at)


def make(
    connection: Connection, name: str, scopes: tuple[str, ...], made_by: str, at: int, ends_at: int | None = None
) -> tuple[Token, str]:
    """Make a token, and give it with its secret, which is nowhere else and never shown again.

    Raises:
        ValueError: a scope is none, there is none, or too many, or the end is past.
    """
    if not scopes or len(scopes) > _MOST:
        raise ValueError(f"{len(scopes)} scopes, expected 1 to {_MOST}")
    for scope in scopes:
        if scope not in PLAIN_SCOPES and not _INTAKE.fullmatch(scope):
            raise ValueError(f"scope {scope[:60]!r}, expected one of: {', '.join(PLAIN_SCOPES)}, intake:NAME")
    if ends_at is not None and ends_at <= at:
        raise ValueError("the token's end is past, expected a time to come")
    secret = PREFIX + secrets.token_urlsafe(32)
    made = Token(secrets.token_hex(8), name, digest(secret), tuple(dict.fromkeys(scopes)), made_by, at, ends_at, None, None)
    connection.execute(
        insert(tokens).values(
            id=made.id,
            name=name,
            digest=made.digest,
            scopes=msgspec.json.encode(made.scopes).decode(),
            made_by=made_by,
            made_at=at,
            ends_at=ends_at,
        )
    )
    return made, secret


def listing(connection: Connection) -> list[Token]:
    """All tokens, newest first, those no longer good too."""
    rows = connection.execute(select(tokens).order_by(tokens.c.made_at.desc(), tokens.c.id)).mappings()
    return [Token(**{**row, "scopes": msgspec.json.decode(row["scopes"], type=tuple[str, ...])}) for row in rows]


def find(connection: Connection, ident: str) -> Token | None:
    """The token of this id."""
    return next((t for t in listing(connection) if t.id == ident), None)


def revoke(connection: Connection, ident: str, at: int) -> bool:
    """End a token now; False where there is none of this id that had not ended so before."""
    query = update(tokens).where(tokens.c.id == ident, tokens.c.revoked_at.is_(None)).values(revoked_at=at)
    return connection.execute(query).rowcount == 1


def used(connection: Connection, idents: dict[str, int]) -> None:
    """Note when tokens were last used (id to µs UTC)."""
    for ident, at in sorted(idents.items()):
        connection.execute(update(tokens).where(tokens.c.id == ident).values(used_at=at))
