r"""Models in which no superposition of different M ever matters: classical jump processes.

Where H is a function of the J_z (and photon numbers), every jump operator changes each M by a
definite amount (times one function of time at most) and the initial state is diagonal, the density
matrix stays diagonal in the product basis :math:`|J_1, M_1, J_2, M_2, \dots\rangle`. A quantum
trajectory is then a classical jump process, sampled here without any error of discretisation
(Gillespie). States are a few numbers, so N has no limit, and modes need no cutoff. Rates that
depend on time are sampled by thinning: events of rates that bound them piece by piece, of which a
share is none.

References: Gillespie, J. Phys. Chem. 81, 2340 (1977); Lewis and Shedler, Naval Res. Logist. Quart.
26, 403 (1979).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compiler.loops import Loop, fresh
from ..model.coefficients import Coef
from ..model.mode_states import ModeState
from ..model.model import Model
from ..model.operators import Op
from ..model.states import BlochState
from . import dicke, mode_states
from .ladder import Basis, Site, Times, amplitude, collective, spherical
from .pieces import Pieces, Product
from .rng import key, log, uniform

Array = NDArray[np.float64]

_LETTERS = {"p": 0, "m": 1, "z": 2, "d": 3, "a": 4}


def refuses(model: Model, basis: Basis) -> str | None:
    """Why ``model`` is no classical jump process; None if it is."""
    if model.pulses:
        return "pulses turn the state"
    coherent = model.H
    for channel in model.local_channels():
        c0, parts = spherical(channel.op)
        if len(parts) > 1:
            return f"the local jump {channel.op!r} changes M by no definite amount"
        one = collective(channel.op, channel.m)
        coherent = coherent + (one * np.conj(c0) - one.dag() * c0) * 0.5j
    for op, _ in model.channels():
        groups = basis.expand(op)
        if len(groups) > 1:
            return f"the jump {op!r} is a sum of different functions of time"
        if len({basis.shifts(w) for g in groups.values() for w in g}) > 1:
            return f"the jump {op!r} changes M by no definite amount"
    if any(basis.shifts(w) for group in basis.expand(coherent).values() for w in group):
        return "the Hamiltonian couples states of different M"
    for site in basis.sites:
        if not site.is_diagonal:
            return f"the initial state of {site.label!r} holds coherences between different M"
    return None


def draw(site: Site, rng: np.random.Generator) -> tuple[float, float]:
    """J and M (n for a mode) of one draw from a diagonal initial state."""
    if site.kind == "mode":
        assert isinstance(site.state, ModeState)
        return 0.0, float(mode_states.draw(site.state.kind, site.state.value, rng))
    assert isinstance(site.state, BlochState)
    length, theta, _ = dicke.bloch_angles(site.state.vector)
    J, M = draw_along(site, length, rng)
    return J, M if theta < 1 else -M


def draw_along(site: Site, length: float, rng: np.random.Generator) -> tuple[float, float]:
    """J and the projection M of a product state of 2 J_max spins on its own Bloch vector."""
    if site.kind != "ensemble" or length == 1.0:
        up = length == 1.0 or rng.random() < (1 + length) / 2
        return site.length, site.length if up else -site.length
    N = site.emitters
    M = rng.binomial(N, (1 + length) / 2) - N / 2
    lengths = np.arange(abs(M), N / 2 + 1)  # given M, the weight of J is its degeneracy
    log_weight = dicke.log_degeneracy(N, lengths)
    weight = np.exp(log_weight - log_weight.max())
    return float(rng.choice(lengths, p=weight / weight.sum())), float(M)


class Process(NamedTuple):
    """The transitions of a classical jump process, as arrays in the order of :func:`_run`.

    Transition k is collective (``local[k, 0] == -1``; its amplitude is a sum of words, each a
    product of letters on sites) or local on site ``local[k, 0]`` with component ``local[k, 1]`` and
    change of J ``local[k, 2]``; it adds dJ[k] and dM[k], shape (sites,), at weight rate[k] times
    the function of time ``functions[time[k]]``.
    """

    functions: list[Product]
    rate: Array
    time: NDArray[np.int64]
    local: NDArray[np.int64]
    dJ: Array
    dM: Array
    word_first: NDArray[np.int64]
    coefficient: NDArray[np.complex128]
    letter_first: NDArray[np.int64]
    letters: NDArray[np.int64]
    emitters: Array


def process(model: Model, basis: Basis) -> Process:
    """The transitions of a model that :func:`refuses` accepts."""
    S = len(basis.sites)
    rate, local, dJ, dM = [], [], [], []
    functions, time = {Product(): 0}, []

    def follow(times: Times, r: Any) -> float:
        """Take note of a function of time, and return the constant beside it."""
        product = Product.of(times, times, r)
        time.append(functions.setdefault(product, len(functions)))
        return 1.0 if isinstance(r, Coef) else float(r)

    word_first, coefficients, letter_first, letters = [0], [], [0], []
    for op, r in model.channels():
        groups = basis.expand(op)
        words = [(w, c) for group in groups.values() for w, c in group.items()]
        moved = dict(basis.shifts(words[0][0])) if words else {}
        if not words or r == 0 or not moved:
            continue  # a jump that changes no state is no event
        for word, c in words:
            coefficients.append(c)
            for site, text in word:
                letters += [(site, _LETTERS[x]) for x in reversed(text)]
            letter_first.append(len(letters))
        word_first.append(len(coefficients))
        rate.append(follow(next(iter(groups)), r))
        local.append((-1, 0, 0))
        dJ.append(np.zeros(S))
        dM.append(np.array([moved.get(s, 0) for s in range(S)], float))
    for channel in model.local_channels():
        site = basis.number[channel.sub, channel.m]
        for q, c in spherical(channel.op)[1].items():
            for dj in (-1, 0, 1):
                step = dicke.COMPONENTS[q]
                if channel.rate == 0 or (dj == 0 and step == 0):
                    continue
                one = np.eye(S)[site]
                rate.append(follow((), channel.rate) * abs(c) ** 2)
                local.append((site, step, dj))
                dJ.append(dj * one)
                dM.append(step * one)
                word_first.append(word_first[-1])
    emitters = [s.emitters if s.kind == "ensemble" else 0 for s in basis.sites]
    return Process(
        list(functions),
        np.array(rate, float),
        np.array(time, np.int64),
        np.array(local, np.int64).reshape(-1, 3),
        np.array(dJ, float).reshape(-1, S),
        np.array(dM, float).reshape(-1, S),
        np.array(word_first, np.int64),
        np.array(coefficients, complex),
        np.array(letter_first, np.int64),
        np.array(letters, np.int64).reshape(-1, 2),
        np.array(emitters, float),
    )


def _local_rate(N, J, M, s, dj):  # type: ignore[no-untyped-def]
    """Squared matrix element of a one-emitter jump, see dicke.local_amplitude."""
    rate = 0.0
    if abs(M + s) <= J + np.float64(dj):
        if dj == 1:
            rate = (N / 2.0 - J) / (2.0 * (J + 1.0) * (2.0 * J + 1.0))
            if s == 0.0:
                rate *= 4.0 * ((J + 1.0) * (J + 1.0) - M * M)
            else:
                rate *= (J + s * M + 1.0) * (J + s * M + 2.0)
        elif J > 0.0 and dj == 0:
            rate = (N / 2.0 + 1.0) / (2.0 * J * (J + 1.0))
            rate *= 4.0 * M * M if s == 0.0 else (J - s * M) * (J + s * M + 1.0)
        elif J > 0.0:
            rate = (N / 2.0 + J + 1.0) / (2.0 * J * (2.0 * J + 1.0))
            rate *= 4.0 * (J * J - M * M) if s == 0.0 else (J - s * M) * (J - s * M - 1.0)
    return rate


def _value(c, degree, piece, f, x):  # type: ignore[no-untyped-def]
    """The real part of a polynomial."""
    top = degree[f, piece]
    total = c[f, piece, top, 0]
    for back in range(top):
        total = total * x + c[f, piece, top - 1 - back, 0]
    return total


def _word(letters, first, last, J, M, shifted):  # type: ignore[no-untyped-def]
    """Product of letters acting on |J, M>; ``shifted`` is scratch of shape (sites,)."""
    value = 1.0
    for n in range(first, last):
        shifted[letters[n, 0]] = M[letters[n, 0]]
    for n in range(first, last):
        site, letter = letters[n, 0], letters[n, 1]
        m, j = shifted[site], J[site]
        if letter == 2:
            value *= m
        elif letter >= 3:
            value *= np.sqrt(max(m + 1.0 if letter == 3 else m, 0.0))
            shifted[site] = m + 1.0 if letter == 3 else m - 1.0
        else:
            s = 1.0 if letter == 0 else -1.0
            value *= np.sqrt(max((j - s * m) * (j + s * m + 1.0), 0.0))
            shifted[site] = m + s
    return value


def _one(  # type: ignore[no-untyped-def]
    leave, J, M, stream, times, out, rates, shifted, rate, time, local, dJ, dM, word_first,
    coefficient, letter_first, letters, emitters, edges, c, degree, bound,
):  # fmt: skip
    """One trajectory from (J, M); out[t, s] becomes (J, M) at times[t]. Returns the jumps made."""
    K, S = rate.size, J.size
    t, n, counter, piece, jumps = times[0], 0, 0, 0, 0
    while n < times.size and fresh(leave[0]) == 0:
        while piece < edges.size - 2:
            if edges[piece + 1] > t:
                break
            piece += 1
        total = 0.0
        for k in range(K):
            site = local[k, 0]
            r = 0.0
            if site >= 0:
                step = np.float64(local[k, 1])
                r = _local_rate(emitters[site], J[site], M[site], step, local[k, 2])
            else:
                re, im = 0.0, 0.0
                for w in range(word_first[k], word_first[k + 1]):
                    value = _word(letters, letter_first[w], letter_first[w + 1], J, M, shifted)
                    re += coefficient[w, 0] * value
                    im += coefficient[w, 1] * value
                r = re * re + im * im
            rates[k] = r * rate[k] * bound[time[k], piece]
            total += rates[k]
        last = piece == edges.size - 2
        after = t
        if total > 0.0:
            counter += 1
            after -= log(uniform(stream, counter)) / total
        none = total == 0.0 or (not last and after > edges[piece + 1])
        t = edges[piece + 1] if none and not last else after
        while n < times.size:
            if not (total == 0.0 and last) and times[n] >= t:
                break
            for s in range(S):
                out[n, s, 0], out[n, s, 1] = J[s], M[s]
            n += 1
        if n == times.size or none:
            continue
        counter += 1
        left = uniform(stream, counter) * total
        chosen = K - 1
        for k in range(K):
            left -= rates[k]
            if left < 0.0:
                chosen = k
                break
        while rates[chosen] == 0.0:  # rounding at the end of the list
            chosen -= 1
        f = time[chosen]
        if f != 0:  # f = 0 is one at all times
            x = (t - edges[piece]) / (edges[piece + 1] - edges[piece])
            counter += 1
            if uniform(stream, counter) * bound[f, piece] > _value(c, degree, piece, f, x):
                continue
        for s in range(S):
            J[s] += dJ[chosen, s]
            M[s] += dM[chosen, s]
        jumps += 1
    return jumps


@Loop
def _run(  # type: ignore[no-untyped-def]
    leave, J, M, seed, numbers, times, out, jumps, rates, shifted, rate, time, local, dJ, dM,
    word_first, coefficient, letter_first, letters, emitters, edges, c, degree, bound,
):  # fmt: skip
    """Trajectories of these numbers from (J, M), one a row; ``jumps`` counts all of theirs."""
    for row in range(numbers.size):
        jumps[0] += _one(
            leave, J[row], M[row], key(seed, numbers[row]), times, out[row], rates, shifted, rate,
            time, local, dJ, dM, word_first, coefficient, letter_first, letters, emitters, edges, c,
            degree, bound,
        )  # fmt: skip


def trajectories(
    basis: Basis,
    p: Process,
    pieces: Pieces,
    seed: int,
    numbers: range,
    times: Array,
    leave: NDArray[np.int64],
) -> tuple[Array, int]:
    """States (J, M) of trajectories at ``times``, shape (n, T, sites, 2), and the jumps made.

    They mean nothing once ``leave``, (1,), is not zero: then it ends as soon as it can.
    """
    out = np.empty((len(numbers), times.size, len(basis.sites), 2))
    starts = np.empty((len(numbers), len(basis.sites), 2))
    for row, trajectory in enumerate(numbers):
        rng = np.random.default_rng([seed, trajectory])
        starts[row] = [draw(site, rng) for site in basis.sites]
    jumps = np.zeros(1, np.int64)
    _run(
        leave, starts[..., 0].copy(), starts[..., 1].copy(), np.uint64(seed),
        np.array(numbers, np.uint64), times, out, jumps, np.zeros(p.rate.size),
        np.zeros(len(basis.sites)), *p[1:], *pieces.arguments,
    )  # fmt: skip
    return out, int(jumps[0])


def values(basis: Basis, ops: list[Op], states: Array, times: Array) -> NDArray[np.complex128]:
    """Diagonal matrix elements in states (…, T, sites, 2) at times (T,): (ops, …, T)."""
    out = np.zeros((len(ops), *states.shape[:-2]), complex)
    for k, op in enumerate(ops):
        for coefficients, group in basis.expand(op).items():
            now = Product(coefficients)(times) if coefficients else 1.0
            for word, c in group.items():
                if basis.shifts(word):
                    continue
                part = np.full(states.shape[:-2], c) * now
                for site, text in word:
                    mode = basis.sites[site].kind == "mode"
                    part = part * amplitude(mode, text, states[..., site, 0], states[..., site, 1])
                out[k] += part
    return out
