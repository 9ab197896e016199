"""`jackstop demo`: a small bank's night, made, investigated and shown."""

from pathlib import Path
from typing import Annotated

import typer

from jackstop import simulator
from jackstop.cli import shared
from jackstop.cli.shared import Lang
from jackstop.report import text
from jackstop.runners.local import Options
from jackstop.sources import bundle as bundles
from jackstop.sources.fleet_file import BundleError


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    lang: Annotated[Lang, typer.Option(help="Language of the report.")] = Lang.en,
    out: Annotated[Path, typer.Option(help="Where the night and its report go; must not exist.")] = Path("jackstop-demo"),
    seed: Annotated[int, typer.Option(help="Another seed, another night.")] = 1,
) -> None:
    """Make a small fleet with one attack of each kind, investigate it, show the result.

    Everything is written to --out: the bundle (log lines only), and the report to open in a browser.
    """
    night = out / "bundle"
    if night.exists() and any(night.iterdir()):
        if not (night / "truth.jsonl").exists():
            raise BundleError([f"{night}: is there and is no simulated bundle, expected a new or empty folder"])
    else:
        with shared.progress("Making a night at a small bank") as tell:
            simulator.simulate("demo", night, None, None, seed, lambda _, done, total: tell(done, total))
    loaded = bundles.load(night)
    shared.warn(loaded.warnings)
    with shared.progress(f"Reading {len(loaded.files)} logs") as tell:
        done = shared.investigate(loaded, out / "results", Options(progress=tell), lang.value)
    text.render(done.report, shared.out, lang.value)
    said = {"en": "The whole story, to open in a browser", "ja": "詳しい報告(ブラウザで開いてください)"}[lang.value]
    shared.out.print(f"{said}: {out / 'results' / 'report.html'}", markup=False, soft_wrap=True)
