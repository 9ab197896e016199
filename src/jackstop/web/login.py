"""Logging in with a name, a password and a one-time code; sessions; logging out.

A failure never tells which of the three was wrong, and takes as long for a name that is nobody's.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.responses import Response

from jackstop.model.fleet import microseconds
from jackstop.store import audit, people
from jackstop.store.people import Session, User
from jackstop.web import codes, passwords
from jackstop.web.context import Context
from jackstop.web.errors import Refused
from jackstop.web.gate import ABSOLUTE, cookie_name
from jackstop.web.limits import Backoff

SEALED_FOR = "totp:"
"""What a user's secret is sealed for: this and the name, so that it opens for nobody else."""
_USUAL = 10_000
WRONG = "name, password or code is wrong"


@dataclass(frozen=True, slots=True)
class Opened:
    """A session just begun; `secret` is the cookie's value and nowhere else."""

    secret: str
    session: Session
    user: User


class Logins:
    """The waits after failed logins, by address and by name.

    An address from which a name came in before waits by itself alone: a stranger who guesses elsewhere cannot shut it out.
    """

    def __init__(self, context: Context) -> None:
        limits = context.limits
        self._address = Backoff(limits.tries, limits.longest)
        self._name = Backoff(limits.tries, limits.longest_user)
        self._usual: OrderedDict[tuple[str, str], None] = OrderedDict()

    def ask(self, address: str, name: str, now: int) -> None:
        """Count a try, as failed until it succeeds.

        Raises:
            Refused: 429, it is too early.
        """
        usual = (address, name) in self._usual
        wait = max(self._address.wait(address, now), 0.0 if usual else self._name.wait(name, now))
        if wait:
            raise Refused(429, "too many failed logins, try again later", {"Retry-After": str(max(1, round(wait + 0.5)))})
        self._address.fail(address, now)
        self._name.fail(name, now)

    def succeed(self, address: str, name: str) -> None:
        """Forget the failures."""
        self._address.succeed(address)
        self._name.succeed(name)
        self._usual[address, name] = None
        self._usual.move_to_end((address, name))
        if len(self._usual) > _USUAL:
            self._usual.popitem(last=False)


def login(context: Context, logins: Logins, name: str, password: str, code: str, address: str, before: str = "") -> Opened:
    """Log somebody in. The session the caller had before ends: its cookie may have been planted.

    Args:
        before: the cookie the caller came with.

    Raises:
        Refused: 401 something is wrong, 429 too early.
    """
    name, now = name.strip().casefold()[:100], context.clock()
    logins.ask(address, name, now)
    with context.database.read() as connection:
        user = people.find(connection, name)
    step = check(context, user, password, code)
    with context.database.write() as connection:
        if user is None or step is None or user.disabled or not people.use_step(connection, name, step):
            known = user.name if user else "somebody unknown"
            audit.append(connection, now, known, "login.failed", known, f"from {address}")
            opened = None
        else:
            if before:
                people.end(connection, people.digest(before))
            opened = begin(connection, context, user, address)
            audit.append(connection, now, name, "login.done", name, f"from {address}")
    if opened is None:
        raise Refused(401, WRONG)
    logins.succeed(address, name)
    _renew_hash(context, opened.user, password)
    return opened


def check(context: Context, user: User | None, password: str, code: str) -> int | None:
    """The step of the one-time code where password and code are right; takes as long where they are not."""
    right = passwords.matches(user.password if user else None, password)
    sealed = user.totp if user else None
    secret = context.keyring.unseal(sealed, SEALED_FOR + user.name) if user and sealed else None
    step = codes.step_of((secret or b"A" * 32).decode(), code, context.clock())
    return step if right and secret is not None else None


def begin(connection: Connection, context: Context, user: User, address: str) -> Opened:
    """A new session, with secrets of its own."""
    secret, now = secrets.token_urlsafe(32), context.clock()
    lasting = max(ABSOLUTE, microseconds(context.declared.api.session))
    session = Session(people.digest(secret), user.name, secrets.token_urlsafe(32), now, now, now + lasting, address[:100])
    people.begin(connection, session)
    return Opened(secret, session, user)


def set_cookie(response: Response, context: Context, secret: str) -> None:
    """Give the browser its session; not readable by scripts, not sent by other sites' pages."""
    response.set_cookie(cookie_name(context), secret, path="/", secure=context.secure, httponly=True, samesite="strict")


def clear_cookie(response: Response, context: Context) -> None:
    """Take the browser's session away."""
    response.delete_cookie(cookie_name(context), path="/", secure=context.secure, httponly=True, samesite="strict")


def _renew_hash(context: Context, user: User, password: str) -> None:
    """Hash the password anew where it was hashed with older settings."""
    if user.password is not None and passwords.stale(user.password):
        made = passwords.hashed(password)
        with context.database.write() as connection:
            people.set_password(connection, user.name, made)
