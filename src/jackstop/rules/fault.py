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
    """A rule asks what cannot be done; carries what becomes a `Fault`."""

    def __init__(self, kind: str, what: str, expected: str, field: str | None = None) -> None:
        super().__init__(what)
        self.kind, self.what, self.expected, self.field = kind, what, expected, field
