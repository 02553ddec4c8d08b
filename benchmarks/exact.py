"""The exact engines against each other, brute force and QuTiP: the table of docs/exact.md.

    python benchmarks/exact.py            print the table
    python benchmarks/exact.py --write    put it into docs/exact.md, between its two marks

Every model is solved by each engine that treats it. A column holds the largest deviation from the
first engine of the row, over times and observables in units of N and N^2; for quantum jumps also in
units of its standard error. Needs QuTiP. Exit code 1 if any two disagree.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings

import numpy as np
from pages import put

import wignerflow as wf

PAGE = "docs/exact.md"
QUTIP = {"rtol": 1e-10, "atol": 1e-12, "progress_bar": "", "nsteps": 10**6}
NTRAJ, SEED = 4000, 5
#: What deterministic engines may differ by, and quantum jumps in standard errors.
AGREE, AGREE_SIGMAS = 1e-7, 4.5


def laser(N):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sp, rate=0.25 * N)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    piqs = {"collective_emission": 1.0, "pumping": 0.25 * N}
    ops = {"z": atoms.Jz / N, "e": atoms.Jp * atoms.Jm / N**2}
    return model, ops, np.linspace(0, 10 / N, 21), (N, 0, piqs)


def crystal(N):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=1.0), wf.LocalJump(atoms.sm, rate=0.2 * N)]
    model = wf.Model(2 * N * atoms.Jx, jumps, initial={atoms: wf.up})
    piqs = {"collective_emission": 1.0, "emission": 0.2 * N}
    ops = {"z": atoms.Jz / N, "y": atoms.Jy / N, "e": atoms.Jp * atoms.Jm / N**2}
    return model, ops, np.linspace(0, 10 / N, 21), (N, 2 * N, piqs)


def waveguide(N):
    pair = wf.Ensemble(N, name="pair", count=2)
    H, jumps = wf.waveguide(pair, 0.7, 1.0)
    model = wf.Model(H, [*jumps, wf.LocalJump(pair.sp, 0.5)], initial={pair: [wf.up, wf.down]})
    ops = {"z0": pair[0].Jz / N, "z1": pair[1].Jz / N, "g": pair[0].Jp * pair[1].Jm / N**2}
    return model, ops, np.linspace(0, 2, 11), None


def cavity(N):
    atoms, light = wf.Ensemble(N, name="atoms"), wf.Mode(name="light", cutoff=8)
    H = 0.5 * (atoms.Jp * light.a + atoms.Jm * light.adag)
    jumps = [wf.Jump(light.a, 2.0), wf.LocalJump(atoms.sp, 0.4), wf.LocalJump(atoms.sz, 0.1)]
    model = wf.Model(H, jumps, initial={atoms: wf.down, light: wf.vacuum})
    return model, {"z": atoms.Jz / N, "n": light.n / N}, np.linspace(0, 3, 11), None


def full_space(model, t, ops):
    """Brute force: every emitter a two-level system of its own."""
    import qutip

    H, c_ops, rho0, convert = model.to_qutip()
    e_ops = [convert(op) for op in ops.values()]
    out = qutip.mesolve(H, rho0, t, c_ops, e_ops=e_ops, options=QUTIP)
    return dict(zip(ops, out.expect, strict=True))


def piqs(t, ops, spec):
    """QuTiP's solver for permutation-invariant emitters."""
    import qutip

    N, drive, rates = spec
    dicke = qutip.piqs
    jx, jy, jz = dicke.jspin(N)
    system = dicke.Dicke(N, hamiltonian=drive * jx, **rates)
    jp, jm = dicke.jspin(N, "+"), dicke.jspin(N, "-")
    known = {"z": jz / N, "y": jy / N, "e": jp * jm / N**2}
    e_ops = [known[name] for name in ops]
    state = dicke.excited(N)
    out = qutip.mesolve(system.liouvillian(), state, t, e_ops=e_ops, options=QUTIP)
    return dict(zip(ops, out.expect, strict=True))


#: Model, its title, N, and what to solve it by; the first is the reference.
ROWS = (
    (laser, "pumped laser", 4, ("populations", "blocks", "2^N", "PIQS", "jumps")),
    (laser, "pumped laser", 20, ("populations", "blocks", "PIQS", "jumps")),
    (laser, "pumped laser", 100, ("populations", "blocks", "jumps")),
    (crystal, "driven, local decay", 4, ("blocks", "2^N", "PIQS", "jumps")),
    (crystal, "driven, local decay", 16, ("blocks", "PIQS", "jumps")),
    (waveguide, "two pumped ensembles on a waveguide", 2, ("blocks", "2^N", "jumps")),
    (cavity, "pumped and dephased emitters in a cavity", 3, ("blocks", "2^N", "jumps")),
)
COLUMNS = ("populations", "blocks", "2^N", "PIQS", "jumps")
HEADS = (
    "populations p(J, M)", "block density matrix", "brute force, full space", "QuTiP PIQS",
    "quantum jumps",
)  # fmt: skip


def solve(engine, model, ops, t, spec):
    """Expectation values, and standard errors of a sampled engine."""
    if engine == "2^N":
        return full_space(model, t, ops), None
    if engine == "PIQS":
        return piqs(t, ops, spec), None
    if engine == "jumps":
        out = wf.solve(model, t, e_ops=ops, method="jumps", ntraj=NTRAJ, seed=SEED, progress=False)
        return out.expect, out.sem
    rtol = {"rtol": 1e-11} if engine == "blocks" else {}
    method = wf.Exact(engine, **rtol)
    return wf.solve(model, t, e_ops=ops, method=method, progress=False).expect, None


def row(make, title, N, engines):
    """Cells of a row, and whether all agree."""
    model, ops, t, spec = make(N)
    cells, fine, reference = dict.fromkeys(COLUMNS, ""), True, None
    for engine in engines:
        begin = time.perf_counter()
        values, errors = solve(engine, model, ops, t, spec)
        print(f"{title}, N = {N}, {engine}: {time.perf_counter() - begin:.1f} s", file=sys.stderr)
        if reference is None:
            reference, cells[engine] = values, "reference"
            continue
        apart = {k: np.abs(np.asarray(values[k]) - reference[k])[1:] for k in ops}
        largest = max(float(a.max()) for a in apart.values())
        cells[engine] = f"{largest:.0e}"
        if errors is None:
            fine &= largest < AGREE
        else:
            score = max(float((apart[k] / np.abs(errors[k][1:])).max()) for k in ops)
            numbers = sum(a.size for a in apart.values())
            cells[engine] = f"{largest:.0e}: {score:.1f} s.e. ({numbers} numbers)"
            fine &= score < AGREE_SIGMAS
    return f"| {title} | {N} | " + " | ".join(cells[c] for c in COLUMNS) + " |", fine


def table():
    """The table, and whether all agree."""
    lines = ["| model | N | " + " | ".join(HEADS) + " |", "|" + "---|" * (2 + len(HEADS))]
    verdicts = []
    for arguments in ROWS:
        line, fine = row(*arguments)
        lines.append(line)
        verdicts.append(fine)
    return "\n".join(lines), all(verdicts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"into {PAGE}")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    text, fine = table()
    print(text)
    if options.write:
        put(PAGE, "exact", text)
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
