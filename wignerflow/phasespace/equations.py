"""The stochastic equations of a ``PhaseSpaceSystem`` as text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.numerals import number
from .channels import MatrixChannel
from .matrices import brackets, matrix_names
from .names import Names, signed, span
from .polynomials import Poly, Var, poly_sum
from .system import (
    AMPLITUDES,
    INVERSE_ROOT,
    MATRIX,
    MODE,
    ROTOR,
    SPIN,
    Diffusion,
    LocalStep,
    MatrixStep,
    PhaseSpaceSystem,
)


def _bracket(system: PhaseSpaceSystem, block: int, comp: int, f: Poly) -> Poly:
    """{v_comp, f} for a single subsystem: f depends on it through its variables (J of a rotor)."""
    if system.blocks[block].kind == MODE:
        sign = 0.5 if comp == 0 else -0.5
        return f.derivative(Var(block, 1 - comp)) * sign
    if system.blocks[block].kind == MATRIX:
        table = brackets(system.blocks[block].levels)[comp]
        return poly_sum(
            f.derivative(Var(block, int(j))) * Poly.leaf(Var(block, int(k)), float(table[j, k]))
            for j, k in zip(*np.nonzero(table), strict=True)
        )
    i, j, first = (comp + 1) % 3, (comp + 2) % 3, comp - comp % 3
    slope_i, slope_j = (f.derivative(Var(block, a)) for a in (i, j))
    return slope_i * Poly.leaf(Var(block, first + j)) - slope_j * Poly.leaf(Var(block, first + i))


def _head(system: PhaseSpaceSystem, names: Names) -> str:
    """Units, calculus and brackets."""
    pauli = [names.is_pauli(k) for k in range(len(system.blocks))]
    kinds = [b.kind for b, p in zip(system.blocks, pauli, strict=True) if not p]
    found = []
    if any(pauli):
        found.append("{s_a, s_b} = 2 ε_abc s_c")
    if SPIN in kinds or ROTOR in kinds:
        found.append("{J_a, J_b} = ε_abc J_c")
    if ROTOR in kinds:
        found.append("{J_a, n_b} = ε_abc n_c, {n_a, n_b} = 0")
    if MATRIX in kinds:
        found.append("{Tr RA, Tr RB} = -i Tr(R [A, B]), the symbol of |a><b| is R[b,a]")
    if MODE in kinds:
        found.append("{Re a, Im a} = 1/2")
    calculus = "Stratonovich" if system.noise else "all noise is left out"
    return f"ħ = 1, {calculus}; {', '.join(found)}"


def text(system: PhaseSpaceSystem, pauli: bool = False) -> str:
    """The equations of motion of every trajectory, ready to read.

    Args:
        system: what a method has lowered a model to.
        pauli: write single spins as Pauli vectors s = 2 J.
    """
    names = Names(system, pauli)
    if system.explicit:
        return _explicit_text(system, names)
    polys = [system.hamiltonian, *(c.symbol for c in system.channels)]
    out = [_head(system, names), ""]
    out.append(f"h = {names.poly(system.hamiltonian)}")
    for k, channel in enumerate(system.channels, 1):
        rate = _rate(channel.rate)
        out.append(f"l{k} = {names.poly(channel.symbol)}    with rate r{k} = {rate}")
    for k, member in enumerate(system.member_channels, len(system.channels) + 1):
        rate = _rate(member.rate)
        if isinstance(member, MatrixChannel):
            rate = f"matrix of rank {member.factor.shape[1]} (correlated)"
        symbol = signed(
            [
                (complex(w[0]) * names.mono_scale(mono), names.mono(mono))
                for mono, w in member.terms.items()
            ]
        )
        out.append(f"l{k}[m] = {symbol}    for every member m (weights of m = 0), rate {rate}")
    sums = names.sums(polys)
    out += ["with", *("  " + line for line in sums)] if sums else []
    singles = [k for k, b in enumerate(system.blocks) if b.count is None]
    if singles:
        out.append("")
    for block in singles:
        for comp in range(system.blocks[block].components):
            out.append(f"d {names.component(block, comp)} = {_motion(system, names, block, comp)}")
    if len(singles) < len(system.blocks):
        out += ["", *_member_text(system, names)]
    for diffusion in system.diffusions:
        out += ["", *_diffusion_text(names, diffusion)]
    for step in system.local:
        out += ["", *local_text(system, step)]
    return "\n".join(out)


def _diffusion_text(names: Names, diffusion: Diffusion) -> list[str]:
    """Nonlinear jumps: drift and the matrix of their noise."""
    out = ["nonlinear jumps add (Itô), with noise ξ whose negative directions are cut:"]
    blocks = [x.block for x in diffusion.leaves]
    where = [names.component(x.block, x.comp) for x in diffusion.leaves]
    unit = [1 / names.scale(block) for block in blocks]
    for i, (name, drift) in enumerate(zip(where, diffusion.drift, strict=True)):
        noise = f" + ξ[{name}]" if i in diffusion.noisy else ""
        out.append(f"  d {name} = ({names.poly(drift, unit[i])}) dt{noise}")
    for i in diffusion.noisy:
        for j in (x for x in diffusion.noisy if x <= i and diffusion.lower[i][x]):
            value = names.poly(diffusion.lower[i][j], unit[i] * unit[j])
            out.append(f"  <ξ[{where[i]}] ξ[{where[j]}]> = ({value}) dt")
    return out


def _member_text(system: PhaseSpaceSystem, names: Names) -> list[str]:
    """The law of motion of the members of arrays."""
    vectors = []
    for k, block in enumerate(system.blocks):
        if block.count is not None:
            pauli = names.is_pauli(k)
            words = {SPIN: "s[m]" if pauli else "J[m]", MODE: "(Re a[m], Im a[m])", MATRIX: "R[m]"}
            vectors.append(words.get(block.kind, "J[m] and n[m]"))
    field = "(sqrt(r_k) dW_k + i r_k l_k^* dt)" if system.noise else "i r_k l_k^* dt"
    law = f"dv = {{v, h}} dt + Σ_k Re[{{v, l_k}} {field}]"
    which = " or ".join(dict.fromkeys(vectors))
    return [f"every member m of an array, with v = {which}:", f"  {law}"]


def _motion(system: PhaseSpaceSystem, names: Names, block: int, comp: int) -> str:
    """Drift and noise of one component of a single subsystem."""
    drift = [_bracket(system, block, comp, system.hamiltonian)]
    noise = []
    unit = 1 / names.scale(block)
    for k, channel in enumerate(system.channels, 1):
        re, im = channel.symbol.real(), channel.symbol.imag()
        a, b = (_bracket(system, block, comp, p) for p in (re, im))
        constant = not isinstance(channel.rate, Coef)
        rate = float(channel.rate) if constant else 1.0  # type: ignore[arg-type]
        part = (a * im - b * re) * rate
        if constant:
            drift.append(part)
        elif part:
            noise.append(f"r{k} ({names.poly(part, unit)}) dt")
        if not system.noise:
            continue
        root = float(np.sqrt(rate))
        for p, w in ((a * root, f"dW{k},1"), (b * -root, f"dW{k},2")):
            if p:
                noise.append(f"({names.poly(p, unit)}) {'' if constant else f'sqrt(r{k}) '}{w}")
    total = poly_sum(drift).clean()
    return " + ".join(([f"({names.poly(total, unit)}) dt"] if total else []) + noise) or "0"


def _explicit_text(system: PhaseSpaceSystem, names: Names) -> str:
    calculus = "Itô" if system.calculus == "ito" else "Stratonovich"
    facts = [calculus if any(e.noise for e in system.explicit) else "all noise is left out"]
    if any(b.kind == AMPLITUDES for b in system.blocks):
        facts.append("s_x + i s_y = α^* β, s_z = (|α|^2 - |β|^2)/2")
    if any(b.source == "bloch" for b in system.blocks):
        facts.append("(x, y, z) is the Bloch vector of one emitter")
    out = [f"ħ = 1, {'; '.join(facts)}", ""]
    sums = names.sums([p for e in system.explicit for p in e.polynomials])
    out += ["with", *("  " + line for line in sums), ""] if sums else []
    first = 1  # noises are numbered through all blocks: none is shared
    for e in system.explicit:
        member = "" if system.blocks[e.block].count is None else "[m]"
        for i, root in enumerate(e.roots, names.roots[e.block] + 1):
            value = f"sqrt(max({names.poly(root.of)}, 0))"
            out.append(f"r{i} = {'1/' if root.kind == INVERSE_ROOT else ''}{value}")
        for c, drift in enumerate(e.drift):
            noise = [
                f" + ({names.poly(column[c])}) dW{j}{member}"
                for j, column in enumerate(e.noise, first)
                if column[c]
            ]
            out.append(
                f"d {names.component(e.block, c)} = ({names.poly(drift)}) dt{''.join(noise)}"
            )
        first += len(e.noise)
    return "\n".join(out)


def local_text(system: PhaseSpaceSystem, step: LocalStep | MatrixStep) -> list[str]:
    """What the local channels of a block add to its equations."""
    if isinstance(step, MatrixStep):
        return _matrix(system, step)
    return _rotor(system, step) if step.rotor else _bloch(system, step)


def _matrix(system: PhaseSpaceSystem, step: MatrixStep) -> list[str]:
    block = system.blocks[step.block]
    out = [f"local channels of {block.name}{' (Itô)' if system.noise else ''}, of R:"]
    names = matrix_names(block.labels, "R[{},{}]")
    for rate, where, G in step.parts:
        on = _where(where[:, None])
        out.append(f"  d/dt at rate {_rate(rate)}{on}:")
        for j in np.flatnonzero(np.any(np.abs(G) > 1e-14, axis=0)):
            parts = [(complex(c), names[i]) for i, c in enumerate(G[:, j]) if abs(c) > 1e-14]
            out.append(f"    {names[j]}: {signed(parts)}")
    if system.noise:
        out.append("  with noise, <Tr(dR x) Tr(dR y)> = Tr R [L(x∘y) - L(x)∘y - x∘L(y)] dt")
    return out


def _bloch(system: PhaseSpaceSystem, step: LocalStep) -> list[str]:
    name = system.blocks[step.block].name
    calculus = " (Itô)" if system.noise else ""
    out = [
        f"local channels of {name}{calculus}, with J = (Jx, Jy, Jz) and N = {span(step.numbers)}:"
    ]
    if system.noise:
        out.append("  dJ = (-Λ J + (N/2) c) dt + noise,  <noise noise^T> = D dt,")
        out.append("  D = (N/4)(Λ + Λ^T) - (c J^T + J c^T)/2,")
    else:
        out.append("  dJ = (-Λ J + (N/2) c) dt,")
    for rate, lam, c in step.parts:
        rows = "; ".join(_vector(row) for row in _typical(lam))
        where = _where(lam)
        out.append(f"  Λ += {_rate(rate)} [{rows}],  c += {_rate(rate)} ({_vector(_typical(c))})")
        out[-1] += where
    return out


def _rotor(system: PhaseSpaceSystem, step: LocalStep) -> list[str]:
    """The symbols of the jumps and Eq. (6), see ``rotor``."""
    name = system.blocks[step.block].name
    plus, minus = (" (1 + 1/(2L))", " (1 - 1/(2L))") if step.corrected else ("", "")
    out = [
        f"local channels of {name} (Stratonovich), with J = (Jx, Jy, Jz), n = (nx, ny, nz), "
        f"N = {span(step.numbers)},",
        "L = |J|, e = J/L, m = e × n, R = (N + 2)/4: every jump (r, u, t) has three symbols",
        "  l(0) = sqrt(R) (u·e)",
        f"  l(+1) = sqrt((2R - L){plus})/2 (u·(n - i m))",
        f"  l(-1) = sqrt((2R + L){minus})/2 (u·(n + i m))",
        "and adds, with X(j) = sqrt(r) dW(j) + i r l(j)^* dt, dW(j) = dW(j)1 + i dW(j)2,",
        "  dJ = Σ_j Re[(∂l(j)/∂J × J + ∂l(j)/∂n × n) X(j)] + r t × J dt",
        "  dn = Σ_j Re[∂l(j)/∂J × n X(j)] + r t × n dt",
        "(J is scaled back where L exceeds 2R)",
    ]
    for (rate, _, _), part in zip(step.parts, step.rotor, strict=True):
        u, t = _vector(_typical(part.vector)), _vector(_typical(part.turn))
        out.append(f"  r = {_rate(rate)}, u = ({u}), t = ({t}){_where(part.vector)}")
    return out


def _rate(rate: Any) -> str:
    return "f(t)" if isinstance(rate, Coef) else span(rate)


def _typical(values: NDArray[Any]) -> NDArray[Any]:
    """Those of one member on which a channel acts."""
    axes = tuple(range(1, values.ndim))
    return np.asarray(values[int(np.argmax(np.abs(values).sum(axis=axes)))])


def _where(values: NDArray[Any]) -> str:
    """On which members a channel acts, if not on all."""
    on = np.abs(values).reshape(len(values), -1).max(axis=1) > 0
    if on.all():
        return ""
    return "    on member " + ", ".join(str(m) for m in np.flatnonzero(on))


def _vector(c: NDArray[Any]) -> str:
    return ", ".join(number(complex(x) + 0.0) for x in c)
