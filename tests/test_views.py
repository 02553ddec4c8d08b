"""Equations and kernels of a model, as text."""

import pytest

import wignerflow as wf


@pytest.fixture
def laser():
    atoms = wf.Ensemble(100, name="atoms")
    return wf.Model(
        2 * (atoms.Jp + atoms.Jm),
        jumps=[wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 25.0)],
        initial={atoms: wf.up},
    )


def test_equations_of_collective_decay_are_those_derived_by_hand(laser):
    # J x omega with omega = (Re E, Im E, 0), E = i J^+ dt + dW: dJz = -(Jx^2 + Jy^2) dt + ...
    lines = laser.equations("twa").splitlines()
    assert "d Jz = (4 Jy - Jx Jx - Jy Jy) dt + (Jy) dW1,1 + (-Jx) dW1,2" in lines
    assert "d Jx = (Jx Jz) dt + (Jz) dW1,2" in lines
    assert any("Λ += 25 [0.5, 0, 0; 0, 0.5, 0; 0, 0, 1],  c += 25 (0, 0, 1)" in x for x in lines)


def test_every_sum_of_an_array_is_defined():
    chain = wf.Ensemble(20, name="c", count=3)
    H, jumps = wf.waveguide(chain, 0.3, 1.0)
    text = wf.Model(H, jumps, initial={chain: wf.up}).equations()
    used = {word for line in text.splitlines() if line.startswith("l") for word in line.split()}
    for name in sorted(word for word in used if word[0] == "S" and word[1:].isdigit()):
        assert f"  {name} = Σ_m" in text


def test_source_is_the_text_that_runs(laser):
    source = laser.source("twa")
    assert "def step(" in source
    compile(source, "kernel", "exec")


def test_methods_without_trajectories_say_so(laser):
    with pytest.raises(ValueError, match="no trajectories"):
        laser.equations("exact")
    with pytest.raises(ValueError, match="method"):
        laser.equations("twaa")
