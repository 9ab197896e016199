"""A fault in rule files: where, what, and what was expected."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault.

    Attributes:
        path, line: where (line from 1). what, expected: in words.
        kind: `file` (not readable as YAML), `sigma` (no valid Sigma), `source` (log source not known), `field`, `regex`,
            `placeholder`, `correlation`, `absence`, `unsupported`.
    """

    path: str
    line: int
    kind: str
    what: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}, expected {self.expected}"


class Unsupported(Exception):
    """A rule asks what cannot be done; carries what becomes a `Fault`, and `also` the others of the same rule."""

    def __init__(self, kind: str, what: str, expected: str, field: str | None = None) -> None:
        super().__init__(what)
        self.kind, self.what, self.expected, self.field = kind, what, expected, field
        self.also: tuple[Unsupported, ...] = ()

    def all(self) -> "list[Unsupported]":
        """This one and the others of the same rule."""
        return [self, *self.also]


class Collected:
    """What a rule asks that cannot be done, gathered while its parts are read."""

    def __init__(self) -> None:
        self._found: list[Unsupported] = []

    def add(self, said: Unsupported) -> None:
        """One more."""
        if (said.what, said.field) not in {(f.what, f.field) for f in self._found}:
            self._found.append(said)

    def check(self) -> None:
        """Nothing, where nothing was gathered.

        Raises:
            Unsupported: the first, with the others.
        """
        if self._found:
            first, *others = self._found
            first.also = tuple(others)
            raise first
