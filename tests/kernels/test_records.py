"""Records of output fields: no photon is lost, and faults in the relation of noise and field show.

Where an excitation number is conserved, every trajectory obeys
d n + abs(b_out)^2 dt - abs(b_in)^2 dt = 0, up to the error of the step.
"""

import re

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.analysis.photon_runs import Run
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.phasespace.polynomials import Form, Poly, Var
from wignerflow.run.loop import Request

from .lanes import LaneRun

LANES = 32


def burst(count=None):
    atoms = wf.Ensemble(100 if count is None else 50, name="atoms", count=count)
    jump = wf.Jump(atoms.Jm if count is None else atoms.Jm.sum(), 1.0)
    return wf.Model(jumps=[jump], initial={atoms: wf.up}), [wf.Output(jump)], 0.12


def cavity():
    atoms, mode = wf.Ensemble(50, name="atoms"), wf.Mode(name="mode")
    H = 1.5 * (mode.adag * atoms.Jm + mode.a * atoms.Jp) + 3.0 * mode.n
    jumps = [wf.Jump(mode.a, 6.0), wf.Jump(mode.a, 4.0), wf.Jump(atoms.Jm, 0.2)]
    return (
        wf.Model(H, jumps, initial={mode: wf.coherent(1.0), atoms: wf.up}),
        [*map(wf.Output, jumps)],
        0.4,
    )


def defect(case, dt, edit=lambda text: text):
    """Per trajectory: what leaves and did not come from the source."""
    model, outputs, end = case
    times = np.array([0.0, end])
    run = Run(model, wf.TWA(), outputs, times, Request(64, 1, False, dt=dt))
    system = run.text.given
    number = Poly()
    for k, block in enumerate(system.blocks):
        if block.kind == "mode":
            for c in range(2):
                number = number + Poly.leaf(Var(k, c)) * Poly.leaf(Var(k, c))
        elif block.count is None:
            number = number + Poly.leaf(Var(k, 2))
        else:
            number = number + Poly.leaf(Form(system.form(((k, 2),), np.ones(block.size))))
    text = KernelText(system, [*run.text.readouts, Readout(number, False)])
    lanes = LaneRun(text, Grid.make(times, dt), LANES, edit=edit)
    lanes.initial(3)
    before = lanes.observe()[-1]
    lanes.run(3)
    after = lanes.observe()
    assert np.abs(after[-1] - before).min() > 1
    return after[5:-1:6].sum(axis=0) + after[-1] - before


@pytest.mark.parametrize(
    "case, dt, bound", [(burst(), 0.0025, 0.2), (burst(2), 0.0025, 0.3), (cavity(), 0.01, 0.2)]
)
def test_no_photon_is_lost_on_any_trajectory(case, dt, bound):
    coarse, fine = defect(case, dt), defect(case, dt / 2)
    assert np.abs(coarse).max() < bound  # of a hundred photons
    assert np.abs(fine).max() < 0.45 * np.abs(coarse).max()  # second order


def turned(text, signs):
    """The input field with other signs of its real and imaginary part."""
    for i, sign in enumerate(signs):
        text, found = re.subn(rf"\bb0_{i} = ", f"b0_{i} = {sign}", text)
        assert found == 1
    return text


def at_the_start(text):
    """The source's amplitude at the start of a step."""
    text, found = re.subn(r"= Rh0_2 \* \((x0_\d) \+ z0_\d\)", r"= \1", text)
    assert found == 3
    return text


@pytest.mark.parametrize(
    "fault",
    [lambda t: turned(t, "+-"), lambda t: turned(t, "-+"), lambda t: turned(t, "--"), at_the_start],
)
def test_faults_lose_photons(fault):
    """Sign and conjugation of the noise, and the amplitude at the start of a step."""
    right = np.abs(defect(burst(), 0.0025)).max()
    wrong = defect(burst(), 0.0025, fault)
    assert np.sqrt(np.mean(wrong**2)) > 5 * right
