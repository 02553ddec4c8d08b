"""Steps of runs with delayed links: pairs of runs have the same noise, and errors are stated."""

import importlib

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.module import KernelText
from wignerflow.run.driver import Prepared

from ..few import few

EVEN = np.linspace(0, 3, 13)
UNEVEN = np.sort(np.append(EVEN[:-1], [0.41, 1.3, 2.9]))


def line(delays):
    modes = wf.Mode(name="modes", count=3)
    made = wf.Line(modes, delays=delays, rate_up=0.7, rate_down=0.3, phases=[0.4, 1.1])
    initial = {modes: [wf.coherent(1.0), wf.coherent(0.5j), wf.vacuum]}
    return modes, made, wf.Model(jumps=made.jumps, links=made.links, initial=initial)


#: Of delays that some step divides, and of others.
ROUND, ODD = (0.3, 0.15), (0.3137, 0.1713)


@pytest.mark.parametrize(
    ("delays", "times"),
    few([(ROUND, UNEVEN), (ODD, EVEN), (ROUND, EVEN), (ODD, UNEVEN)], 2),
    ids=["round-uneven", "odd-even", "round-even", "odd-uneven"],
)
def test_the_error_without_noise_is_stated(delays, times):
    """It bounds the difference to far shorter steps, and is no more than some times that."""
    modes, _, model = line(delays)
    kw = {"e_ops": {"a": modes.a}, "method": "mean-field", "progress": False}
    found = wf.solve(model, times, **kw)
    assert "by a pilot" in found.stats["step_choice"]
    right = wf.solve(model, times, dt=found.dt / 8, **kw)
    off, stated = np.abs(found.expect["a"] - right.expect["a"]), found.step_error["a"]
    assert np.all(off <= 1.01 * stated + 1e-9)
    assert 0 < stated.max() < 4 * off.max()
    assert np.isnan(right.step_error["a"]).all()


@pytest.mark.parametrize("delays", few([(ODD,), (ROUND,)]))
def test_both_runs_of_a_pair_have_the_same_noise(delays, monkeypatch):
    """The vacuum at ports, and what comes out of lines before light has crossed them."""
    modes, _, model = line(delays)

    def error():
        kw = {"ntraj": 64, "seed": 1, "progress": False, "truncation": False}
        return wf.solve(model, EVEN, e_ops={"a": modes.a}, **kw).stats["step_difference_sem"]

    same = error()
    alone = ((1, 1, 1), (1, 1, 1))  # noise of the coarse run that is no sum of the fine one's
    monkeypatch.setattr(
        KernelText, "pilot_draws", property(lambda text: alone, lambda *_: None), raising=False
    )
    assert same < error() / 2.5


def test_photons_behind_delays_state_the_error_of_the_step(monkeypatch):
    """Bursts of two ensembles: steps that are far too long are seen."""
    module = importlib.import_module("wignerflow.analysis.photon_runs")
    atoms = wf.Ensemble(50, name="atoms", count=2)
    made = wf.Line(atoms, delays=0.02, rate=1.0)
    model = wf.Model(jumps=made.jumps, links=made.links, initial={atoms: wf.up})
    kw = {"bins": 0.02 * np.arange(7), "ntraj": 16384, "seed": 1, "g1": False, "g2": False}
    right = wf.photons(model, made.outputs[1], dt=0.00125, **kw).flux()
    assert np.isnan(right.step_error).all()
    monkeypatch.setattr(module, "prepare", lambda *a: Prepared(0.02))
    light = wf.photons(model, made.outputs[1], **kw)
    assert light.dt == 0.02 and light.stats["step_error"].startswith("half the step")
    found = light.flux()
    off, sem = np.abs(found.value - right.value), np.hypot(found.sem, right.sem)
    assert (off > 6 * sem).any()  # it is the step, and much of it
    assert (off < found.step_error + 4 * sem).all()
    assert found.step_error.max() < 4 * off.max()


def test_a_run_goes_on_with_the_step_it_came_with():
    modes, _, model = line((0.3137, 0.1713))
    kw = {"e_ops": {"n": modes.n}, "ntraj": 64, "progress": False}
    first = wf.solve(model, EVEN, keep="final", seed=1, **kw)
    later = wf.solve(model, EVEN, start=first, seed=2, **kw)
    assert first.dt == later.dt and first.dt > 0
    np.testing.assert_allclose(later.expect["n"][0], first.expect["n"][-1], rtol=1e-5)


def test_checkpoints_hold_outputs_on_steps(tmp_path):
    """Even outputs go on as one run; uneven ones lie between steps, which is said before any."""
    modes, _, model = line((0.3137, 0.1713))
    path = tmp_path / "run.wf"
    kw = {"e_ops": {"n": modes.n}, "seed": 1, "progress": False}
    with pytest.raises(ValueError, match="`tlist` must be evenly spaced for a checkpoint"):
        wf.solve(model, UNEVEN, checkpoint=path, ntraj=64, **kw)
    wf.solve(model, EVEN, checkpoint=path, ntraj=64, **kw)
    more = wf.solve(model, EVEN, checkpoint=path, ntraj=128, **kw)
    whole = wf.solve(model, EVEN, ntraj=128, **kw)
    assert more.dt == whole.dt
    np.testing.assert_array_equal(more.expect["n"], whole.expect["n"])
    np.testing.assert_array_equal(more.step_error["n"], whole.step_error["n"])
