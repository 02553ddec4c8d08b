r"""Compiled runs of wave functions: Taylor steps between jumps, whose times are roots of the norm.

Between jumps :math:`\dot\psi = \sum_f f(t) K_f \psi`. On a step of length h inside a piece on which
every f is a polynomial, with u in [0, 1] the fraction of it,

.. math:: (n + 1)\,\psi_{n+1} = h\sum_f K_f\sum_{m \le n} f_m\psi_{n-m},
          \qquad \psi(u) = \sum_n\psi_n u^n.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .rng import key, uniform

_TERMS = 60
_REACH = 4.0  # h times the norm of K: rounding is amplified by at most e^4


@njit(cache=True, nogil=True)
def _apply(indptr, indices, data, begin, end, offset, x, out):  # type: ignore[no-untyped-def]
    """Rows begin … end of a matrix times x, which lives at columns offset …"""
    for i in range(begin, end):
        total = 0j
        for k in range(indptr[i], indptr[i + 1]):
            total += data[k] * x[indices[k] - offset]
        out[i - begin] = total


@njit(cache=True, nogil=True)
def _norm2(x, d):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(d):
        total += x[i].real ** 2 + x[i].imag ** 2
    return total


@njit(cache=True, nogil=True)
def _evaluate(terms, count, d, x, out):  # type: ignore[no-untyped-def]
    """The state at the fraction x of a step, by Horner's rule."""
    for i in range(d):
        out[i] = terms[count - 1, i]
    for k in range(count - 2, -1, -1):
        for i in range(d):
            out[i] = out[i] * x + terms[k, i]


@njit(cache=True, nogil=True)
def _shifted(c, degree, x0, width, out):  # type: ignore[no-untyped-def]
    """Coefficients in u of polynomials in x = x0 + width u."""
    for f in range(c.shape[0]):
        for m in range(degree[f] + 1):
            total, factor = 0j, 1.0
            for k in range(m, degree[f] + 1):
                total += c[f, k] * factor
                factor *= x0 * (k + 1) / (k + 1 - m)
            out[f, m] = total * width**m


@njit(cache=True, nogil=True)
def _value(c, degree, x):  # type: ignore[no-untyped-def]
    """A polynomial."""
    total = c[degree]
    for k in range(degree - 1, -1, -1):
        total = total * x + c[k]
    return total


@njit(cache=True, nogil=True)
def _jumped(  # type: ignore[no-untyped-def]
    k, s, begin, first, state, other, part, l_ptr, l_ind, l_data, l_first, l_time, now,
):  # fmt: skip
    """other = L_k state in sector s."""
    size = first[s + 1] - first[s]
    for i in range(size):
        other[i] = 0j
    for term in range(l_first[k], l_first[k + 1]):
        _apply(l_ptr[term], l_ind, l_data, first[s], first[s + 1], begin, state, part)
        for i in range(size):
            other[i] += now[l_time[term]] * part[i]


@njit(cache=True, nogil=True)
def run(  # type: ignore[no-untyped-def]
    sector, psi, seed, trajectory, times, values, last, first, norm, k_ptr, k_ind, k_data, k_time,
    l_ptr, l_ind, l_data, l_first, l_time, l_rate, target, o_ptr, o_ind, o_data, edges, c, degree,
    bound,
):  # fmt: skip
    """One trajectory; values[op, t] becomes <op>, ``last`` the state at the last time.

    Args:
        sector, psi: where it starts, at times[0].
        norm: (K, sectors), of the matrices k, which are multiplied by the functions ``k_time``.
        l_first: (jumps + 1,), terms of a jump; l_time: the function that multiplies a term; l_rate:
            the function that multiplies a jump's probability.
        edges, c, degree, bound: functions of time, see ``pieces``.

    Returns:
        The number of jumps, or -1 on failure, and the sector at the end.
    """
    widest = 0
    for s in range(first.size - 1):
        widest = max(widest, first[s + 1] - first[s])
    terms = np.zeros((_TERMS, widest), np.complex128)
    state, other = np.zeros(widest, np.complex128), np.zeros(widest, np.complex128)
    mixed, part = np.zeros(widest, np.complex128), np.zeros(widest, np.complex128)
    weights = np.zeros(target.shape[0])
    local = np.zeros((c.shape[0], c.shape[2]), np.complex128)
    now = np.zeros(c.shape[0], np.complex128)
    stream = key(seed, trajectory)
    t, n, jumps, piece = times[0], 0, 0, 0
    counter = 1
    threshold = uniform(stream, counter)
    state[: psi.size] = psi
    while True:
        begin, end = first[sector], first[sector + 1]
        d = end - begin
        while piece < edges.size - 2 and edges[piece + 1] <= t:
            piece += 1
        width = edges[piece + 1] - edges[piece]
        left = times[-1] - t
        whole = edges[piece + 1] - t if piece < edges.size - 2 else left
        size = 0.0
        for k in range(k_time.size):
            size += bound[k_time[k], piece] * norm[k, sector]
        h = min(left, whole)
        if size > 0:
            h = min(h, _REACH / size)
        terms[0, :d] = state[:d]
        highest = 0
        for k in range(k_time.size):
            highest = max(highest, degree[k_time[k], piece])
        while True:  # a shorter step where the series does not end
            r = h * size
            if width > 0:
                _shifted(
                    c[:, piece], degree[:, piece], (t - edges[piece]) / width, h / width, local
                )
            else:
                local[:, 0] = c[:, piece, 0]
            count, small = 1, 0
            while count < _TERMS:
                for i in range(d):
                    terms[count, i] = 0j
                for k in range(k_time.size):
                    f = k_time[k]
                    if degree[f, piece] == 0:
                        _apply(k_ptr[k], k_ind, k_data, begin, end, begin, terms[count - 1], part)
                        for i in range(d):
                            terms[count, i] += local[f, 0] * part[i]
                        continue
                    for i in range(d):
                        mixed[i] = 0j
                    for m in range(min(degree[f, piece], count - 1) + 1):
                        for i in range(d):
                            mixed[i] += local[f, m] * terms[count - 1 - m, i]
                    _apply(k_ptr[k], k_ind, k_data, begin, end, begin, mixed, part)
                    for i in range(d):
                        terms[count, i] += part[i]
                for i in range(d):
                    terms[count, i] *= h / count
                small = small + 1 if _norm2(terms[count], d) < 1e-24 * threshold else 0
                count += 1
                if count > r and small > highest:
                    break
            if small > highest or highest == 0:
                break
            h *= 0.5
        _evaluate(terms, count, d, 1.0, other)
        jump = _norm2(other, d) <= threshold
        x = 1.0
        if jump:  # the squared norm falls monotonically: bracketed secant (Illinois)
            low, high = 0.0, 1.0
            f_low, f_high = _norm2(state, d) - threshold, _norm2(other, d) - threshold
            for _ in range(60):
                x = high - f_high * (high - low) / (f_high - f_low) if f_high < f_low else high
                _evaluate(terms, count, d, x, other)
                f = _norm2(other, d) - threshold
                if abs(f) < 1e-11 * threshold or high - low < 1e-13:
                    break
                if f > 0:
                    low, f_low, f_high = x, f, f_high * 0.5
                else:
                    high, f_high, f_low = x, f, f_low * 0.5
        done = not jump and h >= left
        while n < times.size and (times[n] <= t + h * x or done):
            fraction = min((times[n] - t) / h, x) if h > 0 else 0.0
            _evaluate(terms, count, d, fraction, other)
            size = _norm2(other, d)
            for k in range(o_ptr.shape[0]):
                total = 0j
                for i in range(begin, end):
                    value = 0j
                    for e in range(o_ptr[k, i], o_ptr[k, i + 1]):
                        column = o_ind[e] - begin
                        if 0 <= column < d:
                            value += o_data[e] * other[column]
                    total += other[i - begin].conjugate() * value
                values[k, n] = total / size
            n += 1
        if n == times.size:
            for i in range(d):
                last[i] = other[i] / np.sqrt(size)
            return jumps, sector
        _evaluate(terms, count, d, x, state)
        t = edges[piece + 1] if not jump and h == whole else t + h * x
        if not jump:
            continue
        for f in range(c.shape[0]):
            x = (t - edges[piece]) / width if width > 0 else 0.0
            now[f] = _value(c[f, piece], degree[f, piece], x)
        total = 0.0
        for k in range(target.shape[0]):
            weights[k] = 0.0
            s = target[k, sector]
            if s >= 0:
                _jumped(
                    k, s, begin, first, state, other, part, l_ptr, l_ind, l_data, l_first, l_time,
                    now,
                )  # fmt: skip
                weights[k] = _norm2(other, first[s + 1] - first[s]) * max(now[l_rate[k]].real, 0.0)
                total += weights[k]
        if not total > 0:
            return -1, sector
        counter += 1
        pick = uniform(stream, counter) * total
        chosen = -1
        for k in range(target.shape[0]):
            if weights[k] > 0:
                chosen = k
                pick -= weights[k]
                if pick < 0:
                    break
        s = target[chosen, sector]
        _jumped(
            chosen, s, begin, first, state, other, part, l_ptr, l_ind, l_data, l_first, l_time, now
        )
        sector = s
        scale = 1 / np.sqrt(_norm2(other, first[s + 1] - first[s]))
        for i in range(first[s + 1] - first[s]):
            state[i] = other[i] * scale
        counter += 1
        threshold = uniform(stream, counter)
        jumps += 1
