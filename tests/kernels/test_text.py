"""Printed kernels depend on a model's structure only; compiled ones are kept and found again."""

from __future__ import annotations

import dataclasses
import functools
import os
import subprocess
import sys

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.compiler import build, lower, targets
from wignerflow.kernels import rng
from wignerflow.kernels.cpu import CpuKernel
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.text import Parameters, Prologue, expression
from wignerflow.phasespace.polynomials import Poly, Var
from wignerflow.phasespace.system import PhaseSpaceSystem

from .models import chain, couplings, laser, printed, singles

TIMES = np.array([0.0, 0.1])
NONE = np.empty(0, np.int64)


def waveguide(M, N, phi, rate, pump):
    sites = wf.Ensemble(N, name="chain", count=M)
    phase = np.exp(1j * phi * np.arange(M))
    H = rate * wf.couple(sites.Jp, wf.Waveguide(phi), sites.Jm)
    jumps = [wf.Jump((phase * sites.Jm).sum(), rate / 2)]
    jumps += [wf.Jump((phase.conj() * sites.Jm).sum(), rate / 2), wf.LocalJump(sites.sp, pump)]
    return wf.Model(H, jumps, initial={sites: wf.up}), {"z": sites.Jz}


def text(make, *args):
    return printed(*make(*args), TIMES).functions


def test_numbers_do_not_change_the_text():
    assert text(laser, 100, 1.0, 0.25) == text(laser, 10**6, 0.3, 7.0) == text(laser, 2, 1.0, 1.0)
    assert text(waveguide, 5, 10, 0.3, 1.0, 2.0) == text(waveguide, 700, 25, 1.1, 0.2, 0.1)
    assert text(singles) == text(singles)


def test_sums_that_differ_by_rounding_are_one():
    """Also next to a tie of decimals, where the last bit decides them; others stay apart."""
    system, mono = PhaseSpaceSystem([]), ((0, 0),)
    ties = np.array([1.0, 0.25, *(np.arange(1, 60) + 0.5) * 1e-12])
    first = system.form(mono, ties)
    for shift in (1e-16, -1e-16, 1e-14):
        assert system.form(mono, ties + shift) == first
    assert system.form(((0, 1),), ties) != first
    assert system.form(mono, ties[::-1]) != first != system.form(mono, ties + 1e-10)


def many_terms(seed):
    """A few hundred terms on spins and lossy modes, all with numbers of their own."""
    rng = np.random.default_rng(seed)
    spins = [wf.Spin(name=f"s{k}") for k in range(12)]
    modes = [wf.Mode(name=f"m{k}") for k in range(4)]
    letters = [(k, x) for k in range(12) for x in ("sx", "sy", "sz")]
    H = sum(rng.normal() * getattr(spins[k], x) for k, x in letters)
    for (j, x), (k, y) in [(a, b) for a in letters for b in letters if a[0] < b[0]][::3]:
        H = H + rng.normal() * getattr(spins[j], x) * getattr(spins[k], y)
    for k, m in enumerate(modes):
        H = H + rng.normal() * m.n + rng.normal() * (m.a + m.adag) * spins[k].sx
    assert len(H.terms) > 200
    jumps = [wf.Jump(s.sm, rng.uniform()) for s in spins]
    jumps += [wf.Jump(m.a, rng.uniform()) for m in modes]
    initial = {**{s: wf.up for s in spins}, **{m: wf.vacuum for m in modes}}
    return wf.Model(H, jumps, initial=initial), {"z": spins[0].sz, "n": modes[0].n}


def test_a_long_hamiltonian_has_one_text_and_one_number_per_term():
    one, two = text(many_terms, 1), text(many_terms, 2)
    assert one == two
    model, _ = many_terms(1)
    assert sum("* h" in line and " = p[" in line for line in one.splitlines()) <= len(model.H.terms)


def test_rates_per_member_do_not_change_with_their_values():
    a, b = (
        text(waveguide, 5, np.arange(3, 8) * k, 0.3, 1.0, np.linspace(0.1, k, 5)) for k in (1, 9)
    )
    assert a == b


@pytest.mark.parametrize("make", [chain, couplings])
def test_the_text_does_not_grow_with_an_array(make):
    assert len(text(make, 5).splitlines()) == len(text(make, 60).splitlines())


def test_another_structure_is_another_text():
    atoms = wf.Ensemble(10, name="atoms")
    one = wf.Model(jumps=[wf.Jump(atoms.Jm, 1)], initial={atoms: wf.up})
    two = wf.Model(jumps=[wf.Jump(atoms.Jm + atoms.Jz, 1)], initial={atoms: wf.up})
    three = wf.Model(atoms.Jx, jumps=[wf.Jump(atoms.Jm, 1)], initial={atoms: wf.up})
    texts = {printed(m, {"z": atoms.Jz}, TIMES).functions for m in (one, two, three)}
    assert len(texts) == 3


def test_new_numbers_do_not_compile_again(tmp_path, monkeypatch):
    monkeypatch.setenv("WIGNERFLOW_CACHE_DIR", str(tmp_path))
    build.load.cache_clear()

    def run(*numbers):
        kernel = CpuKernel(
            printed(*laser(*numbers), TIMES), Grid.make(TIMES, 0.05), single=True, batched=NONE
        )
        return kernel, kernel.simulate(0, 1, 128, 3).mean[0, -1]

    first, a = run(50, 1.0, 0.5)
    files = [p.name for p in tmp_path.rglob("*")]
    second, b = run(80, 2.0, 0.1)
    assert second._run is first._run
    assert len(files) == 1 and files[0].endswith(".kernel")
    assert [p.name for p in tmp_path.rglob("*")] == files
    assert not np.allclose(a, b)


def seconds_and_bits() -> tuple[float, str]:
    """How long the kernel of a laser took to compile or load, and what it finds."""
    grid = Grid.make(TIMES, 0.05)
    k = CpuKernel(printed(*laser(), TIMES), grid, single=True, batched=NONE)
    return k.compile_seconds, k.simulate(0, 1, 128, 3).mean[0, -1].tobytes().hex()


def test_another_process_finds_the_compiled_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("WIGNERFLOW_CACHE_DIR", str(tmp_path))
    build.load.cache_clear()
    seconds, bits = seconds_and_bits()
    code = "from tests.kernels.test_text import *; print(*seconds_and_bits())"
    there = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert float(there[0]) < 0.3 * seconds
    assert there[1] == bits, "the compiled and the cached kernel differ"


def test_the_key_covers_text_sources_versions_and_target(monkeypatch, tmp_path):
    host = targets.host()
    key = build.digest("text", host)
    assert build.digest("text", host) == key
    assert build.digest("other text", host) != key
    assert build.digest("text", host, "other entry") != key
    for change in ({"cpu": "other"}, {"features": ""}, {"triple": "other"}, {"bits": 64}):
        assert build.digest("text", dataclasses.replace(host, **change)) != key
    with monkeypatch.context() as patch:
        patch.setattr(build.llvmlite, "__version__", "0.0")
        assert build.digest("text", host) != key
    with monkeypatch.context() as patch:
        patch.setattr(build, "__version__", "0.0")
        assert build.digest("text", host) != key
    sources = build._sources()  # that turn text into code
    assert {p.name for p in sources} >= {"function.py", "expressions.py", "targets.py"}
    for n, source in enumerate(sources):
        other = tmp_path / "other.py"
        other.write_bytes(source.read_bytes() + b"#")
        changed = [*sources[:n], other, *sources[n + 1 :]]
        with monkeypatch.context() as patch:
            patch.setattr(build, "_sources", functools.partial(list, changed))
            build._makers.cache_clear()
            assert build.digest("text", host) != key
        build._makers.cache_clear()
    assert build.digest("text", host) == key


def test_every_helper_is_in_the_text():
    """Random numbers, products and sums: a change of theirs is a change of the key."""
    text = printed(*laser(), TIMES).module(True, 128)
    assert rng.TEXT in text
    for name in ("dense_product", "reduce", "tally", "keys_of", "run", "fmax0", "step", "observe"):
        assert f"def {name}(" in text


@pytest.mark.parametrize(("features", "bits"), [("avx512f", 512), ("avx", 256), ("sse2", 128)])
def test_vectors_are_as_wide_as_the_cpu_has(monkeypatch, features, bits):
    have = dict.fromkeys(features.split(","), True)

    class Features(dict):
        def flatten(self):
            return ",".join(f"+{k}" for k in self)

    monkeypatch.setattr(targets.llvm, "get_host_cpu_features", lambda: Features(have))
    targets.host.cache_clear()
    try:
        host = targets.host()
    finally:
        targets.host.cache_clear()
    assert host.bits == bits and f"{bits}-bit" in host.name
    assert ("-prefer-256-bit" in host.features) == (bits == 512)
    ir = lower.lower(printed(*laser(), TIMES).module(True, 128), "run", host)
    assert f"<{bits // 32} x float>" in ir


def test_grid():
    grid = Grid.make(np.array([0.0, 1.0, 1.1, 3.0]), 0.5)
    assert grid.nsteps.tolist() == [2, 1, 4]
    assert np.allclose(grid.hs, [0.5, 0.1, 0.475])
    assert np.allclose(np.cumsum(grid.lengths)[grid.nsteps.cumsum() - 1], [1.0, 1.1, 3.0])
    assert np.allclose(grid.times, [0, 0.5, 1.0, 1.1, 1.575, 2.05, 2.525])
    assert {f.name for f in dataclasses.fields(grid)} >= {"nsteps", "hs", "times", "lengths"}
    # a step that divides the gap up to rounding is not split
    assert Grid.make(np.linspace(0, 1, 11), 0.1).nsteps.tolist() == [1] * 10


def test_sums_of_thousands_of_terms_are_lowered():
    terms = " + ".join(f"{k} * a[{k % 7}]" for k in range(2_500))
    source = f"F = np.float64\ndef run(a: 'F[]'):\n    a[7] = {terms}\n"
    run = targets.Loaded(build.compiled(source, targets.host()), "run")
    a = np.arange(8.0)
    run([a])
    assert a[7] == sum(k * (k % 7) for k in range(2_500))


def test_a_polynomial_of_thousands_of_terms_is_printed_in_sums_of_hundreds():
    leaves = [Var(0, k) for k in range(3_000)]
    poly = Poly({((), (leaf,)): 1.0 for leaf in leaves})
    names = {leaf: f"x[{leaf.comp}]" for leaf in leaves}
    prologue = Prologue(Parameters())
    source = expression(poly, names, prologue)
    scalars = dict.fromkeys(prologue.names.values(), 1.0)
    assert eval(source, {"x": np.arange(3_000.0), **scalars}) == sum(range(3_000))
