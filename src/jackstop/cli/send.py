"""`jackstop send`: a bundle's logs played to a live service."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from jackstop.cli import shared
from jackstop.model.written import stamp
from jackstop.runners import send as sending
from jackstop.runners import timetable
from jackstop.sources import bundle as bundles
from jackstop.sources.bundle import BundleError

TOKEN = "JACKSTOP_TOKEN"  # noqa: S105 - the name of a variable, not a token


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("send")(send)


def send(
    bundle: Annotated[Path, typer.Argument(help="Folder with fleet.toml and logs.")],
    to: Annotated[str, typer.Option(help="The intake: http(s)://HOST:PORT/v1/logs/NAME; it needs `declare = true`.")],
    token: Annotated[str, typer.Option(help="An API token for it.", envvar=TOKEN, show_envvar=True)] = "",
    speed: Annotated[float | None, typer.Option(min=0.001, help="Times the speed of event time; 1 by default.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="As fast as it goes.")] = False,
    until: Annotated[str | None, typer.Option(help="Send nothing after this time (ISO 8601).")] = None,
    width: Annotated[str | None, typer.Option(help="Event time sent as one, such as 10s.")] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds without an answer before it is given up.")] = 120.0,
) -> None:
    """Play a bundle's logs to a live service in the order of event time, for demonstrations and tests.

    May be stopped and begun again: what the service has is not sent twice.

    Example: jackstop send ./bank-night --to http://127.0.0.1:8441/v1/logs/lab --speed 60
    """
    if fast and speed is not None:
        raise typer.BadParameter("--fast and --speed are both given, expected one")
    if not token:
        raise typer.BadParameter(f"no token, expected --token or the variable {TOKEN}")
    loaded = bundles.load(bundle)
    shared.warn(loaded.warnings)
    options = sending.Options(
        speed=None if fast else speed or 1.0,
        until=shared.instant(until),
        width=None if width is None else shared.span(width),
        patience=patience,
    )
    try:
        sent = _play(loaded, to, token, options)
    except sending.NotSent as fault:
        raise BundleError([f"send: {fault}"]) from None
    shared.warn(sent.faults)
    span = f"{stamp(sent.first)} to {stamp(sent.last)}" if sent.first is not None and sent.last is not None else "nothing"
    shared.err.print(
        f"{sent.files:,} files, {sent.bytes:,} bytes in {sent.requests:,} requests ({sent.repeated:,} sent again), "
        f"{sent.seconds:.1f} s: {span}",
        markup=False,
        soft_wrap=True,
    )


def _play(loaded: bundles.Bundle, to: str, token: str, options: sending.Options) -> sending.Sent:
    sending.target(to)
    with shared.progress(f"Reading {len(loaded.files)} logs") as tell:
        table = timetable.plan(loaded, options.span(), options.until, tell)
    with shared.progress("Sending") as tell:
        return asyncio.run(sending.play(loaded, to, token, replace(options, progress=tell), table))
