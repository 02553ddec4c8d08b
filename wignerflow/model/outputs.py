r"""Output fields: what leaves through a jump, and superpositions of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import _check
from .coefficients import Coef
from .jumps import Part, root
from .model import Jump, LocalJump, Model
from .operators import ArrayOp, Op

ROUNDING = 1e-12
SAME = (
    "Give the same object: `jump = wf.Jump(...)`, `jumps=[jump, ...]`, or one of `model.given`; of "
    "equal jumps each has a field of its own."
)


class Output:
    r"""The field that leaves through a jump L of plain rate r, and sums of such fields,

    .. math:: b_\mathrm{out}(t) = b_\mathrm{in}(t) + \sqrt r\,L(t), \qquad
       [b(t), b^\dagger(t')] = \delta(t - t'),

    with :math:`b^\dagger b` in photons per unit of time. Outputs are added and multiplied by
    numbers: ``(F + 1j * B) / np.sqrt(2)`` is a port of a beam splitter, ``0.8**0.5 * F`` a detector
    of efficiency 0.8. The factors of different jumps must have a norm of at most 1; what is missing
    is vacuum. A field has the phase of its operator L, which matters where fields interfere.

    Args:
        jump: a :class:`Jump` of the model.
        channel: of a jump on an array operator: the member whose field it is; of one with a matrix
            of rates G, the number of its eigenvalue, ascending, of
            :math:`G = \sum_k\gamma_k u_ku_k^\dagger`: the jump is :math:`\sum_ju^*_{kj}L_j`.

    Raises:
        TypeError: ``jump`` is a local jump, which has a field per emitter, or no jump.
        ValueError: the rate is zero, or the channel is missing or out of range.

    References:
        Gardiner and Collett, Phys. Rev. A 31, 3761 (1985), Eq. (2.22).

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> mode = wf.Mode(name="mode")
        >>> left, right = wf.Jump(mode.a, 0.3), wf.Jump(mode.a, 0.7)
        >>> mixed = (wf.Output(left) + 1j * wf.Output(right)) / np.sqrt(2)
        >>> round(mixed.norm, 12)
        1.0
    """

    __array_ufunc__ = None

    def __init__(self, jump: Any, channel: int | None = None):
        if isinstance(jump, LocalJump):
            was = _check.Note(f"{jump!r}, which has a field for each of its emitters")
            hint = "Its total flux is `wf.Flux(jump)`, in `e_ops`."
            _check.fail("jump", "be a wf.Jump, with one field", was, hint, TypeError)
        if not isinstance(jump, Jump):
            _check.fail("jump", "be a wf.Jump of the model", jump, kind=TypeError)
        _channel(jump, channel)
        self.terms: dict[tuple[Jump, int | None], complex] = {(jump, channel): 1.0 + 0j}

    @property
    def norm(self) -> float:
        """Root of the sum of squares of its factors."""
        return float(np.sqrt(sum(abs(c) ** 2 for c in self.terms.values())))

    def _combined(self, terms: Mapping[tuple[Jump, int | None], complex]) -> Output:
        new = object.__new__(Output)
        new.terms = dict(terms)
        return new

    def __add__(self, other: Any) -> Output:
        if not isinstance(other, Output):
            return NotImplemented
        out = dict(self.terms)
        for key, c in other.terms.items():
            out[key] = out.get(key, 0) + c
        return self._combined(out)

    def __mul__(self, other: Any) -> Output:
        factor = complex(_check.numeric_array("factor", other, complex)[()])
        return self._combined({k: factor * c for k, c in self.terms.items()})

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Output:
        return self * (1 / complex(other))

    def __sub__(self, other: Any) -> Output:
        return self + -1 * other if isinstance(other, Output) else NotImplemented

    def __neg__(self) -> Output:
        return self * -1

    def __repr__(self) -> str:
        parts = []
        for (jump, channel), c in self.terms.items():
            name = f"Output({jump.op!r}{'' if channel is None else f', channel={channel}'})"
            parts.append(name if c == 1 else f"({c:.4g}) * {name}")
        return " + ".join(parts)

    def check(self, argument: str, model: Model | None = None) -> None:
        """Raise where it cannot be a field (of the model)."""
        if self.norm > 1 + ROUNDING:
            _check.fail(
                argument,
                "have coefficients of a norm of at most 1",
                _check.Note(f"{self.norm:.3g}"),
                "Divide by it.",
            )
        for jump, _ in self.terms:
            if model is not None and model.own(jump) is None:
                _check.fail(argument, "be made of jumps of the model", jump, SAME)

    def on(self, model: Model) -> Output:
        """The same field by the model's own jumps, those that links without delay have left."""
        terms: dict[tuple[Jump, int | None], complex] = {}
        for (jump, channel), c in self.terms.items():
            key: Any = model.own(jump), channel
            key = key if model.joined is None else model.joined.output("output", key)
            terms[key] = terms.get(key, 0) + c
        return self._combined(terms)

    def operator(self) -> Op:
        r"""K = sum c (sqrt(r) L + beta), whose normally ordered moments are those of the field.

        Raises:
            ValueError: an input is thermal or squeezed, white light of infinite flux.
        """
        total = Op()
        for (jump, channel), c in self.terms.items():
            if jump.input is not None and jump.input.kind != "coherent":
                _check.fail(
                    "output",
                    "have a vacuum or coherent input for its flux and exact photon statistics",
                    jump.input,
                    "White thermal or squeezed light has an infinite flux; take wf.photons.",
                )
            op, rate = single(jump, channel)
            amplitude = root(rate) * op
            if jump.input is not None:
                amplitude = amplitude + jump.input.value * Op.scalar(1)
            total = total + c * amplitude
        return total


def _channel(jump: Jump, channel: int | None) -> None:
    if isinstance(jump.op, Op):
        if channel is not None:
            _check.fail("channel", "be left out for a jump of one operator", channel)
        if not isinstance(jump.rate, Coef) and jump.rate == 0:
            _check.fail("jump", "have a positive rate", jump)
        return
    if channel is None:
        must = f"be one of the {jump.op.size} members of the jump, or of its eigenvalues"
        _check.fail("channel", must, None, "Or make the jump of one operator, such as a sum.")
    if not 0 <= _check.integer("channel", channel, 0) < jump.op.size:
        _check.fail("channel", f"be below {jump.op.size}", channel)
    rate = single(jump, channel)[1]
    if not isinstance(rate, Coef) and rate <= 0:
        _check.fail("channel", "have a positive rate", channel)


def single(jump: Jump, channel: int | None) -> tuple[Op, Any]:
    """The operator of one field, and its rate."""
    op = jump.op
    if isinstance(op, Op):
        return op, jump.rate
    assert channel is not None and isinstance(op, ArrayOp)
    if jump.matrix is not None:
        values, vectors = np.linalg.eigh(jump.matrix)
        return (vectors[:, channel].conj() * op).sum(), float(max(values[channel], 0.0))
    rate = jump.rate
    return op[channel], float(rate[channel]) if isinstance(rate, np.ndarray) else rate


def written_out(model: Model, outputs: list[Output]) -> tuple[Model, dict[Any, list[Part]]]:
    """The model with every array jump of an output as jumps of one operator each.

    Returns:
        The model, whose inputs are vacua, and for every (jump, channel) of the outputs its field by
        the numbers of the model's jumps.
    """
    wanted = {jump: {} for o in outputs for jump, _ in o.terms}  # type: ignore[var-annotated]
    for o in outputs:
        for jump, channel in o.terms:
            wanted[jump][channel] = None
    jumps: list[Jump | LocalJump] = []
    fields: dict[Any, list[Part]] = {}
    for given in model.given:
        if not isinstance(given, Jump) or given not in wanted:
            jumps += given.vacuum if isinstance(given, Jump) else (given,)
            continue
        channels: list[int | None] = [None]
        if isinstance(given.op, ArrayOp):
            channels = [k for k in range(given.op.size) if _positive(single(given, k)[1])]
        for channel in channels:
            op, rate = single(given, channel)
            one = Jump(op, rate, input=given.input)
            fields[given, channel] = [(len(jumps) + k, c, d) for k, c, d in one.form.parts]
            jumps += one.vacuum
    initial = {s: v[0] if s.count is None else v for s, v in model.initial.items()}
    return Model(model.H, jumps, initial=initial), fields


def _positive(rate: Any) -> bool:
    return isinstance(rate, Coef) or rate > 0
