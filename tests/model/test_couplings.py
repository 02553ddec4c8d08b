"""What every kind of coupling must answer, kind by kind of the registry."""

from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import wignerflow as wf
from wignerflow.model.couplings import COUPLINGS, Coupling, as_coupling, read_coupling
from wignerflow.model.couplings.base import STRUCTURES
from wignerflow.model.latex import op_latex

from ..golden import lanes

SIZE = 5
RNG = np.random.default_rng(3)
K = RNG.normal(size=(SIZE, SIZE))
THETA = np.cumsum(RNG.uniform(0, 1, SIZE))
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "nearest": [{}, {"periodic": True}],
    "all": [{}],
    "power": [{"alpha": 1.5}, {"alpha": 3.0, "periodic": True}, {"alpha": 0.0}],
    "waveguide": [{"phi": 0.4}, {"phi": THETA.tolist()}],
    "cascade": [{"phi": 0.4}, {"phi": THETA.tolist()}],
    "dense": [{"real": (K + K.T).tolist()}, {"real": K.tolist()}],
    "sparse": [{"row": [0, 3], "col": [2, 1], "real": [0.5, -1.0]}],
}
CASES = [(kind, data) for kind in COUPLINGS for data in EXAMPLES[kind]]


def made(kind: str, data: dict[str, Any]) -> Coupling:
    return as_coupling(read_coupling("model.K", {"kind": kind, **data}, SIZE))[0]


@pytest.mark.parametrize(("kind", "data"), CASES)
def test_a_coupling_answers_for_itself(kind: str, data: dict[str, Any]) -> None:
    """Products, bounds, transposes and texts agree with the matrix, plain forms with each other."""
    coupling = made(kind, data)
    coupling.check(SIZE)
    matrix = coupling.matrix(SIZE)
    assert matrix.shape == (SIZE, SIZE) and not np.any(np.diagonal(matrix))
    for x in (RNG.normal(size=SIZE), RNG.normal(size=(SIZE, 3))):
        np.testing.assert_allclose(coupling.apply(x), matrix.real @ x, atol=1e-12)
    np.testing.assert_array_equal(coupling.transpose().matrix(SIZE), matrix.T)
    assert coupling.symmetric == np.array_equal(matrix, matrix.T)
    assert coupling.real == (not np.any(matrix.imag))
    assert np.abs(matrix).sum(axis=1).max() <= coupling.row_sum(SIZE) * (1 + 1e-12)
    assert np.count_nonzero(matrix) <= coupling.entries(SIZE)
    assert coupling.structure in STRUCTURES
    plain = json.loads(json.dumps(coupling.to_dict()))
    assert made(plain.pop("kind"), plain) == coupling


@pytest.mark.parametrize("method", ["exact", pytest.param("mean-field", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("kind", "data"), CASES)
def test_a_coupling_stands_in_a_model(kind: str, data: dict[str, Any], method: str) -> None:
    """The operator, its LaTeX, its equations and its solutions."""
    chain = wf.Spin(name="chain", count=SIZE)
    coupling = made(kind, data)
    half = np.exp(0.7j) * wf.couple(chain.sp, coupling, chain.sm)
    H = half + half.dag()
    dense = np.exp(0.7j) * wf.couple(chain.sp, coupling.matrix(SIZE), chain.sm)
    model = wf.Model(H, [wf.Jump(chain.sm, 0.2)], initial={chain: wf.bloch(1.0, 0.3)})
    assert wf.Model.from_dict(model.to_dict()).to_dict() == model.to_dict()
    assert "m'" in model.latex()
    assert "chain" in model.equations("mean-field")
    other = wf.Model(
        dense + dense.dag(), [wf.Jump(chain.sm, 0.2)], initial={chain: wf.bloch(1.0, 0.3)}
    )
    one, two = (wf.solve(m, [0, 0.4], e_ops={"z": chain.sz}, method=method) for m in (model, other))
    steps = one.step_error["z"] + two.step_error["z"]
    assert np.all(np.abs(one.expect["z"] - two.expect["z"]) <= 1e-6 + steps)
    assert np.all(steps <= 1e-3) and np.ptp(one.expect["z"], axis=0).max() > 0.01


def test_couplings_are_equal_where_kind_and_numbers_are() -> None:
    every = [made(kind, data) for kind, data in CASES]
    again = [made(kind, data) for kind, data in CASES]
    for k, one in enumerate(every):
        assert [one == other for other in again] == [k == j for j in range(len(CASES))]
        assert one != "all" and one != one.matrix(SIZE).tolist()


def test_every_kind_has_an_example() -> None:
    """A kind without one would not be tested."""
    assert set(EXAMPLES) == set(COUPLINGS)


def test_a_forgotten_answer_raises() -> None:
    """A kind that leaves one out cannot be made; with all of them it can."""

    class Zero(Coupling):
        kind, structure = "zero", "dense"

    answers: dict[str, Any] = {
        name: (classmethod(lambda *a: None) if name == "read" else lambda *a: None)
        for name in Coupling.__abstractmethods__
    }
    assert {"matrix", "apply", "row_sum", "latex", "to_dict", "read", "check"} <= set(answers)
    assert type("All", (Zero,), answers)() is not None
    for name in answers:
        some = {k: v for k, v in answers.items() if k != name}
        with pytest.raises(TypeError, match=name):
            type("Some", (Zero,), some)()


def test_registered_kinds_are_whole() -> None:
    """None of them is abstract, and each has its own file but for those of one idea."""
    for kind in COUPLINGS.values():
        assert not inspect.isabstract(kind)
    assert sp.issparse(made("sparse", EXAMPLES["sparse"][0]).csr)  # type: ignore[attr-defined]


def test_power_law() -> None:
    """Distances on a chain and a ring, LaTeX, and refusals."""
    for size in (4, 5):
        m = np.arange(size)
        far = np.abs(m[:, None] - m).astype(float)
        for periodic, d in ((False, far), (True, np.minimum(far, size - far))):
            np.fill_diagonal(d, np.inf)
            matrix = wf.PowerLaw(1.5, periodic=periodic).matrix(size)
            np.testing.assert_allclose(matrix, d**-1.5, rtol=1e-14)
    ions = wf.Spin(name="ions", count=4)
    ring = wf.couple(ions.sx, wf.PowerLaw(3, periodic=True), ions.sx)
    assert op_latex(ring) == (
        r"\sum_{m \neq m'\,(\mathrm{ring})} |m - m'|^{-3}\,\sigma^{x}_{m}\,\sigma^{x}_{m'}"
    )
    assert repr(ring) == "couple(ions.sx, PowerLaw(3, periodic=True), ions.sx)"
    with pytest.raises(ValueError, match=r"`alpha` must be non-negative, but was -1"):
        wf.PowerLaw(-1)
    with pytest.raises(ValueError, match="open for fewer than 3 members"):
        two = wf.Spin(count=2)
        wf.couple(two.sx, wf.PowerLaw(1, periodic=True), two.sx)


def test_power_law_by_trajectories() -> None:
    """A kernel with it draws the trajectories of the same matrix written out."""
    chain = wf.Spin(name="chain", count=6)
    coupling = wf.PowerLaw(2.0)
    seen = []
    for K in (coupling, coupling.matrix(6).real):
        H = wf.couple(chain.sx, K, chain.sx) + chain.sz.sum()
        model = wf.Model(H, [wf.Jump(chain.sm, 0.4)], initial={chain: wf.bloch(0.8, 0.1)})
        seen.append(lanes(model, {"z": chain.sz}, wf.TWA())["observed"])
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-10)
