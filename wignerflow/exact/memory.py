"""Memory limits: what an engine would need, said before it starts."""

from __future__ import annotations

from .ladder import Basis

#: Default limit of memory in bytes.
MEMORY = 4e9


class TooLarge(ValueError):
    """The model does not fit into the allowed memory."""


def refuse(what: str, need: float, memory: float, instead: str) -> TooLarge:
    """The error that says how much memory ``what`` needs, and what to use instead."""
    need = float(min(need, 10**300))  # a product of hundreds of dimensions is no float
    return TooLarge(
        f"{what} at least {need / 1e9:.3g} GB, but {memory / 1e9:.3g} GB are allowed; "
        f"raise `memory`, use fewer emitters, or take {instead}."
    )


def density_matrix(need: float, memory: float) -> TooLarge:
    """Of block density matrices."""
    return refuse(
        "The block density matrix needs",
        need,
        memory,
        "wf.QuantumJumps() (one state vector per run) or wf.TWA()",
    )


def check_sites(basis: Basis, memory: float) -> None:
    """Refuse what already the tables or the initial density matrices of single sites exceed.

    Raises:
        TooLarge: with a lower bound of the memory.
    """
    need = 0.0
    for site in basis.sites:
        need += 12 * 8.0 * site.blocks * site.dim  # a dozen tables of matrix elements
        if site.kind == "mode" or not site.is_diagonal:
            blocks = site.blocks if site.is_mixed else 1
            need += 3 * 16.0 * sum((site.dim - 2.0 * j) ** 2 for j in range(blocks))
    if need > memory:
        raise density_matrix(need, memory)
