"""Derived drift and noise against the printed equations of Hosseinabadi, Chelpanova and Marino.

By hand below: Table I, Eqs. (18)-(20), (29)-(32), (38)-(43), (46)-(48) with the slips of (48)
mended, and (56), all Stratonovich, for the Pauli vector s = 2 J. Noise is compared by its
covariance. Derived: from the printed kernel, as what a small step does with no noise and with one
noise at a time; and from the text of ``model.equations()``.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.module import KernelText

from ..kernels.lanes import LaneRun, one_step

DOWN, UP, LOSS, DEPHASING = 0.36, 0.16, 0.64, 0.25  # squares, so that the text has all digits


def by_kernel(model, state):
    """Drift and noise covariance of a state from a step of the printed kernel, as h -> 0."""
    system, _ = wf.SpinTWA().lower(model, {}, np.array([0.0, 1.0]))
    text = KernelText(system, [])
    asked: dict[tuple, int] = {}

    def column(which):
        def pair(k0, k1, trajectory, channel):
            key = (int(k0), int(k1), int(np.ravel(channel)[0]))
            first = asked.setdefault(key, 2 * len(asked))
            zero = np.zeros(np.size(trajectory))
            return zero + (which == first), zero + (which == first + 1)

        return pair

    def change(which, h):
        run = LaneRun(text, one_step(h), 1, normal_pair=column(which))
        run.v[:] = state
        run.step(0, h, 0, [1, 0, 0], [2, 0, 0])
        return run.state[:, 0] - state

    h = 1e-7
    drift = change(-1, h) / h
    columns = [change(j, h * h) / h for j in range(2 * len(asked))]
    return drift, sum(np.outer(c, c) for c in columns)


def loss(s, g):
    """Table I: drift of s and its two real noises, of incoherent loss of rate g."""
    x, y, z = s
    drift = g / 2 * np.array([x * z, y * z, -(x**2) - y**2])
    noise = np.sqrt(g) * np.array([[z, 0, -x], [0, z, -y]])
    return drift, noise


def pump(s, g):
    x, y, z = s
    drift = -g / 2 * np.array([x * z, y * z, -(x**2) - y**2])
    noise = np.sqrt(g) * np.array([[-z, 0, x], [0, z, -y]])
    return drift, noise


def dephasing(s, k):
    """Eqs. (46), (47): 2 eta s^y and -2 eta s^x, eta of strength k."""
    return np.zeros(3), 2 * np.sqrt(k) * np.array([[s[1], -s[0], 0]])


class ByHand:
    """Drift and covariance of a list of Pauli vectors, and of a mode after them."""

    def __init__(self, count, mode=False):
        self.n = 3 * count + 2 * mode
        self.drift, self.columns = np.zeros(self.n), []

    def add(self, i, part):
        drift, noises = part
        self.drift[3 * i : 3 * i + 3] += drift
        for noise in noises:
            column = np.zeros(self.n)
            column[3 * i : 3 * i + 3] = noise
            self.columns.append(column)

    def scaled(self, count):
        """In the variables of the kernel, J = s/2 and (Re a, Im a)."""
        scale = np.ones(self.n)
        scale[: 3 * count] = 0.5
        covariance = sum(np.outer(c, c) for c in self.columns)
        return scale * self.drift, scale[:, None] * covariance * scale


CHANNELS = {"loss": ("sm", loss), "pump": ("sp", pump), "dephasing": ("sz", dephasing)}


def table_one(name, rng):
    spin = wf.Spin(name="spin")
    letter, formula = CHANNELS[name]
    model = wf.Model(None, [wf.Jump(getattr(spin, letter), DOWN)], initial={spin: wf.up})
    s = rng.normal(size=(1, 3))
    hand = ByHand(1)
    hand.add(0, formula(s[0], DOWN))
    return model, s, np.zeros(0), hand


def driven_spin(rng):
    """Eqs. (18)-(20)."""
    spin = wf.Spin(name="spin")
    model = wf.Model(0.7 * spin.sx, [wf.Jump(spin.sm, DOWN)], initial={spin: wf.down})
    s = rng.normal(size=(1, 3))
    hand = ByHand(1)
    hand.add(0, loss(s[0], DOWN))
    hand.drift += [0, -1.4 * s[0, 2], 1.4 * s[0, 1]]
    return model, s, np.zeros(0), hand


def tavis_cummings(rng, N=4):
    """Eqs. (29)-(32)."""
    spins = [wf.Spin(name=f"s{k}") for k in range(N)]
    mode = wf.Mode(name="mode")
    omega, eps, g = 0.3, 0.5, 0.8
    H = omega * mode.n + sum(eps / 2 * s.sz for s in spins)
    H = H + sum(g / np.sqrt(N) * (mode.adag * s.sm + mode.a * s.sp) for s in spins)
    jumps = [wf.Jump(mode.a, LOSS), *(wf.Jump(s.sm, DOWN) for s in spins)]
    jumps += [wf.Jump(s.sp, UP) for s in spins]
    model = wf.Model(H, jumps, initial={**{s: wf.down for s in spins}, mode: wf.vacuum})
    s, a = rng.normal(size=(N, 3)), complex(*rng.normal(size=2))
    hand, c = ByHand(N, mode=True), g / np.sqrt(N)
    for i, (x, y, z) in enumerate(s):
        for part in (loss(s[i], DOWN), pump(s[i], UP)):
            hand.add(i, part)
        change = [-eps * y - 2 * c * z * a.imag, eps * x - 2 * c * z * a.real]
        hand.drift[3 * i : 3 * i + 2] += change
        hand.drift[3 * i + 2] += 4 * c * (a * (x + 1j * y) / 2).imag
    minus = (s[:, 0] - 1j * s[:, 1]).sum() / 2
    da = -1j * omega * a - 1j * c * minus - LOSS / 2 * a
    hand.drift[-2:] = da.real, da.imag
    for unit in np.eye(hand.n)[-2:]:  # xi/2 with <xi xi^*> = 2 kappa
        hand.columns.append(np.sqrt(LOSS) / 2 * unit)
    return model, s, np.array([a.real, a.imag]), hand


def central_spin(rng, N=4):
    """Eqs. (38)-(43); the central spin comes first."""
    tau, spins = wf.Spin(name="tau"), [wf.Spin(name=f"s{k}") for k in range(N)]
    omega, eps, g = 0.3, 0.5, 0.8
    H = omega / 2 * tau.sz + sum(eps / 2 * s.sz for s in spins)
    H = H + sum(g / np.sqrt(N) * (tau.sp * s.sm + tau.sm * s.sp) for s in spins)
    jumps = [wf.Jump(tau.sm, LOSS), *(wf.Jump(s.sm, DOWN) for s in spins)]
    jumps += [wf.Jump(s.sp, UP) for s in spins]
    model = wf.Model(H, jumps, initial={tau: wf.up, **{s: wf.down for s in spins}})
    s = rng.normal(size=(N + 1, 3))
    hand, c = ByHand(N + 1), g / np.sqrt(N)
    tx, ty, tz = s[0]
    X, Y = s[1:, 0].sum(), s[1:, 1].sum()
    hand.add(0, loss(s[0], LOSS))
    hand.drift[:3] += [-omega * ty + c * tz * Y, omega * tx - c * tz * X, c * (ty * X - tx * Y)]
    for i, (x, y, z) in enumerate(s[1:], 1):
        for part in (loss(s[i], DOWN), pump(s[i], UP)):
            hand.add(i, part)
        hand.drift[3 * i : 3 * i + 3] += [
            -eps * y + c * ty * z,
            eps * x - c * tx * z,
            c * (tx * y - ty * x),
        ]
    return model, s, np.zeros(0), hand


def rydberg_ring(rng, N=5):
    """Eqs. (46)-(48), with s^x and s^y of (48) in their places."""
    ring = wf.Spin(name="ring", count=N)
    omega, J = 0.7, 1.1
    H = omega * ring.sx.sum() + J / 2 * ring.sz.sum()
    H = H + J / 8 * wf.couple(ring.sz, wf.NearestNeighbour(periodic=True), ring.sz)
    jumps = [wf.Jump(ring.sm, DOWN), wf.Jump(ring.sz, DEPHASING)]
    model = wf.Model(H, jumps, initial={ring: wf.down})
    s = rng.normal(size=(N, 3))
    hand = ByHand(N)
    for i, (x, y, z) in enumerate(s):
        hand.add(i, loss(s[i], DOWN))
        hand.add(i, dephasing(s[i], DEPHASING))
        field = J / 2 * (2 + s[i - 1, 2] + s[(i + 1) % N, 2])
        hand.drift[3 * i : 3 * i + 3] += [
            -field * y,
            field * x - 2 * omega * z,
            2 * omega * y,
        ]
    return model, s, np.zeros(0), hand


def correlated_chain(rng, N=4):
    """Eq. (56), J_ii = 0, with a real matrix of rates and noise (57)."""
    chain = wf.Spin(name="chain", count=N)
    omega_z, omega = 0.3, 0.7
    K = rng.normal(size=(N, N))
    K = K + K.T
    np.fill_diagonal(K, 0)
    G = rng.normal(size=(N, N))
    G = G @ G.T / N
    H = omega_z * chain.sz.sum() + omega * chain.sx.sum() + wf.couple(chain.sp, K, chain.sm)
    model = wf.Model(H, [wf.Jump(chain.sm, G)], initial={chain: wf.up})
    s = rng.normal(size=(N, 3))
    hand = ByHand(N)
    x, y, z = s.T
    dx = -2 * omega_z * y + z * (K @ y) + z * (G @ x) / 2
    dy = 2 * omega_z * x - 2 * omega * z - z * (K @ x) + z * (G @ y) / 2
    dz = 2 * omega * y + y * (K @ x) - x * (K @ y) - (x * (G @ x) + y * (G @ y)) / 2
    hand.drift = np.stack([dx, dy, dz], axis=1).ravel()
    zero = np.zeros(N)
    for f in np.linalg.cholesky(G).T:
        hand.columns.append(np.stack([f * z, zero, -f * x], axis=1).ravel())
        hand.columns.append(np.stack([zero, f * z, -f * y], axis=1).ravel())
    return model, s, np.zeros(0), hand


MODELS = {
    **{f"Table I, {k}": lambda rng, k=k: table_one(k, rng) for k in CHANNELS},
    "(18)-(20)": driven_spin,
    "(29)-(32)": tavis_cummings,
    "(38)-(43)": central_spin,
    "(46)-(48)": rydberg_ring,
    "(56)": correlated_chain,
}


def compare(derived, hand):
    for got, want, tolerance in zip(derived, hand, (2e-6, 2e-5), strict=True):
        assert np.abs(got - want).max() < tolerance * (1 + np.abs(want).max())


@pytest.mark.parametrize("name", MODELS)
def test_the_kernel_steps_the_printed_equations(name):
    for number in range(3):
        model, s, a, hand = MODELS[name](np.random.default_rng([97, number]))
        derived = by_kernel(model, np.concatenate([s.ravel() / 2, a]))
        compare(derived, hand.scaled(len(s)))


def test_the_slip_of_48_is_seen():
    rng = np.random.default_rng(98)
    model, s, a, hand = rydberg_ring(rng)
    for i, (x, y, _) in enumerate(s):
        hand.drift[3 * i + 2] += DOWN / 2 * (x**2 + y**2) - DOWN * x * y
    with pytest.raises(AssertionError):
        compare(by_kernel(model, np.concatenate([s.ravel() / 2, a])), hand.scaled(len(s)))


# ---------------------------------------------------------------------------- the text


def names_of(model):
    """Names of the variables in the order of the state, as ``equations`` writes them."""
    out = []
    for sub in model.subsystems:
        prefix = "" if len(model.subsystems) == 1 else f"{sub.name}."
        out += [
            prefix + x for x in (("Re a", "Im a") if sub.kind == "mode" else ("Jx", "Jy", "Jz"))
        ]
    return out


def value(expression, names, state):
    """A sum of products as ``equations`` prints it."""
    for k in sorted(range(len(names)), key=lambda k: -len(names[k])):
        expression = expression.replace(names[k], f"V{k}")
    text = re.sub(r" ([+-]) ", r";\1", expression)
    total = 0.0
    for term in text.split(";"):
        sign, product = (-1.0 if term.startswith("-") else 1.0), 1.0
        for token in term.lstrip("+-").split():
            product *= state[int(token[1:])] if token.startswith("V") else float(token)
        total += sign * product
    return total


def by_text(model, state):
    names = names_of(model)
    lines = [line for line in model.equations().splitlines() if line.startswith("d ")]
    assert [line[2:].split(" = ")[0] for line in lines] == names
    drift, noise = np.zeros(len(names)), {}
    for k, line in enumerate(lines):
        parts = re.findall(r"\(([^()]*)\) (dt|dW\d+,\d)", line)
        assert parts or line.endswith(" = 0")
        for expression, what in parts:
            v = value(expression, names, state)
            if what == "dt":
                drift[k] += v
            else:
                noise.setdefault(what, np.zeros(len(names)))[k] += v
    return drift, sum(np.outer(c, c) for c in noise.values())


@pytest.mark.parametrize("name", [n for n in MODELS if n not in ("(46)-(48)", "(56)")])
def test_the_text_says_the_printed_equations(name):
    model, s, a, hand = MODELS[name](np.random.default_rng(99))
    compare(by_text(model, np.concatenate([s.ravel() / 2, a])), hand.scaled(len(s)))
