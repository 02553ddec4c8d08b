"""Short runs in double precision whose numbers are stored in ``golden.json``.

``python -m tests.golden`` renews the file: do so only with a change that is meant to change
numbers, and say which cases it changes (the command prints them). Stochastic methods run in NumPy
lanes, so that none but the checkpoint compiles.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

import wignerflow as wf
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.observables import flatten

from .kernels import models
from .kernels.lanes import LaneRun

FILE = Path(__file__).with_name("golden.json")
TIMES = np.array([0.0, 0.05, 0.15])
SEED, LANES = 2**40 + 3, 3
CASES: dict[str, Callable[[], dict[str, Any]]] = {}


def lanes(model: wf.Model, e_ops: dict[str, Any], method: Any) -> dict[str, Any]:
    """Real parts asked for of every observable, (values, trajectories), at the last time."""
    _, base, plan = flatten(e_ops, model.subsystems)
    system, symbols = method.lower(model, base, TIMES)
    text = KernelText(system, [Readout(symbols[k], plan.base[k].is_complex) for k in base])
    run = LaneRun(text, Grid.make(TIMES, 0.05), LANES)
    run.run(SEED, t0=2**33)
    return {"observed": run.observe()}


def solved(model: wf.Model, e_ops: dict[str, Any], method: Any, **options: Any) -> dict[str, Any]:
    """Means of ``solve``."""
    result = wf.solve(model, TIMES, e_ops=e_ops, method=method, progress=False, **options)
    return {name: np.asarray(v) for name, v in result.expect.items()}


# ---------------------------------------------------------------------------- models


def spins(count: int = 4) -> tuple[wf.Model, dict[str, Any]]:
    """Spins of a chain with every kind of jump."""
    s = wf.Spin(name="s", count=count)
    H = wf.couple(s.sx, wf.NearestNeighbour(), s.sx) + 0.4 * s.sz.sum()
    jumps = [wf.Jump(s.sm, 0.3), wf.Jump(s.sz.sum(), 0.05), wf.Jump(s.sp, np.linspace(0, 1, count))]
    e_ops = {"z": s.sz, "xx": wf.couple(s.sx, wf.AllToAll(), s.sx)}
    return wf.Model(H, jumps, initial={s: wf.bloch(0.7, 0.2)}), e_ops


def one_spin() -> tuple[wf.Model, dict[str, Any]]:
    """A driven spin."""
    s = wf.Spin(name="s")
    model = wf.Model(
        0.6 * s.sx, [wf.Jump(s.sm, 0.5), wf.Jump(s.sz, 0.1)], initial={s: wf.bloch(0.5, 1.0)}
    )
    return model, {"x": s.sx, "y": s.sy, "z": s.sz}


def jaynes() -> tuple[wf.Model, dict[str, Any]]:
    """Emitters and a cavity."""
    atoms, cavity = wf.Ensemble(3, name="atoms"), wf.Mode(name="cavity", cutoff=9)
    H = 0.8 * (cavity.a * atoms.Jp + cavity.adag * atoms.Jm) + 0.1 * cavity.n * cavity.n
    jumps = [wf.Jump(cavity.a, 0.5), wf.LocalJump(atoms.sm, 0.2), wf.LocalJump(atoms.sz, 0.1)]
    model = wf.Model(H, jumps, initial={atoms: wf.up, cavity: wf.coherent(0.3 - 0.2j)})
    return model, {"n": cavity.n, "z": atoms.Jz, "a": cavity.a, "g2": wf.g2(cavity.a)}


def oscillator(state: Any) -> tuple[wf.Model, dict[str, Any]]:
    """A nonlinear mode with loss, gain and a drive in time."""
    a = wf.Mode(name="a")
    H = 0.2 * a.adag * a.adag * a.a * a.a + wf.coef(lambda t: 0.5 * float(np.cos(t))) * (
        a.a + a.adag
    )
    jumps = [wf.Jump(a.a, 0.7), wf.Jump(a.adag, 0.2), wf.Jump(a.n, 0.05)]
    return wf.Model(H, jumps, initial={a: state}), {"n": a.n, "a": a.a, "aa": a.a * a.a}


def big_spin() -> tuple[wf.Model, dict[str, Any]]:
    """A collective spin."""
    S = wf.CollectiveSpin(3, name="S")
    jumps = [wf.Jump(S.Jm, 0.1), wf.Jump(S.Jp, 0.02)]
    return wf.Model(0.7 * S.Jx, jumps, initial={S: wf.bloch(0.4, 0.1)}), {
        "z": S.Jz,
        "zz": S.Jz * S.Jz,
    }


def driven_ensemble() -> tuple[wf.Model, dict[str, Any]]:
    """An ensemble within reach of every method."""
    atoms = wf.Ensemble(6, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 0.1), wf.Jump(atoms.Jp, 0.1), wf.LocalJump(atoms.sm, 0.3)]
    model = wf.Model(0.7 * atoms.Jx, jumps, initial={atoms: wf.bloch(0.4, 0.1)})
    return model, {"z": atoms.Jz, "emission": atoms.Jp * atoms.Jm, "squeezing": wf.Squeezing(atoms)}


def schwinger_chain() -> tuple[wf.Model, dict[str, Any]]:
    """Collective spins of an array."""
    s = wf.CollectiveSpin(2, name="s", count=3)
    H = wf.couple(s.Jx, wf.NearestNeighbour(), s.Jx) + 0.3 * s.Jz.sum()
    return wf.Model(H, [wf.Jump(s.Jm, 0.2)], initial={s: wf.down}), {"z": s.Jz, "xx": s.Jx * s.Jx}


def coupled(coupling: Any) -> tuple[wf.Model, dict[str, Any]]:
    """Ensembles in a chain with a coupling, and it as an observable."""
    s = wf.Ensemble([5, 6, 7, 8], name="s", count=4)
    H = 0.1 * wf.couple(s.Jp, coupling, s.Jm)
    model = wf.Model(
        H + H.dag(), [wf.LocalJump(s.sm, 0.3)], initial={s: [wf.up, wf.down, wf.bloch(1, 2), wf.up]}
    )
    return model, {"z": s.Jz, "K": wf.couple(s.Jz, coupling, s.Jz)}


def dissipating(rank: int) -> tuple[wf.Model, dict[str, Any]]:
    """Ensembles with correlated dissipation."""
    s = wf.Ensemble(5, name="s", count=20)
    vectors = np.exp(1j * np.outer(np.arange(rank), np.arange(20) ** 1.5 / 7))
    G = 0.01 * vectors.T @ vectors.conj()
    return wf.Model(None, [wf.Jump(s.Jm, (G + G.conj().T) / 2)], initial={s: wf.up}), {"z": s.Jz}


def products() -> tuple[wf.Model, dict[str, Any]]:
    """Sums of products over an array."""
    model, _ = models.chain(6)
    sites = model.subsystems[0]
    wave = wf.StructureFactor(sites.Jm, np.linspace(-1, 1, 5))
    return model, {"S": wave, "c": wf.Coherence(sites.Jm)}


def guided() -> tuple[wf.Model, dict[str, Any]]:
    """The waveguide of the library, over modes."""
    s = wf.Ensemble(9, name="s", count=4)
    H, jumps = wf.waveguide(s, 0.7, 0.05)
    return wf.Model(H, jumps, initial={s: wf.bloch(2.0, 0.1)}), {"z": s.Jz, "m": s.Jm}


# ---------------------------------------------------------------------------- cases

RNG = np.random.default_rng(8)
DENSE = RNG.normal(size=(4, 4))
COUPLINGS = {
    "dense": DENSE,
    "complex": DENSE + 1j * RNG.normal(size=(4, 4)),
    "sparse": sp.csr_array(np.triu(DENSE, 2)),
    "waveguide": wf.Waveguide(0.6),
    "decaying waveguide": wf.Waveguide(0.6, 0.3),
    "nearest neighbour": wf.NearestNeighbour(),
    "ring": wf.NearestNeighbour(periodic=True),
    "all to all": wf.AllToAll(),
}
STATES = {
    "vacuum": wf.vacuum,
    "coherent": wf.coherent(0.7 + 0.2j),
    "thermal": wf.thermal(0.8),
    "fock": wf.fock(2),
}
RUNS: dict[str, tuple[Any, Any]] = {
    "laser": (models.laser, wf.TWA()),
    "laser, rotor": (models.laser, wf.TWA(form="rotor")),
    "laser, three-point noise": (models.laser, wf.TWA(noise="three-point")),
    "singles": (models.singles, wf.TWA()),
    "chain": (models.chain, wf.TWA()),
    "chain, rotor": (models.chain, wf.TWA(form="rotor")),
    "couplings": (models.couplings, wf.TWA()),
    "couplings, mean field": (models.couplings, wf.MeanField()),
    "singles, mean field": (models.singles, wf.MeanField()),
    "spins": (spins, wf.SpinTWA()),
    "spins, Bloch form": (spins, wf.TWA(spin_form="bloch")),
    "one spin": (one_spin, wf.SpinTWA()),
    "collective spin": (big_spin, wf.TWA()),
    "emitters and cavity": (jaynes, wf.TWA()),
    "Schwinger W": (schwinger_chain, wf.Schwinger("W")),
    "Schwinger P": (big_spin, wf.Schwinger("P")),
    "Schwinger Q": (schwinger_chain, wf.Schwinger("Q")),
    "generalized P": (driven_ensemble, wf.GeneralizedP()),
    "products": (products, wf.TWA()),
    "waveguide": (guided, wf.TWA()),
    "correlated dissipation of low rank": (lambda: dissipating(3), wf.TWA()),
    "correlated dissipation of high rank": (lambda: dissipating(18), wf.TWA()),
}
SOLVED: dict[str, tuple[Any, Any]] = {
    "exact, ensemble": (driven_ensemble, wf.Exact()),
    "exact, populations": (lambda: models.laser(20, 1.0, 0.3), wf.Exact()),
    "exact, emitters and cavity": (jaynes, wf.Exact()),
    "exact, spins": (lambda: spins(3), wf.Exact()),
    "exact, collective spin": (big_spin, wf.Exact()),
    "cumulants, ensemble": (driven_ensemble, wf.Cumulant(order=2)),
    "cumulants, cavity": (jaynes, wf.Cumulant(order=2)),
    "cumulants, chain": (lambda: coupled(DENSE), wf.Cumulant(order=2)),
    "cumulants, spins": (spins, wf.Cumulant(order=2)),
}
JUMPS: dict[str, tuple[Any, Any]] = {
    "jumps, spins": (lambda: spins(3), wf.QuantumJumps()),
    "jumps, cavity": (jaynes, wf.QuantumJumps()),
    "jumps, populations": (lambda: models.laser(20, 1.0, 0.3), wf.QuantumJumps()),
}


def add() -> None:
    """Register all cases."""
    for name, coupling in COUPLINGS.items():
        RUNS[f"coupling: {name}"] = (lambda c=coupling: coupled(c), wf.TWA())
    for name, state in STATES.items():
        RUNS[f"state: {name}"] = (lambda s=state: oscillator(s), wf.TWA())
        SOLVED[f"exact, state: {name}"] = (lambda s=state: oscillator(s), wf.Exact())
    for name, (make, method) in RUNS.items():
        CASES[name] = lambda make=make, method=method: lanes(*make(), method)
    for name, (make, method) in SOLVED.items():
        CASES[name] = lambda make=make, method=method: solved(*make(), method)
    for name, (make, method) in JUMPS.items():
        CASES[name] = lambda make=make, method=method: solved(*make(), method, ntraj=64, seed=SEED)
    CASES["checkpoint"] = checkpoint


def checkpoint() -> dict[str, Any]:
    """A run that continues another's checkpoint, with a derived observable and its errors."""
    model, e_ops = models.laser()
    atoms = model.subsystems[0]
    e_ops["g2"] = wf.g2(atoms.Jm)
    options: dict[str, Any] = {"seed": SEED, "dt": 0.05, "progress": False, "precision": "double"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.nc"
        for ntraj in (256, 512):
            result = wf.solve(model, TIMES, e_ops=e_ops, ntraj=ntraj, checkpoint=path, **options)
    assert result.stats["resumed"] == 256
    return {f"{k} {n}": getattr(result, k)[n] for k in ("expect", "sem") for n in result.expect}


add()


def numbers(values: dict[str, Any]) -> dict[str, list[float]]:
    """Plain lists, complex numbers as pairs; of long ones every so many."""
    out = {}
    for name, value in values.items():
        flat = np.ascontiguousarray(value, complex).ravel().view(float)
        if not np.any(flat[1::2]):
            flat = flat[::2]
        out[name] = flat[:: max(1, flat.size // 24)].tolist()
    return out


def main() -> None:
    """Renew the file; print the cases that changed."""
    old = json.loads(FILE.read_text()) if FILE.exists() else {}
    new = {name: numbers(make()) for name, make in sorted(CASES.items())}
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            print(name)
    lines = (f"{json.dumps(name)}: {json.dumps(values)}" for name, values in new.items())
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
