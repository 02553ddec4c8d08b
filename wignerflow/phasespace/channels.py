"""What a system emits and takes in: channels of its jumps, their output fields, delayed links."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from .polynomials import Poly


@dataclass
class Channel:
    """One jump with symbol ``symbol`` (complex polynomial) and plain rate.

    ``name``: a unique one, which keys its noise.
    ``sign`` -1: its field is taken off (in systems without noise). ``noisy`` False: of a linear
    jump of a mode whose noise stands in a :class:`Diffusion`.
    ``jump``: its number among the jumps of the model, if it stands for one alone.
    ``ordering``, of a port: the symbol of r L^+ L minus r |l|^2; ``entering``: the amplitude of the
    coherent light that enters there, whose drive stands in the Hamiltonian.
    """

    symbol: Poly
    rate: float | Coef
    name: str
    sign: float = 1.0
    noisy: bool = True
    jump: int | None = None
    ordering: Poly | None = None
    entering: complex = 0j


@dataclass
class MemberChannel:
    """One independent jump per member m of an array group: symbol sum_k c_k[m] mono_k(v_m).

    ``sign``, ``noisy``, ``jump``, ``ordering`` and ``entering`` as in :class:`Channel`.
    """

    size: int
    terms: dict[tuple[tuple[int, int], ...], NDArray[np.complex128]]
    rate: NDArray[np.float64] | Coef
    name: str
    sign: float = field(default=1.0, kw_only=True)
    noisy: bool = field(default=True, kw_only=True)
    jump: int | None = field(default=None, kw_only=True)
    ordering: dict[tuple[tuple[int, int], ...], NDArray[np.complex128]] | None = field(
        default=None, kw_only=True
    )
    entering: complex = field(default=0j, kw_only=True)


@dataclass
class MatrixChannel(MemberChannel):
    """Correlated jumps: ``matrix`` G (size, size), sum_ij G_ij (l_j rho l_i^+ - ...), and a

    ``factor`` S (size, rank) with S S^+ = G^T; ``rate`` holds the absolute row sums of G.
    """

    matrix: NDArray[np.complex128]
    factor: NDArray[np.complex128]


#: Numbers that are kept of every field over an output interval, see ``kernels.records``.
RECORDS = 6


@dataclass
class Field:
    """An output field: the sum of (channel, c, d), c b + d b^* of the channel's field b, each, and

    of an ``amplitude`` that enters (times only); ``flux``: the symbol of its photons per time, None
    where that is infinite.
    """

    terms: list[tuple[Channel, complex, complex]]
    amplitude: Poly
    flux: Poly | None


@dataclass(frozen=True, eq=False)
class Port:
    """The field of a channel: of this member, if it has many."""

    channel: Channel | MemberChannel
    member: int = 0


@dataclass
class LinkSpec:
    """What leaves ``source`` enters ``target`` a ``delay`` later, times ``factor``, with as much

    vacuum as ``loss`` says: ``abs(factor)^2 + loss^2 = 1``.
    """

    source: Port
    target: Port
    delay: float
    factor: complex
    loss: float

    @property
    def ports(self) -> tuple[Port, Port]:
        """Source and target."""
        return self.source, self.target


@dataclass
class PortField:
    """A sum of fields that leave ports of a system with links, times factors."""

    ports: tuple[tuple[Port, complex], ...]
