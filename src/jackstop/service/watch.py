"""The watchman: starts the front and the loop as processes of their own, begins them again when they end, stops them in order."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import structlog

from jackstop.runners import rubbish

log = structlog.get_logger("watch")

SOONEST, LATEST = 0.5, 30.0
"""Seconds before a part that ended is begun again: doubled each time, from the first to the second."""

STEADY = 5.0
"""Seconds after which a part that runs counts as well again."""

GRACE = 20.0
"""Seconds a part has to stop by itself."""

REFUSED = 2
"""Exit code of a part that finds its configuration wrong: it is not begun again."""

Main = Callable[[Path, Connection], None]


@dataclass(slots=True)
class _Part:
    name: str
    main: Main
    process: BaseProcess | None = None
    lifeline: Connection | None = None
    begun: float = 0.0
    wait: float = SOONEST
    due: float = 0.0


class Watchman:
    """Keeps parts running until told to stop.

    Args:
        parts: name and main function of each; it is given the configuration's path and a lifeline: a pipe whose end means that
            nobody watches any more. path: of `jackstop.toml`. Parts stop in the order they are listed.
    """

    def __init__(self, parts: dict[str, Main], path: Path) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._parts = [_Part(n, m) for n, m in parts.items()]
        self._path = path
        self._stopping = False
        self._code = 0

    def run(self) -> int:
        """Run until a signal to stop, or until a part refuses its configuration; gives the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        while not self._stopping:
            for part in self._parts:
                self._look(part, time.monotonic())
            time.sleep(0.1)
        self._end()
        return self._code

    def stop(self) -> None:
        """Stop soon."""
        self._stopping = True

    def _look(self, part: _Part, now: float) -> None:
        """Begin a part that does not run, when its time has come."""
        process = part.process
        if process is not None and process.is_alive():
            if now - part.begun > STEADY:
                part.wait = SOONEST
            return
        if process is not None:
            self._ended(part, process, now)
        elif now >= part.due:
            self._begin(part, now)

    def _begin(self, part: _Part, now: float) -> None:
        theirs, ours = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_enter, args=(part.main, self._path, theirs), name=f"jackstop-{part.name}")
        process.start()
        theirs.close()
        part.process, part.lifeline, part.begun = process, ours, now
        log.info("begun", part=part.name, pid=process.pid)

    def _ended(self, part: _Part, process: BaseProcess, now: float) -> None:
        code = process.exitcode
        process.join()
        if part.lifeline is not None:
            part.lifeline.close()
        part.process, part.lifeline = None, None
        if code == REFUSED:
            self._code, self._stopping = REFUSED, True
            return
        log.error("ended", part=part.name, code=code, again_in=part.wait)
        part.due, part.wait = now + part.wait, min(LATEST, 2 * part.wait)

    def _end(self) -> None:
        for part in self._parts:
            process = part.process
            if process is None:
                continue
            process.terminate()
            process.join(GRACE)
            if process.is_alive():
                log.error("killed", part=part.name, after=GRACE)
                process.kill()
                process.join()
            if part.lifeline is not None:
                part.lifeline.close()


def _enter(main: Main, path: Path, lifeline: Connection) -> None:
    """In the new process: Ctrl-C is the watchman's to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    rubbish.seldom()
    main(path, lifeline)


def die_with(lifeline: Connection) -> None:
    """End this process at once when the watchman is gone, for nobody would begin it again or know of it."""

    def wait() -> None:
        try:
            lifeline.recv_bytes()
        except (EOFError, OSError):
            os._exit(3)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
