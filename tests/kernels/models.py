"""Models that between them print every line a kernel can have."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

import wignerflow as wf
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.observables import flatten


def laser(N=100, rate=1.0, pump=0.25):
    """The superradiant laser: one jump, one axial local channel."""
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(
        jumps=[wf.Jump(atoms.Jm, rate / N), wf.LocalJump(atoms.sp, pump)],
        initial={atoms: wf.up},
    )
    return model, {"emission": atoms.Jp * atoms.Jm, "inversion": atoms.Jz}


def singles():
    """General and axial local channels, a spin, a collective spin, a mode; time dependence."""
    atoms = wf.Ensemble(30, name="atoms")
    mixed = wf.Ensemble(12, name="mixed")
    spin, big, mode = wf.Spin(name="spin"), wf.CollectiveSpin(4, name="big"), wf.Mode(name="mode")
    pulse = wf.coef(lambda t: float(np.exp(-t)))
    H = 0.02 * (mode.a * atoms.Jp + mode.adag * atoms.Jm) + pulse * atoms.Jx
    H = H + 0.1 * spin.sz * big.Jz + 0.01 * big.Jx * big.Jx + 0.05 * mode.n * mode.n
    jumps = [
        wf.Jump(atoms.Jm + 0.3j * big.Jz + mode.a, 0.05),
        wf.Jump(mode.a, 0.4),
        wf.Jump(spin.sm, wf.coef(lambda t: 0.3 + 0.1 * float(np.cos(t)))),
        wf.LocalJump(atoms.sm + 0.4 * atoms.sz + 0.1j, 0.7),
        wf.LocalJump(mixed.sm, wf.coef(lambda t: 0.5 / (1 + float(t)))),
        wf.LocalJump(mixed.sp, 0.2),
    ]
    initial = {
        atoms: wf.bloch(1.0, 0.4),
        mixed: wf.bloch_vector(0.2, 0.1, -0.5),
        spin: wf.up,
        big: wf.bloch(0.5, 2.0),
        mode: wf.fock(2),
    }
    e_ops = {"n": mode.n, "sz": spin.sz, "JJ": atoms.Jp * atoms.Jm, "x": atoms.Jx * mode.a}
    e_ops["Jz"] = mixed.Jz
    return wf.Model(H, jumps, initial=initial), e_ops


def chain(M=5):
    """An array of ensembles on a waveguide, with member jumps and a phased observable."""
    sites = wf.Ensemble(np.arange(10, 10 + M), name="chain", count=M)
    phase = np.exp(0.4j * np.arange(M))
    H = 0.05 * wf.couple(sites.Jp, wf.Waveguide(np.cumsum(np.linspace(0.2, 0.9, M))), sites.Jm)
    H = H + wf.coef(lambda t: float(np.sin(t))) * (np.linspace(-1, 1, M) * sites.Jx).sum()
    jumps = [
        wf.Jump((phase * sites.Jm).sum(), 0.02),
        wf.Jump(sites.Jm + 0.1 * sites.Jz, np.linspace(0.01, 0.05, M)),
        wf.LocalJump(sites.sp, np.linspace(0.5, 1, M)),
    ]
    e_ops = {
        "site": sites.Jp * sites.Jm,
        "J": sites.Jm,
        "forward": (phase * sites.Jp).sum() * (phase.conj() * sites.Jm).sum(),
        "guide": wf.couple(sites.Jp, wf.Waveguide(0.4), sites.Jm),
    }
    return wf.Model(H, jumps, initial={sites: wf.bloch(0.8, 0.3)}), e_ops


def couplings(M=5):
    """An array of ensembles and one of modes with all other couplings, and a single spin."""
    rng = np.random.default_rng(5)
    sites = wf.Ensemble(12, name="chain", count=M)
    modes = wf.Mode(name="modes", count=M)
    big = wf.CollectiveSpin(3, name="big")
    dense = rng.normal(size=(M, M))
    thin = sp.csr_array(np.where(rng.uniform(size=(M, M)) < 0.4, dense, 0))
    w = rng.normal(size=M)
    phase = np.exp(0.4j * np.arange(M))
    H = 0.02 * wf.couple(sites.Jp, wf.Waveguide(0.3, 0.5), w * sites.Jm)
    H = H + 0.02 * wf.couple(sites.Jz, wf.NearestNeighbour(), sites.Jz)
    H = H + 0.1 * wf.couple(modes.adag, wf.NearestNeighbour(periodic=True), modes.a)
    H = H + 0.02 * wf.couple(sites.Jx, thin, sites.Jz) + 0.01 * wf.couple(sites.Jy, dense, sites.Jx)
    H = H + 0.03 * (sites.Jp * modes.a).sum() + 0.02 * big.Jx * (w * sites.Jx).sum()
    jumps = [
        wf.Jump(sites.Jm.sum() + 0.2 * big.Jz, 0.02),
        wf.Jump(modes.a, 0.4),
        wf.Jump(sites.Jz, np.full((M, M), 0.01) + 0.02 * np.outer(phase, phase.conj())),
        wf.LocalJump(sites[2].sm + 0.3 * sites[2].sz, 0.3),
    ]
    states = [wf.vacuum, wf.fock(1), *[wf.thermal(1)] * (M - 2)]
    e_ops = {
        "z": sites.Jz,
        "a": modes.a,
        "dense": wf.couple(sites.Jp, dense, sites.Jm),
        "sparse": wf.couple(sites.Jx, thin, sites.Jx),
        "big": big.Jx,
    }
    initial = {sites: wf.bloch(0.8, 0.3), big: wf.up, modes: states}
    return wf.Model(H + H.dag(), jumps, initial=initial), e_ops


def printed(model, e_ops, times, **options) -> KernelText:
    """The kernel of a model and its observables."""
    _, base, plan = flatten(e_ops, model.subsystems)
    system, symbols = wf.TWA(**options).lower(model, base, np.asarray(times, float))
    return KernelText(system, [Readout(symbols[k], plan.base[k].is_complex) for k in base])
