"""`make bench`: run every benchmark, or those named (`make bench BENCH="ticks exports"`)."""

import argparse
import importlib
import sys
import time
import traceback

from bench.figures import RESULTS, Figure, Missing, table, write

BENCHMARKS = ["startup", "ticks", "engine", "exports", "pages", "tablet"]


def main() -> int:
    """Run them one after another; 0 where every measured goal holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or BENCHMARKS
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}")
    every: list[Figure | Missing] = []
    for name in names:
        say(f"== {name}")
        began = time.monotonic()
        module = importlib.import_module(f"bench.{name}")
        try:
            figures: list[Figure | Missing] = module.run()
        except Exception as error:
            traceback.print_exc()
            figures = [
                Missing(goal, what, f"failed: {str(error).splitlines()[0]}") for goal, what in module.GOALS.items()
            ]
        write(name, figures)
        say(table(figures))
        say(f"   {time.monotonic() - began:.0f} s\n")
        every += figures
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "table.txt").write_text(table(every) + "\n")
    say(table(every))
    return 0 if all(figure.holds for figure in every if isinstance(figure, Figure)) else 1


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
