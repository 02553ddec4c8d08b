"""Models are canonical when they are made: neither hashes nor the order of creation show."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText

from ..kernels.models import chain, couplings, printed, singles

CODE = """
import sys
import numpy as np
import wignerflow as wf
from tests.model.test_canonical import texts
sys.stdout.write(texts())
"""


def model_of(backwards: bool = False) -> wf.Model:
    """Products of coefficients, sums and couplings, made in one order or the other."""
    makers = [
        lambda: wf.Ensemble(30, name="atoms10", count=4),
        lambda: wf.Ensemble(20, name="atoms9", count=4),
        lambda: wf.Mode(name="cavity"),
    ]
    made = [make() for make in (reversed(makers) if backwards else makers)]
    ten, nine, cavity = reversed(made) if backwards else made
    grid = np.linspace(0, 1, 5)
    f, g, h = (wf.coef(np.cos(k * grid), grid) for k in (1, 2, 3))
    dense = np.random.default_rng(3).normal(size=(4, 4))
    parts = [
        0.1 * f * g * h * ten.Jx.sum(),
        0.2 * h * f * nine.Jz.sum(),
        0.3 * g * cavity.n,
        0.01 * wf.couple(ten.Jx, dense, nine.Jz),
        0.02 * (ten.Jz * nine.Jz).sum(),
        0.03 * ten.Jx.sum() * nine.Jx.sum() * (cavity.a + cavity.adag),
    ]
    H = sum(reversed(parts) if backwards else parts)
    jumps = [
        wf.Jump(ten.Jm.sum() + nine.Jm.sum() + cavity.a, 0.1),
        wf.Jump(nine.Jm + 0.3 * ten.Jz, 2 * wf.coef(1 + grid, grid)),
        wf.LocalJump(nine.sp, 0.3),
    ]
    return wf.Model(H, jumps, initial={nine: wf.up, ten: wf.down, cavity: wf.vacuum})


def kernel(model: wf.Model) -> tuple[str, list[bytes]]:
    """Text and tables: all that a run's bits follow from, but the seed."""
    text = KernelText(wf.TWA().lower(model, {}, np.array([0.0, 1.0]))[0], [])
    tables = text.tables(Grid.make(np.array([0.0, 1.0]), 0.25), np.float64)
    return text.module(False, 32), [t.tobytes() for t in tables]


def texts() -> str:
    """Of one model with products of coefficients, and of models of every form of kernel."""
    kernels = [printed(*make(), np.array([0.0, 0.1])) for make in (singles, chain, couplings)]
    return model_of().source("twa") + "".join(k.module(True, 32) for k in kernels)


def test_texts_do_not_depend_on_hashes():
    """Of two other processes and of this one, whatever is made before."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", CODE],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            stdout=subprocess.PIPE,
        )
        for seed in (1, 2)
    ]
    found = {run.communicate()[0].decode() for run in runs}
    assert all(run.returncode == 0 for run in runs)
    assert found == {texts()} and "def step" in texts()


def test_neither_the_order_of_creation_nor_that_of_terms_shows():
    one, two = model_of(), model_of(backwards=True)
    assert one.to_dict() == two.to_dict()
    assert kernel(one) == kernel(two)
    assert repr(one.H) == repr(two.H)


def test_a_model_read_back_is_the_same_to_the_bit():
    model = model_of()
    assert kernel(wf.Model.from_dict(model.to_dict())) == kernel(model)


def test_samples_of_callables_stand_in_their_place():
    atoms = wf.Ensemble(9, name="atoms")
    f, g = wf.coef(lambda t: float(np.cos(t))), wf.coef(lambda t: 1 + t)
    jumps = [wf.Jump(f * atoms.Jm, 0.1), wf.LocalJump(atoms.sm, g)]
    model = wf.Model(f * g * atoms.Jx + atoms.Jz, jumps, initial={atoms: wf.up})
    times = np.linspace(0, 1, 9)
    samples = model.tabulated(times)
    assert all(c.function is None for c in samples.coefficients)
    assert kernel(samples) == kernel(wf.Model.from_dict(model.to_dict(times)))


def test_models_do_not_change():
    model = model_of()
    with pytest.raises(AttributeError, match="make another"):
        model.H = model.H * 2


def test_names_count_in_numbers():
    many = [wf.Spin(name=f"s{k}") for k in (10, 9, 100, 1)]
    product = many[0].sx * many[1].sx * many[2].sx * many[3].sx
    ((_, factors),) = product.terms
    assert [f.sub.name for f in factors] == ["s1", "s9", "s10", "s100"]
