"""`jackstop simulate`: a bundle of log lines with its ground truth."""

from pathlib import Path
from typing import Annotated

import typer

from jackstop import simulator
from jackstop.cli import shared
from jackstop.sources.fleet_file import BundleError


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate", epilog="`jackstop simulate list` shows the scenarios.")(simulate)


def simulate(
    scenario: Annotated[str, typer.Argument(help="What happens; `list` shows all scenarios.")],
    out: Annotated[Path, typer.Option(help="Folder of the bundle; must not exist, or be empty.")] = Path("bundle"),
    terminals: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="How many terminals; the scenario's own by default.")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0.1, max=24 * 366, help="How long; the scenario's own by default.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bundle.")] = 1,
) -> None:
    """Write a simulated bundle: fleet.toml, visits.csv, logs, and truth.jsonl that tells what happened.

    It writes log lines, nothing else.

    Example: jackstop simulate fleet --terminals 50 --hours 24 --out ./fleet
    """
    known = simulator.scenarios()
    if scenario == "list":
        for name, line in known.items():
            shared.out.print(f"{name:24} {line}", markup=False, soft_wrap=True)
        return
    if scenario not in known:
        raise BundleError([f"scenario {scenario!r} is unknown, expected one of: {', '.join(known)}"])
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BundleError([f"{out}: is there already, expected a new or empty folder"])
    with shared.progress(f"Simulating {scenario}") as tell:
        simulator.simulate(scenario, out, terminals, hours, seed, lambda _, done, total: tell(done, total))
    shared.err.print(f"Bundle: {out} (jackstop investigate {out})", markup=False, soft_wrap=True)
