"""Decoding beside the engine: shelves in processes of their own, asked one instant ahead.

Each process owns some of the files; rows come back as Arrow IPC. With one job all happens in this process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import NamedTuple

import polars as pl

from jackstop.model.tables import BY_NAME, Tables
from jackstop.runners import rubbish
from jackstop.runners.lost import WorkerLost
from jackstop.runners.shelf import FAR, Account, Given, Shelf, piece_size
from jackstop.sources.bundle import BundleFile

_PATIENCE = 10
"""Seconds that a process is given to end once it is no longer asked."""


class _Answer(NamedTuple):
    frames: dict[str, bytes]
    done: bool
    disordered: tuple[str, ...]
    accounts: list[Account]
    end: int


@dataclass(slots=True)
class _Worker:
    files: tuple[BundleFile, ...]
    connection: Connection
    process: SpawnProcess
    accounts: list[Account]
    end: int = -FAR


class Workers:
    """The files of a bundle, read side by side by some processes. Use as a context manager.

    Args:
        files: of the bundle. jobs: decoding processes; 1 means none beside this one. whole: files read whole.
    """

    def __init__(self, files: Sequence[BundleFile], jobs: int, whole: frozenset[str]) -> None:
        self._shares = _shares(files, jobs)
        self._piece = piece_size(len(files))
        self._whole = whole
        self._own = Shelf(files, self._piece, whole) if jobs < 2 or not files else None
        self._workers: list[_Worker] = []
        self._asked: int | None = None

    def __enter__(self) -> "Workers":
        if self._own is not None:
            return self
        context = get_context("spawn")
        for share in self._shares:
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, share, self._piece, self._whole), daemon=True)
            process.start()
            there.close()
            self._workers.append(_Worker(share, here, process, [Account(f.name) for f in share]))
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(_PATIENCE)

    def ask(self, instant: int) -> None:
        """Begin to read up to an instant (µs), so that `until` need not wait as long."""
        if self._own is None and self._asked is None:
            self._asked = instant
            for worker in self._workers:
                _send(worker, instant)

    def until(self, instant: int) -> Given:
        """At least the rows up to an instant (µs) that were not given before; the instant asked for before, if one was.

        Raises:
            WorkerLost: a decoding process is gone.
        """
        if self._own is not None:
            return self._own.until(instant)
        self.ask(instant)
        self._asked = None
        answers = [_receive(w) for w in self._workers]
        parts = [Tables.of(**{n: _whole(n, b) for n, b in a.frames.items()}) for a in answers if a.frames]
        tables = Tables.concat(parts) if parts else Tables.of()
        return Given(tables, all(a.done for a in answers), tuple(n for a in answers for n in a.disordered))

    def accounts(self) -> list[Account]:
        """What became of each file so far, by name."""
        if self._own is not None:
            return sorted(self._own.accounts(), key=lambda a: a.name)
        return sorted((a for w in self._workers for a in w.accounts), key=lambda a: a.name)

    def end(self) -> int:
        """How far the rows of the files reach (µs); `-FAR` for none."""
        return self._own.end() if self._own is not None else max((w.end for w in self._workers), default=-FAR)


def _shares(files: Sequence[BundleFile], jobs: int) -> list[tuple[BundleFile, ...]]:
    """Files dealt out so that each process has about as many bytes."""
    loads = [0] * max(1, jobs)
    shares: list[list[BundleFile]] = [[] for _ in loads]
    for file in sorted(files, key=lambda f: (-f.size, f.name)):
        least = loads.index(min(loads))
        loads[least] += file.size + 1
        shares[least].append(file)
    return [tuple(s) for s in shares if s]


def _send(worker: _Worker, instant: int) -> None:
    try:
        worker.connection.send(instant)
    except OSError as fault:
        raise _lost(worker, fault) from None


def _receive(worker: _Worker) -> _Answer:
    try:
        answer: _Answer = worker.connection.recv()
    except (EOFError, OSError) as fault:
        raise _lost(worker, fault) from None
    worker.accounts, worker.end = answer.accounts, answer.end
    return answer


def _lost(worker: _Worker, fault: Exception) -> WorkerLost:
    names = ", ".join(f.name for f in worker.files[:3]) + (" …" if len(worker.files) > 3 else "")
    return WorkerLost(f"the process that decodes {names} ended by itself ({type(fault).__name__}), expected it to stay")


def _slim(frame: pl.DataFrame) -> bytes:
    """A frame without the columns in which it says nothing."""
    return frame.select([c for c in frame if c.null_count() < frame.height]).write_ipc(None).getvalue()


def _whole(name: str, data: bytes) -> pl.DataFrame:
    """The frame that was made slim: every column of its table."""
    frame = pl.read_ipc(data)
    schema = BY_NAME[name].schema
    return frame.select(pl.col(c) if c in frame.columns else pl.lit(None, t).alias(c) for c, t in schema.items())


def _serve(connection: Connection, files: tuple[BundleFile, ...], piece: int, whole: frozenset[str]) -> None:
    """A decoding process: answers instants with rows until the other end closes."""
    rubbish.seldom()
    shelf = Shelf(files, piece, whole)
    while True:
        try:
            instant = connection.recv()
        except EOFError:
            return
        given = shelf.until(instant)
        frames = {n: _slim(f) for n, f in given.tables.items() if f.height}
        connection.send(_Answer(frames, given.done, given.disordered, shelf.accounts(), shelf.end()))
