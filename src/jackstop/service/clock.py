"""The wall clock, and small files that are whole or not there."""

import time
from pathlib import Path


def now() -> int:
    """Wall clock, µs since 1970 UTC."""
    return time.time_ns() // 1000


def written(path: Path, data: bytes) -> None:
    """Write a small file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(data)
    fresh.replace(path)
