"""Command: a program of the bank's own is started with the order in its arguments; no shell, no input, bounded time and output.

The program must be one that the policy lists (`[response] programs`), belong to root or to us, and be writable by nobody else.
Arguments are templates with a closed set of placeholders: `{key}`, `{kind}`, `{terminal}`, `{luno}`, `{terminal_id}`,
`{hostname}`, `{region}`, `{alert}`, `{severity}`. A value that is missing, begins with `-` or has control characters is refused.
Exit code 0: done.

```toml
[[action]]
way = "command"
name = "host"
does = ["out-of-service", "in-service"]
argv = ["/opt/bank/atmctl", "{kind}", "{luno}", "{key}"]
status = ["/opt/bank/atmctl", "is", "{kind}", "{luno}"]
confirm = "status"
```
"""

import asyncio
import os
import re
import signal
import stat
from contextlib import suppress
from typing import Literal

from pydantic import Field, field_validator, model_validator

from jackstop.actions import Common, Order, Outcome, Place, Unsent
from jackstop.model.fleet import microseconds

PLACEHOLDERS = ("key", "kind", "terminal", "luno", "terminal_id", "hostname", "region", "alert", "severity")

LARGEST = 64 << 10
"""Bytes of output that are kept while the program runs; the rest is read and dropped."""

_PART = re.compile(r"\{([a-z_]+)\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Config(Common):
    """Keys of the way `command`. `argv`: program and arguments; `status`: those that tell, by exit code 0, that it was done."""

    way: Literal["command"]
    argv: tuple[str, ...] = Field(min_length=1)
    status: tuple[str, ...] = ()
    repeat: Literal["safe", "ask"] = "ask"

    @field_validator("argv", "status")
    @classmethod
    def _closed(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if argv and (not argv[0].startswith("/") or "{" in argv[0]):
            raise ValueError(f"program is {argv[0]!r}, expected an absolute path")
        for part in argv:
            strange = set(_PART.findall(part)) - set(PLACEHOLDERS)
            if strange or re.search(r"[{}]", _PART.sub("", part)):
                raise ValueError(f"{part!r} has other braces than {', '.join('{' + p + '}' for p in PLACEHOLDERS)}")
        return argv

    @model_validator(mode="after")
    def _asked(self) -> "Config":
        if self.confirm == "status" and not self.status:
            raise ValueError("confirm is 'status' and there is no status, expected the command that tells")
        return self


async def send(config: Config, order: Order, place: Place) -> Outcome:
    """Start the program and wait for its end.

    Raises:
        Unsent: it may not be started, takes too long, or ends with another code than 0.
    """
    code, said = await _run(config.argv, config, order, place)
    if code != 0:
        raise Unsent(f"{config.argv[0]} ends with {code}: {said}, expected 0")
    return Outcome(f"{config.argv[0]} ends with 0: {said}".rstrip(": "), done=config.confirm == "answer")


async def status(config: Config, order: Order, place: Place) -> bool:
    """Whether the status command ends with 0.

    Raises:
        Unsent: it may not be started, or takes too long.
    """
    code, _ = await _run(config.status, config, order, place)
    return code == 0


def filled(argv: tuple[str, ...], order: Order) -> list[str]:
    """Arguments with their values.

    Raises:
        Unsent: a value is missing, or not fit to be an argument.
    """
    t = order.terminal
    values = {
        "key": order.key,
        "kind": order.kind,
        "terminal": t.id if t else None,
        "luno": t.luno if t else None,
        "terminal_id": t.terminal_id if t else None,
        "hostname": t.hostname if t else None,
        "region": t.region if t else None,
        "alert": order.alert,
        "severity": order.told.severity,
    }

    def value(found: re.Match[str]) -> str:
        said = values[found[1]]
        if not said or said.startswith("-") or _CONTROL.search(said):
            raise Unsent(f"{{{found[1]}}} is {said!r:.80}, expected a value fit to be an argument", final=True)
        return said

    return [_PART.sub(value, part) for part in argv]


def _may(program: str, place: Place) -> None:
    """Nothing, where a program may be started.

    Raises:
        Unsent: the policy does not list it, or others may write it.
    """
    if program not in place.programs:
        raise Unsent(f"{program} is not among [response] programs of the policy, expected one that is", final=True)
    try:
        found = os.stat(program)
    except OSError as fault:
        raise Unsent(f"{program}: {fault.strerror}, expected a program", final=True) from None
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in {0, os.geteuid()} or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unsent(f"{program} could be changed by others, expected a file only root or the service may write", final=True)


async def _run(argv: tuple[str, ...], config: Config, order: Order, place: Place) -> tuple[int, str]:
    """Exit code and the beginning of the output."""
    _may(argv[0], place)
    try:
        process = await asyncio.create_subprocess_exec(
            *filled(argv, order),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
    except OSError as fault:
        raise Unsent(f"{argv[0]}: {fault.strerror}, expected a program that can be started", final=True) from None
    ended = False
    try:
        async with asyncio.timeout(microseconds(config.timeout) / 1e6):
            said = await _output(process.stdout)
            code = await process.wait()
            ended = True
    except TimeoutError:
        raise Unsent(f"{argv[0]} takes more than {config.timeout}, expected it to end", unsure=True) from None
    finally:
        if not ended:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return code, said


async def _output(stream: asyncio.StreamReader | None) -> str:
    """The beginning of what a program says, in one printable line; all of it is read."""
    kept = b""
    while stream is not None and (piece := await stream.read(LARGEST)):
        kept = (kept + piece)[:LARGEST]
    text = kept[:400].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]
