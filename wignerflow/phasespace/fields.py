"""Output fields in phase space: which channels a field is made of, and the symbol of its flux."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import _check
from ..model.inputs import Part
from ..model.operators import Op
from .polynomials import Poly, Record
from .system import RECORDS, Field, PhaseSpaceSystem


@dataclass(frozen=True)
class FieldParts:
    """A field by the jumps of a model: see ``model.inputs.Part``.

    Attributes:
        parts: (number of the jump, c, d): c b + d b^+.
        amplitude: of the light that enters.
        flux: K^+ K, None where it is infinite.
    """

    parts: tuple[Part, ...]
    amplitude: Op
    flux: Op | None


def attach(
    system: PhaseSpaceSystem,
    fields: Sequence[tuple[FieldParts, Poly, Poly | None]],
) -> list[list[Poly]]:
    """Let a system record fields, given the symbols of their amplitude and flux.

    Returns:
        Of every field the symbols of its records, see ``kernels.records``.

    Raises:
        ValueError: a jump has no noise of its own in this form.
    """
    channels = {c.jump: c for c in system.channels if c.jump is not None}
    out = []
    for parts, amplitude, flux in fields:
        terms = []
        for number, c, d in parts.parts:
            if number not in channels:
                must = 'be "length" for the output of a jump of a single spin'
                _check.fail("spin_form", must, "bloch", "Local steps have no field.")
            terms.append((channels[number], complex(c), complex(d)))
        first = RECORDS * len(system.fields)
        system.fields.append(Field(terms, amplitude, flux))
        out.append([Poly.leaf(Record(first + i)) for i in range(RECORDS)])
    return out
