"""The atlas: many small models with exact answers, solved by every method that accepts them.

One file per kind of subsystem holds the families; ``table`` solves them, ``page`` shows the result.
To add a family is to add a function to one of those files.
"""

from . import arrays, emitters, further, later, modes, unseen
from .entry import FAMILIES, Entry, Family, entries
from .table import Figures, Row, figures, rows

__all__ = [
    "FAMILIES",
    "Entry",
    "Family",
    "Figures",
    "Row",
    "arrays",
    "emitters",
    "entries",
    "figures",
    "further",
    "later",
    "modes",
    "quick",
    "rows",
    "unseen",
]


def quick() -> list[Entry]:
    """The first case of every family at its smallest size."""
    return [next(f.entries()) for f in FAMILIES.values()]
