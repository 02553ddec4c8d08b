"""Dense products over blocks of trajectories: right, reproducible, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels import dense
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.phasespace import lower

from .compiled import compiled
from .lanes import LaneRun, by_order

PRODUCT = """
def run(p: "F[]", w: "F[]", sign: "F", rows: "i64", columns: "i64"):
    dense_product(p, 3, w, 2, columns + 5, sign, rows, columns, LN)
"""


def product(p, w, sign, rows, columns, lanes):
    run = compiled(dense.TEXT + PRODUCT, single=p.dtype == np.float32, lanes=lanes)
    run([p, w, sign, rows, columns])


def case(rows, columns, lanes, dtype):
    """Parameters, an array with a source and a target in it, and the matrix product wanted."""
    rng = np.random.default_rng([rows, columns, lanes])
    matrix = rng.normal(size=(rows, columns))
    p = np.concatenate([np.full(3, 7.0), dense.packed(matrix), np.full(5, 9.0)]).astype(dtype)
    w = rng.normal(size=(columns + 5 + dense.padded(rows) + 3) * lanes).astype(dtype)
    blocks = w.reshape(-1, lanes).astype(float)
    want = blocks.copy()
    want[columns + 5 : columns + 5 + rows] -= 0.5 * matrix @ blocks[2 : 2 + columns]
    return p, w, want


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-6)])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (8, 3), (9, 40), (21, dense.DEPTH + 6)])
@pytest.mark.parametrize("lanes", [32, 128])
def test_products_equal_the_matrix_product(rows, columns, lanes, dtype, tolerance):
    p, w, want = case(rows, columns, lanes, dtype)
    bound = tolerance * columns
    one, two = w.copy(), w.copy()
    product(p, one, dtype(-0.5), rows, columns, lanes)
    assert np.abs(one.reshape(want.shape) - want).max() < bound
    dense.dense_product_np(p, 3, two, 2, columns + 5, -0.5, rows, columns, lanes)
    assert np.abs(two.reshape(want.shape) - want).max() < bound


def test_a_trajectory_does_not_see_the_block_it_is_in():
    """The same bits with 128 lanes as with 32, wherever a trajectory lies."""
    p, w, _ = case(13, 50, 128, np.float32)
    whole = w.copy()
    product(p, whole, np.float32(-0.5), 13, 50, 128)
    for first in (0, 32, 96):
        part = np.ascontiguousarray(w.reshape(-1, 128)[:, first : first + 32]).ravel()
        product(p, part, np.float32(-0.5), 13, 50, 32)
        assert np.array_equal(part.reshape(-1, 32), whole.reshape(-1, 128)[:, first : first + 32])


M = 17  # more than one panel, and not a multiple of its rows


def matrices():
    """Every way in which a correlated family is multiplied."""
    rng = np.random.default_rng(3)
    a = rng.normal(size=(M, M)) + 1j * rng.normal(size=(M, M))
    low = rng.normal(size=(M, 5)) + 1j * rng.normal(size=(M, 5))
    return {
        "full complex": a @ a.conj().T / (4 * M),
        "full real": (a.real @ a.real.T / (4 * M)),
        "low rank": low @ low.conj().T / 40,
        "low rank, real": low.real @ low.real.T / 20,
        "sparse": np.diag(rng.uniform(0.1, 1, size=M)) + 0j,
    }


@pytest.mark.parametrize("name", matrices())
def test_correlated_decay_equals_channels_written_out(name, monkeypatch):
    """Trajectory by trajectory, on the same noise."""
    chain = wf.Ensemble(6, name="chain", count=M)
    H = (np.linspace(-1, 1, M) * chain.Jz).sum() + 0.4 * chain.Jx.sum()

    def states(G, limit):
        monkeypatch.setattr(lower, "MATRIX_CHANNELS", limit)
        model = wf.Model(H, [wf.Jump(chain.Jm, G)], initial={chain: wf.bloch(0.9, 0.3)})
        system, _ = wf.TWA().lower(model, {}, np.array([0.0, 1.0]))
        # a diagonal matrix is a family of independent jumps, one per member, in any case
        assert bool(system.member_channels) == (limit == 0 or name == "sparse")
        text = KernelText(system, [])
        grid = Grid.make(np.array([0.0, 0.3]), 0.1)
        return LaneRun(text, grid, 4, normal_pair=by_order()).run(5)[-1]

    G = matrices()[name]
    looped = states(G, 0)
    assert np.allclose(looped, states(G, M), rtol=0, atol=1e-11)
    if np.any(G.imag):
        assert np.abs(looped - states(G.T, M)).max() > 0.01
