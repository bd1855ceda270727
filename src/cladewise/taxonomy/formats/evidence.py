"""Detection of a file's form from its content.

A file's name says little: many tools write ``.csv`` and ``.json``. So every form defines its evidence, a property that
files of other forms do not have, and a file is read only if exactly one form finds its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from cladewise.errors import InputError

Seen = TypeVar("Seen")


@dataclasses.dataclass(frozen=True)
class Form(Generic[Seen]):
    """A form in which files represent trees.

    Attributes:
        name: Its name, as in the option ``format``.
        title: Its description for messages: ``"edges (a column of nodes and one of their parents)"``.
        evidence: Returns a reason why content has this form, as a phrase that follows "because of"; None if there is
            none.
    """

    name: str
    title: str
    evidence: Callable[[Seen], str | None]


def only_form(seen: Seen, forms: Sequence[Form[Seen]], *, saw: str, source: str, advice: str) -> Form[Seen]:
    """The only form with evidence in the content.

    Args:
        seen: Content of a file.
        forms: The known forms.
        saw: Short description of the content, for messages: ``"a table with the columns 'a', 'b'"``.
        source: The file, for messages.
        advice: The options that decide, as Python arguments: ``'Choose one with format="edges".'``

    Raises:
        InputError: No form, or more than one, has evidence.

    Example:
        >>> even = Form[int]("even", "an even number", lambda n: "the last bit" if n % 2 == 0 else None)
        >>> only_form(4, [even], saw="4", source="here", advice="").name
        'even'
    """
    found = [(form, because) for form in forms if (because := form.evidence(seen)) is not None]
    if len(found) == 1:
        return found[0][0]
    known = "; ".join(form.title for form in forms)
    if found:
        could_be = " or ".join(f"{form.name} (because of {because})" for form, because in found)
        raise InputError(
            f"exactly one known form: {known}", f"{saw}, which could be {could_be}", at=source, advice=advice
        )
    raise InputError(f"a known form: {known}", f"{saw}, which matches none of them", at=source, advice=advice)
