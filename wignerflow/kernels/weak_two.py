r"""Noise of weak order two for Itô equations, without derivatives.

With xi_k the standard normals of the m columns b_k, sigma_kl = -sigma_lk signs of equal chance and
a the drift, the noise term of a step of length h is sqrt(h) times

    sum_k  (P_k + M_k + U_k + V_k) xi_k/4 + (P_k - M_k)(xi_k^2 - 1)/4 + (U_k - V_k)/2,

    P_k, M_k = b_k(v + a h ± b_k sqrt(h)),
    U_k, V_k = b_k(v ± sum_{l != k} b_l (xi_k xi_l + sigma_kl)/2 sqrt(h));

the drift is averaged over the start and the predicted end. This is Platen's scheme (Kloeden and
Platen 1992, Eq. 15.1.3) with the supporting points of A. Rößler, SIAM J. Numer. Anal. 47, 1713
(2009), scheme RI6, so that the work grows as m only. Signs come from spare normals n, three from
each: of n, and from the quartile of |n|.
"""

from __future__ import annotations

from collections.abc import Callable

from ..phasespace.polynomials import Aux, Leaf, Member, Number, Var
from ..phasespace.system import Explicit
from .text import Lines, plus

QUARTILES = (0.3186393639643752, 0.6744897501960817, 1.1503493803760079)  # of |n|

#: (column number, names of the variables, tag) -> value per component, "" for zero
Evaluate = Callable[[int, dict[Leaf, str], str], list[str]]


def spare_normals(columns: int) -> int:
    """Normals besides one per column: each gives three of the signs."""
    return (columns * (columns - 1) // 2 + 2) // 3


def _sign(number: int, normals: list[str]) -> str:
    """Sign number ``number`` as source."""
    n = normals[number // 3]
    above = [f"(F(1) - F(2) * below(abs({n}) - F({q})))" for q in QUARTILES]
    return (f"F(1) - F(2) * below({n})", above[1], " * ".join(above))[number % 3]


def suits(e: Explicit) -> bool:
    """True if the columns depend on the member's own variables alone, and on these at all."""
    leaves = [x for column in e.noise for p in column for x in p.leaves]
    leaves += [x for root in e.roots for x in root.of.leaves]
    own = all(
        isinstance(x, (Aux, Number)) or (isinstance(x, (Var, Member)) and x.block == e.block)
        for x in leaves
    )
    return own and any(isinstance(x, (Var, Member)) for x in leaves)


def noise_term(
    e: Explicit,
    variables: list[Leaf],
    names: dict[Leaf, str],
    base: list[list[str]],
    evaluate: Evaluate,
    out: Lines,
) -> list[str]:
    """Emit the term; its value per component ("" for zero).

    Args:
        e: the equations.
        variables: leaves of the member's variables.
        names: names of all leaves at the start of the step.
        base: values of the columns there.
        evaluate: emits a column at another point.
        out: takes the lines; ``xi{k}_{j}`` are the normals, ``a{k}_{c}`` the drift times h.
    """
    k, columns = e.block, len(e.noise)
    spare = [f"xi{k}_{columns + i}" for i in range(spare_normals(columns))]
    pairs = [(j, i) for j in range(columns) for i in range(j + 1, columns)]
    out += (f"sg{k}_{j}_{i} = {_sign(number, spare)}" for number, (j, i) in enumerate(pairs))
    total = [""] * len(variables)
    for j in range(columns):
        xi = f"xi{k}_{j}"
        along = {
            side: _moved(variables, names, base[j], f"{sign}sqh", f"h{k}_{j}{side}", out, f"a{k}_")
            for side, sign in (("p", ""), ("m", "-"))
        }
        aside = [""] * len(variables)
        for i in range(columns):
            if i == j:
                continue
            sign = f"+ sg{k}_{j}_{i}" if j < i else f"- sg{k}_{i}_{j}"
            out += [f"c{k}_{j}_{i} = F(0.5) * (xi{k}_{j} * xi{k}_{i} {sign})"]
            for c, b in enumerate(base[i]):
                aside[c] = plus(aside[c], f"c{k}_{j}_{i} * {b}" if b else "")
        for side, sign in (("u", ""), ("v", "-")):
            along[side] = _moved(variables, names, aside, f"{sign}sqh", f"h{k}_{j}{side}", out)
        value = {side: evaluate(j, point, f"{j}{side}") for side, point in along.items()}
        for c in range(len(variables)):
            p, m, u, v = (value[side][c] or "F(0)" for side in "pmuv")
            if not any(value[side][c] for side in "pmuv"):
                continue
            even = f"({p} + {m} + {u} + {v}) * {xi}"
            odd = f"({p} - {m}) * ({xi} * {xi} - F(1))"
            cross = f" + F(0.5) * ({u} - {v})" if columns > 1 else ""
            total[c] = plus(total[c], f"F(0.25) * ({even} + {odd}){cross}")
    return [f"sqh * ({t})" if t else "" for t in total]


def _moved(
    variables: list[Leaf],
    names: dict[Leaf, str],
    by: list[str],
    factor: str,
    prefix: str,
    out: Lines,
    drift: str = "",
) -> dict[Leaf, str]:
    """Names of the point v + (drift) + factor * by."""
    point = dict(names)
    for c, leaf in enumerate(variables):
        shift = f" + {drift}{c}" if drift else ""
        if by[c]:
            shift += f" + {factor} * ({by[c]})"
        if shift:
            out += [f"{prefix}_{c} = {names[leaf]}{shift}"]
            point[leaf] = f"{prefix}_{c}"
    return point
