"""Kernels for browsers: run by Node, the same trajectories as on the CPU."""

from __future__ import annotations

import base64
import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.compiler import targets
from wignerflow.kernels import wasm
from wignerflow.kernels.cpu import CpuKernel
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.wasm import WasmModule

from ..few import few
from .models import chain, couplings, laser, printed, singles

NODE = shutil.which("node")
TIMES = np.array([0.0, 0.1, 0.35])
STEP = 0.05
SEED = 2**40 + 7
CASES = {"laser": laser, "singles": singles, "chain": chain, "couplings": couplings}

needs_node = pytest.mark.skipif(NODE is None, reason="Node.js runs the modules")


def run(folder: Path, module: WasmModule, *calls: dict) -> dict:
    """What Node says of a module and calls of it, after a look at the module's frame."""
    for name, content in (
        ("host.mjs", module.javascript.encode()),
        ("kernel.wasm", module),
        ("calls.json", json.dumps([{"seed": str(SEED), **call} for call in calls]).encode()),
    ):
        (folder / name).write_bytes(content)
    script = Path(__file__).with_name("wasm_run.mjs")
    files = [str(folder / x) for x in ("host.mjs", "kernel.wasm", "calls.json")]
    done = subprocess.run([str(NODE), str(script), *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["imports"] == [{"module": "env", "name": "memory", "kind": "memory"}]
    assert said["exports"] == [{"name": "run", "kind": "function"}]
    for one in said["out"]:
        arrays = one["arrays"]
        for name in arrays:
            arrays[name] = np.reshape(arrays[name], module.layout["arrays"][name]["shape"])
    return said["out"]


def on_cpu(model, e_ops, single: bool, chunks: int, first: int = 0, start=None, seed: int = SEED):
    """The same chunks by the CPU's kernel."""
    text = printed(model, e_ops, TIMES)
    none = np.empty(0, np.int64)
    grid = Grid.make(TIMES, STEP)
    kernel = CpuKernel(text, grid, single=single, batched=none, start=start)
    return kernel.simulate(first, chunks, 2**40, seed, keep=True)


def far(a, b) -> float:
    """The largest difference, in units of the largest value of each variable."""
    scale = np.abs(b).max(axis=(0, 2), keepdims=True) + 1e-300
    return float((np.abs(a - b) / scale).max())


@needs_node
@pytest.mark.parametrize(
    "name",
    few(["laser", "chain", "singles", "couplings"]),
)
def test_trajectories_are_those_of_the_cpu(name, tmp_path):
    model, e_ops = CASES[name]()
    module = model.compile(tlist=TIMES, e_ops=e_ops, dt=STEP, precision="double", chunks=2)
    (out,) = run(tmp_path, module, {"first": 3, "chunks": 2})
    right = on_cpu(model, e_ops, False, 2, first=3)
    # normals are made in single precision, whose last digit depends on the order of operations
    assert far(out["arrays"]["final"], right.final) < 2e-5
    wrong = on_cpu(model, e_ops, False, 2, first=3, seed=SEED + 1)
    assert far(out["arrays"]["final"], wrong.final) > 0.01
    for key in ("count", "mean", "m2", "clips"):
        np.testing.assert_allclose(out["arrays"][key], getattr(right, key), rtol=1e-3, atol=1e-6)


@needs_node
def test_superradiant_laser_in_single_precision_and_its_means(tmp_path):
    model, e_ops = laser()
    options = {"tlist": TIMES, "e_ops": e_ops, "dt": STEP}
    module = model.compile("twa", target="wasm32", chunks=8, **options)
    assert bytes(module)[:8] == b"\0asm\1\0\0\0"
    lanes = module.layout["lanes"]
    assert lanes == 128 and module.layout["variables"] == ["atoms.x", "atoms.y", "atoms.z"]
    (out,) = run(tmp_path, module, {"chunks": 8, "ntraj": 1000})
    assert far(out["arrays"]["final"], on_cpu(model, e_ops, True, 8).final) < 2e-5
    right = wf.solve(model, ntraj=1000, seed=SEED, progress=False, **options)
    for key in e_ops:
        own = out["observables"][key]
        np.testing.assert_allclose(own["mean"], right.expect[key], rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(own["sem"], right.sem[key], rtol=1e-4)
        assert own["imag"] is None
    module_of = model.compile(tlist=TIMES, e_ops={"j": e_ops["inversion"]}, dt=STEP)
    assert module_of.layout["code"] != module.layout["code"]


@needs_node
def test_other_rates_are_other_tables_of_the_same_code(tmp_path):
    options = {"tlist": TIMES, "dt": STEP, "precision": "double"}
    one, e_ops = laser(pump=0.25)
    module = one.compile(e_ops=e_ops, **options)
    two, other_ops = laser(rate=1.5, pump=0.7)
    other = two.compile(e_ops=other_ops, **options)
    assert other.layout["code"] == module.layout["code"]
    assert other.tables != module.tables
    tables = base64.b64encode(other.tables).decode()
    first, second = run(tmp_path, module, {}, {"tables": tables})
    assert far(first["arrays"]["final"], on_cpu(one, e_ops, False, 1).final) < 2e-5
    assert far(second["arrays"]["final"], on_cpu(two, other_ops, False, 1).final) < 2e-5
    assert far(second["arrays"]["final"], first["arrays"]["final"]) > 1e-3
    longer = one.compile(tlist=[0.0, 1.0], e_ops=e_ops, dt=STEP, precision="double")
    assert longer.layout["code"] != module.layout["code"]


@needs_node
def test_a_call_goes_on_from_the_states_that_it_is_given(tmp_path):
    model, e_ops = laser()
    module = model.compile(tlist=TIMES, e_ops=e_ops, dt=STEP, precision="double")
    first, second = run(tmp_path, module, {}, {"again": True, "seed": "99"})
    states = first["arrays"]["final"][0].T
    right = on_cpu(model, e_ops, False, 1, start=states, seed=99)
    assert far(second["arrays"]["final"], right.final) < 2e-5


def test_complex_and_array_observables_name_their_channels():
    model, e_ops = chain(3)
    layout = model.compile(tlist=[0, 0.1], e_ops=e_ops, dt=0.1).layout
    found = {o["name"]: (o["size"], o["real"], o["imag"]) for o in layout["observables"]}
    assert found["site"] == (3, 0, None)
    assert found["J"] == (3, 3, 6)
    assert found["forward"] == (1, 9, None)
    assert layout["arrays"]["mean"]["shape"][2] >= max(o["real"] for o in layout["observables"])


def test_the_step_is_chosen_where_none_is_given():
    model, e_ops = laser()
    module = model.compile(tlist=np.linspace(0, 2, 3), e_ops=e_ops)
    assert 2 < module.layout["steps"] < 2000


def test_what_cannot_be_compiled_is_refused():
    model, e_ops = laser()
    atoms = model.subsystems[0]
    call = {"tlist": TIMES, "e_ops": e_ops, "dt": STEP}
    with pytest.raises(ValueError, match="Argument `target` must be"):
        model.compile(target="wasm64", **call)
    with pytest.raises(ValueError, match="Argument `e_ops` must hold operators"):
        model.compile(**call | {"e_ops": {"g2": wf.g2(atoms.Jm)}})
    for method in ("exact", "mean-field"):
        with pytest.raises(ValueError, match="stochastic trajectories"):
            model.compile(method, **call)
    with pytest.raises(TypeError, match="Argument `chunks`"):
        model.compile(chunks=1.5, **call)
    with pytest.raises(ValueError, match="GiB of memory and a WebAssembly module has 4"):
        model.compile(chunks=10**7, **call)


def test_a_text_for_no_machine_and_an_object_with_holes_are_refused():
    nowhere = dataclasses.replace(targets.WASM, triple="pdp11-unknown-unknown")
    with pytest.raises(targets.NoTarget, match="makes no code for pdp11"):
        nowhere.machine()
    ir = "declare float @sinf(float)\ndefine float @run(float %x) {\n"
    ir += "  %y = call float @sinf(float %x)\n  ret float %y\n}"
    with pytest.raises(wasm.NotAlone, match="asks for sinf"):
        wasm.Object.read(targets.object_code(ir, targets.WASM))


@needs_node
def test_data_and_stack_of_an_object_stand_where_its_code_looks(tmp_path):
    ir = """
@table = internal constant [4 x double] [double 2.5, double 3.5, double 4.5, double 5.5]
define void @other(ptr %x) noinline { %y = load volatile i64, ptr %x
  store volatile i64 %y, ptr %x
  ret void }
define void @run(ptr %words) {
  %own = alloca i64
  %k = load i64, ptr %words
  store volatile i64 %k, ptr %own
  call void @other(ptr %own)
  %n = load volatile i64, ptr %own
  %at = getelementptr double, ptr @table, i64 %n
  %x = load double, ptr %at
  store double %x, ptr %words
  ret void
}"""
    made = wasm.Object.read(targets.object_code(ir, targets.WASM))
    assert made.stack and len(made.segments) == 1
    (tmp_path / "k.wasm").write_bytes(made.module("run", 4, [(made.end, b"\2" + bytes(7))], {}))
    script = """
const memory = new WebAssembly.Memory({ initial: 4 });
const bytes = require("fs").readFileSync(process.argv[1]);
const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
instance.exports.run(END);
console.log(new DataView(memory.buffer).getFloat64(END, true));
""".replace("END", str(made.end))
    done = subprocess.run(
        [str(NODE), "-e", script, str(tmp_path / "k.wasm")], capture_output=True, text=True
    )
    assert done.stdout.strip() == "4.5", done.stderr
