"""Metadata of an exported file: the label tree, the rules, the images, the weights."""

from __future__ import annotations

import inspect
import json
import math
import tomllib
from typing import Any

from torch import Tensor

from cladewise.engine.rules import spec_of
from cladewise.engine.run import Run
from cladewise.exporting.graph import ALLOWED, RunGraph
from cladewise.taxonomy import Taxonomy
from cladewise.version import __version__

SCHEMA_VERSION = 1
"""Incremented whenever an older reader would misread the metadata."""


def about(run: Run, graph: RunGraph) -> dict[str, str]:
    """Facts by name, as texts: plain ones, and JSON for all that has parts.

    ============================  ====================================================================================
    name                          content
    ============================  ====================================================================================
    ``schema_version``            version of this table
    ``cladewise``, ``method``     version of the package, and the method with its options
    ``model``                     hash of the weights
    ``taxonomy``                  ``name``, ``parent`` and ``level`` (0 for the root) of every node, in node order;
                                  ``level_names``; ``leaves``, the nodes of the leaves
    ``inference``, ``decision``   the rules as specs, with ``fitted_on``, the split that they were fitted on
    ``promises``                  shares of right answers that the rule promises, by name; empty for all answers
    ``inputs``                    meaning and default of every input but the first
    ``outputs``                   names of the outputs
    ``images``                    name, root and credit (authors and licence) of the images it was trained on, and
                                  ``decoded_at_least``, the side from which on a JPEG may be decoded at a smaller size
    ``precision``                 precision of the encoder
    ``measured``                  the comparison with torch; see :class:`~cladewise.exporting.checking.Checked`, or
                                  :class:`~cladewise.exporting.loss.Loss` where the encoder has a lower precision
    ============================  ====================================================================================
    """
    decision = graph.rules.decision
    taxonomy = graph.taxonomy
    facts: dict[str, Any] = {
        "schema_version": str(SCHEMA_VERSION),
        "cladewise": __version__,
        "method": {"name": run.config.method, **run.config.options},
        "encoder": run.backbone.name,
        "model": run.model_hash,
        "taxonomy": tree(taxonomy),
        "inference": spec_of(graph.rules.inference),
        "decision": spec_of(decision),
        "fitted_on": graph.rules.split,
        "promises": {promise.name: promise.share for promise in decision.promises(taxonomy)},
        "inputs": {name: described(name, value, graph) for name, value in graph.defaults.items()},
        "outputs": list(graph.output_names),
        "images": {**_images(run), "decoded_at_least": run.backbone.transform().decode_size or 0},
    }
    return {name: fact if isinstance(fact, str) else _json(fact) for name, fact in facts.items()}


def tree(taxonomy: Taxonomy) -> dict[str, Any]:
    """A label tree as plain values, in node order."""
    return {
        "name": [str(name) for name in taxonomy.names],
        "parent": taxonomy.parents.tolist(),
        "level": taxonomy.level.tolist(),
        "level_names": list(taxonomy.level_names),
        "leaves": taxonomy.leaf_nodes.tolist(),
    }


def described(name: str, value: Tensor, graph: RunGraph) -> dict[str, Any]:
    """Meaning, type, shape and default of an input."""
    meaning = "Whether each leaf is possible, in the order of the leaves in node order."
    if name != ALLOWED:
        meaning = (inspect.getdoc(type(graph.rules.decision.final).adjustable) or "").partition("\n")[0]
    default = "all" if name == ALLOWED and bool(value.all()) else value.tolist()
    return {"meaning": meaning, "dtype": str(value.dtype)[6:], "shape": list(value.shape), "default": default}


def _images(run: Run) -> dict[str, Any]:
    """Facts about the run's images from its configuration."""
    with run.folder.config.open("rb") as file:
        said = tomllib.load(file).get("images", {})
    return {key: value for key, value in said.items() if key != "root"}


def _json(value: Any) -> str:
    def plain(part: Any) -> Any:
        if isinstance(part, float) and not math.isfinite(part):
            return str(part)
        if isinstance(part, dict):
            return {key: plain(one) for key, one in part.items()}
        return [plain(one) for one in part] if isinstance(part, list | tuple) else part

    return json.dumps(plain(value), ensure_ascii=False)
