"""Inhomogeneous broadening: a frequency distribution binned into ensembles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check

Array = NDArray[np.float64]

MAX_BINS = 10_000_000
_SPAN = {"gaussian": 3.0, "lorentzian": 10.0, "uniform": 1.0}


def spread(
    shape: str,
    width: float,
    bins: int,
    *,
    N: int | None = None,
    center: float = 0.0,
    span: float | None = None,
    by: str = "frequency",
) -> tuple[Array, NDArray[Any]]:
    r"""A frequency distribution in bins, each of which becomes one ensemble of an array.

    The density, for detunings x from the center in units of ``width``, is
    :math:`e^{-x^2/2}/\sqrt{2\pi}` ("gaussian", width the standard deviation),
    :math:`1/(\pi(1 + x^2))` ("lorentzian", width the half width at half maximum) or 1/2 for
    :math:`|x| \le 1` ("uniform", width half the full range); it is cut at ``span`` widths.

    Args:
        shape: "gaussian", "lorentzian" or "uniform".
        width: positive, in the units of the frequencies; zero puts all into the center.
        bins: number of bins, at least 1.
        N: total number of emitters to distribute, at least ``bins`` where ``by`` is "population".
        center: center of the distribution.
        span: where it is cut, in widths: by default 3 (gaussian), 10 (lorentzian), 1 (uniform).
        by: "frequency": bins of equal width, their frequency in the middle; "population": bins of
            equal population, their frequency the median of the bin.

    Returns:
        ``(frequencies, weights)``, both of shape (bins,): the weights add up to one. With ``N``,
        ``(frequencies, numbers)``: integers that add up to N, by largest remainders; bins that
        would stay empty are left out, so the arrays can be shorter than ``bins``.

    Raises:
        ValueError: an unknown shape, a width or span that is not positive, too few emitters.

    Example:
        >>> import wignerflow as wf
        >>> omega, numbers = wf.spread("gaussian", 2.0, bins=41, N=100_000)
        >>> atoms = wf.Ensemble(numbers, name="atoms", count=len(numbers))
        >>> H = (omega * atoms.Jz).sum()
        >>> len(omega), int(numbers.sum())
        (41, 100000)
    """
    _check.one_of("shape", shape, _SPAN)
    _check.one_of("by", by, ["frequency", "population"])
    width, center = _check.real("width", width), _check.real("center", center)
    if width < 0:
        _check.fail("width", "be non-negative", width)
    _check.integer("bins", bins, 1, MAX_BINS)
    cut = _SPAN[shape] if span is None else _check.positive("span", span)
    if shape == "uniform" and cut > 1:
        _check.fail("span", "be at most 1 for a uniform distribution", span)
    if by == "frequency":
        edges = np.linspace(-cut, cut, bins + 1)
        x = (edges[1:] + edges[:-1]) / 2
        weights = np.diff(_cumulative(shape, edges))
    else:
        low, high = _cumulative(shape, np.array([-cut, cut]))
        x = _quantile(shape, low + (high - low) * (np.arange(bins) + 0.5) / bins)
        weights = np.ones(bins)
    weights = (weights + weights[::-1]) / 2
    weights /= weights.sum()
    frequencies = center + width * (x - x[::-1]) / 2
    if N is None:
        return frequencies, weights
    numbers = _apportion(weights, _check.integer("N", N, bins if by == "population" else 1))
    kept = numbers > 0
    return frequencies[kept], numbers[kept]


def _cumulative(shape: str, x: Array) -> Array:
    if shape == "gaussian":
        from scipy import special

        return np.asarray(special.ndtr(x))
    if shape == "lorentzian":
        return np.arctan(x) / np.pi + 0.5
    return np.clip((x + 1) / 2, 0, 1)


def _quantile(shape: str, p: Array) -> Array:
    if shape == "gaussian":
        from scipy import special

        return np.asarray(special.ndtri(p))
    if shape == "lorentzian":
        return np.tan(np.pi * (p - 0.5))
    return 2 * p - 1


def _apportion(weights: Array, total: int) -> NDArray[np.int64]:
    """Integers in proportion to the weights that add up to ``total``, by largest remainders."""
    share = weights * total
    out = np.floor(share).astype(np.int64)
    middle = np.abs(np.arange(weights.size) - (weights.size - 1) / 2)
    order = np.lexsort((middle, -np.round(share - out, 9)))
    out[order[: total - int(out.sum())]] += 1
    return out
