r"""Arrays with fewer members: models of many spins, levels or modes whose exact solution is quick.

Members in the middle of an array are kept, with their states, rates and couplings; what acts on
others is left out. Where the field of all others on a member falls with their number (the largest
sum over a row of a coupling or of the rates of a shared jump), the coefficient is raised as much,
and with it those of sums coupled to modes, by the square root for every ``a`` or ``a^+``: the
classical equations of a member are about the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..model.couplings import as_coupling, read_coupling
from ..model.serialize import copied
from .smaller import _times

LONG = 6  # members of an array up to which cumulants of high order are quick
SITE = re.compile(r"^(.+)\[(\d+)\](\..+)?$")


def length(call: Mapping[str, Any]) -> int:
    """Members of the arrays of single emitters, spins or modes of a call; 0 where there are none.

    Also 0 where arrays differ, or where other subsystems than single modes are beside them.
    """
    counts = set()
    for sub in call["model"]["subsystems"]:
        single = sub["kind"] == "levels" and np.all(np.asarray(sub["N"]) == 1)
        if not single and sub["kind"] not in ("spin", "mode"):
            return 0
        if "count" in sub:
            counts.add(int(sub["count"]))
        elif sub["kind"] != "mode":
            return 0
    return counts.pop() if len(counts) == 1 else 0


class Shorter:
    """A call whose arrays of M members have m.

    Attributes:
        call: the plain form; None where there is no such model.
        wide: whether a coefficient was raised: fluctuations fall with the number of members.
    """

    def __init__(self, call: Mapping[str, Any], M: int, m: int):
        self.M, self.m, self.first = M, m, (M - m) // 2
        self.wide = False
        out = copied(dict(call))
        model = out["model"]
        self.single = {s["name"] for s in model["subsystems"] if "count" not in s}
        for sub in model["subsystems"]:
            if "count" in sub:
                sub["count"] = m
                sub |= {k: self._cut(sub[k]) for k in ("initial", "N") if k in sub}
        model["H"] = [t for t in (self._term(t) for t in model.get("H", [])) if t is not None]
        for pulse in model.get("pulses", []):
            pulse["op"] = [t for t in (self._term(t) for t in pulse["op"]) if t is not None]
        if "pulses" in model:
            model["pulses"] = [pulse for pulse in model["pulses"] if pulse["op"]]
        jumps = [self._jump(jump) for jump in model.get("jumps", [])]
        model["jumps"] = [jump for jump in jumps if jump is not None]
        for entry in out["e_ops"]:
            for operator in entry["operators"].values():
                self._observable(operator)
            number = entry.get("parameters", {}).get("N")
            if number is not None:
                entry["parameters"]["N"] = _times(number, m / M)
        self.call = out

    def _cut(self, values: Any) -> Any:
        """Entries of the members that stay, in lists, matrices and real and imaginary parts."""
        if isinstance(values, Mapping):
            return {k: self._cut(v) for k, v in values.items()}
        if isinstance(values, list) and len(values) == self.M:
            some = values[self.first : self.first + self.m]
            return [self._cut(v) if isinstance(v, list) else v for v in some]
        return values

    def _index(self, text: str, near: bool) -> str | None:
        """A name with the new number of its member; None for one that is left out."""
        found = SITE.match(text)
        if found is None:
            return text
        k = int(found[2]) - self.first
        if near:
            k = min(max(k, 0), self.m - 1)
        return f"{found[1]}[{k}]{found[3] or ''}" if 0 <= k < self.m else None

    def _factors(self, factors: list[Any], near: bool = False) -> tuple[list[Any], float] | None:
        """Factors on members that stay, and the weight by which a coefficient is raised."""
        out: list[Any] = []
        raised, sums, letters = 1.0, 0, 0
        for f in factors:
            if isinstance(f, str):
                name = self._index(f, near)
                if name is None:
                    return None
                letters += f.split(".")[0] in self.single
                out.append(name)
            elif "sum" in f:
                sums += 1
                out.append({k: self._cut(v) if k == "weights" else v for k, v in f.items()})
            else:
                own = self._couple(f)
                out.append(own)
                raised *= self._field(f, self.M) / max(self._field(own, self.m), 1e-300)
        if sums:
            raised *= (self.M / self.m) ** (sums - 1 + letters / 2)
        return out, raised

    def _couple(self, f: Mapping[str, Any]) -> dict[str, Any]:
        out = {k: self._cut(v) if k.endswith("_weights") else v for k, v in f.items()}
        K = dict(f["couple"])
        if "row" in K:
            rows, columns = np.array(K["row"]) - self.first, np.array(K["col"]) - self.first
            kept = (rows >= 0) & (rows < self.m) & (columns >= 0) & (columns < self.m)
            K["row"], K["col"] = rows[kept].tolist(), columns[kept].tolist()
            for part in ("real", "imag"):
                if part in K:
                    K[part] = np.array(K[part])[kept].tolist()
        elif "phi" in K and isinstance(K["phi"], list):
            K["phi"] = K["phi"][self.first : self.first + len(K["phi"]) - self.M + self.m]
        else:
            K = {k: self._cut(v) for k, v in K.items()}
        out["couple"] = K
        return out

    def _field(self, f: Mapping[str, Any], size: int) -> float:
        K, _ = as_coupling(read_coupling("couple", f["couple"], size))
        return float(np.abs(K.matrix(size)).sum(axis=1).max())

    def _raise(self, coefficient: Any, by: float) -> Any:
        if abs(by - 1) < 1e-9:
            return coefficient
        self.wide |= by > 1.5
        return _times(coefficient, by)

    def _term(self, term: Mapping[str, Any]) -> dict[str, Any] | None:
        found = self._factors(term["factors"])
        if found is None:
            return None
        out = {**term, "factors": found[0]}
        if "weights" in term:
            out["weights"] = self._cut(term["weights"])
        if "coef" in term:
            out["coef"] = self._raise(term["coef"], found[1])
        return out

    def _jump(self, jump: dict[str, Any]) -> dict[str, Any] | None:
        if jump["type"] == "local":
            on = self._index(jump["on"], False)
            return None if on is None else {**jump, "on": on, "rate": self._cut(jump["rate"])}
        if jump["type"] == "array":
            op = [{**t, "weights": self._cut(t["weights"])} for t in jump["op"]]
            rate = self._cut(jump["rate"])
            out = {**jump, "members": self.m, "op": op, "rate": rate}
            if isinstance(rate, dict):  # a matrix
                by = _largest_row(jump["rate"]) / max(_largest_row(rate), 1e-300)
                out["rate"] = self._raise(rate, by)
            return out
        found = [self._factors(t["factors"]) for t in jump["op"]]
        op = [
            {**t, "factors": f[0]} for t, f in zip(jump["op"], found, strict=True) if f is not None
        ]
        if not op:
            return None
        out = {**jump, "op": op}
        if any(not isinstance(f, str) for t in op for f in t["factors"]) and not isinstance(
            jump["rate"], str
        ):
            out["rate"] = self._raise(jump["rate"], self.M / self.m)
        return out

    def _observable(self, operator: dict[str, Any]) -> None:
        if operator["type"] == "array":
            operator["members"] = self.m
            for term in operator["op"]:
                term["weights"] = self._cut(term["weights"])
            return
        for term in operator["op"]:
            found = self._factors(term["factors"], near=True)
            assert found is not None
            term["factors"] = found[0]


def _largest_row(matrix: Mapping[str, Any]) -> float:
    parts = [np.abs(np.array(v, float)) for v in matrix.values()]
    return float(np.sqrt(sum(p**2 for p in parts)).sum(axis=-1).max())
