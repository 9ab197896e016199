"""The real service as a process of its own, with a bundle played to it, for tests that kill it."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

from jackstop.store import tokens
from jackstop.store.database import Database

CONFIG = """
[service]
fleet = "bundle/fleet.toml"
visits = "bundle/visits.csv"
time = "records"
slack = "10m"
database = "{url}"

[spool]
segment = 400000
quota = 1000000000
burst = 1000000000

[history]
every = "2s"

[api]
listen = "127.0.0.1:{api}"

[[intake]]
kind = "http"
name = "lab"
format = "switch-csv"
listen = "127.0.0.1:{logs}"
declare = true

{more}
"""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


class Service:
    """A service in a folder: begun, killed, begun again."""

    def __init__(self, folder: Path, url: str = "", more: str = "") -> None:
        self.folder, self.api, self.logs = folder, free_port(), free_port()
        self.url = url or f"sqlite:///{folder}/data/jackstop.sqlite"
        (folder / "jackstop.toml").write_text(CONFIG.format(url=url, api=self.api, logs=self.logs, more=more))
        self.process: subprocess.Popen[bytes] | None = None
        self._log = (folder / "service.log").open("ab")

    def start(self) -> None:
        command = [sys.executable, "-m", "jackstop", "serve", "--config", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log, cwd=self.folder)

    def ready(self, seconds: float = 60.0) -> None:
        """Wait until logs are taken."""
        self.until(lambda: self._open(self.logs), seconds, "the intake does not listen")

    def until(self, holds, seconds: float, what: str):
        end = time.monotonic() + seconds
        while True:
            assert self.process is not None and self.process.poll() is None, f"the service ended\n{self.log()}"
            found = holds()
            if found:
                return found
            assert time.monotonic() < end, f"{what}\n{self.log()}"
            time.sleep(0.05)

    def log(self) -> str:
        return "\n".join((self.folder / "service.log").read_text("utf-8", "replace").splitlines()[-30:])

    @staticmethod
    def _open(port: int) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return True
        return False

    def parts(self) -> list[psutil.Process]:
        """The front and the loop, where they run."""
        assert self.process is not None
        with contextlib.suppress(psutil.Error):
            return [p for p in psutil.Process(self.process.pid).children() if "resource_tracker" not in " ".join(p.cmdline())]
        return []

    def kill(self, chance: random.Random) -> str:
        """Kill -9 one part or everything; gives what."""
        parts = self.parts()
        if parts and chance.random() < 0.75:
            victim = chance.choice(parts)
            with contextlib.suppress(psutil.Error):
                victim.kill()
            return "part"
        self.crash()
        self.start()
        return "all"

    def crash(self) -> None:
        """Kill -9 everything at once."""
        assert self.process is not None
        parts = self.parts()
        self.process.send_signal(signal.SIGKILL)
        for part in parts:
            with contextlib.suppress(psutil.Error):
                part.kill()
        self.process.wait()
        psutil.wait_procs(parts, 10)

    def stop(self) -> int:
        """Stop it as an operator does; gives its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def end(self) -> None:
        """Whatever there is left, end it."""
        if self.process is not None and self.process.poll() is None:
            self.crash()
        self._log.close()

    def token(self, *scopes: str) -> str:
        """An API token."""
        with contextlib.closing(Database(self.url)) as database, database.write() as connection:
            return tokens.make(connection, "test", scopes, "test", time.time_ns() // 1000)[1]

    def standing(self) -> dict[str, int]:
        """How the loop fares; empty where it was not heard of."""
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.folder / "data" / "run" / "loop.json").read_bytes())
        return {}


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}
