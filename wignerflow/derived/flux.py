"""Photon flux of an output field."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..model.coefficients import Coef
from ..model.model import Jump, LocalJump
from ..model.operators import ArrayOp, Op
from ..model.outputs import SAME, Output
from .base import Derived, Means


class Flux(Derived):
    r"""Photons per unit of time in an output field, :math:`\langle b^\dagger b\rangle`.

    .. math:: b^\dagger b \to K^\dagger K, \qquad
       K = \sum_k c_k(\sqrt{r_k}\,L_k + \beta_k)

    of the jumps :math:`L_k` of plain rates :math:`r_k` in it with their coherent inputs, the vacuum
    left out: :math:`r\langle L^\dagger L\rangle` for one jump. An operator's mean, for every
    method; where an amplitude or a rate depends on time, a sum of means with factors that do.

    Args:
        output: a :class:`wignerflow.Output`, or a jump for its whole output; of a
            :class:`wignerflow.LocalJump` that of all emitters together, :math:`r\sum_n l_n^\dagger
            l_n`.

    Raises:
        TypeError: it is neither.
        ValueError: an input is thermal or squeezed (infinite flux), the coefficients of the output
            have a norm above 1, or (when a run begins) a jump is not in the model.

    References:
        Gardiner and Collett, Phys. Rev. A 31, 3761 (1985), Eq. (2.22).

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> atoms = wf.Ensemble(10, name="atoms")
        >>> jump = wf.Jump(atoms.Jm, 0.1)
        >>> model = wf.Model(jumps=[jump], initial={atoms: wf.up})
        >>> e_ops = {"flux": wf.Flux(wf.Output(jump))}
        >>> out = wf.solve(model, [0, 1], e_ops=e_ops, method="exact")
        >>> round(float(out.expect["flux"][0]), 12)
        1.0
    """

    _timed: Mapping[str, tuple[Coef, ...]] = {}
    _alone: Mapping[str, complex] = {}
    _factors: Mapping[str, NDArray[np.complex128]] = {}

    def __init__(self, output: Output | Jump | LocalJump):
        #: Local jumps have a field for each emitter, and no output.
        self.local: LocalJump | None = output if isinstance(output, LocalJump) else None
        if isinstance(output, LocalJump):
            self._of_all_emitters(output)
            return
        if not isinstance(output, Output):
            output = Output(output)
        output.check("output")
        K = output.operator()
        total = (K.dag() * K).canonical()
        parts: dict[tuple[Coef, ...], Op] = {}
        for (coefs, factors), c in total.terms.items():
            parts[coefs] = parts.get(coefs, Op()) + Op({((), factors): c})
        self.output: Output | None = output
        named = {(f"flux {k}" if t else "flux"): t for k, t in enumerate(parts)}
        #: What means are multiplied by that depend on time; what has no input stands alone.
        self._timed = {name: coefs for name, coefs in named.items() if coefs}
        self._inputs = {k: parts[t] for k, t in named.items() if not t or parts[t].subsystems}
        self._alone = {
            k: complex(*parts[t].terms.values()) for k, t in named.items() if k not in self._inputs
        }
        self._label = f"Flux({output!r})"

    def _of_all_emitters(self, jump: LocalJump) -> None:
        if isinstance(jump.rate, Coef):
            _check.fail("output", "have a constant rate", jump, "Take the mean of l^+ l.")
        total = jump.rate * (jump.op.dag() * jump.op).over_emitters()
        self.output = None
        self._inputs = {"flux": total.sum() if isinstance(total, ArrayOp) else total}
        self._label = f"Flux({jump!r})"

    def on(self, argument: str, model: Any) -> Derived:
        """See ``Derived``; light that came with a delay is no operator of now."""
        if self.local is not None and model.own(self.local) is None:
            _check.fail(argument, "be of a jump of the model", self, SAME)
        if self.output is None:
            return self
        self.output.check(argument, model)
        output = self.output.on(model)
        late = {link.target_key for link in model.links}
        if any(key in late for key in output.terms):
            hint = "Take `wf.photons(model, output, bins=…).flux()`."
            _check.fail(argument, "have no light in it that comes with a delay", self, hint)
        return Flux(output)

    def over(self, times: NDArray[np.float64]) -> Derived:
        """See ``Derived``."""
        new = copy.copy(self)
        new._factors = {
            name: self._alone.get(name, 1.0) * np.prod([coef(times) for coef in coefs], axis=0)
            for name, coefs in self._timed.items()
        }
        return new

    def parameters(self) -> dict[str, Any]:
        parts = {k: [f.real.tolist(), f.imag.tolist()] for k, f in self._factors.items()}
        return {"factors": parts} if parts else {}

    def configure(self, factors: Mapping[str, Any] | None = None, **parameters: Any) -> None:
        super().configure(**parameters)
        self.output = self.local = None
        self._factors = {
            str(name): np.array(re, float) + 1j * np.array(im, float)
            for name, (re, im) in (factors or {}).items()
        }

    @property
    def linear(self) -> bool:
        return not self._factors

    def evaluate(self, means: Means) -> NDArray:
        if not self._factors:
            return means["flux"]
        times = next(iter(means.values())).shape[-1]  # of a pilot only the first ones
        out = np.asarray(means.get("flux", 0.0))
        for name, factor in self._factors.items():
            out = out + (factor[:times] * means.get(name, 1.0)).real
        return out
