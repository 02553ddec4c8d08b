r"""Photon statistics of output fields, ``wf.photons``.

The field behind a jump L of plain rate r, with the increments of the trajectories' own noise,

.. math:: dB_\mathrm{in} = \tfrac i2 dW^*, \qquad dB_\mathrm{out} = dB_\mathrm{in} + \sqrt r\,l\,dt.

A bin of width w holds the mode :math:`c = w^{-1/2}\int dB_\mathrm{out}`. Output fields at all times
commute up to the delta function, so Wigner moments of bins give time-ordered, normally ordered
ones without response kicks:

.. math:: \langle c^\dagger c\rangle = \overline{|c|^2} - \tfrac12, \qquad
   \langle c_1^\dagger c_2^\dagger c_2 c_1\rangle =
   \overline{(|c_1|^2 - \tfrac12)(|c_2|^2 - \tfrac12)}.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..estimate import check_memory
from ..exact import counting
from ..exact.engine import Exact
from ..method import AnyMethod, Precision
from ..model.model import Model
from ..model.operators import Op
from ..model.outputs import Output
from ..model.pulses import refuse_pulses
from ..model.subsystems import Ensemble, Spin
from ..phasespace.twa import TWA
from ..run.statistics import BATCHES
from ..solving import check_treats, resolve_method, watching
from ..solving.options import truncation_of
from ..solving.solve import spared
from .photon_errors import exact_counts
from .photon_runs import Run
from .photon_values import Photons
from .relaxation import check_failed, request_of
from .steady_state import time_to_rest
from .truncations import time_limit, warn

#: Two-level emitters below which antibunching matters, which trajectories do not have.
FEW = 10
#: Products of different modes up to which they count as orthogonal.
OVERLAP = 1e-6
FEWER = "take fewer or wider bins"


@_check.called("wf.photons(model, {'out': jump}, bins=np.linspace(0, 5, 31))")
def photons(
    model: Model,
    outputs: Any,
    *,
    bins: Any = None,
    modes: Any = None,
    width: float | None = None,
    window: float | None = None,
    t: float | str = 0.0,
    relax: float | None = None,
    method: AnyMethod = "twa",
    estimator: str = "flux",
    g1: bool = True,
    g2: bool = True,
    ntraj: int = 1000,
    seed: int | None = None,
    dt: float | None = None,
    precision: Precision = "single",
    threads: int | None = None,
    truncation: bool | str | None = None,
    progress: bool = True,
) -> Photons:
    r"""Photon statistics of output fields in bins of time, with jackknife errors.

    Args:
        model: the master equation; its initial state holds at time 0.
        outputs: a :class:`wignerflow.Output`, or a dict of them by name; a jump stands for its
            output.
        bins: edges of the bins, ascending from 0 or later, shape (B + 1,); or
        modes: amplitudes u of K modes over the bins, (K, B), each normalised here. ``n``, ``g1``
            and ``g2`` are then those of the modes :math:`\sum_j u_j^*c_j`, with K for B. They may
            overlap for n and g1, not for g2 (``g2=False``); "exact" has no g2 of them.
        width, window: width of all bins and length of time; in the steady state the longest delay.
        t: start of the window, or "steady" for the steady state that the initial state reaches:
            every trajectory is then averaged over as many origins as there are delays.
        relax: time after which trajectories count as steady; None detects it.
        method: "twa" (or ``wf.TWA(...)``), or "exact": one linear equation, see
            ``exact.counting``.
        estimator: of g2 between different bins: "flux" takes the later factor from the symbol of
            :math:`b^\dagger b`, integrated over the bin, which has by far the smaller errors where
            bins hold few photons; "bins" takes both from the modes of their bins.
        g1, g2: leave out (False) what is not wanted: sums of B^2 numbers per pair of outputs.
        ntraj: trajectories, at least 64.
        seed, dt, precision, threads: as in :func:`wignerflow.solve`. ``dt=None`` chooses the step
            by a pilot run; bins end at steps.
        truncation: as in :func:`wignerflow.solve`; from the exact chain only, where that is quick.
        progress: as in :func:`wignerflow.solve`.

    Returns:
        :class:`Photons`, with methods ``n``, ``flux``, ``g1``, ``g2``, ``modes``, ``spectrum``,
        ``quadrature`` and ``number``, each by name of an output.

    Ctrl-C ends it with the trajectories that are done, once there are any: ``stats`` says so under
    "stopped_because".

    Every moment states the error of the method itself, ``.truncation``, and that of the step,
    ``.step_error``: twice the difference between two shorter runs, one with half the step. They are
    NaN where there is nothing to compare with: the exact chain takes long, or ``dt`` was given.
    ``stats["truncation"]`` and ``stats["step_error"]`` say what they rest on.

    A bin counts one mode, not photons: it holds all of them only where it is short. Take the widths
    of bins below half a cycle of everything that the light does; ``stats["in_modes"]`` is the part
    of the photons that the modes hold. Trajectories know no antibunching of single emitters.

    Where H and all jumps only turn excitations into photons, and the outputs hold all that leaves,
    ``stats["balance"]`` is the root mean square over trajectories of what is missing in their
    energy at the last edge, in photons: an error of the step.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement; the method has no output
            fields; a superposition has a norm above 1 or holds jumps of another model; more than
            1 % of the trajectories failed.

    References:
        Gardiner and Collett, Phys. Rev. A 31, 3761 (1985), Eqs. (2.22) and (4.7).

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> atoms = wf.Ensemble(100, name="atoms")
        >>> emission = wf.Jump(atoms.Jm, 1.0)
        >>> model = wf.Model(jumps=[emission], initial={atoms: wf.up})
        >>> light = wf.photons(model, emission, bins=np.linspace(0, 0.06, 5), method="exact")
        >>> light.g2().value.shape
        (4, 4)
    """
    if not isinstance(model, Model):
        _check.fail("model", "be a wf.Model", model, kind=TypeError)
    refuse_pulses(model, "photon statistics")
    named = _outputs(outputs, model)
    engine = resolve_method(method)
    check_treats(engine, model)
    edges, steady = _edges(bins, width, window, t)
    shapes = _shapes(modes, edges, steady, g2)
    _check.one_of("estimator", estimator, ["flux", "bins"])
    request = request_of(ntraj, seed, dt, precision, threads)
    wanted = truncation_of(truncation)
    if relax is not None:
        _check.positive("relax", relax)
        if not steady:
            _check.fail("relax", "be None without t='steady'", relax)
    origins = 1 if steady else edges.size - 1
    need = 16.0 * len(named) ** 2 * (edges.size - 1) * (2 + g1 * origins + g2 * origins / 2)
    need *= 1 if isinstance(engine, Exact) else BATCHES
    check_memory(need, f"Statistics of {edges.size - 1} bins", FEWER)
    begin = time.perf_counter()
    if isinstance(engine, Exact):
        fields = [o.operator() for o in named.values()]
        with watching("photons", told=progress):
            given: dict[str, Any] = {"engine": engine.choose(model)[0], "rtol": engine.rtol}
            given |= {"g1": g1 or shapes is not None, "g2": g2 and shapes is None}
            found = counting.count(model, fields, edges, steady, memory=engine.memory, **given)
        for message in found.facts.get("warnings", ()):
            _check.warn(message)
        stats = {**found.facts, "wall_time": time.perf_counter() - begin}
        stats["truncation"] = "none: the method is exact"
        facts = (tuple(named), edges, steady, engine.name, estimator)
        return Photons(*facts, stats=stats, shapes=shapes, counts=found)
    if not isinstance(engine, TWA):
        must = f"Method {engine!r} has no output fields"
        raise ValueError(f"{must}; use 'twa' or 'exact', or wf.Flux in `e_ops`.")
    plain = engine.form == "bloch" and engine.noise == "gaussian"
    if engine.scheme not in ("auto", "splitting") or not plain:
        must = 'have scheme="splitting", form="bloch" and noise="gaussian" for output fields'
        _check.fail("method", must, engine)
    with watching("photons", told=False, shown=progress):
        if steady:
            bins_ = edges.size - 1
            start = _relaxed(model, named, engine, request.seed, relax)
            edges = start + edges[1] * np.arange(2 * bins_ + 1)
        run = Run(model, engine, list(named.values()), edges, request, shapes)
        if run.infinite or run.ways:
            estimator = "bins"
        sums = run.sums(estimator == "flux", g1, g2, steady)
        count, stopped = run.done, run.stopped
        failed = count - round(sums.count.sum())
        check_failed(failed, count)
        stats = {**run.facts, "failed": failed, "stopped_because": stopped, "warnings": []}
        out = Photons(
            tuple(named), edges, steady, engine.name, estimator, count, request.seed, run.dt,
            stats, shapes, sums, infinite=run.infinite,
        )  # fmt: skip
        out.references.coarse, out.references.fine = run.pair(out)
    out.stats["wall_time"] = time.perf_counter() - begin
    if wanted and out.stats["step_error"] == "nothing: interrupted":
        out.stats["truncation"] = "nothing: interrupted"
    elif wanted:
        pairs = (g1, g2) if shapes is None else (True, False)
        _compare(out, model, list(named.values()), pairs, wanted == "full")
    _warn(out, model, named)
    return out


def _compare(
    out: Photons, model: Model, outputs: list[Output], pairs: tuple[bool, bool], full: bool
) -> None:
    """State the error of the method by the exact chain, and warn where it is large."""
    until, edges = time_limit(full, out.stats["wall_time"]), out.edges
    if out.steady:
        edges = edges[: edges.size // 2 + 1] - edges[0]
    known = None
    out.stats["truncation"] = "nothing: there is no exact chain, or none that is quick"
    with spared(out.stats):
        known = exact_counts(model, outputs, edges, out.steady, pairs, until)
    if known is None:
        return
    out.stats["truncation"] = "the exact chain"
    facts = (out.names, edges, out.steady, "exact", out.estimator)
    out.references.exact = Photons(*facts, shapes=out.shapes, counts=known)
    if out.shapes is not None and known.g1 is None:
        out.stats["truncation"] = "nothing: the exact chain of modes is not quick"
        return
    label = "n" if out.infinite or out.shapes is not None else "flux"
    every = {f"{label}({name})": getattr(out, label)(name) for name in out.names}
    value, sem, own = (
        {k: getattr(m, x) for k, m in every.items()} for x in ("value", "sem", "truncation")
    )
    warn(out.stats, value, sem, own, None if out.steady else out.times)


def _outputs(outputs: Any, model: Model) -> dict[str, Output]:
    items = outputs if isinstance(outputs, Mapping) else {"": outputs}
    named = {}
    for name, value in items.items():
        output = value if isinstance(value, Output) else Output(value)
        argument = f"outputs[{name!r}]" if name else "outputs"
        output.check(argument, model)
        named[str(name)] = output.on(model)
        named[str(name)].check(argument)
    if not named:
        _check.fail("outputs", "hold at least one output", outputs)
    return named


def _edges(bins: Any, width: Any, window: Any, t: Any) -> tuple[NDArray[np.float64], bool]:
    """Edges of the bins, from the start of the window in the steady state."""
    steady = isinstance(t, str)
    if isinstance(t, str):
        _check.one_of("t", t, ["steady"])
    start = 0.0 if isinstance(t, str) else _check.real("t", t)
    if bins is None:
        if width is None or window is None:
            _check.fail("bins", "be given, or both `width` and `window`", None)
        w = _check.positive("width", width)
        ratio = min(_check.positive("window", window) / w, 1e300)
        check_memory(16.0 * ratio, f"Statistics of {ratio:.3g} bins", FEWER)
        number = max(1, math.ceil(ratio - 1e-9))
        edges = start + w * np.arange(number + 1)
    else:
        if steady or start != 0 or width is not None or window is not None:
            _check.fail("bins", "be left out where `t`, `width` or `window` are given", bins)
        edges = _check.numeric_array("bins", bins, float)
        if edges.ndim != 1 or edges.size < 2 or np.any(np.diff(edges) <= 0):
            _check.fail("bins", "be ascending edges, of shape (B + 1,)", bins)
    if edges[0] < 0:
        argument = "t" if bins is None else "bins"
        _check.fail(argument, "begin at 0, where the initial state holds, or later", edges[0])
    return np.asarray(edges, float), steady


def _shapes(
    modes: Any, edges: NDArray[np.float64], steady: bool, g2: bool
) -> NDArray[np.complex128] | None:
    """Amplitudes of modes over bins, each of norm one."""
    if modes is None:
        return None
    if steady:
        _check.fail("modes", "be None in the steady state", _check.Note("given"))
    u = np.atleast_2d(_check.numeric_array("modes", modes, complex))
    if u.ndim != 2 or u.shape[1] != edges.size - 1 or len(u) == 0:
        must = f"have shape (K, {edges.size - 1}), an amplitude for each bin"
        _check.fail("modes", must, _check.Note(f"of shape {np.shape(modes)}"))
    norms = np.linalg.norm(u, axis=1)
    if np.any(norms == 0):
        _check.fail("modes", "not be zero everywhere", _check.Note(f"number {np.argmin(norms)}"))
    u = np.asarray(u / norms[:, None], complex)
    overlaps = np.abs(u @ u.conj().T - np.eye(len(u)))
    if g2 and overlaps.max() > OVERLAP:
        j, k = np.unravel_index(int(np.argmax(overlaps)), overlaps.shape)
        was = _check.Note(f"an overlap of {overlaps[j, k]:.3g} of numbers {j} and {k}")
        _check.fail("modes", "be orthogonal for g2", was, "Leave g2 out: `g2=False`.")
    return u


def _relaxed(
    model: Model, named: dict[str, Output], engine: TWA, seed: int, relax: float | None
) -> float:
    """Time from which the steady state holds."""
    if model.coefficients:
        raise ValueError("A steady state needs a model that is constant in time; give `bins`.")
    if relax is not None:
        return float(relax)
    jumps = {jump: None for o in named.values() for jump, _ in o.terms}
    ops: dict[str, Any] = {}
    for k, jump in enumerate(jumps):
        n = jump.op.dag() * jump.op  # type: ignore[operator]
        ops[str(k)] = n if isinstance(n, Op) else n.sum()
    return time_to_rest(model, ops, engine, seed)


def _warn(out: Photons, model: Model, named: dict[str, Output]) -> None:
    subs = {s for o in named.values() for jump, _ in o.terms for s in jump.op.subsystems}
    small = [
        model.names[s]
        for s in sorted(subs, key=lambda s: model.names[s])
        if isinstance(s, Spin) or (isinstance(s, Ensemble) and int(np.min(s.numbers)) < FEW)
    ]
    if small and out.has_g2:
        _check.warn(
            f"Trajectories have no antibunching of single emitters: g2 of light from "
            f"{', '.join(map(repr, small))}, fewer than {FEW} emitters, may be wrong; "
            "compare with method='exact'.",
        )
    for name in named if out.has_g2 else ():
        g2 = out.g2(name)
        with np.errstate(invalid="ignore"):
            below = g2.value < -2 * g2.sem
        if np.any(below):
            _check.warn(
                f"g2 of {name or 'the output'!r} is negative by more than 2 standard errors in "
                f"{int(below.sum())} places: light that trajectories cannot describe.",
            )
