"""Random numbers: the generator by its definition, distribution of normals, independence."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

import wignerflow as wf
from wignerflow.kernels import rng
from wignerflow.kernels.cpu import CpuKernel
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.text import Draws, Parameters

from .compiled import compiled
from .lanes import LaneRun

MASK = 0xFFFFFFFF


def threefry_by_definition(key: tuple[int, int], counter: tuple[int, int], rounds: int):
    """Threefry-2x32 of Salmon et al. (SC'11), section 4.2, in plain integers.

    A round adds, rotates and mixes; before the first and after every fourth round the next two
    words of the extended key are added, and the number of additions so far to the last word.
    """
    rotations = (13, 15, 26, 6, 17, 29, 16, 24)
    extended = [*key, 0x1BD11BDA ^ key[0] ^ key[1]]
    x, y = ((c + k) & MASK for c, k in zip(counter, key, strict=True))
    for r in range(rounds):
        x = (x + y) & MASK
        n = rotations[r % 8]
        y = ((y << n) | (y >> (32 - n))) & MASK
        y ^= x
        if r % 4 == 3:
            s = r // 4 + 1
            x = (x + extended[s % 3]) & MASK
            y = (y + extended[(s + 1) % 3] + s) & MASK
    return x, y


PAIRS = """
def run(k0: "u32[]", k1: "u32[]", a: "u32[]", b: "u32[]", x: "TYPE[]", y: "TYPE[]"):
    for r in range(a.size // LN):
        i = r * LN
        for l in range(LN):
            x[i + l], y[i + l] = FUNCTION(k0[i + l], k1[i + l], a[i + l], b[i + l])
"""


def pairs(function: str, kind: type, *arguments) -> np.ndarray:
    """What a compiled function makes of arrays of keys and counters: (n, 2)."""
    words = np.broadcast_arrays(*(np.asarray(a).astype(np.uint32) for a in arguments))
    n = words[0].size
    padded = [np.resize(w, -(-n // 32) * 32) for w in words]
    out = [np.empty(padded[0].size, kind) for _ in range(2)]
    name = "u32" if kind is np.uint32 else "f32"
    compiled(PAIRS.replace("TYPE", name).replace("FUNCTION", function))([*padded, *out])
    return np.stack(out, axis=-1)[:n]


def normals(seed: int, trajectories, channels) -> np.ndarray:
    """Compiled normals, (n, 2)."""
    return pairs("normal_pair", np.float32, *rng.seed_words(seed), trajectories, channels)


# The published vectors of the generator (Random123), for 20 rounds.
PUBLISHED = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((MASK, MASK), (MASK, MASK), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("key", "counter", "out"), PUBLISHED)
def test_the_definition_gives_the_published_vectors(key, counter, out):
    assert threefry_by_definition(key, counter, 20) == out


def test_both_implementations_follow_the_definition_with_twelve_rounds():
    words = np.random.default_rng(0).integers(0, 2**32, size=(4, 500), dtype=np.uint32)
    words[:, :3] = [[0, MASK, 0x13198A2E], [0, MASK, 0x03707344], [0, MASK, 5], [0, MASK, 6]]
    made = pairs("threefry", np.uint32, *words)
    for i, (k0, k1, c0, c1) in enumerate(words.T.tolist()):
        want = threefry_by_definition((k0, k1), (c0, c1), 12)
        assert tuple(made[i]) == want
        twin = rng.threefry_np(k0, k1, c0, c1)
        assert (int(twin[0]), int(twin[1])) == want


def test_the_twin_broadcasts_over_lanes():
    t = np.arange(7, dtype=np.uint32)
    out = rng.threefry_np(np.uint32(3), np.uint32(4), t, np.uint32(9))
    assert [threefry_by_definition((3, 4), (k, 9), 12) for k in range(7)] == list(
        zip(*(x.tolist() for x in out), strict=True)
    )


def test_seed_words():
    assert rng.seed_words(2**63 + 5) == (5, 2**31)
    assert rng.seed_words(2**64 - 1) == (MASK, MASK)


# ---------------------------------------------------------------------------- normals


def by_definition(b0: int, b1: int) -> tuple[float, float]:
    """Box-Muller from two words: 31 bits of radius, 31 of angle, one of sign."""
    r = math.sqrt(-2 * math.log(((b0 >> 1) + 0.5) / 2**31))
    signed = (b1 << 1) & MASK
    angle = math.pi / 2 * (signed - 2**32 if signed >= 2**31 else signed) / 2**31
    sign = -1 if b1 >> 31 else 1
    return sign * r * math.cos(angle), sign * r * math.sin(angle)


def test_normals_follow_their_definition():
    t = np.arange(2000)
    got = normals(11, t, 3)
    k0, k1 = (int(k) for k in rng.seed_words(11))
    want = np.array([by_definition(*threefry_by_definition((k0, k1), (int(k), 3), 12)) for k in t])
    assert np.abs(got - want).max() < 2e-6
    twin = np.array(rng.normal_pair_np(*rng.seed_words(11), t.astype(np.uint32), np.uint32(3))).T
    assert np.abs(twin - want).max() < 1e-12


RADIUS = """
def run(bits: "u32[]", out: "f32[]"):
    for r in range(bits.size // LN):
        i = r * LN
        for l in range(LN):
            out[i + l] = minus_log(bits[i + l])
"""


def test_the_logarithm_is_right_up_to_the_ends():
    ends = np.array([0, 1, 2, 3, MASK, MASK - 1, MASK - 2, 2**31, 2**31 - 1], np.uint32)
    some = np.random.default_rng(1).integers(0, 2**32, size=100_000, dtype=np.uint32)
    powers = (2 ** np.arange(32, dtype=np.uint64)).astype(np.uint32)
    bits = np.concatenate([ends, some, powers, powers - np.uint32(1)])
    bits = np.resize(bits, -(-bits.size // 32) * 32)
    out = np.empty(bits.size, np.float32)
    compiled(RADIUS)([bits, out])
    exact = -np.log(((bits >> 1).astype(float) + 0.5) / 2**31)
    assert np.all(np.isfinite(out)) and np.all(out >= 0)
    # the argument itself is rounded to single precision: 6e-8 beside 1
    assert np.all(np.abs(out - exact) < 1e-6 * exact + 1.2e-7)


COUNT = 400_000


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    return normals(2024, np.arange(COUNT), 0).astype(float)


def test_moments_of_the_normals(sample):
    want = {1: 0, 2: 1, 3: 0, 4: 3, 5: 0, 6: 15}
    for x in (sample[:, 0], sample[:, 1], sample.sum(1) / np.sqrt(2)):
        for k, m in want.items():
            z = (np.mean(x**k) - m) / (np.std(x**k) / np.sqrt(COUNT))
            assert abs(z) < 4


def test_distribution_of_the_normals(sample):
    for x in (*sample.T, sample.sum(1) / np.sqrt(2), (sample[:, 0] - sample[:, 1]) / np.sqrt(2)):
        assert stats.kstest(x, "norm").pvalue > 1e-3
    # tails, by counts beyond 3, 4 and 4.5 deviations
    for edge in (3, 4, 4.5):
        want = 2 * COUNT * 2 * stats.norm.sf(edge)
        assert abs(np.sum(np.abs(sample) > edge) - want) < 4 * np.sqrt(want)
    assert (
        stats.kstest(np.arctan2(sample[:, 1], sample[:, 0]) / (2 * np.pi) + 0.5, "uniform").pvalue
        > 1e-3
    )
    assert stats.kstest(np.sum(sample**2, 1) / 2, "expon").pvalue > 1e-3


def test_the_check_sees_a_small_error_of_scale(sample):
    x = 1.005 * sample[:, 0]
    assert abs((np.mean(x**2) - 1) / (np.std(x**2) / np.sqrt(COUNT))) > 4


def test_streams_are_independent():
    """Neighbouring trajectories, channels, steps, purposes and seeds: correlations of x and x^2."""
    n = 50_000
    t = np.arange(n)
    streams = []
    for seed in (0, 1, 2**32):
        words = rng.seed_words(seed)
        for purpose in (rng.INITIAL, rng.DYNAMICS, rng.LOCAL):
            for step in (0, 1):
                k0, k1 = (int(k) for k in rng.threefry_np(*words, step, purpose))
                for pair in (0, 1):
                    streams += list(normals(k0 + (k1 << 32), t, pair).T)
    first = streams[0]
    streams += [np.roll(first, lag) for lag in (1, 2, 32, 128)]
    x = np.array(streams, float)
    for values in (x, x**2, np.abs(x), np.concatenate([x[:20] ** 2, x[20:] ** 3])):
        c = np.corrcoef(values) * np.sqrt(n)
        off = c[np.triu_indices(len(c), 1)]
        assert np.abs(off).max() < stats.norm.isf(1e-4 / off.size)
        # and as a whole: the sum of squares is chi-squared
        assert stats.chi2.sf(np.sum(off**2), off.size) > 1e-4


FROZEN_KEY = [3168497945, 2741597393]
FROZEN_NORMALS = [[-0.8690906, -0.7032154], [1.3800555, -0.2308014], [0.546473, -2.9448392]]


def test_the_numbers_are_frozen():
    """A change here is a change of the file format: every seed would give another result."""
    words = rng.threefry_np(*rng.seed_words(7), 5, rng.LOCAL)
    assert [int(w) for w in words] == FROZEN_KEY
    got = normals(2024, [0, 1, 2**31], [0, 5, 2**20])
    assert np.allclose(got, FROZEN_NORMALS, rtol=0, atol=1e-6)


# ---------------------------------------------------------------------------- three-point numbers


def test_three_point_numbers_equal_their_twin_and_have_the_moments():
    n = 200_000
    t, c = (x.astype(np.uint32).ravel() for x in np.divmod(np.arange(2 * n), 2))
    c += np.uint32(6)
    k0, k1 = rng.seed_words(11)
    out = pairs("three_point_pair", np.float32, k0, k1, t, c)
    assert np.array_equal(out, np.stack(rng.three_point_pair_np(k0, k1, t, c), axis=-1))
    assert set(np.unique(np.abs(out))) == {0, np.float32(np.sqrt(3))}
    numbers = out.reshape(n, 4).astype(float)  # pairs 6 and 7, from one draw
    moments = {1: 0, 2: 1, 3: 0, 4: 3, 5: 0}
    scores = []
    for k, want in moments.items():
        powers = numbers**k
        scores += list((powers.mean(axis=0) - want) / (powers.std(axis=0) / np.sqrt(n)))
    for a in range(4):
        for b in range(a):
            for f in (lambda x: x, lambda x: x * x - 1):
                product = f(numbers[:, a]) * f(numbers[:, b])
                scores.append(product.mean() / (product.std() / np.sqrt(n)))
    assert np.abs(scores).max() < stats.norm.isf(5e-4 / len(scores))


# ---------------------------------------------------------------------------- keys by name


def noisy(method, *, before=False, after=False):
    """Drawn states of a chain's run, alone or beside others; a drive that does not couple them."""
    others = [wf.Ensemble(30, name="aaa"), wf.Mode(name="zzz"), wf.Ensemble(7, name="m", count=3)]
    chain = wf.Ensemble(20, name="chain", count=4)
    cavity = wf.Mode(name="cavity")
    initial = {chain: wf.bloch(0.4, 0.3), cavity: wf.thermal(0.5)}
    jumps = [
        wf.Jump(chain.Jm.sum(), 0.01),
        wf.Jump(chain.Jm, 0.02),
        wf.LocalJump(chain.sp, 0.3),
        wf.Jump(cavity.a, 0.7),
    ]
    more = {others[0]: wf.up, others[1]: wf.thermal(1.0), others[2]: wf.down}
    extra = [
        wf.Jump(others[0].Jm, 0.1),
        wf.Jump(others[1].a, 0.2),
        wf.LocalJump(others[2].sm, 0.5),
        wf.Jump(others[2].Jz, 0.1),
    ]
    if before:
        initial, jumps = {**more, **initial}, extra + jumps
    if after:
        initial, jumps = {**initial, **more}, jumps + extra
    H = chain.Jx.sum() + 0.2 * cavity.n
    model = wf.Model(H, jumps, initial=initial)
    system, _ = method.lower(model, {}, np.array([0.0, 0.2]))
    text = KernelText(system, [])
    states = LaneRun(text, Grid.make(np.array([0.0, 0.2]), 0.1), 8).run(7, t0=32)
    out = {}
    for k, block in enumerate(system.blocks):
        first = text.layout.slot[k]
        out[block.name] = states[:, first : first + block.components * block.size]
    return out


@pytest.mark.parametrize(
    "method",
    [wf.TWA(), wf.TWA(form="rotor"), wf.TWA(noise="three-point"), wf.TWA(scheme="small-noise")],
    ids=["splitting", "rotor", "three-point", "small-noise"],
)
def test_other_subsystems_leave_noise_as_it_is(method):
    alone = noisy(method)
    for others in ({"before": True}, {"after": True}):
        beside = noisy(method, **others)
        assert len(beside) == 5
        for name, states in alone.items():
            # the order of sums may differ, the noise may not
            np.testing.assert_allclose(beside[name], states, rtol=0, atol=1e-11)
            assert np.ptp(states[-1], axis=1).min() > 0.01


def test_ranges_of_names_that_collide_are_moved_apart():
    parameters = Parameters()
    draws = Draws(parameters)
    size = 2**30
    places = [draws.first(1, name, size) for name in "abc"]
    draws.first(2, "a", size)  # another purpose has numbers of its own
    draws.settle()
    begins = sorted(parameters.integers[int(place[2:-1])] for place in places)
    assert all(b - a >= size for a, b in itertools.pairwise(begins))
    assert begins[-1] + size <= 2**32
    with pytest.raises(ValueError, match="Two draws"):
        draws.first(1, "a", 3)


def test_high_words_of_trajectories_count():
    """Trajectories 0 and 2^32 differ, from the initial state on, on both kinds of lanes."""
    atoms = wf.Ensemble(40, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 0.1), wf.LocalJump(atoms.sp, 0.5)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.bloch(0.4, 0.0)})
    system, _ = wf.TWA().lower(model, {}, np.array([0.0, 0.2]))
    grid = Grid.make(np.array([0.0, 0.2]), 0.1)
    kernel = CpuKernel(KernelText(system, []), grid, single=False, batched=np.zeros(0, int))
    n, seen = kernel.lanes, []
    for start in (0, 2**31, 2**32, 2**62, 2**62 + 2**33):
        out = kernel.simulate(start // n, 1, 2**63 - 1, 5, keep=True)
        lanes = LaneRun(KernelText(system, []), grid, n).run(5, t0=start)
        np.testing.assert_allclose(out.final[0], lanes[-1], rtol=1e-5, atol=1e-4)
        seen.append(lanes)
    for a, b in itertools.combinations(seen, 2):
        for states in (slice(0, 1), slice(1, None)):
            assert np.abs(a[states] - b[states]).max() > 1
            c = np.corrcoef(a[states].ravel(), b[states].ravel())[0, 1]
            # a common mean correlates them: what is left of it must not be one
            assert c < 0.999
