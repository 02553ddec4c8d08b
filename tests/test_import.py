"""What ``import wignerflow`` and a first run load, and that the package's names are all there."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import wignerflow as wf

HEAVY = (
    "scipy.sparse",
    "scipy.special",
    "scipy.stats",
    "llvmlite",
    "xarray",
    "matplotlib",
)
RUN = """
atoms = wf.Ensemble(100, name="atoms")
model = wf.Model(
    jumps=[wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 25.0)], initial={atoms: wf.down}
)
r = wf.solve(model, [0, 0.1, 0.2], e_ops=[atoms.Jz], ntraj=200, seed=1, progress=False)
assert r.ntraj == 200
"""


def loaded(code):
    """The modules of a fresh process after some code."""
    text = f"import sys\nimport wignerflow as wf\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_loads_no_heavy_package():
    modules = loaded("")
    assert "wignerflow.model.model" in modules and "wignerflow.kernels" not in modules
    assert not modules & set(HEAVY)
    assert "scipy.special" in loaded("import scipy.special")  # it would be seen


def test_a_first_run_loads_what_it_needs():
    modules = loaded(RUN)
    assert "llvmlite" in modules
    others = {"wignerflow.exact.engine", "wignerflow.moments.method", "wignerflow.kernels.cuda"}
    assert not modules & {*HEAVY, "scipy.interpolate", "scipy.linalg", *others} - {"llvmlite"}


def test_a_first_estimate_loads_its_reference_alone():
    """SciPy's modules take longer to import than a laser of ten atoms to be solved, both ways."""
    run = RUN.replace("Ensemble(100", "Ensemble(10").replace(
        "ntraj=200", "ntraj=200, truncation=True"
    )
    exact = "wf.solve(model, [0, 1], e_ops=[atoms.Jz], method='exact')"
    modules = loaded(f"{run}\nassert r.stats['truncation'] == 'the exact solution'\n{exact}")
    assert "wignerflow.exact.populations" in modules
    assert not modules & {*HEAVY, "scipy.integrate", "scipy.linalg"} - {"llvmlite"}


def test_every_name_is_there():
    for name in wf.__all__:
        assert getattr(wf, name) is not None
    assert dir(wf) == list(wf.__all__) == sorted(set(wf.__all__))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        wf.nothing  # noqa: B018
    space = {}
    exec("from wignerflow import *", space)
    assert space["solve"] is wf.solve and space["mean_field"] is wf.mean_field


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(wf.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    statements = [n for n in tree.body if isinstance(n, ast.ImportFrom)]
    assert sorted(name.asname for s in statements for name in s.names) == wf.__all__
    for statement in statements:
        for name in statement.names:
            module = f"wignerflow.{statement.module}"
            found = getattr(
                sys.modules.get(module) or __import__(module, fromlist=["x"]), name.name
            )
            assert found is getattr(wf, name.name)
