"""Result: labelled averages with their errors, and all that is needed to trust or continue them."""

from .accuracy import AccuracyWarning
from .result import Result, load, load_record
from .text import aligned, format_value, stated
from .values import ByName, UnknownObservable, Values

__all__ = [
    "AccuracyWarning",
    "ByName",
    "Result",
    "UnknownObservable",
    "Values",
    "aligned",
    "format_value",
    "load",
    "load_record",
    "stated",
]
