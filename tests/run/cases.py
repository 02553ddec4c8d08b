"""Models of the tests of long runs, small enough to run many times."""

import numpy as np

import wignerflow as wf

TIMES = np.linspace(0, 1, 6)


def laser(N=100):
    """One ensemble with a derived observable."""
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate=0.1), wf.LocalJump(atoms.sp, rate=2.0)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    return model, {"emission": atoms.Jp * atoms.Jm, "squeezing": wf.Squeezing(atoms)}


def chain():
    """An array with a waveguide, weights, several states and array observables."""
    atoms = wf.Ensemble(20, name="chain", count=4)
    H, jumps = wf.waveguide(atoms, 0.3, 0.2)
    H = H + (np.arange(4) * 0.1 * atoms.Jx).sum()
    jumps = [*jumps, wf.LocalJump(atoms.sp, rate=np.arange(1.0, 5.0))]
    model = wf.Model(H, jumps, initial={atoms: [wf.up, wf.down, wf.bloch(0.3, 0.2), wf.up]})
    return model, {"z": atoms.Jz, "order": wf.StructureFactor(atoms.Jm)}


def cavity():
    """Callables in H and as a rate; subsystems in another order than they were made; complex."""
    atoms, light = wf.Ensemble(30, name="atoms"), wf.Mode(name="light")
    H = 0.3 * (atoms.Jp * light.a + atoms.Jm * light.adag)
    H = H + wf.coef(lambda t: 1 + np.sin(3 * t)) * light.n
    rate = wf.coef(lambda t: 1 + t * t)
    jumps = [wf.Jump(light.a, rate=1.0), wf.LocalJump(atoms.sm, rate=rate)]
    model = wf.Model(H, jumps, initial={light: wf.coherent(1.0), atoms: wf.down})
    return model, {"field": light.a, "ratio": wf.Ratio(light.n, atoms.Jx * 2)}


CASES = {"laser": laser, "chain": chain, "cavity": cavity}


def solve(case="laser", tlist=TIMES, **options):
    """A run of one of the cases."""
    model, e_ops = CASES[case]()
    options = {"ntraj": 1000, "seed": 3, "dt": 0.05, "progress": False} | options
    return wf.solve(model, tlist, e_ops=e_ops, **options)
