"""Emitters with levels as objects: labels, operators, states, plain form, text, bad input."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf


@pytest.fixture
def atoms():
    return wf.Levels(5, ["g", "e", "f"], name="atoms")


def test_operators_obey_the_algebra_of_sums_over_emitters(atoms):
    ge, eg = atoms.op("g", "e"), atoms.op("e", "g")
    assert ge.dag() == eg
    assert wf.commutator(ge, eg) == atoms.pop("g") - atoms.pop("e")
    assert wf.commutator(atoms.op("g", "f"), eg) == -atoms.op("e", "f")
    A, B = (np.random.default_rng(k).normal(size=(3, 3)) for k in (0, 1))
    assert wf.commutator(atoms.matrix(A), atoms.matrix(B)) == atoms.matrix(A @ B - B @ A)
    assert atoms.matrix(np.eye(3)) == atoms.pop("g") + atoms.pop("e") + atoms.pop("f")


def test_products_of_one_emitter_are_operators_of_it():
    atom = wf.Levels(1, ["g", "e", "f"])
    assert atom.op("g", "e") * atom.op("e", "f") == atom.op("g", "f")
    assert (atom.op("g", "e") * atom.op("f", "g")).is_zero()


def test_one_emitter_operators_multiply_as_matrices(atoms):
    A, B = (np.random.default_rng(k).normal(size=(3, 3)) for k in (2, 3))
    product = atoms.one_matrix(A) * atoms.one_matrix(B)
    assert np.allclose(product.matrix(), A @ B)
    assert np.allclose(
        (atoms.one("g", "e") + 2).matrix(), np.eye(3) * 2 + np.eye(3)[:, [0]] * [0, 1, 0]
    )
    assert atoms.one("g", "e").dag() == atoms.one("e", "g")


@pytest.mark.parametrize("F", [0.5, 1, 1.5, 3.5])
def test_spins_have_the_angular_momentum_algebra(F):
    spin = wf.Levels.spin(F, 4)
    assert wf.commutator(spin.Sx, spin.Sy) == 1j * spin.Sz
    assert spin.Sp == spin.Sx + 1j * spin.Sy
    assert spin.Sm == spin.Sp.dag()
    assert len(spin.labels) == round(2 * F) + 1


def test_unknown_operators_name_those_there_are(atoms):
    with pytest.raises(AttributeError, match=r"it has op, pop, .*one_matrix.*Levels\.spin.* Sx"):
        _ = atoms.Sx
    with pytest.raises(AttributeError, match=r"'pops'.*Did you mean 'pop'"):
        _ = wf.Levels(2, ["g", "e"], count=2)[0].pops


def test_labels_of_spins():
    assert wf.Levels.spin(1, 2).labels == ("-1", "0", "+1")
    assert wf.Levels.spin(1.5, 2).labels == ("-3/2", "-1/2", "+1/2", "+3/2")
    assert wf.Levels(3, 4).labels == ("0", "1", "2", "3")


def test_members_of_arrays_have_the_operators():
    chain = wf.Levels([3, 4], ["g", "e"], count=2)
    weights = np.array([1, 2j])
    assert (weights * chain.op("g", "e"))[1] == 2j * chain[1].op("g", "e")
    assert chain[1].pop("e") == chain[1].matrix(np.diag([0, 1]))
    assert chain[1].one("g", "e").member == 1
    assert chain[1].N == 4
    spins = wf.Levels.spin(1, 2, count=2)
    assert spins[1].Sz == spins.Sz[1]


def example() -> wf.Model:
    atoms = wf.Levels(5, ["g", "e", "f"], name="atoms")
    cavity = wf.Mode(name="cavity")
    chain = wf.Levels.spin(1, [3, 4], name="chain", count=2)
    H = atoms.op("g", "e") * cavity.adag + atoms.op("e", "g") * cavity.a + chain.Sz.sum()
    H = H + wf.couple(chain.Sp, np.array([[0, 1], [1, 0]]), chain.Sm) + chain[1].pop("0")
    jumps = [
        wf.Jump(atoms.op("g", "e") + 2j * atoms.pop("f"), 1.0),
        wf.LocalJump(atoms.one("f", "g") + 0.5 * atoms.one_pop("e"), 2.0),
        wf.Jump(chain.op("0", "+1"), 0.3),
        wf.LocalJump(chain[0].one("0", "-1"), 0.3),
        wf.LocalJump(chain.one("0", "-1"), [0.3, 0.1]),
    ]
    initial = {
        atoms: wf.levels({"g": 0.6, "e": 0.8j}),
        cavity: wf.vacuum,
        chain: [wf.mixture({"0": 0.5, "+1": 0.5}), wf.density(np.eye(3) / 3)],
    }
    return wf.Model(H, jumps, initial=initial)


def test_the_plain_form_is_complete():
    plain = example().to_dict()
    again = wf.Model.from_dict(plain)
    assert again.to_dict() == plain
    assert plain["subsystems"][0]["labels"] == ["g", "e", "f"]
    assert {"coef": [1.0, 0.0], "factors": ["atoms.|g><e|", "cavity.adag"]} in plain["H"]
    state = again.initial[again.subsystems[0]][0]
    assert np.allclose(
        state.density(again.subsystems[0], ""), np.outer([0.6, 0.8j, 0], [0.6, -0.8j, 0])
    )


def test_text_and_latex_name_levels():
    model = example()
    text = repr(model)
    assert "atoms.op('g', 'e')*cavity.adag" in text
    assert "LocalJump(0.5*atoms.one('e', 'e') + atoms.one('f', 'g'), rate=2)" in text
    latex = model.latex()
    assert r"\Sigma^{\mathrm{g}\,\mathrm{e}}_{\mathrm{atoms}}" in latex
    assert r"\sigma^{ab} = |a\rangle\langle b|" in latex


def test_equations_name_the_matrix():
    text = example().equations()
    assert "the symbol of |a><b| is R[b,a]" in text
    assert "d atoms.R[g,g] = " in text
    assert "local channels of chain (Itô), of R:" in text
    assert "R[0,0]: R[-1,-1]" in text


def test_a_waveguide_takes_the_operator_of_a_transition():
    chain = wf.Levels(3, ["g", "e", "f"], count=4, name="chain")
    H, (forward, _) = wf.waveguide(chain.op("g", "e"), 0.3, rate=1.0)
    K = wf.Waveguide(0.3)
    assert H == wf.couple(chain.op("e", "g"), K, chain.op("g", "e"))
    assert forward.op == (np.exp(0.3j * np.arange(4)) * chain.op("g", "e")).sum()
    with pytest.raises(TypeError, match=r"array.op\('g', 'e'\)"):
        wf.waveguide(chain, 0.3, rate=1.0)


BAD = {
    "duplicate": (lambda: wf.Levels(2, ["g", "g"]), "different from every other label"),
    "empty": (lambda: wf.Levels(2, ["g", ""]), "printable text"),
    "no string": (lambda: wf.Levels(2, ["g", 1]), "be a string, but was 1"),
    "operator": (lambda: wf.Levels(2, ["g", "pop"]), "be no name of an operator"),
    "bar": (lambda: wf.Levels(2, ["g", "a|b"]), "without any of"),
    "one": (lambda: wf.Levels(2, ["g"]), "be 2 to 8 names"),
    "nine": (lambda: wf.Levels(2, list("abcdefghi")), "be 2 to 8 names, but was a list of 9"),
    "text": (lambda: wf.Levels(2, "ge"), "be a list of names"),
    "unknown": (lambda: wf.Levels(2, ["ground", "excited"]).op("groun", "excited"), "'ground'"),
    "shape": (lambda: wf.Levels(2, 3).matrix(np.eye(2)), r"shape \(3, 3\), .* of shape \(2, 2\)"),
    "nine levels": (lambda: wf.Levels(2, 9), "at most 8 levels"),
    "spin": (lambda: wf.Levels.spin(0.3, 2), "multiple of 1/2"),
    "large spin": (lambda: wf.Levels.spin(4, 2), "at most 7/2"),
    "amplitudes": (lambda: wf.levels({"g": 1, "e": 1}), "add up to 1"),
    "probabilities": (lambda: wf.mixture({"g": 0.5, "e": 0.6}), "add up to 1"),
    "negative": (lambda: wf.mixture({"g": 1.5, "e": -0.5}), "non-negative"),
    "trace": (lambda: wf.density(np.eye(2)), "have trace 1"),
    "square": (lambda: wf.density(np.ones((2, 3)) / 2), "be a square matrix"),
    "one row": (lambda: wf.density([0.5, 0.5]), "be a square matrix"),
    "hermitian": (lambda: wf.density([[0.5, 0.5], [0, 0.5]]), "be Hermitian"),
    "positive": (lambda: wf.density([[1.5, 0], [0, -0.5]]), "no negative eigenvalue"),
    "label type": (lambda: wf.level(0), "be the label of a level"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_by_name(case):
    make, message = BAD[case]
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_operators_in_the_wrong_place_are_refused(atoms):
    with pytest.raises(TypeError, match=r"atoms.one\(a, b\)"):
        wf.LocalJump(atoms.op("g", "e"), 1.0)
    with pytest.raises(TypeError, match=r"atoms.op\(a, b\)"):
        wf.Jump(atoms.one("g", "e"), 1.0)
    with pytest.raises(TypeError, match=r"use op\(a, b\), pop\(a\) or matrix\(A\)"):
        wf.Model(atoms.one("g", "e"), initial={atoms: wf.level("g")})
    with pytest.raises(TypeError, match="belong in `wf"):
        atoms.one("g", "e") * atoms.op("g", "e")


def test_states_must_suit_their_emitters(atoms):
    with pytest.raises(ValueError, match="Did you mean 'e'"):
        wf.Model(initial={atoms: wf.level("E")})
    with pytest.raises(ValueError, match=r"shape \(3, 3\)"):
        wf.Model(initial={atoms: wf.density(np.eye(2) / 2)})
    with pytest.raises(TypeError, match="be a state of levels"):
        wf.Model(initial={atoms: wf.up})
    with pytest.raises(TypeError, match="spin state"):
        wf.Model(initial={wf.Spin(): wf.level("e")})


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (wf.TWA(form="rotor"), "rotor"),
        (wf.TWA(scheme="small-noise"), "small-noise"),
        ("generalized-p", "levels"),
        ("schwinger-w", "CollectiveSpin"),
        ("jumps", r"wf.Exact\(\)"),
        (wf.Exact("blocks"), "no blocks of J"),
        (wf.Exact("populations"), "no populations of J"),
    ],
)
def test_methods_that_do_not_know_levels_refuse_them(atoms, method, message):
    model = wf.Model(jumps=[wf.Jump(atoms.op("g", "e"), 1.0)], initial={atoms: wf.level("e")})
    with pytest.raises(ValueError, match=message):
        wf.solve(model, [0, 1], e_ops={"e": atoms.pop("e")}, method=method, ntraj=64)
