"""Text and LaTeX: fixed examples, and display terms checked against matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

import wignerflow as wf
from wignerflow.model.display import display_terms, ladder_word
from wignerflow.model.latex import latex_lines, model_latex, op_latex
from wignerflow.model.normal import Site, SumNode
from wignerflow.model.numerals import number
from wignerflow.model.printing import MAX_TERMS, text
from wignerflow.model.words import ANGULAR

from .matrices import LETTERS, Space
from .test_algebra import FAST, SYSTEMS, build, expressions

NAMES = {kind: dict(names) for kind, names in LETTERS.items()}
for kind in ("ensemble", "collective"):
    NAMES[kind] |= {"+": "Jp", "-": "Jm"}
NAMES["spin"] |= {"+": "sp", "-": "sm"}


@pytest.fixture(scope="module")
def parse():
    mathtext = pytest.importorskip("matplotlib.mathtext")
    parser = mathtext.MathTextParser("path")
    return lambda line: parser.parse(f"${line}$")


atoms = wf.Ensemble(10, name="atoms")
cavity = wf.Mode(name="cavity")
chain = wf.Ensemble(5, name="chain", count=6)
spins = wf.Spin(name="q_1", count=3)
ramp = np.exp(0.3j * np.arange(6))


def drive(t):
    return np.cos(t)


def rotating(t):
    return np.exp(-1j * t)


EXAMPLES = [
    (atoms.Jm, "atoms.Jm", "J^{-}"),
    (2 * atoms.Jx, "2*atoms.Jx", r"2\,J^{x}"),
    (atoms.Jp * atoms.Jm, "atoms.Jp*atoms.Jm", r"J^{+}\,J^{-}"),
    (atoms.Jx**2 - 0.5 * atoms.Jz, "atoms.Jx² - 0.5*atoms.Jz", r"(J^{x})^{2} - 0.5\,J^{z}"),
    (0 * atoms.Jx, "0", "0"),
    (atoms.Jx * 0 - 2, "-2", "-2"),
    ((1 + 2j) * atoms.Jz - 1j, "(1+2i)*atoms.Jz - i", r"(1+2i)\,J^{z} - i"),
    (
        1.5 * (atoms.Jp * cavity.a + atoms.Jm * cavity.adag) + 3 * cavity.n,
        "1.5*atoms.Jp*cavity.a + 1.5*atoms.Jm*cavity.adag + 3*cavity.n",
        r"1.5\,J^{+}_{\mathrm{atoms}}\,a_{\mathrm{cavity}} + 1.5\,J^{-}_{\mathrm{atoms}}\,"
        r"a^{\dagger}_{\mathrm{cavity}} + 3\,a^{\dagger}_{\mathrm{cavity}}\,a_{\mathrm{cavity}}",
    ),
    (cavity.adag**2 * cavity.a**3, "cavity.adag²*cavity.a³", r"a^{\dagger 2}\,a^{3}"),
    (chain[3].Jz * chain[1].Jp, "chain[1].Jp*chain[3].Jz", r"J^{+}_{1}\,J^{z}_{3}"),
    (spins[0].sx * spins[0].sy, "i*q_1[0].sz", r"i\,\sigma^{z}_{0}"),
    (1e-7 * atoms.Jz, "1e-07*atoms.Jz", r"1 \times 10^{-7}\,J^{z}"),
    ((ramp * chain.Jm).sum(), "sum(exp(0.3i*m)*chain.Jm)", r"\sum_{m} e^{0.3i m} J^{-}_{m}"),
    (
        (np.arange(6) * chain.Jz).sum(),
        "sum([0, 1, 2, …]*chain.Jz)",
        r"\sum_{m} w^{(1)}_{m} J^{z}_{m}",
    ),
    (
        (ramp * chain.Jm).sum().dag() * (ramp * chain.Jm).sum(),
        "sum(exp(-0.3i*m)*chain.Jp)*sum(exp(0.3i*m)*chain.Jm)",
        r"\sum_{m} e^{-0.3i m} J^{+}_{m}\,\sum_{m'} e^{0.3i m'} J^{-}_{m'}",
    ),
    (
        2 * wf.couple(chain.Jp, wf.Waveguide(0.3), chain.Jm),
        "2*couple(chain.Jp, Waveguide(0.3), chain.Jm)",
        r"2\,\sum_{m \neq m'} \frac{1}{2}\sin(0.3\,|m - m'|)\,J^{+}_{m}\,J^{-}_{m'}",
    ),
    (
        wf.couple(chain.Jz, wf.NearestNeighbour(True), chain.Jz),
        "couple(chain.Jz, NearestNeighbour(periodic=True), chain.Jz)",
        r"\sum_{|m - m'| = 1\,(\mathrm{ring})} J^{z}_{m}\,J^{z}_{m'}",
    ),
    (
        wf.couple(spins.sp, np.ones((3, 3)) - np.eye(3), spins.sm),
        "couple(q_1.sp, Dense(3x3, 6 entries), q_1.sm)",
        r"\sum_{m \neq m'} K^{(1)}_{m m'}\,\sigma^{+}_{m}\,\sigma^{-}_{m'}",
    ),
    (
        wf.coef(rotating) * atoms.Jp + wf.coef(rotating).conj() * atoms.Jm,
        "rotating(t)*atoms.Jp + conj(rotating(t))*atoms.Jm",
        r"f_{1}(t)\,J^{+} + f_{1}^{*}(t)\,J^{-}",
    ),
    (3 * wf.coef(drive) * atoms.Jx, "3*drive(t)*atoms.Jx", r"3\,f_{1}(t)\,J^{x}"),
    (chain.Jm, "chain.Jm (m = 0 … 5)", "J^{-}_{m}"),
    (
        2 * chain.Jp * chain.Jm + 1,
        "2*chain.Jp*chain.Jm + 1 (m = 0 … 5)",
        r"2\,J^{+}_{m}\,J^{-}_{m} + 1",
    ),
    (atoms.sm, "atoms.sm", r"\sigma^{-}_{n}"),
    (chain[2].sx + 2j, "2i + chain[2].sx", r"2i + \sigma^{x}_{n}"),
]


@pytest.mark.parametrize(("op", "plain", "latex"), EXAMPLES, ids=[e[1][:40] for e in EXAMPLES])
def test_examples(op, plain, latex, parse):
    assert repr(op) == plain
    assert op_latex(op) == latex
    parse(latex)


def _word(space, sub, m, letters):
    out = space.identity
    for letter in letters:
        out = out @ space.leaf(sub, m, NAMES[sub.kind][letter])
    return out


def _member(space, word, m):
    out = space.identity
    for sub, letters in word:
        out = out @ _word(space, sub, m, letters)
    return out


def _factor(space, f):
    if isinstance(f, Site):
        return _word(space, f.sub, f.m, f.word)
    if isinstance(f, SumNode):
        return sum(w * _member(space, f.word, m) for m, w in enumerate(f.weights))
    n = f.left[0][0].size
    K, one = f.coupling.matrix(n), np.ones(n)
    u, v = (one if w is None else w for w in (f.u, f.v))
    return sum(
        u[i] * K[i, j] * v[j] * _member(space, f.left, i) @ _member(space, f.right, j)
        for i in range(n)
        for j in range(n)
    )


@pytest.mark.parametrize("system", SYSTEMS)
@settings(FAST, max_examples=15)
@given(tree=expressions())
def test_display_terms_are_the_operator(system, tree):
    subs = system()
    space = Space(*subs, cutoff=8)
    op, _, letters = build(tree, subs, space)
    shown = np.zeros_like(space.identity)
    for c, times, factors in display_terms(op):
        assert not times
        product = c * space.identity
        for f in factors:
            product = product @ _factor(space, f)
        shown = shown + product
    expected, low = space.matrix(op), space.low(letters)
    scale = 1 + np.abs(expected).max()
    np.testing.assert_allclose(shown[:, low] / scale, expected[:, low] / scale, atol=1e-10)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_display_terms_are_rounded_relative_to_the_largest(scale):
    """Weights of real and imaginary part are put together, of one size or of several."""
    op = (np.array([1, 2, 1 + 3j]) * spins.sz).sum() + (np.exp([0, 0.7j, 2j]) * spins.sm).sum()
    shown = [display_terms(x) for x in (op, scale * op)]
    for (c, _, (f,)), (d, _, (g,)) in zip(*shown, strict=True):
        assert f.word == g.word
        np.testing.assert_allclose(d * g.weights, scale * c * f.weights, rtol=1e-12)


def test_names_are_escaped(parse):
    named = wf.Spin(name="a_b {c} #1 100% $ ^~&\\x"), wf.Spin(name="β")
    parse(op_latex(named[0].sx * named[1].sz))


@pytest.mark.parametrize("word", ["x", "zy", "xyz", "xxyyz", "zzz"])
def test_ladder_words(word):
    spin = wf.CollectiveSpin(1.5, name="S")
    space = Space(spin)
    out = sum(c * _word(space, spin, 0, w) for w, c in ladder_word(ANGULAR, word))
    np.testing.assert_allclose(out, _word(space, spin, 0, word), atol=1e-12)


@settings(FAST, max_examples=2)
@given(tree=expressions())
def test_latex_can_be_set(parse, tree):
    set_in_latex(parse, tree)


@pytest.mark.slow
@settings(FAST, max_examples=20)
@given(tree=expressions())
def test_latex_of_many_can_be_set(parse, tree):
    set_in_latex(parse, tree)


def set_in_latex(parse, tree):
    for system in SYSTEMS:
        subs = system()
        op, _, _ = build(tree, subs, Space(*subs, cutoff=2))
        if len(op.terms) < 30:
            parse(op_latex(op))
        assert len(repr(op)) < 4000


def test_long_operators_are_cut():
    big = sum(((k + 1) * spins[k % 3].sz * cavity.n**k for k in range(40)), 0 * spins[0].sz)
    assert f"… ({len(display_terms(big)) - MAX_TERMS} more terms)" in text(big)
    many = wf.Ensemble(1, name="many", count=2000)
    assert len(repr(sum(many[m].Jx for m in range(700)))) < 2000


@pytest.mark.parametrize(
    ("c", "expected"),
    [
        (1, "1"), (-1.5, "-1.5"), (1j, "i"), (-1j, "-i"), (2.5j, "2.5i"), (1 - 1j, "(1-i)"),
        (1e-20 + 1j, "i"), (1 / 3, "0.333333"), (-2 + 0.5j, "(-2+0.5i)"),
    ],
)  # fmt: skip
def test_numbers(c, expected):
    assert number(c) == expected


def full_model():
    lattice = wf.Ensemble([1, 2, 3], name="lattice & co", count=3)
    mode = wf.Mode(name="cav_1")
    H, jumps = wf.waveguide(lattice, 0.3, rate_forward=1.0, rate_backward=0.2)
    H = H + wf.coef(drive) * (mode.a + mode.adag) + (np.array([1, 2, 4]) * lattice.Jz).sum()
    gamma = np.array([[2, 1j, 0], [-1j, 2, 0], [0, 0, 1]])
    jumps += [
        wf.Jump(lattice.Jm, gamma),
        wf.Jump(lattice.Jz, np.arange(3)),
        wf.Jump(lattice.Jz, 0.5),
        wf.Jump(mode.a, 2 * wf.coef(np.exp)),
        wf.Jump(mode.a + mode.adag * 0.1 + lattice[0].Jx + lattice[1].Jx, 1.0),
        wf.LocalJump(lattice.sp, [1e-9, 2.0, 3.0]),
        wf.LocalJump(lattice[2].sm + 0.1 * lattice[2].sz, 1.0),
    ]
    initial = {lattice: [wf.up, wf.down, wf.bloch_vector(0, 0.5, 0)], mode: wf.coherent(1 - 2j)}
    return wf.Model(H, jumps, initial=initial)


def test_model_latex(parse):
    model = full_model()
    lines = latex_lines(model)
    for line in lines:
        parse(line)
    block = model_latex(model)
    assert block == model.latex()
    assert block.startswith("\\begin{aligned}") and block.endswith("\\end{aligned}")
    assert block.count(r" \\") == len(lines) - 1
    assert all(line.count("&") == 1 for line in block.split("\n")[1:-1])
    for piece in (
        r"\dot{\rho} &= -i[H, \rho]",
        r"\Gamma^{(1)}_{m m'}",
        r"2\,f_{1}(t)\,\mathcal{D}[a",
        r"\sum_{m} r^{(2)}_{m}\,\sum_{n=1}^{N_{m}} \mathcal{D}[\sigma^{+}",
        r"_{\mathrm{lattice\ and\ co},m,n}]",
        r"\sum_{n=1}^{3}",
        r"L_{7} &=",
        r"\mathcal{D}[L]\rho &= L \rho L^{\dagger} - \frac{1}{2}\{L^{\dagger} L, \rho\}",
    ):
        assert piece in block, piece


def test_superradiant_laser_latex():
    model = wf.Model(
        jumps=[wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 2.5)], initial={atoms: wf.up}
    )
    assert latex_lines(model) == [
        r"\dot{\rho} = \mathcal{D}[J^{-}]\rho"
        r" + 2.5\,\sum_{n=1}^{10} \mathcal{D}[\sigma^{+}_{n}]\rho",
        r"\mathcal{D}[L]\rho = L \rho L^{\dagger} - \frac{1}{2}\{L^{\dagger} L, \rho\}",
    ]
    assert repr(model) == (
        "Model\n  Ensemble(N=10, name='atoms'), initially up\n  H = 0\n"
        "  Jump(atoms.Jm, rate=1)\n  LocalJump(atoms.sp, rate=2.5)"
    )


def test_an_empty_model_is_printed(parse):
    model = wf.Model(initial={cavity: wf.vacuum})
    assert latex_lines(model) == [r"\dot{\rho} = 0"]
    assert "vacuum" in repr(model)


def test_model_repr_names_states_and_rates():
    shown = repr(full_model())
    for piece in (
        "initially up, …", "coherent((1-2i))", "rate=3x3 matrix", "rate=[0, 1, 2]",
        "2 * coef(exp)", "Cascade(0.3)", "LocalJump(lattice & co.sp, rate=[1e-09, 2, 3])",
    ):  # fmt: skip
        assert piece in shown, piece
