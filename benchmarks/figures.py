"""Every published figure in full: each number that one must reach, next to its requirement.

``benchmarks/figures.py [NAME ...]`` reproduces the figures named (all without names: an hour on two
cores, a tenth of it ``ruks-4d``), prints their tables, and leaves the numbers in
``benchmarks/figures.json``; ``--write`` puts all that are there into ``docs/figures.md``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import warnings
from dataclasses import asdict

from pages import ROOT, put

from wignerflow.figures import REGISTRY
from wignerflow.figures.contract import Check, deviations, table
from wignerflow.result import format_value

PAGE = "docs/figures.md"
STORE = ROOT / "benchmarks" / "figures.json"
VERDICTS = {True: "met", False: "**not met**", None: "open"}


def requirements(figure, data) -> list[Check]:
    """All numbers with a requirement, deviations first."""
    bounded = [
        Check(f"{d.curve}: largest deviation", d.value, d.sem, f"at most {d.required:.3g}", d.met)
        for d in deviations(data)
        if d.required is not None
    ]
    return bounded + figure.checks(data)


def written(found: dict) -> str:
    """The table of all figures whose numbers are known."""
    lines = ["| figure | number | found | required | |", "|---|---|---|---|---|"]
    for name in REGISTRY:
        for check in found.get(name, {}).get("checks", []):
            value, error = check["value"], check["error"]
            number = f"{value:.2g}" if error is None else format_value(value, error)
            cells = [f"`{name}`", check["what"], number, check["required"], VERDICTS[check["met"]]]
            lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines)


def keep(found: dict) -> None:
    """Leave the numbers in the store, those of NumPy too."""
    text = json.dumps(found, indent=1, ensure_ascii=False, default=lambda value: value.item())
    STORE.write_text(text + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE}")
    parser.add_argument(
        "--only-write", action="store_true", help="what is known, computing nothing"
    )
    options = parser.parse_args()
    if unknown := set(options.names) - set(REGISTRY):
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(REGISTRY)}")
    warnings.simplefilter("ignore", UserWarning)
    names = [] if options.only_write else options.names or list(REGISTRY)
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    for name in names:
        figure = REGISTRY[name]
        data = figure.make()
        print(table(figure, data) + "\n", flush=True)
        found = json.loads(STORE.read_text()) if STORE.exists() else {}
        checks = [asdict(check) for check in requirements(figure, data)]
        found[name] = {"commit": commit, "checks": checks}
        keep(found)
    if options.write or options.only_write:
        put(PAGE, "figures", written(json.loads(STORE.read_text())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
