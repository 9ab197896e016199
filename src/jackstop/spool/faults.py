"""What can be wrong with a spool."""


class SpoolError(Exception):
    """A spool cannot be used: where, what is wrong, and what was expected, in one line."""

    def __init__(self, where: object, what: str, expected: str) -> None:
        super().__init__(f"{where}: {what}, expected {expected}")
        self.where = str(where)
        self.what = what
        self.expected = expected


class SpoolFull(SpoolError):
    """The disk takes no more; nothing of the batch was kept."""
