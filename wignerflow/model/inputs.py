r"""What enters a jump's field: a jump with an input is jumps with vacuum inputs and a drive.

A jump L of rate r couples to a field b by :math:`H = i\sqrt r(b^\dagger L - L^\dagger b)`, b having
the vacuum as its state. Other Gaussian states of b are combinations of vacua, which make other
jumps of the same coupling:

* coherent, :math:`b \to b + \beta(t)`: the drive :math:`i\sqrt r(\beta^* L - \beta L^\dagger)`;
* thermal, :math:`b = \sqrt{n+1}\,b_1 - \sqrt n\,b_2^\dagger`: jumps L of rate r (n + 1) and
  :math:`L^\dagger` of rate r n;
* squeezed, :math:`b = \cosh s\,b_1 - e^{i\varphi}\sinh s\,b_1^\dagger`: one jump
  :math:`\cosh s\,L + e^{i\varphi}\sinh s\,L^\dagger` of rate r.

The field that leaves is the same combination of the fields that leave those jumps.

Reference: Gardiner and Collett, Phys. Rev. A 31, 3761 (1985), Sec. III.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .coefficients import Coef
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
