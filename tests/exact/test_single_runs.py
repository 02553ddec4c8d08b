"""Single quantum trajectories, number by number, against dense matrices and the same draws."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import wignerflow as wf
from wignerflow.exact import classical, dicke, rng
from wignerflow.exact.jumps import QuantumJumps, WaveFunctions

WORD = 2**64
GOLDEN, A, B = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
SEED, RUNS = 2**63 + 12345, 4


def splitmix(x):
    x = ((x ^ (x >> 30)) * A) % WORD
    x = ((x ^ (x >> 27)) * B) % WORD
    return x ^ (x >> 31)


def uniforms(number, seed=SEED):
    """The uniform numbers of a trajectory, one after the other."""
    x = splitmix(splitmix((seed + GOLDEN) % WORD) ^ splitmix((number * A + B) % WORD))
    while True:
        x = (x + GOLDEN) % WORD
        yield ((splitmix(x) >> 12) + 0.5) / 2**52


def test_draws_and_their_logarithms():
    with np.errstate(over="ignore"):
        key = rng.key(np.uint64(SEED), np.uint64(7))
        found = [float(rng.uniform(key, n)) for n in range(1, 2000)]
    stream = uniforms(7)
    assert found == [next(stream) for _ in found]
    assert abs(np.mean(found) - 0.5) < 4 / np.sqrt(12 * len(found))
    for x in (*found, 1.0, 2.0**-52, 0.7071067811865476, 0.7071067811865475, 1e-300):
        assert rng.log(x) == pytest.approx(math.log(x), rel=4e-16, abs=0)


# ---------------------------------------------------------------- wave functions


def one_run(H, jumps, psi, times, ops, draws):
    """Mean values (ops, T) along one run, and its jumps; all operators are functions of time.

    Dalibard, Castin and Molmer: the norm falls to a draw, and the next draw takes a channel.
    """

    def slope(t, y):
        out = -1j * (H(t) @ y)
        for L, rate in jumps:
            now = L(t)
            out -= 0.5 * rate(t) * (now.conj().T @ (now @ y))
        return out

    values, made, t = np.zeros((len(ops), len(times)), complex), 0, times[0]
    while True:
        threshold = next(draws)

        def below(t, y, threshold=threshold):
            return np.vdot(y, y).real - threshold

        below.terminal = True
        run = solve_ivp(
            slope, (t, times[-1]), psi, "DOP853", rtol=1e-10, atol=1e-12, events=below,
            dense_output=True,
        )  # fmt: skip
        for n in np.flatnonzero((times >= t) & (times <= run.t[-1])):
            phi = run.sol(times[n])
            values[:, n] = [np.vdot(phi, X(times[n]) @ phi) / np.vdot(phi, phi) for X in ops]
        if run.status == 0:
            return values, made
        t, psi = run.t_events[0][0], run.y_events[0][0]
        after = [np.sqrt(rate(t)) * (L(t) @ psi) for L, rate in jumps]
        weights = np.cumsum([np.vdot(x, x).real for x in after])
        psi = after[int(np.searchsorted(weights, next(draws) * weights[-1], side="right"))]
        psi, made = psi / np.linalg.norm(psi), made + 1


def driven():
    """Everything depends on time, and no state is left out: one sector."""
    q, c = wf.Spin(name="q"), wf.CollectiveSpin(1, name="c")
    turn = wf.coef(lambda t: np.exp(1.3j * t))
    ramp = wf.coef([0.2, 1.4, 0.3], [0, 0.9, 2.2])  # a corner
    rate = wf.coef(lambda t: 1.1 + np.sin(2 * t))
    exchange = turn * (q.sp * c.Jm)
    H = exchange + exchange.dag() + ramp * q.sx + 0.4 * c.Jz * c.Jz + 0.7 * q.sz + 0.3 * c.Jy
    jumps = [
        wf.Jump(turn * q.sm + 0.6 * c.Jm, 0.8),
        wf.Jump(c.Jp + 0.2j * q.sz, rate),
        wf.Jump(c.Jx, 0.5),
    ]
    model = wf.Model(H, jumps, initial={q: wf.bloch(0.8, 0.4), c: wf.bloch(2.0, -1.1)})
    ops = {"z": q.sz, "m": c.Jm, "timed": ramp * q.sy + c.Jz, "qc": q.sp * c.Jm}
    return model, ops, np.array([0.0, 0.37, 0.9, 1.31, 2.2])


def many_sectors():
    """The total M is definite, and jumps lead from sector to sector; constant in time."""
    q, c = wf.Spin(name="q", count=2), wf.CollectiveSpin(1.5, name="c")
    exchange = (0.9 + 0.4j) * (q[0].sp * c.Jm) + 1.3 * (q[1].sp * q[0].sm)
    H = exchange + exchange.dag() + 0.6 * c.Jz * q[1].sz
    jumps = [
        wf.Jump(c.Jm + 0.5 * q[0].sm, 0.3),
        wf.Jump(q[1].sp, 1.2),
        wf.Jump(q[0].sz - 0.4j * c.Jz, 0.7),
        wf.Jump(c.Jp * c.Jp, 0.2),
    ]
    model = wf.Model(H, jumps, initial={q: [wf.up, wf.down], c: wf.up})
    ops = {"z": q[1].sz, "g": q[0].sp * q[1].sm, "none": c.Jm, "zz": c.Jz * c.Jz}
    return model, ops, np.array([0.1, 0.45, 1.0, 1.9, 3.17])


def references(full, ops):
    """Functions of a number of a run: its values (ops, T), and its jumps."""
    H, jumps = full.function(full.model.H), full.channels()
    matrices = [full.function(op) for op in ops.values()]
    psi = np.linalg.eigh(full.rho)[1][:, -1]
    return lambda k, times: one_run(H, jumps, psi, times, matrices, uniforms(k))


@pytest.mark.parametrize("case", [driven, many_sectors])
def test_a_run_of_wave_functions_is_that_of_dense_matrices(brute, case):
    model, ops, times = case()
    reference = references(brute(model), ops)
    found = QuantumJumps("wavefunctions", keep=True).solve(model, times, ops, ntraj=RUNS, seed=SEED)
    total = 0
    for k in range(RUNS):
        want, made = reference(k, times)
        total += made
        for name, row in zip(ops, want, strict=True):
            np.testing.assert_allclose(found.stats["samples"][name][k], row, atol=1e-7)
    assert found.stats["jumps"] == total > 2 * RUNS
    assert (found.stats["sectors"] > 1) == (case is many_sectors)


def test_a_run_that_waits_for_long(brute):
    """Steps and the time of a jump are as accurate where next to nothing is left of the norm."""
    q = wf.Spin(name="q")
    jumps = [wf.Jump(q.sm, 1.5), wf.Jump(q.sp, 1.1)]
    model = wf.Model(1.1 * q.sx + 0.4 * q.sz, jumps, initial={q: wf.down})
    number, times = 286491, np.array([0.0, 6.0, 11.0, 12.0, 13.0, 14.0])
    assert next(uniforms(number)) < 1e-7
    ops = {"z": q.sz, "m": q.sm}
    want, made = references(brute(model), ops)(number, times)
    run = WaveFunctions(model, ops, times, SEED, 1e9)
    (found,) = run(range(number, number + 1))
    np.testing.assert_allclose(found, want, atol=1e-7)
    assert run.counted(number + 1) == made > 0 and np.ptp(want[0].real) > 0.5


# ---------------------------------------------------------------- classical jumps


def raised(J, M, s):
    """|<J, M + s| J_s |J, M>|^2."""
    return (J - s * M) * (J + s * M + 1)


def twice(J, M):
    return raised(J, M, 1) * raised(J, M + 1, 1)


@pytest.mark.parametrize("N", [1, 2, 5, 8])
def test_rates_of_local_jumps_are_squares_of_amplitudes(N):
    for J in N / 2 - np.arange(N // 2 + 1):
        for M in np.arange(-J, J + 1):
            for q, s in dicke.COMPONENTS.items():
                for dj in (-1, 0, 1):
                    want = float(dicke.local_amplitude(N, q, dj, J, M)) ** 2
                    found = classical._local_rate(float(N), J, M, float(s), dj)
                    assert found == pytest.approx(want, abs=1e-12)


#: Samples of a rate and of an amplitude.
AT = np.array([0.0, 0.5, 1.1, 2.0])
RATE, RAMP = np.array([0.2, 2.4, 0.9, 0.5]), np.array([0.4, -0.3, 0.8, 1.0])


def some_of_each():
    """Two spins and a mode under jumps of every kind, and for each its change and its rate.

    A rate is a function of the state (J, M, K, n) of s, c and a; and beside it a number of samples
    and the power in which these count.
    """
    s, c, a = wf.Ensemble(5, name="s"), wf.CollectiveSpin(2, name="c"), wf.Mode(name="a")
    ramp = wf.coef(RAMP, AT)
    jumps = [
        wf.Jump(s.Jm + 0.4j * s.Jm * s.Jz, 0.08),
        wf.Jump(s.Jz + 0.3, 2.0),  # no event
        wf.Jump(c.Jp * a.a, 0.3),
        wf.Jump(ramp * a.adag, 1.6),
        wf.Jump(c.Jm, wf.coef(RATE, AT)),
        wf.Jump(s.Jp * s.Jp * c.Jz, 0.01),
        wf.LocalJump(s.sp, 0.6),
        wf.LocalJump(2 * s.sz, 0.1),
    ]
    model = wf.Model(s.Jz * a.n, jumps, initial={s: wf.up, c: wf.down, a: wf.fock(2)})
    table = [
        ((0, -1, 0, 0), lambda J, M, K, n: 0.08 * raised(J, M, -1) * (1 + 0.16 * M**2), None),
        ((0, 0, 1, -1), lambda J, M, K, n: 0.3 * raised(2, K, 1) * n, None),
        ((0, 0, 0, 1), lambda J, M, K, n: 1.6 * (n + 1), (RAMP, 2)),
        ((0, 0, -1, 0), lambda J, M, K, n: raised(2, K, -1), (RATE, 1)),
        ((0, 2, 0, 0), lambda J, M, K, n: 0.01 * twice(J, M) * K**2, None),
    ]  # fmt: skip
    for q, rate in (("p", 0.6), ("z", 0.4)):
        for dj in (-1, 0, 1):
            if q == "p" or dj:

                def local(J, M, K, n, q=q, dj=dj, rate=rate):
                    return rate * float(dicke.local_amplitude(5, q, dj, J, M)) ** 2

                table.append(((dj, dicke.COMPONENTS[q], 0, 0), local, None))
    ops = {
        "z": s.Jz, "e": s.Jp * s.Jm, "n": a.n, "nn": a.adag * a.n * a.a, "none": c.Jx,
        "timed": ramp * c.Jz * s.Jz + a.n,
    }  # fmt: skip
    return model, ops, table


def jumping(table, state, times, draws):
    """States at all times of one run, and its jumps: Gillespie, thinned piece by piece."""
    out, t, made = [], times[0], 0
    ends = [*AT[(times[0] < AT) & (times[-1] > AT)], np.inf]
    for begin, end in zip([times[0], *ends[:-1]], ends, strict=True):
        stop = min(end, times[-1])
        lines = [
            None if samples is None else (*np.interp([begin, stop], AT, samples[0]), samples[1])
            for _, _, samples in table
        ]
        # a + (b - a) x, or its square, is nowhere larger than the sum of its absolute coefficients
        bounds = [1 if x is None else (abs(x[0]) + abs(x[1] - x[0])) ** x[2] for x in lines]
        while t < end:
            rates = np.array([f(*state) for _, f, _ in table]) * bounds
            then = t - np.log(next(draws)) / rates.sum() if rates.sum() else np.inf
            while len(out) < len(times) and times[len(out)] < min(then, end):
                out.append(state)
            if then > end or len(out) == len(times):
                t = end
                break
            t = then
            k = int(np.searchsorted(np.cumsum(rates), next(draws) * rates.sum(), side="right"))
            if lines[k] is not None:
                a, b, power = lines[k]
                now = (a + (b - a) * (t - begin) / (stop - begin)) ** power
                if next(draws) * bounds[k] > now:
                    continue
            state, made = tuple(np.add(state, table[k][0])), made + 1
        if len(out) == len(times):
            return np.array(out), made


def test_a_classical_run_is_that_of_its_rates():
    model, ops, table = some_of_each()
    times = np.array([0.1, 0.3, 0.77, 1.3, 1.9])
    found = QuantumJumps("classical", keep=True).solve(model, times, ops, ntraj=40, seed=SEED)
    total, ramp = 0, np.interp(times, AT, RAMP)
    for k in range(40):
        states, made = jumping(table, (2.5, 2.5, -2.0, 2.0), times, uniforms(k))
        J, M, K, n = states.T
        total += made
        want = {
            "z": M, "e": raised(J, M, -1), "n": n, "nn": n * (n - 1), "none": 0 * n,
            "timed": ramp * K * M + n,
        }  # fmt: skip
        for name, row in want.items():
            np.testing.assert_allclose(found.stats["samples"][name][k], row, atol=1e-9)
    assert found.stats["jumps"] == total > 200
