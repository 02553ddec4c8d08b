"""Trajectories with records of output fields, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..estimate import part
from ..kernels.grid import Grid
from ..kernels.module import KernelText
from ..kernels.observe import Readout
from ..model.model import Model
from ..model.operators import Op
from ..model.outputs import Output, written_out
from ..phasespace.fields import FieldParts, attach, attach_ports, port
from ..phasespace.polynomials import Poly
from ..phasespace.symbols import SymbolMap
from ..phasespace.system import PhaseSpaceSystem
from ..phasespace.twa import TWA
from ..run.driver import prepare
from ..run.loop import Request
from ..run.pilot import halved
from ..run.record import Seen, UntilCtrlC, folded
from ..run.statistics import BATCHES
from .balance import balanced, defect, several_ways
from .photon_errors import LEAST, PART
from .photon_sums import ADDED, AT_HAND, GROUPS, Bins, Commutators, Sums
from .photon_values import Photons


class Run:
    """Trajectories with records of fields."""

    def __init__(
        self,
        model: Model,
        engine: TWA,
        outputs: list[Output],
        edges: NDArray[np.float64],
        request: Request,
        shapes: NDArray[np.complex128] | None = None,
    ):
        self.request, self.edges, self.shapes = request, edges, shapes
        self.balance = balanced(model, outputs)
        self.scales = 1 / np.sqrt(np.diff(edges))
        #: Whether light has several ways, see ``several_ways``; modes may lie across each other.
        self.ways = shapes is not None
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
        maps = SymbolMap(system, model)
        values = attach_ports(
            system,
            [
                [(port(system, maps, model, key), complex(c)) for key, c in o.terms.items()]
                for o in outputs
            ],
        )
        self.ways |= several_ways(model) or any(len(o.terms) > 1 for o in outputs)
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
        """Run all trajectories, or up to a Ctrl-C: see ``done`` and ``stopped``."""
        self.wanted = (flux, g1, g2, steady)
        out = self._summed(Grid.make(self.times, self.dt), self.request)
        if out.missing[1]:
            self.facts["balance"] = float(np.sqrt(out.missing[0] / out.missing[1]))
        return out

    def _summed(
        self, grid: Grid, request: Request, draws: tuple[int, int, int] = (1, 1, 1)
    ) -> Sums:
        A, B = self.algebra.gamma.shape[0], self.edges.size - 1
        out = Sums(A, B, self.algebra, *self.wanted, self.ways, self.shapes)
        single = out.g1 is not None or out.g2 is not None or self.shapes is not None
        keep = bool(self.balance and self.text.links) and draws == (1, 1, 1)
        groups = (1, 1) if single else self._groups()

        def part(seen: Iterator[Seen]) -> Sums | Bins:
            bins = (self._bins(*group) for group in seen)
            return next(bins) if single else out.part(bins)

        runs = folded(self.text, grid, request, part, *groups, keep, draws)
        with UntilCtrlC(runs) as parts:
            for (found,) in parts:
                out.add(found) if isinstance(found, Bins) else out.absorb(found)
        out.flush()
        self.done = min(parts.parts * groups[0] * groups[1] * BATCHES, request.ntraj)
        self.stopped = "interrupted" if parts.interrupted else "ntraj"
        return out

    def pair(self, out: Photons) -> tuple[Photons, Photons] | tuple[None, None]:
        """Shorter runs like ``sums``, with the step and with half of it, the same noise in both."""
        given, ended = self.request.dt is not None, "interrupted"
        if given or self.stopped == ended:
            why = ended if self.stopped == ended else "`dt` was given"
            out.stats["step_error"] = f"nothing: {why}"
            return None, None
        request = replace(self.request, ntraj=max(LEAST, self.request.ntraj // PART))
        coarse = Grid.make(self.times, self.dt)
        sums = []
        try:
            both = zip((coarse, halved(coarse)), self.text.pilot_draws, strict=True)
            for k, (grid, draws) in enumerate(both):
                with part("error of the step", k, 2):
                    sums.append(self._summed(grid, request, draws))
                if self.stopped == ended:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:  # the result is there
            out.stats["step_error"] = f"nothing: {ended}"
            return None, None
        out.stats["step_error"] = f"half the step on {request.ntraj} trajectories"
        one, two = (replace(out, sums=x, stats={}) for x in sums)
        return one, two

    def _groups(self) -> tuple[int, int]:
        """Chunks of a group, and groups that a worker adds up: for 32 workers, as many at most."""
        each = 8 * BATCHES * self.times.size * self.text.channels
        some = max(1, min(ADDED, AT_HAND // each))
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
            if final is not None and self.text.links:
                lengths, under_way = np.array([self.dt]), final[:, self.text.layout.state_slots :]
                light = np.stack([self.text.links.energy(f, lengths) for f in under_way])
            missing = defect(values, self.balance[1], light)
        first = self.times.size - self.edges.size + 1
        return Bins(values, first, self.scales, self.algebra.gamma.shape[0], counts, missing)


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
