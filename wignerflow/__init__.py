"""wignerflow: phase-space simulation of driven, dissipative emitters, spins and modes.

Names are imported when they are first asked for (PEP 562), and so are SciPy, xarray and matplotlib:
``import wignerflow`` itself costs little more than NumPy.
"""

import difflib
import importlib
import os
import re
import sys
from typing import Any

from ._version import __version__ as __version__

try:
    from .views import attach
except KeyboardInterrupt:
    if "wignerflow" in [os.path.basename(word) for word in sys.orig_argv[1:3]]:  # the command line
        print("wignerflow: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    raise

_STUB = __spec__.loader.get_data(f"{os.path.splitext(__file__)[0]}.pyi").decode()
#: The module of every name of the package, from its stub.
_HOME = {name: home for home, name in re.findall(r"^from \.(\S+) import (\w+)", _STUB, re.M)}

#: Names of other libraries, and what does the same here.
_ELSEWHERE = {
    "mesolve": "wf.solve(model, tlist, e_ops=…, method='exact')",
    "mcsolve": "wf.solve(model, tlist, e_ops=…, method='jumps')",
    "sesolve": "wf.solve(model, tlist, e_ops=…, method='exact')",
    "steadystate": "wf.steady_state(model, e_ops)",
    "correlation_2op_1t": "wf.correlation(model, A, B, taus)",
    "piqs": "wf.from_piqs(system)",
    "destroy": "wf.Mode(name='cav').a",
    "sigmam": "wf.Ensemble(N).Jm, or wf.Spin().sm",
    "tensor": "products of operators, as in cav.a * atoms.Jp",
    "Qobj": "operators such as cav.a and atoms.Jm; model.to_qutip() makes matrices of them",
    "expect": "the e_ops of wf.solve; means are in result.expect",
    "wigner": "wf.wigner_density(result)",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_advice(name)}")
    home = importlib.import_module(f".{_HOME[name]}", __name__)
    value = getattr(home, name, None)
    if value is None:  # a name that is a module itself
        value = importlib.import_module(f"{home.__name__}.{name}")
    globals()[name] = value
    return value


def _advice(name: str) -> str:
    """What to use instead of a name that is not there."""
    if name in _ELSEWHERE:
        return f"; use {_ELSEWHERE[name]}"
    if name.startswith("_"):
        return ""
    near = difflib.get_close_matches(name, __all__, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def __dir__() -> list[str]:
    return list(__all__)


attach()
