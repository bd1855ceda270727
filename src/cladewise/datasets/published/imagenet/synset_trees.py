"""Trees of ImageNet's classes: the one of Making Better Mistakes, and WordNet's hypernyms."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cladewise.datasets.published.imagenet.synset_lists import WORDNET_ADVICE
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.wordnet import Synset, read_synsets, read_wordnet
from cladewise.taxonomy.names.columns import ID

ROOT = "n00001930"
"""Physical entity, the root of the trees of Making Better Mistakes."""
_MOVED = {  # traffic sign and traffic light to signboard instead of sign, and bubble to the artifact sphere
    "n06794110": ("n06793231", "n04217882"),
    "n06874185": ("n06874019", "n04217882"),
    "n13899404": ("n13899200", "n04274530"),
}
_CHOSEN = {  # of equally long paths upwards, where the published tree does not follow WordNet's first hypernym
    "n03773504": "n04565375",  # missile: weapon, not rocket
    "n03876231": "n02730265",  # paintbrush: applicator, not brush
    "n04004767": "n04004475",  # printer: the machine, not peripheral
    "n04118021": "n03405265",  # rug: furnishing, not floor cover
    "n04149813": "n04217882",  # scoreboard: signboard, not board
    "n06595351": "n06589574",  # magazine: publication, not press
}


def tree_of_longest_paths(synsets: Mapping[str, Synset], classes: Sequence[str], at: str) -> list[tuple[str, str]]:
    """Pairs (parent, child) of the tree that Making Better Mistakes makes of WordNet, for any classes of ImageNet.

    Each class keeps its longest path of hypernyms up to physical entity, and synsets with a single child are left out.
    Three synsets are moved, and of equally long paths one is chosen, both as in the published tree. For all thousand
    classes it has 1,372 nodes.

    Raises:
        InputError: A class is not in this WordNet, or not below physical entity.

    Example:
        >>> above = {ROOT: (), "n2": (ROOT,), "n3": ("n2", ROOT), "n4": ("n3",), "n5": ("n3",), "n6": ("n2",)}
        >>> synsets = {one: Synset(one, (one,), hypernyms, "") for one, hypernyms in above.items()}
        >>> tree_of_longest_paths(synsets, ["n4", "n5"], "here")  # n2 and n3 have a single child each, n3 two
        [('n00001930', 'n3'), ('n3', 'n4'), ('n3', 'n5')]
    """
    _check_known(synsets, classes, at)

    @functools.cache
    def length(synset: str) -> int:
        return 0 if synset == ROOT else 1 + max((length(above) for above in hypernyms(synset)), default=-(10**9))

    def hypernyms(synset: str) -> list[str]:
        old, new = _MOVED.get(synset, ("", ""))
        return [new if above == old else above for above in synsets[synset].hypernyms]

    parent: dict[str, str] = {}
    for synset in classes:
        if length(synset) < 0:
            raise InputError("classes below physical entity", f"{synset} ({synsets[synset].words[0]})", at=at)
        while synset != ROOT and synset not in parent:
            above = hypernyms(synset)
            chosen = _CHOSEN.get(synset)
            parent[synset] = chosen if chosen in above else max(above, key=length)  # the first of equal ones
            synset = parent[synset]
    children = Counter(parent.values())
    kept = {synset for synset in parent if children[synset] > 1} | set(classes) | {ROOT}
    pairs: list[tuple[str, str]] = []
    for synset in sorted(kept - {ROOT}):
        above = parent[synset]
        while above not in kept:
            above = parent[above]
        pairs.append((above, synset))
    return pairs


def pairs_above(pairs: Iterable[tuple[str, str]], classes: Sequence[str], at: str) -> list[tuple[str, str]]:
    """The pairs (parent, child) of a tree that are above some of its leaves.

    Raises:
        InputError: A class is not in the tree.

    Example:
        >>> pairs_above([("a", "b"), ("a", "c"), ("c", "d")], ["d"], "here")
        [('a', 'c'), ('c', 'd')]
    """
    listed = list(pairs)
    parent = {child: above for above, child in listed}
    unknown = [one for one in classes if one not in parent]
    if unknown:
        raise InputError("classes of the tree", some(unknown), at=at)
    kept: set[str] = set()
    for one in classes:
        while one in parent and one not in kept:
            kept.add(one)
            one = parent[one]
    return [(above, child) for above, child in listed if child in kept]


def tree_of_pairs(pairs: Sequence[tuple[str, str]], names: Mapping[str, str]) -> Taxonomy:
    """The tree of pairs (parent, child) of synsets, with their ids and names."""
    every = {one: names.get(one, one) for pair in pairs for one in pair}
    return Taxonomy.from_edges(pairs, direction="parent-child", names=every)


def hypernym_graph(file: Path, classes: Sequence[str]) -> Taxonomy:
    """WordNet's hypernyms of some classes, with all parents.

    A synset whose children have another primary parent would be a leaf without being a class; it is left out, and its
    children get its parents as further parents.

    Raises:
        InputError: A class is not in this WordNet.
    """
    _check_known(read_synsets(file), classes, str(file))
    tree = read_wordnet(file, ids=classes, parents="all")
    wanted = set(classes)
    ids: list[str] = tree.columns[ID].tolist()
    above = {node: list(map(int, tree.all_parents(node))) for node in range(tree.num_nodes)}
    children = Counter(parents[0] for node, parents in above.items() if node)
    gone: set[int] = set()
    for node in reversed(range(tree.num_nodes)):  # in pre-order a node follows its parent
        if children[node] == 0 and ids[node] not in wanted:
            gone.add(node)
            children[above[node][0]] -= 1
    for node in range(tree.num_nodes):
        while lost := [parent for parent in above[node][1:] if parent in gone]:
            more = [parent for one in lost for parent in above[one]]
            above[node] = [above[node][0], *dict.fromkeys(p for p in above[node][1:] + more if p not in lost)]
    kept = [node for node in range(tree.num_nodes) if node not in gone]
    place = {node: position for position, node in enumerate(kept)}
    further = [
        (place[node], place[parent])
        for node in kept
        for parent in above[node][1:]
        if not tree.covers(parent, above[node][0])  # an ancestor already
    ]
    return Taxonomy.from_parents(
        [place[above[node][0]] if node else -1 for node in kept],
        tree.names[kept],
        columns={key: texts[kept] for key, texts in tree.columns.items()},
        further_parents=further or None,
    )


def _check_known(synsets: Mapping[str, Synset], classes: Sequence[str], at: str) -> None:
    unknown = [one for one in classes if one not in synsets]
    if unknown:
        raise InputError("the synsets of ImageNet in WordNet", f"none of {some(unknown)}", at=at, advice=WORDNET_ADVICE)
