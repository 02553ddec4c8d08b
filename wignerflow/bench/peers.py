r"""The superradiant laser as others would write it: JAX, diffrax, NumPy.

All three integrate the same equation as the library, in Stratonovich form and with a plain Heun
step (collective decay of rate r, local pump of rate g, five real noises, Gamma = 1):

.. math::
    dJ_x &= (r J_x J_z - g J_x/2)\,dt + \sqrt r J_z\, dW_2 + a\, dW_3 \\
    dJ_y &= (r J_y J_z - g J_y/2)\,dt - \sqrt r J_z\, dW_1 + a\, dW_4 \\
    dJ_z &= (-r(J_x^2+J_y^2) + g(N/2 - J_z) + 3g/4)\,dt + \sqrt r (J_y dW_1 - J_x dW_2)
            - \frac{g}{2a}(J_x dW_3 + J_y dW_4) + s\, dW_5

with :math:`a^2 = Ng/4` and :math:`s^2 = g(N/2 - J_z) - g(J_x^2+J_y^2)/N` (zero where negative);
3g/4 is the Itô correction of the local noise. Single precision; initial values Gaussian.

And what one plot costs here and elsewhere, the superradiant burst of N = 1000 to one precision.
The emission of the laser of ``precision``, all outputs to the same standard error. Peers that
integrate trajectories are given as many as plain ones of the library need, and no
more steps than those take, although a Heun step is less accurate than the splitting; a part of that
work is timed. QuTiP's Monte Carlo solver holds 2^N amplitudes and runs N = 10, its solver for
permutation-invariant emitters N = 100, exactly. Seconds are those of processors.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from .precision import row
from .report import Entry, Section, measure

PUMP = 0.25


@dataclass(frozen=True)
class Job:
    """What a peer has to do: all trajectories, all steps, mean emission / N^2 at the end."""

    N: int
    ntraj: int
    steps: int
    scaled_time: float
    threads: int

    @property
    def dt(self) -> float:
        """The step."""
        return self.scaled_time / self.N / self.steps

    @property
    def work(self) -> int:
        """Trajectory-steps."""
        return self.ntraj * self.steps


Runner = Callable[[], float]


def _increments(job: Job, xp: Any) -> Callable[..., tuple[Any, Any, Any]]:
    """Increments of J_x, J_y, J_z by a step with noise increments w, in NumPy or jax.numpy."""
    N, g = np.float32(job.N), np.float32(PUMP * job.N)
    h, a, half = np.float32(job.dt), np.float32(np.sqrt(N * g / 4)), np.float32(0.5)

    def slope(x: Any, y: Any, z: Any, w: Any) -> tuple[Any, Any, Any]:
        q = x * x + y * y
        s = xp.sqrt(xp.maximum(g * (N * half - z) - g / N * q, 0))
        dx = (x * z - half * g * x) * h + z * w[1] + a * w[2]
        dy = (y * z - half * g * y) * h - z * w[0] + a * w[3]
        drift = g * (N * half - z + np.float32(0.75)) - q
        dz = drift * h + y * w[0] - x * w[1] - g / (2 * a) * (x * w[2] + y * w[3]) + s * w[4]
        return dx, dy, dz

    return slope


def numpy_runner(job: Job) -> Runner:
    """Arrays over trajectories, in blocks that fit into a cache, one thread per core."""
    N, half, block = np.float32(job.N), np.float32(0.5), 2048
    root, slope = np.float32(np.sqrt(job.dt)), _increments(job, np)

    def part(index: int) -> float:
        rng = np.random.default_rng([7, index])
        n = min(block, job.ntraj - index * block)
        x, y = (rng.standard_normal((2, n), np.float32) * np.sqrt(N / 4)).astype(np.float32)
        z = np.full(n, N / 2, np.float32)
        for _ in range(job.steps):
            w = rng.standard_normal((5, n), np.float32)
            w *= root
            k1 = slope(x, y, z, w)
            k2 = slope(x + k1[0], y + k1[1], z + k1[2], w)
            x = x + half * (k1[0] + k2[0])
            y = y + half * (k1[1] + k2[1])
            z = z + half * (k1[2] + k2[2])
        return float(np.sum(x * x + y * y + z, dtype=float))

    def run() -> float:
        with ThreadPoolExecutor(job.threads) as pool:
            total = sum(pool.map(part, range(-(-job.ntraj // block))))
        return total / job.ntraj / job.N**2

    return run


def _vector_fields(job: Job) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Drift (3,) and noise matrix (3, 5) of one trajectory, in jax.numpy."""
    import jax.numpy as jnp

    N, g = float(job.N), PUMP * job.N
    a = float(np.sqrt(N * g / 4))

    def drift(t: Any, y: Any, args: Any) -> Any:
        x, y_, z = y
        q = x * x + y_ * y_
        return jnp.stack([x * z - g * x / 2, y_ * z - g * y_ / 2, g * (N / 2 - z + 0.75) - q])

    def noise(t: Any, y: Any, args: Any) -> Any:
        x, y_, z = y
        s = jnp.sqrt(jnp.maximum(g * (N / 2 - z) - g / N * (x * x + y_ * y_), 0))
        o, c = jnp.zeros_like(x), g / (2 * a)
        rows = [[o, z, o + a, o, o], [-z, o, o, o + a, o], [y_, -x, -c * x, -c * y_, s]]
        return jnp.stack([jnp.stack(row) for row in rows])

    return drift, noise


def _start(job: Job, key: Any) -> Any:
    import jax
    import jax.numpy as jnp

    xy = jax.random.normal(key, (2, job.ntraj)) * np.float32(np.sqrt(job.N / 4))
    return jnp.concatenate([xy, jnp.full((1, job.ntraj), job.N / 2, jnp.float32)])


def jax_runner(job: Job) -> Runner:
    """``lax.scan`` over steps of all trajectories together (threefry normals)."""
    import jax
    import jax.numpy as jnp

    root, slope = np.float32(np.sqrt(job.dt)), _increments(job, jnp)

    def heun(y: Any, w: Any) -> Any:
        """A step of one trajectory."""
        k1 = jnp.stack(slope(*y, w))
        return y + (k1 + jnp.stack(slope(*(y + k1), w))) / 2

    every = jax.vmap(heun, in_axes=1, out_axes=1)

    @jax.jit
    def simulate(key: Any) -> Any:
        first, second = jax.random.split(key)

        def step(carry: Any, key: Any) -> tuple[Any, None]:
            w = jax.random.normal(key, (5, job.ntraj), jnp.float32) * root
            return every(carry, w), None

        y, _ = jax.lax.scan(step, _start(job, first), jax.random.split(second, job.steps))
        return jnp.mean(y[0] ** 2 + y[1] ** 2 + y[2])

    key = jax.random.key(7)
    return lambda: float(simulate(key)) / job.N**2


def diffrax_runner(job: Job) -> Runner:
    """``diffrax.diffeqsolve`` under ``vmap``: Heun, constant steps, ``UnsafeBrownianPath``."""
    import diffrax
    import jax
    import jax.numpy as jnp

    drift, noise = _vector_fields(job)
    end = np.float32(job.scaled_time / job.N)

    def one(y: Any, key: Any) -> Any:
        path = diffrax.UnsafeBrownianPath(shape=(5,), key=key)
        terms: Any = diffrax.MultiTerm(diffrax.ODETerm(drift), diffrax.ControlTerm(noise, path))
        solution = diffrax.diffeqsolve(
            terms,
            diffrax.Heun(),
            t0=np.float32(0),
            t1=end,
            dt0=np.float32(job.dt),
            y0=y,
            saveat=diffrax.SaveAt(t1=True),
            adjoint=diffrax.DirectAdjoint(),
            max_steps=job.steps + 1,
        )
        return solution.ys[0]

    @jax.jit
    def simulate(key: Any) -> Any:
        first, second = jax.random.split(key)
        y = jax.vmap(one)(_start(job, first).T, jax.random.split(second, job.ntraj))
        return jnp.mean(y[:, 0] ** 2 + y[:, 1] ** 2 + y[:, 2])

    key = jax.random.key(7)
    return lambda: float(simulate(key)) / job.N**2


#: Package, what runs, and its runner.
PEERS: dict[str, tuple[str, Callable[[Job], Runner]]] = {
    "jax": ("JAX, lax.scan over vmapped trajectories", jax_runner),
    "diffrax": ("diffrax, Heun, UnsafeBrownianPath", diffrax_runner),
    "numpy": ("NumPy, vectorised over trajectories", numpy_runner),
}


# ---------------------------------------------------------------- waiting for one plot

LASER = "superradiant laser, N = 1000"
STEPS, TRAJECTORIES = 480, 8192  # of the part that is timed


def section(quick: bool) -> Section:
    """Seconds to the same standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = row(LASER)
        entries = [
            _entry("ours", "wignerflow, everything automatic", ours.seconds),
            _entry("plain", "  plain trajectories", ours.plain_seconds),
        ]
        job = Job(1000, TRAJECTORIES // (4 if quick else 1), STEPS, 6.0, 1)
        for package, (what, make) in PEERS.items():
            if importlib.util.find_spec(package) is not None:
                run = make(job)
                run()  # compiles
                each = min(measure(run).cpu for _ in range(1 if quick else 3)) / job.work
                entries.append(_entry(package, what, each * ours.plain))
        if importlib.util.find_spec("qutip") is not None:
            entries.append(_entry("mcsolve", "QuTiP, mcsolve, N = 10", mcsolve(ours.target, quick)))
            N = 40 if quick else 100
            entries.append(_entry("piqs", f"QuTiP, piqs, N = {N}, exact", piqs(N)))
    return Section(
        "Waiting for one plot",
        entries,
        f"Emission of a superradiant burst at 101 times, N = 1000 where nothing else is said, to a "
        f"standard error of {ours.target:.2g} of its largest value; seconds of processors, those "
        "of others from a part of the work. Step error here: "
        f"{ours.step_error:.1g} of the largest value.",
    )


def _entry(key: str, what: str, seconds: float) -> Entry:
    return Entry(f"wait_{key}", what, seconds, "s")


def mcsolve(target: float, quick: bool, N: int = 10) -> float:
    """Seconds that QuTiP's quantum trajectories of N emitters take to a relative error."""
    import qutip

    def one(op: Any, n: int) -> Any:
        return qutip.tensor([op if k == n else qutip.qeye(2) for k in range(N)])

    lower = [one(qutip.sigmam(), n) for n in range(N)]
    collective = sum(lower[1:], lower[0])
    jumps = [collective, *(np.sqrt(PUMP * N) * a.dag() for a in lower)]
    up = qutip.tensor([qutip.basis(2, 0)] * N)
    times = np.linspace(0, 20 / N, 101)
    runs = 8 if quick else 32
    options = {"progress_bar": "", "map": "serial", "keep_runs_results": True}
    begin = time.process_time()
    found = qutip.mcsolve(
        0 * lower[0], up, times, c_ops=jumps, e_ops=[collective.dag() * collective], ntraj=runs,
        options=options,
    )  # fmt: skip
    spent = time.process_time() - begin
    values = np.real(np.array(found.runs_expect[0]))
    error = values.std(axis=0, ddof=1).max() / np.sqrt(runs) / values.mean(axis=0).max()
    return float(spent * (error / target) ** 2)


def piqs(N: int) -> float:
    """Seconds of the populations of N emitters by QuTiP's permutation-invariant solver."""
    from qutip import piqs as solver

    system = solver.Dicke(N=N, collective_emission=1.0, pumping=PUMP * N)
    start = solver.excited(N, basis="dicke")
    return measure(lambda: system.pisolve(start, np.linspace(0, 20 / N, 101))).cpu
