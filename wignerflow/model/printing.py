"""Operators and models as readable text, in the names that a user types.

For example ``1.5*atoms.Jp*cavity.a + 0.5*sum(exp(0.3i*m)*chain.Jm)``. LaTeX is in ``latex``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arrays import ArrayOp
from .coefficients import Coef
from .display import display_terms, joined, local_terms, number, phase_ramp, runs
from .factors import Factor, MemberWord, Site, SumNode
from .latex import latex_lines, model_latex, op_latex
from .level_words import levels_of
from .levels import Levels
from .local import LocalOp
from .op import Op

if TYPE_CHECKING:
    from .model import Model
    from .subsystems import Subsystem

__all__ = [
    "array_text",
    "latex_lines",
    "local_text",
    "model_latex",
    "model_text",
    "op_latex",
    "text",
]

MAX_TERMS = 16
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def text(op: Op) -> str:
    """A readable operator, at most ``MAX_TERMS`` terms of it."""
    terms = display_terms(op)
    shown = [_term_text(*term) for term in terms[:MAX_TERMS]]
    more = f" + … ({len(terms) - MAX_TERMS} more terms)" if len(terms) > MAX_TERMS else ""
    return joined(shown, "*") + more


def _term_text(
    c: complex, times: tuple[Coef, ...], factors: tuple[Factor, ...], summed: bool = True
) -> tuple[complex, str]:
    pieces = [_coef_text(t) for t in times]
    for f in factors:
        factor, piece = _factor_text(f, summed)
        c *= factor
        pieces.append(piece)
    return c, "*".join(pieces)


def _coef_text(coef: Coef) -> str:
    name = getattr(coef.function, "__name__", "f") if coef.function is not None else "f"
    name = name if name.isidentifier() else "f"
    return f"conj({name}(t))" if coef.conjugated else f"{name}(t)"


_NAMES = {
    "angular": {"x": "Jx", "y": "Jy", "z": "Jz", "+": "Jp", "-": "Jm"},
    "spin": {"x": "sx", "y": "sy", "z": "sz", "+": "sp", "-": "sm"},
    "mode": {"d": "adag", "a": "a"},
}


def _alphabet(kind: str) -> dict[str, str]:
    return _NAMES.get(kind, _NAMES["angular"])


def _word_text(owner: str, sub: Subsystem, word: str) -> str:
    kind = sub.kind
    if kind == "mode" and word == "da":
        return f"{owner}.n"
    if isinstance(sub, Levels):
        pairs = [[sub.labels[i] for i in levels_of(x)] for x in word]
        return "*".join(
            f"{owner}.pop({a!r})" if a == b else f"{owner}.op({a!r}, {b!r})" for a, b in pairs
        )
    return "*".join(
        f"{owner}.{_alphabet(kind)[run[0]]}"
        + (str(len(run)).translate(_SUPERSCRIPT) if len(run) > 1 else "")
        for run in runs(word)
    )


def _member_text(word: MemberWord) -> str:
    return "*".join(_word_text(sub.name, sub, letters) for sub, letters in word)


def _factor_text(f: Factor, summed: bool) -> tuple[complex, str]:
    if isinstance(f, Site):
        owner = f.sub.name if f.sub.count is None else f"{f.sub.name}[{f.m}]"
        return 1.0, _word_text(owner, f.sub, f.word)
    if isinstance(f, SumNode):
        c, weights = _weights_text(f.weights)
        body = weights + _member_text(f.word)
        return c, f"sum({body})" if summed else body
    (c, u), (d, v) = ((1.0, "") if w is None else _weights_text(w) for w in (f.u, f.v))
    left, right = u + _member_text(f.left), v + _member_text(f.right)
    return c * d, f"couple({left}, {f.coupling!r}, {right})"


def _weights_text(w: np.ndarray) -> tuple[complex, str]:
    if np.all(w == w[0]):
        return complex(w[0]), ""
    ramp = phase_ramp(w)
    if ramp is not None:
        return ramp[0], f"exp({number(1j * ramp[1])}*m)*"
    shown = ", ".join(number(complex(x)) for x in w[: 4 if w.size <= 4 else 3])
    return 1.0, f"[{shown}{', …' if w.size > 4 else ''}]*"


def array_text(op: ArrayOp) -> str:
    """A readable array operator: the operator of member m."""
    words = ArrayOp({k: w for k, w in op.terms.items() if k}, op.size)
    shown = [_term_text(*term, summed=False) for term in display_terms(words.sum())]
    if () in op.terms:
        c, weights = _weights_text(op.terms[()])
        shown.append((c, weights.rstrip("*")))
    return f"{joined(shown, '*')} (m = 0 … {op.size - 1})"


def local_text(op: LocalOp) -> str:
    """A readable one-emitter operator."""
    terms = [(c, f"{op.where}.{n}" if n else "") for c, n in local_terms(op)]
    return joined(terms, "*")


def model_text(model: Model) -> str:
    """A model over several lines: subsystems with their states, H, jumps."""
    lines = ["Model"]
    for sub, states in model.initial.items():
        first = states[0].text
        same = all(s == states[0] for s in states)
        lines.append(f"  {sub!r}, initially {first if same else first + ', …'}")
    lines.append(f"  H = {model.H!r}")
    for jump in model.jumps:
        lines.append(f"  {jump!r}")
    return "\n".join(lines)
