"""The transforms of a number, by name, and the presets that group them.

A transform is a function of a value and of the column's `Statistics`. Names and presets are those of
OutRank; three things differ, on purpose:

- Statistics come from the whole stream, not from each batch, so a value is always mapped to the same result.
- A missing number stays missing (there, it is read as 0), unless the transform is one that fills.
- The binned transforms ``fw_*`` keep ``x`` up to *and including* the threshold; there, a value that equals
the threshold
  becomes 0.

A few transforms of ``verbose`` depend on the order of the rows (sort, reverse, running sums, differences).
They work on one block at a time and are marked ``row_order``; they say nothing about a row by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from salience.tabular.transforms.statistics import Statistics

__all__ = ["PRESETS", "Transform", "find_transforms"]

Function = Callable[[np.ndarray, Statistics], np.ndarray]
Plain = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Transform:
    """A named function of numbers.

    Attributes
    ----------
    name : str
        As in the preset, for example ``"log(x+1)"``.
    function : callable
        From ``float64 (n,)`` and `Statistics` to an array of the same shape, or to one number.
    row_order : bool
        Whether the result depends on the order of the rows.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 3.0])
    >>> find_transforms("default")[7](x, Statistics.from_values(x))
    array([  0.,  69., 139.])
    """

    name: str
    function: Function
    row_order: bool = False

    def __call__(self, x: np.ndarray, statistics: Statistics) -> np.ndarray:
        """Transform ``float64 (n,)``; what has no result is NaN."""
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(all="ignore"):
            result = np.asarray(self.function(x, statistics), dtype=np.float64)
        return np.broadcast_to(result, x.shape)

    def __reduce__(self) -> tuple[Any, ...]:
        # a function of the registry goes to another process by its name: lambdas cannot be pickled
        if _ALL.get(self.name) is self:
            return _registered, (self.name,)
        return Transform, (self.name, self.function, self.row_order)


def _registered(name: str) -> Transform:
    return _ALL[name]


def find_transforms(presets: str | Iterable[str | Transform]) -> tuple[Transform, ...]:
    """Transforms of one or several presets (``"default,fw-transformers"``), or single ones by name, without
    repeats.

    Raises
    ------
    ValueError
        If a name is neither a preset nor a transform.

    Examples
    --------
    >>> len(find_transforms("default,fw-transformers")), find_transforms(["sqrt"])[0].name
    (138, 'sqrt')
    """
    found: dict[str, Transform] = {}
    for wanted in presets.split(",") if isinstance(presets, str) else presets:
        if isinstance(wanted, Transform):
            found[wanted.name] = wanted
        elif (preset := _SHORT.get(wanted.strip(), wanted.strip())) in PRESETS:
            found.update((t.name, t) for t in PRESETS[preset])
        elif wanted in _ALL:
            found[wanted] = _ALL[wanted]
        else:
            raise ValueError(f"unknown transform {wanted!r}; the presets are {', '.join(PRESETS)}")
    return tuple(found.values())


# ------------------------------------------------------------------------------ building blocks
def _plain(function: Plain) -> Function:
    return lambda x, s: function(x)


def _fill(where: Plain, with_what: Callable[[Statistics], float]) -> Function:
    return lambda x, s: np.where(where(x), with_what(s), x)


def _clip(low: float, high: float) -> Function:
    return lambda x, s: np.clip(x, s.quantile(low), s.quantile(high))


def _inverse(x: np.ndarray) -> np.ndarray:
    return np.divide(1.0, x, out=np.zeros_like(x), where=x != 0)


def _logistic(x: np.ndarray, shift: float = 0.0) -> np.ndarray:
    return 1 / (1 + np.exp(-x - shift))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0.0, x)


def _min_max(x: np.ndarray, s: Statistics) -> np.ndarray:
    return (x - s.minimum) / (s.maximum - s.minimum)


def _standard(x: np.ndarray, s: Statistics) -> np.ndarray:
    return (x - s.mean) / s.sd


def _gumbel(x: np.ndarray, at: float, scale: float) -> np.ndarray:
    return np.exp(-np.exp(-(x - at) / scale))


def _binned(x: np.ndarray, root: Plain, resolution: float, threshold: float) -> np.ndarray:
    return np.where(x <= threshold, x, np.round(root(x - threshold) * resolution))


# ------------------------------------------------------------------------------------ the table
_EXTENDED: dict[str, Function] = {
    # minimal
    "sqrt": _plain(np.sqrt),
    "log(x+1)": _plain(np.log1p),
    "sqrt(abs(x))": _plain(lambda x: np.sqrt(np.abs(x))),
    "log(abs(x)+1)": _plain(lambda x: np.log1p(np.abs(x))),
    # default
    "div(x,abs(x))*log(abs(x))": _plain(lambda x: np.sign(x) * np.log(np.abs(x))),
    "log(x+sqrt(pow(x,2)+1))": _plain(np.arcsinh),
    "log*sqrt": _plain(lambda x: np.log1p(x) * np.sqrt(x)),
    "log*100": _plain(lambda x: np.round(100 * np.log1p(x))),
    "nonzero": _plain(lambda x: np.where(np.isnan(x), np.nan, x != 0)),
    "round(div(x,max))": lambda x, s: np.round(x / s.maximum),
    # extended
    "squared": _plain(np.square),
    "cubed": _plain(lambda x: x**3),
    "inverse": _plain(_inverse),
    "exp": _plain(np.exp),
    "exp_minus_1": _plain(np.expm1),
    "sin": _plain(np.sin),
    "cos": _plain(np.cos),
    "tan": _plain(np.tan),
    "arcsin_safe": _plain(lambda x: np.arcsin(np.clip(x, -1, 1))),
    "arccos_safe": _plain(lambda x: np.arccos(np.clip(x, -1, 1))),
    "arctan": _plain(np.arctan),
    "sign": _plain(np.sign),
    "z_score": _standard,
    "min_max_scale": _min_max,
    "quadratic_root": _plain(np.cbrt),  # the original's name for the cube root
    "shifted_sigmoid": _plain(partial(_logistic, shift=0.5)),
    "logistic": _plain(_logistic),
}

_VERBOSE: dict[str, Function] = {
    "reciprocal": _plain(_inverse),
    "log1p": _plain(np.log1p),
    "expm1": _plain(np.expm1),
    "softplus": _plain(_softplus),
    "absolute": _plain(np.abs),
    "clip_0_1": _plain(lambda x: np.clip(x, 0, 1)),
    "normalize": _min_max,
    "standardize": _standard,
    "cumulative_sum": _plain(np.cumsum),
    "cumulative_prod": _plain(np.cumprod),
    "diff": _plain(lambda x: np.diff(x, prepend=0.0)),
    "fourth_root": _plain(lambda x: np.sqrt(np.sqrt(x))),
    "fourth_root(abs(x))": _plain(lambda x: np.sqrt(np.sqrt(np.abs(x)))),
    "log10(x+1)": _plain(lambda x: np.log10(x + 1)),
    "log10(abs(x)+1)": _plain(lambda x: np.log10(np.abs(x) + 1)),
    "div(x,abs(x))*log10(abs(x))": _plain(lambda x: np.sign(x) * np.log10(np.abs(x))),
    "log10*sqrt": _plain(lambda x: np.log10(x + 1) * np.sqrt(x)),
    "log10*100": _plain(lambda x: np.round(100 * np.log10(x + 1))),
    "positive": _plain(lambda x: np.where(np.isnan(x), np.nan, x > 0)),
    "round(div(x,median))": lambda x, s: np.round(x / s.quantile(0.5)),
    "fourth_power": _plain(lambda x: x**4),
    "fifth_power": _plain(lambda x: x**5),
    "inverse_squared": _plain(lambda x: _inverse(np.square(x))),
    "exp2": _plain(np.exp2),
    "sinh": _plain(np.sinh),
    "cosh": _plain(np.cosh),
    "tanh": _plain(np.tanh),
    "log2": _plain(np.log2),
    "log10": _plain(np.log10),
    "sinc": _plain(np.sinc),
    "mean": lambda x, s: np.asarray(s.mean),
    "median": lambda x, s: np.asarray(s.quantile(0.5)),
    "variance": lambda x, s: np.square(s.sd),
    "std_dev": lambda x, s: np.asarray(s.sd),
    "percentile_25": lambda x, s: np.asarray(s.quantile(0.25)),
    "percentile_50": lambda x, s: np.asarray(s.quantile(0.5)),
    "percentile_75": lambda x, s: np.asarray(s.quantile(0.75)),
    "reverse": _plain(lambda x: x[::-1]),
    "sort": _plain(np.sort),
    "argsort": _plain(lambda x: np.argsort(x, kind="stable")),
    "is_nan": _plain(np.isnan),
    "is_finite": _plain(np.isfinite),
    "is_infinite": _plain(np.isinf),
    "is_positive": _plain(lambda x: x > 0),
    "is_negative": _plain(lambda x: x < 0),
    "is_zero": _plain(lambda x: x == 0),
    "log2(x+1)": _plain(lambda x: np.log2(x + 1)),
    "log2(abs(x)+1)": _plain(lambda x: np.log2(np.abs(x) + 1)),
    "log2*sqrt": _plain(lambda x: np.log2(x + 1) * np.sqrt(x)),
    "log2*100": _plain(lambda x: np.round(100 * np.log2(x + 1))),
    "sec": _plain(lambda x: 1 / np.cos(x)),
    "cosec": _plain(lambda x: 1 / np.sin(x)),
    "cot": _plain(lambda x: 1 / np.tan(x)),
    "arcsinh": _plain(np.arcsinh),
    "arccosh": _plain(np.arccosh),
    "arctanh": _plain(np.arctanh),
    "poly2": _plain(np.square),
    "poly3": _plain(lambda x: x**3),
    "poly4": _plain(lambda x: x**4),
    "custom1": _plain(lambda x: np.square(x + 1)),
    "custom2": _plain(lambda x: np.sin(x) + np.cos(x)),
    "custom3": _plain(lambda x: np.exp(x) - np.log1p(x)),
    "empirical_cdf": lambda x, s: s.share_below(x),
    "uniform_cdf": _plain(lambda x: np.clip(x, 0, 1)),
    "exponential_cdf": _plain(lambda x: -np.expm1(-x)),
    "exp_minus_one": _plain(np.expm1),
    "square_root_inverse": _plain(lambda x: np.sqrt(_inverse(x))),
    "cubed_root": _plain(np.cbrt),
    "log1p_cubed": _plain(lambda x: np.log1p(x**3)),
    "expm1_cubed": _plain(lambda x: np.expm1(x**3)),
    "softplus_cubed": _plain(lambda x: _softplus(x**3)),
    "clip_0_2": _plain(lambda x: np.clip(x, 0, 2)),
    "div_squared(x,abs(x))*log10(abs(x))": _plain(lambda x: np.abs(x) * np.log10(np.abs(x))),
    "boxcox_lambda_0.5": _plain(lambda x: np.where(x > 0, 2 * (np.sqrt(x) - 1), np.nan)),
    "yeo_johnson_lambda_0": _plain(lambda x: np.sign(x) * np.log1p(np.abs(x))),
    "relu": _plain(lambda x: np.maximum(0, x)),
    "leaky_relu": _plain(lambda x: np.where(x > 0, x, 0.01 * x)),
    "elu": _plain(lambda x: np.where(x > 0, x, np.expm1(x))),
    "softsign": _plain(lambda x: x / (1 + np.abs(x))),
    "swish": _plain(lambda x: x * _logistic(x)),
    "gelu_approx": _plain(lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))),
    "mish": _plain(lambda x: x * np.tanh(_softplus(x))),
    "hard_sigmoid": _plain(lambda x: np.clip((x + 1) / 2, 0, 1)),
    "hard_tanh": _plain(lambda x: np.clip(x, -1, 1)),
    "swish_flick": _plain(lambda x: x * _logistic(-x)),
    "reciprocal_softplus": _plain(lambda x: 1 / _softplus(x)),
    "bell_shape": _plain(lambda x: np.exp(-np.square(x))),
    "gumbel_smx": _plain(partial(_gumbel, at=3.0, scale=4.0)),
    "gumbel_smx1": _plain(partial(_gumbel, at=0.5, scale=2.0)),
    "gumbel_smx2": _plain(partial(_gumbel, at=2.0, scale=1.2)),
    "fancy_beta": _plain(lambda x: np.sqrt(2 * np.pi / x) * (x / np.e) ** x),
    "energy_distance": lambda x, s: np.sqrt(2) * np.asarray(s.sd),
    "clip_outliers_1_99": _clip(0.01, 0.99),
    "clip_outliers_5_95": _clip(0.05, 0.95),
    "clip_outliers_10_90": _clip(0.10, 0.90),
    "clip_outliers_25_75": _clip(0.25, 0.75),
}

# names of transforms that `verbose` also has of |x|, with the name they have there
_OF_ABSOLUTE = {
    "sqrt": "square_root_abs",
    "log1p": "log1p_abs",
    "inverse": "inverse_abs",
    "log10(x+1)": "log10_abs(x+1)",
} | {
    name: f"{name}_abs"
    for name in (
        "z_score", "min_max_scale", "shifted_sigmoid", "logistic", "reciprocal", "normalize", "standardize",
        "cumulative_sum", "cumulative_prod", "diff", "fourth_root",
    )
}  # fmt: skip

# the same of x²
_OF_SQUARE = {
    "log10(abs(x)+1)": "log10_squared(abs(x)+1)",
    "round(div(x,median))": "round_squared(div(x,median))",
    "log2(x+1)": "log2_squared(x+1)",
    "log2(abs(x)+1)": "log2_squared(abs(x)+1)",
} | {
    name: f"{name}_squared"
    for name in (
        "log1p", "exp", "sin", "cos", "tan", "arctan", "sign", "absolute", "fourth_root", "log10*sqrt",
        "log10*100", "positive", "fourth_power", "fifth_power", "inverse_squared", "exp2", "sinh", "cosh",
        "tanh", "log2", "log10", "sinc", "mean", "median", "variance", "std_dev", "percentile_25",
        "percentile_50", "percentile_75", "reverse", "sort", "argsort", "is_nan", "is_finite", "is_infinite",
        "is_positive", "is_negative", "is_zero", "log2*sqrt", "log2*100", "sec", "cosec", "cot", "arcsinh",
        "arccosh", "arctanh", "poly2", "poly3", "poly4", "custom1", "custom2", "custom3", "empirical_cdf",
        "uniform_cdf", "exponential_cdf",
    )
}  # fmt: skip

_FILLS: dict[str, Callable[[Statistics], float]] = {
    "zero": lambda s: 0.0,
    "nan": lambda s: np.nan,
    "mean": lambda s: s.mean,
    "median": lambda s: s.quantile(0.5),
    "max": lambda s: s.maximum,
    "min": lambda s: s.minimum,
}

# which values are replaced, and by what
_FILLED: dict[str, tuple[Plain, str]] = {
    "fill_nan": (np.isnan, "zero mean median max min"),
    "fill_inf": (np.isinf, "zero mean median max min"),
    "fill_zero": (lambda x: x == 0, "nan mean median max min"),
    "fill_negative": (lambda x: x < 0, "zero nan mean median max min"),
    "fill_positive": (lambda x: x > 0, "zero nan mean median max min"),
    "threshold_10": (lambda x: x > 10, "max min mean median"),
    "threshold_minus_10": (lambda x: x < -10, "zero nan mean median"),
}

_ROW_ORDER = ("cumulative_", "diff", "reverse", "sort", "argsort")


def _only_verbose() -> dict[str, Function]:
    base = {**_EXTENDED, **_VERBOSE}
    absolute = {new: _on_absolute(base[name]) for name, new in _OF_ABSOLUTE.items()}
    square = {new: _on_square(base[name]) for name, new in _OF_SQUARE.items()}
    fills = {
        f"{what}_with_{fill}": _fill(where, _FILLS[fill])
        for what, (where, filled) in _FILLED.items()
        for fill in filled.split()
    }
    return {**_VERBOSE, **absolute, **square, **fills}


def _on_absolute(function: Function) -> Function:
    return lambda x, s: function(np.abs(x), s.absolute)


def _on_square(function: Function) -> Function:
    return lambda x, s: function(np.square(x), s.square)


def _rounded(function: Function, digits: int) -> Function:
    return lambda x, s: np.round(function(x, s), digits)


def _fw() -> dict[str, Function]:
    roots: dict[str, Plain] = {"sqrt": np.sqrt, "log": np.log}
    scales = {"fw": 1, "fw_prob": 100}
    return {
        f"{kind}_{root}_res_{resolution}_gt_{t / scale:g}": _plain(
            partial(_binned, root=roots[root], resolution=resolution, threshold=t / scale)
        )
        for kind, scale in scales.items()
        for resolution in (1, 10, 50, 100)
        for t in (1, 2, 4, 8, 16, 32, 64, 96)
        for root in roots
    }


def _named(functions: dict[str, Function]) -> tuple[Transform, ...]:
    return tuple(Transform(n, f, n.startswith(_ROW_ORDER)) for n, f in functions.items())


_EXTENDED_NAMED = _named(_EXTENDED)

#: Presets by name: minimal 4, default 10, extended 27, extended_rounded 108, fw-transformers 138, verbose
#: 232 transforms.
PRESETS: dict[str, tuple[Transform, ...]] = {
    "minimal": _EXTENDED_NAMED[:4],
    "default": _EXTENDED_NAMED[:10],
    "extended": _EXTENDED_NAMED,
    "extended_rounded": _named(
        {f"{n}_round{d}": _rounded(f, d) for n, f in _EXTENDED.items() for d in (1, 2, 3, 4)}
    ),
    "fw-transformers": _EXTENDED_NAMED[:10] + _named(_fw()),
    "verbose": _EXTENDED_NAMED + _named(_only_verbose()),
}

_SHORT = {"fw": "fw-transformers"}

_ALL = {t.name: t for preset in PRESETS.values() for t in preset}
