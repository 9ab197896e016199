"""A change by a person or a token: the deed and its row of the audit log in one transaction, or neither."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy import Connection

from jackstop.store import audit
from jackstop.web.context import Context
from jackstop.web.errors import Refused


@contextmanager
def deed(
    context: Context, actor: str, action: str, subject: str, **detail: str | int | bool | list[str] | None
) -> Iterator[Connection]:
    """A transaction that ends with its row of the audit log.

    Args:
        actor: who. action: what, such as `alert.handle`. subject: to what. detail: how; written as JSON. No secrets.

    Raises:
        Refused: 404 where the deed finds no such thing (`LookupError`), 409 where it cannot be done (`ValueError`).
    """
    said = {k: v for k, v in detail.items() if v is not None}
    try:
        with context.database.write() as connection:
            yield connection
            text = msgspec.json.encode(said).decode() if said else ""
            audit.append(connection, context.clock(), actor, action, subject, text)
    except LookupError as fault:
        raise Refused(404, _words(fault)) from None
    except ValueError as fault:
        raise Refused(409, _words(fault)) from None


def _words(fault: Exception) -> str:
    return str(fault.args[0]) if fault.args else ""
