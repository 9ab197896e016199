"""A process that commits steps, puts rows away and merges files, to be killed at any moment."""

import contextlib
import sys
from pathlib import Path

import decided
from some_rows import cabinet

from jackstop.store import compaction
from jackstop.store.database import Database
from jackstop.store.history import History
from jackstop.store.live import Checkpoint, Live

STEPS = 120
"""Steps of a whole run."""

EVERY = 7
"""Steps between two checkpoints."""


def run(url: str, folder: str, progress: str) -> None:
    """Go on from the last checkpoint to the last step; each step committed is a byte in a file."""
    with contextlib.closing(Database(url)) as database, Path(progress).open("ab", buffering=0) as told:
        live, history = Live(database), History(Path(folder), database)
        kept = live.checkpoint()
        for seq in range(kept.seq + 1 if kept else 1, STEPS + 1):
            step = decided.busy(seq)
            history.keep({"cabinet": cabinet(*((seq * 10 + n, f"ATM-{n}", step.watermark, step.watermark) for n in range(3)))})
            if seq % EVERY == 0 or seq == STEPS:
                checkpoint = Checkpoint(seq, 1, seq, step.watermark, step.at, "0", b"%d" % seq)
                live.commit(step, checkpoint, history.seal()(seq), {f"feed-{seq % 3}": b"%d" % seq})
            else:
                live.commit(step)
            if seq % 40 == 0:
                compaction.compact(history, step.at)
            told.write(b".")


if __name__ == "__main__":
    run(*sys.argv[1:])
