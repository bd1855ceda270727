"""Metrics of nodes with several parents, one image at a time on sets of ancestors from networkx."""

from __future__ import annotations

import math
from collections.abc import Sequence

import networkx as nx

from cladewise.taxonomy import Taxonomy
from reference.metrics_twin import representative

NAN = math.nan


class Graph:
    """All edges of a taxonomy."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self.edges = nx.DiGraph([(int(taxonomy.parents[v]), v) for v in range(1, taxonomy.num_nodes)])
        self.edges.add_node(0)
        self.edges.add_edges_from((p, v) for v, p in taxonomy.further_parents.tolist())
        self.above = [nx.ancestors(self.edges, v) | {v} for v in taxonomy]
        self.leaves = [v for v in taxonomy if not (taxonomy.parents == v).any()]

    def height(self, node: int) -> int:
        return max((1 + self.height(child) for child in self.edges.successors(node)), default=0)

    def num_leaves(self, node: int) -> int:
        return sum(node in self.above[leaf] for leaf in self.leaves)

    def information(self, node: int) -> float:
        return math.log2(len(self.leaves) / self.num_leaves(node))

    def distance(self, predicted: int, target: int) -> float:
        if target in self.above[predicted]:
            return 0.0
        return float(min(self.height(v) for v in self.above[predicted] & self.above[target]))

    def at_level(self, node: int, level: int) -> set[int]:
        """The representative at a level, and all ancestors of the level that are not on the path."""
        path = set(self.taxonomy.path(node))
        further = {v for v in self.above[node] - path if self.taxonomy.level[v] == level}
        return {representative(self.taxonomy, node, level)} | further

    def evaluate(self, decided: int | Sequence[int], ranking: Sequence[int], target: int) -> dict[str, float]:
        """The metrics of one image under their names; ``decided`` is a node, or a node for each level."""
        t, above = self.taxonomy, self.above
        levels = range(1, t.num_levels + 1)
        node = decided if isinstance(decided, int) else decided[-1]
        reached = target if target in above[node] else node
        far = [self.distance(v, target) for v in ranking]
        values = {"top1": float(target in above[node]), "top5": float(any(target in above[v] for v in ranking[:5]))}
        values |= {"hd@1": self.distance(node, target), "severity": self.distance(node, target) or NAN}
        values |= {f"hd@{k}": sum(far[:k]) / len(far[:k]) for k in (5, 20)}
        right = list[float]()
        for k in levels:
            answer = decided if isinstance(decided, int) else decided[k - 1]
            same = float(bool(self.at_level(answer, k) & self.at_level(target, k)))
            speaks = k <= t.level[target] or target in self.leaves
            values[f"level_accuracy/{t.level_names[k - 1]}"] = same if speaks else NAN
            right += [same] if speaks else []
        values["full_path"] = float(all(right)) if right else NAN
        steps = [] if isinstance(decided, int) else list(enumerate(decided, start=1))
        further = above[node] - set(t.path(node))
        values["tice"] = float(any(v not in further | {representative(t, node, k)} for k, v in steps))
        parents = [set(self.edges.predecessors(v)) or {-1} for v in (reached, target)]
        values["sibling"] = float(reached == target or bool(parents[0] & parents[1]))
        common = above[reached] & above[target]
        best = max(self.information(v) for v in common)
        amounts = {"info": (best, self.information(target), self.information(reached))}
        amounts["depth"] = tuple(float(len(nodes) - 1) for nodes in (common, above[target], above[reached]))
        for unit, (shared, wanted, said) in amounts.items():
            recall, precision = shared / wanted if wanted else 1.0, shared / said if said else 1.0
            f1 = 2 / (1 / recall + 1 / precision) if recall and precision else 0.0
            values |= {f"{unit}_recall": recall, f"{unit}_precision": precision, f"{unit}_f1": f1}
        values["correct"] = float(reached in above[target])
        values["under_specific"] = float(bool(values["correct"]) and reached != target)
        values["over_specific"] = float(not values["correct"] and best > 0)
        under = self.num_leaves(reached)
        total = len(self.leaves)
        values["specificity"] = 1 - math.log(self.num_leaves(node)) / math.log(total) if total > 1 else 1.0
        values["cpb"] = (1.0 if under == 1 else 1 - under / len(self.leaves)) if values["correct"] else 0.0
        values["leaf_answers"] = float(node in self.leaves)
        return values
