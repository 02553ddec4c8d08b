r"""Jumps: collective, one per member of an array, correlated, and those of every emitter.

A jump with an input is jumps with vacuum inputs and a drive: a jump L of rate r couples to a field
b by :math:`H = i\sqrt r(b^\dagger L - L^\dagger b)`, b having the vacuum as its state. Other
Gaussian states of b are combinations of vacua, which make other jumps of the same coupling:

* coherent, :math:`b \to b + \beta(t)`: the drive :math:`i\sqrt r(\beta^* L - \beta L^\dagger)`;
* thermal, :math:`b = \sqrt{n+1}\,b_1 - \sqrt n\,b_2^\dagger`: jumps L of rate r (n + 1) and
  :math:`L^\dagger` of rate r n;
* squeezed, :math:`b = \cosh s\,b_1 - e^{i\varphi}\sinh s\,b_1^\dagger`: one jump
  :math:`\cosh s\,L + e^{i\varphi}\sinh s\,L^\dagger` of rate r.

The field that leaves is the same combination of the fields that leave those jumps.

Reference: Gardiner and Collett, Phys. Rev. A 31, 3761 (1985), Sec. III.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .coefficients import Coef
from .kinds.ensemble import LocalOp
from .mode_states import ModeState
from .operators import ArrayOp, Op

#: Of a field: (number of the jump, factor of b, factor of b^+).
Part = tuple[int, complex, complex]


@dataclass(frozen=True)
class Form:
    """A jump with vacuum inputs.

    Attributes:
        jumps: (operator, rate, matrix) of its jumps.
        parts: its field, of those of the jumps.
        drive: what the input adds to H; None: nothing.
    """

    jumps: tuple[tuple[Any, Any, Any], ...]
    parts: tuple[Part, ...]
    drive: Op | None = None


def check_input(state: Any, matrix: Any) -> ModeState | None:
    """The state of a field as an argument ``input``; None for the vacuum."""
    if state is None:
        return None
    if not isinstance(state, ModeState) or state.kind not in ("coherent", "thermal", "squeezed"):
        must = "be None (vacuum), wf.coherent(β), wf.thermal(n) or wf.squeezed(r, φ)"
        _check.fail("input", must, state, kind=TypeError)
    if not isinstance(state.value, Coef) and state.value == 0:
        return None
    if matrix is not None and state.kind != "thermal":
        must = "be None or wf.thermal(n) for a jump with a matrix of rates, which has many fields"
        _check.fail("input", must, state, "Give each of them as a jump of its own.")
    return state


def root(rate: Any) -> Any:
    """The square root of a rate: a number, one per member, or a function of time."""
    if isinstance(rate, Coef):
        return Coef(lambda t: float(np.sqrt(max(complex(rate(t)).real, 0.0))))
    return np.sqrt(rate)


def vacuum_form(op: Op | ArrayOp, rate: Any, matrix: Any, state: ModeState | None) -> Form:
    """What a jump with an input is made of."""
    if state is None:
        return Form(((op, rate, matrix),), ((0, 1.0, 0.0),))
    if state.kind == "coherent":
        beta = state.value
        bar = beta.conj() if isinstance(beta, Coef) else np.conj(beta)
        part = 1j * (root(rate) * (bar * op))
        total = part.sum() if isinstance(part, ArrayOp) else part
        return Form(((op, rate, matrix),), ((0, 1.0, 0.0),), total + total.dag())
    if state.kind == "thermal":
        n = state.value.real
        if matrix is None:
            jumps = ((op, rate * (n + 1), None), (op.dag(), rate * n, None))
        else:
            jumps = ((op, None, matrix * (n + 1)), (op.dag(), None, matrix.conj() * n))
        return Form(jumps, ((0, np.sqrt(n + 1), 0.0), (1, 0.0, -np.sqrt(n))))
    strength, turn = np.abs(state.value), np.exp(1j * np.angle(state.value))
    cosh, sinh = np.cosh(strength), turn * np.sinh(strength)
    return Form(((cosh * op + sinh * op.dag(), rate, None),), ((0, cosh, -sinh),))


OTHER_WAY = (
    "A jump the other way is another operator with a rate of its own, such as Jp in place of Jm."
)


def _rate(argument: str, rate: Any, size: int | None) -> Any:
    """A rate: float, Coef, or an array of shape (size,) where ``size`` is not None."""
    if isinstance(rate, Coef):
        rate.check_rate(argument)
        return rate
    if np.asarray(rate).dtype == bool:
        _check.fail(argument, "be a number", rate, _check.AS_NUMBER, TypeError)
    if callable(rate):
        _check.fail(argument, "be a number", rate, _check.OF_TIME, TypeError)
    raw = _check.numeric_array(argument, rate, complex)
    if np.any(raw.imag != 0):
        _check.fail(argument, "be real", rate)
    value = raw.real + 0.0
    if value.ndim == 0:
        if value < 0:
            _check.fail(argument, "be non-negative", float(value), OTHER_WAY)
        return float(value)
    if size is None or value.shape != (size,):
        need = "be one number" if size is None else f"be one number or have shape ({size},)"
        _check.fail(argument, need, _check.Note(f"an array of shape {value.shape}"))
    if np.any(value < 0):
        m = int(np.argmin(value))
        was = _check.Note(f"{value[m]} for member {m}")
        _check.fail(argument, "be non-negative for every member", was, OTHER_WAY)
    value.flags.writeable = False
    return value


class Jump:
    r"""A jump operator L with plain Lindblad rate: rate * (L rho L^+ - {L^+ L, rho}/2).

    On an array operator a scalar or length-M rate means one independent jump per member, and a
    matrix G correlated dissipation, :math:`\sum_{ij} G_{ij}(L_j\rho L_i^+ - \{L_i^+L_j,\rho\}/2)`.
    One collective jump of the whole array is ``Jump(array_op.sum(), rate)``.

    Args:
        op: operator or array operator.
        rate: non-negative number, ``wf.coef``, length-M array, or Hermitian (M, M) matrix, positive
            semidefinite within 1e-10 of its norm.
        input: state of the field that the jump emits into, white in frequency: None (vacuum),
            ``wf.coherent(beta)`` with beta a number or ``wf.coef`` and abs(beta)^2 photons per
            time (it adds the drive i sqrt(rate) (beta^* L - beta L^+) to H), ``wf.thermal(n)`` or
            ``wf.squeezed(r, phi)``, with n quanta per mode and the angles of the mode's states.

    Raises:
        TypeError: ``op`` is a one-emitter operator (use ``LocalJump``), or ``input`` no such state.
        ValueError: the rate is negative, complex, of the wrong shape, or its matrix has a negative
            eigenvalue (named).
    """

    @_check.called("wf.Jump(atoms.Jm, rate=1.0)")
    def __init__(self, op: Op | ArrayOp, rate: ArrayLike | Coef, input: ModeState | None = None):
        if isinstance(op, LocalOp):
            _check.fail(
                "op",
                "be a collective operator such as atoms.Jm or atoms.op(a, b)",
                op,
                "A one-emitter operator acts on every emitter: use `wf.LocalJump(op, rate)`.",
                TypeError,
            )
        if not isinstance(op, (Op, ArrayOp)):
            _check.fail("op", "be an operator", op, kind=TypeError)
        self.op: Op | ArrayOp = op
        self.matrix: NDArray[np.complex128] | None = None
        self.rate: Any = None
        if getattr(rate, "ndim", None) == 2 or _nested(rate):
            if not isinstance(op, ArrayOp):
                hint = "A matrix goes with an array operator such as `chain.Jm`."
                _check.fail(
                    "rate", "be one number for a single operator", _check.Note("a matrix"), hint
                )
            self.matrix = _dissipation_matrix(rate, op.size)
        else:
            self.rate = _rate("rate", rate, op.size if isinstance(op, ArrayOp) else None)
        self.input = check_input(input, self.matrix)
        self.form = vacuum_form(op, self.rate, self.matrix, self.input)
        #: The jumps with vacuum inputs that it is made of.
        self.vacuum: tuple[Jump, ...] = (self,)
        if self.input is not None:
            self.vacuum = tuple(Jump(part, r if m is None else m) for part, r, m in self.form.jumps)

    def __repr__(self) -> str:
        return self.text(repr(self.op))

    def text(self, op: str) -> str:
        """What is printed for it, its operator written as ``op``."""
        given = "" if self.input is None else f", input={self.input!r}"
        return f"Jump({op}, rate={_rate_text(self)}{given})"


def _nested(rate: Any) -> bool:
    return isinstance(rate, (list, tuple)) and any(isinstance(row, (list, tuple)) for row in rate)


def _rate_text(jump: Jump | LocalJump) -> str:
    if isinstance(jump, Jump) and jump.matrix is not None:
        return f"{len(jump.matrix)}x{len(jump.matrix)} matrix"
    rate = jump.rate
    if isinstance(rate, np.ndarray):
        return f"[{', '.join(f'{r:g}' for r in rate[:3])}{', …' if rate.size > 3 else ''}]"
    return f"{rate:g}" if isinstance(rate, float) else " ".join(repr(rate).split())


def _dissipation_matrix(rate: Any, size: int) -> NDArray[np.complex128]:
    if _check.is_sparse(rate):
        if rate.shape != (size, size):
            _check.fail("rate", _square(size), _check.Note(f"of shape {rate.shape}"))
        rate = rate.toarray()
    G = _check.numeric_array("rate", rate, complex)
    if G.shape != (size, size):
        _check.fail("rate", _square(size), _check.Note(f"of shape {G.shape}"))
    skew = np.abs(G - G.conj().T)
    if skew.max() > 1e-10 * np.abs(G).max():
        i, j = np.unravel_index(int(np.argmax(skew)), G.shape)
        was = f"G[{i}, {j}] = {G[i, j]:.6g} and G[{j}, {i}] = {G[j, i]:.6g}"
        _check.fail("rate", "be a Hermitian matrix", was)
    G = (G + G.conj().T) / 2 + 0.0
    values = np.linalg.eigvalsh(G)
    negative = values[values < -1e-10 * np.abs(values).max()]
    if negative.size:
        listed = ", ".join(f"{v:.6g}" for v in negative[:4]) + (", …" if negative.size > 4 else "")
        _check.fail(
            "rate",
            "be positive semidefinite",
            _check.Note(
                f"a matrix with {negative.size} negative eigenvalue(s) out of {size}: {listed}"
            ),
        )
    G.flags.writeable = False
    return G


def _square(size: int) -> str:
    return f"have shape ({size}, {size}), one row and column per member"


class LocalJump:
    r"""The same one-emitter jump on every emitter of an ensemble, with plain rate:

    rate * sum_n (l_n rho l_n^+ - {l_n^+ l_n, rho}/2).

    Args:
        op: linear combination of ``sx sy sz sp sm`` of one ensemble (or of one array member).
        rate: non-negative number, ``wf.coef``, or one number per member of an array, shape (M,).
            A plain Lindblad rate, in the units of H (hbar = 1).

    Raises:
        TypeError: ``op`` is not a one-emitter operator.
        ValueError: a rate is negative, complex or not finite, or has another shape.

    Example:
        >>> import wignerflow as wf
        >>> atoms = wf.Ensemble(100, name="atoms")
        >>> wf.LocalJump(atoms.sm, rate=0.5)
        LocalJump(atoms.sm, rate=0.5)
    """

    @_check.called("wf.LocalJump(atoms.sm, rate=1.0)")
    def __init__(self, op: LocalOp, rate: ArrayLike | Coef):
        if not isinstance(op, LocalOp):
            _check.fail(
                "op",
                "be a one-emitter operator such as atoms.sm or atoms.one(a, b)",
                op,
                "A collective operator takes `wf.Jump(op, rate)`.",
                TypeError,
            )
        self.op = op
        sub = op.sub
        self.rate: Any = _rate("rate", rate, sub.count if op.member is None else None)

    def __repr__(self) -> str:
        return self.text(repr(self.op))

    def text(self, op: str) -> str:
        """What is printed for it, its operator written as ``op``."""
        return f"LocalJump({op}, rate={_rate_text(self)})"


def canonical(jump: Jump | LocalJump) -> Jump | LocalJump:
    """The same jump with terms and coefficients in the form that a model holds."""
    new = copy.copy(jump)
    if not isinstance(new.op, LocalOp):
        new.op = new.op.canonical()  # type: ignore[assignment]
    if isinstance(new.rate, Coef):
        new.rate = new.rate.plain
    return new


def alike(one: Jump | LocalJump, two: Jump | LocalJump) -> bool:
    """Whether two jumps have the same operator, rates and input."""
    if type(one) is not type(two) or type(one.op) is not type(two.op) or one.op != two.op:
        return False
    if isinstance(one.rate, Coef) or isinstance(two.rate, Coef):
        same = one.rate is two.rate or one.rate == two.rate
    else:
        same = np.array_equal(one.rate, two.rate)
    if not (same and isinstance(one, Jump) and isinstance(two, Jump)):
        return bool(same)
    if not np.array_equal(one.matrix, two.matrix):  # type: ignore[arg-type]
        return False
    a, b = one.input, two.input
    return a is b or (a is not None and b is not None and a.to_dict() == b.to_dict())


def member_rates(rate: Any, size: int) -> list[float | Coef]:
    """One rate per member."""
    return [rate] * size if isinstance(rate, (float, Coef)) else [float(r) for r in rate]


def by_member(rate: Any, size: int) -> Any:
    """A rate as one number per member, or the coefficient that it is."""
    return rate if isinstance(rate, Coef) else np.broadcast_to(rate, size).copy()
