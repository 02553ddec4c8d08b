"""Local steps in the rotor form: stochastic Heun steps of J and n, see ``phasespace.rotor``.

With b the rates in the frame (e, n, m) and dW the increments, both stages of

    y = v + b(v),    v' = v + (b(v) + b(y))/2

are Stratonovich; n is made perpendicular to J and of length one again after each. Weak order one.
The collective step before it turns J and n alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..phasespace.system import LocalStep
from .local import Interval, LocalPrinter
from .rng import LOCAL
from .text import Lines, fill

HEAD, CHANNEL = 5, 8  # numbers per table row: of the ensemble, and of every channel


def rotor_rows(step: LocalStep, when: Interval, noise: bool) -> NDArray[np.float64]:
    """Rows of the table of local steps, (steps, size, HEAD + CHANNEL * channels)."""
    size, two_r = step.numbers.size, (step.numbers + 2) / 2
    shape = (*np.shape(when.start)[:-1], size, HEAD + CHANNEL * len(step.parts))
    out: NDArray[np.float64] = np.zeros(shape)
    out[..., 0], out[..., 1] = two_r, np.sqrt(two_r / 2)
    for i, ((rate, _, _), part) in enumerate(zip(step.parts, step.rotor, strict=True)):
        amount, at = when.rate(rate, size) * when.length, HEAD + CHANNEL * i
        out[..., 2:5] += amount[..., None] * part.turn
        out[..., at], out[..., at + 1] = amount, float(noise) * np.sqrt(amount)
        out[..., at + 2 : at + 5], out[..., at + 5 : at + 8] = part.vector.real, part.vector.imag
    return out


class RotorLocal(LocalPrinter):
    """Prints the local steps of ensembles in the rotor form."""

    def _reserve(self, k: int) -> tuple[str, ...]:
        """Pair numbers of the noise: three complex numbers per channel and member."""
        block = self.layout.blocks[k]
        return (self.layout.draws.first(LOCAL, block.name, self.noises(k) * block.size),)

    def noises(self, k: int) -> int:
        """Complex noises per member."""
        return 3 * len(self.spins[k].rotor)

    def rows(self, k: int, when: Interval, noise: bool) -> NDArray[np.float64]:
        """Table rows of rotors."""
        return rotor_rows(self.spins[k], when, noise)

    def width(self, k: int) -> int:
        """Numbers per table row and member."""
        return HEAD + CHANNEL * len(self.spins[k].rotor)

    def load(self, k: int, m: str) -> list[str]:
        """Scalar loads of the table row ``lr`` of block k, member m."""
        offset, members, stride = self.slots[k]
        out = [f"b{k} = {offset} + (lr * {members} + {m} * {stride}) * {self.width(k)}"]
        return out + [f"L{k}_{i} = p[b{k} + {i}]" for i in range(self.width(k))]

    def _fill(self, k: int, first: str, out: Lines) -> None:
        for j in range(self.noises(k)):
            slots = [self.layout.s(f"local{k}_{2 * j + i}") for i in range(2)]
            fill(out, "kl", f"{first} + {j}", slots)

    def noise_single(self, k: int, out: Lines) -> None:
        """Normals of a single block into scratch."""
        self._fill(k, self.pairs[k][0], out)

    def noise_member(self, k: int, out: Lines) -> None:
        """Normals of member m into scratch."""
        self._fill(k, f"{self.pairs[k][0]} + {self.noises(k)} * m", out)

    def read_noise(self, k: int) -> list[str]:
        """In lane: the normals by name."""
        return [f"n{k}_{i} = {self.layout.s(f'local{k}_{i}')}" for i in range(2 * self.noises(k))]

    def lines(self, k: int, x: list[str], y: list[str]) -> Lines:
        """In lane: names ``y`` from names ``x`` (J, then n)."""
        out: Lines = []
        first = self._rates(k, "a", x, out)
        predicted = [f"h{c}" for c in range(6)]
        out += (f"{predicted[c]} = {x[c]} + {first[c]}" for c in range(6))
        _perpendicular("b", predicted, out)
        second = self._rates(k, "b", predicted, out)
        out += (f"{y[c]} = {x[c]} + F(0.5) * ({first[c]} + {second[c]})" for c in range(6))
        # L stays within 2R
        out += [
            f"over = np.sqrt({_dot(y[:3], y[:3])} + F(1e-12)) / L{k}_0",
            f"{self.layout.clip(k)} += below(F(1) - over)",
            "back = F(1) / (F(1) + fmax0(over - F(1)))",
            *(f"{y[c]} = back * {y[c]}" for c in range(3)),
        ]
        _perpendicular("c", y, out)
        return out

    def _rates(self, k: int, tag: str, x: list[str], out: Lines) -> list[str]:
        """Emit the increments of J and n at the point ``x``; their names."""

        def name(text: str) -> str:
            return f"{text}{tag}"

        j, n = x[:3], x[3:]
        length, inverse = name("len"), name("inv")
        out += [f"{length} = np.sqrt({_dot(j, j)} + F(1e-12))", f"{inverse} = F(1) / {length}"]
        e, m = ([name(f"{v}{c}") for c in range(3)] for v in ("fe", "fm"))
        out += (f"{e[c]} = {inverse} * {j[c]}" for c in range(3))
        out += (f"{m[c]} = {_cross(e, n, c)}" for c in range(3))
        self._amplitudes(k, tag, out)
        sums: dict[str, list[str]] = {"e": [], "n": [], "m": [], "t": []}
        for i in range(len(self.spins[k].rotor)):
            self._channel(k, i, tag, (e, n, m), sums, out)
        for key, parts in sums.items():
            out += [f"{name('d' + key)} = {' + '.join(parts)}"]
        turn = [f"L{k}_{2 + c}" for c in range(3)]
        dj, dn = ([name(f"{v}{c}") for c in range(3)] for v in ("gj", "gn"))
        for c in range(3):
            frame = [f"{name('d' + v)} * {w[c]}" for v, w in (("e", e), ("n", n), ("m", m))]
            out += [f"{dj[c]} = {' + '.join(frame)} + {_cross(turn, j, c)}"]
            along = f"{name('dt')} * {m[c]} - {name('dn')} * {inverse} * {e[c]}"
            out += [f"{dn[c]} = {along} + {_cross(turn, n, c)}"]
        return dj + dn

    def _amplitudes(self, k: int, tag: str, out: Lines) -> None:
        """A_+, A_- (ap, am) and their derivatives (bp, bm)."""
        length = f"len{tag}"
        correction = ["F(1)", "F(1)"]
        slope = ["", ""]
        if self.spins[k].corrected:
            # below L = 1/2, the least length there is, the factor stays what it is there
            out += [
                f"cut{tag} = F(0.5) / (fmax0({length} - F(0.5)) + F(0.5))",
                f"dcut{tag} = F(-2) * cut{tag} * cut{tag} * (F(1) - below({length} - F(0.5)))",
            ]
            correction = [f"(F(1) + cut{tag})", f"(F(1) - cut{tag})"]
            slope = [f"dcut{tag}", f"F(-1) * dcut{tag}"]
        for s, sign, factor, change in zip("pm", ("-", "+"), correction, slope, strict=True):
            out += [
                f"room{s}{tag} = L{k}_0 {sign} {length}",
                f"q{s}{tag} = room{s}{tag} * {factor}",
            ]
            derivative = f"F({sign}1) * {factor}"
            if change:
                derivative += f" + room{s}{tag} * {change}"
            root = f"np.sqrt(fmax0(q{s}{tag}))"
            out += [
                f"a{s}{tag} = F(0.5) * {root}",
                f"b{s}{tag} = F(0.25) * ({derivative}) * "
                f"pick(q{s}{tag}, F(1) / np.sqrt(fmax0(q{s}{tag}) + F(1e-12)), F(0) * q{s}{tag})",
            ]

    def _channel(
        self,
        k: int,
        i: int,
        tag: str,
        frame: tuple[list[str], list[str], list[str]],
        sums: dict[str, list[str]],
        out: Lines,
    ) -> None:
        """Emit one local jump; append its increments along e, n, m and of psi."""
        at = HEAD + CHANNEL * i
        rate, root = f"L{k}_{at}", f"L{k}_{at + 1}"
        u = [[f"L{k}_{at + 2 + 3 * part + c}" for c in range(3)] for part in range(2)]
        r, im = ([f"u{v}{i}{a}{tag}" for a in "enm"] for v in "ri")
        for a, w in enumerate(frame):
            out += [f"{r[a]} = {_dot(u[0], w)}", f"{im[a]} = {_dot(u[1], w)}"]
        # u.(n -+ i m): real parts n +- Im m, imaginary parts n -+ Re m
        for s, sign, other in (("p", "+", "-"), ("m", "-", "+")):
            out += [
                f"r{i}{s}{tag} = {r[1]} {sign} {im[2]}",
                f"i{i}{s}{tag} = {im[1]} {other} {r[2]}",
            ]
        symbols = [
            ("z", f"L{k}_1 * {r[0]}", f"L{k}_1 * {im[0]}"),
            ("p", f"ap{tag} * r{i}p{tag}", f"ap{tag} * i{i}p{tag}"),
            ("m", f"am{tag} * r{i}m{tag}", f"am{tag} * i{i}m{tag}"),
        ]
        for j, (s, lr, li) in enumerate(symbols):
            noise = [f"n{k}_{2 * (3 * i + j) + part}" for part in range(2)]
            out += [f"lr{s}{i}{tag} = {lr}", f"li{s}{i}{tag} = {li}"]
            out += [
                f"x{s}{i}{tag} = {root} * {noise[0]} + {rate} * li{s}{i}{tag}",
                f"w{s}{i}{tag} = {root} * {noise[1]} + {rate} * lr{s}{i}{tag}",
            ]
        xz, wz, xp, wp, xm, wm = (f"{v}{s}{i}{tag}" for s in "zpm" for v in "xw")
        # Re[X a] = Xr ar - Xi ai
        sums["e"].append(f"{xp} * lip{i}{tag} + {wp} * lrp{i}{tag}")
        sums["e"].append(f"F(-1) * ({xm} * lim{i}{tag} + {wm} * lrm{i}{tag})")
        sums["n"].append(f"L{k}_1 * ({xz} * {r[2]} - {wz} * {im[2]})")
        sums["n"].append(f"F(-1) * ap{tag} * ({xp} * {im[0]} + {wp} * {r[0]})")
        sums["n"].append(f"am{tag} * ({xm} * {im[0]} + {wm} * {r[0]})")
        sums["m"].append(f"F(-1) * L{k}_1 * ({xz} * {r[1]} - {wz} * {im[1]})")
        for s, x, y in (("p", xp, wp), ("m", xm, wm)):
            sums["m"].append(f"a{s}{tag} * ({x} * {r[0]} - {y} * {im[0]})")
            sums["t"].append(f"b{s}{tag} * ({x} * r{i}{s}{tag} - {y} * i{i}{s}{tag})")


def _dot(a: list[str], b: list[str]) -> str:
    return " + ".join(f"{x} * {y}" for x, y in zip(a, b, strict=True))


def _cross(a: list[str], b: list[str], c: int) -> str:
    i, j = (c + 1) % 3, (c + 2) % 3
    return f"{a[i]} * {b[j]} - {a[j]} * {b[i]}"


def _perpendicular(tag: str, x: list[str], out: Lines) -> None:
    """Make the second half of ``x`` perpendicular to the first and of length one."""
    j, n = x[:3], x[3:]
    out += [f"par{tag} = ({_dot(j, n)}) / ({_dot(j, j)} + F(1e-12))"]
    out += (f"{n[c]} = {n[c]} - par{tag} * {j[c]}" for c in range(3))
    out += [f"unit{tag} = F(1) / np.sqrt({_dot(n, n)} + F(1e-12))"]
    out += (f"{n[c]} = unit{tag} * {n[c]}" for c in range(3))
