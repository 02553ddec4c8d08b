"""Subsystems, coefficients, states, jumps and models: what they do, and what they refuse."""

from __future__ import annotations

import copy
import gc
import os
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

import wignerflow as wf
from wignerflow.model.kinds.ensemble import LocalOp
from wignerflow.model.operators import ArrayOp, Op
from wignerflow.model.words import ANGULAR, BOSON, PAULI

from .matrices import Space

ERRORS = (ValueError, TypeError)


def refuses(message, call, *arguments, **options):
    """The call raises, naming argument, requirement and value."""
    with pytest.raises(ERRORS, match=message):
        call(*arguments, **options)


@pytest.fixture
def atoms():
    return wf.Ensemble(10, name="atoms")


@pytest.fixture
def chain():
    return wf.Ensemble([1, 2, 3], name="chain", count=3)


@pytest.fixture
def mode():
    return wf.Mode(name="mode")


# ------------------------------------------------------------------ words


@pytest.mark.parametrize("algebra", [ANGULAR, PAULI])
def test_commutators_of_letters(algebra):
    scale = 2 if algebra == PAULI else 1
    for a, b, c in ("xyz", "yzx", "zxy"):
        difference = {
            w: algebra.multiply(a, b).get(w, 0) - algebra.multiply(b, a).get(w, 0)
            for w in {*algebra.multiply(a, b), *algebra.multiply(b, a)}
        }
        assert {w: v for w, v in difference.items() if v} == {c: 1j * scale}


def test_pauli_products():
    for letter in "xyz":
        assert PAULI.multiply(letter, letter) == {"": 1}
    assert PAULI.multiply("x", "y") == {"z": 1j}


def test_normal_order_of_bosons():
    assert BOSON.multiply("a", "d") == {"da": 1, "": 1}
    assert BOSON.multiply("aa", "dd") == {"ddaa": 1, "da": 4, "": 2}
    assert BOSON.adjoint("ddda") == {"d" + "aaa": 1}
    deep = BOSON.multiply("a" * 60, "d" * 60)
    assert deep["d" * 60 + "a" * 60] == 1 and len(deep) == 61


def test_long_words_do_not_recurse(atoms):
    power = (atoms.Jz + atoms.Jx) ** 9
    assert max(len(f.word) for _, factors in power.terms for f in factors) == 9


# ------------------------------------------------------------------ subsystems


def test_subsystems(atoms, chain, mode):
    assert atoms.N == 10 and atoms.count is None and atoms.size == 1
    assert list(chain.N) == [1, 2, 3] and len(chain) == 3
    assert chain[-1].N == 3 and chain[0].name == "chain[0]" and chain[1].kind == "ensemble"
    assert chain[1] == chain[1] != chain[2] and hash(chain[1]) == hash(chain[1])
    assert wf.CollectiveSpin([0.5, 1], count=2)[1].S == 1.0
    assert [repr(member) for member in chain] == ["chain[0]", "chain[1]", "chain[2]"]
    assert repr(wf.Ensemble(range(1, 9), name="e", count=8)) == (
        "Ensemble(N=[1 … 8], name='e', count=8)"
    )
    assert wf.Spin() != wf.Spin() and wf.Spin().name == "spin"
    assert wf.Mode(cutoff=4, name="c").parameters() == {"cutoff": 4}
    with pytest.raises(ValueError, match="read-only"):
        chain.N[0] = 5


def test_copies_are_the_same_subsystem(atoms, chain):
    for sub in (atoms, chain):
        assert copy.deepcopy(sub) is sub and copy.copy(sub) is sub
        assert pickle.loads(pickle.dumps(sub)) is sub
    op = copy.deepcopy(atoms.Jp * atoms.Jm)
    assert op == atoms.Jp * atoms.Jm
    assert wf.Ensemble(10, name="atoms") != atoms


def test_a_subsystem_that_arrives_twice_is_one():
    """As in a worker process, which gets models and operators one after the other."""
    far = wf.Ensemble([2, 3], name="far", count=2)
    sent = pickle.dumps(far), pickle.dumps(far.Jz)
    del far
    gc.collect()
    far, Jz = (pickle.loads(data) for data in sent)
    assert far.N.tolist() == [2, 3] and Jz.subsystems == {far} and far.Jz == Jz


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_what_a_forked_process_makes_is_its_own():
    """Parent and child may both make their next subsystem: neither is taken for the other."""
    child, parent = os.pipe()
    number = os.fork()
    if number == 0:
        os.write(parent, pickle.dumps(wf.Ensemble(3, name="there")))
        os._exit(0)
    here = wf.Mode(name="here")
    os.waitpid(number, 0)
    there = pickle.loads(os.read(child, 10_000))
    os.close(child)
    os.close(parent)
    assert isinstance(there, wf.Ensemble) and there.name == "there"
    assert there != here and there.uid > here.uid


@pytest.mark.parametrize("N", [0, -1, 1.5, np.nan, np.inf, True, "10", None, 2 + 0j, 10**30, [3]])
def test_ensemble_size_is_refused(N):
    refuses("Argument `N` must", wf.Ensemble, N)


def test_subsystem_arguments_are_refused(atoms, chain):
    refuses(r"one number or have shape \(3,\).*\(2,\)", wf.Ensemble, [1, 2], count=3)
    refuses("positive integer for every member.*0 for member 1", wf.Ensemble, [1, 0], count=2)
    refuses("`S` must be a positive multiple of 1/2, but was 0.3", wf.CollectiveSpin, 0.3)
    refuses("`S` must be a positive multiple of 1/2, but was 0", wf.CollectiveSpin, 0)
    refuses("`count` must be an integer of at least 1, but was 0", wf.Spin, count=0)
    refuses("`count` must be an integer", wf.Spin, count=2.0)
    refuses("`count` must be at most", wf.Spin, count=10**9)
    refuses("`cutoff` must be an integer of at least 2, but was 1", wf.Mode, cutoff=1)
    refuses("`name` must be a non-empty string", wf.Spin, name="")
    refuses("`name` must be a non-empty string", wf.Spin, name=3)
    refuses("`name` must be printable and free of brackets", wf.Spin, name="a[0]")
    refuses("`name` must be printable", wf.Spin, name="a\nb")
    with pytest.raises(AttributeError, match=r"or attribute 'JM'.*Did you mean 'Jm'"):
        _ = atoms.JM
    with pytest.raises(AttributeError, match=r"Spin has no operator.*'Jz'"):
        _ = wf.Spin().Jz
    with pytest.raises(AttributeError, match="has no operator or attribute 'sq'"):
        _ = chain[0].sq


def test_indices(chain):
    for array in (chain, chain.Jm):
        for index in (3, -4, 10**20):
            with pytest.raises(IndexError, match=f"`index` must be below 3.*but was {index}") as e:
                array[index]
            assert isinstance(e.value, ValueError)
        for index in (1.0, "0", True, slice(0, 2)):
            refuses("`index` must be one integer below 3", array.__getitem__, index)
    assert chain.Jm[-1] == chain[2].Jm == chain.Jm[np.int64(2)]
    refuses("single subsystem", wf.Spin(name="s").__getitem__, 0)
    refuses("no length", len, wf.Spin(name="s"))


# ------------------------------------------------------------------ operators


def test_scalars_from_either_side(atoms, chain):
    for number in (2, 2.0, 2 + 0j, np.float32(2), np.int64(2), np.array(2.0)):
        assert number * atoms.Jx == atoms.Jx * number == atoms.Jx + atoms.Jx
        assert (number * chain.Jx) == chain.Jx * number == chain.Jx + chain.Jx
        assert (number * atoms.sx) == atoms.sx * number == atoms.sx + atoms.sx
    assert atoms.Jx / 2 == 0.5 * atoms.Jx and +atoms.Jx == atoms.Jx
    assert 1 - atoms.Jx == -(atoms.Jx - 1) and 1 - atoms.sx == -(atoms.sx - 1)
    assert 1 - chain.Jx == -(chain.Jx - 1)
    w = np.array([1.0, 2.0, 4.0])
    assert w * chain.Jx == chain.Jx * w == list(w) * chain.Jx
    assert (w * chain.Jx) / w == chain.Jx and chain.Jx**2 == chain.Jx * chain.Jx
    assert (w * chain.Jz)[2] == 4 * chain[2].Jz and len(chain.Jz) == 3
    assert chain.Jx != chain.Jy and chain.Jx != wf.Ensemble(1, count=2).Jx


def test_local_operators(chain):
    ensemble = wf.Ensemble(3, name="e")
    pauli = {name: getattr(ensemble, name).matrix() for name in ("sx", "sy", "sz", "sp", "sm")}
    np.testing.assert_array_equal(pauli["sx"], [[0, 1], [1, 0]])
    np.testing.assert_array_equal(pauli["sy"], [[0, -1j], [1j, 0]])
    np.testing.assert_array_equal(pauli["sp"], [[0, 1], [0, 0]])
    rng = np.random.default_rng(0)
    names = list(pauli)
    for _ in range(50):
        i, j = rng.integers(5, size=2)
        a, b = complex(rng.normal(), rng.normal()), float(rng.normal())
        one, two = getattr(ensemble, names[i]), getattr(ensemble, names[j])
        A, B = pauli[names[i]], pauli[names[j]]
        op = (a * one + b) * two - one.dag() / 2
        matrix = (a * A + b * np.eye(2)) @ B - A.conj().T / 2
        np.testing.assert_allclose(op.matrix(), matrix, atol=1e-14)
    assert isinstance(chain.sm, LocalOp) and chain[1].sm.member == 1


def test_equality_does_not_depend_on_how_sums_are_written():
    chain = wf.Ensemble(4, name="chain", count=50)
    w, phase = np.exp(0.3j * np.arange(50)), np.exp(0.77j)
    one, two = (w * chain.Jm).sum(), (phase * w * chain.Jm).sum()
    assert two == phase * one
    assert two.dag() * two == one.dag() * one
    assert not two.dag() * two == 1.000001 * one.dag() * one
    assert not (one.dag() * one + 1e-9j * chain[3].Jz).is_hermitian()
    assert (1j * (one - one.dag())).is_hermitian()


def test_rounding_leaves_no_terms_behind():
    chain = wf.Ensemble(4, name="chain", count=20)
    K = np.random.default_rng(0).normal(size=(20, 20))
    K = K + K.T
    for exact in (K, K * (1 + 1e-16), K + 1e-17j * K, np.tri(20) * K * 1e-16 + K):
        assert len(wf.couple(chain.Jp, exact, chain.Jm).terms) == 5
    S = ((0.1 + 0.2j) * chain.Jm).sum()
    assert not (3 * S - (3 * (0.1 + 0.2j)) * chain.Jm.sum()).terms


def test_couplings_commute_with_sums(chain):
    space = Space(chain)
    K = np.array([[0, 1, 2], [0, 0, 3.0], [1, 0, 0]])
    H = wf.couple(chain.Jp, K, chain.Jm) + wf.couple(chain.Jz, wf.Waveguide(0.4, 0.3), chain.Jx)
    for op in ((np.arange(3) * chain.Jp).sum(), chain[1].Jx, chain[0].Jz * chain[2].Jy):
        bracket = wf.commutator(H, op)
        h, o = space.matrix(H), space.matrix(op)
        np.testing.assert_allclose(space.matrix(bracket), h @ o - o @ h, atol=1e-11)
    assert wf.commutator(chain.Jx, chain.Jy) == 1j * chain.Jz


def test_cost_is_linear_in_the_members():
    chain = wf.Ensemble(10, name="chain", count=10_000)
    S = (np.exp(0.3j * np.arange(10_000)) * chain.Jm).sum()
    assert len((S.dag() * S).terms) <= 8
    K = sp.random_array((10_000, 10_000), density=1e-4, rng=np.random.default_rng(0))
    H = wf.couple(chain.Jp, K + K.T, chain.Jm)
    assert H.is_hermitian() and len(H.terms) == 2


def test_operators_refuse(atoms, chain, mode):
    other = wf.Ensemble(1, name="other", count=2)
    for call, message in [
        (lambda: atoms.Jx * np.nan, "`scalar` must be finite"),
        (lambda: np.nan * chain.Jx, "`weights` must be finite"),
        (lambda: atoms.sx * np.inf, "`scalar` must be finite"),
        (lambda: atoms.Jx / np.nan, "`divisor` must be finite"),
        (lambda: atoms.Jx * "2", "multiply sequence"),
        (lambda: atoms.Jx * [1, 2], "multiply sequence"),
        (lambda: atoms.Jx + chain.Jx, "Cannot add an operator and an array operator; sum over"),
        (lambda: chain.Jx * atoms.Jx, "Cannot multiply"),
        (lambda: chain.Jx * wf.coef(np.cos), "sum over the array first"),
        (lambda: chain.Jx * [1, 2], r"shape \(3,\).*\(2,\)"),
        (lambda: chain.Jx + np.ones((3, 3)), r"shape \(3,\).*\(3, 3\)"),
        (lambda: chain.Jx * other.Jx, "array of 3 members.*2 members"),
        (lambda: atoms.sx * atoms.Jx, "belong in `wf.LocalJump`"),
        (lambda: atoms.Jx + atoms.sx, "belong in `wf.LocalJump`"),
        (lambda: chain.Jx * chain.sx, "belong in `wf.LocalJump`"),
        (lambda: atoms.sx + chain.sx, "one-emitter operator of atoms.*one of chain"),
        (lambda: chain[0].sx * chain[1].sx, r"of chain\[0\].*one of chain\[1\]"),
        (lambda: atoms.Jx**-1, "`power` must be an integer of at least 0, but was -1"),
        (lambda: atoms.Jx**0.5, "`power` must be an integer"),
        (lambda: atoms.Jx**1000, "`power` must be at most 64"),
        (lambda: chain.Jx**1000, "`power` must be at most 64"),
        (lambda: wf.couple(atoms.Jp, np.eye(3), chain.Jm), "`A` must be an array operator"),
        (lambda: wf.couple(chain.Jp, np.eye(3), mode.a), "`B` must be an array operator"),
        (
            lambda: wf.couple(chain.Jp, np.eye(2), chain.Jm),
            r"`K` must have shape \(3, 3\).*\(2, 2\)",
        ),
        (lambda: wf.couple(chain.Jp, np.ones((3, 2)), chain.Jm), r"square.*\(3, 2\)"),
        (lambda: wf.couple(chain.Jp, np.ones(3), chain.Jm), "`K` must be a square matrix"),
        (lambda: wf.couple(chain.Jp, "all", chain.Jm), "`K` must be numeric"),
        (lambda: wf.couple(chain.Jp, np.full((3, 3), np.nan), chain.Jm), "`K` must be finite"),
        (lambda: wf.couple(chain.Jp, sp.eye_array(4), chain.Jm), r"\(3, 3\).*\(4, 4\)"),
        (lambda: wf.couple(chain.Jp, np.eye(3), other.Jm), "as many members as A, 3"),
        (lambda: wf.couple(other.Jp, wf.NearestNeighbour(True), other.Jm), "open for fewer than 3"),
        (lambda: wf.NearestNeighbour("yes"), "`periodic` must be True or False"),
    ]:
        refuses(message, call)
    for op in (atoms.Jx, chain.Jx, atoms.sx):
        with pytest.raises(ZeroDivisionError, match="`divisor`"):
            op / 0
    with pytest.raises(TypeError, match="unhashable"):
        hash(atoms.Jx)


# ------------------------------------------------------------------ coefficients


def test_real_coefficients_make_hermitian_hamiltonians(atoms):
    real = [wf.coef(np.cos), wf.coef(lambda t: 1 if t > 1 else 0), wf.coef([1, 2], [0, 1])]
    real += [wf.coef(lambda t: 1.0 / t), -2 * real[0], wf.coef(lambda t: np.float32(t))]
    for c in real:
        assert c.is_real and c.conj() is c
        assert (c * atoms.Jx).is_hermitian()
        assert wf.Model(c * atoms.Jx, initial={atoms: wf.up}).coefficients == {c.split()[0]}
    for c in (wf.coef(lambda t: np.exp(1j * t)), wf.coef([1, 1j], [0, 1]), 1j * real[0]):
        assert not c.is_real
        assert not (c * atoms.Jx).is_hermitian()
        assert (c * atoms.Jp + c.conj() * atoms.Jm).is_hermitian()
        assert c.conj().conj() == c
        refuses("`H` must be Hermitian", wf.Model, c * atoms.Jx, initial={atoms: wf.up})
    late = wf.coef(lambda t: 0.0 if t < 2 else 1j)
    refuses("`function` must return complex numbers at every time", late, [0.0, 3.0])


def test_factors_of_coefficients_are_numbers(atoms):
    f = wf.coef(lambda t: np.exp(2j * t))
    t = np.array([0.0, 0.3])
    for c in (f, 2 * f, f * 1j, -f, (f * (1 + 2j)).conj(), f.conj() * 3j, np.float64(2) * f):
        unit, factor = c.split()
        np.testing.assert_allclose(c(t), factor * unit(t))
        assert c * atoms.Jp == factor * (unit * atoms.Jp)
    assert (2 * f) * atoms.Jx == f * (2 * atoms.Jx) == (f * atoms.Jx) * 2
    assert f * f * atoms.Jx == f * (f * atoms.Jx)
    samples = wf.coef([0, 1j], [0, 1])
    np.testing.assert_allclose(samples([-1, 0.5, 2]), [0, 0.5j, 1j])
    np.testing.assert_allclose(samples.conj()([0.5]), [-0.5j])
    table = (2 * f).conj().tabulated([0, 0.5])
    np.testing.assert_allclose(table(0.5), 2 * np.exp(-1j))
    assert repr(samples) == "coef(2 samples, t = 0 … 1)"
    assert wf.coef([0, 1j], [0, 1]) == samples != wf.coef([0, 1], [0, 1])
    assert wf.Coef.from_dict(samples.to_dict()) == samples


def test_coefficients_refuse(atoms):
    f = wf.coef(np.cos)
    for call, message in [
        (lambda: wf.coef([1, 2]), "`times` must be given together with sampled values"),
        (lambda: wf.coef(np.cos, [0, 1]), "`times` must be omitted when a callable"),
        (lambda: wf.coef([1, 2, 3], [0, 1]), r"one value per time, shape \(2,\).*\(3,\)"),
        (lambda: wf.coef([1, np.nan], [0, 1]), "`function` must be finite"),
        (lambda: wf.coef([1, 2], [1, 0]), "`times` must increase strictly"),
        (lambda: wf.coef([1], [0]), "`times` must be .* at least two"),
        (lambda: wf.coef("cos"), "`function` must be numeric"),
        (lambda: f * np.nan, "`scalar` must be finite"),
        (lambda: f * "a", "unsupported operand|can't multiply"),
        (lambda: wf.coef(lambda t: "x")(0.0), "`function` must return a number"),
        (lambda: wf.coef(lambda t: np.inf)(0.0), "return a finite number at every time.* t = 0"),
        (lambda: f.to_dict(), "callable has no plain form"),
        (lambda: f.rates([0.0, 3.0]), "`rate` must be real and non-negative.*-0.98.* at t = 3"),
        (lambda: wf.Jump(atoms.Jm, wf.coef([1, -1], [0, 2])), "`rate` must be real.*-1 at t = 2"),
        (lambda: wf.Jump(atoms.Jm, wf.coef([1, 1j], [0, 2])), "`rate` must be real"),
        (lambda: wf.Jump(atoms.Jm, wf.coef(lambda t: 1j)), "`rate` must be real"),
    ]:
        refuses(message, call)


# ------------------------------------------------------------------ states


def test_states():
    np.testing.assert_allclose(wf.bloch(np.pi / 2, np.pi / 2).vector, [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(wf.bloch(0).vector, wf.up.vector)
    assert wf.bloch(1.0, 2.0).is_pure and not wf.bloch_vector(0, 0, 0.5).is_pure
    assert wf.vacuum == wf.coherent(0) and wf.fock(3).value == 3
    for call, message in [
        (lambda: wf.bloch_vector(1, 1, 0), r"`\(x, y, z\)` must have length at most 1"),
        (lambda: wf.bloch_vector(np.nan, 0, 0), "`x` must be finite"),
        (lambda: wf.bloch("up"), "`theta` must be a real number"),
        (lambda: wf.coherent([1, 2]), "`alpha` must be one number"),
        (lambda: wf.coherent(np.nan), "`alpha` must be finite"),
        (lambda: wf.fock(-1), "`n` must be an integer of at least 0"),
        (lambda: wf.fock(1.5), "`n` must be an integer"),
        (lambda: wf.fock(10**12), "`n` must be at most"),
        (lambda: wf.thermal(-0.1), "`n` must be non-negative, but was -0.1"),
    ]:
        refuses(message, call)


# ------------------------------------------------------------------ jumps and models


def test_channels(chain, atoms):
    G = np.array([[2, 1j, 0], [-1j, 2, 0.5], [0, 0.5, 1]])
    jumps = [
        wf.Jump(chain.Jm, G),
        wf.Jump(chain.Jz, [1.0, 2.0, 3.0]),
        wf.Jump(chain.Jx, 0.5),
        wf.Jump(atoms.Jm, 2.0),
        wf.LocalJump(chain.sm, [1, 2, 3]),
        wf.LocalJump(chain[1].sz, 0.25),
        wf.LocalJump(atoms.sp, wf.coef(np.exp)),
    ]
    model = wf.Model(jumps=jumps, initial={chain: wf.up, atoms: wf.down})
    channels = model.channels()
    assert len(channels) == 10 and len(model.collective_jumps) == 4 and len(model.local_jumps) == 3
    space = Space(chain)
    matrix = sum(
        rate * np.kron(space.matrix(op), space.matrix(op).conj()) for op, rate in channels[:3]
    )
    L = [space.leaf(chain, m, "Jm") for m in range(3)]
    expected = sum(G[i, j] * np.kron(L[j], L[i].conj()) for i in range(3) for j in range(3))
    np.testing.assert_allclose(matrix, expected, atol=1e-12)
    local = model.local_channels()
    assert [(c.m, c.rate) for c in local[:4]] == [(0, 1.0), (1, 2.0), (2, 3.0), (1, 0.25)]
    assert model.coefficients == {local[-1].rate}


def test_sparse_dissipation_matrix(chain):
    G = sp.csr_array(np.diag([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(wf.Jump(chain.Jm, G).matrix, G.toarray())


def test_jumps_refuse(atoms, chain, mode):
    skew = np.array([[1, 2, 0], [0, 1, 0], [0, 0, 1.0]])
    negative = np.array([[1, 2, 0], [2, 1, 0], [0, 0, 1.0]])
    for call, message in [
        (lambda: wf.Jump(atoms.Jm, -0.3), "`rate` must be non-negative, but was -0.3"),
        (lambda: wf.Jump(atoms.Jm, 1j), "`rate` must be real, but was 1j"),
        (lambda: wf.Jump(atoms.Jm, np.nan), "`rate` must be finite"),
        (lambda: wf.Jump(atoms.Jm, "1"), "`rate` must be numeric"),
        (lambda: wf.Jump(atoms.Jm, None), "`rate` must be numeric, but was None"),
        (lambda: wf.Jump(atoms.Jm, [1, 2]), r"`rate` must be one number.*\(2,\)"),
        (lambda: wf.Jump(atoms.Jm, np.eye(2)), "`rate` must be one number for a single operator"),
        (lambda: wf.Jump(atoms.sm, 1.0), r"`op` must be a collective operator.*use `wf.LocalJump"),
        (lambda: wf.Jump(2.0, 1.0), "`op` must be an operator, but was 2.0"),
        (lambda: wf.Jump(chain.Jm, [1, -2, 3]), "for every member, but was -2.0 for member 1"),
        (lambda: wf.Jump(chain.Jm, [1, 2]), r"shape \(3,\).*\(2,\)"),
        (lambda: wf.Jump(chain.Jm, np.eye(2)), r"shape \(3, 3\).*\(2, 2\)"),
        (lambda: wf.Jump(chain.Jm, sp.eye_array(2)), r"shape \(3, 3\).*\(2, 2\)"),
        (lambda: wf.Jump(chain.Jm, skew), r"Hermitian matrix.*G\[0, 1\] = 2.*G\[1, 0\] = 0"),
        (lambda: wf.Jump(chain.Jm, negative), "semidefinite.* 1 negative eigenvalue.*: -1"),
        (lambda: wf.Jump(chain.Jm, np.full((3, 3), np.nan)), "`rate` must be finite"),
        (lambda: wf.LocalJump(atoms.Jm, 1.0), "`op` must be a one-emitter operator.*`wf.Jump"),
        (lambda: wf.LocalJump(mode.a, 1.0), "`op` must be a one-emitter operator"),
        (lambda: wf.LocalJump(chain.Jm, 1.0), "`op` must be a one-emitter operator"),
        (lambda: wf.LocalJump(atoms.sm, [1, 2]), "`rate` must be one number"),
        (lambda: wf.LocalJump(chain[0].sm, [1, 2, 3]), "`rate` must be one number"),
        (lambda: wf.LocalJump(chain.sm, [1, 2]), r"shape \(3,\).*\(2,\)"),
        (lambda: wf.LocalJump(chain.sm, -1.0), "`rate` must be non-negative"),
    ]:
        refuses(message, call)


def test_models_refuse(atoms, chain, mode):
    start = {atoms: wf.up}
    twin = wf.Ensemble(3, name="atoms")
    spin = wf.CollectiveSpin(2, name="S")
    good = wf.Jump(atoms.Jm, 1.0)
    for arguments, initial, message in [
        ((1j * atoms.Jx,), start, r"`H` must be Hermitian.*H - H\^\+ is 2i\*atoms.Jx"),
        ((atoms.Jp,), start, "`H` must be Hermitian"),
        ((chain.Jz,), {chain: wf.up}, "`H` must be an operator.*Sum it over its members"),
        ((atoms.sz,), start, "`H` must be an operator.*collective: use Jx"),
        ((3.0,), start, "`H` must be an operator, but was 3.0"),
        (
            (mode.n,),
            start,
            r"`H` must act only on subsystems that `initial` lists \('atoms'\).*'mode'",
        ),
        ((None, [wf.Jump(mode.a, 1)]), start, r"`jumps\[0\]` must act only on.*'mode'"),
        (
            (None, [good, wf.LocalJump(chain.sm, 1)]),
            start,
            r"`jumps\[1\]` must act only on.*'chain'",
        ),
        ((None, good), start, "`jumps` must be a list of wf.Jump"),
        ((None, 5), start, "`jumps` must be a list of wf.Jump"),
        ((None, [atoms.Jm]), start, r"`jumps\[0\]` must be a wf.Jump.*Wrap operators"),
        ((), {}, "`initial` must map every subsystem to a state"),
        ((), [atoms], "`initial` must map every subsystem"),
        ((), {"atoms": wf.up}, "`initial` must have subsystems as keys"),
        ((), {chain[0]: wf.up}, r"`initial` must have subsystems as keys.*chain\[0\].*list of 3"),
        ((), {atoms: wf.up, twin: wf.up}, "subsystems of different names.*'atoms'"),
        ((), {atoms: wf.vacuum}, r"`initial\['atoms'\]` must be a spin state"),
        ((), {mode: wf.up}, r"`initial\['mode'\]` must be a mode state"),
        ((), {atoms: "up"}, r"`initial\['atoms'\]` must be a state such as wf.up"),
        ((), {atoms: wf.bloch}, "is a function"),
        ((), {chain: [wf.up, wf.up]}, "must have 3 states, one per member.*list of 2"),
        ((), {chain: [wf.up, wf.up, 1]}, "must be a spin state"),
        ((), {spin: wf.bloch_vector(0, 0, 0.5)}, "pure spin coherent state.*Use wf.Ensemble"),
    ]:
        refuses(message, wf.Model, *arguments, initial=initial)
    with pytest.raises(TypeError):
        wf.Model(None, [], start)
    with pytest.raises(TypeError, match="no argument `hamiltonian`"):
        wf.Model(hamiltonian=None, initial=start)


def test_calls_that_do_not_fit_show_one_that_does(atoms):
    """What is lacking, has another name, or no place; errors from inside stay as they are."""
    jump, states = wf.Jump(atoms.Jm, 1.0), {atoms: wf.up}
    model, ops = wf.Model(jumps=[jump], initial=states), {"z": atoms.Jz}
    calls = [
        (lambda: wf.Model(jumps=[jump]), r"^Model needs the argument `initial`\. For .*wf\.up}"),
        (lambda: wf.Model(jump=[jump], initial=states), "no argument `jump`; did you mean `jumps`"),
        (lambda: wf.Model(c_ops=[jump], initial=states), "it has H, jumps, initial, links, pulses"),
        (lambda: wf.Model(None, [jump], states), "takes H, jumps by place, and initial, links"),
        (lambda: wf.Jump(atoms.Jm), r"needs the argument `rate`\. For example `wf\.Jump\(.*rate="),
        (lambda: wf.Jump(rate=1.0), "needs the argument `op`"),
        (lambda: wf.Jump(atoms.Jm, op=atoms.Jp, rate=1.0), r"multiple values.*'op'\. For example"),
        (lambda: wf.LocalJump(atoms.sm), "needs the argument `rate`"),
        (lambda: wf.Ensemble(), r"needs the argument `N`\. For example `wf\.Ensemble"),
        (lambda: wf.Ensemble(n=3), "has no argument `n`; did you mean `N`|it has N, name, count"),
        (lambda: wf.CollectiveSpin(name="S"), "needs the argument `S`"),
        (lambda: wf.Levels(3), "needs the argument `labels`"),
        (lambda: wf.Link(jump, jump), "needs the argument `delay`"),
        (lambda: wf.solve(model, [0, 1]), r"^wf\.solve needs the argument `e_ops`\. For example"),
        (lambda: wf.solve(model, [0, 1], ops, ntrajs=3), "no argument `ntrajs`; did you mean"),
        (lambda: wf.compare(model, [0, 1], ops, ntrajs=3), r"^wf\.solve has no argument `ntrajs`"),
        (lambda: wf.photons(model, [0, 1], ops), "takes model, outputs by place, and bins, modes"),
        (lambda: wf.pulse(1.0, atoms.Jx), r"^wf\.pulse needs the argument `angle`"),
    ]
    for call, message in calls:
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(TypeError, match=r"^Argument `H` must be an operator, but was 3\.$"):
        wf.Model(3, initial=states)


def test_errors_show_large_values_briefly(chain):
    with pytest.raises(ValueError) as error:
        wf.Jump(chain.Jm, np.ones((40, 40)))
    assert len(str(error.value)) < 300
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(TypeError) as error:
        wf.Model(nested, initial={chain: wf.up})
    assert len(str(error.value)) < 300


def test_array_op_types(chain):
    assert isinstance(chain.Jm, ArrayOp) and isinstance(chain[0].Jm, Op)
    assert isinstance(chain.Jm.sum(), Op) and isinstance(chain.Jm[0], Op)
    assert np.sum(chain.Jm) == chain.Jm.sum()


def test_other_libraries_ways_are_answered_with_this_ones(atoms):
    chain = wf.Spin(name="other chain", count=2)
    for op in (atoms.Jm, chain.sm, atoms.sm):
        with pytest.raises(TypeError, match=r"multiplied with `\*`"):
            op @ op
        with pytest.raises(TypeError, match=r"multiplied with `\*`"):
            np.eye(2) @ op
        with pytest.raises(TypeError, match=r"np\.exp of an operator is no sum.*wf\.coef"):
            np.exp(op)
    for scalar in (np.float64(2), np.array(2.0), np.complex64(2)):
        assert scalar * atoms.Jx == 2 * atoms.Jx and scalar + atoms.Jx == 2 + atoms.Jx
        assert scalar - atoms.Jx == 2 - atoms.Jx and not scalar == atoms.Jx
    assert np.float64(2) == atoms.Jx - atoms.Jx + 2
    with pytest.raises(TypeError):
        np.arange(3) * atoms.Jx
    with pytest.raises(TypeError):
        np.arange(3.0) / atoms.Jx
    with pytest.raises(AttributeError, match=r"mesolve'; use wf\.solve"):
        wf.mesolve  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean 'solve'"):
        wf.slove  # noqa: B018
    model = wf.Model(atoms.Jx, initial={atoms: wf.up})
    assert list(wf.solve(model, [0, 1], [atoms.Jz], method="exact").expect) == ["atoms.Jz"]
    with pytest.raises(AttributeError, match=r"wigner'; use wf\.wigner_density"):
        wf.wigner  # noqa: B018


@pytest.mark.parametrize(
    "take", [lambda a: wf.Jump(a, 1.0), wf.g2, lambda a: wf.pulse(0.0, a, 1.0)]
)
def test_a_subsystem_in_the_place_of_an_operator_is_told_its_operators(take):
    with pytest.raises(TypeError, match=r"after a dot: a, adag, n\."):
        take(wf.Mode(name="a"))
