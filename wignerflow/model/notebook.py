"""How models, operators and subsystems show in a notebook: formulas, and tables of them."""

from __future__ import annotations

import inspect
from typing import Any

from ..html import Raw, table
from .arrays import ArrayOp
from .kinds.base import Subsystem
from .latex import model_latex, op_latex
from .local import LocalOp
from .model import Model
from .op import Op


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
