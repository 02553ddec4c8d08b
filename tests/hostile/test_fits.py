"""``wf.fit`` with broken data, models that fail on the way, and Ctrl-C."""

import numpy as np
import pytest

import wignerflow as wf

T = np.linspace(0, 2, 9)
CURVE = 4 * np.exp(-0.7 * T)


def decay(rate):
    a = wf.Mode(name="a")
    return wf.Model(jumps=[wf.Jump(a.a, rate)], initial={a: wf.coherent(2)}), {"n": a.n}


def fit(data=None, model_of=decay, start=None, **options):
    return wf.fit(
        model_of, data or {"time": T, "n": CURVE}, start or {"rate": 1.0}, method="exact", **options
    )


def with_one(value, name="n"):
    out = {"time": T.copy(), "n": CURVE.copy(), "n_sem": np.full(9, 0.1)}
    out[name][4] = value
    return out


@pytest.mark.parametrize("name", ["n", "n_sem", "time"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_data_that_are_no_numbers_are_named(name, value):
    with pytest.raises(ValueError, match=rf"`data\['{name}'\]` must be finite everywhere"):
        fit(with_one(value, name))


@pytest.mark.parametrize("value", [np.nan, np.inf, "1", None, True, 1j, 10**400])
def test_starts_that_are_no_numbers_are_named(value):
    with pytest.raises((ValueError, TypeError), match=r"start\['rate'\]"):
        fit(start={"rate": value})


def test_errors_of_zero_or_less_are_refused():
    with pytest.raises(ValueError, match="must be non-negative"):
        fit(with_one(-1.0, "n_sem"))
    with pytest.raises(ValueError, match="have positive errors"):
        fit(with_one(0.0, "n_sem"))


@pytest.mark.parametrize("made", [None, 3, decay(1.0)[0], (1, 2), (decay(1.0)[0],)])
def test_what_is_no_model_is_named(made):
    with pytest.raises(TypeError, match=r"`model_of` must return \(wf.Model, e_ops\)"):
        fit(model_of=lambda rate: made)


def after(count, error):
    """The model, which fails when it was made so often."""
    calls = []

    def made(rate):
        calls.append(rate)
        if len(calls) > count:
            raise error
        return decay(rate)

    return made


@pytest.mark.parametrize("count", [6, 12])
def test_ctrl_c_hands_over_the_best_parameters(count):
    with pytest.warns(UserWarning, match="Interrupted: these are the best parameters so far"):
        found = fit(model_of=after(count, KeyboardInterrupt()))
    assert found.evaluations == count and 0.5 < found.values["rate"] <= 1.0
    assert np.isnan(found.errors["rate"]) and np.isnan(found.covariance).all()
    assert found.chi2 == pytest.approx(np.sum((found.result.expect["n"] - CURVE) ** 2), rel=1e-9)
    assert "rate" in repr(found)


def test_ctrl_c_before_anything_is_known_is_ctrl_c():
    with pytest.raises(KeyboardInterrupt):
        fit(model_of=after(0, KeyboardInterrupt()))


def test_an_error_on_the_way_says_how_far_it_came():
    with pytest.raises(ArithmeticError) as error:
        fit(model_of=after(8, ArithmeticError("x")))
    assert "The best parameters until then: {'rate': " in error.value.__notes__[0]
