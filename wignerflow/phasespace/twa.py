r"""The truncated Wigner approximation, ``wf.TWA``.

Collective jumps and Hamiltonians turn spins by the field of Eq. (6) of Ruks (arXiv, "Semiclassical
simulation of homogeneous emitter ensembles with local dissipation"), written for the vector J:

.. math:: dJ = \omega\times J, \qquad
   \omega = \partial_J h\,dt + \mathrm{Re}\sum_k \partial_J l_k\,(\sqrt{r_k}\,dW_k + i r_k l_k^* dt)

(Stratonovich). Local jumps of an ensemble enter through the Bloch form, exact in first and second
moments for every N (see ``ensemble``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _check
from ..method import Operators
from ..model.levels import Levels
from ..model.model import Model
from ..model.operators import ArrayOp, Op
from . import lower, pulses
from .equations import text
from .lower import validity
from .method import Symbol, TrajectoryMethod
from .rotor import use_rotor_form
from .system import SMALL_NOISE, SPLITTING, PhaseSpaceSystem

#: What arguments may be.
CHOICES = {
    "form": ("bloch", "rotor"),
    "spin_form": ("length", "bloch"),
    "sampling": ("auto", "fixed", "gaussian"),
    "spin_sampling": ("discrete", "gaussian"),
    "scheme": ("auto", SPLITTING, SMALL_NOISE),
    "noise": ("gaussian", "three-point"),
}


class TWA(TrajectoryMethod):
    r"""Truncated Wigner approximation of ensembles, spins and modes in any mixture.

    With h the Weyl symbol of H, l_k those of the jumps of plain rates r_k, and X_k = sqrt(r_k) dW_k
    + i r_k l_k^* dt, where dW = dW_1 + i dW_2 has independent parts of variance dt, vectors J of
    ensembles and collective spins (s = 2 J of single spins) and amplitudes a of modes obey

    .. math::
       dJ &= \Big(\partial_J h\,dt + \mathrm{Re}\sum_k \partial_J l_k\,X_k\Big)\times J, \\
       da &= -i\,\partial_{a^*} h\,dt - \tfrac i2\sum_k (\partial_{a^*} l_k\,X_k
             + \partial_{a^*} l_k^*\,X_k^*)

    (Stratonovich, hbar = 1; times are in one over the unit of H and of the rates). Local jumps of
    an ensemble, which turn the Bloch vector of one emitter by dr/dt = -Lambda r + c, add (Itô)

    .. math:: dJ = (-\Lambda J + \tfrac N2 c)\,dt + \xi, \qquad \langle\xi\xi^T\rangle
       = [\tfrac N4(\Lambda + \Lambda^T) - \tfrac12(c J^T + J c^T)]\,dt,

    exact in first and second moments for every N. Emitters of d levels are a Hermitian matrix R of
    trace N, R -> U R U^+ under H and collective jumps, and step by the same rules (see ``levels``
    and ``matrices``); single ones have exact means under all jumps of their own.
    Trajectories start with mean N r/2 and covariance
    (N/4)(1 - r r^T). ``sem`` is the sampling error; the method's own is of order one over the
    length of J, mostly 1/N, and large where that is of order one (``stats["short_spins"]``).
    Observables have their exact symbols, products of any number of J too.

    Args:
        form: of ensembles with local jumps: "bloch" (three variables, local jumps exact in first
            and second moments) or "rotor" (the four-dimensional phase space of the paper, see
            ``rotor``; slower, and accurate where |J| stays well above one).
        corrected: of the rotor form: symbols with the factor 1 ± 1/(2L), or of leading order.
        sampling: initial fluctuations of pure states of ensembles and collective spins: "auto"
            (fixed spin length from N = 10 on, Gaussian below; single emitters of ``wf.Levels``
            discrete), "fixed" or "gaussian". Mixed states are Gaussian.
        spin_form: of single spins: "length" (every jump turns the spin, so that its length is
            kept: the equations of Hosseinabadi, Chelpanova and Marino) or "bloch" (jumps of one
            spin alone are local steps with exact moments, as of an ensemble of one, see ``jumps``).
        spin_sampling: of single spins: "discrete" (each transverse component +1 or -1) or
            "gaussian".
        scheme: "splitting" (exact rotations and exact local steps, of second order), "small-noise"
            (the whole drift to fourth order between halves of the noise: errors h^4 + h^2/N where
            "splitting" makes h^2 + h/N; constant rates and fields, jumps linear in spins and
            modes), or "auto": the first, and the second where the step is chosen by a pilot that
            finds it cheaper.
        noise: "gaussian", or "three-point": increments 0 and ±sqrt(3 dt), with the Gaussian's
            moments up to the fifth, so that averages are of the same order in the step. Cheaper on
            a GPU; single trajectories mean nothing. Not with form="rotor".

    Raises:
        ValueError: an option is unknown, or does not go with ``form``. In a run: a coupling of
            pairs stands in a jump, or is multiplied by another operator in H.
        TypeError: ``corrected`` is no bool.

    References:
        Ruks, "Semiclassical simulation of homogeneous emitter ensembles with local dissipation"
        (2026), Eq. (6); Hosseinabadi, Chelpanova and Marino, Eqs. (7) and (12), for single spins.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> atoms = wf.Ensemble(100, name="atoms")
        >>> model = wf.Model(jumps=[wf.Jump(atoms.Jm, 0.01)], initial={atoms: wf.up})
        >>> t = np.linspace(0, 2, 3)
        >>> result = wf.solve(model, t, e_ops={"z": atoms.Jz}, method=wf.TWA(), seed=1)
        >>> result.expect["z"].shape, result.sem["z"].shape
        ((3,), (3,))
    """

    name = "twa"

    def __init__(
        self,
        *,
        form: str = "bloch",
        corrected: bool = True,
        sampling: str = "auto",
        spin_form: str = "length",
        spin_sampling: str = "discrete",
        scheme: str = "auto",
        noise: str = "gaussian",
    ):
        _check.choices(CHOICES, locals())
        if not isinstance(corrected, bool):
            _check.fail("corrected", "be True or False", corrected, kind=TypeError)
        if not corrected and form != "rotor":
            _check.fail("corrected", 'be left out unless form="rotor"', corrected)
        if form == "rotor" and scheme not in ("auto", SPLITTING):
            _check.fail("scheme", 'be "splitting" with form="rotor"', scheme)
        if form == "rotor" and spin_form != "length":
            _check.fail("spin_form", 'be "length" with form="rotor"', spin_form)
        if form == "rotor" and noise != "gaussian":
            _check.fail("noise", 'be "gaussian" with form="rotor"', noise)
        self.form, self.corrected, self.scheme, self.noise = form, corrected, scheme, noise
        self.sampling, self.spin_form, self.spin_sampling = sampling, spin_form, spin_sampling

    def refuses(self, model: Model, ops: Operators | None = None) -> str | None:
        usual = self.scheme in ("auto", SPLITTING)
        plain = usual and self.form == "bloch" and self.noise == "gaussian"
        if model.links and not plain:
            return 'links with delays need scheme="splitting", form="bloch" and noise="gaussian"'
        if self.form == "rotor" or not usual:
            what = 'form="rotor"' if self.form == "rotor" else f'scheme="{self.scheme}"'
            for sub in model.subsystems:
                if isinstance(sub, Levels):
                    return f"{what} does not know emitters with levels ({sub.name!r}); leave it out"
        return lower.refuses(model) or (pulses.refuses(model) if model.pulses else None)

    def lower(
        self, model: Model, ops: Mapping[str, Op | ArrayOp], tlist: Any
    ) -> tuple[PhaseSpaceSystem, dict[str, Symbol]]:
        system, symbols = lower.build(
            model, self.spin_form == "bloch", corrected=self.form != "rotor"
        )
        system.choice = self.scheme == "auto"
        system.scheme, system.increments = SPLITTING if system.choice else self.scheme, self.noise
        system.facts += validity(system, model)
        if self.form == "rotor":
            use_rotor_form(system, model, self.corrected)
        lower.set_initial(system, model, self.sampling, self.spin_sampling)
        if model.pulses:
            system.pulses = pulses.pulse_maps(system, model)
        return system, lower.lower_observables(symbols, ops)


class SpinTWA(TWA):
    r"""The dissipative truncated Wigner approximation of single spins and modes.

    All dissipation, of one spin too, turns spins and keeps their lengths:

    .. math:: ds = \omega\times s, \qquad
       \omega = 2\,\partial_s h\,dt + 2\,\mathrm{Re}\sum_k \partial_s l_k
       (\sqrt{r_k}\,dW_k + i r_k l_k^* dt)

    (Stratonovich; s the classical Pauli vector), with every component of a spin drawn as +1 or -1.
    It is ``TWA(spin_form="length", spin_sampling="discrete")`` and gives the same numbers;
    ensembles with local jumps, which those equations do not know, are refused. Reference:
    Hosseinabadi, Chelpanova and Marino, "Making Truncated Wigner for dissipative spins 'plain
    easy'", Eqs. (7) and (12).

    Args:
        sampling: initial fluctuations of collective spins and ensembles, see :class:`TWA`.
        spin_sampling: "discrete" or "gaussian".
        scheme: "auto", "splitting" or "small-noise".
    """

    name = "spin-twa"

    def __init__(
        self,
        *,
        sampling: str = "auto",
        spin_sampling: str = "discrete",
        scheme: str = "auto",
    ):
        super().__init__(sampling=sampling, spin_sampling=spin_sampling, scheme=scheme)

    def refuses(self, model: Model, ops: Operators | None = None) -> str | None:
        for jump in model.local_jumps:
            return (
                f"the ensemble {jump.op.sub.name!r} has jumps of every emitter, which would have "
                "to be followed one by one; take wf.TWA(), or an array of wf.Spin"
            )
        return super().refuses(model, ops)

    def equations(self, model: Model) -> str:
        """The equations of motion of every trajectory, as text, for Pauli vectors s = 2 J."""
        return text(self.lower(model, {}, None)[0], pauli=True)
