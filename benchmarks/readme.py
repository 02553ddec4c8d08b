"""Put the numbers of benchmarks/results.json where they are read: a short table into README.md, all
of them into docs/performance.md, those of a GPU into docs/gpu.md (and the README once there is a
measured run), each between its two bench marks.
"""

from __future__ import annotations

import json
from pathlib import Path

from pages import ROOT, put

from wignerflow.bench.report import Entry, Section, from_dict, markdown

#: What the README shows: keys of entries, in order, with words that stand alone.
SHORT = {
    "emission_N10": "error of ⟨J⁺J⁻⟩/N², superradiant laser, N = 10",
    "emission_N25": "N = 25",
    "emission_N100": "N = 100",
    "ns_single_1": "one ensemble, any N: time per trajectory-step on one core, without estimates",
    "jax_ratio": "times faster than JAX (`lax.scan` over `vmap`)",
    "diffrax_ratio": "times faster than diffrax",
    "numpy_ratio": "times faster than vectorised NumPy",
    "chain_10_cpu": "chain of M = 10 ensembles: time per ensemble, trajectory and step, one core",
    "chain_100_cpu": "M = 100",
    "chain_1000_cpu": "M = 1000",
    "chain_10000_cpu": "M = 10⁴",
    "chain_floor": "of this, the random numbers alone",
    "chain_speedup": "speed-up on two cores, M = 1000",
    "ring_ns": "Rydberg ring of 1000 spins: time per spin, trajectory and step",
    "correlated_single_share": "dense correlated decay of 1000 spins, speed relative to the BLAS",
    "terms_cold": "Hamiltonian of 246 terms, first result, nothing compiled before",
    "exact_1000": "exact populations, N = 1000, 201 times",
    "crystal_50": "exact boundary time crystal with local decay, N = 50, 61 times",
    "crystal_ratio": "times faster than QuTiP's permutation-invariant solver",
    "crystal_100": "N = 100",
    "first_cold": "first result in a fresh process, nothing compiled before",
    "first_warm": "the same with kernels cached",
}


#: The same for ``make bench-gpu``, with what is required.
GPU = {
    "gpu_one": ("one ensemble, 10⁶ trajectories: trajectory-steps per second", "4·10¹⁰"),
    "gpu_one_1e5": ("10⁵ trajectories", "10¹⁰"),
    "gpu_three": ("one ensemble with three-point noise, 10⁶ trajectories", "10¹¹"),
    "gpu_three_1e5": ("10⁵ trajectories", "2.5·10¹⁰"),
    "gpu_chain": ("chain of 500 ensembles: ensemble-steps per second", "2·10¹⁰"),
    "gpu_ruks_4d": ("`ruks-4d` complete", "90 s"),
}
UNMEASURED = "not measured yet"


def gpu(results: Path) -> str:
    """The table of a GPU; without a measured run it says so."""
    entries: dict[str, Entry] = {}
    card = "NVIDIA H200 class"
    if results.exists():
        data = json.loads(results.read_text(encoding="utf-8"))
        entries = {e.key: e for s in from_dict(data) for e in s.entries if e.key}
        card = data["machine"]["gpu"]
    lines = [
        f"| measured by `make bench-gpu` on a GPU ({card}) | | required | |",
        "|---|---|---|---|",
    ]
    for key, (what, need) in GPU.items():
        cells = [what, UNMEASURED, need, ""]
        if key in entries:
            cells = [what, *entries[key].cells()[1:]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def short(sections: list[Section]) -> str:
    """The entries named in ``SHORT`` as one table."""
    entries: dict[str, Entry] = {e.key: e for s in sections for e in s.entries}
    lines = ["| measured by `make bench` | | required | |", "|---|---|---|---|"]
    for key, what in SHORT.items():
        cells = entries[key].cells()
        lines.append("| " + " | ".join([what, *cells[1:]]) + " |")
    return "\n".join(lines)


def long(sections: list[Section], machine: str) -> str:
    """Every section as a table of its own."""
    parts = [machine]
    for section in sections:
        parts.append(markdown(section))
        if section.note:
            parts.append(section.note)
    return "\n\n".join(parts)


def machine_text(machine: dict) -> str:
    """Where the numbers come from."""
    packages = ", ".join(f"{k} {v}" for k, v in machine["packages"].items() if k != "wignerflow")
    where = f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}"
    if machine["load_at_start"] is not None:
        where += f", load at the start {machine['load_at_start']:.1f}"
    return f"{where}; {packages}. Timings are medians, with their range in brackets."


def main() -> None:
    data = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    sections, machine = from_dict(data), machine_text(data["machine"])
    results = ROOT / "benchmarks" / "results-gpu.json"
    card = gpu(results)
    measured = f"\n\n{card}" if results.exists() else ""
    put("README.md", "bench", f"{short(sections)}\n\n{machine}{measured}")
    put("docs/performance.md", "bench", long(sections, machine))
    put("docs/gpu.md", "bench", card)


if __name__ == "__main__":
    main()
