"""Exact references: populations, block density matrices, quantum jumps, brute force.

Nothing here imports a phase-space method, so that a reference stays independent of what it judges.
"""
