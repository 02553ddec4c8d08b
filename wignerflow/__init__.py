"""Phase-space simulation of driven, dissipative ensembles of emitters, spins and modes."""

from .derived import (
    Coherence,
    CorrelationLength,
    Derived,
    Fano,
    Ratio,
    Squeezing,
    StructureFactor,
    Subradiance,
    WinelandSqueezing,
    g2,
)
from .model.coefficients import Coef, coef
from .model.couplings import AllToAll, NearestNeighbour, Waveguide
from .model.model import Jump, LocalJump, Model
from .model.operators import commutator, couple
from .model.states import bloch, bloch_vector, coherent, down, fock, thermal, up, vacuum
from .model.subsystems import CollectiveSpin, Ensemble, Mode, Spin
from .result import Result, load

__all__ = [
    "AllToAll",
    "Coef",
    "Coherence",
    "CollectiveSpin",
    "CorrelationLength",
    "Derived",
    "Ensemble",
    "Fano",
    "Jump",
    "LocalJump",
    "Mode",
    "Model",
    "NearestNeighbour",
    "Ratio",
    "Result",
    "Spin",
    "Squeezing",
    "StructureFactor",
    "Subradiance",
    "Waveguide",
    "WinelandSqueezing",
    "bloch",
    "bloch_vector",
    "coef",
    "coherent",
    "commutator",
    "couple",
    "down",
    "fock",
    "g2",
    "load",
    "thermal",
    "up",
    "vacuum",
]
