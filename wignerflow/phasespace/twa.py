r"""The truncated Wigner approximation, ``wf.TWA``.

Collective jumps and Hamiltonians turn spins by the field of Eq. (6) of Ruks (arXiv, "Semiclassical
simulation of homogeneous emitter ensembles with local dissipation"), written for the vector J:

.. math:: dJ = \omega\times J, \qquad
   \omega = \partial_J h\,dt + \mathrm{Re}\sum_k \partial_J l_k\,(\sqrt{r_k}\,dW_k + i r_k l_k^* dt)

(Stratonovich). Local jumps of an ensemble enter through the Bloch form, exact in first and second
moments for every N (see ``ensemble``).
"""

from __future__ import annotations

from typing import Any

from .. import _check
from ..model.model import Model
from ..model.operators import ArrayOp, Op
from . import lower
from .polynomials import Poly
from .system import MemberObservable, PhaseSpaceSystem


class TWA:
    """Truncated Wigner approximation for ensembles, collective spins, spins and modes in any mixture.

    Args:
        sampling: initial fluctuations of pure ensemble and collective-spin states: "auto" (fixed spin
            length from N = 10 on, Gaussian below), "fixed" or "gaussian". Mixed states are Gaussian.
        spin_sampling: of single spins: "discrete" (each transverse component +1 or -1) or "gaussian".
        scheme: "splitting" (exact rotations and exact local steps) or "heun" (an independent check; it
            needs smaller steps).

    Raises:
        ValueError: an option is unknown.
    """

    name = "twa"
    stochastic = True

    def __init__(self, *, sampling: str = "auto", spin_sampling: str = "discrete", scheme: str = "splitting"):
        self.sampling = _check.one_of("sampling", sampling, ["auto", "fixed", "gaussian"])
        self.spin_sampling = _check.one_of("spin_sampling", spin_sampling, ["discrete", "gaussian"])
        self.scheme = _check.one_of("scheme", scheme, ["splitting", "heun"])

    def refuses(self, model: Model) -> str | None:
        """Why the method cannot treat ``model``, or None."""
        return None

    def lower(
        self, model: Model, ops: dict[str, Op | ArrayOp], tlist: Any
    ) -> tuple[PhaseSpaceSystem, dict[str, Poly | MemberObservable]]:
        """The classical system and the symbol of every observable."""
        system, symbols = lower.build(model, tlist)
        system.scheme = self.scheme
        lower.set_initial(system, model, self.sampling, self.spin_sampling)
        return system, lower.lower_observables(symbols, ops)

    def options(self) -> dict[str, str]:
        """The options, plain."""
        return {"sampling": self.sampling, "spin_sampling": self.spin_sampling, "scheme": self.scheme}

    def __repr__(self) -> str:
        changed = [f"{k}={v!r}" for k, v in self.options().items() if v not in ("auto", "discrete", "splitting")]
        return f"TWA({', '.join(changed)})"
