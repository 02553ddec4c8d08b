r"""Any small model as QuTiP objects, by brute force: every emitter a two-level system of its own.

Needs the extra ``exact`` (QuTiP); it is imported when a function here is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..model.coefficients import Coef
from ..model.model import Model
from ..model.operators import Op
from ..model.states import BlochState
from ..model.subsystems import CollectiveSpin, Ensemble, Mode, Subsystem
from .blocks import guess_cutoffs
from .ladder import mode_matrix

#: Largest Hilbert-space dimension that is built.
LARGEST = 2**13


def _qutip() -> Any:
    try:
        import qutip
    except ImportError as error:
        raise ImportError(
            "QuTiP is needed for this and was not found; install it with "
            "`pip install wignerflow[exact]`."
        ) from error
    return qutip


@dataclass
class QutipModel:
    """A model as QuTiP objects; unpacks as ``H, c_ops, rho0, convert = model_to_qutip(model)``.

    Attributes:
        H: Hamiltonian, a Qobj (QobjEvo where it depends on time).
        c_ops: jump operators including the root of their rate.
        rho0: initial density matrix.
        convert: turns an operator of the model into a Qobj (or QobjEvo).
    """

    H: Any
    c_ops: list[Any]
    rho0: Any
    convert: Callable[[Op], Any]

    def __iter__(self) -> Any:
        return iter((self.H, self.c_ops, self.rho0, self.convert))


def model_to_qutip(model: Model, cutoffs: dict[Subsystem, int] | None = None) -> QutipModel:
    r"""``(H, c_ops, rho0, convert)`` of a model in the full Hilbert space.

    An ensemble of N becomes N two-level systems, basis (up, down), a collective spin one system
    with 2S + 1 levels, M = S first, a mode one with ``cutoff`` Fock states.

    Args:
        model: any model.
        cutoffs: Fock states per mode that has no cutoff of its own.

    Raises:
        ImportError: QuTiP is not installed.
        ValueError: the Hilbert space has more than 8192 dimensions.
    """
    qt = _qutip()
    guesses = guess_cutoffs(model)
    dims: list[int] = []
    slots: dict[tuple[Subsystem, int], range] = {}
    states: list[Any] = []
    for sub, initial in model.initial.items():
        for m in range(sub.size):
            state = initial[m]
            first = len(dims)
            if isinstance(sub, Mode):
                dim = sub.cutoff or (cutoffs or {}).get(sub) or guesses[sub, m]
                dims.append(dim)
                states.append(qt.Qobj(mode_matrix(state, dim)))  # type: ignore[arg-type]
            else:
                assert isinstance(state, BlochState)
                x, y, z = state.vector
                if isinstance(sub, CollectiveSpin):
                    S = float(sub.lengths[m])
                    dims.append(round(2 * S) + 1)
                    angles = float(np.arctan2(np.hypot(x, y), z)), float(np.arctan2(y, x))
                    states.append(qt.ket2dm(qt.spin_coherent(S, *angles)))
                else:
                    count = int(sub.numbers[m]) if isinstance(sub, Ensemble) else 1
                    one = (qt.qeye(2) + x * qt.sigmax() + y * qt.sigmay() + z * qt.sigmaz()) / 2
                    dims += [2] * count
                    states += [one] * count
            slots[sub, m] = range(first, len(dims))
            if np.prod(np.array(dims, float)) > LARGEST:
                _check.fail(
                    "model",
                    f"have at most {LARGEST} Hilbert-space dimensions for brute force",
                    f"one with {np.prod(np.array(dims, float)):.3g} or more",
                    "Use wf.Exact() or wf.QuantumJumps().",
                )
    ones = [qt.qeye(d) for d in dims]

    def at(slot: int, matrix: Any) -> Any:
        return qt.tensor([*ones[:slot], matrix, *ones[slot + 1 :]])

    letters: dict[tuple[Subsystem, int, str], Any] = {}

    def letter(sub: Subsystem, m: int, name: str) -> Any:
        key = (sub, m, name)
        if key not in letters:
            where = slots[sub, m]
            if isinstance(sub, Mode):
                a = qt.destroy(dims[where[0]])
                letters[key] = at(where[0], a if name == "a" else a.dag())
            elif isinstance(sub, CollectiveSpin):
                letters[key] = at(where[0], qt.jmat(float(sub.lengths[m]), name))
            else:
                pauli = {"x": qt.sigmax(), "y": qt.sigmay(), "z": qt.sigmaz()}[name]
                scale = 0.5 if isinstance(sub, Ensemble) else 1.0
                letters[key] = sum(at(k, scale * pauli) for k in where)
        return letters[key]

    zero = 0 * qt.tensor(ones)

    def convert(op: Op) -> Any:
        groups: dict[tuple[Coef, ...], Any] = {(): zero}
        for c, times, factors in op.expand():
            term = c * qt.tensor(ones)
            for sub, m, word in factors:
                for name in word:
                    term = term * letter(sub, m, name)
            groups[times] = groups.get(times, zero) + term
        return _timed(qt, groups)

    c_ops = []
    for op, rate in model.channels():
        c_ops.append(_weighted(qt, convert(op), rate))
    for channel in model.local_channels():
        matrix = qt.Qobj(channel.op.matrix())
        for slot in slots[channel.sub, channel.m]:
            c_ops.append(_weighted(qt, at(slot, matrix), channel.rate))
    return QutipModel(convert(model.H), c_ops, qt.tensor(states), convert)


def _timed(qt: Any, groups: dict[tuple[Coef, ...], Any]) -> Any:
    """A Qobj, or a QobjEvo if any summand has time coefficients."""
    constant = groups.pop(())
    if not groups:
        return constant

    def function(times: tuple[Coef, ...]) -> Callable[[float], complex]:
        return lambda t: complex(np.prod([complex(c(t)) for c in times]))

    return qt.QobjEvo([constant, *([q, function(times)] for times, q in groups.items())])


def _weighted(qt: Any, L: Any, rate: float | Coef) -> Any:
    if not isinstance(rate, Coef):
        return np.sqrt(rate) * L
    root = qt.coefficient(lambda t: float(np.sqrt(complex(rate(t)).real)))
    return (L if isinstance(L, qt.QobjEvo) else qt.QobjEvo(L)) * qt.QobjEvo(
        [[qt.qeye(L.dims[0]), root]]
    )
