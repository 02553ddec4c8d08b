"""Bounds on the classical rates of a system, and the first step that follows from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..model.coefficients import Coef
from ..model.timescales import peak, visible_step
from ..phasespace.matrices import real_part
from ..phasespace.polynomials import Aux, Coupled, Form, Leaf, Member, Number, Pair, Poly, Var
from ..phasespace.system import (
    FOCK,
    MODE,
    SQUARE_ROOT,
    InitialSpec,
    LocalStep,
    MatrixInitial,
    MatrixStep,
    PhaseSpaceSystem,
)

ANGLE = 0.125  # first guess: largest rotation angle per step
LOCAL = 0.25  # and largest local rate times step
SHARE = 0.05  # of a time coefficient that steps may show wrongly at first, see ``visible_step``


def bounds(system: PhaseSpaceSystem, driven: bool = True) -> list[NDArray[np.float64]]:
    """Typical largest magnitude of the variables of every block, per member.

    ``driven``: with as many quanta in a mode as all spins can give it.
    """
    out = []
    spins = sum(
        float(np.sum(_lengths(s)))
        for b, s in zip(system.blocks, system.initial, strict=True)
        if b.kind != MODE
    )
    for block, spec in zip(system.blocks, system.initial, strict=True):
        if isinstance(spec, MatrixInitial):
            out.append(_lengths(spec))
        elif block.kind != MODE:
            length = np.abs(spec.mean) + spec.sigma.clip(max=1e2) * (spec.kind == 0)
            length = np.where(spec.kind == 2, 1.0, length)
            for step in system.local:
                if system.blocks[step.block] is block and isinstance(step, LocalStep):
                    length = np.maximum(length, step.numbers / 2)
            out.append(np.maximum(length, np.linalg.norm(spec.e1, axis=1)))
        else:
            start = np.where(
                spec.kind == FOCK,
                np.sqrt(spec.mean.clip(min=0)),
                np.hypot(spec.mean, spec.e1[:, 0]),
            )
            out.append(start + 1 + (np.sqrt(spins) if driven else 0.0))
    return out


def _lengths(spec: InitialSpec | MatrixInitial) -> NDArray[np.float64]:
    """Lengths of spins, and half of what matrices hold."""
    if isinstance(spec, InitialSpec):
        return spec.mean
    populations = [real_part(a, a) for a in range(spec.width.shape[1])]
    return np.maximum(spec.mean[:, populations].sum(axis=1), 1.0) / 2


def damping(system: PhaseSpaceSystem) -> dict[int, float]:
    """The least rate at which a mode of every block is damped by itself; 0 where it may not be."""
    out = {k: 0.0 for k, block in enumerate(system.blocks) if block.kind == MODE}
    for step in system.modes:
        if () in step.parts:
            A, _ = step.parts[()]
            out[step.block] = max(0.0, float(-np.linalg.eigvals(A).real.max()))
    return out


class _Rates:
    """Bounds on how fast trajectories move under the collective part, for given sizes."""

    def __init__(
        self, system: PhaseSpaceSystem, size: list[NDArray[np.float64]], peak: dict[Coef, float]
    ):
        self.system, self.size, self.peak = system, size, peak

    def _product(self, mono: tuple[tuple[int, int], ...]) -> float:
        return float(np.prod([self.size[b].max() for b, _ in mono]))

    def _derivative(self, mono: tuple[tuple[int, int], ...], modes: bool) -> float:
        """Sum over derivatives along spins, or along modes relative to their size."""
        total = 0.0
        for i, (b, _) in enumerate(mono):
            if (self.system.blocks[b].kind == MODE) == modes:
                own = float(self.size[b].max()) if modes else 1.0
                total += self._product(mono[:i] + mono[i + 1 :]) / own
        return total

    def _value(self, leaf: Leaf) -> float:
        if isinstance(leaf, Var):
            return float(self.size[leaf.block][0])
        if isinstance(leaf, Form):
            spec = self.system.forms[leaf.index]
            out = np.abs(spec.weights)
            for b, _ in spec.mono:
                out = out * self.size[b]
            return float(out.sum())
        return 1.0

    def _slope(self, leaf: Leaf, modes: bool) -> float:
        """Largest |d leaf / d variable of one member|, see ``_derivative``."""
        if isinstance(leaf, Var):
            return self._derivative(((leaf.block, leaf.comp),), modes)
        if isinstance(leaf, Form):
            spec = self.system.forms[leaf.index]
            return float(np.abs(spec.weights).max()) * self._derivative(spec.mono, modes)
        assert isinstance(leaf, Pair)
        pair = self.system.pairs[leaf.index]
        row = pair.coupling.row_sum(self.system.blocks[pair.left[0][0]].size)
        weight = max(float(np.abs(w).max()) if w is not None else 1.0 for w in (pair.u, pair.v))
        slopes = self._derivative(pair.left, modes) * self._product(pair.right)
        slopes += self._product(pair.left) * self._derivative(pair.right, modes)
        return row * weight**2 * slopes

    def _even(self, leaves: tuple[Leaf, ...]) -> bool:
        """True for a drive of modes by nothing else, which their step makes exactly."""
        if len(leaves) != 1 or isinstance(leaves[0], Pair):
            return False
        leaf = leaves[0]
        mono = self.system.forms[leaf.index].mono if isinstance(leaf, Form) else (leaf,)
        return len(mono) == 1 and self.system.blocks[mono[0][0]].kind == MODE

    def _gradient(self, poly: Poly, modes: bool, even: bool = True) -> float:
        total = 0.0
        for times, leaves, c in poly.sorted_terms:
            if not even and self._even(leaves):
                continue
            scale = abs(c) * float(np.prod([self.peak[t.coef] for t in times]))
            for i, leaf in enumerate(leaves):
                rest = [self._value(x) for x in leaves[:i] + leaves[i + 1 :]]
                total += scale * self._slope(leaf, modes) * float(np.prod(rest))
        return total

    def _magnitude(self, poly: Poly) -> float:
        terms = poly.sorted_terms
        return sum(abs(c) * float(np.prod([self._value(x) for x in xs])) for _, xs, c in terms)

    def largest(self, modes: bool, even: bool = True) -> float:
        """Rate of rotation of spins, or of relative change of modes (by ``even`` drives too)."""
        # the x and y parts of a ladder operator count once
        rate = self._gradient(self.system.hamiltonian, modes, even)
        for channel in self.system.channels:
            r = self.peak[channel.rate] if isinstance(channel.rate, Coef) else channel.rate
            rate += r * self._magnitude(channel.symbol) * self._gradient(channel.symbol, modes) / 4
        for member in self.system.member_channels:
            r = self.peak[member.rate] if isinstance(member.rate, Coef) else np.max(member.rate)
            for mono, w in member.terms.items():
                slope = self._derivative(mono, modes) * max(self._product(mono), 1.0)
                rate += float(r) * float(np.abs(w).max()) ** 2 * slope
        return rate + self._nonlinear(modes)

    def _nonlinear(self, modes: bool) -> float:
        """The same of nonlinear jumps in their exact form: drift, and noise squared."""
        rates = [0.0]
        for d in self.system.diffusions:
            for i, leaf in enumerate(d.leaves):
                if (self.system.blocks[leaf.block].kind == MODE) == modes:
                    own = max(float(self.size[leaf.block].max()), 1.0)
                    drift, noise = (self._most(p) for p in (d.drift[i], d.lower[i][i]))
                    rates.append(drift / own + noise / own**2)
        return max(rates)

    def _most(self, poly: Poly) -> float:
        total = 0.0
        for times, leaves, c in poly.sorted_terms:
            factors = [self.peak[t.coef] for t in times]
            factors += [
                float(self.size[x.block].max()) for x in leaves if isinstance(x, (Var, Member))
            ]
            total += abs(c) * float(np.prod(factors))
        return total


def largest_rate(system: PhaseSpaceSystem, times: NDArray[np.float64]) -> float:
    """A bound on how fast any trajectory turns (collective part), in inverse time.

    Modes count by their drive relative to their size. A mode that is damped faster than that
    follows its drive, in its exact step too, and sets no limit; nor is it larger than the drive
    over the damping.
    """
    decay, size = damping(system), bounds(system)
    rates = _Rates(system, size, {c: _peak(c, times) for c in system.coefficients()})
    undriven = bounds(system, driven=False)
    for block, rate in decay.items():
        if rate > 0:
            drive = rates.largest(modes=True) * float(size[block].max())
            size[block] = np.minimum(size[block], undriven[block] + drive / rate)
    modes = rates.largest(modes=True, even=False) - min(decay.values()) if decay else 0.0
    return rates.largest(modes=False) + max(0.0, modes)


def explicit_rate(system: PhaseSpaceSystem, times: NDArray[np.float64]) -> float:
    """A bound on the rates of explicit equations: slopes of drift, squared slopes of noise."""
    scale = {e.block: float(e.scale.max()) for e in system.explicit}
    peaks = {c: _peak(c, times) for c in system.coefficients()}

    def size(leaf: Leaf) -> float:
        if isinstance(leaf, (Var, Member)):
            return scale[leaf.block]
        if isinstance(leaf, Number):
            return 1.0
        if isinstance(leaf, Form):
            spec = system.forms[leaf.index]
            return float(np.abs(spec.weights).sum() * np.prod([scale[b] for b, _ in spec.mono]))
        if isinstance(leaf, Coupled):
            coupled = system.coupled[leaf.index]
            members = system.blocks[coupled.mono[0][0]].size
            largest = 1.0 if coupled.weights is None else float(np.abs(coupled.weights).max())
            row = coupled.coupling.row_sum(members) * largest
            return row * float(np.prod([scale[b] for b, _ in coupled.mono]))
        assert isinstance(leaf, Aux)
        explicit = next(e for e in system.explicit if e.block == leaf.block)
        root = explicit.roots[leaf.index]
        value = magnitude(root.of)
        return float(
            np.sqrt(value) if root.kind == SQUARE_ROOT else 1 / np.sqrt(max(value, 1e-300))
        )

    def magnitude(poly: Poly) -> float:
        terms = poly.sorted_terms
        return sum(
            abs(c) * float(np.prod([peaks[t.coef] for t in ts] + [size(x) for x in xs]))
            for ts, xs, c in terms
        )

    def slope(poly: Poly) -> float:
        """Bound on the sum of |derivatives| along the variables, relative to their size."""
        terms = [
            (ts, xs, c)
            for ts, xs, c in poly.sorted_terms
            if any(not isinstance(x, Number) for x in xs)
        ]
        return sum(
            abs(c) * float(np.prod([peaks[t.coef] for t in ts] + [size(x) for x in xs]))
            for ts, xs, c in terms
        )

    rate = 0.0
    for e in system.explicit:
        rate = max(rate, max(slope(p) for p in e.drift) / scale[e.block])
        for a in range(len(e.drift)):
            rate = max(rate, sum((slope(column[a]) / scale[e.block]) ** 2 for column in e.noise))
    return rate


def largest_local_rate(system: PhaseSpaceSystem, times: NDArray[np.float64]) -> float:
    """The largest local relaxation rate."""
    out = 0.0
    for step in system.local:
        if isinstance(step, MatrixStep):
            size = system.blocks[step.block].size
            worst = [
                (_peak(rate, times) if isinstance(rate, Coef) else rate) * where
                for rate, where, _ in step.parts
            ]
            parts = [np.abs(G).sum(axis=0).max() for *_, G in step.parts]
            each = [np.broadcast_to(r * g, size) for r, g in zip(worst, parts, strict=True)]
            out = max(out, float(np.sum(each, axis=0).max()))
            continue
        lam = np.zeros((step.numbers.size, 3, 3))
        for rate, part, _ in step.parts:
            lam += (_peak(rate, times) if isinstance(rate, Coef) else rate[:, None, None]) * part
        out = max(out, float(np.abs(lam).sum(axis=-1).max()))
    return out


def _peak(coef: Coef, times: NDArray[np.float64]) -> float:
    return peak(coef, float(times[0]), float(times[-1]))


def pace(system: PhaseSpaceSystem, times: NDArray[np.float64]) -> float:
    """A bound on the fastest rate, that of exactly stepped parts included; 0 if nothing moves."""
    turn = explicit_rate(system, times) if system.explicit else largest_rate(system, times)
    linear = [0.0]
    for step in system.modes:
        rate = 0.0
        for coefs, (A, _) in step.parts.items():
            largest = float(np.abs(A).sum(axis=-1).max())
            rate += largest * float(np.prod([_peak(c.coef, times) for c in coefs]))
        linear.append(rate)
    return turn + largest_local_rate(system, times) + max(linear)


def guess(system: PhaseSpaceSystem, tlist: NDArray[np.float64]) -> float:
    """A first step from the model's rates."""
    span = float(tlist[-1] - tlist[0])
    turn, local = largest_rate(system, tlist), largest_local_rate(system, tlist)
    if system.explicit:
        turn = explicit_rate(system, tlist)
    candidates = [span]
    if turn > 0:
        candidates.append(ANGLE / turn)
    rotors = any(step.rotor for step in system.local)
    if local > 0 and (turn > 0 or rotors):
        candidates.append(LOCAL / local)
    return min(candidates)


def varying(system: PhaseSpaceSystem, tlist: NDArray[np.float64]) -> float:
    """The longest step that shows what time coefficients do between outputs too."""
    start, stop = float(tlist[0]), float(tlist[-1])
    if not (coefs := system.coefficients()):
        return stop - start
    step, fast = visible_step(coefs, start, stop, SHARE)
    if fast is not None:
        _check.fail(
            "dt",
            f"be given where a coefficient varies as fast as {fast!r} from t = {start:g} to "
            f"{stop:g}",
            None,
            "Halve it until results no longer change.",
        )
    return step
