"""The atlas: many small models with exact answers, solved by every method that accepts them.

One file per kind of subsystem holds the families; ``table`` solves them, ``page`` shows the result.
To add a family is to add a function to one of those files.
"""

from . import arrays as arrays
from . import emitters as emitters
from . import further as further
from . import later as later
from . import modes as modes
from . import unseen as unseen
from .entry import FAMILIES as FAMILIES
from .entry import Entry as Entry
from .entry import entries as entries
from .table import figures as figures
from .table import rows as rows


def quick() -> list[Entry]:
    """The first case of every family at its smallest size."""
    return [next(f.entries()) for f in FAMILIES.values()]
