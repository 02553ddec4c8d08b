"""L as an object against the printed step, on random models of single subsystems."""

import numpy as np
import pytest

from wignerflow.phasespace.generator import Generator, bracket, refuses
from wignerflow.phasespace.polynomials import Poly
from wignerflow.phasespace.twa import TWA

from .generator import Slots, cloud, generator, lowered, monomials
from .random_models import random_world

FAMILIES = ["one ensemble", "one collective spin", "one mode", "mixture", "Tavis-Cummings"]


def value(poly, state, where):
    out = np.zeros(state.shape[1])
    for (_, leaves), c in poly.terms.items():
        out = out + c.real * np.prod([state[where[x]] for x in leaves], axis=0)
    return out


def difference(world, make=Generator):
    """Largest relative difference of L f on points, for all f of degree up to two."""
    system, _ = TWA().lower(world.model(), {}, np.array([0.0, 1.0]))
    if refuses(system) is not None:
        return None
    text, L = lowered(world), make(system)
    slots = Slots(world, text)
    points, _, moved = cloud(world, text, slots, 2)
    where = {v: text.layout.slot[v.block] + v.comp for v in L.variables}
    place = {slot: v for v, slot in where.items()}
    worst = 0.0
    monos = [m for m in monomials(world.variables(), 2) if m]
    found = generator(text, [lambda v, m=m: slots(v, m) for m in monos], points, moved=moved)
    for mono, printed in zip(monos, found, strict=True):
        f = Poly({((), tuple(sorted(place[slots.slot[p]] for p in mono))): 1.0})
        own = value(L(f), points, where)
        worst = max(worst, np.abs(own - printed).max() / (1 + np.abs(printed).max()))
    return worst


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_the_generator_of_the_printed_step(family):
    found = [difference(random_world(family, number)) for number in range(6)]
    seen = [x for x in found if x is not None]
    assert len(seen) >= 3 and max(seen) < 1e-6


class Spoilt(Generator):
    """Without the drift that dissipation makes."""

    def __call__(self, f):
        return (
            super().__call__(f) + bracket(self.system, f, self.symbols[0][0]) * self.symbols[0][1]
        )


def test_a_wrong_one_is_seen():
    found = [difference(random_world("one ensemble", n), Spoilt) for n in range(3)]
    assert max(x for x in found if x is not None) > 1e-3
