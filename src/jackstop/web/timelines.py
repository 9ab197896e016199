"""Timelines as the API gives them, from the history."""

from jackstop.web.context import Context
from jackstop.web.errors import Refused
from jackstop.web.models import Event, Timeline

MOST = 500
"""Events of one timeline at most."""


def timeline(context: Context, terminal: str, begin: int, end: int) -> Timeline:
    """What happened at a terminal from `begin` to before `end` (µs UTC).

    Raises:
        Refused: 409, no history is kept.
    """
    if context.history is None:
        raise Refused(409, "no history is kept here")
    found = context.history.timeline(terminal, begin, end, MOST + 1)
    events = [Event.model_validate(e) for e in found[:MOST]]
    return Timeline(terminal=terminal, begin=begin, end=end, events=events, cut=len(found) > MOST)
