"""Spins as Schwinger bosons by brute force: the Lindblad operator on polynomials, and matrices.

Polynomials in (alpha, alpha^*, beta, beta^*) of every spin are dicts from exponents to numbers.
With c = (1-k)/2 and d = (1+k)/2 the distribution of ordering k obeys
a rho -> alpha + c d/d alpha^*,
a^+ rho -> alpha^* - d d/d alpha, rho a^+ -> alpha^* + c d/d alpha, rho a -> alpha - d d/d alpha^*.
"""

from __future__ import annotations

from functools import reduce
from itertools import product
from math import comb, factorial

import numpy as np

# ---------------------------------------------------------------------------- polynomials


def add(*polys):
    out = {}
    for p in polys:
        for k, c in p.items():
            out[k] = out.get(k, 0) + c
    return {k: c for k, c in out.items() if abs(c) > 1e-14}


def scale(p, c):
    return {k: c * v for k, v in p.items()}


def mul(p, q):
    out = {}
    for k, c in p.items():
        for m, d in q.items():
            key = tuple(a + b for a, b in zip(k, m, strict=True))
            out[key] = out.get(key, 0) + c * d
    return {k: c for k, c in out.items() if abs(c) > 1e-14}


def diff(p, i):
    out = {}
    for k, c in p.items():
        if k[i]:
            key = (*k[:i], k[i] - 1, *k[i + 1 :])
            out[key] = out.get(key, 0) + c * k[i]
    return out


def leaf(n, i):
    return {tuple(int(j == i) for j in range(n)): 1.0}


def one(n):
    return {(0,) * n: 1.0}


def size(p):
    return max((abs(c) for c in p.values()), default=0.0)


# ---------------------------------------------------------------------------- operators

# A spin operator is a list of (coefficient, word); a word is a string of boson letters, each
# (spin, "a" | "A" | "b" | "B") with capitals for creation.


def spin(m, name):
    plus, minus = ((m, "A"), (m, "b")), ((m, "a"), (m, "B"))
    if name == "z":
        return [(0.5, ((m, "A"), (m, "a"))), (-0.5, ((m, "B"), (m, "b")))]
    if name == "+":
        return [(1.0, plus)]
    if name == "-":
        return [(1.0, minus)]
    return [(0.5, plus), (0.5, minus)] if name == "x" else [(-0.5j, plus), (0.5j, minus)]


def times(*ops):
    return reduce(lambda p, q: [(c * d, v + w) for c, v in p for d, w in q], ops)


def dag(op):
    return [(np.conj(c), tuple((m, x.swapcase()) for m, x in reversed(w))) for c, w in op]


def plus(*ops):
    return [t for op in ops for t in op]


def weigh(c, op):
    return [(c * d, w) for d, w in op]


class Ordering:
    """The adjoint of the Lindblad operator on polynomials, in one ordering."""

    def __init__(self, k, spins):
        self.c, self.d, self.n = (1 - k) / 2, (1 + k) / 2, 4 * spins

    def letter(self, f, m, x, left):
        """Adjoint of one boson to the left or right of rho."""
        base = 4 * m + (0 if x in "aA" else 2)
        here, there = (base, base + 1) if x in "ab" else (base + 1, base)
        # adjoint: derivatives change sign and act after the product is undone
        create = x in "AB"
        sign = {(False, True): self.c, (True, True): -self.d,
                (True, False): self.c, (False, False): -self.d}[create, left]  # fmt: skip
        out = {}
        for k, c in f.items():
            key = (*k[:here], k[here] + 1, *k[here + 1 :])
            out[key] = out.get(key, 0) + c
            if k[there]:
                key = (*k[:there], k[there] - 1, *k[there + 1 :])
                out[key] = out.get(key, 0) - sign * k[there] * c
        return {k: c for k, c in out.items() if abs(c) > 1e-14}

    def sandwich(self, f, left, right):
        """Adjoint of rho -> left rho right: averages of f change by those of the outcome."""
        parts = []
        for c, v in left:
            h = f
            for m, x in v:
                h = self.letter(h, m, x, True)
            for d, w in right:
                g = h
                for m, x in reversed(w):
                    g = self.letter(g, m, x, False)
                parts.append(scale(g, c * d))
        return add(*parts)

    def lindblad(self, f, H, jumps):
        """Every order of derivatives."""
        identity = [(1.0, ())]
        out = add(
            scale(self.sandwich(f, H, identity), -1j), scale(self.sandwich(f, identity, H), 1j)
        )
        for L, rate in jumps:
            LL = times(dag(L), L)
            out = add(
                out,
                scale(self.sandwich(f, L, dag(L)), rate),
                scale(self.sandwich(f, LL, identity), -rate / 2),
                scale(self.sandwich(f, identity, LL), -rate / 2),
            )
        return out

    def coefficients(self, H, jumps):
        """Drift A_i and diffusion D_ij: the orders one and two."""
        n = self.n
        x = [leaf(n, i) for i in range(n)]
        A = [self.lindblad(x[i], H, jumps) for i in range(n)]
        D = {}
        for i, j in product(range(n), repeat=2):
            both = self.lindblad(mul(x[i], x[j]), H, jumps)
            rest = add(mul(x[i], A[j]), mul(x[j], A[i]))
            D[i, j] = add(both, scale(rest, -1))
        return A, D

    def symbol(self, op):
        """The polynomial whose average is <op>: op rho, traced."""
        return self.sandwich(one(self.n), op, [(1.0, ())])


def second_order(A, D, f):
    """A_i d_i f + D_ij d_i d_j f / 2."""
    out = {}
    for i, a in enumerate(A):
        out = add(out, mul(a, diff(f, i)))
    for (i, j), d in D.items():
        out = add(out, scale(mul(d, diff(diff(f, i), j)), 0.5))
    return out


# ---------------------------------------------------------------------------- matrices


class Matrices:
    """Spins S as matrices, and averages of ordered boson products in their states."""

    def __init__(self, lengths, seed):
        rng = np.random.default_rng(seed)
        self.lengths = lengths
        self.dims = [int(2 * s + 1) for s in lengths]
        n = int(np.prod(self.dims))
        g = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
        rho = g @ g.conj().T
        self.rho = rho / np.trace(rho)

    def at(self, m, matrix):
        parts = [matrix if j == m else np.eye(d) for j, d in enumerate(self.dims)]
        return reduce(np.kron, parts)

    def spin(self, m, name):
        s = self.lengths[m]
        z = np.arange(s, -s - 1, -1)
        up = np.diag(np.sqrt((s - z[1:]) * (s + z[1:] + 1)), 1)
        table = {"z": np.diag(z), "+": up, "-": up.T, "x": (up + up.T) / 2, "y": (up - up.T) / 2j}
        return self.at(m, table[name].astype(complex))

    def slope(self, H, jumps):
        rho = self.rho
        out = -1j * (H @ rho - rho @ H)
        for L, rate in jumps:
            LL = L.conj().T @ L
            out = out + rate * (L @ rho @ L.conj().T - (LL @ rho + rho @ LL) / 2)
        return out

    def normal(self, exponents):
        """<a^{+p'} a^p b^{+q'} b^q ...> with exponents (p, p', q, q') per spin."""
        parts = []
        for m, d in enumerate(self.dims):
            p, pc, q, qc = exponents[4 * m : 4 * m + 4]
            if p + q != pc + qc:
                return 0.0
            M = np.zeros((d, d), complex)
            for col in range(d):  # state |a = d-1-col, b = col>
                a, b = d - 1 - col, col
                if a < p or b < q:
                    continue
                a2, b2 = a - p + pc, b - q + qc
                M[b2, col] = np.sqrt(
                    factorial(a) / factorial(a - p) * factorial(a2) / factorial(a - p)
                    * factorial(b) / factorial(b - q) * factorial(b2) / factorial(b - q)
                )  # fmt: skip
            parts.append(M)
        return np.trace(reduce(np.kron, parts) @ self.rho)

    def average(self, f, k):
        """The average of a polynomial over the distribution of ordering k."""
        total = 0.0
        for exponents, c in f.items():
            terms = {(): 1.0}
            for e in range(0, len(exponents), 2):
                p, q = exponents[e : e + 2]
                new = {}
                for key, x in terms.items():
                    for j in range(min(p, q) + 1):
                        w = factorial(j) * comb(p, j) * comb(q, j) * ((1 - k) / 2) ** j
                        more = (*key, p - j, q - j)
                        new[more] = new.get(more, 0) + x * w
                terms = new
            total += c * sum(x * self.normal(key) for key, x in terms.items() if x)
        return total
