"""Trajectories that become non-finite are counted and left out from then on."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.cpu import CpuKernel
from wignerflow.kernels.grid import Grid
from wignerflow.run.statistics import Samples

from .lanes import LaneRun
from .models import laser, printed

TIMES = np.linspace(0, 0.2, 5)


def spoilt(when: int, lanes: dict[int, str]):
    """The laser's kernel with numbers put into some trajectories before output ``when``."""
    text = printed(*laser(), TIMES)
    right = text.module

    def module(single, width):
        source = right(single, width)
        call = "            observe(v, s, w, p, o, c, i, count"
        assert source.count(call) == 1
        bad = f"            if i == {when}:\n                for l in range(LN):\n"
        for lane, value in lanes.items():
            now = f"F({value}) if t0 + l == {lane} else v[LN + l]"
            bad += f"                    v[LN + l] = {now}\n"
        return source.replace(call, bad + call)

    text.module = module
    return text


@pytest.mark.parametrize("single", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_failed_trajectories_are_left_out_from_their_failure_on(single):
    lost, seed = {3: "np.nan", 128: "np.inf", 200: "-np.inf"}, 6
    text = spoilt(2, lost)
    grid = Grid.make(TIMES, 0.05)
    batched = np.arange(text.channels)
    kernel = CpuKernel(text, grid, single=single, batched=batched)
    out = kernel.simulate(0, 2, 2 * kernel.lanes, seed, keep=True)
    assert out.count.tolist() == [[128, 128, 127, 127, 127], [128, 128, 126, 126, 126]]
    assert not np.any(np.isfinite(out.final[1][1, [0, 72]]))
    for a in (out.mean, out.m2, out.batch_sum):
        assert np.all(np.isfinite(a))
    assert out.batch_count[0, :, 3].tolist() == [4, 4, 3, 3, 3]
    assert out.batch_count[1, :, 0].tolist() == [4, 4, 3, 3, 3]
    samples = Samples.empty(5, text.channels, batched)
    K = text.channels
    samples.absorb(out.count, out.mean[:, :, :K], out.m2[:, :, :K], out.batch_sum, out.batch_count)
    assert (samples.ntraj, samples.failed) == (256, 3)
    # the mean of the others
    run = LaneRun(printed(*laser(), TIMES), grid, 256)
    run.run(seed)
    kept = np.setdiff1d(np.arange(256), list(lost))
    want = run.observe()[:, kept]
    got = samples.average()[-1]
    assert np.allclose(got, want.mean(axis=1), rtol=1e-3, atol=1e-3)
    assert np.allclose(samples.std()[-1], want.std(axis=1, ddof=1), rtol=1e-3)


def explosive():
    """A squeezed mode beyond threshold: it grows until single precision overflows."""
    mode = wf.Mode(name="mode")
    H = 1j * (mode.adag * mode.adag - mode.a * mode.a) * 4
    return wf.Model(H, [wf.Jump(mode.a, 0.1)], initial={mode: wf.vacuum}), mode


def test_a_run_that_loses_every_trajectory_raises_with_its_result():
    model, mode = explosive()
    with pytest.warns(UserWarning, match="non-finite"), pytest.raises(RuntimeError) as caught:
        wf.solve(
            model, [0, 0.1, 12], e_ops={"n": mode.n}, ntraj=200, seed=1, dt=0.05, progress=False
        )
    assert "200 of 200 trajectories became non-finite" in str(caught.value)
    result = caught.value.result
    assert result.stats["failed"] == 200
    assert np.isfinite(result.expect["n"][1]) and np.isnan(result.expect["n"][2])


def test_a_mean_field_that_diverges_is_an_error():
    """Parametric gain without saturation; trajectories of the same would fail too."""
    mode = wf.Mode(name="mode")
    gain = 200j * (mode.adag * mode.adag - mode.a * mode.a)
    model = wf.Model(gain, [wf.Jump(mode.a, 0.1)], initial={mode: wf.coherent(1)})
    with pytest.raises(wf.FailedTrajectories, match="solution became non-finite") as caught:
        wf.solve(model, [0, 0.001, 5.0], e_ops={"n": mode.n}, method="mean-field", progress=False)
    n = caught.value.result.expect["n"]
    assert n[1] == pytest.approx(np.exp(0.8 - 0.0001), rel=1e-4) and np.isnan(n[2])
