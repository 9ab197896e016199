"""Large states of checkpoints, as files beside the database: tens of megabytes in a transaction would keep alerts waiting.

A file is whole and on disk before a checkpoint names it, and named after its content: what is there is what was meant. One
that is lost is like a state of another version: it is made anew from the history.
"""

import hashlib
import os
from pathlib import Path

from jackstop.store.faults import StoreError
from jackstop.store.parquet import sync

__all__ = ["States"]


class States:
    """The states in a folder of its own. One process, the loop, writes and reads them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, seq: int, state: bytes) -> str:
        """Write the state of a checkpoint; gives its name. It lasts when this returns.

        Raises:
            StoreError: it cannot be written.
        """
        name = f"{seq:016d}-{_digest(state)}.state"
        path = self._folder / name
        fresh = path.with_suffix(".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with fresh.open("wb") as file:
                file.write(state)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError as fault:
            raise StoreError(f"{path}: {fault.strerror}, expected room for the state of a checkpoint") from None
        sync({self._folder, self._folder.parent})
        return name

    def get(self, name: str) -> bytes:
        """The state of a name that `put` gave.

        Raises:
            LookupError: it is not there any more, or was altered.
        """
        try:
            state = (self._folder / Path(name).name).read_bytes()
        except OSError as fault:
            raise LookupError(f"{self._folder / name}: {fault.strerror}") from None
        if name.partition("-")[2] != f"{_digest(state)}.state":
            raise LookupError(f"{self._folder / name}: not what was written")
        return state

    def tidy(self, *kept: str) -> None:
        """Remove all but these. One that cannot be removed stays until next time."""
        for path in [*self._folder.glob("*.state"), *self._folder.glob("*.new")]:
            if path.name not in kept:
                try:
                    path.unlink()
                except OSError:
                    continue


def _digest(state: bytes) -> str:
    return hashlib.sha256(state).hexdigest()[:32]
