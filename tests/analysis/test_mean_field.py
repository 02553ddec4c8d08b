"""Mean-field fixed points and flows, against closed forms and a direct integration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import wignerflow as wf
from wignerflow.analysis import mean_field


def fluorescence(field, kappa=1.0, N=100, local=()):
    """H = Bx Jx with collective absorption, kappa = N K/2."""
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jp, 2 * kappa / N)]
    jumps += [wf.LocalJump(getattr(atoms, name), rate) for name, rate in local]
    return wf.Model(field * atoms.Jx, jumps, initial={atoms: wf.down})


def test_below_threshold_one_stable_and_one_unstable_point():
    """sin and cos of the angle are Bx/kappa and the root of 1 - (Bx/kappa)^2."""
    points = wf.mean_field.fixed_points(fluorescence(0.6))
    assert [p.kind for p in points] == ["stable", "unstable"]
    assert np.allclose(points[0].point, [0, -0.6, 0.8], atol=1e-9)
    assert np.allclose(points[1].point, [0, -0.6, -0.8], atol=1e-9)
    assert np.allclose(points[0].eigenvalues, -0.8, atol=1e-8)
    assert points[0].stable and not points[1].stable


def test_above_threshold_two_centres():
    points = wf.mean_field.fixed_points(fluorescence(2.0))
    assert [p.kind for p in points] == ["neutral", "neutral"]
    x = np.sqrt(1 - 0.25)
    assert np.allclose(sorted(p.point[0] for p in points), [-x, x], atol=1e-8)
    for p in points:
        assert np.allclose(p.point[1:], [-0.5, 0], atol=1e-8)
        assert np.allclose(np.sort(p.eigenvalues.imag), [-np.sqrt(3), np.sqrt(3)], atol=1e-6)


def paper(r, B, kp, km, gp, gm, gz):
    """Eq. (22) with losses that damp: gamma_- and gamma_+ exchanged in sign against the print."""
    x, y, z = r
    f = (km - kp) * z - gm - gp - gz
    return [
        B[1] * z - B[2] * y + f * x,
        B[2] * x - B[0] * z + f * y,
        B[0] * y - B[1] * x - (km - kp) * (x * x + y * y) - 2 * gm * (z + 1) - 2 * gp * (z - 1),
    ]


def test_flow_is_that_of_the_paper():
    B, rates = (0.3, -0.4, 0.5), (0.8, 0.3, 0.1, 0.2, 0.15)
    kp, km, gp, gm, gz = rates
    N = 50
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jp, 2 * kp / N), wf.Jump(atoms.Jm, 2 * km / N)]
    jumps += [wf.LocalJump(atoms.sp, 2 * gp), wf.LocalJump(atoms.sm, 2 * gm)]
    jumps += [wf.LocalJump(atoms.sz, gz / 2), wf.Jump(atoms.Jz, 0.7)]  # no effect of the last
    H = B[0] * atoms.Jx + B[1] * atoms.Jy + B[2] * atoms.Jz
    model = wf.Model(H, jumps, initial={atoms: wf.bloch(1, 2)})
    (flow,) = mean_field.flows(model)
    for r in np.random.default_rng(0).uniform(-0.5, 0.5, (10, 3)):
        assert np.allclose(flow(r), paper(r, B, *rates), atol=1e-13)
        step = 1e-6
        numeric = [(flow(r + step * e) - flow(r - step * e)) / (2 * step) for e in np.eye(3)]
        assert np.allclose(flow.jacobian(r), np.transpose(numeric), atol=1e-8)
    for p in wf.mean_field.fixed_points(model):
        assert np.abs(paper(p.point, B, *rates)).max() < 1e-9
    stable = [p for p in wf.mean_field.fixed_points(model) if p.stable]
    end = solve_ivp(lambda t, r: paper(r, B, *rates), (0, 300), [0, 0, -1], rtol=1e-9).y[:, -1]
    assert len(stable) == 1 and np.allclose(stable[0].point, end, atol=1e-5)
    times = np.linspace(0, 4, 5)
    lines = mean_field.trajectories(flow, np.array([[0, 0, -1.0], [0.1, 0, 0]]), times)
    assert lines.shape == (2, 5, 3)
    ops = {"z": atoms.Jz / (N / 2)}
    begin = wf.Model(H, jumps, initial={atoms: wf.down})
    solved = wf.solve(begin, times, e_ops=ops, method=wf.GeneralizedP(mean_field=True), dt=0.005)
    assert np.allclose(lines[0, :, 2], solved.expect["z"], atol=1e-4)


def test_local_dephasing_ends_at_the_centre():
    points = wf.mean_field.fixed_points(fluorescence(0.6, local=[("sz", 0.5)]))
    assert any(p.stable and np.allclose(p.point, 0, atol=1e-8) for p in points)


def test_families_are_marked_neutral():
    """No drive: every point of the poles' axis or of the equator may rest."""
    atoms = wf.Ensemble(10, name="atoms")
    model = wf.Model(atoms.Jz, [], initial={atoms: wf.up})
    kinds = {p.kind for p in wf.mean_field.fixed_points(model)}
    assert kinds == {"neutral"}


def test_couplings_are_refused():
    atoms, mode = wf.Ensemble(4, name="atoms"), wf.Mode(name="cavity")
    with pytest.raises(ValueError, match="mean-field"):
        wf.mean_field.fixed_points(wf.Model(None, [], initial={atoms: wf.up, mode: wf.vacuum}))
    pulse = wf.Jump(atoms.Jm, wf.coef(lambda t: 1.0 + t))
    with pytest.raises(ValueError, match="constant"):
        wf.mean_field.fixed_points(wf.Model(None, [pulse], initial={atoms: wf.up}))


def test_portrait_draws():
    from matplotlib import pyplot as plt

    ax = wf.mean_field.portrait(fluorescence(0.6), duration=5)
    assert ax.collections and ax.get_legend_handles_labels()[1] == ["stable", "unstable"]
    plt.close("all")


def test_components_that_rounding_left_are_zero():
    atoms = wf.Ensemble(100)
    model = wf.Model(0.6 * atoms.Jx, [wf.Jump(atoms.Jp, 0.02)], initial={atoms: wf.down})
    points = [p.point for p in wf.mean_field.fixed_points(model)]
    assert all(x == 0 or abs(x) > 0.1 for point in points for x in point)
