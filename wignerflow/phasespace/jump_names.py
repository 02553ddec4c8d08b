"""Names that key the noise of jumps: the words of an operator, whatever their coefficients."""

from __future__ import annotations

from collections.abc import Mapping

from ..model.display import display_terms
from ..model.normal import Factor, Site, SumNode
from ..model.operators import ArrayOp, Op
from ..model.subsystems import Subsystem


def words_of(op: Op | ArrayOp, named: Mapping[Subsystem, str]) -> str:
    """The words of a jump's operator, sorted; a family of jumps, one per member, says "each"."""
    terms = display_terms(op if isinstance(op, Op) else op.sum())
    words = {"*".join(sorted(_factor(f, named) for f in factors)) for _, _, factors in terms}
    return " + ".join(sorted(words)) + ("" if isinstance(op, Op) else ", each")


def _factor(f: Factor, named: Mapping[Subsystem, str]) -> str:
    if isinstance(f, Site):
        return f"{named[f.sub]}[{f.m}].{f.word}"
    assert isinstance(f, SumNode)  # couplings are refused
    return "sum " + "*".join(sorted(f"{named[sub]}.{word}" for sub, word in f.word))
