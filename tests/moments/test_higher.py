"""Cumulants of third and fourth order: rates against exact ones, and where they are exact."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.moments.higher import HigherOrder
from wignerflow.moments.method import Cumulant


def hermitian(op):
    return op + op.dag()


def few_emitters():
    """Four in all: nothing is left out at the fourth order."""
    A, B, s = wf.Ensemble(2, name="A"), wf.Ensemble(1, name="B"), wf.Spin(name="s")
    H = hermitian((0.3 + 0.2j) * A.Jm * B.Jp * s.sz) + 0.5 * A.Jx * A.Jx + 0.7 * s.sx
    jumps = [
        wf.Jump(A.Jm + 0.3j * B.Jm + 0.4 * s.sm * A.Jz, 0.7),
        wf.LocalJump(A.sp + 0.2 * A.sz, 0.3),
    ]
    model = wf.Model(H, jumps, initial={A: wf.bloch(0.6, 0.3), B: wf.down, s: wf.up})
    return model, {"z": A.Jz, "xy": A.Jx * s.sy, "three": A.Jz * B.Jz * s.sz, "s": s.sx}


def driven_levels():
    """Three atoms with three levels, under a drive that depends on time."""
    atoms = wf.Levels(3, ["0", "1", "e"], name="atoms")
    drive = wf.coef(lambda t: 0.8 * np.cos(1.3 * t))
    H = drive * hermitian(atoms.op("e", "0")) + 0.3 * atoms.pop("1") * atoms.pop("e")
    jumps = [wf.Jump(atoms.op("1", "e"), 1.0), wf.LocalJump(atoms.one("0", "1"), 0.4)]
    model = wf.Model(H, jumps, initial={atoms: wf.level("0")})
    return model, {"e": atoms.pop("e"), "11": atoms.pop("1") * atoms.pop("1")}


@pytest.mark.parametrize(("make", "order"), [(few_emitters, 4), (driven_levels, 3)])
def test_as_many_emitters_as_orders_are_exact(make, order):
    model, ops = make()
    times = np.linspace(0, 2, 5)

    def off(which):
        run = wf.solve(model, times, e_ops=ops, method=Cumulant(which), truncation=False)
        return max(np.abs(run.expect[k] - exact[k]).max() for k in ops)

    exact = wf.solve(model, times, e_ops=ops, method=wf.Exact(rtol=1e-9)).expect
    assert off(order) < 1e-6
    assert off(2) > 3e-4  # which leaves something out


def oscillators():
    a, b = wf.Mode(name="a"), wf.Mode(name="b")
    H = 0.4 * a.n * a.n + 0.3 * hermitian(a.adag * b.a * b.a) + 0.2j * (a.a - a.adag)
    jumps = [wf.Jump(a.a * b.a, 0.3), wf.Jump(b.n, 0.2), wf.Jump(a.a, 0.5)]
    return wf.Model(H, jumps, initial={a: wf.coherent(0.5 + 0.3j), b: wf.squeezed(0.3)})


def spin_and_cavity():
    s, c = wf.CollectiveSpin(1.5, name="s"), wf.Mode(name="c")
    H = hermitian((0.4 + 0.1j) * c.a * s.Jp) + 0.3 * s.Jx * s.Jx + 0.2 * c.n
    jumps = [wf.Jump(s.Jm, 0.4), wf.Jump(c.a + 0.3 * s.Jz, 0.6)]
    return wf.Model(H, jumps, initial={s: wf.bloch(0.9, 0.4), c: wf.coherent(0.4)})


def basic(model):
    out = []
    for sub in model.subsystems:
        if sub.kind == "mode":
            out += [(sub.a + sub.adag) / np.sqrt(2), -1j * (sub.a - sub.adag) / np.sqrt(2)]
        else:
            out += [sub.Jx, sub.Jy, sub.Jz]
    return out


def symmetrised(factors):
    orders = list(permutations(factors))
    total = 0.0
    for order in orders:
        product = 1.0
        for op in order:
            product = product * op
        total = total + product / len(orders)
    return total


def rates(model, order, degree):
    """Moments and their rates at t = 0, by cumulants and exactly, of all up to a degree."""
    program = Cumulant(order).system(model)
    assert isinstance(program, HigherOrder)
    ops = basic(model)
    some = [k for k, m in enumerate(program.monos[: program.length]) if len(m) <= degree]
    e_ops = {str(k): symmetrised([ops[i] for i in program.monos[k]]) for k in some}
    h = 1e-3
    exact = wf.solve(model, [0, h, 2 * h], e_ops=e_ops, method=wf.Exact(rtol=1e-11)).expect
    values = np.array([exact[str(k)] for k in some]).real
    slope = (4 * values[:, 1] - 3 * values[:, 0] - values[:, 2]) / (2 * h)
    y = program.initial()
    return y[some], values[:, 0], program(0.0, y)[some], slope


# in Gaussian states all products are closed rightly; in those of spins, up to the order
@pytest.mark.parametrize(
    ("make", "order", "degree"), [(oscillators, 3, 3), (oscillators, 4, 4), (spin_and_cavity, 4, 2)]
)
def test_rates_in_the_initial_state(make, order, degree):
    start, right, rate, slope = rates(make(), order, degree)
    assert np.abs(start - right).max() < 1e-5  # the cutoff of the exact ones
    assert np.abs(slope).max() > 0.5
    assert np.abs(rate - slope).max() < 1e-4 * np.abs(slope).max()


def test_spoiled_rates_are_seen(monkeypatch):
    """The control of the test above: one matching of slots and sites is left out."""
    from wignerflow.moments import higher

    every = higher._matchings
    monkeypatch.setattr(higher, "_matchings", lambda c, s: list(every(c, s))[1:])
    _, _, rate, slope = rates(oscillators(), 3, 3)
    assert np.abs(rate - slope).max() > 0.01 * np.abs(slope).max()


def test_moments_and_cumulants_are_inverse():
    program = Cumulant(4).system(spin_and_cavity())
    kappa = np.random.default_rng(1).normal(size=program.length)
    assert np.allclose(program.cumulants(program.moments(kappa)), kappa, atol=1e-9)
    assert np.allclose(program.second(program.moments(kappa))[: program.v.size], kappa[:5])


def test_steady_states_of_higher_order():
    e = wf.Ensemble(3, name="e")
    jumps = [wf.Jump(e.Jm, 1.0), wf.LocalJump(e.sp, 0.5)]
    model = wf.Model(jumps=jumps, initial={e: wf.up})
    exact = wf.steady_state(model, {"z": e.Jz}, "exact").expect["z"]
    found = wf.steady_state(model, {"z": e.Jz}, Cumulant(3), truncation=False)
    assert abs(found.expect["z"] - exact) < 1e-5


def test_what_is_too_large_is_refused():
    s = wf.Spin(name="s", count=40)
    model = wf.Model(s.sx.sum(), initial={s: wf.up})
    with pytest.raises(ValueError, match="have up to 302620 moments"):
        wf.solve(model, [0, 1.0], e_ops=[s.sz.sum()], method=Cumulant(3))
    with pytest.raises(ValueError, match="`order` must be 2 for equations"):
        Cumulant(3).equations(few_emitters()[0])


def test_pulses_turn_moments_of_every_order():
    A, s = wf.Ensemble(2, name="A"), wf.Spin(name="s")
    H = 0.5 * (A.Jp * s.sm + A.Jm * s.sp) + 0.3 * A.Jz * s.sz
    pulses = [wf.pulse(0.7, A.Jx + 0.5 * s.sy, 1.1)]
    model = wf.Model(H, [wf.Jump(A.Jm, 0.4)], initial={A: wf.down, s: wf.up}, pulses=pulses)
    ops, times = {"z": A.Jz, "xs": A.Jx * s.sx}, np.array([0, 0.7, 1.5])
    exact = wf.solve(model, times, e_ops=ops, method=wf.Exact(rtol=1e-9)).expect
    found = wf.solve(model, times, e_ops=ops, method=Cumulant(3), truncation=False).expect
    assert max(np.abs(found[k] - exact[k]).max() for k in ops) < 1e-6
