"""Model: a Lindblad master equation with its initial state, validated at construction."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check
from .coefficients import Coef
from .jumps import Jump as Jump
from .jumps import LocalJump as LocalJump
from .jumps import alike, canonical, member_rates
from .levels import Levels
from .mode_states import ModeState
from .operators import ArrayOp, Op
from .pulses import Pulse, read_pulses
from .states import State
from .subsystems import (
    SAME_NAME,
    Ensemble,
    LocalOp,
    Member,
    Subsystem,
    naming,
)


@dataclass(frozen=True)
class LocalChannel:
    """A local jump ``op`` on every emitter of member m of an ensemble, at the plain ``rate``."""

    sub: Ensemble | Levels
    m: int
    op: LocalOp
    rate: float | Coef


class Connection:
    """What connects jumps of a model beyond its master equation, see ``links``."""

    #: What it adds to H.
    drive: Op | None = None
    #: A link without delay, which makes one port of two.
    instant = False

    def check(self, argument: str, model: Model) -> None:
        """Raise where it does not belong to the model."""

    def join(self, jumps: tuple[Jump | LocalJump, ...], links: list[Any]) -> Any:
        """Jumps in which links without delay are made one, see ``links``."""
        raise NotImplementedError


class Model:
    r"""A Lindblad master equation, hbar = 1:

    .. math:: \dot\rho = -i[H, \rho] + \sum_k r_k (L_k\rho L_k^+ - \{L_k^+L_k, \rho\}/2)

    Args:
        H: Hermitian operator, or None.
        jumps: sequence of ``Jump`` and ``LocalJump``.
        initial: maps every subsystem to a state (an array: to one state or a list of M).
        links: of outputs to inputs of its jumps, :class:`wignerflow.Link` or those of a
            :class:`wignerflow.Line`; with delays it is no master equation any more.
        pulses: instantaneous unitary transformations, :func:`wignerflow.pulse`.

    Raises:
        ValueError, TypeError: H is not Hermitian; an operator acts on a subsystem that ``initial``
            does not list; a state does not suit its subsystem; two subsystems share a name.
    """

    @_check.called("wf.Model(H, [wf.Jump(atoms.Jm, rate=1.0)], initial={atoms: wf.up})")
    def __init__(
        self,
        H: Op | None = None,
        jumps: Iterable[Jump | LocalJump] = (),
        *,
        initial: Mapping[Any, State | Iterable[State]],
        links: Iterable[Connection] = (),
        pulses: Iterable[Pulse] = (),
    ):
        if not isinstance(initial, Mapping) or not initial:
            hint = "For example `initial={atoms: wf.up}`."
            _check.fail("initial", "map every subsystem to a state", initial, hint, TypeError)
        self.initial: dict[Subsystem[Any], tuple[State, ...]] = {
            sub: _states(sub, value) for sub, value in initial.items()
        }
        self.subsystems: tuple[Subsystem, ...] = tuple(self.initial)
        #: The name of every subsystem, unnamed ones by kind and place.
        self.names = naming(self.subsystems)
        twice = [name for name, n in Counter(self.names.values()).items() if n > 1]
        if twice:
            _check.fail(
                "initial",
                "hold subsystems of different names",
                _check.Note(f"two named {twice[0]!r}"),
            )
        if H is not None and not isinstance(H, Op):
            must, was, hint = "be an operator", H, ""
            if isinstance(H, ArrayOp):
                hint = "Sum it over its members first, for example `(weights * chain.Jz).sum()`."
            elif isinstance(H, LocalOp):
                must = "be an operator of all emitters"
                was = _check.Note(f"{H!r} on one emitter of {H.sub.name!r}")
                hint = H.summed
            elif isinstance(H, list):
                hint = "Add its terms: `H0 + wf.coef(f) * H1`."
            _check.fail("H", must, was, hint, TypeError)
        self.H = H if H is not None else Op()
        self._known("H", self.H)
        if not self.H.is_hermitian():
            skew = self.H - self.H.dag()
            hint = f"H - H^+ is {skew!r}."
            if any(not c.is_real for c in skew.coefficients):
                hint += " A callable coefficient counts as real only if it returns floats."
            _check.fail("H", "be Hermitian", self.H, hint)
        if isinstance(jumps, (Jump, LocalJump)) or not isinstance(jumps, Iterable):
            _check.fail("jumps", "be a list of wf.Jump and wf.LocalJump", jumps, "", TypeError)
        #: The jumps as given, inputs included; ``jumps`` and ``H`` have vacuum inputs alone.
        self.given: tuple[Jump | LocalJump, ...] = tuple(jumps)
        #: The same before links without delay joined some.
        self.known = self.given
        for k, jump in enumerate(self.given):
            if not isinstance(jump, (Jump, LocalJump)):
                hint = "Wrap operators: `wf.Jump(op, rate)`."
                _check.fail(f"jumps[{k}]", "be a wf.Jump or a wf.LocalJump", jump, hint, TypeError)
            self._known(f"jumps[{k}]", jump.op)
        self._connect(tuple(links))
        #: In the order in which they act.
        self.pulses: tuple[Pulse, ...] = () if pulses == () else read_pulses(self, pulses)
        for jump in self.given:
            if isinstance(jump, Jump) and jump.form.drive is not None:
                self.H = self.H + jump.form.drive
        self.H = self.H.canonical()
        self.jumps: tuple[Jump | LocalJump, ...] = tuple(
            canonical(part)
            for j in self.given
            for part in (j.vacuum if isinstance(j, Jump) else (j,))
        )
        self._made = True

    def __setattr__(self, name: str, value: Any) -> None:
        if getattr(self, "_made", False):
            raise AttributeError("A Model does not change once it is made: make another.")
        super().__setattr__(name, value)

    def _connect(self, given: tuple[Any, ...]) -> None:
        """Take in links: those without delay join jumps, those with delays are kept."""
        taken: set[Any] = set()
        for k, link in enumerate(given):
            if not isinstance(link, Connection):
                _check.fail(
                    f"links[{k}]", "be a wf.Link", link, "Pass `links=line.links`.", TypeError
                )
            link.check(f"links[{k}]", self)
            if link.drive is not None:
                self._known(f"links[{k}]", link.drive)
                self.H = self.H + link.drive
        ports = [link for link in given if link.drive is None]
        for k, link in enumerate(ports):
            for end, key in (("source", link.source_key), ("target", link.target_key)):
                if (end, key) in taken:
                    must = "leave every port one link that begins there and one that ends there"
                    _check.fail(f"links[{k}]", must, link)
                taken.add((end, key))
        #: Links with delays.
        self.links: tuple[Any, ...] = tuple(link for link in ports if not link.instant)
        #: What links without delay made of the jumps, see ``links``; None: there are none.
        self.joined: Any = None
        instant = [link for link in ports if link.instant]
        if instant:
            self.joined = instant[0].join(self.given, instant)
            self.given, self.H = tuple(self.joined.jumps), self.H + self.joined.drive
            self.links = tuple(link.moved(self.joined) for link in self.links)

    def _known(self, argument: str, op: Op | ArrayOp | LocalOp) -> None:
        used = {op.sub} if isinstance(op, LocalOp) else op.subsystems
        for sub in used:
            if sub not in self.initial:
                names = self.names.values()
                listed = ", ".join(map(repr, names))
                _check.fail(
                    argument,
                    f"act only on subsystems that `initial` lists ({listed})",
                    _check.Note(f"an operator of {sub.name!r}"),
                    SAME_NAME if sub.name in names else "",
                )

    def own(self, jump: Jump | LocalJump) -> Jump | LocalJump | None:
        """The jump of ``known`` that a jump stands for: itself, or the only one like it.

        One of ``jumps`` stands for that of its place. None: there is none, or several.
        """
        if any(jump is j for j in self.known):
            return jump
        places = [k for k, part in enumerate(self.jumps) if part is jump]
        if places and self.joined is None:
            bare = [j for j in self.given if getattr(j, "input", None) is None]
            return next((j for j in bare if self.number(j) in places), None)
        like = [j for j in self.known if alike(j, jump)]
        return like[0] if len(like) == 1 else None

    def number(self, jump: Jump | LocalJump) -> int:
        """The place in ``jumps`` of (the first part of) a jump as it was given."""
        at = 0
        for given in self.given:
            if given is jump:
                return at
            at += len(given.vacuum) if isinstance(given, Jump) else 1
        raise ValueError(f"{jump!r} is no jump of the model.")

    def restarted(self, initial: Mapping[Subsystem, State | Iterable[State]]) -> Model:
        """The same model with other initial states of its subsystems."""
        return self.changed(initial={sub: _states(sub, initial[sub]) for sub in self.initial})

    def changed(self, **parts: Any) -> Model:
        """The same model with other parts, canonical ones, which are not checked."""
        out = copy.copy(self)
        vars(out).pop("coefficients", None)
        vars(out).update(parts)
        return out

    @property
    def delayed(self) -> str | None:
        """Why a method of master equations cannot treat it: its links have delays. None: none."""
        if not self.links:
            return None
        return (
            "its links have delays, which 'twa' and 'mean-field' treat; without them take "
            "`line.at_zero_delay()`"
        )

    @property
    def collective_jumps(self) -> tuple[Jump, ...]:
        """The ``Jump`` members of ``jumps``."""
        return tuple(j for j in self.jumps if isinstance(j, Jump))

    @property
    def local_jumps(self) -> tuple[LocalJump, ...]:
        """The ``LocalJump`` members of ``jumps``."""
        return tuple(j for j in self.jumps if isinstance(j, LocalJump))

    @cached_property
    def coefficients(self) -> frozenset[Coef]:
        """Every time-dependent coefficient and rate."""
        ops = [self.H, *(j.op for j in self.jumps if isinstance(j.op, Op))]
        rates = frozenset(j.rate for j in self.jumps if isinstance(j.rate, Coef))
        return rates | {c for op in ops for times, _ in op.terms for c in times}

    def channels(self) -> list[tuple[Op, float | Coef]]:
        """Independent non-local jumps (operator, rate), with arrays and matrices written out."""
        out: list[tuple[Op, float | Coef]] = []
        for jump in self.collective_jumps:
            op = jump.op
            if isinstance(op, Op):
                out.append((op, jump.rate))
            elif jump.matrix is not None:
                values, vectors = np.linalg.eigh(jump.matrix)
                for g, v in zip(values, vectors.T, strict=True):
                    if g > 1e-14 * np.abs(values).max():
                        out.append(((v.conj() * op).sum(), float(g)))
            else:
                out += [(op[m], rate) for m, rate in enumerate(member_rates(jump.rate, op.size))]
        return out

    def local_channels(self) -> list[LocalChannel]:
        """Local jumps member by member."""
        out = []
        for jump in self.local_jumps:
            sub = jump.op.sub
            assert isinstance(sub, (Ensemble, Levels))
            rates = member_rates(jump.rate, sub.size)
            members = range(sub.size) if jump.op.member is None else [jump.op.member]
            out += [LocalChannel(sub, m, jump.op, rates[m]) for m in members]
        return out

    if TYPE_CHECKING:  # no form and no method: the package and ``views`` give these

        def latex(self) -> str: ...

        def to_dict(self, times: Any = None) -> dict[str, Any]: ...

        @staticmethod
        def from_dict(data: dict[str, Any]) -> Model: ...

        def equations(self, method: Any = "twa") -> str: ...

        def source(self, method: Any = "twa") -> str: ...

        def compile(self, method: Any = "twa", *, tlist: Any, e_ops: Any, **o: Any) -> Any: ...

        def estimate(self, tlist: _check.Times, *, e_ops: Any, **options: Any) -> Any: ...

        def to_qutip(self, cutoffs: Mapping[Subsystem, int] | None = None) -> Any: ...

    def tabulated(self, times: Any) -> Model:
        """The same model with samples at ``times`` in place of callable coefficients."""
        return self.with_coefficients(lambda c: c.tabulated(times) if c.times is None else c)

    def with_coefficients(self, change: Callable[[Coef], Coef]) -> Model:
        """The same model with other time coefficients in place of its own."""
        jumps = []
        for jump in self.jumps:
            new = copy.copy(jump)
            if isinstance(jump.op, Op):
                new.op = jump.op.with_coefficients(change)  # type: ignore[assignment]
            if isinstance(jump.rate, Coef):
                new.rate = change(jump.rate)
            jumps.append(canonical(new))
        H = self.H.with_coefficients(change).canonical()
        return self.changed(H=H, jumps=tuple(jumps))


def _states(sub: Subsystem, value: Any) -> tuple[State, ...]:
    if isinstance(sub, Member):
        hint = f"Give {sub.sub.name!r} one state or a list of {sub.sub.size}."
        _check.fail("initial", "have subsystems as keys", sub, hint, TypeError)
    if not isinstance(sub, Subsystem):
        _check.fail("initial", "have subsystems as keys", sub, kind=TypeError)
    argument = f"initial[{sub.name!r}]"
    if isinstance(value, State):
        states: tuple[Any, ...] = (value,) * sub.size
    else:
        if sub.count is None or not isinstance(value, Iterable):
            hint = "wf.bloch(theta, phi) is a function." if callable(value) else ""
            _check.fail(argument, "be a state such as wf.up or wf.vacuum", value, hint, TypeError)
        states = tuple(value)
        if len(states) != sub.size:
            must = f"have {sub.size} states, one per member"
            _check.fail(argument, must, _check.Note(f"a list of {len(states)}"))
    for state in states:
        if isinstance(state, ModeState) and isinstance(state.value, Coef):
            hint = "An amplitude that depends on time is the input of a jump."
            _check.fail(argument, "be a constant state", state, hint)
        sub.check_state(argument, state)
    return states
