"""Saving: a checkpoint is made beside the loop, which goes on meanwhile; it is made of values that no later step changes.

Large states take seconds to pack; alerts do not wait for that. The loop writes what was made with one of its next steps. A crash
before then leaves the checkpoint before, from which more steps are taken again.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from jackstop.store.live import Checkpoint, HistoryFile

__all__ = ["Made", "Saving"]


@dataclass(frozen=True, slots=True)
class Made:
    """A checkpoint that can be written, with the history's files and the readers (by feed) that belong to it.

    Attributes:
        cost: µs it took to make. place: the file its state is in; empty where it is in the checkpoint. gone: feeds forgotten.
    """

    checkpoint: Checkpoint
    files: Sequence[HistoryFile]
    readers: Mapping[str, bytes]
    cost: int
    place: str = ""
    gone: Sequence[str] = ()


class Saving:
    """At most one checkpoint that is being made."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._flying: Future[Made] | None = None

    @property
    def busy(self) -> bool:
        """Whether one is being made, or has not been taken yet."""
        return self._flying is not None

    def begin(self, make: Callable[[], Made]) -> None:
        """Have one made, beside the caller.

        Raises:
            RuntimeError: one is being made already.
        """
        if self._flying is not None:
            raise RuntimeError("a checkpoint is being made, expected it to be taken first")
        self._flying = self._thread.submit(make)

    def ready(self) -> Made | None:
        """The one that was made, once; None where there is none yet.

        Raises:
            Whatever making it raised.
        """
        return self.wait() if self._flying is not None and self._flying.done() else None

    def wait(self) -> Made | None:
        """The one that is being made, when it is; None where none is.

        Raises:
            Whatever making it raised.
        """
        flying, self._flying = self._flying, None
        return None if flying is None else flying.result()

    def close(self) -> None:
        """Wait until nothing is being made; what was is dropped."""
        self._flying = None
        self._thread.shutdown()
