"""Model: a Lindblad master equation with its initial state, validated at construction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .coefficients import Coef
from .operators import ArrayOp, LocalOp, Op
from .states import BlochState, ModeState, State
from .subsystems import Ensemble, Mode, Subsystem


def _rate(argument: str, rate: Any, size: int | None) -> Any:
    """A rate: float, Coef, or an array of shape (size,) where ``size`` is not None."""
    if isinstance(rate, Coef):
        return rate
    raw = _check.numeric_array(argument, rate, complex)
    if np.any(raw.imag != 0):
        _check.fail(argument, "be real", rate)
    value = raw.real
    if value.ndim == 0:
        if value < 0:
            _check.fail(argument, "be non-negative", float(value))
        return float(value)
    if size is None or value.shape != (size,):
        need = "be one number" if size is None else f"be one number or have shape ({size},)"
        _check.fail(argument, need, f"an array of shape {value.shape}")
    if np.any(value < 0):
        m = int(np.argmin(value))
        _check.fail(argument, "be non-negative for every member", f"{value[m]} for member {m}")
    return value.copy()


class Jump:
    r"""A jump operator L with plain Lindblad rate: rate * (L rho L^+ - {L^+ L, rho}/2).

    On an array operator a scalar or length-M rate means one independent jump per member, and a
    matrix G correlated dissipation, :math:`\sum_{ij} G_{ij}(L_j\rho L_i^+ - \{L_i^+L_j,\rho\}/2)`.
    One collective jump of the whole array is ``Jump(array_op.sum(), rate)``.

    Args:
        op: operator or array operator.
        rate: non-negative number, ``wf.coef``, length-M array, or Hermitian (M, M) matrix, positive
            semidefinite within 1e-10 of its norm.

    Raises:
        TypeError: ``op`` is a one-emitter operator (use ``LocalJump``).
        ValueError: the rate is negative, complex, of the wrong shape, or its matrix has a negative
            eigenvalue (named).
    """

    def __init__(self, op: Any, rate: Any):
        if isinstance(op, LocalOp):
            _check.fail(
                "op",
                "be a collective operator such as atoms.Jm",
                op,
                "A one-emitter operator acts on every emitter: use `wf.LocalJump(op, rate)`.",
                TypeError,
            )
        if not isinstance(op, (Op, ArrayOp)):
            _check.fail("op", "be an operator", op, kind=TypeError)
        self.op: Op | ArrayOp = op
        self.matrix: NDArray[np.complex128] | None = None
        self.rate: Any = None
        if isinstance(op, ArrayOp) and not isinstance(rate, Coef) and np.ndim(rate) == 2:
            self.matrix = _dissipation_matrix(rate, op.size)
        else:
            self.rate = _rate("rate", rate, op.size if isinstance(op, ArrayOp) else None)

    def __repr__(self) -> str:
        return f"Jump({self.op!r}, rate={self.rate if self.matrix is None else 'matrix'})"


def _dissipation_matrix(rate: Any, size: int) -> NDArray[np.complex128]:
    G = _check.numeric_array("rate", rate, complex)
    if G.shape != (size, size):
        _check.fail("rate", f"have shape ({size}, {size}), one row and column per member", f"shape {G.shape}")
    norm = float(np.abs(G).max()) or 1.0
    if np.abs(G - G.conj().T).max() > 1e-10 * norm:
        _check.fail("rate", "be a Hermitian matrix", f"a matrix with G - G^+ up to {np.abs(G - G.conj().T).max():.3g}")
    G = (G + G.conj().T) / 2
    values = np.linalg.eigvalsh(G)
    if values[0] < -1e-10 * np.abs(values).max():
        _check.fail("rate", "be positive semidefinite", f"a matrix with eigenvalue number 0 equal to {values[0]:.6g}")
    return G


class LocalJump:
    r"""The same one-emitter jump on every emitter of an ensemble, with plain rate:

    rate * sum_n (l_n rho l_n^+ - {l_n^+ l_n, rho}/2).

    Args:
        op: linear combination of ``sx sy sz sp sm`` of one ensemble (or of one array member).
        rate: non-negative number, ``wf.coef``, or one number per member of an array.

    Raises:
        TypeError: ``op`` is not a one-emitter operator.
    """

    def __init__(self, op: LocalOp, rate: Any):
        if not isinstance(op, LocalOp):
            _check.fail(
                "op",
                "be a one-emitter operator such as atoms.sm",
                op,
                "A collective operator takes `wf.Jump(op, rate)`.",
                TypeError,
            )
        self.op = op
        sub = op.sub
        self.rate: Any = _rate("rate", rate, sub.count if op.member is None else None)

    def __repr__(self) -> str:
        return f"LocalJump({self.op!r}, rate={self.rate})"


@dataclass(frozen=True)
class LocalChannel:
    """A local jump on member m of an ensemble: 2x2 ``matrix`` in the basis (up, down), plain ``rate``."""

    sub: Ensemble
    m: int
    op: LocalOp
    rate: float | Coef


class Model:
    r"""A Lindblad master equation, hbar = 1:

    .. math:: \dot\rho = -i[H, \rho] + \sum_k r_k (L_k\rho L_k^+ - \{L_k^+L_k, \rho\}/2)

    Args:
        H: Hermitian operator, or None.
        jumps: sequence of ``Jump`` and ``LocalJump``.
        initial: maps every subsystem to a state (an array: to one state or a list of M).

    Raises:
        ValueError, TypeError: H is not Hermitian; an operator acts on a subsystem that ``initial``
            does not list; a state does not suit its subsystem; two subsystems share a name.
    """

    def __init__(
        self,
        H: Op | None = None,
        jumps: Iterable[Jump | LocalJump] = (),
        *,
        initial: Mapping[Subsystem, State | Iterable[State]],
    ):
        if not isinstance(initial, Mapping) or not initial:
            _check.fail("initial", "map every subsystem to a state", initial, kind=TypeError)
        self.initial = {sub: _states(sub, value) for sub, value in initial.items()}
        self.subsystems: tuple[Subsystem, ...] = tuple(self.initial)
        names = [s.name for s in self.subsystems]
        for name in names:
            if names.count(name) > 1:
                _check.fail("initial", "hold subsystems of different names", f"two named {name!r}")
        if H is not None and not isinstance(H, Op):
            hint = "Sum an array operator over its members first." if isinstance(H, ArrayOp) else ""
            _check.fail("H", "be an operator", H, hint, TypeError)
        self.H = H if H is not None else Op()
        self._known("H", self.H)
        if not self.H.is_hermitian():
            _check.fail("H", "be Hermitian", self.H, f"H - H^+ is {self.H - self.H.dag()!r}.")
        self.jumps: tuple[Jump | LocalJump, ...] = tuple(jumps)
        for k, jump in enumerate(self.jumps):
            if not isinstance(jump, (Jump, LocalJump)):
                _check.fail(f"jumps[{k}]", "be a wf.Jump or a wf.LocalJump", jump, kind=TypeError)
            self._known(f"jumps[{k}]", jump.op)

    def _known(self, argument: str, op: Op | ArrayOp | LocalOp) -> None:
        used = {op.sub} if isinstance(op, LocalOp) else op.subsystems
        for sub in used:
            if sub not in self.initial:
                _check.fail(
                    argument,
                    "act only on subsystems that `initial` lists (" + ", ".join(repr(s.name) for s in self.subsystems) + ")",
                    f"an operator of {sub.name!r}",
                )

    @property
    def collective_jumps(self) -> tuple[Jump, ...]:
        """The ``Jump`` members of ``jumps``."""
        return tuple(j for j in self.jumps if isinstance(j, Jump))

    @property
    def local_jumps(self) -> tuple[LocalJump, ...]:
        """The ``LocalJump`` members of ``jumps``."""
        return tuple(j for j in self.jumps if isinstance(j, LocalJump))

    @property
    def coefficients(self) -> set[Coef]:
        """Every time-dependent coefficient and rate."""
        out = set(self.H.coefficients)
        for jump in self.jumps:
            if isinstance(jump.op, Op):
                out |= jump.op.coefficients
            if isinstance(jump.rate, Coef):
                out.add(jump.rate)
        return out

    def channels(self) -> list[tuple[Op, float | Coef]]:
        """Independent non-local jumps (operator, rate), arrays and matrices written out: O(M) entries."""
        out: list[tuple[Op, float | Coef]] = []
        for jump in self.collective_jumps:
            op = jump.op
            if isinstance(op, Op):
                out.append((op, jump.rate))
            elif jump.matrix is not None:
                values, vectors = np.linalg.eigh(jump.matrix)
                for g, v in zip(values, vectors.T, strict=True):
                    if g > 1e-14 * abs(values).max():
                        out.append(((v.conj() * op).sum(), float(g)))
            else:
                for m in range(op.size):
                    rate = jump.rate if isinstance(jump.rate, Coef) else float(np.broadcast_to(jump.rate, op.size)[m])
                    out.append((op[m], rate))
        return out

    def local_channels(self) -> list[LocalChannel]:
        """Local jumps member by member."""
        out = []
        for jump in self.local_jumps:
            sub = jump.op.sub
            assert isinstance(sub, Ensemble)
            members = range(sub.size) if jump.op.member is None else [jump.op.member]
            for m in members:
                if isinstance(jump.rate, Coef):
                    rate: float | Coef = jump.rate
                else:
                    rate = float(np.broadcast_to(jump.rate, sub.size)[m])
                out.append(LocalChannel(sub, m, jump.op, rate))
        return out

    def latex(self) -> str:
        """The master equation as LaTeX."""
        from .printing import model_latex

        return model_latex(self)

    def to_dict(self, times: Any = None) -> dict[str, Any]:
        """The canonical, plain form; ``times`` tabulates callables."""
        from .serialize import model_to_dict

        return model_to_dict(self, times)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Model:
        """Inverse of :meth:`to_dict`."""
        from .serialize import model_from_dict

        return model_from_dict(data)

    def __repr__(self) -> str:
        parts = ", ".join(map(repr, self.subsystems))
        return f"Model({parts}; H = {self.H!r}; {len(self.jumps)} jumps)"


def _states(sub: Subsystem, value: Any) -> tuple[State, ...]:
    if not isinstance(sub, Subsystem):
        _check.fail("initial", "have subsystems as keys", sub, kind=TypeError)
    states = (value,) * sub.size if isinstance(value, State) else None
    if states is None:
        if sub.count is None or not isinstance(value, Iterable):
            _check.fail(f"initial[{sub.name!r}]", "be a state such as wf.up or wf.vacuum", value, kind=TypeError)
        states = tuple(value)
        if len(states) != sub.size:
            _check.fail(f"initial[{sub.name!r}]", f"have {sub.size} states, one per member", f"{len(states)} states")
    wanted = ModeState if isinstance(sub, Mode) else BlochState
    for state in states:
        if not isinstance(state, wanted):
            what = "a mode state (wf.vacuum, wf.coherent, …)" if wanted is ModeState else "a spin state (wf.up, wf.bloch, …)"
            _check.fail(f"initial[{sub.name!r}]", f"be {what}", state, kind=TypeError)
        if sub.kind == "collective" and isinstance(state, BlochState) and not state.is_pure:
            _check.fail(
                f"initial[{sub.name!r}]", "be a pure spin coherent state for a CollectiveSpin", state,
                "Use wf.Ensemble for mixed product states.",
            )
    return states
