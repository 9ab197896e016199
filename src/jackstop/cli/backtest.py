"""`jackstop backtest`: a detection, or a rule file not in use yet, over a bundle's history."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from jackstop import backtest as testing
from jackstop import detections
from jackstop.backtest import Backtest
from jackstop.cli import shared
from jackstop.cli.shared import Format
from jackstop.model.measures import Share
from jackstop.model.written import stamp
from jackstop.report import plots
from jackstop.report.plain import line
from jackstop.scorecard import Rate
from jackstop.sources import bundle as bundles
from jackstop.sources.fleet_file import BundleError


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backtest")(backtest)


def backtest(
    rule: Annotated[str, typer.Argument(help="Id of a detection, or a Sigma rule file (.yml).")],
    bundle: Annotated[list[Path], typer.Argument(help="Folders with fleet.toml and logs.")],
    since: Annotated[str | None, typer.Option(help="Count nothing before this time (ISO 8601).")] = None,
    before: Annotated[Path | None, typer.Option(help="An earlier result (--format json) to compare with.")] = None,
    form: Annotated[Format, typer.Option("--format", help="What goes to stdout.")] = Format.text,
    most: Annotated[int, typer.Option(min=0, help="Fires shown one by one.")] = 20,
    jobs: Annotated[int | None, typer.Option(min=1, max=64, help="Decoding processes; one per processor by default.")] = None,
) -> None:
    """Run one rule over the past: how often it would have fired, where, and at what.

    In bundles with truth.jsonl it also says how many attacks it fired in. Leaves with 1 where it fired at nothing there.

    Example: jackstop backtest ./persist_service.yml ./january --since 2026-01-15T00:00:00Z --before was.json
    """
    tested = _rule(rule)
    loaded = [bundles.load(b) for b in bundle]
    for one in loaded:
        shared.warn(one.warnings)
    earlier = shared.read_json(before) if before is not None else None
    with shared.progress(f"Running {rule} over {len(loaded)} bundles"):
        done = testing.run(rule, tested, loaded, shared.instant(since) or -(2**62), jobs)
    compared = _compared(done, earlier) if earlier is not None else None
    if form is Format.json:
        shared.say_json({**done.as_json(), **({"against_before": compared} if compared else {})})
    else:
        _say(done, most)
        if compared:
            _say_compared(compared)
    if done.at_nothing:
        raise typer.Exit(1)


def _rule(name: str) -> detections.SigmaDetection | None:
    """The rule of a file; None for a detection there is."""
    if name in detections.names():
        return None
    path = Path(name)
    if path.suffix not in {".yml", ".yaml"}:
        raise BundleError([f"detection {name!r} is unknown, expected one of: {', '.join(detections.names())}, or a .yml file"])
    try:
        return testing.rule(name, path.read_text("utf-8"))
    except OSError as fault:
        raise BundleError([f"{name}: {fault.strerror or fault}, expected a readable rule file"]) from None
    except ValueError as fault:
        raise BundleError(str(fault).splitlines()) from None


def _say(done: Backtest, most: int) -> None:
    say = shared.out.print
    say(Text(f"{done.rule}: {len(done.fires):,} fires at {len(done.by_terminal):,} of {done.terminals:,} terminals", "bold"))
    say(f"per terminal-day: {rate(done.rate)}   pages: {rate(done.pages)}")
    if done.attacks is not None and done.right is not None:
        say(f"attacks it fired in: {shown(done.attacks)}   fires within attacks: {shown(done.right)}")
    if done.by_day:
        days = list(done.by_day)
        say(f"by day: {plots.spark(list(done.by_day.values()))}  {days[0]} – {days[-1]}")
    top = list(done.by_terminal.items())[:10]
    if top:
        say("most at: " + ", ".join(f"{line(t, 40)} {n}" for t, n in top), markup=False, soft_wrap=True)
    for fire in done.fires[:most]:
        told = (
            f"{stamp(fire.time)}  {line(fire.terminal, 40)}  {fire.severity}  {line(fire.detail, 80)}  {line(fire.record, 200)}"
        )
        say(Text(f"  {told}"), soft_wrap=True)
    if len(done.fires) > most:
        say(f"  and {len(done.fires) - most:,} more")
    for fire in done.at_nothing[:most]:
        say(
            Text(f"fired at nothing: {stamp(fire.time)} {line(fire.terminal, 40)} {line(fire.detail, 80)}", "red"), soft_wrap=True
        )


def rate(r: Rate) -> str:
    """A rate in words with its interval."""
    return f"{r.value:.4f} ({r.low:.4f}–{r.high:.4f})"


def shown(s: Share) -> str:
    """A share in words with its interval."""
    return f"{s.part} of {s.whole} ({100 * s.low:.0f}–{100 * s.high:.0f} %)" if s.whole else "none to judge by"


def _compared(done: Backtest, earlier: Any) -> dict[str, Any]:  # noqa: ANN401 - a document of an earlier version
    """What a run fires that an earlier one did not, and the other way round."""
    try:
        was = {(f["terminal"], f["time"], f["detail"]) for f in earlier["fires"]}
        name = str(earlier["rule"])
    except (KeyError, TypeError):
        raise BundleError(["--before: no fires in it, expected the output of `jackstop backtest --format json`"]) from None
    now = {f.key for f in done.fires}
    listed = ("terminal", "time", "detail")
    return {
        "before": name,
        "kept": len(was & now),
        "gained": [dict(zip(listed, k, strict=True)) for k in sorted(now - was)],
        "lost": [dict(zip(listed, k, strict=True)) for k in sorted(was - now)],
    }


def _say_compared(compared: dict[str, Any]) -> None:
    gained, lost = compared["gained"], compared["lost"]
    shared.out.print(
        f"against {compared['before']}: {compared['kept']} kept, {len(gained)} gained, {len(lost)} lost", markup=False
    )
    for sign, listed in (("+", gained), ("-", lost)):
        for entry in listed[:20]:
            told = f"  {sign} {entry['time']}  {line(entry['terminal'], 40)}  {line(entry['detail'], 80)}"
            shared.out.print(Text(told), soft_wrap=True)
