r"""Any small model as QuTiP objects, by brute force, and models of QuTiP's PIQS as ours.

Needs the extra ``exact`` (QuTiP); it is imported when a function here is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..model.coefficients import Coef
from ..model.level_states import LevelState
from ..model.levels import Levels
from ..model.mode_states import ModeState
from ..model.model import Jump, LocalJump, Model
from ..model.operators import ArrayOp, Op
from ..model.pulses import refuse_pulses
from ..model.states import BlochState, State, up
from ..model.subsystems import CollectiveSpin, Ensemble, Mode, Subsystem
from ..model.words import levels_of
from . import mode_states
from .pieces import Factors

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
    """A model as QuTiP objects; unpacks as ``H, c_ops, rho0, convert = model.to_qutip()``.

    Attributes:
        H: Hamiltonian, a Qobj (QobjEvo where it depends on time).
        c_ops: jump operators including the root of their rate.
        rho0: initial density matrix.
        convert: turns an operator of the model into a Qobj (or QobjEvo), an array operator into a
            list of them.
    """

    H: Any
    c_ops: list[Any]
    rho0: Any
    convert: Callable[[Op | ArrayOp], Any]

    def __iter__(self) -> Any:
        return iter((self.H, self.c_ops, self.rho0, self.convert))


def model_to_qutip(model: Model, cutoffs: Mapping[Subsystem, int] | None = None) -> QutipModel:
    r"""``(H, c_ops, rho0, convert)`` of a model in the full Hilbert space.

    An ensemble of N becomes N two-level systems, basis (up, down), emitters with d levels N systems
    of d levels in the order of their labels, a collective spin one system with 2S + 1 levels, M = S
    first, a mode one with its lowest Fock states. Rates stand in ``c_ops`` as roots: QuTiP's jump
    operators include them.

    Args:
        model: any model.
        cutoffs: Fock states of every mode that has no ``cutoff`` of its own.

    Raises:
        ImportError: QuTiP is not installed.
        ValueError: a mode has no cutoff, or the Hilbert space has more than 8192 dimensions.

    Example:
        >>> import qutip, wignerflow as wf
        >>> cavity = wf.Mode(name="cavity")
        >>> initial = {cavity: wf.fock(1)}
        >>> model = wf.Model(jumps=[wf.Jump(cavity.a, rate=1.0)], initial=initial)
        >>> H, c_ops, rho0, convert = model.to_qutip(cutoffs={cavity: 3})
        >>> out = qutip.mesolve(H, rho0, [0, 1], c_ops, e_ops=[convert(cavity.n)])
        >>> round(float(out.expect[0][1]), 3)
        0.368
    """
    refuse_pulses(model, "QuTiP, where runs between them follow each other")
    qt = _qutip()
    known = dict(cutoffs or {})
    for sub, cutoff in known.items():
        if not isinstance(sub, Mode) or sub not in model.initial:
            _check.fail("cutoffs", "map modes of the model to numbers of Fock states", sub)
        _check.integer("cutoffs", cutoff, 2)
    dims: list[int] = []
    slots: dict[tuple[Subsystem, int], range] = {}
    states: list[Any] = []
    for sub, initial in model.initial.items():
        for m in range(sub.size):
            state = initial[m]
            first = len(dims)
            if isinstance(sub, Mode):
                dim = sub.cutoff or known.get(sub)
                if dim is None:
                    hint = "QuTiP cannot choose it; wf.Exact() reports one in stats['cutoffs']."
                    _check.fail("cutoffs", f"hold one for mode {sub.name!r}", cutoffs, hint)
                dims.append(dim)
                assert isinstance(state, ModeState)
                states.append(qt.Qobj(mode_states.matrix(state.kind, state.value, dim)))
            elif isinstance(sub, Levels):
                assert isinstance(state, LevelState)
                count = int(sub.numbers[m])
                dims += [sub.d] * count
                states += [qt.Qobj(state.density(sub, "state"))] * count
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
            elif isinstance(sub, Levels):
                a, b = levels_of(name)
                unit = qt.basis(sub.d, a) * qt.basis(sub.d, b).dag()
                letters[key] = sum(at(k, unit) for k in where)
            elif isinstance(sub, CollectiveSpin):
                letters[key] = at(where[0], qt.jmat(float(sub.lengths[m]), name))
            else:
                pauli = {"x": qt.sigmax(), "y": qt.sigmay(), "z": qt.sigmaz()}[name]
                scale = 0.5 if isinstance(sub, Ensemble) else 1.0
                letters[key] = sum(at(k, scale * pauli) for k in where)
        return letters[key]

    zero = 0 * qt.tensor(ones)

    def convert(op: Op | ArrayOp) -> Any:
        if isinstance(op, ArrayOp):
            return [convert(op[m]) for m in range(op.size)]
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
        factors = Factors([times])
        return lambda t: factors(t)[0]

    return qt.QobjEvo([constant, *([q, function(times)] for times, q in groups.items())])


def _weighted(qt: Any, L: Any, rate: float | Coef) -> Any:
    if not isinstance(rate, Coef):
        return np.sqrt(rate) * L
    root = qt.coefficient(lambda t: float(np.sqrt(complex(rate(t)).real)))
    return (L if isinstance(L, qt.QobjEvo) else qt.QobjEvo(L)) * qt.QobjEvo(
        [[qt.qeye(L.dims[0]), root]]
    )


#: Rates of ``piqs.Dicke`` with local jumps: operator, and plain rate per PIQS rate.
_LOCAL = {"emission": ("sm", 1.0), "pumping": ("sp", 1.0), "dephasing": ("sz", 0.25)}
_COLLECTIVE = {"emission": "Jm", "pumping": "Jp", "dephasing": "Jz"}


def from_piqs(dicke: Any, initial: State = up, name: str = "atoms") -> Model:
    r"""The model of a ``qutip.piqs.Dicke`` object: one ensemble, with its Hamiltonian and rates.

    PIQS's ``dephasing`` counts :math:`\sigma^z/2` of every emitter, so it becomes a local jump
    :math:`\sigma^z` at a quarter of the rate; all other rates are plain Lindblad rates as they
    stand, with jumps :math:`\sigma^\mp` and :math:`J^\mp, J_z`.

    Args:
        dicke: the PIQS object. Its Hamiltonian must be a polynomial of at most second degree in
            Jx, Jy, Jz (``piqs.jspin``).
        initial: state of every emitter; PIQS keeps it apart.
        name: of the ensemble, which is ``model.subsystems[0]``.

    Raises:
        TypeError: ``dicke`` is no ``piqs.Dicke``.
        ValueError: a rate is negative, or the Hamiltonian is no such polynomial.

    Example:
        >>> import wignerflow as wf
        >>> from qutip import piqs
        >>> model = wf.from_piqs(piqs.Dicke(20, emission=0.1, collective_emission=1.0))
        >>> (atoms,) = model.subsystems
        >>> model.jumps
        (LocalJump(atoms.sm, rate=0.1), Jump(atoms.Jm, rate=1))
    """
    piqs = _qutip().piqs
    if not isinstance(dicke, piqs.Dicke):
        _check.fail("dicke", "be a qutip.piqs.Dicke", dicke, kind=TypeError)
    atoms = Ensemble(int(dicke.N), name=name)
    jumps: list[Jump | LocalJump] = []
    for what, (letter, scale) in _LOCAL.items():
        if rate := getattr(dicke, what):
            jumps.append(LocalJump(getattr(atoms, letter), scale * rate))
    for what, letter in _COLLECTIVE.items():
        if rate := getattr(dicke, f"collective_{what}"):
            jumps.append(Jump(getattr(atoms, letter), rate))
    H = None if dicke.hamiltonian is None else _hamiltonian(dicke.hamiltonian, atoms, piqs)
    return Model(H, jumps, initial={atoms: initial})


def _hamiltonian(H: Any, atoms: Ensemble, piqs: Any) -> Op:
    """A Hamiltonian in PIQS's Dicke basis as a polynomial in J."""
    N = int(atoms.numbers[0])
    spins = [piqs.jspin(N, a).full() for a in "xyz"]
    matrix = _check.numeric_array("dicke.hamiltonian", H.full(), complex)
    if matrix.shape != spins[0].shape:
        _check.fail("dicke.hamiltonian", "be in the Dicke basis", _check.Note(f"{matrix.shape}"))
    ours = [atoms.Jx, atoms.Jy, atoms.Jz]
    terms: list[tuple[Any, Op]] = [(np.eye(len(matrix)), Op.scalar(1))]
    terms += zip(spins, ours, strict=True)
    size = max(float(np.abs(matrix).max()), 1e-300)
    for degree in (1, 2):
        if degree == 2:
            for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)):
                both = (spins[a] @ spins[b] + spins[b] @ spins[a]) / 2
                terms.append((both, (ours[a] * ours[b] + ours[b] * ours[a]) / 2))
        columns = np.array([m.ravel() for m, _ in terms]).T
        c = np.linalg.lstsq(columns, matrix.ravel(), rcond=None)[0]
        if np.abs(columns @ c - matrix.ravel()).max() <= 1e-10 * size:
            c[np.abs(c) <= 1e-12 * np.abs(c).max()] = 0
            return sum((x * op for x, (_, op) in zip(c, terms, strict=True) if x), Op())
    rest = np.abs(columns @ c - matrix.ravel()).max()
    _check.fail(
        "dicke.hamiltonian",
        "be a polynomial of at most second degree in Jx, Jy, Jz",
        _check.Note(f"a matrix with elements up to {rest:.3g} besides"),
        "Write the Hamiltonian with the operators of wf.Ensemble.",
    )
