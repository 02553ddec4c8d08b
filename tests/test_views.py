"""Equations and kernels of a model, as text; what is printed is evaluated where it can be."""

import re

import numpy as np
import pytest

import wignerflow as wf

from .phasespace.rotor_symbols import local_symbols
from .phasespace.test_published import MODELS, compare


@pytest.fixture
def laser():
    atoms = wf.Ensemble(100, name="atoms")
    return wf.Model(
        2 * (atoms.Jp + atoms.Jm),
        jumps=[wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 25.0)],
        initial={atoms: wf.up},
    )


def test_equations_of_collective_decay_are_those_derived_by_hand(laser):
    # J x omega with omega = (Re E, Im E, 0), E = i J^+ dt + dW: dJz = -(Jx^2 + Jy^2) dt + ...
    lines = laser.equations("twa").splitlines()
    assert "d Jz = (4 Jy - Jx Jx - Jy Jy) dt + (Jy) dW1,1 + (-Jx) dW1,2" in lines
    assert "d Jx = (Jx Jz) dt + (Jz) dW1,2" in lines
    assert any("Λ += 25 [0.5, 0, 0; 0, 0.5, 0; 0, 0, 1],  c += 25 (0, 0, 1)" in x for x in lines)


def test_every_sum_of_an_array_is_defined():
    chain = wf.Ensemble(20, name="c", count=3)
    H, jumps = wf.waveguide(chain, 0.3, 1.0)
    text = wf.Model(H, jumps, initial={chain: wf.up}).equations()
    used = {word for line in text.splitlines() if line.startswith("l") for word in line.split()}
    for name in sorted(word for word in used if word[0] == "S" and word[1:].isdigit()):
        assert f"  {name} = Σ_m" in text


def test_source_is_the_text_that_runs(laser):
    source = laser.source("twa")
    assert "def step(" in source
    compile(source, "kernel", "exec")


def test_methods_without_trajectories_say_so(laser):
    with pytest.raises(ValueError, match="no trajectories"):
        laser.equations("exact")
    with pytest.raises(ValueError, match="method"):
        laser.equations("twaa")


# ---------------------------------------------------------------------------- evaluated


def value(expression, names):
    """A sum of products as ``equations`` prints it; ``names``: numbers by name."""
    total = 0.0
    for k, name in enumerate(sorted(names, key=len, reverse=True)):
        expression = expression.replace(name, f"V{k}")
    numbers = [names[name] for name in sorted(names, key=len, reverse=True)]
    for term in re.sub(r" ([+-]) ", r";\1", expression).split(";"):
        sign, product = (-1.0 if term.startswith("-") else 1.0), 1.0
        for token in term.lstrip("+-").split():
            product *= numbers[int(token[1:])] if token.startswith("V") else float(token)
        total += sign * product
    return total


def evaluated(text, state):
    """Drift (n,) and noise columns (n,) by name; ``state``: numbers by name, in order."""
    names, drift, noise = dict(state), np.zeros(len(state)), {}
    for line in text.splitlines():
        root = re.fullmatch(r"(r\d+) = sqrt\(max\((.*), 0\)\)", line)
        if root:
            names[root[1]] = np.sqrt(max(value(root[2], names), 0.0))
    lines = [line for line in text.splitlines() if line.startswith("d ")]
    assert [line[2:].split(" = ")[0] for line in lines] == list(state)
    for k, line in enumerate(lines):
        for expression, what in re.findall(r"\(([^()]*)\) (dt|dW[\d,]+)", line):
            if what == "dt":
                drift[k] += value(expression, names)
            else:
                noise.setdefault(what, np.zeros(len(state)))[k] += value(expression, names)
    return drift, noise


def covariance(noise):
    return sum(np.outer(c, c) for c in noise.values())


@pytest.mark.parametrize("name", [n for n in MODELS if n not in ("(46)-(48)", "(56)")])
def test_spin_twa_is_written_in_pauli_vectors_as_table_one(name):
    model, s, a, hand = MODELS[name](np.random.default_rng(100))
    state, numbers = {}, iter([*s.ravel(), *a])
    for sub in model.subsystems:
        prefix = "" if len(model.subsystems) == 1 else f"{sub.name}."
        letters = ("Re a", "Im a") if sub.kind == "mode" else ("sx", "sy", "sz")
        state.update({prefix + x: next(numbers) for x in letters})
    text = model.equations("spin-twa")
    assert "{s_a, s_b} = 2 ε_abc s_c" in text and "J" not in text
    drift, noise = evaluated(text, state)
    compare((drift, covariance(noise)), (hand.drift, covariance(dict(enumerate(hand.columns)))))


def test_sums_and_jumps_of_arrays_of_spins_are_in_pauli_vectors():
    chain, mode = wf.Spin(name="s", count=3), wf.Mode(name="c")
    jumps = [wf.Jump(chain.sm, 1.0), wf.Jump(mode.a, 2.0)]
    H = mode.a * chain.sp.sum() + mode.adag * chain.sm.sum()
    H = H + wf.couple(chain.sz, wf.NearestNeighbour(), chain.sz)
    model = wf.Model(H, jumps, initial={chain: wf.down, mode: wf.vacuum})
    lines = model.equations("spin-twa").splitlines()
    assert "h = K1 + S1 c.Re a - S2 c.Im a" in lines
    assert "  S1 = Σ_m s.sx[m]" in lines
    assert any(x.startswith("l2[m] = 0.5 s.sx[m] - 0.5i s.sy[m] ") for x in lines)
    assert "every member m of an array, with v = s[m]:" in lines
    # the other forms keep J = s/2
    lines = model.equations("twa").splitlines()
    assert "h = 4 K1 + 2 S1 c.Re a - 2 S2 c.Im a" in lines and "  S1 = Σ_m s.Jx[m]" in lines


# ---------------------------------------------------------------------------- rotor form


def rotor_parts(text):
    """The printed symbols as functions of (J, n, N, u), and (r, u, t) of every jump."""
    words = {"(u·e)": "*(u @ e)", "(u·(n - i m))": "*(u @ (n - 1j*m))"}
    words |= {"(u·(n + i m))": "*(u @ (n + 1j*m))", "2R": "2*R", "2L": "2*L", ") (1": ")*(1"}
    symbols, jumps = {}, []
    for line in text.splitlines():
        if line.startswith("  l("):
            j, formula = re.fullmatch(r"  l\(([+-]?\d)\) = (.*)", line).groups()
            for old, new in words.items():
                formula = formula.replace(old, new)
            symbols[int(j)] = formula
        if line.startswith("  r = "):
            rate, u, t = re.fullmatch(r"  r = (\S+), u = \((.*)\), t = \((.*)\)", line).groups()
            u = [complex(re.sub(r"(^|[+-])i$", r"\g<1>1i", x).replace("i", "j").strip("()"))
                 for x in u.split(", ")]  # fmt: skip
            jumps.append((float(rate), np.array(u), np.array([float(x) for x in t.split(", ")])))

    def evaluate(J, n, N, u):
        L = np.linalg.norm(J)
        scope = {"sqrt": np.sqrt, "R": (N + 2) / 4, "L": L, "e": J / L, "n": n, "u": u}
        scope["m"] = np.cross(scope["e"], n)
        return np.array([eval(symbols[j], {}, scope) for j in (-1, 0, 1)])

    return evaluate, jumps


@pytest.mark.parametrize("corrected", [True, False])
def test_rotor_form_prints_its_symbols_and_jumps(corrected):
    N = 20
    atoms = wf.Ensemble(N, name="a")
    ops = [atoms.sm, (0.3 + 0.2j) * atoms.sm + 0.5 * atoms.sz + (0.7 - 0.3j)]
    model = wf.Model(jumps=[wf.LocalJump(op, 0.5) for op in ops], initial={atoms: wf.up})
    text = model.equations(wf.TWA(form="rotor", corrected=corrected))
    assert "Λ" not in text and "v0" not in text
    evaluate, jumps = rotor_parts(text)
    rng = np.random.default_rng(3)
    J = rng.normal(size=3)
    J *= 6 / np.linalg.norm(J)
    n = np.cross(J, rng.normal(size=3))
    n /= np.linalg.norm(n)
    for op, (rate, u, turn) in zip(ops, jumps, strict=True):
        assert rate == 0.5
        assert np.allclose(u, 2 * op.c[1:], atol=1e-5)
        assert np.allclose(turn, -2 * np.imag(np.conj(op.c[0]) * op.c[1:]), atol=1e-5)
        want = local_symbols(J[:, None], n[:, None], N, u, corrected)[:, 0]
        assert np.allclose(evaluate(J, n, N, u), want)
        other = local_symbols(J[:, None], n[:, None], N, u, not corrected)[:, 0]
        assert not np.allclose(evaluate(J, n, N, u), other, rtol=1e-2)


def test_fields_turn_the_two_vectors_of_a_rotor_alike():
    atoms = wf.Ensemble(20, name="a")
    jumps = [wf.Jump(atoms.Jm, 0.25), wf.LocalJump(atoms.sz, 1.0)]
    model = wf.Model(0.7 * atoms.Jx, jumps, initial={atoms: wf.up})
    rng = np.random.default_rng(4)
    J, n = rng.normal(size=(2, 3))
    state = dict(zip(("Jx", "Jy", "Jz", "nx", "ny", "nz"), [*J, *n], strict=True))
    drift, noise = evaluated(model.equations(wf.TWA(form="rotor")), state)
    # omega = (Re E, Im E, 0), E = 1.4/2 + i r J^+ dt + sqrt(r) dW
    E = 0.7 + 0.25j * (J[0] + 1j * J[1])
    fields = [(E.real, E.imag, 0), (0.5, 0, 0), (0, 0.5, 0)]
    want = [np.concatenate([np.cross(w, J), np.cross(w, n)]) for w in fields]
    assert np.allclose(drift, want[0])
    assert np.allclose(covariance(noise), covariance(dict(enumerate(want[1:]))))


# ---------------------------------------------------------------------------- no noise


@pytest.mark.parametrize("count", [None, 2])
def test_mean_field_prints_no_noise(count):
    atoms, mode = wf.Ensemble(20, name="atoms", count=count), wf.Mode(name="mode")
    ramp = wf.coef(lambda t: 1 + np.sin(t) ** 2)
    jumps = [wf.Jump(atoms.Jm, 0.25), wf.LocalJump(atoms.sp, 2.0), wf.Jump(mode.a, ramp)]
    model = wf.Model(mode.n, jumps, initial={atoms: wf.up, mode: wf.coherent(1.0)})
    noisy = ("dW", "noise^T", "+ noise", "D =", "Stratonovich", "Itô")
    assert all(word in model.equations("twa") for word in noisy)
    text = model.equations("mean-field")
    assert not [word for word in noisy if word in text]
    assert "all noise is left out" in text and "dJ = (-Λ J + (N/2) c) dt" in text
    # the drift stays
    with_noise = [x for x in model.equations("twa").splitlines() if x.startswith("d ")]
    without = [x for x in text.splitlines() if x.startswith("d ")]
    assert without == [re.sub(r" \+ \([^()]*\) (sqrt\(r\d\) )?dW\d,\d", "", x) for x in with_noise]


def test_generalized_p_without_noise_says_so():
    atoms = wf.Ensemble(20, name="atoms")
    model = wf.Model(0.7 * atoms.Jx, [wf.Jump(atoms.Jm, 0.1)], initial={atoms: wf.up})
    text = model.equations(wf.GeneralizedP(mean_field=True))
    assert "all noise is left out" in text and "dW" not in text


# ---------------------------------------------------------------------------- explicit equations


@pytest.mark.parametrize("distribution", ["P", "W", "Q"])
def test_schwinger_equations_are_those_of_huber_kirton_and_rabl(distribution):
    k = {"P": 1, "W": 0, "Q": -1}[distribution]
    spin, g, r = wf.CollectiveSpin(10), 0.7, 0.25
    model = wf.Model(g * spin.Jx, [wf.Jump(spin.Jm, r)], initial={spin: wf.up})
    text = model.equations(wf.Schwinger(distribution))
    a, b = 1.2 - 0.4j, 0.3 + 0.9j
    state = {"Re α": a.real, "Im α": a.imag, "Re β": b.real, "Im β": b.imag}
    drift, noise = evaluated(text, state)
    up, down = abs(b) ** 2 + (1 + k) / 2, abs(a) ** 2 - (1 - k) / 2
    da = -0.5j * g * b - r / 2 * up * a
    db = -0.5j * g * a + r / 2 * down * b
    assert np.allclose(drift, [da.real, da.imag, db.real, db.imag], rtol=1e-5)
    D = np.array([r / 4 * (1 - k) * up] * 2 + [r / 4 * (1 + k) * down] * 2)
    assert np.allclose(covariance(noise), np.diag(D), rtol=1e-5)


def test_blocks_of_explicit_equations_share_no_noise_and_define_what_they_use():
    pair = [wf.CollectiveSpin(5, name=name) for name in "ab"]
    jumps = [wf.Jump(spin.Jm, 0.25) for spin in pair]
    model = wf.Model(jumps=jumps, initial={spin: wf.up for spin in pair})
    letters = [f"{spin}.{x}" for spin in "ab" for x in ("Re α", "Im α", "Re β", "Im β")]
    state = dict(zip(letters, np.linspace(1.0, 2.0, 8), strict=True))
    _, noise = evaluated(model.equations("schwinger-w"), state)
    assert len(noise) == 8
    D = covariance(noise)
    assert np.array_equal(D, np.diag(np.diag(D))) and np.diag(D)[0] != np.diag(D)[4]
    chain = wf.CollectiveSpin([5, 6], name="c", count=2)
    H = wf.couple(chain.Jx, wf.NearestNeighbour(), chain.Jx) + (np.array([1, 2]) * chain.Jz).sum()
    text = wf.Model(H, initial={chain: wf.up}).equations("schwinger-w")
    for name in set(re.findall(r"\b([nc]\d+\[m\])", text)):
        assert f"  {name} = " in text
    assert "c1[m] = Σ_m' K[m,m']" in text


def test_generalized_p_is_written_in_bloch_vectors():
    atoms, r = wf.Ensemble(10, name="atoms"), 0.25
    jumps = [wf.Jump(atoms.Jm, r), wf.Jump(atoms.Jp, r)]
    text = wf.Model(0.7 * atoms.Jx, jumps, initial={atoms: wf.up}).equations("generalized-p")
    x, y, z = 0.48, -0.36, 0.8
    drift, noise = evaluated(text, {"x": x, "y": y, "z": z})
    # section 8 with K_+ = K_-
    assert np.allclose(drift, [-r * x, -r * y - 0.7 * z, 0.7 * y - 2 * r * z], rtol=1e-5)
    want = r * np.array([[2 * z * z, 0, -2 * x * z], [0, 2 * z * z, -2 * y * z],
                         [-2 * x * z, -2 * y * z, 2 * (x * x + y * y)]])  # fmt: skip
    assert np.allclose(covariance(noise), want, rtol=1e-5)
