r"""Operators of a model as sums of ladder words, and their matrix elements in the |J, M> basis.

Every canonical word in J_x, J_y, J_z (or Pauli matrices) becomes a sum of products of
:math:`J_+, J_z, J_-` in this order, in which equal operators have equal sums. Each such ladder word
changes M by a definite amount and has one real matrix element per state, so that an operator is a
list of (coefficient, shift, table).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.mode_states import ModeState
from ..model.model import Model
from ..model.operators import Op
from ..model.states import BlochState, State
from ..model.subsystems import CollectiveSpin, Ensemble, LocalOp, Mode, Spin, Subsystem
from . import dicke, mode_states

Array = NDArray[np.float64]
Times = tuple[Coef, ...]
#: ((site number, ladder word), …), sorted by site
Ladder = tuple[tuple[int, str], ...]

_STEPS = {"p": 1, "m": -1, "z": 0, "d": 1, "a": -1}


@dataclass(frozen=True)
class Site:
    """One member of one subsystem with its basis: ``blocks`` values of J, ``dim`` values of M.

    For a mode there is one block and the index is the number of quanta.
    """

    sub: Subsystem
    m: int
    state: State
    cutoff: int = 0

    @property
    def kind(self) -> str:
        """Kind of the subsystem."""
        return self.sub.kind

    @cached_property
    def length(self) -> float:
        """Largest J (0 for a mode)."""
        if isinstance(self.sub, Ensemble):
            return int(self.sub.numbers[self.m]) / 2
        if isinstance(self.sub, CollectiveSpin):
            return float(self.sub.lengths[self.m])
        return 0.5 if isinstance(self.sub, Spin) else 0.0

    @property
    def emitters(self) -> int:
        """Number of emitters of an ensemble."""
        assert isinstance(self.sub, Ensemble)
        return int(self.sub.numbers[self.m])

    @cached_property
    def dim(self) -> int:
        """Number of values of M (or of Fock states)."""
        return self.cutoff if self.kind == "mode" else round(2 * self.length) + 1

    @cached_property
    def blocks(self) -> int:
        """Number of values of J."""
        return self.emitters // 2 + 1 if self.kind == "ensemble" else 1

    @property
    def place(self) -> tuple[Subsystem, int]:
        """Subsystem and member."""
        return self.sub, self.m

    @property
    def label(self) -> str:
        """Name for messages."""
        return self.sub.name if self.sub.count is None else f"{self.sub.name}[{self.m}]"

    def table(self, word: str) -> Array:
        """Matrix elements <J, M + shift| word |J, M>, shape (blocks, dim)."""
        if self.kind == "mode":
            return _mode_table(self.dim, word)
        return _spin_table(self.length, self.blocks, word)

    @property
    def is_diagonal(self) -> bool:
        """True if the initial state is a mixture of basis states."""
        if isinstance(self.state, BlochState):
            length, theta, _ = dicke.bloch_angles(self.state.vector)
            return length == 0 or bool(np.sin(theta) < 1e-15)
        assert isinstance(self.state, ModeState)
        return mode_states.is_diagonal(self.state.kind, self.state.value)

    @property
    def is_mixed(self) -> bool:
        """True if the initial state is not pure."""
        if isinstance(self.state, BlochState):
            return dicke.bloch_angles(self.state.vector)[0] < 1
        return isinstance(self.state, ModeState) and mode_states.is_mixed(self.state.kind)

    def diagonal_start(self) -> Array:
        """Initial populations, shape (blocks, dim), where :attr:`is_diagonal`."""
        if self.kind == "mode":
            return np.diag(self.initial_blocks()[0]).real[None, :].copy()
        assert isinstance(self.state, BlochState)
        length, theta, _ = dicke.bloch_angles(self.state.vector)
        if self.kind == "ensemble":
            p = dicke.product_populations(self.emitters, length)
        else:
            p = np.zeros((1, self.dim))
            p[0, -1], p[0, 0] = (1 + length) / 2, (1 - length) / 2
        return p if theta < 1 else p[:, ::-1]

    def start(self) -> tuple[Any, Any, Any, Any]:
        """Block, row, column and value of the elements of the initial density matrix."""
        if self.is_diagonal:
            p = self.diagonal_start()
            j, m = np.nonzero(p > 1e-18)
            return j, m, m, p[j, m].astype(complex)
        parts = []
        for b, matrix in self.initial_blocks().items():
            row, column = np.nonzero(np.abs(matrix) > 1e-18)
            parts.append((np.full(row.size, b), row + b, column + b, matrix[row, column]))
        return tuple(np.concatenate(x) for x in zip(*parts, strict=True))  # type: ignore[return-value]

    def initial_blocks(self) -> dict[int, NDArray[np.complex128]]:
        """Initial density matrix block by block, basis M = -J … J (or n = 0 … cutoff - 1)."""
        if isinstance(self.state, BlochState):
            if self.kind == "ensemble":
                return dicke.product_blocks(self.emitters, self.state.vector)
            _, theta, phi = dicke.bloch_angles(self.state.vector)
            if self.kind == "spin":
                return dicke.product_blocks(1, self.state.vector)
            psi = dicke.coherent_state(self.length, theta, phi)
            psi[np.abs(psi) < 1e-15] = 0
            return {0: np.outer(psi, psi.conj())}
        assert isinstance(self.state, ModeState)
        return {0: mode_states.matrix(self.state.kind, self.state.value, self.dim)}


def amplitude(mode: bool, word: str, J: Array, M: Array) -> Array:
    """Matrix element <J, M + shift| word |J, M> (for a mode: of n = M, J unused), broadcasting."""
    value = np.ones(np.broadcast_shapes(np.shape(J), np.shape(M)))
    for letter in reversed(word):
        s = _STEPS[letter]
        if letter == "z":
            value = value * M
        elif mode:
            value = value * np.sqrt(np.maximum(M + 1 if s > 0 else M, 0))
        else:
            value = value * np.sqrt(np.maximum((J - s * M) * (J + s * M + 1), 0))
        M = M + s
    return np.asarray(value)


@lru_cache(maxsize=512)
def _spin_table(length: float, blocks: int, word: str) -> Array:
    J, M = dicke.quantum_numbers(length, blocks)
    value = np.where(np.abs(M) <= J, amplitude(False, word, J, M), 0.0)
    value.setflags(write=False)
    return value


@lru_cache(maxsize=512)
def _mode_table(dim: int, word: str) -> Array:
    n = np.arange(dim, dtype=float)[None, :]
    inside = (n + shift(word) >= 0) & (n + shift(word) < dim)
    value = np.where(inside, amplitude(True, word, 0 * n, n), 0.0)
    value.setflags(write=False)
    return value


def shift(word: str) -> int:
    """Change of M (or n) that a ladder word makes."""
    return sum(_STEPS[c] for c in word)


@lru_cache(maxsize=4096)
def _words(kind: str, word: str) -> tuple[tuple[str, complex], ...]:
    """Ladder words of one canonical word."""
    if kind == "mode":
        return ((word, 1.0 + 0j),)
    unit = 2.0 if kind == "spin" else 1.0
    letters = {
        "x": (("p", 0.5 * unit), ("m", 0.5 * unit)),
        "y": (("p", -0.5j * unit), ("m", 0.5j * unit)),
        "z": (("z", unit),),
    }
    out: dict[str, complex] = {"": 1.0 + 0j}
    for letter in word:
        new: dict[str, complex] = {}
        for w, c in out.items():
            for piece, d in letters[letter]:
                new[w + piece] = new.get(w + piece, 0) + c * d
        out = new
    total: dict[str, complex] = {}
    for w, c in out.items():
        for v, d in _ordered(w):
            total[v] = total.get(v, 0) + c * d
    return tuple((w, c) for w, c in total.items() if c != 0)


#: The commutators that sort J_+ before J_z before J_-: swapped pair, and what is left over.
_SWAPS = {"mp": ("pm", "z", -2.0), "zp": ("pz", "p", 1.0), "mz": ("zm", "m", 1.0)}


@lru_cache(maxsize=4096)
def _ordered(word: str) -> tuple[tuple[str, float], ...]:
    """A ladder word of an angular momentum as a sum of words in the order p, z, m."""
    for i in range(len(word) - 1):
        if word[i : i + 2] in _SWAPS:
            swapped, rest, c = _SWAPS[word[i : i + 2]]
            out: dict[str, float] = {}
            for middle, factor in ((swapped, 1.0), (rest, c)):
                for v, d in _ordered(word[:i] + middle + word[i + 2 :]):
                    out[v] = out.get(v, 0) + factor * d
            return tuple((v, d) for v, d in out.items() if d != 0)
    return ((word, 1.0),)


#: Kinds of subsystems that the exact engines know; they keep a table of their own.
KINDS = ("ensemble", "collective", "spin", "mode", "levels")


def unknown_kind(model: Model) -> str | None:
    """Which subsystem of a model is of another kind; None if all are known."""
    for sub in model.subsystems:
        if sub.kind not in KINDS:
            return f"they know no subsystems of the kind of {sub.name!r}, {sub.kind!r}"
    return None


class Basis:
    """All sites of a model, numbered, with the translation of operators into ladder words.

    Args:
        model: the model.
        cutoffs: Fock states kept per mode, keyed by (subsystem, member); a mode's own ``cutoff``
            is used where it has one.
    """

    def __init__(self, model: Model, cutoffs: dict[tuple[Subsystem, int], int] | None = None):
        self.model = model
        for sub in model.subsystems:
            if sub.kind == "levels":
                raise ValueError(
                    f"{sub.name!r} are emitters with levels, which have no |J, M>: take "
                    "wf.Exact(), or wf.TWA()."
                )
        if reason := unknown_kind(model):
            raise ValueError(f"The exact engines cannot treat this model: {reason}.")
        self.sites: list[Site] = []
        self.number: dict[tuple[Subsystem, int], int] = {}
        for sub, states in model.initial.items():
            for m in range(sub.size):
                cutoff = (
                    (sub.cutoff or (cutoffs or {}).get((sub, m), 2)) if isinstance(sub, Mode) else 0
                )
                self.number[sub, m] = len(self.sites)
                self.sites.append(Site(sub, m, states[m], cutoff))

    def expand(self, op: Op) -> dict[Times, dict[Ladder, complex]]:
        """Ladder words of an operator, grouped by their product of time coefficients."""
        out: dict[Times, dict[Ladder, complex]] = {}
        for c, times, factors in op.expand():
            pieces: dict[Ladder, complex] = {(): c}
            for sub, m, word in factors:
                k = self.number[sub, m]
                pieces = {
                    (*head, (k, w)): a * b
                    for head, a in pieces.items()
                    for w, b in _words(sub.kind, word)
                }
            group = out.setdefault(times, {})
            for key, value in pieces.items():
                ordered = tuple(sorted(key))
                group[ordered] = group.get(ordered, 0) + value
        for times, group in out.items():
            scale = max(abs(c) for c in group.values())
            out[times] = {k: c for k, c in group.items() if abs(c) > 1e-14 * scale}
        return {times: group for times, group in out.items() if group}

    def shifts(self, word: Ladder) -> tuple[tuple[int, int], ...]:
        """((site, change of M), …) without zeros."""
        return tuple((k, shift(w)) for k, w in word if shift(w))


def spherical(op: LocalOp) -> tuple[complex, dict[str, complex]]:
    r"""c_0 and (c_+, c_-, c_z) of a one-emitter operator, zeros left out."""
    c0, cx, cy, cz = (complex(v) for v in op.c)
    scale = max(abs(c0), abs(cx), abs(cy), abs(cz), 1e-300)
    parts = {"p": cx - 1j * cy, "m": cx + 1j * cy, "z": cz}
    return c0, {q: c for q, c in parts.items() if abs(c) > 1e-14 * scale}


def collective(op: LocalOp, m: int) -> Op:
    """The sum over emitters of the traceless part of a one-emitter operator: 2 c·J."""
    _, cx, cy, cz = op.c
    return op.sub._of_member({"x": 2 * cx, "y": 2 * cy, "z": 2 * cz}, m)
