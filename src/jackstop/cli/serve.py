"""`jackstop serve`: the live service."""

from pathlib import Path
from typing import Annotated

import typer

from jackstop.cli import shared
from jackstop.service import config as configs
from jackstop.service import front, looping, saying
from jackstop.service.watch import Watchman


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    config: Annotated[Path, typer.Option(help="The service's configuration, or the folder it lies in.")] = Path("jackstop.toml"),
) -> None:
    """Take logs in, decide every movement of cash as it happens, tell whom it concerns; until SIGTERM or Ctrl-C.

    Everything received is on disk before its sender is told so, and nothing decided is lost or told twice, whatever ends it.
    The first start prints a link with which the first administrator is made.

    Example: jackstop serve --config /etc/jackstop/jackstop.toml
    """
    loaded = configs.load(config)
    shared.warn(loaded.warnings)
    front.safe(loaded.declared.api)
    saying.begin("watch")
    code = Watchman({"front": front.main, "loop": looping.main}, config).run()
    raise typer.Exit(code)
