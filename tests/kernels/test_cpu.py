"""Compiled kernels: equal to NumPy lanes, to themselves however run, and to double precision."""

from __future__ import annotations

import numpy as np
import pytest

from wignerflow.kernels import rng
from wignerflow.kernels.cpu import CpuKernel
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText

from .lanes import LaneRun
from .models import chain, couplings, laser, printed, singles

NONE = np.empty(0, np.int64)
UNIFORM = '''

def normal_pair(k0, k1, trajectory, channel):
    """Uniform numbers of variance one: exact in both languages."""
    a, b = threefry(k0, k1, trajectory, channel)
    return np.float64(a) * SCALE - SHIFT, np.float64(b) * SCALE - SHIFT
'''
SCALE, SHIFT = 2 * float(np.sqrt(3.0)) / 2**32, float(np.sqrt(3.0))


def uniform_pair(k0, k1, trajectory, channel):
    """The NumPy form of UNIFORM."""
    words = rng.threefry_np(k0, k1, trajectory, channel)
    return tuple(w.astype(float) * SCALE - SHIFT for w in words)


def with_uniform_noise(text: KernelText) -> KernelText:
    """The same kernel with noise that does not depend on a logarithm's last digits."""
    right = text.module

    def module(single: bool, lanes: int) -> str:
        return right(single, lanes) + f"\nSCALE = {SCALE!r}\nSHIFT = {SHIFT!r}\n" + UNIFORM

    text.module = module  # type: ignore[method-assign]
    return text


def test_two_local_steps_share_a_pair_for_the_third_normal():
    """The first half belongs to a step of even number, the second to the odd one after it."""
    lanes, words = 4, rng.run_words(11, 0)
    drawn: dict[tuple[int, int], list[np.ndarray]] = {}

    def normal_pair(k0, k1, trajectory, channel):
        pair = rng.normal_pair_np(k0, k1, trajectory, channel)
        drawn.setdefault((int(k0), int(k1)), []).append(np.array(pair))
        return pair

    text = printed(*laser(), [0.0, 0.5])
    run = LaneRun(text, Grid.make(np.array([0.0, 0.5]), 0.5), lanes, normal_pair=normal_pair)
    steps = [rng.threefry_np(*words, n, rng.LOCAL) for n in range(6)]
    third = []
    for n, key in enumerate(steps):
        run.local(0, [*key, n % 2])
        assert len(drawn[tuple(map(int, key))]) == (2 if n % 2 == 0 else 1)
        slot = text.layout.scratch["local0_2"]
        third.append(run.s[slot * lanes : (slot + 1) * lanes].copy())
    for n, got in enumerate(third):
        pair = drawn[tuple(map(int, steps[n - n % 2]))][1]
        assert np.array_equal(got, pair[n % 2])
    # one step of the noise of four, as in pilots, from an odd one on: the sum over its root
    run.local(0, np.ravel([[*key, n % 2] for n, key in enumerate(steps)][1:5]))
    both = np.array(third[2:5])
    spare = third[5]  # what the last step before left behind
    got = run.s[slot * lanes : (slot + 1) * lanes]
    np.testing.assert_allclose(got, (spare + both.sum(axis=0)) / 2, rtol=1e-6)


TIMES = np.array([0.0, 0.1, 0.35])
CASES = {
    "laser": (laser, {}),
    "singles": (singles, {}),
    "chain": (chain, {}),
    "couplings": (couplings, {}),
}


slow = pytest.mark.slow


@pytest.mark.parametrize(
    "case",
    [
        "laser",
        "singles",
        "chain",
        pytest.param("couplings", marks=slow),
    ],
)
def test_compiled_runs_equal_numpy_lanes(case):
    make, options = CASES[case]
    tolerance = 1e-11
    text = with_uniform_noise(printed(*make(), TIMES, **options))
    grid = Grid.make(TIMES, 0.05)
    batched = np.arange(min(3, text.channels))
    kernel = CpuKernel(text, grid, single=False, batched=batched)
    n, seed, chunk = kernel.lanes, 2**40 + 3, 2
    ntraj = (chunk + 1) * n - 5  # the last five lanes do not count
    out = kernel.simulate(chunk, 1, ntraj, seed, keep=True)
    run = LaneRun(text, grid, n, normal_pair=uniform_pair)
    states = run.run(seed, t0=chunk * n)
    size = np.abs(states[-1]).max(axis=1, keepdims=True)
    assert np.all(np.abs(states[-1] - states[0]).max(axis=1) > 1e-3)
    differ = np.any(np.abs(out.final[0] - states[-1]) > tolerance * size, axis=0)
    assert differ.sum() == 0

    assert np.all(out.count == n - 5)
    last = run.observe()[:, : n - 5]
    K = text.channels
    scale = np.abs(last).max(axis=1)
    assert np.all(np.abs(out.mean[0, -1, :K] - last.mean(axis=1)) <= tolerance * scale)
    spread = ((last - last.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    assert np.all(np.abs(out.m2[0, -1, :K] - spread) <= 100 * tolerance * n * scale**2)
    batch = np.array([last[batched, j::32].sum(axis=1) for j in range(32)])
    assert np.all(np.abs(out.batch_sum[0, -1] - batch) <= tolerance * n * scale[batched])
    assert out.batch_count[0, -1].tolist() == [len(range(j, n - 5, 32)) for j in range(32)]
    clips = run.s.reshape(-1, n)[text.layout.scratch["clip"], : n - 5].sum()
    assert out.clips[0] == clips


def test_pilot_noise_of_coarse_and_fine_steps_agrees_with_lanes():
    text = with_uniform_noise(printed(*laser(), TIMES))
    grid = Grid.make(TIMES, 0.1)
    kernel = CpuKernel(text, grid, single=False, batched=NONE)
    out = kernel.simulate(0, 1, kernel.lanes, 9, keep=True, draws=(2, 2, 4))
    run = LaneRun(text, grid, kernel.lanes, normal_pair=uniform_pair)
    want = run.run(9, draws=(2, 2, 4))[-1]
    assert np.allclose(out.final[0], want, rtol=0, atol=1e-11 * np.abs(want).max())


def simulate(case, single, seed, chunks=8, **options):
    make, _ = CASES[case]
    text = printed(*make(), TIMES)
    kernel = CpuKernel(text, Grid.make(TIMES, 0.05), single=single, batched=NONE)
    return text, kernel.simulate(0, chunks, chunks * kernel.lanes, seed, **options)


@pytest.mark.parametrize("case", ["laser", pytest.param("chain", marks=slow)])
def test_single_precision_is_within_a_tenth_of_the_standard_error(case):
    """The same normals in both, so the difference is rounding alone."""
    (text, one), (_, two) = (simulate(case, single, 4) for single in (True, False))
    K = text.channels
    n = one.count[:, -1].sum()
    means = [out.mean[:, 1:, :K].mean(axis=0) for out in (one, two)]
    within = two.m2[:, 1:, :K].sum(axis=0) / n
    between = two.mean[:, 1:, :K].var(axis=0)
    sem = np.sqrt((within + between) / n)
    # far from the tenth of the error of a million trajectories, too
    assert np.all(np.abs(means[0] - means[1]) < 0.1 * sem * np.sqrt(n / 1e6))


def test_chunks_do_not_depend_on_how_they_are_called():
    _, together = simulate("laser", True, 4, keep=True)
    text = printed(*laser(), TIMES)
    kernel = CpuKernel(text, Grid.make(TIMES, 0.05), single=True, batched=NONE)
    for c in (5, 0, 7):
        alone = kernel.simulate(c, 1, 8 * kernel.lanes, 4, keep=True)
        for name in ("count", "mean", "m2", "clips", "final"):
            assert np.array_equal(getattr(alone, name)[0], getattr(together, name)[c])
