"""What arrays refuse, and how they say it."""

import numpy as np
import pytest
import scipy.sparse as sp

import wignerflow as wf

M = 4


@pytest.fixture
def chain():
    return wf.Ensemble(5, count=M, name="chain")


def both(*shapes):
    """A pattern that needs every one of the shapes, in any order."""
    return "".join(rf"(?=[\s\S]*{text})" for text in shapes)


def test_weights_of_another_length_name_both_shapes(chain):
    with pytest.raises(ValueError, match=both(r"\(4,\)", r"\(3,\)")):
        (np.ones(3) * chain.Jm).sum()


@pytest.mark.parametrize("matrix", [np.ones((3, 3)), sp.eye_array(3).tocsr()])
def test_couplings_of_another_size_name_both_shapes(chain, matrix):
    with pytest.raises(ValueError, match=both(r"\(4, 4\)", rf"\({matrix.shape[0]}, 3\)")):
        wf.couple(chain.Jp, matrix, chain.Jm)


def test_couplings_that_are_not_square(chain):
    with pytest.raises(ValueError, match=both("square", r"\(4, 3\)")):
        wf.couple(chain.Jp, np.ones((4, 3)), chain.Jm)


def test_arrays_of_different_sizes(chain):
    other = wf.Ensemble(5, count=3, name="other")
    with pytest.raises(ValueError, match=both("4", "3")):
        wf.couple(chain.Jp, wf.AllToAll(), other.Jm)


def test_dissipation_matrix_of_another_size_names_both_shapes(chain):
    with pytest.raises(ValueError, match=both(r"\(4, 4\)", r"\(3, 3\)")):
        wf.Jump(chain.Jm, np.eye(3))


def test_rates_of_another_length_name_both_shapes(chain):
    with pytest.raises(ValueError, match=both("4", "3")):
        wf.LocalJump(chain.sm, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=both("4", "3")):
        wf.Jump(chain.Jm, [1.0, 2.0, 3.0])


def test_initial_states_of_another_number(chain):
    with pytest.raises(ValueError, match=both("4", "3")):
        wf.Model(initial={chain: [wf.up] * 3})


def test_a_coupling_that_makes_h_not_hermitian(chain):
    K = np.zeros((M, M))
    K[0, 1] = 1.0
    with pytest.raises(ValueError, match="be Hermitian"):
        wf.Model(wf.couple(chain.Jp, K, chain.Jm), initial={chain: wf.up})
    wf.Model(wf.couple(chain.Jp, K + K.T, chain.Jm), initial={chain: wf.up})  # the control


def test_dissipation_that_is_not_positive_says_which_eigenvalues(chain):
    G = np.diag([1.0, 1.0, -0.25, -0.5])
    with pytest.raises(ValueError, match=r"2 negative eigenvalue.*-0\.5.*-0\.25"):
        wf.Jump(chain.Jm, G)
    wf.Jump(chain.Jm, np.abs(G))


def test_dissipation_that_is_not_hermitian_says_where(chain):
    G = np.eye(M)
    G[1, 2] = 0.3
    with pytest.raises(ValueError, match=r"G\[1, 2\]"):
        wf.Jump(chain.Jm, G)


@pytest.mark.parametrize("m", [M, -M - 1, 100])
def test_members_out_of_range(chain, m):
    with pytest.raises(IndexError, match="below 4"):
        chain[m]
    with pytest.raises(IndexError, match="below 4"):
        chain.Jm[m]
    with pytest.raises(IndexError, match="below 4"):
        wf.Coherence(chain.Jm, m)


def test_structures_where_their_conditions_fail(chain):
    pair = wf.Ensemble(5, count=2, name="pair")
    with pytest.raises(ValueError, match="periodic chain of 2"):
        wf.couple(pair.Jp, wf.NearestNeighbour(periodic=True), pair.Jm)
    with pytest.raises(ValueError, match=both(r"\(4,\)", r"\(3,\)")):
        wf.waveguide(chain, [0.0, 0.5, 1.0], 1.0)
    with pytest.raises(ValueError, match="ascend"):
        wf.waveguide(chain, [0.0, 0.5, 0.4, 1.0], 1.0)


def test_momenta_that_are_no_list(chain):
    with pytest.raises(ValueError, match="one-dimensional"):
        wf.StructureFactor(chain.Jm, [[0.1]])
    with pytest.raises(ValueError, match="list of pairs"):
        wf.Coherence(chain.Jm, pairs=[(0, 1, 2)])
