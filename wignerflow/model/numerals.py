"""Numbers and powers as text."""

from __future__ import annotations

import re


def number(c: complex) -> str:
    """A number to six digits, in brackets where it has a real and an imaginary part."""
    scale = abs(c)
    re_, im = (0.0 if abs(x) <= 1e-14 * scale else x for x in (c.real, c.imag))
    if im == 0:
        return f"{re_:.6g}"
    if re_ == 0:
        sign = "-" if im < 0 else ""
        return sign + ("" if abs(im) == 1 else f"{abs(im):.6g}") + "i"
    sign = "-" if im < 0 else "+"
    size = "" if abs(im) == 1 else f"{abs(im):.6g}"
    return f"({re_:.6g}{sign}{size}i)"


_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def runs(word: str) -> list[str]:
    """A word cut into powers of one letter."""
    return [m.group() for m in re.finditer(r"(.)\1*", word)]


def power_text(power: int) -> str:
    """A power as a superscript; nothing for the first."""
    return str(power).translate(_SUPERSCRIPT) if power > 1 else ""


def latex_name(name: str) -> str:
    """A name in upright letters, of characters that mathtext knows too."""
    escaped = "".join(rf"\{c}" if c in "#$%_{}" else c for c in name.replace("\\", "/"))
    for character, safe in (("^", ""), ("~", ""), ("&", "and"), (" ", r"\ ")):
        escaped = escaped.replace(character, safe)
    return rf"\mathrm{{{escaped}}}"
