"""Hyperbolic and Euclidean geometry as functions of tensors: the Poincaré ball, cones and orders, without labels."""

from cladewise.geometry.ball import (
    clip_norm,
    conformal_factor,
    distance,
    exp,
    exp_origin,
    exp_outside,
    lengthen,
    log,
    log_origin,
    mobius_add,
    project,
    riemannian_gradient,
)
from cladewise.geometry.cones import cone_angle, cone_energy, half_aperture, inner_radius, order_energy
from cladewise.geometry.dtypes import MARGIN
from cladewise.geometry.mlr import ganea_logits, unidirectional_logits
from cladewise.geometry.pairwise import pairwise_cone_energy, pairwise_distance, pairwise_order_energy

__all__ = [
    "MARGIN",
    "clip_norm",
    "cone_angle",
    "cone_energy",
    "conformal_factor",
    "distance",
    "exp",
    "exp_origin",
    "exp_outside",
    "ganea_logits",
    "half_aperture",
    "inner_radius",
    "lengthen",
    "log",
    "log_origin",
    "mobius_add",
    "order_energy",
    "pairwise_cone_energy",
    "pairwise_distance",
    "pairwise_order_energy",
    "project",
    "riemannian_gradient",
    "unidirectional_logits",
]
