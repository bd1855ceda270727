"""Thresholds that differ by level and by branch."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import decisions
from cladewise.catalogue import from_spec
from cladewise.decisions import Threshold
from cladewise.decisions.threshold import thresholds_by_node
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from reference.given_predictions import KINDS, random_prediction
from reference.small_trees import ragged_taxonomies


def threshold_of(taxonomy: Taxonomy, node: int, common: float, named: dict[str, float]) -> float:
    """One node at a time: the nearest ancestor or self that is named, then the level, then the common one."""
    above = node
    while above >= 0:
        if taxonomy.path_name(above) in named:
            return named[taxonomy.path_name(above)]
        above = int(taxonomy.parents[above])
    level = int(taxonomy.level[node])
    return named.get(taxonomy.level_names[level - 1], common) if level else common


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6), st.data())
@settings(max_examples=40)
def test_answers_agree_with_one_node_at_a_time(taxonomy: Taxonomy, kind: str, seed: int, data: st.DataObject) -> None:
    paths = [taxonomy.path_name(v) for v in range(1, taxonomy.num_nodes)]
    paths = [path for path in paths if paths.count(path) == 1]
    names = data.draw(st.lists(st.sampled_from([*taxonomy.level_names, *paths]), max_size=4, unique=True))
    named = {name: data.draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.8])) for name in names}
    try:
        taxonomy.find(paths)
    except InputError:  # a path that is the name of another node too
        named = {name: value for name, value in named.items() if name in taxonomy.level_names}
    prediction = random_prediction(kind, taxonomy, 5, seed=seed)
    answer = Threshold(0.4, by_name=named)(prediction).node  # pyright: ignore[reportArgumentType]
    p = prediction.log_prob.exp().tolist()
    for image in range(5):
        best, key = 0, (-1.0, -1.0)
        for v in range(taxonomy.num_nodes):
            enough = p[image][v] > threshold_of(taxonomy, v, 0.4, named) * (1 + 1e-5)
            if enough and len(taxonomy.children(v)) != 1 and (float(taxonomy.information[v]), p[image][v]) > key:
                best, key = v, (float(taxonomy.information[v]), p[image][v])
        assert answer[image] == best, (image, named)


def test_names_are_found_as_users_write_them() -> None:
    taxonomy = Taxonomy.from_paths(
        [("Aves", "Passer", "Passer domesticus"), ("Aves", "St. Kilda", "wren"), ("Mammalia", "Homo", "Homo sapiens")],
        level_names=["class", "genus", "species"],
    )
    rule = from_spec(
        decisions.available(), "decision", "threshold:genus=0.6,Homo sapiens=0.2,Aves/St. Kilda=0.3,Aves=0.7"
    )
    assert isinstance(rule, Threshold)
    bars = thresholds_by_node(taxonomy, rule.threshold, rule.by_name)
    said = dict(zip(map(taxonomy.path_name, range(taxonomy.num_nodes)), bars.tolist(), strict=True))
    assert said["Aves/Passer/Passer domesticus"] == 0.7
    assert said["Aves/St. Kilda/wren"] == 0.3
    assert (said["Mammalia"], said["Mammalia/Homo"], said["Mammalia/Homo/Homo sapiens"]) == (0.9, 0.6, 0.2)
    with pytest.raises(InputError, match=re.escape("a level (class, genus, species) or a node, but got 'famly'")):
        Threshold(by_name=(("famly", 0.5),))(random_prediction("LeafSoftmax", taxonomy, 1))
    both = Taxonomy.from_paths([("genus", "a"), ("b", "c")], level_names=["genus", "species"])
    with pytest.raises(InputError, match="'genus', which is both"):
        Threshold(by_name=(("genus", 0.5),))(random_prediction("LeafSoftmax", both, 1))


def test_one_threshold_for_every_level_is_the_common_one() -> None:
    taxonomy = Taxonomy.from_paths([(a, b, c) for a in "xyz" for b in "uv" for c in "klm"])
    prediction = random_prediction("LeafSoftmax", taxonomy, 30, seed=3, dtype=torch.float32)
    named = dict.fromkeys(taxonomy.level_names, 0.3)
    assert Threshold(0.3)(prediction).node.equal(Threshold(0.3, by_name=named)(prediction).node)  # pyright: ignore[reportArgumentType]
    assert np.unique(Threshold(0.3)(prediction).node).size > 3
