"""Streaming statistics over trajectories: sums per chunk, added in order, jackknifed at the end.

NumPy alone, element by element: every operation is a correctly rounded IEEE one, so the bits of a
result depend on the order of the chunks and on nothing else, and there is nothing to compile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _check

if TYPE_CHECKING:
    from ..kernels.grid import Schedule
    from ..observables import Slot

#: Number of interleaved batches (trajectory index mod 32) behind every jackknife error.
BATCHES = 32


class Jackknife(NamedTuple):
    """Result of :meth:`Samples.jackknife`, each of shape (T, ...).

    Attributes:
        value: the function of the full means.
        sem: its standard error (real part + 1j * imaginary part for complex functions).
        corrected: the value with its bias of order 1/ntraj removed.
    """

    value: NDArray
    sem: NDArray
    corrected: NDArray


@dataclass
class Samples:
    r"""Streaming sums over trajectories for K real channels at T times.

    Chunks join by the pairwise update of Chan, Golub and LeVeque (1979),

    .. math:: \bar x = \bar x_1 + \delta\, n_2/n, \quad
              M_2 = M_{2,1} + M_{2,2} + \delta^2 n_1 n_2/n, \quad \delta = \bar x_2 - \bar x_1,

    strictly from left to right: the bits depend on the order of the chunks, not on how many of them
    came in one call.

    Attributes:
        count: trajectories that counted, (T,); a failed one stops counting from its failure on.
        mean: (T, K).
        m2: sum of squared deviations from the mean, (T, K).
        batch_count: trajectories per batch (index mod 32), (T, 32).
        batch_sum: sums per batch of the channels in ``batched``, (T, 32, Kb).
        batched: channels that derived observables need, ascending, (Kb,).
        failed: trajectories that became non-finite.
        ntraj: trajectories started.
        nets: trajectories of a batch depend on each other (guided sampling), batches do not: every
            standard error is that of the batches' means.
    """

    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    batch_count: NDArray[np.int64]
    batch_sum: NDArray[np.float64]
    batched: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    failed: int = 0
    ntraj: int = 0
    nets: bool = False

    def __post_init__(self) -> None:
        times, channels = self.mean.shape
        some = len(self.batched)
        wanted = {
            "count": (times,),
            "m2": (times, channels),
            "batch_count": (times, BATCHES),
            "batch_sum": (times, BATCHES, some),
            "batched": (some,),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                _check.fail(
                    name, f"have shape {shape}", f"an array of shape {getattr(self, name).shape}"
                )
        if some and (
            np.any(np.diff(self.batched) <= 0)
            or self.batched[0] < 0
            or self.batched[-1] >= channels
        ):
            _check.fail("batched", f"hold ascending channel numbers below {channels}", self.batched)

    @staticmethod
    def empty(times: int, channels: int, batched: NDArray[np.int64] | None = None) -> Samples:
        """No trajectories yet."""
        columns = np.empty(0, np.int64) if batched is None else np.array(batched, np.int64)
        return Samples(
            np.zeros(times, np.int64),
            np.zeros((times, channels)),
            np.zeros((times, channels)),
            np.zeros((times, BATCHES), np.int64),
            np.zeros((times, BATCHES, len(columns))),
            columns,
        )

    @staticmethod
    def of_runs(values: NDArray[np.float64], batched: NDArray[np.int64]) -> Samples:
        """Sums of kept runs: ``values`` (n, T, K), run number mod 32 is the batch."""
        n, times, _ = values.shape
        mean = values.mean(axis=0)
        m2 = ((values - mean) ** 2).sum(axis=0)
        batch_count = np.empty((times, BATCHES), np.int64)
        batch_sum = np.empty((times, BATCHES, len(batched)))
        for b in range(BATCHES):
            batch_count[:, b] = len(values[b::BATCHES])
            batch_sum[:, b] = values[b::BATCHES][:, :, batched].sum(axis=0)
        count = np.full(times, n, np.int64)
        return Samples(count, mean, m2, batch_count, batch_sum, np.asarray(batched, np.int64), 0, n)

    def at(self, rows: NDArray[np.int64]) -> Samples:
        """Those at some of the times."""
        if rows.size == self.count.size:
            return self
        names = ("count", "mean", "m2", "batch_count", "batch_sum")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def outputs(self, schedule: Schedule) -> Samples:
        """Sums at the outputs from sums at the records."""
        if not schedule.steps:
            return self
        after = np.searchsorted(schedule.nodes, schedule.times).clip(max=schedule.nodes.size - 1)
        count, groups = self.count[after], self.batch_count[after]
        square = schedule.read(self.m2 / np.maximum(self.count, 1)[:, None], 0)
        each = self.batch_sum / np.maximum(self.batch_count, 1)[:, :, None]
        return replace(
            self,
            count=count,
            mean=schedule.read(self.mean, 0),
            m2=np.maximum(square, 0.0) * count[:, None],
            batch_count=groups,
            batch_sum=schedule.read(each, 0) * groups[:, :, None],
        )

    def absorb(
        self,
        count: NDArray[np.int64],
        mean: NDArray[np.float64],
        m2: NDArray[np.float64],
        batch_sum: NDArray[np.float64],
        batch_count: NDArray[np.int64],
        ntraj: int | None = None,
    ) -> Samples:
        """Add C chunks in order, in place, and return ``self``.

        Args:
            count: (C, T).
            mean: (C, T, K); ignored where ``count`` is zero.
            m2: (C, T, K); ignored where ``count`` is zero.
            batch_sum: (C, T, 32, Kb).
            batch_count: (C, T, 32).
            ntraj: trajectories started in these chunks; None takes those that counted at the first
                time. The others, and those that count no longer at the last time, have failed.

        Raises:
            ValueError: a shape does not fit.
        """
        chunks = len(count)
        for name, new, own in (
            ("count", count, self.count),
            ("mean", mean, self.mean),
            ("m2", m2, self.m2),
            ("batch_sum", batch_sum, self.batch_sum),
            ("batch_count", batch_count, self.batch_count),
        ):
            if new.shape != (chunks, *own.shape):
                _check.fail(
                    name, f"have shape {(chunks, *own.shape)}", f"an array of shape {new.shape}"
                )
        self._chan(count, mean, m2)
        self.batch_count += batch_count.sum(0)
        if self.batched.size:
            for part in batch_sum:
                self.batch_sum += part
        started = int(count[:, 0].sum()) if ntraj is None else int(ntraj)
        self.ntraj += started
        self.failed += started - int(count[:, -1].sum())
        return self

    def _chan(
        self, count: NDArray[np.int64], mean: NDArray[np.float64], m2: NDArray[np.float64]
    ) -> None:
        total = self.count + np.cumsum(count, 0)
        before = total - count
        share = (count / np.maximum(total, 1))[:, :, None]
        weight = before[:, :, None] * share
        whole = bool(np.all(count > 0))
        delta, move = np.empty_like(self.mean), np.empty_like(self.mean)
        for c, (value, square) in enumerate(zip(mean, m2, strict=True)):
            np.subtract(value, self.mean, out=delta)
            if not whole:
                none = count[c] == 0
                delta[none] = 0.0
                square = np.where(none[:, None], 0.0, square)
            np.multiply(delta, share[c], out=move)
            self.mean += move
            delta *= delta
            delta *= weight[c]
            self.m2 += square
            self.m2 += delta
        self.count = self.count + count.sum(0)

    def merge(self, other: Samples) -> Samples:
        """Pool with the samples of other trajectories (new object; ``other`` stands to the right).

        Raises:
            ValueError: times, channels or batched channels differ.
        """
        if self.nets != other.nets:
            _check.fail("other", "be sampled alike, guided or plain", other.nets)
        if self.mean.shape != other.mean.shape or not np.array_equal(self.batched, other.batched):
            _check.fail(
                "other",
                f"hold {self.mean.shape[1]} channels at {self.mean.shape[0]} times",
                f"samples of {other.mean.shape[1]} channels at {other.mean.shape[0]} times",
            )
        out = self.copy()
        out._chan(other.count[None], other.mean[None], other.m2[None])
        out.batch_count += other.batch_count
        out.batch_sum += other.batch_sum
        out.ntraj += other.ntraj
        out.failed += other.failed
        return out

    def digest(self) -> str:
        """SHA-256 of the sums, as 64 hexadecimal digits: equal for equal bits."""
        out = hashlib.sha256(
            f"{self.mean.shape} {self.ntraj} {self.failed}{' nets' * self.nets}".encode()
        )
        for name in ("count", "mean", "m2", "batch_count", "batch_sum", "batched"):
            out.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        return out.hexdigest()

    def copy(self) -> Samples:
        """An independent copy."""
        arrays = ("count", "mean", "m2", "batch_count", "batch_sum", "batched")
        return replace(self, **{f: getattr(self, f).copy() for f in arrays})

    def average(self) -> NDArray[np.float64]:
        """The means, NaN at times when no trajectory counts, (T, K)."""
        return np.where(self.count[:, None] > 0, self.mean, np.nan)

    def std(self) -> NDArray[np.float64]:
        """Standard deviation over trajectories (n - 1 below; NaN for fewer than two), (T, K)."""
        n = self.count[:, None]
        return np.where(n > 1, np.sqrt(self.m2 / np.maximum(n - 1, 1)), np.nan)

    def sem(self) -> NDArray[np.float64]:
        """Standard error of the mean, std / sqrt(n) (of ``nets``, from batches), (T, K)."""
        if self.nets:
            return self._between()
        return self.std() / np.sqrt(np.maximum(self.count, 1))[:, None]

    def _between(self) -> NDArray[np.float64]:
        """Standard errors from the means of batches, weighted by their trajectories."""
        some = self.batch_count[:, :, None]
        n = np.maximum(some.sum(axis=1), 1)
        used = (some > 0).sum(axis=1)
        mean = self.batch_sum.sum(axis=1) / n
        off = (self.batch_sum - some * mean[:, None]) / n[:, None]
        square = (off**2).sum(axis=1) * used / np.maximum(used - 1, 1)
        return np.where(used > 1, np.sqrt(square), np.nan)

    def jackknife(
        self, function: Callable[[dict[str, NDArray]], NDArray], layout: Mapping[str, Slot]
    ) -> Jackknife:
        r"""A function of means, with its standard error from leaving out one batch at a time.

        With g non-empty batches, batch j holding :math:`m_j` of n trajectories,
        :math:`h_j = n/m_j`, theta the value from all and :math:`\theta_{-j}` the one from all but
        batch j,

        .. math:: \theta_J = g\theta - \sum_j (1 - m_j/n)\,\theta_{-j}, \quad
                  \mathrm{sem}^2 = \frac1g \sum_j
                  \frac{[h_j\theta - (h_j - 1)\theta_{-j} - \theta_J]^2}{h_j - 1},

        the delete-a-group jackknife for unequal groups (Busing, Meijer and van der Leeden 1999),
        which is Quenouille's and Tukey's for equal ones. Its error is itself known to 13 % (31
        degrees of freedom). It works from 64 trajectories up.

        Args:
            function: maps means by name, shapes (..., *shape), to values (...) or (..., V).
            layout: the slots of the operators it needs, by name; all of them in ``batched``.

        Returns:
            value, sem and bias-corrected value, each (T,) or (T, V). The error is NaN where fewer
            than two batches hold trajectories, or where a leave-one-out value is not finite.

        Raises:
            ValueError: a channel is not among the batched ones.
        """
        place = np.full(self.mean.shape[1], -1)
        place[self.batched] = np.arange(len(self.batched))
        full, less = {}, {}
        m = self.batch_count.T[:, :, None]  # (32, T, 1)
        n = m.sum(0)  # (T, 1)
        left = np.where(n > m, n - m, 1)
        average = self.average()
        for name, slot in layout.items():
            columns = place[slot.span]
            if np.any(columns < 0):
                _check.fail("layout", "name batched channels only", f"{name!r} at {slot.span}")
            local = slot._replace(span=slice(None))
            sums = np.moveaxis(self.batch_sum[:, :, columns], 1, 0)  # (32, T, k)
            full[name] = slot.read(average)
            less[name] = local.read((sums.sum(0) - sums) / left)
        value = np.asarray(function(full))
        without = np.asarray(function(less))  # (32, T, ...)
        extra = (1,) * (value.ndim - 1)
        m, n = m.reshape(m.shape[:2] + extra), n.reshape(n.shape[:1] + extra)
        used = (m > 0) & (n > m)
        groups = used.sum(0)
        enough = groups > 1
        weight = np.where(used, m, 0) / np.maximum(n, 1)
        h = 1 / np.where(used, weight, 0.5)
        with np.errstate(invalid="ignore", over="ignore"):
            # theta_J = g theta - sum_j (1 - m_j/n) theta_-j, in differences so that no digits go
            step = np.where(used, value - without, 0.0)  # theta - theta_-j
            corrected = value + np.sum((1 - weight) * step, 0)
            # pseudo-value - theta_J, again in differences
            spread = np.where(used, (h - 1) * step - (corrected - value), 0.0)
            parts = (
                spread.view(float).reshape((*spread.shape, 2))
                if np.iscomplexobj(spread)
                else spread[..., None]
            )
            variance = (
                np.sum(parts**2 / np.where(used, h - 1, 1.0)[..., None], 0)
                / np.maximum(groups, 1)[..., None]
            )
            error = np.where(enough[..., None], np.sqrt(variance), np.nan)
        sem = error[..., 0] + 1j * error[..., 1] if np.iscomplexobj(spread) else error[..., 0]
        return Jackknife(value, sem, np.where(enough, corrected, np.nan))


def fold(
    count: NDArray[np.int64],
    mean: NDArray[np.float64],
    m2: NDArray[np.float64],
    batch_sum: NDArray[np.float64],
    batch_count: NDArray[np.int64],
    batched: NDArray[np.int64] | None = None,
    ntraj: int | None = None,
) -> Samples:
    """Samples from C chunks, added strictly in order; see :meth:`Samples.absorb` for the shapes.

    ``fold(all chunks)`` and ``fold(the first).absorb(the rest)`` are equal to the bit.
    """
    if batched is None:
        batched = np.arange(batch_sum.shape[-1])
    return Samples.empty(mean.shape[1], mean.shape[2], batched).absorb(
        count, mean, m2, batch_sum, batch_count, ntraj
    )
