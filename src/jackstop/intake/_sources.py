"""Feeds of files: named by terminal and path, and read as their intake and their terminal say."""

from hashlib import sha256

from jackstop.intake import Common, Place
from jackstop.intake._feeds import terminals
from jackstop.intake._pattern import Found
from jackstop.model.fleet import Terminal
from jackstop.model.service import Feed, feed

_LONGEST = 380


class Sources:
    """The feeds of an intake's files.

    Args:
        config: the intake's keys. place: gives the fleet, and the folder a specification lies in.

    Raises:
        OSError: the specification cannot be read.
    """

    def __init__(self, config: Common, place: Place) -> None:
        spec = (place.root / config.spec).read_text("utf-8") if config.spec else None
        self._config = config.model_copy(update={"spec": spec})
        self._fleet = place.fleet.fleet
        self._terminals = terminals(place)
        self.unknown: set[str] = set()

    def name(self, found: Found) -> str:
        """The name of a file's feed; the same whenever the file is found again."""
        terminal, path = self._terminal(found), found.relative
        parts = [part for part in path.split("/") if part not in {"", "."}]
        if terminal is not None and found.terminal == terminal.id and terminal.id in parts:
            parts.remove(terminal.id)
        name = "/".join([self._config.name, *([terminal.id] if terminal else []), *parts])
        return plain(name)

    def feed(self, found: Found, form: str) -> Feed:
        """The feed of a file of a format."""
        terminal = self._terminal(found)
        declared = self._declared(terminal)
        readable = self._config.model_copy(update={"format": form})
        zone = (declared and declared.timezone) or self._fleet.timezone
        currency = (declared and declared.currency) or self._fleet.currency
        return feed(readable, self.name(found), zone, currency, terminal.id if terminal else None)

    def zone(self, found: Found) -> str:
        """The time zone of whoever writes a file."""
        declared = self._declared(self._terminal(found))
        return (declared and declared.timezone) or self._fleet.timezone

    def _declared(self, terminal: Terminal | None) -> Terminal | None:
        return terminal or self._terminals.get(self._config.terminal or "")

    def _terminal(self, found: Found) -> Terminal | None:
        if found.terminal is None:
            return None
        known = self._terminals.get(found.terminal) or self._terminals.get(found.terminal.casefold())
        if known is None and len(self.unknown) < 1000:
            self.unknown.add(found.terminal)
        return known


def plain(name: str) -> str:
    """A name that can be kept and shown: signs that cannot are written out, and of a long one the middle is its hash."""
    shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    if len(shown) <= _LONGEST:
        return shown
    return f"{shown[:200]}~{sha256(shown.encode()).hexdigest()[:32]}~{shown[-100:]}"
