"""NEXUS files: the tree in a TREES block, with its TRANSLATE table or numbered taxa.

Maddison, Swofford and Maddison 1997, https://doi.org/10.1093/sysbio/46.4.590
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cladewise.errors import InputError
from cladewise.taxonomy.formats.phylogenies.newick_tokens import Text, Token

_TREES = re.compile(r"\bbegin\s+trees\s*;(?P<inside>.*?)\bend(?:block)?\s*;", re.IGNORECASE | re.DOTALL)
_TAXA = (  # a semicolon in quotes ends nothing; a lone apostrophe quotes nothing
    re.compile(r"\btaxlabels\b(?P<inside>(?:'(?:[^']|'')*+'|\[[^\]]*\]|[^;'\[])*+);", re.IGNORECASE),
    re.compile(r"\btaxlabels\b(?P<inside>.*?);", re.IGNORECASE | re.DOTALL),
)
_WORD = re.compile(r"\[[^\]]*\]|'(?P<quoted>(?:[^']|'')*)'|(?P<bare>[^\s\[\]']+)")


def is_nexus(text: str) -> bool:
    """Whether text is NEXUS.

    Example:
        >>> is_nexus("#nexus\\nbegin trees; end;"), is_nexus("(a,b);")
        (True, False)
    """
    return text.lstrip()[:6].upper() == "#NEXUS"


def tree_of_nexus(text: Text) -> tuple[list[Token], Mapping[str, Token]]:
    """Tokens of the only tree of a file, and the name that each leaf label stands for.

    Raises:
        InputError: The file has no tree, or several.
    """
    trees: list[list[Token]] = []
    names: dict[str, Token] = {}
    for block in _TREES.finditer(text.content):
        statement: list[Token] = []
        for token in text.tokens(*block.span("inside")):
            statement.append(token)
            if token.text != ";" or token.kind != "mark":
                continue
            word = statement[0].text.split()[0].lower() if statement[0].text.split() else ""
            if word == "translate":
                names.update(_translation(text, statement))
            elif word in ("tree", "utree"):
                trees.append(_newick(text, statement))
            statement = []
    if len(trees) != 1:
        got = f"{len(trees)} trees" if trees else "none in a block that begins with 'begin trees;'"
        raise InputError("one tree in the NEXUS file", got, at=text.source, advice="Keep one tree." if trees else "")
    return trees[0], names or _numbered_taxa(text, trees[0])


def _newick(text: Text, statement: list[Token]) -> list[Token]:
    """The text after ``tree NAME =``."""
    for position, token in enumerate(statement):
        if token.kind == "bare" and token.text.endswith("="):
            return statement[position + 1 :]
    raise text.wrong("a tree without '=' before it", statement[0].position)


def _translation(text: Text, statement: list[Token]) -> dict[str, Token]:
    """Parse ``translate 1 wren, 2 'two words';``: pairs of a label and a name, separated by commas."""
    names: dict[str, Token] = {}
    words: list[Token] = []
    first = statement[0]
    for token in [Token("bare", first.text[len("translate") :].strip(), first.position), *statement[1:]]:
        if token.kind != "mark":
            words += [token] if token.kind == "quoted" else [token._replace(text=part) for part in token.text.split()]
        elif token.text in ",;":
            if len(words) == 2:
                names[words[0].text] = words[1]
            elif words:
                raise text.wrong(f"{len(words)} words instead of a label and its name in 'translate'", token.position)
            words = []
    return names


def _numbered_taxa(text: Text, tree: list[Token]) -> dict[str, Token]:
    """Without a translation, numbers from 1 stand for the labels of the TAXA block, unless leaves use these labels."""
    found = _TAXA[0].search(text.content) or _TAXA[1].search(text.content)
    labels: list[Token] = []
    for word in _WORD.finditer(found["inside"]) if found else ():
        if word["quoted"] is not None:
            labels.append(Token("quoted", word["quoted"].replace("''", "'"), word.start()))
        elif word["bare"] is not None:
            labels.append(Token("bare", word["bare"], word.start()))
    known = {label.text.replace("_", " ") for label in labels}
    if any(token.kind != "mark" and token.text.replace("_", " ") in known for token in tree):
        return {}
    return {str(number): label for number, label in enumerate(labels, start=1)}
