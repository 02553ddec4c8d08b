"""Local channels of ensembles as text: in the Bloch form, and in the rotor form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.numerals import number
from .matrices import matrix_names
from .names import signed, span
from .system import LocalStep, MatrixStep, PhaseSpaceSystem


def local_text(system: PhaseSpaceSystem, step: LocalStep | MatrixStep) -> list[str]:
    """What the local channels of a block add to its equations."""
    if isinstance(step, MatrixStep):
        return _matrix(system, step)
    return _rotor(system, step) if step.rotor else _bloch(system, step)


def _matrix(system: PhaseSpaceSystem, step: MatrixStep) -> list[str]:
    block = system.blocks[step.block]
    out = [f"local channels of {block.name}{' (Itô)' if system.noise else ''}, of R:"]
    names = matrix_names(block.labels, "R[{},{}]")
    for rate, where, G in step.parts:
        on = _where(where[:, None])
        out.append(f"  d/dt at rate {_rate(rate)}{on}:")
        for j in np.flatnonzero(np.any(np.abs(G) > 1e-14, axis=0)):
            parts = [(complex(c), names[i]) for i, c in enumerate(G[:, j]) if abs(c) > 1e-14]
            out.append(f"    {names[j]}: {signed(parts)}")
    if system.noise:
        out.append("  with noise, <Tr(dR x) Tr(dR y)> = Tr R [L(x∘y) - L(x)∘y - x∘L(y)] dt")
    return out


def _bloch(system: PhaseSpaceSystem, step: LocalStep) -> list[str]:
    name = system.blocks[step.block].name
    calculus = " (Itô)" if system.noise else ""
    out = [
        f"local channels of {name}{calculus}, with J = (Jx, Jy, Jz) and N = {span(step.numbers)}:"
    ]
    if system.noise:
        out.append("  dJ = (-Λ J + (N/2) c) dt + noise,  <noise noise^T> = D dt,")
        out.append("  D = (N/4)(Λ + Λ^T) - (c J^T + J c^T)/2,")
    else:
        out.append("  dJ = (-Λ J + (N/2) c) dt,")
    for rate, lam, c in step.parts:
        rows = "; ".join(_vector(row) for row in _typical(lam))
        where = _where(lam)
        out.append(f"  Λ += {_rate(rate)} [{rows}],  c += {_rate(rate)} ({_vector(_typical(c))})")
        out[-1] += where
    return out


def _rotor(system: PhaseSpaceSystem, step: LocalStep) -> list[str]:
    """The symbols of the jumps and Eq. (6), see ``rotor``."""
    name = system.blocks[step.block].name
    plus, minus = (" (1 + 1/(2L))", " (1 - 1/(2L))") if step.corrected else ("", "")
    out = [
        f"local channels of {name} (Stratonovich), with J = (Jx, Jy, Jz), n = (nx, ny, nz), "
        f"N = {span(step.numbers)},",
        "L = |J|, e = J/L, m = e × n, R = (N + 2)/4: every jump (r, u, t) has three symbols",
        "  l(0) = sqrt(R) (u·e)",
        f"  l(+1) = sqrt((2R - L){plus})/2 (u·(n - i m))",
        f"  l(-1) = sqrt((2R + L){minus})/2 (u·(n + i m))",
        "and adds, with X(j) = sqrt(r) dW(j) + i r l(j)^* dt, dW(j) = dW(j)1 + i dW(j)2,",
        "  dJ = Σ_j Re[(∂l(j)/∂J × J + ∂l(j)/∂n × n) X(j)] + r t × J dt",
        "  dn = Σ_j Re[∂l(j)/∂J × n X(j)] + r t × n dt",
        "(J is scaled back where L exceeds 2R)",
    ]
    for (rate, _, _), part in zip(step.parts, step.rotor, strict=True):
        u, t = _vector(_typical(part.vector)), _vector(_typical(part.turn))
        out.append(f"  r = {_rate(rate)}, u = ({u}), t = ({t}){_where(part.vector)}")
    return out


def _rate(rate: Any) -> str:
    return "f(t)" if isinstance(rate, Coef) else span(rate)


def _typical(values: NDArray[Any]) -> NDArray[Any]:
    """Those of one member on which a channel acts."""
    axes = tuple(range(1, values.ndim))
    return np.asarray(values[int(np.argmax(np.abs(values).sum(axis=axes)))])


def _where(values: NDArray[Any]) -> str:
    """On which members a channel acts, if not on all."""
    on = np.abs(values).reshape(len(values), -1).max(axis=1) > 0
    if on.all():
        return ""
    return "    on member " + ", ".join(str(m) for m in np.flatnonzero(on))


def _vector(c: NDArray[Any]) -> str:
    return ", ".join(number(complex(x) + 0.0) for x in c)
