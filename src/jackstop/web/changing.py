"""A change whose own functions write the audit log: the transaction, and faults in words."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from jackstop.policy import response
from jackstop.web.context import Context
from jackstop.web.errors import Refused


@contextmanager
def changing(context: Context) -> Iterator[Connection]:
    """A transaction.

    Raises:
        Refused: 404 where there is no such thing, 403 where this person's word does not count, 409 where it cannot be done.
    """
    try:
        with context.database.write() as connection:
            yield connection
    except response.Refused as fault:
        status = {"missing": 404, "own": 403, "voted": 403, "people": 403}.get(fault.code, 409)
        raise Refused(status, fault.reason) from None
    except LookupError as fault:
        raise Refused(404, str(fault.args[0]) if fault.args else "") from None
    except ValueError as fault:
        raise Refused(409, str(fault)) from None
