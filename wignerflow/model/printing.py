"""Operators and models as readable text, in the names that a user types.

For example ``1.5*atoms.Jp*cavity.a + 0.5*sum(exp(0.3i*m)*chain.Jm)``. LaTeX is in ``latex``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .coefficients import Coef
from .display import display_terms, joined, phase_ramp
from .normal import Factor, MemberWord, Site, SumNode
from .numerals import number
from .op import Op
from .operators import ArrayOp
from .subsystems import LocalOp, Subsystem, naming

if TYPE_CHECKING:
    from .model import Model

Names = Mapping[Subsystem, str]

MAX_TERMS = 16


def text(op: Op, names: Names | None = None) -> str:
    """A readable operator, at most ``MAX_TERMS`` terms of it."""
    terms, names = display_terms(op), names or names_of(op)
    shown = [_term_text(names, *term) for term in terms[:MAX_TERMS]]
    more = f" + … ({len(terms) - MAX_TERMS} more terms)" if len(terms) > MAX_TERMS else ""
    return joined(shown, "*") + more


def names_of(op: Op | ArrayOp | LocalOp) -> Names:
    """Names of the subsystems of an operator that stands alone."""
    subs = {op.sub} if isinstance(op, LocalOp) else op.subsystems
    return naming(sorted(subs, key=lambda s: s.order))


def op_text(op: Op | ArrayOp | LocalOp, names: Names | None = None) -> str:
    """Any readable operator, its subsystems under names (of a model); None: those it has alone."""
    names = names or names_of(op)
    if isinstance(op, LocalOp):
        return local_text(op, names)
    return array_text(op, names) if isinstance(op, ArrayOp) else text(op, names)


def _term_text(
    names: Names,
    c: complex,
    times: tuple[Coef, ...],
    factors: tuple[Factor, ...],
    summed: bool = True,
) -> tuple[complex, str]:
    pieces = [_coef_text(t) for t in times]
    for f in factors:
        factor, piece = _factor_text(names, f, summed)
        c *= factor
        pieces.append(piece)
    return c, "*".join(pieces)


def _coef_text(coef: Coef) -> str:
    name = getattr(coef.function, "__name__", "f") if coef.function is not None else "f"
    name = name if name.isidentifier() else "f"
    return f"conj({name}(t))" if coef.conjugated else f"{name}(t)"


def _member_text(names: Names, word: MemberWord) -> str:
    return "*".join(sub.word_text(names[sub], letters) for sub, letters in word)


def _factor_text(names: Names, f: Factor, summed: bool) -> tuple[complex, str]:
    if isinstance(f, Site):
        owner = names[f.sub] if f.sub.count is None else f"{names[f.sub]}[{f.m}]"
        return 1.0, f.sub.word_text(owner, f.word)
    if isinstance(f, SumNode):
        c, weights = _weights_text(f.weights)
        body = weights + _member_text(names, f.word)
        return c, f"sum({body})" if summed else body
    (c, u), (d, v) = ((1.0, "") if w is None else _weights_text(w) for w in (f.u, f.v))
    left, right = u + _member_text(names, f.left), v + _member_text(names, f.right)
    return c * d, f"couple({left}, {f.coupling!r}, {right})"


def _weights_text(w: np.ndarray) -> tuple[complex, str]:
    if np.all(w == w[0]):
        return complex(w[0]), ""
    ramp = phase_ramp(w)
    if ramp is not None:
        return ramp[0], f"exp({number(1j * ramp[1])}*m)*"
    shown = ", ".join(number(complex(x)) for x in w[: 4 if w.size <= 4 else 3])
    return 1.0, f"[{shown}{', …' if w.size > 4 else ''}]*"


def array_text(op: ArrayOp, names: Names | None = None) -> str:
    """A readable array operator: the operator of member m."""
    names = names or names_of(op)
    words = ArrayOp({k: w for k, w in op.terms.items() if k}, op.size)
    shown = [_term_text(names, *term, summed=False) for term in display_terms(words.sum())]
    if () in op.terms:
        c, weights = _weights_text(op.terms[()])
        shown.append((c, weights.rstrip("*")))
    return f"{joined(shown, '*')} (m = 0 … {op.size - 1})"


def local_text(op: LocalOp, names: Names) -> str:
    """A readable one-emitter operator."""
    owner = names[op.sub] + ("" if op.member is None else f"[{op.member}]")
    terms = [(c, f"{owner}.{n}" if n else "") for c, n in op.named_terms()]
    return joined(terms, "*")


def model_text(model: Model) -> str:
    """A model over several lines: subsystems with their states, H, jumps."""
    lines = ["Model"]
    for sub, states in model.initial.items():
        first = states[0].text
        same = all(s == states[0] for s in states)
        who = sub.text(model.names[sub])
        lines.append(f"  {who}, initially {first if same else first + ', …'}")
    lines.append(f"  H = {text(model.H, model.names)}")
    for jump in model.jumps:
        lines.append(f"  {jump.text(op_text(jump.op, model.names))}")
    return "\n".join(lines)
