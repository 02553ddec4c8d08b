"""wignerflow: phase-space simulation of driven, dissipative ensembles of emitters, spins and modes."""

from .model.coefficients import Coef, coef
from .model.couplings import AllToAll, NearestNeighbour, Waveguide
from .model.model import Jump, LocalJump, Model
from .model.operators import commutator, couple
from .model.states import bloch, bloch_vector, coherent, down, fock, thermal, up, vacuum
from .model.subsystems import CollectiveSpin, Ensemble, Mode, Spin

__all__ = [
    "AllToAll", "Coef", "CollectiveSpin", "Ensemble", "Jump", "LocalJump", "Mode", "Model", "NearestNeighbour",
    "Spin", "Waveguide", "bloch", "bloch_vector", "coef", "coherent", "commutator", "couple", "down", "fock",
    "thermal", "up", "vacuum",
]
