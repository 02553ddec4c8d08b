"""Derived observables: functions of several means, with jackknife errors in stochastic methods."""

from .arrays import Coherence, CorrelationLength, StructureFactor
from .base import Derived, Operator
from .flux import Flux
from .function import function
from .ratios import Fano, Ratio, g2
from .spins import Squeezing, Subradiance, WinelandSqueezing

#: Derived observables that a file may name.
DERIVED: dict[str, type[Derived]] = {
    c.__name__: c
    for c in (
        Squeezing,
        WinelandSqueezing,
        Subradiance,
        g2,
        Fano,
        Ratio,
        StructureFactor,
        Coherence,
        CorrelationLength,
        Flux,
    )
}

__all__ = [
    "DERIVED",
    "Coherence",
    "CorrelationLength",
    "Derived",
    "Fano",
    "Flux",
    "Operator",
    "Ratio",
    "Squeezing",
    "StructureFactor",
    "Subradiance",
    "WinelandSqueezing",
    "function",
    "g2",
]
