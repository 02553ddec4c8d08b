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
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..estimate import check_memory
from ..exact import counting
from ..exact.engine import Exact
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..method import AnyMethod, Precision
from ..model.model import Model
from ..model.operators import Op
from ..model.outputs import Output, written_out
from ..model.pulses import refuse_pulses
from ..model.subsystems import Ensemble, Spin
from ..phasespace.fields import FieldParts, attach, attach_ports, port
from ..phasespace.polynomials import Poly
from ..phasespace.symbols import SymbolMap
from ..phasespace.system import RECORDS, PhaseSpaceSystem
from ..phasespace.twa import TWA
from ..run.driver import Request, prepare
from ..run.record import Seen, folded
from ..run.statistics import BATCHES
from ..solving import (
    FAILED_LIMIT,
    check_treats,
    resolve_method,
    seed_of,
    threads_of,
    trajectories_of,
)
from .balance import balanced, defect
from .photon_loops import arranged
from .photon_sums import ADDED, AT_HAND, GROUPS, Bins, Commutators, Sums
from .photon_values import Data, Photons, from_counts, from_sums
from .steady_state import steady_state
from .ways import several_ways

#: Two-level emitters below which antibunching matters, which trajectories do not have.
FEW = 10
FEWER = "take fewer or wider bins"


def photons(
    model: Model,
    outputs: Any,
    *,
    bins: Any = None,
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
) -> Photons:
    r"""Photon statistics of output fields in bins of time, with jackknife errors.

    Args:
        model: the master equation; its initial state holds at time 0.
        outputs: a :class:`wignerflow.Output`, or a dict of them by name; a jump stands for its
            output.
        bins: edges of the bins, ascending from 0 or later, shape (B + 1,); or
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

    Returns:
        :class:`Photons`, with methods ``n``, ``flux``, ``g1``, ``g2``, ``modes``, ``spectrum``,
        ``quadrature`` and ``number``, each by name of an output.

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
    _check.one_of("estimator", estimator, ["flux", "bins"])
    count = trajectories_of(ntraj, 2 * BATCHES)
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
        found = counting.count(
            model, fields, edges, steady, g1=g1, g2=g2, rtol=engine.rtol, memory=engine.memory
        )
        data = Data(tuple(named), edges, steady, engine.name, estimator)
        for message in found.facts.get("warnings", ()):
            warnings.warn(message, UserWarning, stacklevel=2)
        data.stats = {**found.facts, "wall_time": time.perf_counter() - begin}
        return from_counts(found, data)
    if not isinstance(engine, TWA):
        must = f"Method {engine!r} has no output fields"
        raise ValueError(f"{must}; use 'twa' or 'exact', or wf.Flux in `e_ops`.")
    if (
        engine.scheme not in ("auto", "splitting")
        or engine.form != "bloch"
        or engine.noise != "gaussian"
    ):
        must = 'have scheme="splitting", form="bloch" and noise="gaussian" for output fields'
        _check.fail("method", must, engine)
    number = seed_of(seed)
    single = _check.one_of("precision", precision, ["single", "double"]) == "single"
    workers = threads_of(threads)
    step = None if dt is None else _check.positive("dt", dt)
    request = Request(count, number, single, workers, dt=step)
    if steady:
        bins_ = edges.size - 1
        start = _relaxed(model, named, engine, number, relax)
        edges = start + edges[1] * np.arange(2 * bins_ + 1)
    run = _Run(model, engine, list(named.values()), edges, request)
    if run.infinite or run.ways:
        estimator = "bins"
    sums = run.sums(estimator == "flux", g1, g2, steady)
    failed = count - round(sums.count.sum())
    if failed > FAILED_LIMIT * count:
        raise ValueError(f"{failed} of {count} trajectories became non-finite; use a smaller `dt`.")
    data = Data(tuple(named), edges, steady, engine.name, estimator, count, number, run.dt)
    data.stats = {**run.facts, "failed": failed, "wall_time": time.perf_counter() - begin}
    out = from_sums(sums, data, run.infinite)
    _warn(out, model, named)
    return out


def _outputs(outputs: Any, model: Model) -> dict[str, Output]:
    items = outputs if isinstance(outputs, Mapping) else {"": outputs}
    named = {}
    for name, value in items.items():
        output = value if isinstance(value, Output) else Output(value)
        output.check(f"outputs[{name!r}]" if name else "outputs", model)
        named[str(name)] = output.on(model)
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
    found = steady_state(model, ops, engine, ntraj=512, seed=seed, unique=False)
    return float(found.stats["relaxed"])


class _Run:
    """Trajectories with records of fields."""

    def __init__(
        self,
        model: Model,
        engine: TWA,
        outputs: list[Output],
        edges: NDArray[np.float64],
        request: Request,
    ):
        self.request, self.edges = request, edges
        self.balance = balanced(model, outputs)
        self.scales = 1 / np.sqrt(np.diff(edges))
        self.ways = False  # whether light has several ways, see ``several_ways``
        if model.links:
            self._linked(model, engine, outputs)
            return
        plain, channels = written_out(model, outputs)
        fields = [_parts(o, channels) for o in outputs]
        self.algebra = _commutators(fields)
        self.infinite = any(f.flux is None for f in fields)
        self.times = edges if edges[0] == 0 else np.concatenate([[0.0], edges])
        ops: dict[str, Any] = {}
        for k, f in enumerate(fields):
            ops[f"amplitude {k}"] = f.amplitude
            if f.flux is not None:
                ops[f"flux {k}"] = f.flux
        ops |= self._number
        system, symbols = engine.lower(plain, ops, self.times)
        kept: dict[str, Poly] = {k: p for k, p in symbols.items() if isinstance(p, Poly)}
        named = [(f, kept[f"amplitude {k}"], kept.get(f"flux {k}")) for k, f in enumerate(fields)]
        values = attach(system, named)
        self.text = self._text(system, values, symbols)
        found = prepare(KernelText(system, _watched(system)), self.times, request)
        self.dt = found.step
        self.facts: dict[str, Any] = {**found.stats, "notes": list(system.facts)}

    def _linked(self, model: Model, engine: TWA, outputs: list[Output]) -> None:
        """Records of a model with links, of sums of ports."""
        self.infinite = False
        width = float(np.diff(self.edges).mean())
        before = self.edges[0] / width
        if np.ptp(np.diff(self.edges)) > 1e-9 * width or abs(before - round(before)) > 1e-6:
            must = "be even with delayed links, and begin at a multiple of their width"
            _check.fail("bins", must, self.edges)
        self.times = width * np.arange(round(before) + self.edges.size)
        system, symbols = engine.lower(model, self._number, self.times)
        overlaps = [[_overlap(a, b) for b in outputs] for a in outputs]
        gamma: NDArray[np.complex128] = np.array(overlaps, complex)
        self.algebra = Commutators(gamma, gamma.T / 2)
        blocks = {sub: k for k, sub in enumerate(model.subsystems)}
        maps = SymbolMap(system, blocks, frozenset())
        values = attach_ports(
            system,
            [
                [(port(system, maps, model, key), complex(c)) for key, c in o.terms.items()]
                for o in outputs
            ],
        )
        self.ways = several_ways(model) or any(len(o.terms) > 1 for o in outputs)
        self.text = self._text(system, values, symbols)
        found = prepare(self.text, self.times, self.request)
        self.dt = found.step
        self.facts = {**found.stats, "notes": list(system.facts)}

    @property
    def _number(self) -> dict[str, Op]:
        return {} if self.balance is None else {"number": self.balance[0]}

    def _text(
        self, system: PhaseSpaceSystem, values: list[list[Poly]], symbols: Mapping[str, Any]
    ) -> KernelText:
        """Records, and the number of excitations."""
        seen = [p for row in values for p in row]
        seen += [symbols["number"]] if self.balance is not None else []
        return KernelText(system, [Readout(p, False) for p in seen], diagnostic=False)

    def sums(self, flux: bool, g1: bool, g2: bool, steady: bool) -> Sums:
        """Run all trajectories."""
        A, B = self.algebra.gamma.shape[0], self.edges.size - 1
        out = Sums(A, B, self.algebra, flux, g1, g2, steady, self.ways)
        keep = self.balance is not None and self.text.links.active
        groups = (1, 1) if g1 or g2 else self._groups()

        def part(seen: Iterator[Seen]) -> Sums | Bins:
            bins = (self._bins(*group) for group in seen)
            return next(bins) if g1 or g2 else out.part(bins)

        for found in folded(self.text, self.times, self.dt, self.request, part, *groups, keep):
            out.add(found) if isinstance(found, Bins) else out.absorb(found)
        out.flush()
        if out.missing[1]:
            self.facts["balance"] = float(np.sqrt(out.missing[0] / out.missing[1]))
        return out

    def _groups(self) -> tuple[int, int]:
        """Chunks of a group, and groups that a worker adds up: for 32 workers, as many at most."""
        each = 8 * BATCHES * self.times.size * self.text.channels
        some = max(2, min(ADDED, AT_HAND // each))
        return some, max(1, min(GROUPS, self.request.ntraj // (32 * BATCHES * some)))

    def _bins(
        self,
        values: NDArray[np.float64],
        counts: NDArray[np.bool_],
        final: NDArray[np.float64] | None = None,
    ) -> Bins:
        """Of a group of chunks, see ``folded``."""
        missing = None
        if self.balance is not None:
            light: Any = 0.0
            if final is not None:
                lengths, under_way = np.array([self.dt]), final[:, self.text.layout.state_slots :]
                light = np.stack([self.text.links.energy(f, lengths) for f in under_way])
            missing = defect(values, self.balance[1], light)
        A, B = self.algebra.gamma.shape[0], self.edges.size - 1
        r = np.empty((RECORDS, A, B, len(values) * BATCHES))
        arranged(values, self.times.size - self.edges.size + 1, self.scales, r)
        return Bins(r, counts, missing)


def _overlap(a: Output, b: Output) -> complex:
    """[a, b^+] of two sums of the fields of ports."""
    return complex(sum(c * np.conj(b.terms.get(key, 0)) for key, c in a.terms.items()))


def _watched(system: PhaseSpaceSystem) -> list[Readout]:
    """What a pilot run looks at to choose the step: the strengths of the sources."""
    out = []
    symbols = {id(c): c.symbol for f in system.fields for c, _, _ in f.terms}
    for symbol in symbols.values():
        if not symbol.coefficients:
            re, im = symbol.real(), symbol.imag()
            out.append(Readout(re * re + im * im, False))
    return out or [Readout(Poly.constant(1.0), False)]


def _parts(output: Output, channels: dict[Any, Any]) -> FieldParts:
    """An output by the jumps of the model with vacuum inputs."""
    parts: dict[int, list[complex]] = {}
    amplitude = Op()
    finite = True
    for key, c in output.terms.items():
        for number, a, b in channels[key]:
            entry = parts.setdefault(number, [0j, 0j])
            entry[0] += c * a
            entry[1] += c * b
            finite = finite and b == 0
        given = key[0].input
        if given is not None and given.kind == "coherent":
            amplitude = amplitude + c * (given.value * Op.scalar(1))
    K = output.operator() if finite else None
    flux = None if K is None else K.dag() * K
    return FieldParts(tuple((k, a, b) for k, (a, b) in parts.items()), amplitude, flux)


def _commutators(fields: list[FieldParts]) -> Commutators:
    numbers = sorted({k for f in fields for k, _, _ in f.parts})
    c, d = np.zeros((2, len(fields), len(numbers)), complex)
    for a, f in enumerate(fields):
        for k, x, y in f.parts:
            c[a, numbers.index(k)], d[a, numbers.index(k)] = x, y
    gamma = c @ c.conj().T - d @ d.conj().T
    known = (c.conj() @ c.T + d.conj() @ d.T) / 2
    return Commutators(gamma, known)


def _warn(out: Photons, model: Model, named: dict[str, Output]) -> None:
    subs = {s for o in named.values() for jump, _ in o.terms for s in jump.op.subsystems}
    small = [
        model.names[s]
        for s in sorted(subs, key=lambda s: model.names[s])
        if isinstance(s, Spin) or (isinstance(s, Ensemble) and int(np.min(s.numbers)) < FEW)
    ]
    if small and out.has_g2:
        warnings.warn(
            f"Trajectories have no antibunching of single emitters: g2 of light from "
            f"{', '.join(map(repr, small))}, fewer than {FEW} emitters, may be wrong; "
            "compare with method='exact'.",
            UserWarning,
            stacklevel=3,
        )
    for name in named if out.has_g2 else ():
        g2 = out.g2(name)
        with np.errstate(invalid="ignore"):
            below = g2.value < -2 * g2.sem
        if np.any(below):
            warnings.warn(
                f"g2 of {name or 'the output'!r} is negative by more than 2 standard errors in "
                f"{int(below.sum())} places: light that trajectories cannot describe.",
                UserWarning,
                stacklevel=3,
            )
