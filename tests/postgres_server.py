"""A PostgreSQL server of the tests' own: made when first asked for, gone when the tests end."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

STARTS = 30.0
"""Seconds a server is given to start."""

_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "autovacuum": "off",
    "log_min_messages": "warning",
}


class NoServer(Exception):
    """There is no PostgreSQL here; the message says why."""


class Cluster:
    """A running server, reached over its socket in a folder of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._made = 0

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@/{name}?host={self.place}"

    def create(self, template: str = "template1") -> str:
        """Make a database, and give its name."""
        self._made += 1
        name = f"test_{self._made}"
        self.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def run(self, statement: str) -> None:
        """Run a statement outside of any transaction."""
        with psycopg.connect(f"host={self.place} user=postgres dbname=postgres", autocommit=True) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def server() -> Iterator[Cluster]:
    """A server while this lasts.

    Raises:
        NoServer: PostgreSQL is not installed, or does not start.
    """
    programs, account = _programs(), _account()
    place = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if account is not None:
            os.chown(place, account.pw_uid, account.pw_gid)
        as_whom = {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        base = {"cwd": place, "stdin": subprocess.DEVNULL, "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}}
        made = subprocess.run(
            [programs / "initdb", "-D", place / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
            capture_output=True,
            text=True,
            check=False,
            **base,
            **as_whom,
        )
        if made.returncode:
            raise NoServer(f"initdb: {made.stderr.strip()[-300:]}")
        settings = [a for name, value in _OPTIONS.items() for a in ("-c", f"{name}={value}")]
        with (place / "log").open("wb") as log:
            command = [programs / "postgres", "-D", place / "data", "-k", place, *settings]
            process = subprocess.Popen(command, stdout=log, stderr=log, **base, **as_whom)
        try:
            _await(place, process)
            yield Cluster(place)
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(STARTS)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _programs() -> Path:
    """The folder of the newest server installed."""
    on_path = shutil.which("initdb")
    listed = [Path(on_path).parent] if on_path and shutil.which("postgres") else []
    listed += Path("/usr/lib/postgresql").glob("*/bin")
    known = [p for p in listed if (p / "initdb").is_file() and (p / "postgres").is_file()]
    if not known:
        raise NoServer("PostgreSQL is not installed; scripts/servers installs it as root")
    return max(known, key=lambda p: [int(n) for n in re.findall(r"\d+", p.parent.name)])


def _account() -> pwd.struct_passwd | None:
    """Whom the server runs as: us, or as root the account `postgres`, for it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise NoServer("there is no account postgres, and PostgreSQL does not run as root") from None


def _await(place: Path, process: subprocess.Popen) -> None:
    """Wait until the server answers."""
    until = time.monotonic() + STARTS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(f"host={place} user=postgres dbname=postgres").close()
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise NoServer(f"PostgreSQL did not start: {(place / 'log').read_text('utf-8', 'replace')[-300:]}")
