"""Published figures that the library reproduces: one file per figure, and this registry."""

from __future__ import annotations

from . import (
    hosseinabadi_2,
    hosseinabadi_3,
    hosseinabadi_4,
    hosseinabadi_5,
    hosseinabadi_6,
    hosseinabadi_7,
    huber_1,
    huber_2,
    huber_3,
    huber_4,
    huber_5,
    huber_6,
    huber_7,
    merkel_1,
    merkel_2,
    merkel_3,
    ruks_2a,
    ruks_2a_inset,
    ruks_2b,
    ruks_2b_inset,
    ruks_3b,
    ruks_3b_inset,
    ruks_4abc,
    ruks_4d,
    ruks_5,
)
from .contract import Figure

_FIGURES = (
    hosseinabadi_2.FIGURE,
    hosseinabadi_3.FIGURE,
    hosseinabadi_4.FIGURE,
    hosseinabadi_5.FIGURE,
    hosseinabadi_6.FIGURE,
    hosseinabadi_7.FIGURE,
    huber_1.FIGURE,
    huber_2.FIGURE,
    huber_3.FIGURE,
    huber_4.FIGURE,
    huber_5.FIGURE,
    huber_6.FIGURE,
    huber_7.FIGURE,
    merkel_1.FIGURE,
    merkel_2.FIGURE,
    merkel_3.FIGURE,
    ruks_2a.FIGURE,
    ruks_2a_inset.FIGURE,
    ruks_2b.FIGURE,
    ruks_2b_inset.FIGURE,
    ruks_3b.FIGURE,
    ruks_3b_inset.FIGURE,
    ruks_4abc.FIGURE,
    ruks_4d.FIGURE,
    ruks_5.FIGURE,
)

#: Every figure by name; to add one, add a file and a name here.
REGISTRY: dict[str, Figure] = {figure.name: figure for figure in _FIGURES}
