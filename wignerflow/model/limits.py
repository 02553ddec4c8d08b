"""Sizes beyond which a plain form is refused, before anything large is built."""

from __future__ import annotations

FORMAT = 1
MAX_SUBSYSTEMS = 10_000
MAX_MEMBERS = 2_000_000  # over all subsystems
MAX_TERMS = 100_000  # of one operator
MAX_JUMPS = 100_000
MAX_LETTERS = 12  # elementary operators in one term
MAX_SUMS = 4  # sums and couplings in one term
MAX_SIZE = 1e30  # of a number, so that products and squares stay finite
MAX_WORK = 500_000_000  # entries of all weights, products counted by their expansion
