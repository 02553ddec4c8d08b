r"""Compiled runs of wave functions: Taylor steps between jumps, whose times are roots of the norm.

Between jumps :math:`\dot\psi = \sum_f f(t) K_f \psi`. On a step of length h inside a piece on which
every f is a polynomial, with u in [0, 1] the fraction of it,

.. math:: (n + 1)\,\psi_{n+1} = h\sum_f K_f\sum_{m \le n} f_m\psi_{n-m},
          \qquad \psi(u) = \sum_n\psi_n u^n.

Complex numbers are pairs of real ones here, the last index of an array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler.loops import Loop, fresh
from .rng import key, uniform

_TERMS = 60
_REACH = 4.0  # h times the norm of K: rounding is amplified by at most e^4


def _apply(indptr, indices, data, begin, end, offset, x, out):  # type: ignore[no-untyped-def]
    """Rows begin … end of a matrix times x, which lives at columns offset …"""
    for i in range(begin, end):
        re, im = 0.0, 0.0
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k] - offset
            re += data[k, 0] * x[j, 0] - data[k, 1] * x[j, 1]
            im += data[k, 0] * x[j, 1] + data[k, 1] * x[j, 0]
        out[i - begin, 0], out[i - begin, 1] = re, im


def _norm2(x, d):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(d):
        total += x[i, 0] * x[i, 0] + x[i, 1] * x[i, 1]
    return total


def _evaluate(terms, count, d, x, out):  # type: ignore[no-untyped-def]
    """The state at the fraction x of a step, by Horner's rule."""
    for i in range(d):
        out[i, 0], out[i, 1] = terms[count - 1, i, 0], terms[count - 1, i, 1]
    for back in range(count - 1):
        k = count - 2 - back
        for i in range(d):
            out[i, 0] = out[i, 0] * x + terms[k, i, 0]
            out[i, 1] = out[i, 1] * x + terms[k, i, 1]


def _clear(x, d):  # type: ignore[no-untyped-def]
    for i in range(d):
        x[i, 0], x[i, 1] = 0.0, 0.0


def _add(out, re, im, x, d):  # type: ignore[no-untyped-def]
    """out += (re + i im) x."""
    for i in range(d):
        out[i, 0] += re * x[i, 0] - im * x[i, 1]
        out[i, 1] += re * x[i, 1] + im * x[i, 0]


def _shifted(c, degree, piece, x0, width, out):  # type: ignore[no-untyped-def]
    """Coefficients in u of polynomials in x = x0 + width u."""
    for f in range(c.shape[0]):
        power = 1.0
        for m in range(degree[f, piece] + 1):
            re, im, factor = 0.0, 0.0, 1.0
            for k in range(m, degree[f, piece] + 1):
                re += c[f, piece, k, 0] * factor
                im += c[f, piece, k, 1] * factor
                factor *= x0 * np.float64(k + 1) / np.float64(k + 1 - m)
            out[f, m, 0], out[f, m, 1] = re * power, im * power
            power *= width


def _values(c, degree, piece, x, now):  # type: ignore[no-untyped-def]
    """All polynomials at one place."""
    for f in range(c.shape[0]):
        top = degree[f, piece]
        re, im = c[f, piece, top, 0], c[f, piece, top, 1]
        for back in range(top):
            k = top - 1 - back
            re = re * x + c[f, piece, k, 0]
            im = im * x + c[f, piece, k, 1]
        now[f, 0], now[f, 1] = re, im


def _jumped(  # type: ignore[no-untyped-def]
    k, s, begin, first, state, other, part, l_ptr, l_ind, l_data, l_first, l_time, now,
):  # fmt: skip
    """other = L_k state in sector s."""
    size = first[s + 1] - first[s]
    _clear(other, size)
    for term in range(l_first[k], l_first[k + 1]):
        _apply(l_ptr[term], l_ind, l_data, first[s], first[s + 1], begin, state, part)
        _add(other, now[l_time[term], 0], now[l_time[term], 1], part, size)


@Loop
def _run(  # type: ignore[no-untyped-def]
    done, leave, psi, seed, trajectory, times, values, last, terms, vectors, weights, local, now,
    first, norm, k_ptr, k_ind, k_data, k_time, l_ptr, l_ind, l_data, l_first, l_time, l_rate,
    target, o_ptr, o_ind, o_data, edges, c, degree, bound,
):  # fmt: skip
    """See :func:`run`; ``done``: the sector, and the number of jumps; ``terms`` to ``now`` are
    scratch.
    """
    state, other, mixed, part = vectors[0], vectors[1], vectors[2], vectors[3]
    stream = key(seed, np.uint64(trajectory))
    t, n, jumps, piece, sector = times[0], 0, 0, 0, done[0]
    counter = 1
    threshold = uniform(stream, counter)
    for i in range(psi.shape[0]):
        state[i, 0], state[i, 1] = psi[i, 0], psi[i, 1]
    while fresh(leave[0]) == 0:
        begin, end = first[sector], first[sector + 1]
        d = end - begin
        while piece < edges.size - 2:
            if edges[piece + 1] > t:
                break
            piece += 1
        width = edges[piece + 1] - edges[piece]
        left = times[times.size - 1] - t
        whole = edges[piece + 1] - t if piece < edges.size - 2 else left
        size, highest = 0.0, 0
        for k in range(k_time.size):
            size += bound[k_time[k], piece] * norm[k, sector]
            highest = max(highest, degree[k_time[k], piece])
        h = min(left, whole)
        if size > 0.0:
            h = min(h, _REACH / size)
        for i in range(d):
            terms[0, i, 0], terms[0, i, 1] = state[i, 0], state[i, 1]
        count = 1
        while True:  # a shorter step where the series does not end
            if width > 0.0:
                _shifted(c, degree, piece, (t - edges[piece]) / width, h / width, local)
            count = 1
            small = 0
            while count < _TERMS:
                following = terms[count]
                _clear(following, d)
                for k in range(k_time.size):
                    f = k_time[k]
                    if degree[f, piece] == 0:
                        before = terms[count - 1]
                        _apply(k_ptr[k], k_ind, k_data, begin, end, begin, before, part)
                        _add(following, local[f, 0, 0], local[f, 0, 1], part, d)
                    else:
                        _clear(mixed, d)
                        for m in range(min(degree[f, piece], count - 1) + 1):
                            _add(mixed, local[f, m, 0], local[f, m, 1], terms[count - 1 - m], d)
                        _apply(k_ptr[k], k_ind, k_data, begin, end, begin, mixed, part)
                        _add(following, 1.0, 0.0, part, d)
                for i in range(d):
                    following[i, 0] *= h / np.float64(count)
                    following[i, 1] *= h / np.float64(count)
                small = small + 1 if _norm2(following, d) < 1e-24 * threshold else 0
                count += 1
                if np.float64(count) > h * size and small > highest:
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
                if f > 0.0:
                    low, f_low, f_high = x, f, f_high * 0.5
                else:
                    high, f_high, f_low = x, f, f_low * 0.5
        arrived = not jump and h >= left
        while n < times.size:
            if times[n] > t + h * x and not arrived:
                break
            fraction = min((times[n] - t) / h, x) if h > 0.0 else 0.0
            _evaluate(terms, count, d, fraction, other)
            size = _norm2(other, d)
            for k in range(o_ptr.shape[0]):
                re, im = 0.0, 0.0
                for i in range(begin, end):
                    a, b = 0.0, 0.0
                    for e in range(o_ptr[k, i], o_ptr[k, i + 1]):
                        j = o_ind[e] - begin
                        if j >= 0 and j < d:
                            a += o_data[e, 0] * other[j, 0] - o_data[e, 1] * other[j, 1]
                            b += o_data[e, 0] * other[j, 1] + o_data[e, 1] * other[j, 0]
                    re += other[i - begin, 0] * a + other[i - begin, 1] * b
                    im += other[i - begin, 0] * b - other[i - begin, 1] * a
                values[k, n, 0], values[k, n, 1] = re / size, im / size
            n += 1
        if n == times.size:
            scale = 1.0 / np.sqrt(_norm2(other, d))
            for i in range(d):
                last[i, 0], last[i, 1] = other[i, 0] * scale, other[i, 1] * scale
            break
        _evaluate(terms, count, d, x, state)
        t = edges[piece + 1] if not jump and h == whole else t + h * x
        if not jump:
            continue
        at = (t - edges[piece]) / width if width > 0.0 else 0.0
        _values(c, degree, piece, at, now)
        total = 0.0
        for k in range(target.shape[0]):
            weights[k] = 0.0
            s = target[k, sector]
            if s >= 0:
                _jumped(
                    k, s, begin, first, state, other, part, l_ptr, l_ind, l_data, l_first, l_time,
                    now,
                )  # fmt: skip
                weights[k] = _norm2(other, first[s + 1] - first[s]) * max(now[l_rate[k], 0], 0.0)
                total += weights[k]
        if not total > 0.0:
            jumps = -1
            break
        counter += 1
        pick = uniform(stream, counter) * total
        chosen = -1
        for k in range(target.shape[0]):
            if weights[k] > 0.0:
                chosen = k
                pick -= weights[k]
                if pick < 0.0:
                    break
        s = target[chosen, sector]
        _jumped(
            chosen, s, begin, first, state, other, part, l_ptr, l_ind, l_data, l_first, l_time, now
        )
        sector = s
        scale = 1.0 / np.sqrt(_norm2(other, first[s + 1] - first[s]))
        for i in range(first[s + 1] - first[s]):
            state[i, 0], state[i, 1] = other[i, 0] * scale, other[i, 1] * scale
        counter += 1
        threshold = uniform(stream, counter)
        jumps += 1
    done[0], done[1] = sector, jumps


def run(
    sector: int,
    psi: NDArray[np.complex128],
    seed: int,
    trajectory: int,
    times: NDArray[np.float64],
    values: NDArray[np.complex128],
    last: NDArray[np.complex128],
    leave: NDArray[np.int64],
    *arguments: NDArray[Any],
) -> tuple[int, int]:
    """One trajectory; values[op, t] becomes <op>, ``last`` the state at the last time.

    Args:
        sector, psi: where it starts, at times[0].
        last: as long as the largest sector.
        leave: (1,), not zero from some time on: leave the run, whose values mean nothing.
        arguments: first (sectors + 1,): where sectors begin; norm (K, sectors): of the matrices k
            (rows, columns, entries), which are multiplied by the functions k_time; the terms of
            jumps (rows, columns, entries), l_first (jumps + 1,): terms of a jump, l_time: the
            function that multiplies a term, l_rate: the one that multiplies a jump's probability;
            target (jumps, sectors); matrices of observables; and functions of time (edges, c,
            degree, bound), see ``pieces``.

    Returns:
        The number of jumps, or -1 on failure, and the sector at the end.
    """
    target, c = arguments[12], arguments[17]
    done = np.array([sector, 0])
    terms, vectors = np.zeros((_TERMS, last.size, 2)), np.zeros((4, last.size, 2))
    local, now = np.zeros((len(c), c.shape[2], 2)), np.zeros((len(c), 2))
    _run(
        done, leave, psi, np.uint64(seed), trajectory, times, values, last, terms, vectors,
        np.zeros(len(target)), local, now, *arguments,
    )  # fmt: skip
    return int(done[1]), int(done[0])
