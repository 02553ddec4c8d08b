"""How far every method is off for collective spins: the table of docs/collective-spins.md.

    python benchmarks/spins.py            print it
    python benchmarks/spins.py --write    put it into docs/collective-spins.md, between its marks

Largest deviation from exact over time in huber-1 to huber-3, in units of S, and of the optimal
squeezing with decay in huber-5, relative; in a minute.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from pages import put

from wignerflow.figures import REGISTRY
from wignerflow.figures.data import difference
from wignerflow.result import format_value

PAGE = "docs/collective-spins.md"
KEYS = ("w", "w0", "p", "q", "c", "bloch")
HEADS = ("W", "W, coherent start", "P", "Q", "W, correlated noise", "TWA")
ROWS = (
    ("superradiant decay", "huber-1", "z"),
    ("dephasing", "huber-2", "x"),
    ("driven at 2Γ until Γt = 10", "huber-3", "zyx"),
)


def cell(data, names) -> str:
    """The largest deviation of some curves, with its standard error there."""
    found = []
    for name in names:
        if name in data:
            change, error = difference(data, name)
            k = int(np.argmax(np.abs(change)))
            found.append((abs(float(change[k])), float(error[k])))
    return format_value(*max(found)) if found else ""


def optimum(data, key) -> str:
    """The largest relative deviation of the optimal squeezing among rates above zero, S = 100."""
    name = f"optimum_{key}_S100"
    if name not in data:
        return ""
    exact = data[data[name].attrs["reference"]].values[1:]
    change, error = (x[1:] / exact for x in difference(data, name))
    k = int(np.argmax(np.abs(change)))
    return f"{100 * abs(change[k]):.1f} ± {100 * error[k]:.1f} %"


def table(**options) -> str:
    """A line per model and S, a column per method."""
    lines = ["| | " + " | ".join(HEADS) + " |", "|" + "---|" * (len(KEYS) + 1)]
    for what, figure, quantities in ROWS:
        data = REGISTRY[figure].make(**options)
        for S in (10, 100):
            cells = [cell(data, [f"{q}_{key}_S{S}" for q in quantities]) for key in KEYS]
            lines.append(f"| {what}, S = {S} | " + " | ".join(cells) + " |")
    data = REGISTRY["huber-5"].make(**options)
    cells = [optimum(data, key) for key in KEYS]
    lines.append("| optimal squeezing with decay, S = 100 | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"into {PAGE}")
    parser.add_argument("--ntraj", type=int, help="trajectories, instead of the figures' own")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    text = table(ntraj=options.ntraj)
    print(text)
    if options.write:
        put(PAGE, "spins", text)


if __name__ == "__main__":
    main()
