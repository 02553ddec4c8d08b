"""wignerflow: phase-space simulation of driven, dissipative emitters, spins and modes."""

from ._version import __version__
from .analysis import mean_field
from .analysis.certify import Certificate, certify
from .analysis.compare import Comparison, compare
from .analysis.correlation import Correlation, correlation
from .analysis.distribution import ball_density, sphere_density
from .analysis.fit import Fit, fit
from .analysis.photon_values import Photons
from .analysis.photons import photons
from .analysis.spectrum import Spectrum, spectrum
from .analysis.steady_state import NotRelaxed, NotUnique, SteadyState, steady_state
from .analysis.sweep import sweep
from .analysis.verify import Verification, verify
from .analysis.wigner import wigner_density
from .checkpoint import Checkpoint, CheckpointFailed
from .derived import (
    Coherence,
    CorrelationLength,
    Derived,
    Fano,
    Flux,
    Ratio,
    Squeezing,
    StructureFactor,
    Subradiance,
    WinelandSqueezing,
    function,
    g2,
)
from .exact.bridge import from_piqs
from .exact.engine import Exact
from .exact.jumps import QuantumJumps
from .model import emitters
from .model.bath import Bath, bath
from .model.coefficients import Coef, coef
from .model.couplings import AllToAll, NearestNeighbour, Waveguide
from .model.level_states import density, level, levels, mixture
from .model.levels import Levels
from .model.line import Line, Mirror
from .model.links import Link
from .model.mode_states import coherent, fock, squeezed, thermal, vacuum
from .model.model import Jump, LocalJump, Model
from .model.operators import commutator, couple
from .model.outputs import Output
from .model.spread import spread
from .model.states import bloch, bloch_vector, down, up
from .model.subsystems import CollectiveSpin, Ensemble, Mode, Spin
from .model.waveguides import waveguide
from .moments.method import Cumulant
from .phasespace.cluster_twa import ClusterTWA
from .phasespace.generalized_p import GeneralizedP
from .phasespace.mean_field import MeanField
from .phasespace.schwinger import Schwinger
from .phasespace.twa import TWA, SpinTWA
from .result import AccuracyWarning, Result, load
from .run.stopping import relative
from .solving import FailedTrajectories, register, solve
from .views import attach as _attach

__all__ = [
    "TWA",
    "AccuracyWarning",
    "AllToAll",
    "Bath",
    "Certificate",
    "Checkpoint",
    "CheckpointFailed",
    "ClusterTWA",
    "Coef",
    "Coherence",
    "CollectiveSpin",
    "Comparison",
    "Correlation",
    "CorrelationLength",
    "Cumulant",
    "Derived",
    "Ensemble",
    "Exact",
    "FailedTrajectories",
    "Fano",
    "Fit",
    "Flux",
    "GeneralizedP",
    "Jump",
    "Levels",
    "Line",
    "Link",
    "LocalJump",
    "MeanField",
    "Mirror",
    "Mode",
    "Model",
    "NearestNeighbour",
    "NotRelaxed",
    "NotUnique",
    "Output",
    "Photons",
    "QuantumJumps",
    "Ratio",
    "Result",
    "Schwinger",
    "Spectrum",
    "Spin",
    "SpinTWA",
    "Squeezing",
    "SteadyState",
    "StructureFactor",
    "Subradiance",
    "Verification",
    "Waveguide",
    "WinelandSqueezing",
    "__version__",
    "ball_density",
    "bath",
    "bloch",
    "bloch_vector",
    "certify",
    "coef",
    "coherent",
    "commutator",
    "compare",
    "correlation",
    "couple",
    "density",
    "down",
    "emitters",
    "fit",
    "fock",
    "from_piqs",
    "function",
    "g2",
    "level",
    "levels",
    "load",
    "mean_field",
    "mixture",
    "photons",
    "register",
    "relative",
    "solve",
    "spectrum",
    "sphere_density",
    "spread",
    "squeezed",
    "steady_state",
    "sweep",
    "thermal",
    "up",
    "vacuum",
    "verify",
    "waveguide",
    "wigner_density",
]

_attach()
