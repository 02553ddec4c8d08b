"""Steady states of second-order cumulants."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf


def laser(N):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 0.25 * N)]
    return wf.Model(jumps=jumps, initial={atoms: wf.up}), {"emission": atoms.Jp * atoms.Jm}


@pytest.mark.parametrize("N", [10, 10**6])
def test_the_superradiant_laser(N):
    model, ops = laser(N)
    found = wf.steady_state(model, ops, "cumulant")
    # the fixed point of the equations written by hand, by Newton's method
    w, y = 0.25 * N, np.array([0.25, 0.1, 0.1])

    def rhs(y):
        z, S, Z = y
        return np.array(
            [
                -(1 + z) - 2 * (N - 1) * S + w * (1 - z),
                -(1 + w) * S + (z + Z) / 2 + (N - 2) * z * S,
                -2 * (Z + z) + 2 * w * (z - Z) + 4 * S - 4 * (N - 2) * z * S,
            ]
        )

    for _ in range(50):
        J = np.array([(rhs(y + 1e-6 * e) - rhs(y - 1e-6 * e)) / 2e-6 for e in np.eye(3)]).T
        y = y - np.linalg.solve(J, rhs(y))
    emission = N * (1 + y[0]) / 2 + N * (N - 1) * y[1]
    assert found.expect["emission"] == pytest.approx(emission, rel=1e-5)
    assert found.stats["unique"] and "opposite initial state" in found.stats["known"]
    assert found.sem["emission"] == 0
    if N == 10:
        exact = wf.steady_state(model, ops, "exact").expect["emission"]
        assert 0.0 < found.expect["emission"] / exact - 1 < 0.08


def central_spin(N):
    bath, centre = wf.Ensemble(N, name="bath"), wf.Spin(name="centre")
    H = centre.sz / 2 + bath.Jz + 3 / np.sqrt(N) * (centre.sp * bath.Jm + centre.sm * bath.Jp)
    jumps = [
        wf.Jump(centre.sm, 1.0), wf.LocalJump(bath.sm, 0.5), wf.LocalJump(bath.sp, 1.5)
    ]  # fmt: skip
    return wf.Model(H, jumps, initial={bath: wf.up, centre: wf.down}), {"n": 0.5 * centre.sz + 0.5}


def test_the_central_spin_comes_out_wrong_at_every_size():
    """As the paper on individual spins has it (its Fig. 4): no closure is good for one spin."""
    for N in (8, 30):
        model, ops = central_spin(N)
        found = wf.steady_state(model, ops, "cumulant").expect["n"]
        exact = wf.steady_state(model, ops, "exact").expect["n"]
        assert 0.04 < found - exact < 0.06


def test_a_state_that_depends_on_the_initial_one_is_refused():
    atoms = wf.Ensemble(5, name="atoms")
    model = wf.Model(jumps=[wf.LocalJump(atoms.sz, 1.0)], initial={atoms: wf.bloch(0.4)})
    with pytest.raises(wf.NotUnique, match="opposite one lead to means that differ"):
        wf.steady_state(model, {"z": atoms.Jz}, "cumulant")
    found = wf.steady_state(model, {"z": atoms.Jz, "x": atoms.Jx}, "cumulant", unique=False)
    assert found.expect["z"] == pytest.approx(2.5 * np.cos(0.4))
    assert found.expect["x"] == pytest.approx(0, abs=1e-5)


def test_what_never_settles_is_said():
    atoms = wf.Ensemble(2, name="atoms")
    model = wf.Model(atoms.Jx, initial={atoms: wf.up})
    with pytest.raises(wf.NotRelaxed, match="oscillate for ever"):
        wf.steady_state(model, {"z": atoms.Jz}, "cumulant", timeout=0.2)


def test_derived_observables_and_arrays():
    chain = wf.Ensemble([2, 3], name="chain", count=2)
    jumps = [wf.LocalJump(chain.sm, [0.5, 0.7]), wf.LocalJump(chain.sp, 0.2)]
    model = wf.Model(jumps=jumps, initial={chain: wf.up})
    found = wf.steady_state(model, {"z": chain.Jz, "r": wf.Ratio(chain[0].Jz, chain[1].Jz)},
                            "cumulant")  # fmt: skip
    z = np.array([-0.3 / 0.7, -0.5 / 0.9]) * np.array([1.0, 1.5])
    assert found.expect["z"] == pytest.approx(z, rel=1e-6)
    assert found.expect["r"] == pytest.approx(z[0] / z[1], rel=1e-6)
