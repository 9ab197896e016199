"""A message in a shape, no longer than the other side takes it."""

from typing import Literal

from jackstop import sinks
from jackstop.outlets import Message, Never

Shape = Literal["ocsf", "ecs", "cef", "leef"]
STEPS = (200, 50, 10, 3, 1, 0)
"""Findings and records that are written out, tried in this order until the line is short enough."""


def fitted(shape: str, message: Message, lang: str, longest: int, index: int) -> str:
    """A message as one line of at most so many bytes, with fewer findings and records if it must be.

    Raises:
        Never: it is too long even without any; `index` is its place in the batch.
    """
    size = 0
    for most in STEPS:
        line = sinks.find(shape).line(message.alert, lang, message.telling(most))
        size = len(line.encode())
        if size <= longest:
            return line
    raise Never(f"{size} bytes without its findings, expected at most {longest}", index)
