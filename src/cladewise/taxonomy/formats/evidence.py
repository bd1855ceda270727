"""Which form a file has: the one form, and only one, whose evidence is in it.

A file's name says little: many tools write ``.csv`` and ``.json``. So every form that can be read states its evidence,
a property that files of other forms do not have, and a file is read only where exactly one form finds its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from cladewise.errors import InputError

Seen = TypeVar("Seen")


@dataclasses.dataclass(frozen=True)
class Form(Generic[Seen]):
    """One form that trees come in.

    Attributes:
        name: Its word for the option ``format``.
        title: Its description for an error text: ``"edges (a column of nodes and one of their parents)"``.
        evidence: Returns what shows that content has this form, as a phrase that follows "because of"; None where
            nothing shows it.
    """

    name: str
    title: str
    evidence: Callable[[Seen], str | None]


def only_form(seen: Seen, forms: Sequence[Form[Seen]], *, saw: str, source: str, advice: str) -> Form[Seen]:
    """The one form whose evidence is in the content.

    Args:
        seen: Content of a file, as the forms take it.
        forms: The forms that are known.
        saw: Short description of the content, for the error text: ``"a table with the columns 'a', 'b'"``.
        source: The file, for the error text.
        advice: The options that decide, as arguments: ``'Say which with format="edges".'``

    Raises:
        InputError: No form, or more than one, has evidence. The text names what was seen and the known forms.

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
    raise InputError(f"a known form: {known}", f"{saw}, which shows none of them", at=source, advice=advice)
