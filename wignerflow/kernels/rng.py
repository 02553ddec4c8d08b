"""Counter-based random numbers: threefry-2x32 with 12 rounds, and normal pairs by Box-Muller.

Layout, frozen like a file format. A 64-bit seed gives two key words. Trajectory ``t`` is one of
2^63: its high word ``t // 2^32`` enters the run key ``threefry(seed key, (high word,
TRAJECTORIES))``, made once per chunk. At every step a step key is ``threefry(run key, (step
counter, purpose))``; pair number ``channel`` of the trajectory is then ``threefry(step key, (low
word, channel))``: two 32-bit words, two standard normals. Purposes: ``INITIAL``, ``DYNAMICS`` (one
counter value per collective step), ``LOCAL`` (one per local step), ``READOUT``. Channels follow
from the names of subsystems and jumps, see ``text.Draws``. A single ensemble's local step takes
three normals, the third from a pair of its own that belongs to two steps: the first half to an even
counter value and the second to the odd one after it. A number thus depends on (seed, trajectory,
step, name) alone, never on threads, chunks or what else a model holds.

Normals are computed in single precision (31-bit radius and angle) whatever the precision of the
state: the same seed gives the same noise in both. Tails end at 6.6 standard deviations.

The functions stand here as kernel text (``TEXT``), and as NumPy twins (suffix ``_np``) with which
kernels run uncompiled.
Source of the generator: Salmon et al., SC'11 (2011), doi:10.1145/2063384.2063405.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler.lower.language import tree_of

INITIAL, DYNAMICS, LOCAL, READOUT, TRAJECTORIES = 0, 1, 2, 3, 4

# Coefficients of degree-8 and degree-4 Chebyshev fits, constant term first (float32):
# log(1 + g)/g on [sqrt(1/2) - 1, sqrt(2) - 1]; sin(pi x/2)/x and cos(pi x/2) in x^2 on [0, 1].
LOG = (
    1.0,
    -0.49999988079071045,
    0.3333418369293213,
    -0.2500215470790863,
    0.19956977665424347,
    -0.16560696065425873,
    0.14949095249176025,
    -0.14377330243587494,
    0.08743945509195328,
)
SIN = (
    1.5707963705062866,
    -0.6459637880325317,
    0.07968991994857788,
    -0.004674150608479977,
    0.0001516751217423007,
)
COS = (
    0.9999999403953552,
    -1.2336982488632202,
    0.2536506950855255,
    -0.020810570567846298,
    0.0008581625297665596,
)


#: Three-point numbers: sqrt(3), and the words below 2^32/6.
ROOT, SIXTH = 1.7320508075688772, 0x100000000 // 6


def _horner(x: str, coefficients: tuple[float, ...]) -> str:
    """A polynomial as text, constant term first."""
    out = f"np.float32({coefficients[-1]!r})"
    for c in coefficients[-2::-1]:
        out = f"({out} * {x} + np.float32({c!r}))"
    return out


#: The functions in the language of kernels.
TEXT = f"""
def rotated(x, r):
    return x << U(r) | x >> U(32 - r)


def rounds(x0, x1, a, b, c, d):
    x0 = x0 + x1
    x1 = rotated(x1, a) ^ x0
    x0 = x0 + x1
    x1 = rotated(x1, b) ^ x0
    x0 = x0 + x1
    x1 = rotated(x1, c) ^ x0
    x0 = x0 + x1
    x1 = rotated(x1, d) ^ x0
    return x0, x1


def threefry(k0, k1, c0, c1):
    k2 = k0 ^ k1 ^ U(0x1BD11BDA)
    x0, x1 = rounds(c0 + k0, c1 + k1, 13, 15, 26, 6)
    x0, x1 = rounds(x0 + k1, x1 + (k2 + U(1)), 17, 29, 16, 24)
    x0, x1 = rounds(x0 + k2, x1 + (k0 + U(2)), 13, 15, 26, 6)
    return x0 + k0, x1 + (k1 + U(3))


def minus_log(bits):
    # -log of (bits/2 + 1/2)/2^31, a number in (0, 1]
    f = np.float32(np.int32(bits >> U(1))) * np.float32({2.0**-31!r}) + np.float32({2.0**-32!r})
    i = f32_bits(f)
    e = (i - np.int32(0x3F3504F3)) >> np.int32(23)
    g = bits_f32(i - (e << np.int32(23))) - np.float32(1)
    p = {_horner("g", LOG)}
    return -(np.float32(e) * np.float32(0.6931471805599453) + g * p)


def normal_pair(k0, k1, trajectory, channel):
    b0, b1 = threefry(k0, k1, trajectory, channel)
    r = np.sqrt(np.float32(2) * minus_log(b0))
    x = np.float32(np.int32(b1 << U(1))) * np.float32({2.0**-31!r})
    z = x * x
    s = {_horner("z", SIN)}
    c = {_horner("z", COS)}
    # the top bit turns the angle by pi
    r = bits_f32(f32_bits(r) ^ np.int32(b1 & U(0x80000000)))
    return r * c, r * (s * x)


def three_point(word):
    high = np.float32({ROOT}) if word > U({0xFFFFFFFF - SIXTH}) else np.float32(0)
    return np.float32({-ROOT}) if word < U({SIXTH}) else high


def three_point_pair(k0, k1, trajectory, channel):
    b0, b1 = threefry(k0, k1, trajectory, channel >> U(1))
    word = b1 if channel & U(1) == U(1) else b0
    return three_point(word), three_point(word * U(6))
"""


# ---------------------------------------------------------------------------- NumPy twins


def threefry_np(k0: Any, k1: Any, c0: Any, c1: Any) -> tuple[Any, Any]:
    """NumPy twin of ``threefry``."""
    key = [np.array([k], np.uint32) for k in (k0, k1)]  # arrays wrap without a word, numbers warn
    key.append(key[0] ^ key[1] ^ np.uint32(0x1BD11BDA))
    shape = np.broadcast_shapes(np.shape(c0), np.shape(c1))
    x0, x1 = (np.atleast_1d(c).astype(np.uint32) for c in (c0, c1))
    x0, x1 = x0 + key[0], x1 + key[1]
    rotations = ((13, 15, 26, 6), (17, 29, 16, 24), (13, 15, 26, 6))
    for block, rs in enumerate(rotations):
        for r in rs:
            x0 = x0 + x1
            x1 = (x1 << np.uint32(r) | x1 >> np.uint32(32 - r)) ^ x0
        x0 = x0 + key[(block + 1) % 3]
        x1 = x1 + key[(block + 2) % 3] + np.uint32(block + 1)
    return x0.reshape(shape)[()], x1.reshape(shape)[()]


def normal_pair_np(
    k0: Any, k1: Any, trajectory: Any, channel: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    """NumPy twin of ``normal_pair``, by the library's own log, sin and cos."""
    b0, b1 = threefry_np(k0, k1, trajectory, channel)
    f = ((b0 >> np.uint32(1)).astype(np.float64) + 0.5) * 2.0**-31
    r = np.sqrt(-2 * np.log(f))
    x = (b1 << np.uint32(1)).astype(np.uint32).astype(np.int32) * 2.0**-31
    r = np.where(b1 >> np.uint32(31), -r, r)
    return r * np.cos(np.pi / 2 * x), r * np.sin(np.pi / 2 * x)


def three_point_pair_np(
    k0: Any, k1: Any, trajectory: Any, channel: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    """NumPy twin of ``three_point_pair``."""
    channel = np.asarray(channel, np.uint64)
    b0, b1 = threefry_np(k0, k1, trajectory, channel >> np.uint64(1))
    word = np.where(channel & np.uint64(1), b1, b0).astype(np.uint64)
    second = (word * np.uint64(6)) & np.uint64(0xFFFFFFFF)
    root = float(np.float32(ROOT))
    one, two = (
        root * ((w > 0xFFFFFFFF - SIXTH).astype(float) - (w < SIXTH)) for w in (word, second)
    )
    return one, two


class _FromTable(ast.NodeTransformer):
    """Lets normals stand in a table that begins at ``place`` in ``p``."""

    def __init__(self, place: str):
        self.place = place

    def visit_Assign(self, node: ast.Assign) -> Any:
        target, value = node.targets[0], node.value
        if not isinstance(value, ast.Call):
            return node
        name, called = ast.unparse(target), ast.unparse(value.func)
        if called == "U" and (name == "kc" or name.startswith(("pair", "next"))):
            number = f"({ast.unparse(value.args[0])})"
            if name == "kc":
                number = f"(int(ka) + {number})"
            return ast.parse(f"{name} = ({self.place} + {number} * 2 * LN) & FAR").body
        if called == "normal_pair" and isinstance(target, ast.Tuple):
            first, second = map(ast.unparse, target.elts)
            at = ast.unparse(value.args[3])
            return ast.parse(f"{first} = p[{at} + l]\n{second} = p[{at} + LN + l]").body
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        if ast.unparse(node.func) in ("normal_pair", "three_point_pair", "threefry"):
            raise NotImplementedError("the method draws other numbers than normals")
        return self.generic_visit(node)


class _ThreePoint(ast.NodeTransformer):
    """Lets steps draw three-point numbers; initial states, whose keys are k0 and k1, do not."""

    def visit_Call(self, node: ast.Call) -> Any:
        if ast.unparse(node.func) == "normal_pair" and ast.unparse(node.args[0]) == "ka":
            node.func = ast.Name("three_point_pair")
        return self.generic_visit(node)


def from_table(functions: str, place: str) -> str:
    """The text with its normals read from the table that begins at ``place`` in ``p``.

    Raises:
        NotImplementedError: it draws other numbers, too.
    """
    return ast.unparse(_FromTable(place).visit(tree_of(functions))) + "\n"


def three_point(functions: str) -> str:
    """The text with three-point numbers in its steps."""
    return ast.unparse(_ThreePoint().visit(tree_of(functions))) + "\n"


def seed_words(seed: int) -> tuple[np.uint32, np.uint32]:
    """The two key words of a 64-bit seed."""
    return np.uint32(seed & 0xFFFFFFFF), np.uint32((seed >> 32) & 0xFFFFFFFF)


def run_words(seed: int, trajectory: int) -> tuple[np.uint32, np.uint32]:
    """The key words of a seed for trajectories with the high word of ``trajectory``."""
    a, b = threefry_np(*seed_words(seed), trajectory >> 32, TRAJECTORIES)
    return np.uint32(a), np.uint32(b)
