"""One-time links: the first administrator, and everybody who is given a way in, choose a password and enrol their codes.

Nothing has a default password. A link is `/join?token=…` with 256 bits, holds for a day, and serves once.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from jackstop.store import audit, people
from jackstop.store.database import Database
from jackstop.web import codes, passwords
from jackstop.web.context import Context
from jackstop.web.login import SEALED_FOR

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}", re.ASCII)
"""What users are called."""
PATH = "/join?token="
_SEALED_FOR = "join:"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a link leads to: a user's name, or empty for the first administrator; and a secret to enrol."""

    user: str
    secret: str
    sealed: str


def setup_link(database: Database, clock: Callable[[], int]) -> str | None:
    """A new link for the first administrator; None where there is one. Earlier links of this kind no longer serve.

    Raises:
        StoreError: the database cannot be read or written.
    """
    now = clock()
    with database.write() as connection:
        if people.administrators(connection):
            return None
        path = invite(connection, "", now)
        audit.append(connection, now, "jackstop", "setup.link", "first administrator")
    return path


def invite(connection: Connection, name: str, at: int) -> str:
    """A new link for a user, as a path."""
    token = secrets.token_urlsafe(32)
    people.make_link(connection, people.digest(token), name, at)
    return PATH + token


def look(context: Context, token: str, sealed: str = "") -> Invitation | None:
    """Where a link leads, with a new secret or the one sealed before; None for a link that does not hold."""
    kept = people.digest(token)
    with context.database.read() as connection:
        link = people.link(connection, kept, context.clock())
        if link is None or (not link.user and people.administrators(connection)):
            return None
        if link.user and people.find(connection, link.user) is None:
            return None
    about = _SEALED_FOR + kept
    secret = context.keyring.unseal(_bytes(sealed), about) or codes.new_secret().encode()
    return Invitation(link.user, secret.decode(), context.keyring.seal(secret, about).hex())


def join(context: Context, token: str, sealed: str, name: str, password: str, code: str, address: str) -> str:
    """Use a link: the user has a password and codes from here on, and can log in.

    Returns:
        Why not, as a key of the texts; empty where it is done.
    """
    found = look(context, token, sealed)
    if found is None:
        return "link_gone"
    name = found.user or name.strip().casefold()
    if not NAME.fullmatch(name) or name in people.RESERVED:
        return "name_bad"
    if fault := passwords.fault(password, name):
        return fault
    now = context.clock()
    step = codes.step_of(found.secret, code, now)
    if step is None:
        return "code_bad"
    return _enrol(context, found, token, name, passwords.hashed(password), step, address)


def _enrol(context: Context, found: Invitation, token: str, name: str, kept: str, step: int, address: str) -> str:
    now, sealed = context.clock(), context.keyring.seal(found.secret.encode(), SEALED_FOR + name)
    with context.database.write() as connection:
        if not people.use_link(connection, people.digest(token)) or (not found.user and people.administrators(connection)):
            return "link_gone"
        known = people.find(connection, name)
        if not found.user:
            if known is not None:
                people.forget(connection, name)
                people.set_role(connection, name, "administrator")
                people.set_disabled(connection, name, False)
            else:
                people.add(connection, name, "administrator", now)
        people.enrol(connection, name, kept, sealed, step)
        audit.append(
            connection, now, name, "user.joined", name, f"{'first administrator, ' if not found.user else ''}from {address}"
        )
    return ""


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
