"""Click logs: rare positives, Zipf identities, planted effects, and noise of every cardinality."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import polars as pl

from salience.data.generators.drawing import Truth

__all__ = ["Clicks"]


@dataclass(frozen=True)
class Clicks:
    """A click-through-rate problem.

    The logit of a click is an intercept (set so that the share of clicks is `rate`), plus an effect for each
    user, ad, device and hour, plus an effect of the user's segment together with the ad's category. That
    last effect has mean zero over the categories of every segment and over the segments of every category.
    All columns are text, as identities in logs are, except ``hour``.

    ``segment`` and ``category`` alone say a little, as any grouping of users and ads that have effects does;
    `truth` names what was planted.

    Parameters
    ----------
    users, ads : int, default 100_000 and 10_000
        Number of identities; both are drawn by Zipf's law, so most are rare.
    segments, categories : int, default 8 and 12
        Every user is in one segment, every ad in one category.
    noise : int, default 40
        Number of columns without any relation to the click, ``n0``, ``n1``, ...; every second one is drawn
        by Zipf's law.
    smallest, largest : int, default 2 and 50_000
        Cardinality of the first and last noise column; it grows geometrically in between.
    rate : float, default 0.03
        Share of clicks.
    zipf : float, default 1.05
        Exponent of Zipf's law.
    user_effect, ad_effect, device_effect, hour_effect, cross_effect : float
        Standard deviation of each effect on the logit.
    world : int, default 0
        Seed of effects, segments and categories. The rows come from the seed of `generate`.
    label : str, default "click"
        Name of the label, 0 or 1.

    Examples
    --------
    >>> from salience.data.generators import generate
    >>> planted = generate(Clicks(noise=5), rows=1000)
    >>> planted.frame.columns
    ['user', 'ad', 'segment', 'category', 'device', 'hour', 'n0', 'n1', 'n2', 'n3', 'n4', 'click']
    >>> planted.truth
    (('user',), ('ad',), ('device',), ('hour',), ('segment', 'category'))
    """

    users: int = 100_000
    ads: int = 10_000
    segments: int = 8
    categories: int = 12
    noise: int = 40
    smallest: int = 2
    largest: int = 50_000
    rate: float = 0.03
    zipf: float = 1.05
    user_effect: float = 0.5
    ad_effect: float = 0.8
    device_effect: float = 0.6
    hour_effect: float = 0.4
    cross_effect: float = 0.8
    world: int = 0
    label: str = "click"

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ValueError(f"rate is a share of clicks between 0 and 1, got {self.rate}")
        if min(self.users, self.ads, self.segments, self.categories, self.smallest) < 1 or self.noise < 0:
            raise ValueError(
                f"every number of identities must be at least 1, and noise at least 0, got {self}"
            )

    @property
    def truth(self) -> Truth:
        """Main effects, then the interaction."""
        return (("user",), ("ad",), ("device",), ("hour",), ("segment", "category"))

    @property
    def noise_cardinalities(self) -> dict[str, int]:
        """Number of values of every noise column."""
        sizes = np.geomspace(self.smallest, self.largest, self.noise).round().astype(int)
        return {f"n{i}": int(size) for i, size in enumerate(sizes)}

    def draw(self, rows: int, rng: np.random.Generator, first: int = 0) -> pl.DataFrame:
        """Draw rows."""
        world = _world(self)
        codes = _draw_codes(self, rows, rng)
        logit = world.intercept + _effects(world, codes)
        columns = {
            "user": _texts("u", self.users, codes["user"]),
            "ad": _texts("a", self.ads, codes["ad"]),
            "segment": _texts("s", self.segments, world.segment[codes["user"]]),
            "category": _texts("c", self.categories, world.category[codes["ad"]]),
            "device": _texts("d", _DEVICES, codes["device"]),
            "hour": pl.Series(codes["hour"]),
        }
        for i, (name, size) in enumerate(self.noise_cardinalities.items()):
            drawn = _zipf(size, self.zipf, rows, rng) if i % 2 else rng.integers(0, size, size=rows)
            columns[name] = _texts("v", size, drawn)
        click = rng.random(rows) < 1 / (1 + np.exp(-logit))
        columns[self.label] = pl.Series(click.astype(np.int32))
        return pl.DataFrame(columns)


_DEVICES = 5
_HOURS = 24


class _World(NamedTuple):
    """What is fixed before any row is drawn."""

    segment: np.ndarray  # int32 (users,)
    category: np.ndarray  # int32 (ads,)
    user: np.ndarray  # float64 (users,), like the three that follow an effect on the logit
    ad: np.ndarray
    device: np.ndarray
    hour: np.ndarray
    cross: np.ndarray  # float64 (segments, categories)
    intercept: float


@lru_cache(maxsize=8)
def _world(recipe: Clicks) -> _World:
    rng = np.random.default_rng([recipe.world, 1])
    cross = rng.standard_normal((recipe.segments, recipe.categories))
    cross -= cross.mean(axis=0)
    cross -= cross.mean(axis=1, keepdims=True)
    world = _World(
        segment=rng.integers(0, recipe.segments, size=recipe.users, dtype=np.int32),
        category=rng.integers(0, recipe.categories, size=recipe.ads, dtype=np.int32),
        user=recipe.user_effect * rng.standard_normal(recipe.users),
        ad=recipe.ad_effect * rng.standard_normal(recipe.ads),
        device=recipe.device_effect * rng.standard_normal(_DEVICES),
        hour=recipe.hour_effect * np.sqrt(2) * np.sin(np.arange(_HOURS) * (2 * np.pi / _HOURS)),
        cross=recipe.cross_effect * cross,
        intercept=0.0,
    )
    pilot = _effects(world, _draw_codes(recipe, 200_000, rng))
    return world._replace(intercept=_intercept(pilot, recipe.rate))


def _draw_codes(recipe: Clicks, rows: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "user": _zipf(recipe.users, recipe.zipf, rows, rng),
        "ad": _zipf(recipe.ads, recipe.zipf, rows, rng),
        "device": rng.integers(0, _DEVICES, size=rows, dtype=np.int32),
        "hour": rng.integers(0, _HOURS, size=rows, dtype=np.int32),
    }


def _effects(world: _World, codes: dict[str, np.ndarray]) -> np.ndarray:
    main = (
        world.user[codes["user"]]
        + world.ad[codes["ad"]]
        + world.device[codes["device"]]
        + world.hour[codes["hour"]]
    )
    return main + world.cross[world.segment[codes["user"]], world.category[codes["ad"]]]


def _intercept(logits: np.ndarray, rate: float) -> float:
    low, high = -50.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        too_many = np.mean(1 / (1 + np.exp(-(logits + middle)))) > rate
        low, high = (low, middle) if too_many else (middle, high)
    return (low + high) / 2


@lru_cache(maxsize=64)
def _zipf_steps(size: int, exponent: float) -> np.ndarray:
    steps = np.cumsum(np.arange(1, size + 1, dtype=np.float64) ** -exponent)
    return steps / steps[-1]


def _zipf(size: int, exponent: float, rows: int, rng: np.random.Generator) -> np.ndarray:
    return np.searchsorted(_zipf_steps(size, exponent), rng.random(rows), side="right").astype(np.int32)


@lru_cache(maxsize=64)
def _vocabulary(prefix: str, size: int) -> pl.Series:
    return pl.Series([f"{prefix}{i}" for i in range(size)])


def _texts(prefix: str, size: int, codes: np.ndarray) -> pl.Series:
    return _vocabulary(prefix, size).gather(pl.Series(codes))
