"""Every registered method has a generator case and a refusal here: none can be forgotten.

A case gives the rates of change of moments by a method in the state a small model starts from, next
to Tr(O L[rho]) with matrices: the coarse net under the generator tests of the methods' own files.
What a method says it truncates is left out of its case.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.module import KernelText
from wignerflow.solving import METHODS, resolve_method

from .phasespace.bosons import Matrices, Ordering, spin
from .phasespace.generator import changes, monomials
from .phasespace.test_generalized_p import equations
from .phasespace.test_schwinger import ORDERS, Library, build, library_model
from .phasespace.twins import PAULI, Twin, World

WRONG = 1.2  # factor of the rates in the negative controls


def spoilt(model, factor):
    """The model with its rates multiplied."""
    jumps = [type(j)(j.op, j.rate * factor) for j in model.jumps]
    return wf.Model(
        model.H, jumps, initial={s: list(x) if s.count else x[0] for s, x in model.initial.items()}
    )


# ---------------------------------------------------------------------------- trajectories


def world_of(makers, collective=True):
    """Driven subsystems that share a jump, with local jumps of the ensembles."""
    world = World(np.random.default_rng(7))
    L, letters = None, {"ensemble": "Jm", "spin": "sm", "collective": "Jm", "mode": "a"}
    for sub in [make(world) for make in makers]:
        term = world.number() * world.op(sub, letters[sub.kind])
        world.add_H(term.hermitian())
        L = term if L is None else L + term
        if sub.kind == "ensemble":
            world.add_local(sub, 0.7)
    if collective:
        world.add_jump(L, 0.4)
    return world


def trajectories(makers, collective=True):
    """Means under fields, a shared jump and local jumps, by the printed kernel."""

    def case(engine, factor):
        world = world_of(makers, collective)
        system, _ = engine.lower(spoilt(world.model(), factor), {}, np.array([0.0, 1.0]))
        means = [(v,) for v in world.variables()]
        return changes(world, means, degree=2, text=KernelText(system, []))

    return case


def ensemble(world):
    return world.ensemble(3)


def single(world):
    return world.spin()


def mode(world):
    return world.mode()


def clusters(engine, factor):
    """Means of two pairs of spins: fields, couplings and jumps inside, couplings across."""
    world = World(np.random.default_rng(9))
    pairs, chain = world.levels(1, 4, count=2), wf.Spin(name="chain", count=4)

    def spin_(m, a):
        one = [np.eye(2), np.eye(2)]
        one[m % 2] = PAULI["xyz".index(a)]
        A = world.level_matrix(pairs, np.kron(*one), m // 2)
        return Twin(getattr(chain[m], f"s{a}"), A.mat)

    for m in range(4):
        world.add_H(0.7 * spin_(m, "x") + (0.2 + 0.1 * m) * spin_(m, "z"))
        world.add_jump(0.5 * spin_(m, "x") + (-0.5j) * spin_(m, "y"), 0.6)
    for m, strength in ((0, 1.0), (1, 0.4), (2, 1.0)):
        world.add_H(strength * spin_(m, "x") * spin_(m + 1, "y"))
    world.add_jump(spin_(2, "z") + 0.5 * spin_(3, "x"), 0.3)
    model = wf.Model(world.hamiltonian.op, world.jumps, initial={chain: wf.down})
    assert engine.clusters(model) == [[0, 1], [2, 3]]
    system, _ = engine.lower(spoilt(model, factor), {}, np.array([0.0, 1.0]))
    means = [(v,) for v in world.variables()]
    return changes(world, means, degree=2, text=KernelText(system, []))


def generalized_p(engine, factor):
    """First and second moments of five emitters in a product state under balanced noise."""
    N, r = 5, np.array([0.3, -0.5, 0.4])
    world = World(np.random.default_rng(8))
    atoms = world.ensemble(N)
    rho = np.eye(1)
    for _ in range(N):
        paulis = world.sites[0].emitters
        one = (np.eye(2) + r[0] * np.array([[0, 1], [1, 0]]) + r[1] * np.array([[0, -1j], [1j, 0]])
               + r[2] * np.diag([1, -1])) / 2  # fmt: skip
        rho = np.kron(rho, one)
    assert paulis is not None
    world.sites[0].rho, world.initial[atoms] = rho, wf.bloch_vector(*r)
    world.add_H(0.7 * world.op(atoms, "Jx"))
    for letter in ("Jm", "Jp", "Jz"):
        world.add_jump(world.op(atoms, letter), 0.3)
    world.add_local(atoms, 0.5)
    a, D = equations(spoilt(world.model(), factor), r, method=engine)
    rates, slope = list(N / 2 * a), world.slope()
    pairs = list(product(range(3), repeat=2))
    rates += [N * (N - 1) / 4 * (a[i] * r[j] + r[i] * a[j] + D[i, j]) for i, j in pairs]
    moments = [((0, c),) for c in range(3)] + [((0, i), (0, j)) for i, j in pairs]
    return np.array(rates), np.array([world.change(world.product(m), slope) for m in moments])


def schwinger(name):
    """Means of a spin 2, driven, twisted and with every kind of jump."""
    k = ORDERS[name]

    def case(engine, factor):
        model, _ = library_model("all")
        system, _ = engine.lower(spoilt(model, factor), {}, np.array([0.0, 1.0]))
        lib, order, matrices = Library(system, 1), Ordering(k, 1), Matrices([2.0], 5)
        J = [matrices.spin(0, a) for a in "xyz"]
        slope = matrices.slope(*build("all", J, np.eye(5), np.matmul))
        rates = [matrices.average(lib.act(order.symbol(spin(0, a))), k) for a in "xyz"]
        return np.array(rates), np.array([np.trace(x @ slope) for x in J])

    return case


# ---------------------------------------------------------------------------- without them


def derivative(engine, model, ops, h=0.0025):
    """d<O>/dt at the start of a run, of fourth order in h."""
    r = wf.solve(model, h * np.arange(5), e_ops=ops, method=engine, progress=False)
    weights = np.array([-25, 48, -36, 16, -3]) / (12 * h)
    return np.array([weights @ r.expect[name] for name in ops])


def solved(makers, degree):
    """Moments up to a degree at the start of a run."""

    def case(engine, factor):
        world = world_of(makers)
        letters = {"ensemble": ("Jx", "Jy", "Jz"), "spin": ("sx", "sy", "sz")}
        ops, slope, exact = {}, world.slope(), []
        J = [world.op(s, x).op for s in world.initial for x in letters[s.kind]]
        units = [0.5 if s.kind == "spin" else 1.0 for s in world.initial for _ in range(3)]
        for mono in monomials(list(range(len(J))), degree)[1:]:
            factors = [units[i] * J[i] for i in mono]
            op = factors[0]
            for other in factors[1:]:
                op = (op * other + other * op) * 0.5
            ops[str(mono)] = op
            pairs = tuple((i // 3, i % 3) for i in mono)
            exact.append(world.change(world.product(pairs), slope))
        return derivative(engine, spoilt(world.model(), factor), ops), np.array(exact)

    return case


#: Of every registered method: (method, factor of its rates) -> (rates by it, exact rates).
CASES = {
    "twa": trajectories([ensemble, single, mode]),
    "spin-twa": trajectories([single, single, mode]),
    "cluster-twa": clusters,
    # correlations of the emitters under a shared jump are what it leaves out, see below
    "mean-field": trajectories([ensemble, ensemble], collective=False),
    "cumulant": solved([ensemble, single], 1),
    "exact": solved([ensemble, single], 2),
    "generalized-p": generalized_p,
    "schwinger-w": schwinger("W"),
    "schwinger-p": schwinger("P"),
    "schwinger-q": schwinger("Q"),
}

#: Methods whose runs are random, so that they are held against "exact" with standard errors.
SAMPLED = {"jumps"}


def deviation(name, factor=1.0):
    """Largest error of a method's rates relative to the largest rate."""
    rates, exact = CASES[name](METHODS[name](), factor)
    assert len(rates) and np.abs(exact).max() > 0.1
    return np.abs(rates - exact).max() / np.abs(exact).max()


def unchecked(methods):
    """Registered methods without a generator case or without a refusal."""
    return {m for m in methods if (m not in CASES and m not in SAMPLED) or m not in REFUSED}


def test_every_method_has_a_case_and_a_refusal():
    assert not unchecked(METHODS)
    assert set(CASES) | SAMPLED == set(REFUSED) == set(METHODS)
    assert unchecked([*METHODS, "newcomer"]) == {"newcomer"}


#: Methods whose kernels take long to compile.
DEAR = {"cluster-twa": pytest.mark.slow}


@pytest.mark.parametrize(
    "name", [pytest.param(m, marks=DEAR.get(m, ())) for m in METHODS if m not in SAMPLED]
)
def test_moments_change_as_in_the_master_equation(name):
    assert deviation(name) < 1e-5
    assert deviation(name, WRONG) > 1e-2


def test_quantum_jumps_are_those_of_the_master_equation():
    atoms = wf.Ensemble(4, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 0.4), wf.LocalJump(atoms.sp, 0.7)]
    model = wf.Model(0.7 * atoms.Jx, jumps, initial={atoms: wf.bloch(0.9, 0.6)})
    t = np.array([0.0, 0.3, 0.6])
    ops = {"x": atoms.Jx, "y": atoms.Jy, "z": atoms.Jz, "e": atoms.Jp * atoms.Jm}
    (name,) = SAMPLED
    r = wf.solve(model, t, e_ops=ops, method=METHODS[name](), ntraj=400, seed=3, progress=False)
    for factor, passes in ((1.0, True), (2.0, False)):
        exact = wf.solve(spoilt(model, factor), t, e_ops=ops, method="exact", progress=False)
        z = [np.abs(r.expect[k] - exact.expect[k])[1:] / r.sem[k][1:] for k in ops]
        assert (np.max(z) < 4) == passes


def test_mean_field_leaves_out_correlations_of_order_one_over_N():
    """Collective decay of a product state, by hand: its z changes by (N/2)(1+z) and pairs."""
    r, errors = np.array([0.3, -0.5, 0.4]), []
    for N in (100, 1000):
        atoms = wf.Ensemble(N, name="atoms")
        model = wf.Model(jumps=[wf.Jump(atoms.Jm, 1 / N)], initial={atoms: wf.bloch_vector(*r)})
        rate = derivative(METHODS["mean-field"](), model, {"z": atoms.Jz}, h=0.03)[0]
        pairs = N * (N - 1) / 4 * (r[0] ** 2 + r[1] ** 2)
        errors.append(abs(rate * N / -(N / 2 * (1 + r[2]) + pairs) - 1) * N)
    assert 1 < errors[1] < 20 and abs(errors[0] / errors[1] - 1) < 0.1


# ---------------------------------------------------------------------------- refusals


def coupled_jump():
    chain, cavity = wf.Spin(name="chain", count=4), wf.Mode(name="mode")
    K = wf.couple(chain.sz, wf.NearestNeighbour(), chain.sz)
    model = wf.Model(None, [wf.Jump(K, 1)], initial={chain: wf.up, cavity: wf.vacuum})
    return model, cavity.n


def local_jump():
    atoms = wf.Ensemble(5, name="atoms")
    return wf.Model(None, [wf.LocalJump(atoms.sm, 1)], initial={atoms: wf.up}), atoms.Jz


def high_order():
    cavity, atoms = wf.Mode(name="c"), wf.Ensemble(5, name="atoms")
    model = wf.Model(atoms.Jz * cavity.n**4, initial={cavity: wf.vacuum, atoms: wf.up})
    return model, cavity.n


def far_too_large():
    chain = wf.Spin(name="chain", count=40)
    K = wf.couple(chain.sx, wf.NearestNeighbour(), chain.sx)
    return wf.Model(K + chain.sz.sum(), initial={chain: wf.up}), chain[0].sz


def three_levels():
    atoms = wf.Levels(3, ["g", "e", "f"], name="atoms")
    jump = wf.Jump(atoms.op("g", "e"), 1.0)
    return wf.Model(jumps=[jump], initial={atoms: wf.level("e")}), atoms.pop("e")


def decay():
    atoms = wf.Ensemble(5, name="atoms")
    return wf.Model(None, [wf.Jump(atoms.Jm, 1)], initial={atoms: wf.up}), atoms.Jz


def balanced():
    """A model for every method."""
    spin_ = wf.CollectiveSpin(3, name="spin")
    return wf.Model(spin_.Jx, [wf.Jump(spin_.Jz, 1)], initial={spin_: wf.up})


#: Of every registered method: a model that it cannot treat, and what it says.
REFUSED = {
    "twa": (coupled_jump, r"jumps\[0\] contains"),
    "spin-twa": (local_jump, "one by one"),
    "cluster-twa": (coupled_jump, r"jumps\[0\] contains"),
    "mean-field": (coupled_jump, r"jumps\[0\] contains"),
    "cumulant": (high_order, "product of 9 operators"),
    "exact": (far_too_large, "GB"),
    "jumps": (three_levels, "emitters with levels"),
    "generalized-p": (decay, "negative"),
    "schwinger-w": (local_jump, "not a CollectiveSpin"),
    "schwinger-p": (local_jump, "not a CollectiveSpin"),
    "schwinger-q": (local_jump, "not a CollectiveSpin"),
}


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_cannot_treat_is_refused_before_anything_runs(name):
    make, why = REFUSED[name]
    model, op = make()
    with pytest.raises(ValueError, match=why):
        wf.solve(model, [0, 1], e_ops={"o": op}, method=name, progress=False)


@pytest.mark.parametrize("name", METHODS)
def test_methods_fill_in_the_contract(name):
    engine = resolve_method(name)
    assert engine.name == name
    assert hasattr(engine, "lower") != hasattr(engine, "solve")
    assert engine.refuses(balanced()) is None
