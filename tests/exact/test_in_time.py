"""Both engines of density matrices under all that depends on time, against dense matrices."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import wignerflow as wf
from wignerflow.exact.engine import Exact

RAMP = wf.coef([0.3, 1.2, -0.4, 0.8], [0.0, 0.6, 1.1, 2.0])
TURN = wf.coef(lambda t: np.exp(1.7j * t))
RATE = wf.coef(lambda t: 0.6 + 0.5 * np.sin(3 * t))


def dense(full, times, ops):
    """Mean values at all times, from the first on; pulses as exponentials."""
    model = full.model

    H, jumps = full.function(model.H), full.channels()
    for c in model.local_channels():
        for slot in full.slots[c.sub, c.m]:
            L = full.one(slot, c.op.matrix())
            jumps.append((lambda t, L=L: L, full.rate(c.rate)))

    def slope(t, y):
        rho = y.reshape(full.rho.shape)
        K = -1j * H(t)
        out = 0
        for L, rate in jumps:
            now = L(t)
            K = K - 0.5 * rate(t) * now.conj().T @ now
            out = out + rate(t) * now @ rho @ now.conj().T
        return (out + K @ rho + (K @ rho).conj().T).ravel()

    def kicked(rho, t):
        for pulse in model.pulses:
            if pulse.time == t:
                U = expm(-1j * pulse.angle * full.matrix(pulse.op))
                rho = U @ rho @ U.conj().T
        return rho

    matrices = {name: full.function(op) for name, op in ops.items()}
    out = {name: [] for name in ops}
    rho, t = kicked(full.rho.astype(complex), times[0]), times[0]
    for stop in np.union1d(times, [p.time for p in model.pulses if times[0] < p.time < times[-1]]):
        if stop > t:
            run = solve_ivp(slope, (t, stop), rho.ravel(), "DOP853", rtol=1e-10, atol=1e-12)
            rho, t = kicked(run.y[:, -1].reshape(rho.shape), stop), stop
        if stop in times:
            for name, X in matrices.items():
                out[name].append(np.trace(X(t) @ rho))
    return {name: np.array(v) for name, v in out.items()}


def small():
    """Few enough components that matrices are full; a pulse at either end and one inside."""
    q = wf.Spin(name="q")
    H = TURN * q.sm + (TURN * q.sm).dag() + RAMP * q.sx
    jumps = [wf.Jump(TURN * q.sm + 0.5 * q.sz, 0.7), wf.Jump(q.sp + 0.4j, RATE)]
    model = wf.Model(
        H, jumps, initial={q: wf.bloch_vector(0.3, -0.5, 0.2)},
        pulses=[
            wf.pulse(0.3, q.sy, 0.4), wf.pulse(0.7, q.sx + 0.3 * q.sz, 0.8),
            wf.pulse(1.6, q.sx, 0.3),
        ],
    )  # fmt: skip
    return model, {"z": q.sz, "m": q.sm, "timed": TURN * q.sm + RAMP * q.sz}


def several():
    """An ensemble and a mode."""
    s, a = wf.Ensemble(2, name="s"), wf.Mode(name="a", cutoff=3)
    exchange = TURN * s.Jp * a.a
    H = exchange + exchange.dag() + 0.4 * s.Jz * s.Jx + 0.4 * s.Jx * s.Jz + RAMP * s.Jx
    jumps = [
        wf.Jump(TURN * s.Jm + 0.3j * RAMP * a.a, 0.5),
        wf.Jump(a.a * s.Jz, RATE),
        wf.LocalJump(s.sm + 0.3j * s.sz + 0.2, RATE),
        wf.LocalJump(s.sp + 0.5 * s.sm, 0.2),
    ]
    initial = {s: wf.bloch_vector(0.3, -0.5, 0.2), a: wf.vacuum}
    pulse = wf.pulse(0.8, s.Jy + 0.5 * (a.a + a.adag), 0.9)
    ops = {
        "z": s.Jz, "x": s.Jx * a.adag, "timed": TURN * s.Jm * a.adag + RAMP * a.n, "n": a.n,
    }  # fmt: skip
    return wf.Model(H, jumps, initial=initial, pulses=[pulse]), ops


@pytest.mark.parametrize("case", [small, several])
def test_everything_in_time_is_that_of_dense_matrices(brute, case):
    model, ops = case()
    times = np.array([0.3, 0.45, 0.8, 1.13, 1.6])
    want = dense(brute(model), times, ops)
    for engine in ("blocks", "occupations"):
        found = Exact(engine, rtol=1e-9).solve(model, times, ops)
        for name in ops:
            np.testing.assert_allclose(found.expect[name], want[name], atol=1e-7, err_msg=name)
        assert found.stats["engine"] == engine and found.stats["trace_error"] < 1e-7
    assert min(np.ptp(np.abs(x)) for x in want.values()) > 1e-2
