"""Run all benchmarks, or those named: decode, evtx, matching, sigma, export, growth, quiet, live, intake, steps."""

import importlib
import sys

NAMES = ("matching", "decode", "evtx", "sigma", "export", "growth", "quiet", "live", "intake", "steps")


def main():
    chosen = sys.argv[1:] or NAMES
    for name in chosen:
        if name not in NAMES:
            sys.exit(f"benchmarks: {name!r} is unknown, expected: {', '.join(NAMES)}")
        print(f"\n== {name}")
        importlib.import_module(f"benchmarks.{name}").run()


if __name__ == "__main__":
    main()
