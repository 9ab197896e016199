"""`jackstop`: commands, and what leaves through the exit code.

0 ran and found nothing at or above `--fail-on`; 1 ran and found something; 2 wrong usage or configuration; 3 could not finish.
"""

import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from jackstop import __version__, cli
from jackstop.runners import rubbish
from jackstop.runners.lost import WorkerLost
from jackstop.sources.bundle import BundleError
from jackstop.store.faults import StoreError

USAGE, UNFINISHED = 2, 3
_OWN = ("main", "shared")

app = typer.Typer(
    name="jackstop",
    help="Every banknote that leaves a cash machine is explained by an authorisation, or becomes an alert.",
    epilog="Try `jackstop demo` first: it takes a minute.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"jackstop {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    pass


def _gather(asked: Sequence[str]) -> None:
    """The command module that is asked for adds itself, for a command's name is its file's; every one where none is."""
    names = [m.name for m in pkgutil.iter_modules(cli.__path__) if m.name not in _OWN and not m.name.startswith("_")]
    chosen = [n for n in names if n == next((a for a in asked if not a.startswith("-")), None)]
    for name in chosen or (() if "--version" in asked else names):
        importlib.import_module(f"{cli.__name__}.{name}").add(app)


def main() -> None:
    """Run the command and leave with its exit code; a fault is one line on stderr each."""
    rubbish.seldom()
    _gather(sys.argv[1:])
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        app()
    except BundleError as fault:
        for line in fault.faults:
            errors.print(f"jackstop: {line}", markup=False)
        sys.exit(USAGE)
    except (StoreError, WorkerLost) as fault:
        errors.print(f"jackstop: {fault}", markup=False)
        sys.exit(UNFINISHED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(UNFINISHED)
    except OSError as fault:
        errors.print(f"jackstop: {fault.filename or 'system'}: {fault.strerror or fault}, expected it to work", markup=False)
        sys.exit(UNFINISHED)
    except KeyboardInterrupt:
        errors.print("jackstop: stopped by Ctrl-C; nothing was lost: run it again", markup=False)
        sys.exit(UNFINISHED)
