"""``wignerflow bench``: accuracy, speed, start and memory, measured and held against requirements.

Timings on a busy machine are noisy: every number is the median over repeats with its range, and
ratios to other implementations are taken in turn with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from . import accuracy, chain, exact, levels, peers, report, speed, spins, startup
from .report import Section

#: Parts in order: name, what it measures, and its function of ``quick``.
PARTS: dict[str, tuple[str, Callable[[bool], Section]]] = {
    "accuracy": ("accuracy against exact", accuracy.section),
    "speed": ("time per trajectory-step", speed.alone),
    "peers": ("JAX, diffrax and NumPy", speed.next_to_others),
    "figure": ("whole runs", speed.figure),
    "chain": ("chains of ensembles", chain.section),
    "spins": ("arrays of spins, dense couplings, long Hamiltonians", spins.section),
    "exact": ("exact engines", exact.section),
    "levels": ("emitters with levels", levels.section),
    "clusters": ("clusters of spins", accuracy.clusters),
    "light": ("output fields and delayed links", chain.light),
    "waiting": ("what one plot costs here and elsewhere", peers.section),
    "startup": ("start and memory", startup.section),
}


def run(
    quick: bool = False,
    parts: Iterable[str] = (),
    *,
    say: Callable[[str], None] = lambda message: None,
    show: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Measure everything, or some parts.

    Args:
        quick: fewer repeats and trajectories.
        parts: keys of ``PARTS``; none takes all.
        say: called with one line before every part.
        show: called with the text of every finished part.

    Returns:
        Plain data: the machine, and sections of entries (see :mod:`.report`).
    """
    chosen = [PARTS[name] for name in parts] or PARTS.values()
    facts = report.machine()
    sections = []
    for what, part in chosen:
        say(f"measuring {what}")
        sections.append(part(quick))
        show(report.text(sections[-1]))
    return {"quick": quick, **report.as_dict(facts, sections)}
