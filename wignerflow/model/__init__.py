"""What the physics is: subsystems, operators, couplings, jumps, states. Knows no method.

Models, operators and coefficients know none of the forms in which they are shown and kept (text,
LaTeX, plain): they are given theirs here, when the package is imported.
"""

from __future__ import annotations

from typing import Any

from .coefficients import Coef
from .latex import model_formula, model_html, model_latex, op_formula, subsystem_html
from .model import Model
from .op import Op
from .operators import ArrayOp
from .printing import model_text, op_text
from .reading import model_from_dict
from .reading_parts import read_coef
from .serialize import model_to_dict
from .subsystems import LocalOp, Subsystem


def coef_from_dict(data: dict[str, Any]) -> Coef:
    """Inverse of ``Coef.to_dict``."""
    return read_coef("coefficient", data)


for _kind in (Op, ArrayOp, LocalOp):
    _kind.__repr__ = op_text  # type: ignore[assignment]
    _kind._repr_latex_ = op_formula  # type: ignore[union-attr]
Model.__repr__ = model_text  # type: ignore[method-assign,assignment]
Model._repr_latex_ = model_formula  # type: ignore[attr-defined]
Model._repr_html_ = model_html  # type: ignore[attr-defined]
Subsystem._repr_html_ = subsystem_html  # type: ignore[attr-defined]
Model.latex = model_latex  # type: ignore[method-assign,assignment]
Model.to_dict = model_to_dict  # type: ignore[method-assign,assignment]
Model.from_dict = staticmethod(model_from_dict)  # type: ignore[method-assign,assignment]
Coef.from_dict = staticmethod(coef_from_dict)  # type: ignore[method-assign,assignment]
