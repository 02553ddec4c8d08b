"""States of modes: what each answers, by number states, and in every method."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

import wignerflow as wf
from wignerflow.exact import mode_states as exact
from wignerflow.exact.cutoffs import EDGE, guess_cutoffs
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.model.mode_states import MODE_STATES, ModeState

from ..kernels.lanes import LaneRun

STATES = {
    "coherent": wf.coherent(0.6 - 0.3j),
    "fock": wf.fock(2),
    "thermal": wf.thermal(0.7),
    "squeezed": wf.squeezed(0.5, 0.8),
}
DIM = 60
A = np.diag(np.sqrt(np.arange(1, DIM)), 1).astype(complex)


def test_every_kind_is_here():
    assert set(STATES) == set(MODE_STATES) == {*exact.PURE, *exact.MIXED} == set(exact.SPREAD)


@pytest.mark.parametrize("kind", MODE_STATES)
def test_moments_are_those_of_the_density_matrix(kind):
    state = STATES[kind]
    rho = exact.matrix(kind, state.value, DIM)
    a, aa, n = (np.trace(op @ rho) for op in (A, A @ A, A.conj().T @ A))
    assert np.isclose(state.mean, a, atol=1e-10)
    assert np.isclose(state.quanta, n.real, atol=1e-9)
    second, number = aa - a**2, n.real - abs(a) ** 2 + 0.5
    want = np.array([[number + second.real, second.imag], [second.imag, number - second.real]]) / 2
    assert np.allclose(state.covariance, want, atol=1e-9)


@pytest.mark.parametrize("kind", MODE_STATES)
def test_no_state_needs_more_than_its_first_cutoff(kind):
    for value in (0.0, 0.05, 1.0, 2.0):
        mode = wf.Mode(name="m")
        state = MODE_STATES[kind](value)
        (cutoff,) = guess_cutoffs(wf.Model(mode.n, initial={mode: state})).values()
        p = exact.matrix(kind, state.value, cutoff + 200).diagonal().real
        assert p[cutoff - 2 : cutoff].sum() < EDGE
    r, phi = 0.5, 0.8
    z = r * np.exp(1j * phi)
    S = expm((np.conj(z) * A @ A - z * A.conj().T @ A.conj().T) / 2)
    psi = exact.amplitudes("squeezed", z, DIM)
    assert np.allclose(psi[:30], S[:30, 0], atol=1e-10)
    rho = np.outer(psi, psi.conj())
    assert np.isclose(np.trace(A @ A @ rho), -np.exp(1j * phi) * np.sinh(r) * np.cosh(r))


@pytest.mark.parametrize("kind", MODE_STATES)
def test_plain_forms_come_back(kind):
    mode = wf.Mode(name="m")
    model = wf.Model(mode.n, initial={mode: STATES[kind]})
    plain = model.to_dict()
    again = wf.Model.from_dict(plain)
    assert again.to_dict() == plain
    (states,) = again.initial.values()
    assert type(states[0]) is MODE_STATES[kind] and states[0].text == STATES[kind].text


def covariance_drawn(state: ModeState, wrong: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of initial samples of TWA, and its standard errors."""
    mode = wf.Mode(name="m")
    system, _ = wf.TWA().lower(wf.Model(mode.n, initial={mode: state}), {}, np.array([0.0, 1.0]))
    system.initial[0].e1[:, 2] *= wrong
    n = 40_000
    run = LaneRun(KernelText(system, []), Grid.make(np.array([0.0, 1.0]), 1.0), n)
    run.initial(5)
    x = run.state - run.state.mean(axis=1, keepdims=True)
    products = x[:, None] * x[None, :]
    return products.mean(axis=2), products.std(axis=2) / np.sqrt(n)


@pytest.mark.parametrize("kind", MODE_STATES)
def test_samples_have_the_covariance(kind):
    got, sem = covariance_drawn(STATES[kind])
    assert np.all(np.abs(got - STATES[kind].covariance) < 4.2 * sem)
    if kind != "fock":
        got, sem = covariance_drawn(STATES[kind], 0.9)
        assert np.abs((got - STATES[kind].covariance) / sem).max() > 8


def test_all_methods_agree_on_a_squeezed_mode():
    """A detuned, damped mode stays Gaussian: cumulants and the exact solution are one, and others
    within their errors.
    """
    mode = wf.Mode(name="m")
    model = wf.Model(0.7 * mode.n, [wf.Jump(mode.a, 0.4)], initial={mode: wf.squeezed(0.5, 0.8)})
    e_ops = {"aa": mode.a * mode.a, "n": mode.n}
    t = np.linspace(0, 1, 3)
    z = 0.5 * np.exp(0.8j)
    want = {
        "aa": -np.sinh(1.0) / 2 * z / abs(z) * np.exp((-1.4j - 0.4) * t),
        "n": np.sinh(0.5) ** 2 * np.exp(-0.4 * t),
    }
    for method, options in (
        ("exact", {}),
        ("cumulant", {}),
        ("jumps", {"ntraj": 400, "seed": 3}),
        ("twa", {"ntraj": 4000, "seed": 3, "precision": "double"}),
    ):
        result = wf.solve(model, t, e_ops=e_ops, method=method, progress=False, **options)
        for name, value in want.items():
            error = result.expect[name] - value
            sem = result.sem[name]
            if method in ("exact", "cumulant"):
                assert np.abs(error).max() < 1e-5, (method, name)
            else:
                for part in (np.real, np.imag):
                    assert np.all(np.abs(part(error)) <= 4.5 * part(sem) + 1e-5), (method, name)


def test_a_forgotten_answer_raises():
    class Cat(ModeState):
        kind = "cat"

    with pytest.raises(TypeError, match="abstract"):
        Cat(1.0)
    with pytest.raises(ValueError, match="kind that exact methods know"):
        exact.is_mixed("cat")
