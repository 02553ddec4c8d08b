"""The stochastic equations of a ``PhaseSpaceSystem`` as text."""

from __future__ import annotations

import numpy as np

from ..model.coefficients import Coef
from .polynomials import Coupled, Form, Leaf, Member, Number, Pair, Poly, Var, poly_sum
from .system import MODE, LocalStep, MatrixChannel, PhaseSpaceSystem

_SPIN, _MODE = ("Jx", "Jy", "Jz"), ("Re a", "Im a")


class Names:
    """Names of the classical variables of a system."""

    def __init__(self, system: PhaseSpaceSystem):
        self.system = system

    def component(self, block: int, comp: int) -> str:
        """Name of one component of a block; members of an array carry the index m."""
        b = self.system.blocks[block]
        letters = _MODE if b.components == 2 else _SPIN
        name = letters[comp] if b.components <= 3 else f"v{comp}"
        prefix = "" if len(self.system.blocks) == 1 else f"{b.name}."
        return prefix + name + ("" if b.count is None else "[m]")

    def mono(self, mono: tuple[tuple[int, int], ...]) -> str:
        """Name of a member monomial."""
        return " ".join(self.component(b, c) for b, c in mono)

    def leaf(self, leaf: Leaf) -> str:
        """Name of any leaf."""
        if isinstance(leaf, (Var, Member)):
            return self.component(leaf.block, leaf.comp)
        if isinstance(leaf, (Form, Pair)):
            return f"{'S' if isinstance(leaf, Form) else 'K'}{leaf.index + 1}"
        kind = "n" if isinstance(leaf, Number) else "c" if isinstance(leaf, Coupled) else "r"
        return f"{kind}{leaf.index + 1}"

    def sums(self, polys: list[Poly]) -> list[str]:
        """Definitions of the sums that occur in polynomials."""
        out = []
        for leaf in sorted({leaf for poly in polys for leaf in poly.leaves}, key=lambda x: x[::-1]):
            if isinstance(leaf, Form):
                form = self.system.forms[leaf.index]
                weight = "" if form.uniform else f"w{leaf.index + 1}[m] "
                out.append(f"{self.leaf(leaf)} = Σ_m {weight}{self.mono(form.mono)}")
            elif isinstance(leaf, Pair):
                pair = self.system.pairs[leaf.index]
                weights = ("" if pair.u is None else "u[m] ", "" if pair.v is None else "v[m'] ")
                right = self.mono(pair.right).replace("[m]", "[m']")
                sides = f"{weights[0]}{self.mono(pair.left)} {weights[1]}{right}"
                out.append(f"{self.leaf(leaf)} = Σ_mm' K[m,m'] {sides},  K = {pair.coupling!r}")
        return out

    def poly(self, poly: Poly) -> str:
        """A polynomial."""
        parts = []
        for times, leaves, c in poly.sorted_terms():
            factors = [f"f_{t.part}(t)" for t in times] + [self.leaf(leaf) for leaf in leaves]
            parts.append((c, " ".join(factors)))
        return _signed(parts)


def _number(c: complex) -> str:
    if c.imag == 0:
        return f"{c.real:.6g}"
    return f"{c.imag:.6g}i" if c.real == 0 else f"({c.real:.6g}{c.imag:+.6g}i)"


def _signed(parts: list[tuple[complex, str]]) -> str:
    out = ""
    for c, factors in parts:
        negative = (c.imag == 0 and c.real < 0) or (c.real == 0 and c.imag < 0)
        size = _number(-c if negative else c)
        body = factors if size == "1" and factors else f"{size} {factors}".strip()
        body = body.replace("1i ", "i ") if body.startswith("1i") else body
        sign = (" - " if negative else " + ") if out else ("-" if negative else "")
        out += sign + body
    return out or "0"


def _bracket(system: PhaseSpaceSystem, block: int, comp: int, f: Poly) -> Poly:
    """{v_comp, f} for a single subsystem: f depends on it through its own variables."""
    if system.blocks[block].kind == MODE:
        sign = 0.5 if comp == 0 else -0.5
        return f.derivative(Var(block, 1 - comp)) * sign
    i, j = (comp + 1) % 3, (comp + 2) % 3
    slope_i, slope_j = (f.derivative(Var(block, a)) for a in (i, j))
    return slope_i * Poly.leaf(Var(block, j)) - slope_j * Poly.leaf(Var(block, i))


def _local_text(system: PhaseSpaceSystem, step: LocalStep) -> list[str]:
    name = system.blocks[step.block].name
    lines = [
        f"local channels of {name} (Itô), with J = (Jx, Jy, Jz) and N = {_range(step.numbers)}:"
    ]
    lines.append("  dJ = (-Λ J + (N/2) c) dt + noise,  <noise noise^T> = D dt,")
    lines.append("  D = (N/4)(Λ + Λ^T) - (c J^T + J c^T)/2,")
    for rate, lam, c in step.parts:
        rates = "f(t)" if isinstance(rate, Coef) else _range(rate)
        rows = "; ".join(_vector(row[None]) for row in lam.max(axis=0))
        lines.append(f"  Λ += {rates} [{rows}],  c += {rates} ({_vector(c)})")
    return lines


def _vector(c: np.ndarray) -> str:
    largest = c[int(np.argmax(np.abs(c).sum(axis=1)))]
    return ", ".join(f"{x + 0.0:.6g}" for x in largest)


def _range(values: np.ndarray) -> str:
    low, high = float(np.min(values)), float(np.max(values))
    return f"{low:.6g}" if low == high else f"{low:.6g} … {high:.6g} (by member)"


def text(system: PhaseSpaceSystem) -> str:
    """The equations of motion of every trajectory, ready to read."""
    names = Names(system)
    if system.explicit:
        return _explicit_text(system, names)
    polys = [system.hamiltonian, *(c.symbol for c in system.channels)]
    noise = "" if system.noise else "; all noise is left out"
    out = [f"ħ = 1, Stratonovich; {{J_a, J_b}} = ε_abc J_c, {{Re a, Im a}} = 1/2{noise}", ""]
    out.append(f"h = {names.poly(system.hamiltonian)}")
    for k, channel in enumerate(system.channels, 1):
        rate = "f(t)" if isinstance(channel.rate, Coef) else f"{channel.rate:.6g}"
        out.append(f"l{k} = {names.poly(channel.symbol)}    with rate r{k} = {rate}")
    for k, member in enumerate(system.member_channels, len(system.channels) + 1):
        rate = "f(t)" if isinstance(member.rate, Coef) else _range(member.rate)
        if isinstance(member, MatrixChannel):
            rate = f"matrix of rank {member.factor.shape[1]} (correlated)"
        symbol = _signed([(complex(w[0]), names.mono(mono)) for mono, w in member.terms.items()])
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
        out += ["", "every member m of an array, with v = J[m] or (Re a[m], Im a[m]):"]
        out.append("  dv = {v, h} dt + Σ_k Re[{v, l_k} (sqrt(r_k) dW_k + i r_k l_k^* dt)]")
    for step in system.local:
        out += ["", *_local_text(system, step)]
    return "\n".join(out)


def _motion(system: PhaseSpaceSystem, names: Names, block: int, comp: int) -> str:
    """Drift and noise of one component of a single subsystem."""
    drift = [_bracket(system, block, comp, system.hamiltonian)]
    noise = []
    for k, channel in enumerate(system.channels, 1):
        re, im = channel.symbol.real(), channel.symbol.imag()
        a, b = (_bracket(system, block, comp, p) for p in (re, im))
        constant = not isinstance(channel.rate, Coef)
        rate = float(channel.rate) if constant else 1.0  # type: ignore[arg-type]
        part = (a * im - b * re) * rate
        if constant:
            drift.append(part)
        elif part:
            noise.append(f"r{k} ({names.poly(part)}) dt")
        root = float(np.sqrt(rate))
        for p, w in ((a * root, f"dW{k},1"), (b * -root, f"dW{k},2")):
            if p:
                noise.append(f"({names.poly(p)}) {'' if constant else f'sqrt(r{k}) '}{w}")
    total = poly_sum(drift).clean()
    return " + ".join(([f"({names.poly(total)}) dt"] if total else []) + noise) or "0"


def _explicit_text(system: PhaseSpaceSystem, names: Names) -> str:
    out = [f"ħ = 1, {'Itô' if system.calculus == 'ito' else 'Stratonovich'}", ""]
    for e in system.explicit:
        for i, root in enumerate(e.roots, 1):
            out.append(f"r{i} = {root.kind}({names.poly(root.of)})")
        for c, drift in enumerate(e.drift):
            noise = [
                f" + ({names.poly(column[c])}) dW{j}"
                for j, column in enumerate(e.noise, 1)
                if column[c]
            ]
            out.append(
                f"d {names.component(e.block, c)} = ({names.poly(drift)}) dt{''.join(noise)}"
            )
    return "\n".join(out)
