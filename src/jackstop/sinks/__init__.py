"""Sinks (floor 5): alerts in the shapes that other systems take, one file each, found by file name.

A module whose name has no leading underscore is a sink; its name is its id. It offers `SUFFIX`, the end of a file's name
in that shape, and `line(alert, lang, telling)`: the alert as one line without its line end. Encoders are pure; whatever a log
says, a line stays one line.
"""

from typing import Protocol, cast

from jackstop.model import members
from jackstop.model.results import Alert
from jackstop.sinks._sayings import Saying, Telling, key, lead, message

__all__ = ["Saying", "Sink", "Telling", "find", "key", "lead", "message", "names"]


class Sink(Protocol):
    """The role a sink module plays."""

    SUFFIX: str

    def line(self, alert: Alert, lang: str = "en", telling: Telling | None = None) -> str:
        """The alert in this shape, its words in a language (`en`, `ja`), with no line break anywhere."""


def names() -> tuple[str, ...]:
    """The ids of all sinks, sorted."""
    return members.names(__name__)


def find(name: str) -> Sink:
    """The sink of this id.

    Raises:
        LookupError: no such sink; the message lists those there are.
    """
    return cast(Sink, members.find(__name__, name, "shape"))
