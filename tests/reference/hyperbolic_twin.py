"""Hyperbolic geometry as the textbooks print it, for one pair of points, in fifty digits."""

from __future__ import annotations

from collections.abc import Sequence

import mpmath as mp

mp.mp.dps = 50
Vector = Sequence[mp.mpf]


def vector(values: Sequence[float]) -> Vector:
    return [mp.mpf(float(value)) for value in values]


def dot(x: Vector, y: Vector) -> mp.mpf:
    return mp.fsum(a * b for a, b in zip(x, y, strict=True))


def norm(x: Vector) -> mp.mpf:
    return mp.sqrt(dot(x, x))


def scaled(factor: mp.mpf, x: Vector) -> Vector:
    return [factor * a for a in x]


def added(x: Vector, y: Vector) -> Vector:
    return [a + b for a, b in zip(x, y, strict=True)]


def mobius_add(x: Vector, y: Vector, c: float) -> Vector:
    xy, xx, yy = dot(x, y), dot(x, x), dot(y, y)
    above = added(scaled(1 + 2 * c * xy + c * yy, x), scaled(1 - c * xx, y))
    return scaled(1 / (1 + 2 * c * xy + c**2 * xx * yy), above)


def conformal_factor(x: Vector, c: float) -> mp.mpf:
    return 2 / (1 - c * dot(x, x))


def exp(x: Vector, v: Vector, c: float) -> Vector:
    """By sinh and cosh: Ganea et al. (cones), Theorem 1, of the unit ball, with lengths in units of its radius."""
    unit = mp.sqrt(c)
    x, v = scaled(unit, x), scaled(unit, v)
    factor, length = conformal_factor(x, 1), norm(v)
    if length == 0:
        return scaled(1 / unit, x)
    way = scaled(1 / length, v)
    cosh, sinh, along = mp.cosh(factor * length), mp.sinh(factor * length), dot(x, way)
    q = 1 + (factor - 1) * cosh + factor * along * sinh
    end = added(scaled(factor * (cosh + along * sinh) / q, x), scaled(sinh / q, way))
    return scaled(1 / unit, end)


def log(x: Vector, y: Vector, c: float) -> Vector:
    w = mobius_add(scaled(mp.mpf(-1), x), y, c)
    length, unit = norm(w), mp.sqrt(c)
    return w if length == 0 else scaled(2 / (unit * conformal_factor(x, c)) * mp.atanh(unit * length) / length, w)


def distance(x: Vector, y: Vector, c: float) -> mp.mpf:
    apart = added(x, scaled(mp.mpf(-1), y))
    ratio = 2 * c * dot(apart, apart) / ((1 - c * dot(x, x)) * (1 - c * dot(y, y)))
    return mp.acosh(1 + ratio) / mp.sqrt(c)


def half_aperture(x: Vector, aperture: float, c: float) -> mp.mpf:
    return mp.asin(min(mp.mpf(1), mp.mpf(aperture) * (1 - c * dot(x, x)) / norm(x)))


def cone_angle(x: Vector, y: Vector, c: float) -> mp.mpf:
    xy, xx, yy = dot(x, y), dot(x, x), dot(y, y)
    apart = added(x, scaled(mp.mpf(-1), y))
    above = xy * (1 + c * xx) - xx * (1 + c * yy)
    below = norm(x) * norm(apart) * mp.sqrt(1 + c**2 * xx * yy - 2 * c * xy)
    return mp.acos(max(mp.mpf(-1), min(mp.mpf(1), above / below)))


def ganea_logit(x: Vector, point: Vector, normal: Vector, c: float) -> mp.mpf:
    unit = mp.sqrt(c)
    p = exp(vector([0.0] * len(x)), point, c)
    a = scaled(1 - c * dot(p, p), normal)
    w = mobius_add(scaled(mp.mpf(-1), p), x, c)
    sine = 2 * unit * dot(w, a) / ((1 - c * dot(w, w)) * norm(a))
    return conformal_factor(p, c) * norm(a) / unit * mp.asinh(sine)


def unidirectional_logit(x: Vector, z: Vector, r: mp.mpf, c: float) -> mp.mpf:
    unit, way = mp.sqrt(c), scaled(1 / norm(z), z)
    turn, xx = 2 * unit * r, dot(x, x)
    above = 2 * unit * dot(x, way) * mp.cosh(turn) - (1 + c * xx) * mp.sinh(turn)
    return 2 * norm(z) / unit * mp.asinh(above / (1 - c * xx))
