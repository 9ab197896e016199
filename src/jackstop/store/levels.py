"""Cash in machines now, by their own last counters."""

from sqlalchemy import Connection, select

from jackstop.store.schema import facts


def levels(connection: Connection) -> dict[str, tuple[int, int]]:
    """Minor units in each terminal's cassettes, and the time (µs UTC) of the oldest counter of them."""
    f = facts.c
    found: dict[str, tuple[int, int]] = {}
    rows = connection.execute(select(f.terminal, f.at, f.value).where(f.fact.startswith("level:", autoescape=True)))
    for terminal, at, value in rows:
        if value.lstrip("-").isdigit():
            worth, since = found.get(terminal, (0, at))
            found[terminal] = (worth + int(value), min(since, at))
    return found
