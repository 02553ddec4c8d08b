r"""Operators and master equations as LaTeX, for any engine, mathtext included, and in notebooks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..html import Raw, table
from .coefficients import Coef
from .display import display_terms, joined, phase_ramp
from .model import Jump, LocalJump, Model
from .normal import CoupleNode, Factor, Factors, MemberWord, Site, SumNode
from .numerals import latex_name, number, runs
from .op import Op
from .operators import ArrayOp
from .subsystems import LocalOp, Subsystem, naming


def _number(c: complex) -> str:
    def power(found: re.Match[str]) -> str:
        digit, sign, exponent = found.groups()
        return rf"{digit} \times 10^{{{sign.strip('+')}{exponent}}}"

    return re.sub(r"(\d)e([+-]?)\+?0*(\d+)", power, number(c))


def _joined(terms: list[tuple[complex, str]]) -> str:
    return joined(terms, r"\,", _number)


class _Latex:
    """Writes operators, giving weights, couplings and functions of time numbers as they come."""

    def __init__(self, names: Mapping[Subsystem, str]):
        self.names = {s: latex_name(name) if len(names) > 1 else "" for s, name in names.items()}
        self.symbols: dict[tuple[str, Any], int] = {}

    def symbol(self, letter: str, identity: Any) -> str:
        """A numbered symbol such as w^{(2)}, the same for the same thing."""
        same = [k for k in self.symbols if k[0] == letter]
        index = self.symbols.setdefault((letter, identity), len(same) + 1)
        return f"{letter}^{{({index})}}"

    def op(self, op: Op) -> str:
        """An operator."""
        return _joined([self.term(*t) for t in display_terms(op)])

    def array(self, op: ArrayOp) -> str:
        """The operator of member m."""
        words = {k: w for k, w in op.terms.items() if k}
        shown = [self.term(*t, False) for t in display_terms(ArrayOp(words, op.size).sum())]
        if () in op.terms:
            shown.append(self.weights(op.terms[()], "m"))
        return _joined(shown)

    def term(
        self, c: complex, times: tuple[Coef, ...], factors: Factors, summed: bool = True
    ) -> tuple[complex, str]:
        """(coefficient, product) of one term; without summation signs if not ``summed``."""
        pieces = [self.coef(t) for t in times]
        primes = ""
        for f in factors:
            scale, piece = self.factor(f, summed, "m" + primes)
            if not isinstance(f, Site):
                primes += "'" if isinstance(f, SumNode) else "''"
            c *= scale
            pieces.append(piece)
        return c, r"\,".join(pieces)

    def coef(self, coef: Coef) -> str:
        """A function of time."""
        unit = coef.split()[0]
        plain = unit if not unit.conjugated else unit.conj()
        index = self.symbols.setdefault(
            ("f", plain.key), len([k for k in self.symbols if k[0] == "f"]) + 1
        )
        return f"f_{{{index}}}{'^{*}' if unit.conjugated else ''}(t)"

    def scaled_coef(self, coef: Coef) -> str:
        """A function of time with its constant factor."""
        return _joined([(coef.split()[1], self.coef(coef))])

    def factor(self, f: Factor, summed: bool, m: str) -> tuple[complex, str]:
        """A factor and the number taken out of it."""
        if isinstance(f, Site):
            index = "" if f.sub.count is None else str(f.m)
            return 1.0, self.word(f.sub, f.word, index)
        if isinstance(f, SumNode):
            c, weights = self.weights(f.weights, m)
            sign = f"\\sum_{{{m}}} " if summed else ""
            return c, f"{sign}{weights}{self.member(f.word, m)}"
        return self.couple(f, m, m + "'")

    def weights(self, w: np.ndarray | None, index: str) -> tuple[complex, str]:
        """Weights as (number, factor of a sum over ``index``)."""
        if w is None or np.all(w == w[0]):
            return (1.0 if w is None else complex(w[0])), ""
        ramp = phase_ramp(w)
        if ramp is not None:
            return ramp[0], f"e^{{{_number(1j * ramp[1])} {index}}} "
        return 1.0, f"{self.symbol('w', w.tobytes())}_{{{index}}} "

    def couple(self, f: CoupleNode, m: str, n: str) -> tuple[complex, str]:
        """A coupling sum."""
        (c, u), (d, v) = self.weights(f.u, m), self.weights(f.v, n)
        under, K = f.coupling.latex(self, m, n)
        body = f"{u}{v}{self.member(f.left, m)}\\,{self.member(f.right, n)}"
        return c * d, f"\\sum_{{{under}}} {K}{body}"

    number = staticmethod(_number)

    def member(self, word: MemberWord, index: str) -> str:
        """A word on one running member."""
        return r"\,".join(self.word(sub, letters, index) for sub, letters in word)

    def word(self, sub: Subsystem, word: str, index: str) -> str:
        """A word on one site."""
        return r"\,".join(self.letter(sub, run, index) for run in runs(word))

    def letter(self, sub: Subsystem, run: str, index: str) -> str:
        """A power of one operator."""
        below = ",".join(x for x in (self.names[sub], index) if x)
        below = f"_{{{below}}}" if below else ""
        return sub.power_latex(run[0], len(run), below)


def op_latex(op: Op | ArrayOp | LocalOp) -> str:
    """An operator as LaTeX; of an array operator, the one of member m."""
    if isinstance(op, LocalOp):
        return _local_latex(op, "n")
    writer = _Latex(naming(sorted(op.subsystems, key=lambda s: s.order)))
    return writer.array(op) if isinstance(op, ArrayOp) else writer.op(op)


def _local_latex(op: LocalOp, index: str) -> str:
    return _joined(op.latex_terms(index))


def latex_lines(model: Model) -> list[str]:
    """The master equation of a model and what its symbols mean, one formula per line."""
    writer = _Latex(model.names)
    where: list[str] = []
    parts = [r"-i[H, \rho]"] if model.H.terms else []
    for k, jump in enumerate(model.jumps, 1):
        parts.append(_jump_latex(writer, jump, k, where))
    lines = [r"\dot{\rho} = " + (" + ".join(parts[:2]) or "0")]
    lines += [rf"\quad + {part}" for part in parts[2:]]
    if model.H.terms:
        lines.append(f"H = {writer.op(model.H)}")
    lines += where
    for k, one in enumerate(model.pulses, 1):
        turn = rf"e^{{-i\,{_number(complex(one.angle))}\,({writer.op(one.op)})}}"
        at = rf"t = {_number(complex(one.time))}:\ \rho \to U_{{{k}}} \rho\,U_{{{k}}}^{{\dagger}}"
        lines.append(rf"U_{{{k}}} = {turn},\quad {at}")
    lines += dict.fromkeys(s.latex_where for s in model.subsystems if s.latex_where)
    if any("\\mathcal{D}" in part for part in parts):
        lines.append(
            r"\mathcal{D}[L]\rho = L \rho L^{\dagger} - \frac{1}{2}\{L^{\dagger} L, \rho\}"
        )
    return lines


def _jump_latex(writer: _Latex, jump: Jump | LocalJump, k: int, where: list[str]) -> str:
    op = jump.op
    if isinstance(op, LocalOp):
        return _local_jump_latex(writer, jump, op)
    array = isinstance(op, ArrayOp)
    index = "m" if array else ""
    body = writer.array(op) if isinstance(op, ArrayOp) else writer.op(op)
    short = re.sub(r"\\[a-z]+|[{}]", "", body)
    if len(short) > 24 or getattr(jump, "matrix", None) is not None:
        name = f"L_{{{','.join(x for x in (str(k), index) if x)}}}"
        where.append(f"{name} = {body}")
        body = name
    if getattr(jump, "matrix", None) is not None:
        other = f"L_{{{k},m'}}"
        bracket = rf"\frac{{1}}{{2}}\{{{body}^{{\dagger}} {other}, \rho\}}"
        gamma = writer.symbol(r"\Gamma", k) + "_{m m'}"
        return rf"\sum_{{m, m'}} {gamma}\,({other} \rho {body}^{{\dagger}} - {bracket})"
    members = r"\sum_{m} " if array else ""
    return rf"{members}{_rate_latex(writer, jump.rate, k)}\mathcal{{D}}[{body}]\rho"


def _local_jump_latex(writer: _Latex, jump: Jump | LocalJump, op: LocalOp) -> str:
    sub: Any = op.sub
    k = op.sub.uid
    numbers = sub.numbers if op.member is None else sub.numbers[op.member : op.member + 1]
    name = [writer.names[op.sub]] if writer.names[op.sub] else []
    over_members = op.sub.count is not None and op.member is None
    place = ["m"] if over_members else ([] if op.member is None else [str(op.member)])
    below = ",".join([*name, *place, "n"])
    top = str(numbers[0]) if np.all(numbers == numbers[0]) else "N_{m}"
    rate = _rate_latex(writer, jump.rate, k)
    members = r"\sum_{m} " if over_members else ""
    return rf"{members}{rate}\sum_{{n=1}}^{{{top}}} \mathcal{{D}}[{_local_latex(op, below)}]\rho"


def _rate_latex(writer: _Latex, rate: Any, k: int) -> str:
    if isinstance(rate, Coef):
        return writer.scaled_coef(rate) + r"\,"
    if isinstance(rate, np.ndarray):
        if np.all(rate == rate[0]):
            return _rate_latex(writer, float(rate[0]), k)
        return f"{writer.symbol('r', rate.tobytes())}_{{m}}\\,"
    return "" if rate == 1 else rf"{_number(complex(rate))}\,"


def model_latex(model: Model) -> str:
    """The master equation of a model as LaTeX, an ``aligned`` block."""
    lines = [
        f"&{line}" if line.startswith(r"\quad") else line.replace(" = ", " &= ", 1)
        for line in latex_lines(model)
    ]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def op_formula(op: Op | ArrayOp | LocalOp) -> str:
    """An operator as a formula."""
    return rf"$\displaystyle {op_latex(op)}$"


def model_formula(model: Model) -> str:
    """The master equation as a formula."""
    return f"$$\n{model_latex(model)}\n$$"


def model_html(model: Model) -> str:
    """The master equation over a table of subsystems and their initial states."""
    rows = []
    for sub, states in model.initial.items():
        shown = [s.text for s in dict.fromkeys(states)]
        initially = ", ".join(shown[:3]) + (", …" if len(shown) > 3 else "")
        rows.append((model.names[sub], sub.text(None), initially))
    notes: list[str] = [Raw(model_formula(model))]
    notes += [f"link: {link!r}" for link in model.links]
    notes += [repr(one) for one in model.pulses]
    return table("Model", ("subsystem", "what it is", "initially"), rows, notes)


def subsystem_html(sub: Subsystem[Any]) -> str:
    """What a subsystem is, and the operators that stand after its dot."""
    rows = [
        (f".{name}", (inspect.getdoc(getattr(type(sub), name)) or "").split("\n")[0])
        for name in sub.operators()
    ]
    return table(repr(sub), ("operator", "what it does"), rows)
