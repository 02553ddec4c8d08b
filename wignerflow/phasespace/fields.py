"""Output fields in phase space: which channels a field is made of, and the symbol of its flux."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import _check
from ..model.coefficients import Coef
from ..model.jumps import Part
from ..model.model import Jump, Model
from ..model.operators import ArrayOp, Op
from .channels import RECORDS, Channel, Field, LinkSpec, MemberChannel, Port, PortField
from .polynomials import Poly, Record
from .symbols import SymbolMap, excess
from .system import MatrixStep, PhaseSpaceSystem

NONLINEAR = "be of jumps with noise of their own, not of a mode that has nonlinear jumps too"


@dataclass(frozen=True)
class FieldParts:
    """A field by the jumps of a model: see ``model.jumps.Part``.

    Attributes:
        parts: (number of the jump, c, d): c b + d b^+.
        amplitude: of the light that enters.
        flux: K^+ K, None where it is infinite.
    """

    parts: tuple[Part, ...]
    amplitude: Op
    flux: Op | None


def add_links(system: PhaseSpaceSystem, symbols: SymbolMap, model: Model) -> None:
    """The links of a model, between the channels of its jumps."""
    for link in model.links:
        factor = np.exp(1j * link.phase) * np.sqrt(link.transmission)
        loss = float(np.sqrt(1 - link.transmission))
        source = port(system, symbols, model, link.source_key)
        target = port(system, symbols, model, link.target_key)
        system.links.append(LinkSpec(source, target, link.delay, complex(factor), loss))


def port(
    system: PhaseSpaceSystem, symbols: SymbolMap, model: Model, key: tuple[Jump, int | None]
) -> Port:
    """The port of a jump (of a member), with the ordering term of its flux.

    Raises:
        ValueError: the jump has no noise of its own in this form.
    """
    jump, member = key
    number = model.number(jump)
    every: list[Channel | MemberChannel] = [*system.channels, *system.member_channels]
    channel = next((c for c in every if c.jump == number), None)
    if channel is not None and not channel.noisy:
        _check.fail("outputs", NONLINEAR, jump)
    if channel is None:
        must = 'be "length" for ports of single spins'
        _check.fail("spin_form", must, "bloch", "Local steps have no field.")
    if jump.input is not None:
        if jump.input.kind != "coherent" or isinstance(jump.input.value, Coef):
            must = "have vacuum or constant coherent inputs at ports of a model with links"
            hint = "Other light comes from a mode that is linked to it."
            _check.fail("jumps", must, jump, hint)
        channel.entering = complex(jump.input.value)
    if channel.ordering is None:
        if isinstance(channel, MemberChannel):
            n = jump.op.dag() * jump.op  # type: ignore[operator]
            assert isinstance(n, ArrayOp)
            bar = {mono: w.conj() for mono, w in channel.terms.items()}
            more = excess(symbols.array_symbol(n), bar, channel.terms)
            channel.ordering = {k: np.asarray(channel.rate, float) * w for k, w in more.items()}
        else:
            assert isinstance(jump.op, Op)
            re, im = channel.symbol.real(), channel.symbol.imag()
            rest = (symbols.symbol(jump.op.dag() * jump.op).real() - re * re - im * im).clean()
            channel.ordering = rest * float(jump.rate)
    return Port(channel, member or 0)


def attach_ports(
    system: PhaseSpaceSystem, fields: Sequence[Sequence[tuple[Port, complex]]]
) -> list[list[Poly]]:
    """Let a system with links record what leaves ports, times factors; as :func:`attach`."""
    out = []
    for parts in fields:
        first = RECORDS * len(system.port_fields)
        system.port_fields.append(PortField(tuple(parts)))
        out.append([Poly.leaf(Record(first + i)) for i in range(RECORDS)])
    return out


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
            lost = number not in channels or not channels[number].noisy
            if lost and system.diffusions:
                raise ValueError(
                    "Outputs of nonlinear jumps of modes, or of jumps beside one on the same mode, "
                    "have no field in phase space; wf.Exact() can, for few quanta."
                )
            if lost and any(isinstance(step, MatrixStep) for step in system.local):
                raise ValueError(
                    "Outputs of a single emitter with levels have no field in phase space: its "
                    "jumps are local steps; wf.Exact() can."
                )
            if lost:
                must = 'be "length" for the output of a jump of a single spin'
                _check.fail("spin_form", must, "bloch", "Local steps have no field.")
            if not channels[number].noisy:
                _check.fail("outputs", NONLINEAR, channels[number].name)
            terms.append((channels[number], complex(c), complex(d)))
        first = RECORDS * len(system.fields)
        system.fields.append(Field(terms, amplitude, flux))
        out.append([Poly.leaf(Record(first + i)) for i in range(RECORDS)])
    return out
