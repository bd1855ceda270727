"""A prediction job: everything that determines the rows of its parts, so that a resumed one continues the same job."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal

from cladewise.errors import InputError
from cladewise.records import SCHEMA_VERSION
from cladewise.records.reading import building, check_schema
from cladewise.runtimes import Precision
from cladewise.scale.folder import JOB_FILE, Folder
from cladewise.version import __version__

Kept = Literal["features", "scores"]
_ADVICE = "Give another out=..., or remove this folder."
_TEXTS = {
    "model": "the weights",
    "taxonomy": "the label tree",
    "source": "the images",
    "columns": "the columns of the table",
    "inference": "the inference",
    "decision": "the decision",
    "rules": "what the rules learnt",
    "top": "the length of top_labels",
    "names": "the language of names",
    "keep": "what is kept",
    "precision": "the precision",
    "part_rows": "the rows per part",
}


@dataclasses.dataclass(frozen=True)
class Job:
    """A prediction job, as kept in ``job.json`` of its folder.

    Args:
        model: Hash of the run's weights.
        taxonomy: Fingerprint of the tree that answers are in.
        source: Identity of the images.
        columns: Names of the columns that are passed through, as in the output, by their names in the input.
        inference: Spec of the inference.
        decision: Spec of the decision.
        rules: Hash of what inference and decision learnt.
        top: Number of best nodes per image in the table.
        keep: What is kept besides the table: ``features``, ``scores``.
        runtime: Runtime of the encoder, the same for all parts.
        precision: Arithmetic of the encoder.
        part_rows: Rows per part, where a source can be cut at any row.
        num_parts: Number of parts.
        names: Language of the names in the table; blank for the nodes' own, as in folders of before this option.
    """

    model: str
    taxonomy: str
    source: dict[str, Any]
    columns: dict[str, str]
    inference: str
    decision: str
    rules: str
    top: int
    keep: tuple[Kept, ...]
    runtime: str
    precision: Precision
    part_rows: int
    num_parts: int
    names: str = ""

    def begin(self, folder: Folder, *, has_parts: bool = False) -> Job:
        """Write the job into its folder, or continue the one that is there, which decides on the runtime.

        Args:
            folder: The folder.
            has_parts: Whether there were parts in it already.

        Raises:
            InputError: The folder holds parts of another job, or of one that cannot be known.
        """
        folder.check()
        kept = read_job(folder)
        if kept is None:
            if has_parts:
                raise InputError(
                    f"{JOB_FILE}, which says what the parts are of", "parts alone", at=folder.place, advice=_ADVICE
                )
            folder.write(JOB_FILE, self._text())
            return self
        differences = [text for name, text in _TEXTS.items() if getattr(kept, name) != getattr(self, name)]
        if differences:
            raise InputError(
                "the job that this folder holds parts of",
                f"another one: {', '.join(differences)} changed",
                at=folder.place,
                advice=_ADVICE,
            )
        return kept

    def _text(self) -> bytes:
        content = {"schema_version": SCHEMA_VERSION, "cladewise": __version__, **dataclasses.asdict(self)}
        return json.dumps(content, indent=2, ensure_ascii=True).encode()


def read_job(folder: Folder) -> Job | None:
    """The job of a folder, or ``None`` if it holds none.

    Raises:
        InputError: The file is damaged, or of another version.
    """
    content = folder.read(JOB_FILE)
    if content is None:
        return None
    at = folder.at(JOB_FILE)
    with building("a prediction job", at=at, advice=_ADVICE):
        entries = json.loads(content)
        check_schema(entries, at=at, advice=_ADVICE)
        known = {"names": "", **entries}
        values: dict[str, Any] = {field.name: known[field.name] for field in dataclasses.fields(Job)}
        values["keep"] = tuple(values["keep"])
        return Job(**values)
