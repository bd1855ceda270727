"""Results of camera-trap tools: SpeciesNet's predictions and MegaDetector's results, one row per classification.

An image has a row for itself where it was classified as a whole, and one per classified detection otherwise. The rows
of an image with several are named ``path#1``, ``path#2``, in the file's order; the column ``image`` has the path.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from cladewise.errors import InputError
from cladewise.scores.formats.listing import IMAGE, Listing
from cladewise.scores.formats.seen import Seen
from cladewise.scores.formats.taxa import by_label_line, is_label_line
from cladewise.scores.tables import ListedTable

KEY = "key"


def is_speciesnet(document: Any) -> bool:
    """Whether a document has predictions of SpeciesNet."""
    content = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    found = content.get("predictions")
    if not isinstance(found, list):
        return False
    return all(isinstance(item, dict) and "filepath" in item for item in cast("list[Any]", found)[:20]) and bool(found)


def read_speciesnet(seen: Seen) -> ListedTable:
    """Read SpeciesNet's predictions, of its present format (classes per detection) or the former one (per image).

    The raw classifications are read: the answer that SpeciesNet itself rolled up is kept as a column.

    Raises:
        InputError: No image has classifications.
    """
    listing, lacking, failures = Listing(str(seen.path)), list[str](), Counter[str]()
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for item in cast("list[dict[str, Any]]", seen.document["predictions"]):
        image = {IMAGE: str(item["filepath"])}
        image |= {name: item[name] for name in ("country", "admin1_region", "latitude", "longitude") if name in item}
        before = len(found)
        if isinstance(item.get("classifications"), dict):
            found.append(({**image, "speciesnet": item.get("prediction")}, item["classifications"]))
        for number, raw in enumerate(cast("list[dict[str, Any]]", item.get("classifications_list") or []), start=1):
            found.append(({**image, "detection": number}, raw))
        for number, detection in enumerate(cast("list[dict[str, Any]]", item.get("detections") or []), start=1):
            raw = detection.get("raw_classifications")
            if raw is not None:
                about = {
                    "detection": number,
                    "detection_label": detection.get("label"),
                    "detection_conf": detection.get("conf"),
                }
                processed = cast("dict[str, Any]", detection.get("processed_classification") or {})
                about["speciesnet"] = processed.get("class") or processed.get("prediction")
                found.append(({**image, **about}, raw))
        if len(found) == before:
            lacking.append(image[IMAGE])
            failures.update(cast("list[str]", item.get("failures") or ["no classified detection"]))
    for row, raw in _named(found):
        texts = cast("list[str]", raw["classes"])
        listing.add(row, [by_label_line(text) if is_label_line(text) else text for text in texts], raw["scores"])
    return listing.table(KEY, values="probabilities", notes=_without_row(lacking, failures))


def is_megadetector(document: Any) -> bool:
    """Whether a document has results of MegaDetector."""
    content = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    return isinstance(content.get("images"), list) and isinstance(content.get("detection_categories"), dict)


def read_megadetector(seen: Seen) -> ListedTable:
    """Read classified detections of MegaDetector's results.

    Detections without classifications, such as people and vehicles, have no row; a note counts them by category.

    Raises:
        InputError: No detection is classified, or one has a category that the file does not name.
    """
    document = cast("dict[str, Any]", seen.document)
    names = cast("dict[str, str]", document.get("classification_categories") or {})
    described = cast("dict[str, str]", document.get("classification_category_descriptions") or {})
    kinds = cast("dict[str, str]", document["detection_categories"])
    if not names:
        advice = "MegaDetector finds animals; a classifier has to name them."
        raise InputError("classification_categories", "none", at=str(seen.path), advice=advice)
    classes = {
        key: by_label_line(text) if is_label_line(text := described.get(key, name)) else name
        for key, name in names.items()
    }
    listing, plain, failed = Listing(str(seen.path)), Counter[str](), list[str]()
    found: list[tuple[dict[str, Any], list[Any]]] = []
    empty = 0
    for item in cast("list[dict[str, Any]]", document["images"]):
        if item.get("failure"):
            failed.append(str(item["file"]))
        detections = cast("list[dict[str, Any]]", item.get("detections") or [])
        empty += not detections and not item.get("failure")
        for number, detection in enumerate(detections, start=1):
            kind = kinds.get(str(detection["category"]), str(detection["category"]))
            about = {"detection": number, "detection_label": kind, "detection_conf": detection.get("conf")}
            about |= {name: item[name] for name in ("datetime", "location", "seq_id") if name in item}
            if detection.get("classifications"):
                found.append(({IMAGE: str(item["file"]), **about}, detection["classifications"]))
            else:
                plain[kind] += 1
    for row, pairs in _named(found):
        unknown = next((str(pair[0]) for pair in pairs if str(pair[0]) not in classes), None)
        if unknown is not None:
            got = f"{unknown!r} of {row[IMAGE]}"
            raise InputError("categories that classification_categories names", got, at=str(seen.path))
        listing.add(row, [classes[str(pair[0])] for pair in pairs], [pair[1] for pair in pairs])
    notes = _without_row(failed, Counter({"failure": len(failed)} if failed else {}))
    if plain:
        told = ", ".join(f"{count:,} {kind}" for kind, count in plain.most_common())
        notes = (*notes, f"Detections without classifications have no row: {told}.")
    if empty:
        notes = (*notes, f"{empty:,} images without detections have no row.")
    return listing.table(KEY, values="probabilities", notes=notes)


def _named(found: list[tuple[dict[str, Any], Any]]) -> list[tuple[dict[str, Any], Any]]:
    """Rows with their names: the path of the image, numbered if it has several."""
    times, seen = Counter(row[IMAGE] for row, _ in found), Counter[str]()
    columns = dict.fromkeys(name for row, _ in found for name in row)
    named: list[tuple[dict[str, Any], Any]] = []
    for row, content in found:
        image = row[IMAGE]
        seen[image] += 1
        key = image if times[image] == 1 else f"{image}#{seen[image]}"
        named.append(({KEY: key, **{name: row.get(name) for name in columns}}, content))
    return named


def _without_row(images: list[str], reasons: Counter[str]) -> tuple[str, ...]:
    if not images:
        return ()
    told = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
    first = ", ".join(repr(image) for image in images[:3]) + (", ..." if len(images) > 3 else "")
    return (f"{len(images):,} images without classifications have no row ({told}): {first}.",)
