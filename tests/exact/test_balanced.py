"""Elements that phases let be reached: counted, and never fewer than there are."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact.balanced import count, reached, sets, symmetric_count
from wignerflow.exact.boxes import compositions
from wignerflow.exact.occupations import Occupations
from wignerflow.run.automatic import density_elements


@pytest.mark.parametrize(
    ("N", "groups"), [(4, (0, 1)), (3, (0, 1, 2)), (3, (0, 0, 2)), (5, (0, 0)), (2, (0, 1, 1, 3))]
)
def test_a_count_is_that_of_all_matrices_one_by_one(N, groups):
    d = len(groups)
    tables = compositions(N, d * d).reshape(-1, d, d)
    excess = tables.sum(axis=2) - tables.sum(axis=1)
    kept = [excess[:, np.array(groups) == g].sum(axis=1) == 0 for g in set(groups)]
    assert count(N, groups) == np.all(kept, axis=0).sum()


def decays(N, drive=0.0, start=None):
    """Two collective decays and a local one, perhaps a drive between two of the levels."""
    atoms = wf.Levels(N, ["0", "1", "e"], name="atoms")
    swap = atoms.op("0", "e")
    jumps = [wf.Jump(atoms.op("0", "e"), 1.0), wf.Jump(atoms.op("1", "e"), 0.5)]
    jumps.append(wf.LocalJump(atoms.one("1", "0"), 0.3))
    H = drive * (swap + swap.dag()) + atoms.pop("e")
    return wf.Model(H, jumps, initial={atoms: start or wf.level("e")})


def both_at_once(N):
    """A jump whose terms lead from one level to two."""
    atoms = wf.Levels(N, ["0", "1", "e"], name="atoms")
    jumps = [wf.Jump(atoms.op("0", "e") + atoms.op("1", "e"), 1.0)]
    jumps.append(wf.LocalJump(atoms.one_matrix([[0, 0, 1], [0, 0, 1], [0, 0, 0]]), 0.3))
    return wf.Model(jumps=jumps, initial={atoms: wf.level("e")})


def exchange(N):
    """Pairs that exchange what they are: no level gains, and one that only stands between."""
    model = decays(N)
    (atoms,) = model.subsystems
    pair = atoms.op("0", "e") * atoms.op("e", "0")
    between = atoms.op("0", "1") * atoms.op("1", "0")
    return wf.Model(0.4 * pair + 0.3 * between, model.jumps, initial={atoms: wf.level("e")})


def through(N):
    """What leads from 1 to 0 by way of e leaves e as it is."""
    atoms = wf.Levels(N, ["0", "1", "e"], name="atoms")
    step = atoms.op("0", "e") * atoms.op("e", "1")
    jumps = [wf.LocalJump(atoms.one("1", "e"), 0.3)]
    return wf.Model(step + step.dag(), jumps, initial={atoms: wf.level("e")})


CASES = {
    "pairs exchange": (exchange(3), [0, 1, 2]),
    "by way of a third": (through(3), [0, 0, 2]),
    "decays": (decays(5), [0, 1, 2]),
    "driven": (decays(3, drive=0.4), [0, 1, 0]),
    "from a superposition": (decays(3, start=wf.levels({"0": 0.6, "e": 0.8})), [0, 1, 0]),
    "one jump to two levels": (both_at_once(4), [0, 0, 2]),
}


@pytest.mark.parametrize("case", CASES)
def test_no_fewer_elements_are_announced_than_are_reached(case):
    model, expected = CASES[case]
    (atoms,) = model.subsystems
    assert sets(model, atoms, 0) == expected
    found = len(Occupations(model, None, 2**30).walk().rows)
    whole = count(int(atoms.numbers[0]), (0, 0, 0))
    assert found <= reached(model, atoms, 0) < whole
    assert density_elements(model) == pytest.approx(reached(model, atoms, 0))
    if expected != [0, 1, 2]:  # the control: with every level by itself there would be too few
        assert found > count(int(atoms.numbers[0]), (0, 1, 2))


@pytest.mark.parametrize(("N", "groups"), [(4, (0, 1, 2)), (3, (0, 0, 2)), (5, (0, 0, 2, 2))])
def test_symmetric_states_are_counted_in_pairs(N, groups):
    states = compositions(N, len(groups))
    sums = np.array([states[:, np.array(groups) == g].sum(axis=1) for g in sorted(set(groups))])
    pairs = np.all(sums[:, :, None] == sums[:, None, :], axis=0).sum()
    assert symmetric_count(N, groups) == pairs


@pytest.mark.parametrize("start", [wf.level("e"), wf.levels({"0": 0.6, "e": 0.8})])
def test_emitters_that_act_together_reach_what_is_announced(start):
    atoms = wf.Levels(4, ["0", "1", "e"], name="atoms")
    jumps = [wf.Jump(atoms.op("0", "e"), 1.0), wf.Jump(atoms.op("1", "e"), 0.5)]
    model = wf.Model(atoms.pop("e"), jumps, initial={atoms: start})
    found = len(Occupations(model, None, 2**30).walk().rows)
    announced = reached(model, atoms, 0)
    assert density_elements(model) == pytest.approx(announced)
    assert found <= announced <= 15**2
    if len(start.entries) == 1:
        assert found == announced == 15


def test_members_of_an_array_count_all_elements():
    """C(N + d^2 - 1, d^2 - 1) for each, as compositions of N into d^2 parts are listed."""
    atoms = wf.Levels(3, ["a", "b"], name="atoms", count=2)
    jump = wf.LocalJump(atoms.one("a", "b"), 1.0)
    model = wf.Model(jumps=[jump], initial={atoms: wf.level("b")})
    listed = sum(sum(p) == 3 for p in itertools.product(range(4), repeat=4))
    assert density_elements(model) == pytest.approx(listed**2)


def test_pulses_mix_what_they_turn():
    model = decays(3)
    (atoms,) = model.subsystems
    swap = atoms.op("0", "1")
    pulse = wf.pulse(0.5, swap + swap.dag(), 0.3)
    turned = wf.Model(model.H, model.jumps, initial={atoms: wf.level("e")}, pulses=[pulse])
    assert sets(turned, atoms, 0) == [0, 0, 2]


def test_what_takes_too_long_to_count_is_all():
    for N in (20, 200):
        assert count(N, (0, 1, 2, 3)) == float(comb(N + 15, 15))


def test_the_choice_takes_exact_solutions_of_lambda_atoms():
    model = decays(10)
    (atoms,) = model.subsystems
    run = wf.solve(model, [0, 0.1], e_ops=[atoms.pop("0")], method="auto", progress=False)
    assert run.method == "exact" and "1092 elements" in run.stats["why"]
