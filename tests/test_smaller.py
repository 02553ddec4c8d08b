"""Models made smaller: the same classical equations and start, Hamiltonians still Hermitian."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.result.accuracy import Found
from wignerflow.solving import resolve_method, sizes, truncation
from wignerflow.solving.problem import read_problem, size_of
from wignerflow.solving.provenance import read_call, write_call
from wignerflow.solving.smaller import shrunk


def test_a_smaller_model_has_the_same_classical_equations():
    e, c = wf.Ensemble(200, name="e"), wf.Mode(name="c")
    H = 0.3 * (c.adag * e.Jm + c.a * e.Jp) + 0.02 * e.Jz * e.Jz + 0.5 * (c.a + c.adag) + 0.4 * c.n
    jumps = [wf.Jump(c.a, 1.0), wf.Jump(e.Jm, 0.01), wf.LocalJump(e.sp, 0.7)]
    model = wf.Model(H, jumps, initial={e: wf.bloch(0.5, 0), c: wf.coherent(3.0)})
    what = model, {"z": e.Jz}, wf.MeanField(), np.array([0.0, 1.0])
    call, plain = write_call(*what), shrunk(*what, 0.1)
    small, _, _ = read_call(plain)
    sizes = {sub.kind: sub for sub in small.subsystems}
    assert float(np.max(sizes["ensemble"].numbers)) == 20
    assert small.initial[sizes["mode"]][0].value == pytest.approx(3.0 * np.sqrt(0.1))
    before = {tuple(term["factors"]): term["coef"] for term in call["model"]["H"]}
    after = {tuple(term["factors"]): term["coef"] for term in plain["model"]["H"]}
    weights = {"e.Jx": 1, "e.Jy": 1, "e.Jz": 1, "c.a": 0.5, "c.adag": 0.5}
    assert len(after) == len(before) > 5
    for factors, value in after.items():
        w = sum(weights[f] for f in factors)
        assert value == pytest.approx(np.array(before[factors]) * 0.1 ** (1 - w))
    rates = sorted(jump["rate"] for jump in plain["model"]["jumps"])
    assert rates == pytest.approx([0.1, 0.7, 1.0])  # of J^-: ten times as large


def test_spins_alone_cannot_be_made_smaller():
    s = wf.Spin(name="s", count=3)
    model = wf.Model(s.sx.sum(), [wf.Jump(s.sm, 0.1)], initial={s: wf.up})
    assert shrunk(model, {"z": s[0].sz}, wf.TWA(), np.array([0.0, 1.0]), 0.5) is None


def products():
    """Hamiltonians whose normal order leaves terms of smaller weight, and observables."""
    s, c = wf.CollectiveSpin(10, name="s"), wf.Mode(name="c")
    atoms = wf.Levels(20, ["g", "m", "e"], name="atoms")
    up, on = atoms.op("e", "g"), atoms.op("m", "e")
    ramp = wf.coef(lambda t: np.tanh(t))
    start = {s: wf.up}, {s: wf.up, c: wf.coherent(1.0)}, {atoms: wf.level("g")}
    yield wf.Model((s.Jx * s.Jy + s.Jy * s.Jx) / 2, initial=start[0]), s
    yield wf.Model(s.Jx * s.Jy * s.Jz + s.Jz * s.Jy * s.Jx, initial=start[0]), s
    yield wf.Model(ramp * (s.Jz * s.Jx + s.Jx * s.Jz), initial=start[0]), s
    both = c.adag * s.Jm * s.Jz
    yield wf.Model(both + both.dag() + 0.3 * c.n * s.Jz, initial=start[1]), s
    raised = up * on * on.dag()
    yield wf.Model(raised + raised.dag(), initial=start[2]), atoms
    turned = wf.coef(lambda t: np.exp(1j * t))
    pairs = turned * s.Jp * s.Jp
    yield wf.Model(pairs + pairs.dag(), initial=start[0]), s


@pytest.mark.parametrize("k", range(6))
def test_a_smaller_hamiltonian_is_hermitian(k):
    """J_x J_y + J_y J_x is written J_x J_y - i J_z / 2, whose terms are scaled differently."""
    model, sub = list(products())[k]
    op = sub.Jz if hasattr(sub, "Jz") else sub.pop("g")
    small, _, _ = read_call(shrunk(model, {"o": op}, wf.TWA(), np.linspace(0, 1, 5), 0.2))
    assert small.H.is_hermitian()
    before = {f: abs(c) for (_, f), c in model.H.terms.items()}
    after = {f: abs(c) for (_, f), c in small.H.terms.items()}
    assert len(after) >= 1 and max(after.values()) > max(before.values())


def test_twisting_about_two_axes_is_judged_by_smaller_models():
    """By cumulants alone, whose orders part, 40 % were stated for an error below 1 %."""
    s = wf.CollectiveSpin(13, name="s")
    model = wf.Model((s.Jx * s.Jy + s.Jy * s.Jx) / 2, initial={s: wf.up})
    own, basis, true = judged(model, {"z": s.Jz, "xx": s.Jx * s.Jx}, np.linspace(0, 0.12, 5))
    assert basis.startswith("exact solutions at sizes")
    for name in own:
        assert own[name] < 0.05 and true[name] < own[name] + 0.02


def judged(model, ops, times, method="twa"):
    """Largest errors in units of the scale: as stated without an exact solution, and true ones."""
    problem = read_problem(model, times, ops)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"e_ops": ops, "ntraj": 4096, "seed": 2, "truncation": False}
        run = wf.solve(model, times, method=method, progress=False, **options)
        own, basis = truncation.estimate(
            problem, resolve_method(method), run, 3.0, wf.solve, direct=False
        )
        exact = wf.solve(model, times, e_ops=ops, method="exact").expect
    size = {n: np.abs(v).max() for n, v in exact.items()}
    true = {n: np.abs(run.expect[n] - v).max() / size[n] for n, v in exact.items()}
    return {n: v.max() / size[n] for n, v in own.items()}, basis, true


def test_a_smaller_ensemble_starts_as_the_model_does():
    """Fixed length at every size where the model has it: a Gaussian start is off otherwise."""
    sampling = {}
    for N in (6, 12):
        s = wf.CollectiveSpin(N / 2, name="s")
        model = wf.Model(jumps=[wf.Jump(s.Jm, 1.0)], initial={s: wf.up})
        sampling[N] = shrunk(model, {"z": s.Jz}, wf.TWA(), np.array([0.0, 1.0]), 0.5)["method"][
            "options"
        ]["sampling"]
    assert sampling == {6: "auto", 12: "fixed"}
    s = wf.CollectiveSpin(6, name="s")
    jumps = [wf.Jump(s.Jm, 2 / 12), wf.Jump(s.Jp, 1 / 12)]
    model = wf.Model(jumps=jumps, initial={s: wf.up})
    own, _, true = judged(model, {"g2": wf.g2(s.Jm)}, np.linspace(0, 2, 5))
    assert true["g2"] < 0.015 and own["g2"] < 0.05


def test_squeezing_stays_when_a_mode_is_made_smaller():
    a = wf.Mode(name="a")
    model = wf.Model(a.n * a.n, [wf.Jump(a.a, 1.0)], initial={a: wf.squeezed(1.0, 0.3)})
    assert size_of(model) == 0
    small, _, _ = read_call(shrunk(model, {"n": a.n}, wf.TWA(), np.array([0.0, 1.0]), 0.5))
    assert small.initial == model.initial or str(small.initial) == str(model.initial)


def test_what_one_reference_is_unsure_of_another_says():
    first = Found({"a": np.array([1.0]), "b": np.array([2.0])}, "orders", frozenset("ab"))
    second = Found({"a": np.array([0.1]), "b": np.array([np.nan])}, "sizes")
    both = first.settled(second)
    assert both.errors["a"] == 0.1 and both.errors["b"] == 2.0
    assert both.unsure == {"b"} and both.basis == "orders; of a: sizes"
    assert first.settled(first) is first
    third = Found({"a": np.array([np.nan]), "b": np.array([np.nan])}, "sizes", frozenset("ab"))
    assert third.settled(first).errors == first.errors and third.settled(first).unsure == {"a", "b"}


def test_where_orders_part_smaller_models_judge():
    """Above threshold the orders of cumulants are apart by all of n, and TWA is off by 1 %."""
    a = wf.Mode(name="a")
    H = 0.5j * (a.adag * a.adag - a.a * a.a)
    jumps = [wf.Jump(a.a, 1.0), wf.Jump(a.a * a.a, 0.1 / 3)]
    model = wf.Model(H, jumps, initial={a: wf.vacuum})
    own, basis, true = judged(model, {"n": a.n}, np.linspace(0, 10, 9))
    assert basis.startswith("exact solutions")
    assert true["n"] < 0.03 and own["n"] < 0.05


@pytest.mark.slow
def test_a_kerr_mode_without_loss_is_judged_by_smaller_ones():
    """The constant of n^2 / 2 vanishes at its own size alone; kernels are the same all the same."""
    a = wf.Mode(name="a")
    model = wf.Model(0.5 * a.n * a.n, initial={a: wf.coherent(np.sqrt(40))})
    ops = {"x": a.a + a.adag, "n": a.n}
    own, basis, true = judged(model, ops, np.linspace(0, 0.1, 9))
    assert basis == "exact solutions at sizes 24 and 12, continued to 40"
    assert true["x"] < own["x"] + 0.05 and max(own.values()) < 0.05
    own, _, true = judged(model, ops, np.linspace(0, 2 * np.pi, 9))  # to the revival
    assert true["x"] > 0.9 and own["x"] > 0.1 and own["n"] < 0.05


def test_what_sampling_hides_at_smaller_sizes_is_not_called_right():
    """A mean that is a tenth of its fluctuations, and off by all of itself."""
    a = wf.Mode(name="a")
    n = 0.8
    H = 0.4 / n * a.adag * a.adag * a.a * a.a - 0.3 * a.n + 0.5 * np.sqrt(n) * (a.a + a.adag)
    jumps = [wf.Jump(a.a, 1.0), wf.Jump(a.n, 0.2)]
    model = wf.Model(H, jumps, initial={a: wf.thermal(0.3 * n)})
    ops = {"x": a.a + a.adag, "n": a.n}
    own, _, true = judged(model, ops, np.linspace(0, 5, 9))
    assert true["x"] > 0.8 and own["x"] > 0.4


def test_noise_that_hides_an_error_makes_a_reference_unsure(monkeypatch):
    a = wf.Mode(name="a")
    model = wf.Model(0.5 * a.n * a.n, initial={a: wf.coherent(3.0)})
    ops = {"x": a.a + a.adag}
    problem, t = read_problem(model, [0, 0.1], ops), np.array([0, 0.1])
    run = wf.solve(model, t, e_ops=ops, ntraj=2048, seed=1, truncation=False, progress=False)

    def unsure(error, noise):
        one = sizes.Deviation(
            sizes.Smaller({}, 4.0, 9.0, True, False),
            {"x": np.full(2, error)}, {"x": np.full(2, noise)}, {"x": (1.0, 1.0)},
        )  # fmt: skip
        monkeypatch.setattr(truncation, "evidence", lambda *_: [one])
        return truncation._from_smaller(problem, wf.TWA(), run, 1.0, False, wf.solve, []).unsure

    assert unsure(0.0, 0.02) == unsure(0.2, 0.05) == frozenset()
    assert unsure(0.0, 0.05) == unsure(0.08, 0.05) == {"x"}


def told(N=300, rate=1.0, sign=1.0, drive=None, coupling=0.3, stop=1.0, name="e", **options):
    """A run of a model made anew, and how often smaller models were asked."""
    e, c = wf.Ensemble(N, name=name), wf.Ensemble(2, count=3, name="c")
    H = 0.02 * e.Jz * e.Jz + wf.couple(c.Jp, coupling * np.ones((3, 3)), c.Jm)
    if drive is not None:
        H = H + wf.coef(drive) * e.Jx
    jumps = [wf.Jump(e.Jm, rate / N), wf.LocalJump(e.sp, 0.3), wf.Jump(c.Jm, [0.1, 0.2, 0.3])]
    model = wf.Model(H, jumps, initial={e: wf.bloch(0.5, 0), c: [wf.up, wf.down, wf.up]})
    problem = read_problem(model, np.linspace(0, stop, 3), {"z": sign * e.Jz})
    return truncation._kept(problem, wf.TWA(**options), 0.1, False)


def test_what_smaller_models_said_is_kept_by_content_alone():
    truncation._answers.clear()
    first = told()
    assert told() is first  # of other objects
    drive = told(drive=lambda t: np.sin(t))
    assert told(drive=lambda t: 1.0 * np.sin(t)) is drive
    others = [
        told(N=301), told(rate=1.1), told(sign=-1.0), told(coupling=0.31), told(stop=1.1),
        told(name="f"), told(sampling="fixed"), drive, told(drive=lambda t: np.cos(t)),
    ]  # fmt: skip
    assert len({id(x) for x in [first, *others]}) == 1 + len(others)
    for k in range(truncation.KEPT):
        told(rate=2.0 + k)
    assert len(truncation._answers) == truncation.KEPT and told() is not first
    truncation._answers.clear()
