"""Users, their sessions, and the one-time links by which they choose a password.

Secrets are here only as hashes: passwords as argon2id, session and link tokens as SHA-256. Secrets for one-time codes are
sealed by the service's keyring before they come here. All functions work in the caller's transaction.
"""

import hashlib
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, update

from jackstop.store.database import put
from jackstop.store.schema import keep, sessions, users

ROLES = ("viewer", "analyst", "approver", "administrator")
"""From the least to the most; each may do what those before it may."""
RESERVED = ("jackstop",)
"""Names that stand for the service itself in the audit log and in approvals."""
LINK_VALID = 24 * 3600 * 1_000_000
"""µs a one-time link holds."""
_LINK = "link:"


@dataclass(frozen=True, slots=True)
class User:
    """A person. `subject`: issuer and subject of an OpenID Connect login; such a person has no password here."""

    name: str
    role: str
    password: str | None
    totp: bytes | None
    totp_step: int | None
    subject: str | None
    disabled: bool
    created_at: int

    @property
    def ready(self) -> bool:
        """Whether this person can log in now."""
        return not self.disabled and (self.subject is not None or (self.password is not None and self.totp is not None))


@dataclass(frozen=True, slots=True)
class Session:
    """One login. `csrf` goes back with whatever changes something; times are µs UTC."""

    digest: str
    user: str
    csrf: str
    begun_at: int
    seen_at: int
    ends_at: int
    address: str


@dataclass(frozen=True, slots=True)
class Link:
    """What a one-time link is for: `user` is empty for the first administrator, who chooses a name."""

    user: str
    made_at: int


def digest(secret: str) -> str:
    """A secret of 256 bits as it is kept (SHA-256): nothing to guess, so it needs no salt and no stretching."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def find(connection: Connection, name: str) -> User | None:
    """The user of this name."""
    row = connection.execute(select(users).where(users.c.name == name)).mappings().first()
    return _user(row) if row else None


def by_subject(connection: Connection, subject: str) -> User | None:
    """The user of this OpenID Connect subject."""
    row = connection.execute(select(users).where(users.c.subject == subject)).mappings().first()
    return _user(row) if row else None


def listing(connection: Connection) -> list[User]:
    """All users by name."""
    return [_user(row) for row in connection.execute(select(users).order_by(users.c.name)).mappings()]


def administrators(connection: Connection) -> int:
    """How many administrators can log in."""
    enrolled = or_(users.c.subject.is_not(None), users.c.password.is_not(None) & users.c.totp.is_not(None))
    query = select(func.count()).select_from(users).where(users.c.role == "administrator", users.c.disabled.is_(False), enrolled)
    return int(connection.execute(query).scalar_one())


def add(connection: Connection, name: str, role: str, at: int, subject: str | None = None) -> None:
    """Make a user who cannot log in yet, unless by OpenID Connect.

    Raises:
        ValueError: the name is taken, or the service's own, or the role is none.
    """
    if name in RESERVED:
        raise ValueError(f"user {name!r} is the service's own name, expected another")
    if role not in ROLES:
        raise ValueError(f"role {role!r}, expected one of: {', '.join(ROLES)}")
    if find(connection, name) is not None:
        raise ValueError(f"user {name!r} is there already, expected a name of its own")
    connection.execute(insert(users).values(name=name, role=role, subject=subject, disabled=False, created_at=at))


def enrol(connection: Connection, name: str, password: str, totp: bytes, step: int) -> None:
    """Set a user's password hash and sealed secret; `step` is that of the code just used. All sessions end."""
    values = {"password": password, "totp": totp, "totp_step": step}
    connection.execute(update(users).where(users.c.name == name).values(**values))
    end_all(connection, name)


def set_password(connection: Connection, name: str, password: str) -> None:
    """Set a password hash."""
    connection.execute(update(users).where(users.c.name == name).values(password=password))


def set_totp(connection: Connection, name: str, totp: bytes, step: int) -> None:
    """Set a sealed secret for one-time codes."""
    connection.execute(update(users).where(users.c.name == name).values(totp=totp, totp_step=step))


def use_step(connection: Connection, name: str, step: int) -> bool:
    """Use a step of one-time codes up; False where it, or a later one, was used before."""
    fresh = or_(users.c.totp_step.is_(None), users.c.totp_step < step)
    return connection.execute(update(users).where(users.c.name == name, fresh).values(totp_step=step)).rowcount == 1


def forget(connection: Connection, name: str) -> None:
    """Take a user's password and secret away and end all sessions, so that a new link is needed."""
    connection.execute(update(users).where(users.c.name == name).values(password=None, totp=None, totp_step=None))
    end_all(connection, name)


def set_role(connection: Connection, name: str, role: str) -> None:
    """Give a user another role; all sessions end.

    Raises:
        ValueError: the role is none.
    """
    if role not in ROLES:
        raise ValueError(f"role {role!r}, expected one of: {', '.join(ROLES)}")
    connection.execute(update(users).where(users.c.name == name).values(role=role))
    end_all(connection, name)


def set_disabled(connection: Connection, name: str, disabled: bool) -> None:
    """Let a user in no longer, or again; all sessions end."""
    connection.execute(update(users).where(users.c.name == name).values(disabled=disabled))
    end_all(connection, name)


def begin(connection: Connection, session: Session) -> None:
    """Keep a new session; those that have ended go."""
    connection.execute(delete(sessions).where(sessions.c.ends_at < session.begun_at))
    connection.execute(
        insert(sessions).values(
            digest=session.digest,
            user=session.user,
            csrf=session.csrf,
            begun_at=session.begun_at,
            seen_at=session.seen_at,
            ends_at=session.ends_at,
            address=session.address,
        )
    )


def session(connection: Connection, kept: str) -> Session | None:
    """The session of this digest, whether it still holds or not."""
    row = connection.execute(select(sessions).where(sessions.c.digest == kept)).mappings().first()
    return Session(**row) if row else None


def sessions_of(connection: Connection, name: str) -> list[Session]:
    """A user's sessions, newest first."""
    query = select(sessions).where(sessions.c.user == name).order_by(sessions.c.begun_at.desc())
    return [Session(**row) for row in connection.execute(query).mappings()]


def seen(connection: Connection, kept: str, at: int) -> None:
    """Note when a session was last used."""
    connection.execute(update(sessions).where(sessions.c.digest == kept, sessions.c.seen_at < at).values(seen_at=at))


def end(connection: Connection, kept: str) -> None:
    """End one session."""
    connection.execute(delete(sessions).where(sessions.c.digest == kept))


def end_all(connection: Connection, name: str, but: str = "") -> int:
    """End all sessions of a user but one, and say how many."""
    return connection.execute(delete(sessions).where(sessions.c.user == name, sessions.c.digest != but)).rowcount


def make_link(connection: Connection, kept: str, name: str, at: int) -> None:
    """Keep a one-time link (by the digest of its token) for a user; earlier ones for the same user go."""
    for old, link in _links(connection):
        if link.user == name:
            connection.execute(delete(keep).where(keep.c.name == old))
    put(connection, keep, [{"name": _LINK + kept, "value": msgspec.json.encode({"user": name}), "at": at}])


def link(connection: Connection, kept: str, at: int) -> Link | None:
    """What a link is for, where there is one of this digest that still holds."""
    row = connection.execute(select(keep.c.value, keep.c.at).where(keep.c.name == _LINK + kept)).first()
    if row is None or not row.at <= at < row.at + LINK_VALID:
        return None
    return Link(_named(row.value), row.at)


def use_link(connection: Connection, kept: str) -> bool:
    """Use a link up; False where somebody else just did."""
    return connection.execute(delete(keep).where(keep.c.name == _LINK + kept)).rowcount == 1


def _links(connection: Connection) -> list[tuple[str, Link]]:
    rows = connection.execute(select(keep.c.name, keep.c.value, keep.c.at).where(keep.c.name.startswith(_LINK)))
    return [(r.name, Link(_named(r.value), r.at)) for r in rows]


def _named(value: bytes) -> str:
    return str(msgspec.json.decode(value, type=dict[str, str])["user"])


def _user(row: RowMapping) -> User:
    return User(**{name: row[name] for name in User.__slots__})
