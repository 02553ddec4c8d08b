"""Result: labelled averages with their errors, and all that is needed to trust or continue them."""

from .result import HOOKS, Result, load, load_record
from .text import format_value
from .values import UnknownObservable, Values

__all__ = [
    "HOOKS",
    "Result",
    "UnknownObservable",
    "Values",
    "format_value",
    "load",
    "load_record",
]
