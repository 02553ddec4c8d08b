"""wf.Cumulant: what it refuses, warns of and prints."""

from __future__ import annotations

import re

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.moments import limits
from wignerflow.moments.physical import Bounds
from wignerflow.moments.variables import Variables


def solve(model, times, ops, method="cumulant"):
    return wf.solve(model, times, e_ops=ops, method=method, progress=False)


# ---------------------------------------------------------------- bad input


def test_options_are_checked():
    with pytest.raises(ValueError, match=r"`order` must be 2, 3 or 4, but was 1"):
        wf.Cumulant(order=1)
    with pytest.raises(TypeError, match="`order` must be an integer"):
        wf.Cumulant(order=2.0)
    with pytest.raises(ValueError, match="`rtol` must be positive"):
        wf.Cumulant(rtol=0)
    assert repr(wf.Cumulant()) == "Cumulant()"


def test_operators_of_too_high_an_order_are_refused_by_name():
    mode, atoms = wf.Mode(name="c"), wf.Ensemble(5, name="atoms")
    high = wf.Model(atoms.Jz * mode.n**4, initial={mode: wf.vacuum, atoms: wf.up})
    with pytest.raises(ValueError, match="H enters as a product of 9 operators, and means are"):
        solve(high, [0, 1], {"n": mode.n})
    lossy = wf.Model(jumps=[wf.Jump(mode.a**4, 1.0)], initial={mode: wf.vacuum})
    with pytest.raises(ValueError, match=r"jumps\[0\] enters squared, as a product of 8 operators"):
        solve(lossy, [0, 1], {"n": mode.n})
    plain = wf.Model(mode.n, initial={mode: wf.vacuum})
    with pytest.raises(ValueError, match=r"Observable 'op0' cannot be read: .* of 10 operators"):
        solve(plain, [0, 1], {"n": mode.n**5})


def test_products_of_many_sums_are_refused_before_they_are_written_out():
    chain = wf.Spin(name="chain", count=400)
    triple = chain.sx.sum() * chain.sy.sum() * chain.sz.sum()
    model = wf.Model(triple + triple.dag(), initial={chain: wf.up})
    with pytest.raises(ValueError, match=r"H has .* terms when its sums over arrays"):
        solve(model, [0, 1], {"z": chain[0].sz})


def test_memory_is_estimated_first():
    chain = wf.Spin(name="chain", count=5000)
    model = wf.Model(chain.sx.sum(), initial={chain: wf.up})
    with pytest.raises(limits.TooLarge, match=r"need at least 45 GB, but 4 GB are allowed"):
        solve(model, [0, 1], {"z": chain[0].sz})
    pairs = wf.Spin(name="pairs", count=30)
    dense = wf.Model(wf.couple(pairs.sp, np.ones((30, 30)), pairs.sm), initial={pairs: wf.up})
    with pytest.raises(limits.TooLarge):
        solve(dense, [0, 1], {"z": pairs[0].sz}, wf.Cumulant(memory=4e6))


# ---------------------------------------------------------------- unphysical moments


def test_a_negative_photon_number_is_named_with_its_time():
    """Unpumped Tavis-Cummings, N = 12 (inset of Fig. 3 of the paper on individual spins)."""
    atoms, mode = wf.Ensemble(12, name="atoms"), wf.Mode(name="cavity")
    H = mode.n + 0.5 * atoms.Jz
    H = H + 1.7 / np.sqrt(12) * (mode.adag * atoms.Jm + mode.a * atoms.Jp)
    jumps = [wf.Jump(mode.a, 1.0), wf.LocalJump(atoms.sm, 0.25)]
    model = wf.Model(H, jumps, initial={atoms: wf.up, mode: wf.vacuum})
    with pytest.warns(UserWarning, match="unphysical from t = .*the photon number of cavity is -"):
        result = solve(model, np.linspace(0, 10, 101), {"n": mode.n})
    first = result.stats["unphysical"]["time"]
    assert np.all(result.expect["n"][result.times < first] > -0.01)
    assert result.expect["n"][np.searchsorted(result.times, first)] < -0.01


def test_values_after_a_divergence_are_nan():
    mode = wf.Mode(name="c")
    model = wf.Model(0.1 * (mode.a**3 + mode.adag**3), initial={mode: wf.coherent(0.5)})
    t = np.linspace(0, 10, 51)
    with pytest.warns(UserWarning, match="diverged at t = 3.8.*NaN"):
        result = solve(model, t, {"n": mode.n})
    when = result.stats["diverged"]
    assert np.all(np.isnan(result.expect["n"][t > when]))
    assert np.all(np.isfinite(result.expect["n"][t < when - 0.2]))


def test_bounds_of_moments():
    parts = {
        wf.Ensemble(10, name="e"): wf.up,
        wf.CollectiveSpin(2, name="J"): wf.up,
        wf.Mode(name="m"): wf.vacuum,
    }
    v = Variables(wf.Model(initial=parts))
    bounds, start = Bounds(v), v.initial()
    assert bounds.violated(start) is None

    def changed(**places):
        r, C = v.unpack(start.copy())
        for key, value in places.items():
            index = [int(k) for k in key.split("_")[1:]]
            if len(index) == 1:
                r[index[0]] = value
            else:
                C[index[0], index[1]] = C[index[1], index[0]] = value
        return bounds.violated(np.concatenate([r, C[v.pairs]]))

    assert "Bloch vector of e is 1.2, above 1" in changed(r_2=1.2)
    assert "mean spin of J is 2.5, above 2" in changed(r_5=2.5)
    assert "photon number of m is -0.1, below 0" in changed(C_6_6=0.3)
    # emitters: 1 + 9 C >= 0 and 1 - C >= 0
    assert changed(C_0_0=-0.1) is None
    assert "variance is -0.26, below 0 (mostly of e.sx)" in changed(C_0_0=-0.14)
    assert "among the emitters of e is -0.2" in changed(C_0_0=1.2)
    assert "variance is" in changed(C_0_6=2.0)


def test_a_fock_state_is_said_to_be_cut():
    mode = wf.Mode(name="c")
    model = wf.Model(mode.n, [wf.Jump(mode.a, 1.0)], initial={mode: wf.fock(2)})
    with pytest.warns(UserWarning, match="Fock state of c enters by its first and second moments"):
        result = solve(model, [0, 1], {"n": mode.n})
    assert result.expect["n"] == pytest.approx(2 * np.exp(-result.times))


# ---------------------------------------------------------------- observables


def test_observables_of_every_kind():
    chain, mode = wf.Ensemble([2, 3], name="chain", count=2), wf.Mode(name="c")
    model = wf.Model(initial={chain: wf.bloch(0.9, 0.4), mode: wf.coherent(0.5)})
    ops = {
        "z": chain.Jz,
        "three": chain[0].Jx * chain[1].Jy * chain[1].Jz,
        "g2": wf.g2(mode.a),
        "squeezing": wf.Squeezing(chain[1]),
        "coherence": wf.Coherence(chain.Jm),
        "nine": chain[1].Jx * mode.n**3,
        "constant": 0 * mode.n + 2.0,
    }
    found = solve(model, [0, 1], ops).expect
    x, y, z = np.sin(0.9) * np.cos(0.4), np.sin(0.9) * np.sin(0.4), np.cos(0.9)
    assert found["z"][1] == pytest.approx([z, 1.5 * z])
    # <J_y J_z> of three emitters: 6 pairs / 4 and i <sigma_x>/4 each
    product = x * (6 * y * z / 4 + 3 * 1j * x / 4)
    assert found["three"][0] == pytest.approx(product)
    assert found["g2"][0] == pytest.approx(1.0)
    assert found["squeezing"][0] == pytest.approx(1.0)
    assert found["coherence"].shape == (2, 2)
    # <n^3> of a coherent state: m + 3 m^2 + m^3
    assert found["nine"][0] == pytest.approx(1.5 * x * (0.25 + 3 / 16 + 1 / 64))
    assert found["constant"][0] == 2.0


@pytest.mark.slow
def test_a_dense_array_of_spins_with_correlated_decay():
    M = 60
    chain = wf.Spin(name="chain", count=M)
    distance = np.abs(np.subtract.outer(np.arange(M), np.arange(M)))
    rates = np.sinc(0.4 * distance)
    model = wf.Model(jumps=[wf.Jump(chain.sm, rates)], initial={chain: wf.up})
    ops = {"emission": wf.couple(chain.sp, rates, chain.sm), "up": chain.sz}
    result = solve(model, np.linspace(0, 2, 41), ops)
    excited = (result.expect["up"].sum(axis=1) + M) / 2
    # what is lost is emitted
    lost = -np.gradient(excited, result.times, edge_order=2)
    assert np.abs(lost - result.expect["emission"])[1:-1].max() < 0.02 * M
    assert result.expect["emission"][0] == pytest.approx(M)
    assert result.stats["moments"] == 3 * M + 9 * M * (M - 1) // 2
    mirrored = result.expect["up"][:, ::-1]
    assert np.abs(result.expect["up"] - mirrored).max() < 1e-9


# ---------------------------------------------------------------- the printed equations


def evaluated(model, at=0.3):
    """Right-hand sides from the printed lines, and from the program."""
    from wignerflow.moments.method import Cumulant

    program = Cumulant().system(model)
    y = 0.4 * np.random.default_rng(1).normal(size=program.v.length)
    lines = model.equations("cumulant").splitlines()
    rows = [line[1:].split("/dt = ") for line in lines if line.startswith("d⟨")]
    assert len(rows) == y.size
    values = {name: y[k] for k, (name, _) in enumerate(rows)}
    for k, c in enumerate(program.times):
        values[f"f{k + 1}"] = complex(c(at))
    pattern = "|".join(re.escape(n) for n in sorted(values, key=len, reverse=True))
    out = []
    for _, side in rows:
        expression = re.sub(pattern, lambda m: f"values[{m[0]!r}]", side)
        expression = re.sub(r"(?<=[\w\])]) (?=[\w(])", " * ", expression)
        out.append(eval(expression, {"values": values, "Re": np.real, "Im": np.imag}))
    return np.real(out), program(at, y)


def test_printed_equations_are_those_that_are_solved():
    atoms, mode, s = wf.Ensemble(7, name="atoms"), wf.Mode(name="c"), wf.Spin(name="s", count=2)
    f = wf.coef(np.exp(1j * np.arange(3)), np.arange(3.0))
    g = wf.coef([1.0, 2.0], [0.0, 1.0])
    H = f * (mode.adag * atoms.Jm) + f.conj() * (mode.a * atoms.Jp) + g * s[0].sx
    H = H + wf.couple(s.sz, wf.NearestNeighbour(), s.sz) + mode.n * s[1].sx
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.Jump(mode.a, 0.3), wf.LocalJump(atoms.sp, 2.0)]
    initial = {atoms: wf.up, mode: wf.vacuum, s: wf.down}
    printed, solved = evaluated(wf.Model(H, jumps, initial=initial))
    assert np.abs(printed - solved).max() < 1e-4 * np.abs(solved).max()  # six digits are printed


def test_the_line_of_the_inversion():
    atoms = wf.Ensemble(100, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 25.0)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    line = (
        "d⟨atoms.sz⟩/dt = 24 - 26 ⟨atoms.sz⟩ - 49.5 ⟨⟨atoms.sx, atoms.s'x⟩⟩"
        " - 49.5 ⟨⟨atoms.sy, atoms.s'y⟩⟩ - 49.5 ⟨atoms.sx⟩ ⟨atoms.sx⟩"
        " - 49.5 ⟨atoms.sy⟩ ⟨atoms.sy⟩"
    )
    assert line in model.equations("cumulant").splitlines()
    big = wf.Spin(name="big", count=50)
    with pytest.raises(ValueError, match="at most 300 moments to be printed, but was one of 11175"):
        wf.Model(initial={big: wf.up}).equations("cumulant")
