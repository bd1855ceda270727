"""Classes of ImageNet's validation images, where these are in one folder."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from cladewise.datasets.files.listing import files_in
from cladewise.datasets.published.matlab_files import matlab_variable
from cladewise.datasets.published.official_files import OfficialFiles
from cladewise.errors import InputError
from cladewise.taxonomy.formats.members import matching, members_of

_SOLUTION = ("LOC_val_solution.csv", "ILSVRC/LOC_val_solution.csv")
_DEVKIT = ("ILSVRC2012_devkit_t12", "ILSVRC2012_devkit_t12.tar.gz")
_META, _TRUTH = "meta.mat", "ILSVRC2012_validation_ground_truth.txt"


def validation_classes(files: OfficialFiles, folder: Path) -> pl.DataFrame:
    """Columns ``class`` and ``path`` of validation images in one folder.

    The classes are those of Kaggle's ``LOC_val_solution.csv``, or of the development kit, a folder or an archive.

    Raises:
        InputError: There is neither file, one is malformed, or an image is not listed.
    """
    solution = next((files.root / name for name in _SOLUTION if (files.root / name).is_file()), None)
    devkit = next((files.root / name for name in _DEVKIT if (files.root / name).exists()), None)
    if solution is not None:
        known, at = _of_solution(solution), solution
    elif devkit is not None:
        known, at = _of_devkit(devkit), devkit
    else:
        expected = f"folders of classes in {folder.name}/, or {_SOLUTION[0]} or {_DEVKIT[0]}/ with the classes"
        raise InputError(expected, "none", at=str(files.root), advice=files.advice)
    names = files_in(folder)
    found = pl.DataFrame({"file": names}, schema={"file": pl.String}).with_columns(
        pl.col("file").str.replace(r"\.[^.]*$", "").alias("image")
    )
    found = found.join(known, on="image", how="left", maintain_order="left")
    lost = found.filter(pl.col("class").is_null())["file"]
    if lost.len():
        raise InputError("validation images with a class", f"{lost.len():,} without, such as {lost[0]}", at=str(at))
    prefix = folder.relative_to(files.root).as_posix()
    return found.select("class", path=pl.lit(f"{prefix}/") + pl.col("file"))


def _of_solution(file: Path) -> pl.DataFrame:
    """Columns ``image`` and ``class`` of Kaggle's table, whose cells are ``n01751748 111 108 231 223``.

    Raises:
        InputError: It is another table.
    """
    try:
        frame = pl.read_csv(file, infer_schema=False).select(
            image="ImageId", **{"class": pl.col("PredictionString").str.extract(r"^\s*(n\d{8})\b")}
        )
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise InputError("columns ImageId and PredictionString", f"an error: {first}", at=str(file)) from error
    bad = frame.with_row_index("line", offset=2).filter(pl.col("class").is_null())
    if bad.height:
        raise InputError("a WordNet id before the boxes", "none", at=f"{file}:{bad['line'][0]}")
    return frame


def _of_devkit(kit: Path) -> pl.DataFrame:
    """Columns ``image`` and ``class`` of the development kit: a number of a class per image, in the images' order.

    Raises:
        InputError: A file is missing or malformed.
    """
    with members_of(kit) as members:
        found = matching(members.names, [f"*{_META}", f"*{_TRUTH}"])
        if found is None:
            raise InputError(f"the development kit with {_META} and {_TRUTH}", "another one", at=str(kit))
        with members.file(found[0]) as file:
            ids = _ids(file, f"{kit}, {_META}")
        lines = members.open(found[1]).read().decode("ascii", errors="replace").split()
    unknown = next((n for n, line in enumerate(lines, start=1) if not line.isdigit() or int(line) not in ids), None)
    if unknown is not None:
        raise InputError("numbers of classes", repr(lines[unknown - 1]), at=f"{kit}, {_TRUTH}:{unknown}")
    images = [f"ILSVRC2012_val_{n:08d}" for n in range(1, len(lines) + 1)]
    return pl.DataFrame({"image": images, "class": [ids[int(line)] for line in lines]})


def _ids(file: Path, at: str) -> dict[int, str]:
    """WordNet id by the number of a class.

    Raises:
        InputError: The file is not the kit's.
    """
    synsets = matlab_variable(file, "synsets", at)
    try:
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets}
    except (ValueError, IndexError, TypeError) as error:
        raise InputError("the table synsets with ILSVRC2012_ID and WNID", f"an error: {error}", at=at) from error
