"""`jackstop schema`: the tables, row by row."""

from enum import StrEnum
from typing import Annotated

import typer

from jackstop.cli import shared
from jackstop.model import ocsf


class Shape(StrEnum):
    """Shapes of the description."""

    ocsf = "ocsf"
    markdown = "markdown"


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("schema")(schema)


def schema(form: Annotated[Shape, typer.Option("--format", help="OCSF extension (JSON) or a page.")] = Shape.ocsf) -> None:
    """Describe the tables that logs are decoded into, as an OCSF extension or a page."""
    if form is Shape.ocsf:
        shared.say_json(ocsf.extension())
    else:
        typer.echo(ocsf.markdown(), nl=False)
