"""Streaming sums and the jackknife."""

from itertools import pairwise

import numpy as np
import pytest

from wignerflow.observables import Slot
from wignerflow.run.statistics import BATCHES, Samples, fold

rng = np.random.default_rng(20240611)


def chunked(x, size, alive=None, batched=None):
    """Per-chunk arrays of trajectories x, (n, T, K); trajectory i counts at time t < alive[i]."""
    n, times, channels = x.shape
    alive = np.full(n, times) if alive is None else alive
    batched = np.arange(channels) if batched is None else np.asarray(batched, int)
    chunks = -(-n // size)
    count = np.zeros((chunks, times), np.int64)
    mean = np.full((chunks, times, channels), np.nan)  # where nothing counts, anything may stand
    m2 = np.full((chunks, times, channels), np.nan)
    batch_count = np.zeros((chunks, times, BATCHES), np.int64)
    batch_sum = np.zeros((chunks, times, BATCHES, len(batched)))
    for c in range(chunks):
        index = np.arange(c * size, min((c + 1) * size, n))
        for t in range(times):
            own = index[alive[index] > t]
            count[c, t] = len(own)
            if len(own):
                mean[c, t] = x[own, t].mean(0)
                m2[c, t] = ((x[own, t] - mean[c, t]) ** 2).sum(0)
            np.add.at(batch_count[c, t], own % BATCHES, 1)
            np.add.at(batch_sum[c, t], own % BATCHES, x[own, t][:, batched])
    return count, mean, m2, batch_sum, batch_count


def part(arrays, a, b):
    return tuple(v[a:b] for v in arrays)


def same_bits(a, b):
    names = ("count", "mean", "m2", "batch_count", "batch_sum", "batched")
    return all(getattr(a, k).tobytes() == getattr(b, k).tobytes() for k in names) and (
        a.failed,
        a.ntraj,
    ) == (
        b.failed,
        b.ntraj,
    )


@pytest.fixture(scope="module")
def data():
    x = rng.normal(size=(1000, 4, 3)) * [1, 1e-3, 50] + [0, 1e3, -7]
    alive = np.full(1000, 4)
    alive[[5, 400, 401, 999]] = [1, 3, 2, 3]
    alive[64:96] = 2  # a whole chunk of 32 lost
    return x, alive


def test_chunks_equal_one_shot(data):
    x, alive = data
    s = fold(*chunked(x, 32, alive))
    for t in range(4):
        own = x[alive > t, t]
        assert s.count[t] == len(own)
        np.testing.assert_allclose(s.mean[t], own.mean(0), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(s.std()[t], own.std(0, ddof=1), rtol=1e-10)
        np.testing.assert_allclose(s.sem()[t], own.std(0, ddof=1) / np.sqrt(len(own)), rtol=1e-10)
        np.testing.assert_allclose(s.batch_sum[t].sum(0), own.sum(0), rtol=1e-10)
    assert (s.ntraj, s.failed) == (1000, 36)


def test_the_naive_formula_would_fail_this():
    """Negative control: sums of squares lose what the pairwise update keeps."""
    x = 1e8 + rng.normal(size=(2000, 1, 1))
    s = fold(*chunked(x, 100))
    true = x.std(ddof=1)
    assert abs(s.std()[0, 0] / true - 1) < 1e-7
    naive = np.sqrt(np.abs((x**2).mean() - x.mean() ** 2))
    assert abs(naive / true - 1) > 1e-3


def test_grouping_of_chunks_changes_no_bit(data):
    x, alive = data
    arrays = chunked(x, 32, alive, batched=[0, 2])
    whole = fold(*arrays, batched=np.array([0, 2]))
    for cuts in ([1], [7, 8, 20], list(range(1, 32))):
        edges = [0, *cuts, 32]
        s = Samples.empty(4, 3, np.array([0, 2]))
        for a, b in pairwise(edges):
            s.absorb(*part(arrays, a, b))
        assert same_bits(s, whole)
    turned = fold(*(v[::-1] for v in arrays), batched=np.array([0, 2]))
    assert not same_bits(turned, whole)  # the order does matter, so the test can tell


def test_merge(data):
    x, alive = data
    arrays = chunked(x, 32, alive)
    a, b, whole = fold(*part(arrays, 0, 13)), fold(*part(arrays, 13, 32)), fold(*arrays)
    before = a.mean.copy()
    both = a.merge(b)
    assert np.array_equal(a.mean, before)
    assert same_bits(both, a.merge(b))
    np.testing.assert_allclose(both.mean, whole.mean, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(both.m2, whole.m2, rtol=1e-10)
    assert (both.ntraj, both.failed) == (whole.ntraj, whole.failed)
    np.testing.assert_array_equal(both.batch_count, whole.batch_count)
    assert same_bits(a.merge(Samples.empty(4, 3, np.arange(3))), a)
    with pytest.raises(ValueError, match="3 channels at 4 times"):
        a.merge(Samples.empty(3, 3, np.arange(3)))


def test_times_without_trajectories():
    x = rng.normal(size=(3, 2, 1))
    s = fold(*chunked(x, 2, np.array([1, 1, 2])))
    assert s.count.tolist() == [3, 1]
    assert np.isfinite(s.sem()[0]).all() and np.isnan(s.sem()[1]).all()
    empty = Samples.empty(2, 1)
    assert np.isnan(empty.average()).all() and np.isnan(empty.std()).all()


def test_a_single_trajectory_is_its_own_average():
    x = rng.normal(size=(1, 3, 2))
    assert np.array_equal(fold(*chunked(x, 1)).average(), x[0])


def test_a_trajectory_that_fails_at_once_is_counted():
    x = rng.normal(size=(10, 2, 1))
    s = fold(*chunked(x, 5, np.array([0] + [2] * 9)), ntraj=10)
    assert (s.ntraj, s.failed) == (10, 1)


def test_shapes_are_checked(data):
    arrays = list(chunked(data[0], 500))
    arrays[2] = arrays[2][:, :, :2]
    with pytest.raises(ValueError, match="`m2` must have shape"):
        fold(*arrays)
    with pytest.raises(ValueError, match="`batched` must hold ascending"):
        Samples.empty(2, 3, np.array([1, 3]))
    with pytest.raises(ValueError, match="`batched` must hold ascending"):
        Samples.empty(2, 3, np.array([1, 1]))


def test_slots():
    channels = np.arange(12.0).reshape(2, 6)
    assert Slot(slice(1, 2), (), False).read(channels).tolist() == [1, 7]
    assert Slot(slice(0, 2), (), True).read(channels).tolist() == [1j, 6 + 7j]
    two = Slot(slice(2, 6), (2,), True).read(channels)
    assert two.tolist() == [[2 + 4j, 3 + 5j], [8 + 10j, 9 + 11j]]
    assert Slot(slice(3, 6), (3,), False).read(channels).shape == (2, 3)


# ---------------------------------------------------------------- jackknife

ONE = Slot(slice(0, 1), (), False)
TWO = Slot(slice(1, 2), (), False)


def repeated(make, n, repeats=400, size=32):
    """Samples whose T times are independent repetitions of one experiment: x of shape (n, T, K)."""
    return fold(*chunked(make(n, repeats), size))


def test_jackknife_of_a_mean_is_the_standard_error():
    s = repeated(
        lambda n, r: rng.normal(size=(n, r, 1)), 32
    )  # one trajectory per batch: exactly equal
    out = s.jackknife(lambda m: m["x"], {"x": ONE})
    np.testing.assert_allclose(out.sem, s.sem()[:, 0], rtol=1e-10)
    np.testing.assert_allclose(out.corrected, out.value, rtol=1e-10, atol=1e-12)
    for n in (64, 100, 1000):  # otherwise equal in the mean over repetitions
        s = repeated(lambda n, r: rng.normal(size=(n, r, 1)), n)
        out = s.jackknife(lambda m: m["x"], {"x": ONE})
        assert np.mean(out.sem**2 * n) == pytest.approx(1, abs=4 * np.sqrt(2 / 31 / 400))


@pytest.mark.parametrize("n", [64, 97, 640])
def test_jackknife_of_a_square(n):
    """<x>^2 for x ~ N(1, 1): bias 1/n, standard deviation sqrt(4/n + 2/n^2)."""
    s = repeated(lambda n, r: 1 + rng.normal(size=(n, r, 1)), n)
    out = s.jackknife(lambda m: m["x"] ** 2, {"x": ONE})
    spread = np.sqrt(4 / n + 2 / n**2)
    assert np.std(out.value) == pytest.approx(spread, rel=4 / np.sqrt(800))
    assert np.sqrt(np.mean(out.sem**2)) == pytest.approx(spread, rel=0.08)
    # the correction is exact: bias of the square of a mean is of order 1/n alone
    np.testing.assert_allclose(np.mean(out.value - out.corrected), 1 / n, rtol=0.1)
    z = (out.corrected - 1) / out.sem
    assert np.std(z) == pytest.approx(np.sqrt(31 / 29), abs=0.15)


@pytest.mark.parametrize("n", [64, 200])
def test_jackknife_of_a_ratio(n):
    """a/b of correlated numbers, against the delta method; treating them as independent fails."""

    def make(n, r):
        b = 4 + rng.normal(size=(n, r))
        return np.stack([0.5 * b + 0.1 * rng.normal(size=(n, r)), b], -1)

    out = repeated(make, n).jackknife(lambda m: m["a"] / m["b"], {"a": ONE, "b": TWO})
    delta = 0.1 / 4 / np.sqrt(n)
    assert np.sqrt(np.mean(out.sem**2)) == pytest.approx(delta, rel=0.08)
    independent = 0.5 * np.sqrt((0.26 / 4) + 1 / 16) / np.sqrt(n)
    assert independent > 2 * delta
    assert np.std((out.value - 0.5) / out.sem) == pytest.approx(1, abs=0.15)


def test_jackknife_of_complex_and_array_valued_functions():
    x = rng.normal(size=(256, 3, 6))
    s = fold(*chunked(x, 32))
    layout = {"z": Slot(slice(0, 2), (), True), "v": Slot(slice(2, 6), (2,), True)}
    out = s.jackknife(lambda m: m["z"][..., None] * m["v"], layout)
    assert out.value.shape == out.sem.shape == out.corrected.shape == (3, 2)
    real = s.jackknife(lambda m: (m["z"][..., None] * m["v"]).real, layout)
    imag = s.jackknife(lambda m: (m["z"][..., None] * m["v"]).imag, layout)
    np.testing.assert_allclose(out.sem, real.sem + 1j * imag.sem)
    np.testing.assert_allclose(
        out.value,
        x[..., 0].mean(0)[:, None] * x[..., 2:4].mean(0)
        - x[..., 1].mean(0)[:, None] * x[..., 4:].mean(0)
        + 1j
        * (
            x[..., 0].mean(0)[:, None] * x[..., 4:].mean(0)
            + x[..., 1].mean(0)[:, None] * x[..., 2:4].mean(0)
        ),
    )


def test_jackknife_says_nothing_where_nothing_can_be_said():
    x = rng.normal(size=(40, 3, 1))
    alive = np.full(40, 3)
    alive[1:] = 2
    alive[20:] = 1
    s = fold(*chunked(x, 8, alive))
    out = s.jackknife(lambda m: m["x"], {"x": ONE})
    assert np.isfinite(out.sem[:2]).all() and np.isnan(out.sem[2])
    with np.errstate(divide="ignore"):
        infinite = s.jackknife(lambda m: 1 / (m["x"] * 0), {"x": ONE})
    assert np.isnan(infinite.sem).all()
    with pytest.raises(ValueError, match="batched channels only"):
        fold(*chunked(x, 8, batched=[]), batched=np.array([], int)).jackknife(
            lambda m: m["x"], {"x": ONE}
        )
