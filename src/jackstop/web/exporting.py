"""Packages of evidence made for people at the API: one at a time, in a thread, kept for a day."""

import asyncio
import re
import secrets
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from jackstop.runners.evidence import EvidenceError, Sources, export
from jackstop.runners.evidence_subject import Order
from jackstop.spool.faults import SpoolError
from jackstop.store.faults import StoreError
from jackstop.web.errors import Refused

KEPT = 24 * 3600 * 1_000_000
"""µs a package is kept."""
WAITING = 5
"""Packages that may wait to be made."""
_LISTED = 50


@dataclass(frozen=True, slots=True)
class Job:
    """One package. `state`: waiting, ready, failed; `fault`: why it failed. `bytes`, `digest`, `warnings`: once it is ready."""

    id: str
    case: str
    by: str
    unmasked: bool
    asked_at: int
    state: str = "waiting"
    fault: str = ""
    bytes: int = 0
    digest: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What its folder and file are called: the case's id in plain letters."""
        return re.sub(r"[^A-Za-z0-9_-]", "-", self.case)[:80]


class Exporter:
    """Makes packages.

    Args:
        sources: what they are made from. folder: its own; what an earlier run left there goes. clock: µs UTC.
        stamper: gives a time stamp, or None for none.
    """

    def __init__(
        self, sources: Sources, folder: Path, clock: Callable[[], int], stamper: Callable[[bytes], bytes] | None = None
    ) -> None:
        self._sources, self._folder, self._clock, self._stamper = sources, folder, clock, stamper
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        shutil.rmtree(folder, ignore_errors=True)

    def begin(self, case: str, by: str, lang: str, *, unmasked: bool) -> Job:
        """Begin to make a package of a case or an alert.

        Raises:
            Refused: 429, too many wait.
        """
        self._tidy()
        if sum(j.state == "waiting" for j in self._jobs.values()) >= WAITING:
            raise Refused(429, f"{WAITING} packages wait already", {"Retry-After": "30"})
        now = self._clock()
        job = Job(secrets.token_hex(8), case, by, unmasked, now)
        self._jobs[job.id] = job
        task = asyncio.create_task(self._make(job, Order(case, lang, unmasked, by, now)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def jobs(self) -> list[Job]:
        """The packages there are, newest first."""
        self._tidy()
        return sorted(self._jobs.values(), key=lambda j: (-j.asked_at, j.id))

    def find(self, ident: str) -> Job | None:
        """The package of an id."""
        self._tidy()
        return self._jobs.get(ident)

    def path(self, job: Job) -> Path:
        """Where a package that is ready lies."""
        return self._folder / f"{job.id}.zip"

    async def settle(self) -> None:
        """Wait for what is being made."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _make(self, job: Job, order: Order) -> None:
        async with self._turn:
            try:
                done = await run_in_threadpool(self._package, job, order)
            except LookupError as fault:
                done = replace(job, state="failed", fault=str(fault.args[0]) if fault.args else "")
            except (EvidenceError, StoreError, SpoolError, OSError) as fault:
                done = replace(job, state="failed", fault=str(fault)[:300])
        self._jobs[job.id] = done

    def _package(self, job: Job, order: Order) -> Job:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        bag = self._folder / job.id / job.name
        try:
            made = export(self._sources, order, bag, self._stamper)
            size = _zip(bag, self.path(job))
        finally:
            shutil.rmtree(self._folder / job.id, ignore_errors=True)
        return replace(job, state="ready", bytes=size, digest=made.digest, warnings=made.warnings)

    def _tidy(self) -> None:
        """Forget packages that are too old, and the oldest above so many."""
        ready = sorted((j for j in self._jobs.values() if j.state != "waiting"), key=lambda j: j.asked_at)
        old = [j for j in ready if j.asked_at + KEPT <= self._clock()]
        for job in {j.id: j for j in (*old, *ready[: max(0, len(ready) - _LISTED)])}.values():
            self.path(job).unlink(missing_ok=True)
            del self._jobs[job.id]


def _zip(folder: Path, out: Path) -> int:
    """A folder as a zip file that only its owner may read; gives its size."""
    part = out.with_suffix(".part")
    part.touch(mode=0o600)
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as package:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            package.write(path, f"{folder.name}/{path.relative_to(folder)}")
    part.rename(out)
    return out.stat().st_size
