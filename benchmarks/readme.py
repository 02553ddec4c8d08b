"""Put the numbers of benchmarks/results.json into README.md, between its two bench marks."""

from __future__ import annotations

import json
from pathlib import Path

from wignerflow.bench.report import from_dict, markdown

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def tables(data: dict) -> str:
    machine = data["machine"]
    packages = ", ".join(f"{k} {v}" for k, v in machine["packages"].items() if k != "wignerflow")
    where = f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}"
    if machine["load_at_start"] is not None:
        where += f", load at the start {machine['load_at_start']:.1f}"
    parts = [f"{where}; {packages}. Timings are medians, with their range in brackets."]
    for section in from_dict(data):
        parts.append(markdown(section))
        if section.note:
            parts.append(section.note)
    return "\n\n".join(parts)


def main() -> None:
    data = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(f"{before}{BEGIN}\n{tables(data)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
