"""wignerflow: phase-space simulation of driven, dissipative emitters, spins and modes.

Names are imported when they are first asked for (PEP 562), and so are SciPy, xarray and matplotlib:
``import wignerflow`` itself costs little more than NumPy.
"""

import difflib
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

try:
    from .views import attach
except KeyboardInterrupt:
    if "wignerflow" in [os.path.basename(word) for word in sys.orig_argv[1:3]]:  # the command line
        print("wignerflow: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    raise

if TYPE_CHECKING:
    from .analysis import mean_field as mean_field
    from .analysis.certify import Certificate as Certificate
    from .analysis.certify import certify as certify
    from .analysis.certify_clusters import ClusterCertificate as ClusterCertificate
    from .analysis.compare import Comparison as Comparison
    from .analysis.compare import compare as compare
    from .analysis.correlation import Correlation as Correlation
    from .analysis.correlation import correlation as correlation
    from .analysis.distribution import ball_density as ball_density
    from .analysis.distribution import sphere_density as sphere_density
    from .analysis.distribution import wigner_density as wigner_density
    from .analysis.fit import Fit as Fit
    from .analysis.fit import fit as fit
    from .analysis.photon_values import Photons as Photons
    from .analysis.photons import photons as photons
    from .analysis.spectrum import Spectrum as Spectrum
    from .analysis.spectrum import spectrum as spectrum
    from .analysis.steady_state import NotRelaxed as NotRelaxed
    from .analysis.steady_state import NotUnique as NotUnique
    from .analysis.steady_state import SteadyState as SteadyState
    from .analysis.steady_state import steady_state as steady_state
    from .analysis.sweep import sweep as sweep
    from .analysis.verify import Verification as Verification
    from .analysis.verify import verify as verify
    from .checkpoint import Checkpoint as Checkpoint
    from .checkpoint import CheckpointFailed as CheckpointFailed
    from .derived import Coherence as Coherence
    from .derived import CorrelationLength as CorrelationLength
    from .derived import Derived as Derived
    from .derived import Fano as Fano
    from .derived import Flux as Flux
    from .derived import Ratio as Ratio
    from .derived import Squeezing as Squeezing
    from .derived import StructureFactor as StructureFactor
    from .derived import Subradiance as Subradiance
    from .derived import WinelandSqueezing as WinelandSqueezing
    from .derived import function as function
    from .derived import g2 as g2
    from .exact.bridge import from_piqs as from_piqs
    from .exact.engine import Exact as Exact
    from .exact.jumps import QuantumJumps as QuantumJumps
    from .model import emitters as emitters
    from .model.bath import Bath as Bath
    from .model.bath import bath as bath
    from .model.coefficients import Coef as Coef
    from .model.coefficients import coef as coef
    from .model.couplings import AllToAll as AllToAll
    from .model.couplings import NearestNeighbour as NearestNeighbour
    from .model.couplings import PowerLaw as PowerLaw
    from .model.couplings import Waveguide as Waveguide
    from .model.level_states import density as density
    from .model.level_states import level as level
    from .model.level_states import levels as levels
    from .model.level_states import mixture as mixture
    from .model.levels import Levels as Levels
    from .model.links import Link as Link
    from .model.mode_states import coherent as coherent
    from .model.mode_states import fock as fock
    from .model.mode_states import squeezed as squeezed
    from .model.mode_states import thermal as thermal
    from .model.mode_states import vacuum as vacuum
    from .model.model import Jump as Jump
    from .model.model import LocalJump as LocalJump
    from .model.model import Model as Model
    from .model.operators import commutator as commutator
    from .model.operators import couple as couple
    from .model.outputs import Output as Output
    from .model.pulses import Pulse as Pulse
    from .model.pulses import pulse as pulse
    from .model.spread import spread as spread
    from .model.states import bloch as bloch
    from .model.states import bloch_vector as bloch_vector
    from .model.states import down as down
    from .model.states import up as up
    from .model.subsystems import CollectiveSpin as CollectiveSpin
    from .model.subsystems import Ensemble as Ensemble
    from .model.subsystems import Mode as Mode
    from .model.subsystems import Spin as Spin
    from .model.waveguides import Line as Line
    from .model.waveguides import Mirror as Mirror
    from .model.waveguides import waveguide as waveguide
    from .model.zeeman import Zeeman as Zeeman
    from .model.zeeman import zeeman as zeeman
    from .moments.method import Cumulant as Cumulant
    from .phasespace.cluster_twa import ClusterTWA as ClusterTWA
    from .phasespace.generalized_p import GeneralizedP as GeneralizedP
    from .phasespace.mean_field import MeanField as MeanField
    from .phasespace.schwinger import Schwinger as Schwinger
    from .phasespace.twa import TWA as TWA
    from .phasespace.twa import SpinTWA as SpinTWA
    from .result import AccuracyWarning as AccuracyWarning
    from .result import Result as Result
    from .result import load as load
    from .run.stopping import relative as relative
    from .solving import FailedTrajectories as FailedTrajectories
    from .solving import register as register
    from .solving.solve import solve as solve

#: Where the names of the package stand.
_MODULES = {
    "analysis.certify": "Certificate certify",
    "analysis.certify_clusters": "ClusterCertificate",
    "analysis.compare": "Comparison compare",
    "analysis.correlation": "Correlation correlation",
    "analysis.distribution": "ball_density sphere_density wigner_density",
    "analysis.fit": "Fit fit",
    "analysis.photon_values": "Photons",
    "analysis.photons": "photons",
    "analysis.spectrum": "Spectrum spectrum",
    "analysis.steady_state": "NotRelaxed NotUnique SteadyState steady_state",
    "analysis.sweep": "sweep",
    "analysis.verify": "Verification verify",
    "checkpoint": "Checkpoint CheckpointFailed",
    "derived": "Coherence CorrelationLength Derived Fano Flux Ratio Squeezing StructureFactor"
    " Subradiance WinelandSqueezing function g2",
    "exact.bridge": "from_piqs",
    "exact.engine": "Exact",
    "exact.jumps": "QuantumJumps",
    "model.bath": "Bath bath",
    "model.coefficients": "Coef coef",
    "model.couplings": "AllToAll NearestNeighbour PowerLaw Waveguide",
    "model.level_states": "density level levels mixture",
    "model.levels": "Levels",
    "model.links": "Link",
    "model.mode_states": "coherent fock squeezed thermal vacuum",
    "model.model": "Jump LocalJump Model",
    "model.operators": "commutator couple",
    "model.outputs": "Output",
    "model.pulses": "Pulse pulse",
    "model.spread": "spread",
    "model.states": "bloch bloch_vector down up",
    "model.subsystems": "CollectiveSpin Ensemble Mode Spin",
    "model.waveguides": "Line Mirror waveguide",
    "model.zeeman": "Zeeman zeeman",
    "moments.method": "Cumulant",
    "phasespace.cluster_twa": "ClusterTWA",
    "phasespace.generalized_p": "GeneralizedP",
    "phasespace.mean_field": "MeanField",
    "phasespace.schwinger": "Schwinger",
    "phasespace.twa": "TWA SpinTWA",
    "result": "AccuracyWarning Result load",
    "run.stopping": "relative",
    "solving": "FailedTrajectories register solve",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}
#: Names that are modules themselves.
_PARTS = {"emitters": "model.emitters", "mean_field": "analysis.mean_field"}

#: Names of other libraries, and what does the same here.
_ELSEWHERE = {
    "mesolve": "wf.solve(model, tlist, e_ops=…, method='exact')",
    "mcsolve": "wf.solve(model, tlist, e_ops=…, method='jumps')",
    "sesolve": "wf.solve(model, tlist, e_ops=…, method='exact')",
    "steadystate": "wf.steady_state(model, e_ops)",
    "correlation_2op_1t": "wf.correlation(model, A, B, taus)",
    "piqs": "wf.from_piqs(system)",
    "destroy": "wf.Mode(name='cav').a",
    "sigmam": "wf.Ensemble(N).Jm, or wf.Spin().sm",
    "tensor": "products of operators, as in cav.a * atoms.Jp",
    "Qobj": "operators such as cav.a and atoms.Jm; model.to_qutip() makes matrices of them",
    "expect": "the e_ops of wf.solve; means are in result.expect",
    "wigner": "wf.wigner_density(result)",
}

__all__ = sorted([*_HOME, *_PARTS, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        value: Any = importlib.import_module(f".{_PARTS[name]}", __name__)
    elif name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_advice(name)}")
    globals()[name] = value
    return value


def _advice(name: str) -> str:
    """What to use instead of a name that is not there."""
    if name in _ELSEWHERE:
        return f"; use {_ELSEWHERE[name]}"
    if name.startswith("_"):
        return ""
    near = difflib.get_close_matches(name, __all__, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def __dir__() -> list[str]:
    return list(__all__)


attach()
