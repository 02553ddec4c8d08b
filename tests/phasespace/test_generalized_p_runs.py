"""Runs of the generalised P-function against exact solutions, and the choice ``method="auto"``."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

import wignerflow as wf

from ..few import few

FAMILY = 1e-3  # family-wise error rate of a test
SEED = 20
KAPPA = 1.0


def driven(N, field, dephasing=1.0, initial=wf.down, local=()):
    """Merkel et al., Fig. 2: H = Bx Jx, collective absorption and dephasing of rates 2 kappa/N."""
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jp, 2 * KAPPA / N), wf.Jump(atoms.Jz, 2 * dephasing * KAPPA / N)]
    jumps += [wf.LocalJump(getattr(atoms, name), rate) for name, rate in local]
    model = wf.Model(field * atoms.Jx, jumps, initial={atoms: initial})
    products = {
        "yz": atoms.Jy * atoms.Jz,
        "zz": atoms.Jz * atoms.Jz,
        "cube": atoms.Jz * atoms.Jy * atoms.Jz,
    }
    return model, {"x": atoms.Jx, "y": atoms.Jy, "z": atoms.Jz, **products}


def scores(result, reference):
    """Largest |z| of real and imaginary parts, and the limit that a family of that size meets."""
    worst, count = 0.0, 0
    for name in result.expect:
        difference = result.expect[name] - reference.expect[name]
        for part in (np.real, np.imag):
            sem = part(result.sem[name])
            use = sem > 1e-9 * np.abs(reference.expect[name]).max()
            if np.any(use):
                worst = max(worst, float(np.abs(part(difference)[use] / sem[use]).max()))
                count += int(use.sum())
    return worst, -ndtri(FAMILY / 2 / count)


CASES = [(N, field) for N in (2, 5, 40) for field in (0.5, 2.0)]


@pytest.mark.parametrize(("N", "field"), few(CASES, [(2, 0.5), (40, 2.0)]))
def test_within_sampling_error_of_exact(N, field):
    """At every time, for first, second and third moments, in both regimes."""
    model, ops = driven(N, field)
    t = np.linspace(0, 8, 33)
    result = wf.solve(model, t, e_ops=ops, method="generalized-p", ntraj=20_000, seed=SEED)
    worst, limit = scores(result, wf.solve(model, t, e_ops=ops, method="exact"))
    assert worst < limit
    assert result.stats.get("clipped", 0) == 0
    assert "separable" in result.stats["notes"][0]
    # negative control: other rates
    other, named = driven(N, field, dephasing=1.3)
    assert scores(result, wf.solve(other, t, e_ops=named, method="exact"))[0] > limit


@pytest.mark.slow
def test_between_the_two_conditions():
    """Kz between (sqrt K+ - sqrt K-)^2/2 and |K+ - K-|: the root across r."""
    N = 6
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jp, 0.4), wf.Jump(atoms.Jm, 0.1), wf.Jump(atoms.Jz, 0.06)]
    model = wf.Model(0.8 * atoms.Jx, jumps, initial={atoms: wf.bloch(2, 1)})
    assert wf.GeneralizedP.applies(model)
    ops = {"x": atoms.Jx, "z": atoms.Jz, "zz": atoms.Jz * atoms.Jz, "+-": atoms.Jp * atoms.Jm}
    t = np.linspace(0, 6, 25)
    result = wf.solve(model, t, e_ops=ops, method="generalized-p", ntraj=20_000, seed=SEED)
    worst, limit = scores(result, wf.solve(model, t, e_ops=ops, method="exact"))
    assert worst < limit


def test_in_the_ball_with_local_jumps():
    """Balanced collective rates, local emission and dephasing, a mixed start."""
    N = 8
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jp, 0.2), wf.Jump(atoms.Jm, 0.2), wf.Jump(atoms.Jx + atoms.Jz, 0.1)]
    jumps += [wf.LocalJump(atoms.sm, 0.3), wf.LocalJump(atoms.sz, 0.1)]
    model = wf.Model(atoms.Jx, jumps, initial={atoms: wf.bloch_vector(0.3, 0.2, 0.7)})
    ops = {"x": atoms.Jx, "z": atoms.Jz, "zz": atoms.Jz * atoms.Jz, "+-": atoms.Jp * atoms.Jm}
    t = np.linspace(0, 4, 17)
    result = wf.solve(model, t, e_ops=ops, method="generalized-p", ntraj=20_000, seed=SEED)
    worst, limit = scores(result, wf.solve(model, t, e_ops=ops, method="exact"))
    assert worst < limit


@pytest.mark.slow
def test_arrays_of_independent_ensembles():
    N, fields = np.array([2, 5]), np.array([0.5, 2.0])
    pair = wf.Ensemble(N, name="pair", count=2)
    jumps = [wf.Jump(pair.Jp, 2 / N), wf.Jump(pair.Jz, 2 / N)]
    model = wf.Model((fields * pair.Jx).sum(), jumps, initial={pair: wf.down})
    t = np.linspace(0, 4, 9)
    ops = {"z": pair.Jz, "both": pair[0].Jz * pair[1].Jz}
    result = wf.solve(model, t, e_ops=ops, method="generalized-p", ntraj=20_000, seed=SEED)
    parts = []
    for m in range(2):
        alone, named = driven(int(N[m]), float(fields[m]))
        parts.append(wf.solve(alone, t, e_ops=named, method="exact").expect["z"])
    limit = -ndtri(FAMILY / 2 / 24)
    exact = {"z": np.stack(parts, axis=1), "both": parts[0] * parts[1]}
    for name, wanted in exact.items():
        z = np.abs(result.expect[name] - wanted)[1:] / result.sem[name][1:]
        assert z.max() < limit
    # negative control: members exchanged
    swapped = np.abs(result.expect["z"][:, ::-1] - exact["z"])[1:] / result.sem["z"][1:]
    assert swapped.max() > limit


@pytest.mark.slow
def test_agrees_with_twa_at_large_N():
    """At N = 10^5 both are exact up to 1/N; differences are within the joint sampling error.

    At a step of 0.01 the mean of Jy in P is off by 13 at t = 1, three of these errors.
    """
    model, ops = driven(100_000, 2.0)
    ops = {name: ops[name] for name in ("y", "z", "zz")}
    t = np.linspace(0, 8, 17)
    one = wf.solve(
        model,
        t,
        e_ops=ops,
        method="generalized-p",
        ntraj=4_000,
        seed=1,
        precision="double",
        dt=0.0025,
    )
    two = wf.solve(
        model, t, e_ops=ops, method="twa", ntraj=4_000, seed=2, precision="double", dt=0.0025
    )
    limit = -ndtri(FAMILY / 2 / (3 * 16))
    for name in ops:
        sem = np.hypot(one.sem[name], two.sem[name])[1:]
        assert np.max(np.abs(one.expect[name] - two.expect[name])[1:] / sem) < limit


@pytest.mark.slow
def test_mean_field_option_follows_the_paper():
    """Without noise: Eq. (22), with losses that damp; its limit is the generalised P-function's."""
    model, ops = driven(1000, 0.5, local=(("sm", 0.2),))
    t = np.linspace(0, 5, 11)
    drop = wf.solve(
        model, t, e_ops={"z": ops["z"]}, method=wf.GeneralizedP(mean_field=True), dt=0.01
    )
    mean = wf.solve(model, t, e_ops={"z": ops["z"]}, method="mean-field", dt=0.01)
    assert np.allclose(drop.expect["z"], mean.expect["z"], atol=1e-2 * 1000 / 2, rtol=0)
    assert np.all(drop.sem["z"] == 0)
    with pytest.raises(ValueError, match="mean_field=True"):
        wf.solve(model, t, e_ops={"z": ops["z"]}, method="generalized-p")


# ---------------------------------------------------------------------------- auto, final samples


def test_auto_says_what_it_chose_and_why():
    t = np.linspace(0, 0.5, 3)
    small, ops = driven(10, 0.5)
    result = wf.solve(small, t, e_ops={"z": ops["z"]}, method="auto")
    assert result.method == "exact" and "121 elements" in result.stats["why"]
    large, ops = driven(5000, 0.5)
    result = wf.solve(large, t, e_ops={"z": ops["z"]}, method="auto", ntraj=256, seed=1)
    assert (
        result.method == "generalized-p" and "positive on the whole sphere" in result.stats["why"]
    )
    assert "why: generalised P-function" in repr(result) and "separable" in repr(result)
    negative, ops = driven(5000, 0.5, dephasing=0.4)
    result = wf.solve(negative, t, e_ops={"z": ops["z"]}, method="auto", ntraj=256, seed=1)
    assert result.method == "twa" and "negative on the sphere" in result.stats["why"]
    diagonal, ops = driven(300, 0.0, local=(("sm", 1.0),))
    result = wf.solve(diagonal, t, e_ops={"z": ops["z"]}, method="auto")
    assert result.method == "exact" and "populations" in result.stats["why"]


def test_final_samples():
    model, ops = driven(40, 2.0)
    t = np.linspace(0, 1, 3)
    keywords = dict(e_ops={"z": ops["z"]}, ntraj=300, seed=3)
    result = wf.solve(model, t, method="generalized-p", keep="final", **keywords)
    assert result.final.shape == (300, 3) and result.variables == ("atoms.x", "atoms.y", "atoms.z")
    assert np.allclose(np.linalg.norm(result.final, axis=1), 1, atol=1e-5)
    assert np.mean(result.final[:, 2]) * 20 == pytest.approx(result.expect["z"][-1], rel=1e-5)
    threads = wf.solve(model, t, method="generalized-p", keep="final", threads=1, **keywords)
    assert np.array_equal(threads.final, result.final)
    assert wf.solve(model, t, method="twa", keep="final", **keywords).final.shape == (300, 3)
    with pytest.raises(ValueError, match="keep"):
        wf.solve(model, t, method="exact", keep="final", e_ops={"z": ops["z"]})
