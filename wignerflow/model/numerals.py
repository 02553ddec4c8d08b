"""Numbers as text."""

from __future__ import annotations


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
