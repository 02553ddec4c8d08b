"""Random small models of every kind, drawn by number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

import wignerflow as wf

from .twins import ArrayTwin, Twin, World


def linear(world: World, constant: bool = False, subs: Any = None) -> Twin:
    """A random complex linear combination of elementary operators of single subsystems."""
    out = None
    for sub in subs or world.initial:
        if sub.count is not None:
            continue
        letters = world.letters(sub)
        chosen = world.rng.choice(
            letters, size=world.rng.integers(1, min(4, len(letters) + 1)), replace=False
        )
        for letter in chosen:
            term = world.number() * world.op(sub, str(letter))
            out = term if out is None else out + term
    assert out is not None
    if constant:
        c = world.number()
        out = out + Twin(wf.commutator(out.op, out.op) + c, c * world.identity())
    return out


def quadratic_H(world: World) -> None:
    """Linear terms, and products of two linear combinations, made Hermitian."""
    world.add_H(linear(world).hermitian())
    for _ in range(world.rng.integers(1, 3)):
        world.add_H(0.5 * (linear(world) * linear(world)).hermitian())


def one_ensemble(world: World) -> None:
    atoms = world.ensemble(int(world.rng.integers(1, 6)))
    quadratic_H(world)
    for _ in range(world.rng.integers(1, 3)):
        world.add_jump(linear(world, constant=bool(world.rng.integers(2))), world.rng.uniform(0, 2))
    for _ in range(world.rng.integers(0, 3)):
        world.add_local(atoms, world.rng.uniform(0, 2))


def one_collective_spin(world: World) -> None:
    world.collective(world.rng.integers(1, 8) / 2)
    quadratic_H(world)
    for _ in range(world.rng.integers(1, 3)):
        world.add_jump(linear(world, constant=bool(world.rng.integers(2))), world.rng.uniform(0, 2))


def one_spin(world: World) -> None:
    world.spin()
    quadratic_H(world)
    for _ in range(world.rng.integers(1, 3)):
        world.add_jump(linear(world, constant=bool(world.rng.integers(2))), world.rng.uniform(0, 2))


def one_mode(world: World) -> None:
    world.mode()
    quadratic_H(world)
    for _ in range(world.rng.integers(1, 3)):
        world.add_jump(linear(world, constant=bool(world.rng.integers(2))), world.rng.uniform(0, 2))


def mixture(world: World) -> None:
    """Two or three different subsystems, driven, coupled, with collective jumps across them."""
    makers = [
        lambda: world.ensemble(2),
        lambda: world.collective(1.0),
        lambda: world.spin(),
        lambda: world.mode(cutoff=8),
        lambda: world.ensemble(1),
    ]
    chosen = world.rng.choice(len(makers), size=world.rng.integers(2, 4), replace=False)
    for k in chosen:
        makers[k]()
    quadratic_H(world)
    for _ in range(world.rng.integers(1, 3)):
        subs = [s for s in world.initial if world.rng.integers(2)] or None
        world.add_jump(linear(world, subs=subs), world.rng.uniform(0, 1.5))
    for sub in list(world.initial):
        if sub.kind == "ensemble" and world.rng.integers(2):
            world.add_local(sub, world.rng.uniform(0, 2))


def tavis_cummings(world: World) -> None:
    """A driven, lossy mode and an ensemble or a few spins."""
    mode, subs = world.mode(cutoff=8), [world.ensemble(2), world.spin()]
    a = world.op(mode, "a")
    for sub in subs:
        minus = world.op(sub, "sm" if sub.kind == "spin" else "Jm")
        world.add_H((world.number() * minus * a.dag()).hermitian())
        world.add_H((world.number() * minus * a).hermitian())
        if sub.kind == "ensemble":
            world.add_local(sub, world.rng.uniform(0, 2))
        else:
            world.add_jump(minus, 0.7)
    world.add_H((world.number() * a).hermitian())
    world.add_jump(a, world.rng.uniform(0, 2))


def array_linear(world: World, sub: Any) -> ArrayTwin:
    """A random combination of elementary operators of an array, member by member."""
    letters = world.rng.choice(world.letters(sub), size=world.rng.integers(1, 3), replace=False)
    out = None
    for letter in letters:
        w = world.rng.normal(size=sub.size) + 1j * world.rng.normal(size=sub.size)
        term = (w if world.rng.integers(2) else world.number()) * world.array(sub, str(letter))
        out = term if out is None else out + term
    assert out is not None
    return out


def ascending(world: World, size: int) -> np.ndarray:
    return np.cumsum(world.rng.uniform(0.1, 2, size=size))


def structures(world: World, size: int) -> dict[str, tuple[Any, np.ndarray]]:
    """Every coupling structure as the library takes it, and as a dense matrix."""
    off = 1 - np.eye(size)
    shift = np.zeros((size, size))
    m = np.arange(size - 1)
    shift[m, m + 1] = shift[m + 1, m] = 1
    dense = world.rng.normal(size=(size, size)) + 1j * world.rng.normal(size=(size, size))
    holes = np.where(world.rng.uniform(size=(size, size)) < 0.5, dense, 0)
    holes[0, -1] = 1.3
    phi = world.rng.uniform(-3, 3)
    theta = ascending(world, size)

    def guide(t: np.ndarray) -> np.ndarray:
        return np.sin(np.abs(t[:, None] - t[None, :])) / 2

    out = {
        "dense": (dense, dense),
        "dense real symmetric": (dense.real + dense.real.T, dense.real + dense.real.T),
        "sparse": (sp.csr_array(holes), holes),
        "nearest": (wf.NearestNeighbour(), shift),
        "all": (wf.AllToAll(), off),
        # the sign of phi does not change sin(phi |m - m'|) as the reference table defines it
        "waveguide": (
            wf.Waveguide(phi),
            np.sin(phi * np.abs(np.arange(size)[:, None] - np.arange(size))) / 2,
        ),
        "waveguide at positions": (wf.Waveguide(theta), guide(theta)),
    }
    if size > 2:
        ring = shift.copy()
        ring[0, -1] = ring[-1, 0] = 1
        out["ring"] = (wf.NearestNeighbour(periodic=True), ring)
    return out


def arrays(world: World, structure: str | None = None) -> None:
    """One or two arrays of 2 or 3 members, couplings of every structure, jumps of every kind."""
    rng = world.rng
    size = 3 if structure == "ring" else int(rng.integers(2, 4))
    first = world.ensemble(rng.integers(1, 3, size=size) if size == 2 else [1, 2, 1], count=size)
    subs = [first]
    if size == 2 and rng.integers(2):
        subs.append(
            world.spin(count=2) if rng.integers(2) else world.collective([0.5, 1.0], count=2)
        )
    if rng.integers(4) == 0:
        subs.append(world.spin())
    chains = [s for s in subs if s.count is not None]

    def chain() -> ArrayTwin:
        return array_linear(world, chains[rng.integers(len(chains))])

    options = structures(world, size)
    for name in [structure] if structure else rng.choice(list(options), size=2, replace=False):
        K, dense = options[str(name)]
        world.add_H(0.5 * world.couple(chain(), K, chain(), dense).hermitian())
    world.add_H(0.5 * chain().sum().hermitian())
    kind = rng.integers(4)
    if kind == 0:  # product of two sums
        world.add_H(0.3 * (chain().sum() * chain().sum()).hermitian())
    elif kind == 1:  # written out member by member
        pair = chain()[0] * chain()[size - 1] + chain()[1]
        world.add_H(0.3 * pair.hermitian())
    elif kind == 2:  # member by member products
        world.add_H(0.3 * (chain() * chain()).sum().hermitian())
    else:  # a single subsystem with a sum
        single = [s for s in subs if s.count is None]
        if single:
            world.add_H(0.3 * (linear(world, subs=single) * chain().sum()).hermitian())
    for _ in range(rng.integers(1, 3)):
        jump = rng.integers(4)
        if jump == 0:
            world.add_jump(chain().sum(), rng.uniform(0, 1.5))
        elif jump == 1:
            world.add_member_jumps(
                chain(), rng.uniform(0, 1.5, size=size) if rng.integers(2) else 0.8
            )
        elif jump == 2:
            g = rng.normal(size=(size, 2)) + 1j * rng.normal(size=(size, 2))
            world.add_matrix_jumps(chain(), g @ g.conj().T / 4)
        else:
            world.add_jump(chain()[int(rng.integers(size))] + 0.5 * chain().sum(), 0.6)
    if rng.integers(2):
        world.add_local(first, rng.uniform(0, 2, size=size) if rng.integers(2) else 0.9)
    if rng.integers(2):
        world.add_local(first, 0.7, member=int(rng.integers(size)))


def waveguide(world: World) -> None:
    """``wf.waveguide``-like models written out: Eq. (8) of Ruks with pump and drive."""
    rng = world.rng
    size = int(rng.integers(2, 4))
    chain = world.ensemble([1, 2, 1][:size], count=size)
    phi, rate = rng.uniform(0.1, 3), rng.uniform(0.3, 1.5)
    minus = world.array(chain, "Jm")
    at = np.arange(size)
    dense = np.sin(phi * np.abs(at[:, None] - at[None, :])) / 2
    world.add_H(rate * world.couple(minus.dag(), wf.Waveguide(phi), minus, dense))
    for sign in (1, -1):
        world.add_jump((np.exp(sign * 1j * phi * at) * minus).sum(), rate / 2)
    world.add_local(chain, 0.7, c=[0, 0.5, 0.5j, 0])


FAMILIES: dict[str, Callable[[World], None]] = {
    "one ensemble": one_ensemble,
    "one collective spin": one_collective_spin,
    "one spin": one_spin,
    "one mode": one_mode,
    "mixture": mixture,
    "Tavis-Cummings": tavis_cummings,
    "arrays": arrays,
    "waveguide": waveguide,
}


def random_world(family: str, number: int, **options: Any) -> World:
    """Model ``number`` of a family."""
    index = list(FAMILIES).index(family)
    world = World(np.random.default_rng([index, number]))
    FAMILIES[family](world, **options)
    return world
