"""L1, SCAD and MCP: values, gradients and proximal maps against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.measures.penalties import L1, MCP, SCAD, soft_threshold

B = np.linspace(-4, 4, 801)
PENALTIES = (L1(0.7), SCAD(0.7), SCAD(0.7, a=2.1), MCP(0.7), MCP(0.7, gamma=1.1), MCP(0.7, gamma=8.0))
each_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


def scad(t, lam, a):
    """As Fan and Li write it."""
    if t <= lam:
        return lam * t
    if t <= a * lam:
        return (2 * a * lam * t - t**2 - lam**2) / (2 * (a - 1))
    return lam**2 * (a + 1) / 2


def mcp(t, lam, gamma):
    """As Zhang writes it."""
    return lam * t - t**2 / (2 * gamma) if t <= gamma * lam else gamma * lam**2 / 2


@pytest.mark.parametrize("a", [2.1, 3.7, 10.0])
def test_scad_is_its_three_pieces(a):
    assert np.allclose([SCAD(0.7, a).value([b]) for b in B], [scad(abs(b), 0.7, a) for b in B], atol=1e-12)


@pytest.mark.parametrize("gamma", [1.1, 2.0, 8.0])
def test_mcp_is_its_two_pieces(gamma):
    assert np.allclose(
        [MCP(0.7, gamma).value([b]) for b in B], [mcp(abs(b), 0.7, gamma) for b in B], atol=1e-12
    )


@each_penalty
def test_the_penalty_is_its_convex_and_its_concave_part(penalty):
    assert all(np.isclose(penalty.value([b]), penalty.lam * abs(b) + penalty.concave([b])) for b in B)


@each_penalty
def test_the_concave_part_starts_at_zero_with_slope_zero(penalty):
    assert penalty.concave([0.0]) == 0.0
    assert penalty.concave_gradient([0.0]) == [0.0]


@each_penalty
def test_the_concave_gradient_is_that_of_finite_differences(penalty):
    """In nonconvexAG after 1.1.6 both have the wrong sign."""
    h = 1e-6
    slope = [(penalty.concave([b + h]) - penalty.concave([b - h])) / (2 * h) for b in B]
    assert np.allclose(penalty.concave_gradient(B), slope, atol=1e-6)


@each_penalty
def test_the_curvature_bounds_the_second_differences_of_the_concave_part(penalty):
    change = np.abs(np.diff(penalty.concave_gradient(B))) / np.diff(B)
    assert change.max() <= penalty.curvature + 1e-9
    assert np.isclose(change.max(), penalty.curvature, atol=1e-9)


def test_the_rules_of_an_orthonormal_design():
    z, lam, a, gamma = B, 0.7, 3.7, 2.0
    soft, size = soft_threshold(z, lam), np.abs(z)
    middle = ((a - 1) * z - np.sign(z) * a * lam) / (a - 2)
    assert np.allclose(L1(lam).threshold(z), soft)
    assert np.allclose(
        SCAD(lam, a).threshold(z), np.where(size <= 2 * lam, soft, np.where(size <= a * lam, middle, z))
    )
    assert np.allclose(MCP(lam, gamma).threshold(z), np.where(size <= gamma * lam, soft / (1 - 1 / gamma), z))


@given(
    z=st.floats(-6, 6),
    step=st.floats(0.05, 12.0),
    lam=st.floats(0.0, 2.0),
    kind=st.sampled_from([L1, SCAD, lambda lam: SCAD(lam, 2.2), MCP, lambda lam: MCP(lam, 1.2)]),
)
@settings(deadline=None, max_examples=200)
def test_no_number_is_better_than_the_proximal_map(z, step, lam, kind):
    """At any step size, also where the problem is not convex."""
    penalty = kind(lam)
    grid = np.concatenate([np.linspace(-8, 8, 400), [0.0, z]])
    cost = [(b - z) ** 2 / (2 * step) + penalty.value([b]) for b in grid]
    best = float(penalty.prox([z], step)[0])
    assert (best - z) ** 2 / (2 * step) + penalty.value([best]) <= min(cost) + 1e-9


@each_penalty
def test_a_weight_of_its_own_for_each_coefficient(penalty):
    lam = np.array([0.0, 0.7, 1.5])
    each = type(penalty)(lam)
    b = np.array([2.0, -1.0, 0.5])
    assert np.isclose(each.value(b), sum(type(penalty)(w).value([x]) for w, x in zip(lam, b, strict=True)))
    assert np.allclose(each.prox(b), [type(penalty)(w).prox([x])[0] for w, x in zip(lam, b, strict=True)])
    assert each.prox(b)[0] == b[0]


def test_a_stationary_point_has_no_violation():
    penalty = MCP(1.0)
    z = np.array([0.5, -1.5, 3.0])
    b = penalty.threshold(z)
    assert np.allclose(penalty.violation(b, b - z), 0.0)
    assert np.allclose(penalty.violation(np.zeros(3), -z), [0.0, 0.5, 2.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L1(-0.1), "at least 0, got -0.1"),
        (lambda: MCP(np.nan), "finite"),
        (lambda: SCAD(1.0, a=2.0), "above 2"),
        (lambda: MCP(1.0, gamma=1.0), "above 1"),
        (lambda: MCP(np.array([1.0, -1.0])), "at least 0"),
    ],
)
def test_a_penalty_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
