"""The symbolic operator algebra: sums of ordered products of factors, never a matrix.

``Op`` is one operator, ``ArrayOp`` one per member of an array, ``LocalOp`` one emitter's. The
factors of a product live in ``factors``, the rules of the algebra in ``normal`` and ``words``.
"""

from .arrays import ArrayOp, OutOfRange, _couple, commutator, couple, member_index
from .factors import CoupleNode, Factor, Factors, Key, MemberWord, Site, SumNode, array_size
from .local import LocalOp
from .op import Measurable, Op

__all__ = [
    "ArrayOp",
    "CoupleNode",
    "Factor",
    "Factors",
    "Key",
    "LocalOp",
    "Measurable",
    "MemberWord",
    "Op",
    "OutOfRange",
    "Site",
    "SumNode",
    "_couple",
    "array_size",
    "commutator",
    "couple",
    "member_index",
]
