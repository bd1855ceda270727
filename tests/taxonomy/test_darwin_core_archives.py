"""Darwin Core archives: what meta.xml says about tables, and which tree they give."""

# ruff: noqa: E501  (a descriptor stays on one line)

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
from dwca.darwincore.utils import qualname
from dwca.read import DwCAReader

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import Taxonomy, read
from cladewise.taxonomy.formats.archives.descriptor import read_descriptor
from cladewise.taxonomy.formats.kinds import kind_of
from cladewise.taxonomy.formats.members import members_of

DWC = "http://rs.tdwg.org/dwc/terms/"
LANGUAGE = "http://purl.org/dc/terms/language"
CATS = [
    ("01", "", "", "Animalia", "", "kingdom", "accepted"),
    ("02", "01", "", "Felidae Fischer, 1817", "Fischer, 1817", "family", "accepted"),
    ("03", "02", "", "Puma Jardine, 1834", "Jardine, 1834", "genus", "accepted"),
    ("004", "03", "", "Puma concolor (Linnaeus, 1771)", "(Linnaeus, 1771)", "species", "accepted"),
    ("0041", "", "004", "Felis concolor Linnaeus, 1771", "Linnaeus, 1771", "species", "synonym"),
    ("05", "02", "", "Lynx Kerr, 1792", "Kerr, 1792", "genus", "accepted"),
]
TERMS = [
    "taxonID",
    "parentNameUsageID",
    "acceptedNameUsageID",
    "scientificName",
    "scientificNameAuthorship",
    "taxonRank",
    "taxonomicStatus",
]


def fields(terms: list[str], **defaults: str) -> str:
    indexed = [
        f'<field index="{k}" term="{term if "/" in term else DWC + term}"'
        + (f' default="{defaults.pop(term)}"' if term in defaults else "")
        + "/>"
        for k, term in enumerate(terms)
    ]
    return "".join(indexed) + "".join(
        f'<field default="{text}" term="{DWC + term}"/>' for term, text in defaults.items()
    )


def descriptor(core: str, *extensions: str, kind: str = DWC + "Taxon", layout: str = "") -> str:
    layout = (
        layout
        or 'encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"'
    )
    parts = [f'<core rowType="{kind}" {layout}>{core}</core>']
    parts += [
        f'<extension rowType="http://rs.gbif.org/terms/1.0/VernacularName" {layout}>{one}</extension>'
        for one in extensions
    ]
    return f'<?xml version="1.0"?>\n<archive xmlns="http://rs.tdwg.org/dwc/text/">{"".join(parts)}</archive>'


def located(*names: str, key: str = '<id index="0"/>') -> str:
    return "<files>" + "".join(f"<location>{name}</location>" for name in names) + f"</files>{key}"


def table(header: list[str], rows: list[tuple[str, ...]], separator: str = "\t") -> str:
    return "\n".join(separator.join(row) for row in [tuple(header), *rows]) + "\n"


def packed(folder: Path, **files: str | bytes) -> Path:
    path = folder / "checklist.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return path


def cats(folder: Path, **changed: str | bytes) -> Path:
    names = [
        ("004", "puma", "en", "false"),
        ("004", "cougar", "en", "true"),
        ("004", "puma", "fr", ""),
        ("0041", "Silberlöwe", "deu", ""),
        ("02", "cats", "", ""),
    ]
    terms = ["taxonID", "vernacularName", LANGUAGE, "http://rs.gbif.org/terms/1.0/isPreferredName"]
    files: dict[str, str | bytes] = {
        "meta__xml": descriptor(
            located("any.dat") + fields(TERMS), located("names.tsv", key='<coreid index="0"/>') + fields(terms)
        ),
        "any__dat": table(TERMS, CATS),
        "names__tsv": table(["id", "name", "lang", "best"], names),
        "eml__xml": "<eml/>",
    }
    return packed(folder, **(files | changed))


def told(path: Path, **options: Any) -> tuple[Taxonomy, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tree = read(path, **options)
    assert all(issubclass(warning.category, InputWarning) for warning in caught), [str(w.message) for w in caught]
    return tree, [str(warning.message) for warning in caught]


def column(tree: Taxonomy, name: str) -> dict[str, str]:
    return {str(tree.names[node]): str(tree.columns[name][node]) for node in tree if tree.columns[name][node]}


def paths(tree: Taxonomy) -> list[str]:
    return [tree.path_name(node) for node in tree]


PATHS = [
    "Animalia",
    "Animalia/Felidae",
    "Animalia/Felidae/Puma",
    "Animalia/Felidae/Puma/Puma concolor",
    "Animalia/Felidae/Lynx",
]


def test_taxa_names_and_ids(tmp_path: Path) -> None:
    path = cats(tmp_path)
    assert (found := kind_of(path)) is not None
    assert found.name == "dwca"
    tree, texts = told(path)
    assert texts == []
    assert paths(tree) == PATHS
    assert tree.level_names == ("family", "genus", "species")
    assert tree.columns["id"].tolist() == ["01", "02", "03", "004", "05"]
    assert column(tree, "synonyms") == {"Puma concolor": "Felis concolor"}
    assert column(tree, "former_ids") == {"Puma concolor": "0041"}
    assert column(tree, "name:en") == {"Puma concolor": "cougar|puma"}
    assert column(tree, "name:fr") == {"Puma concolor": "puma"}
    assert column(tree, "name:de") == {"Puma concolor": "Silberlöwe"}, "the name of a synonym is that of its taxon"
    assert column(tree, "name:und") == {"Felidae": "cats"}
    assert set(tree.columns) == {"id", "synonyms", "former_ids", "name:en", "name:fr", "name:de", "name:und"}


def test_a_folder_reads_like_its_archive(tmp_path: Path) -> None:
    path = cats(tmp_path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert told(tmp_path / "unpacked")[0] == told(path)[0]
    assert told(tmp_path / "unpacked" / "meta.xml")[0] == told(path)[0]
    assert read(tmp_path / "unpacked").columns["id"].tolist() == read(path).columns["id"].tolist()


def test_columns_adds_terms_and_limits_languages(tmp_path: Path) -> None:
    tree = read(cats(tmp_path), columns=["scientificName", "name:fr"])
    assert column(tree, "scientificName")["Puma concolor"] == "Puma concolor (Linnaeus, 1771)"
    assert [name for name in tree.columns if name.startswith("name:")] == ["name:fr"]
    with pytest.raises(InputError, match="columns of the checklist, but got 'habitat'"):
        read(cats(tmp_path), columns=["habitat"])


def test_levels_keeps_the_taxa_of_some_ranks(tmp_path: Path) -> None:
    tree = read(cats(tmp_path), levels=["kingdom", "family", "species"])
    assert paths(tree)[1:] == ["Animalia/Felidae", "Animalia/Felidae/Puma concolor"]
    assert tree.level_names == ("family", "species")
    assert column(tree, "name:fr") == {"Puma concolor": "puma"}
    with pytest.raises(InputError, match="taxa of the rank 'tribe', but got the ranks 'family', 'genus'"):
        read(cats(tmp_path), levels=["tribe"])


@pytest.mark.parametrize(
    ("layout", "write"),
    [
        ('fieldsTerminatedBy="," fieldsEnclosedBy="&quot;" linesTerminatedBy="\\r\\n"', lambda text: '"' + text.replace("\t", '","').replace("\n", '"\r\n"')[:-1]),
        ('fieldsTerminatedBy="|" fieldsEnclosedBy="" encoding="ISO-8859-1"', lambda text: text.replace("\t", "|").encode("latin-1")),
        ('fieldsTerminatedBy="&#9;" fieldsEnclosedBy="" encoding="UTF-16"', lambda text: text.encode("utf-16")),
        ('fieldsTerminatedBy="\\t" fieldsEnclosedBy="" linesTerminatedBy="\\r"', lambda text: text.replace("\n", "\r")),
        ('fieldsTerminatedBy=";;" fieldsEnclosedBy=""', lambda text: text.replace("\t", ";;")),
        ('fieldsTerminatedBy="\\t" fieldsEnclosedBy=""', lambda text: "\ufeff" + text.replace("\n", "\n\n")),
        ("", lambda text: text),
    ],
    ids=["quoted", "latin-1", "utf-16", "old-mac", "two-characters", "blank-lines", "silent"],
)  # fmt: skip
def test_layouts(tmp_path: Path, layout: str, write: Any) -> None:
    rows = [(*row[:3], row[3].replace("Lynx Kerr", "Lÿnx Kerr"), *row[4:]) for row in CATS]
    lines = 2 if "blank" in layout else 1
    quiet = layout + f' ignoreHeaderLines="{lines}"'
    meta = descriptor(located("any.dat") + fields(TERMS), layout=quiet)
    text = write(table(TERMS, rows))
    tree, texts = told(packed(tmp_path, meta__xml=meta, any__dat=text))
    assert texts == []
    assert [str(name) for name in tree.names] == ["Animalia", "Felidae", "Puma", "Puma concolor", "Lÿnx"]


def test_quotes_are_characters_where_none_are_declared(tmp_path: Path) -> None:
    rows = [
        *CATS,
        ("06", "05", "", '"Lynx" sp. 1', "", "species", "accepted"),
        ("07", "05", "", 'Lynx "b', "", "species", "accepted"),
    ]
    tree, _ = told(cats(tmp_path, any__dat=table(TERMS, rows)))
    assert tree.columns["id"][tree.find('"Lynx" sp. 1')] == "06"
    assert tree.num_nodes == 7


def test_defaults_fill_blanks_only(tmp_path: Path) -> None:
    rows = [
        ("1", "", "Animalia", "kingdom"),
        ("2", "1", "Puma concolor", ""),
        ("3", "1", "Lynx lynx", ""),
        ("4", "1", "Lynx", "genus"),
    ]
    terms = ["taxonID", "parentNameUsageID", "scientificName", "taxonRank"]
    core = located("taxa.txt") + fields(terms, taxonRank="species", taxonomicStatus="accepted")
    names = (
        located("names.txt", key='<coreid index="0"/>')
        + fields(["taxonID", "vernacularName"])
        + f'<field default="fr" term="{LANGUAGE}"/>'
    )
    path = packed(
        tmp_path,
        meta__xml=descriptor(core, names),
        taxa__txt=table(terms, rows),
        names__txt=table(["a", "b"], [("2", "puma")]),
    )
    tree, _ = told(path)
    assert dict(zip(tree.names.tolist(), np_levels(tree), strict=True)) == {
        "Animalia": "",
        "Puma concolor": "species",
        "Lynx lynx": "species",
        "Lynx": "genus",
    }
    assert column(tree, "name:fr") == {"Puma concolor": "puma"}
    with DwCAReader(str(path)) as archive:
        theirs = {row.data[qualname("scientificName")]: row.data[qualname("taxonRank")] for row in archive}
    assert theirs == {"Animalia": "kingdom", "Puma concolor": "species", "Lynx lynx": "species", "Lynx": "genus"}


def np_levels(tree: Taxonomy) -> list[str]:
    return [("", *tree.level_names)[level] for level in tree.level.tolist()]


def test_a_core_of_several_files_and_an_id_that_is_no_term(tmp_path: Path) -> None:
    url = "https://taxa.example/"
    terms = ["", "taxonID", "parentNameUsageID", "scientificName", "taxonRank"]
    first = [("7", url + "7", "", "Animalia", "kingdom"), ("8", url + "8", url + "7", "Felidae", "family")]
    second = [("9", url + "9", url + "8", "Puma", "genus")]
    core = located("a.tsv", "sub/b.tsv") + "".join(
        f'<field index="{k}" term="{DWC + term}"/>' for k, term in enumerate(terms) if term
    )
    names = located("names.tsv", key='<coreid index="0"/>') + fields(["id", "vernacularName"])
    path = packed(
        tmp_path,
        **{
            "meta__xml": descriptor(core, names),
            "a__tsv": table(terms, first),
            "sub/b__tsv": table(terms, second),
            "names__tsv": table(["id", "name"], [("9", "cougars")]),
        },
    )
    tree, _ = told(path)
    assert paths(tree)[1:] == ["Animalia/Felidae", "Animalia/Felidae/Puma"]
    assert tree.columns["id"].tolist() == ["7", "8", "9"]
    assert column(tree, "name:und") == {"Puma": "cougars"}


def test_ranks_place_taxa_without_parents(tmp_path: Path) -> None:
    terms = ["taxonID", "parentNameUsageID", "kingdom", "family", "genus", "scientificName", "taxonRank"]
    rows = [
        ("1", "", "Animalia", "Felidae", "Puma", "Puma", "genus"),
        ("2", "", "Animalia", "Felidae", "Lynx", "Lynx", "genus"),
    ]
    tree, _ = told(packed(tmp_path, meta__xml=descriptor(located("t") + fields(terms)), t=table(terms, rows)))
    assert paths(tree)[1:] == ["Animalia", "Animalia/Felidae", "Animalia/Felidae/Puma", "Animalia/Felidae/Lynx"]


def test_parsed_as_by_another_reader(tmp_path: Path) -> None:
    path = cats(tmp_path)
    with DwCAReader(str(path)) as archive:
        theirs = [{qualname(term): row.data[qualname(term)] for term in TERMS} for row in archive]
    with members_of(path) as members:
        ours = read_descriptor(members).core.table(members, TERMS).frame
    assert [dict(zip(map(qualname, TERMS), row, strict=True)) for row in ours.rows()] == theirs


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"meta__xml": "<archive xmlns='http://rs.tdwg.org/dwc/text/'>"}, "well-formed XML, but got an error"),
        ({"meta__xml": "<archive xmlns='http://rs.tdwg.org/dwc/text/'/>"}, "with one core"),
        ({"meta__xml": descriptor(located("taxa.txt") + fields(TERMS))}, "'taxa.txt' that meta.xml names, but got 'any.dat'"),
        ({"meta__xml": descriptor(located("any.dat") + fields(TERMS), layout='encoding="klingon"')}, "a known encoding, but got 'klingon'"),
        ({"meta__xml": descriptor(located("any.dat") + "<field index='x' term='a'/>")}, "position of a column, from 0, but got 'x'"),
        ({"meta__xml": descriptor(located("any.dat") + fields(TERMS), kind=DWC + "Occurrence")}, "core lists taxa, but got records of Occurrence in any.dat"),
        ({"any__dat": table(TERMS, [*CATS, ("8", "05", "", "Lynx\tlynx", "", "species", "accepted")])}, r"than columns, but got 8 for 7 columns at .*any.dat:8"),
        ({"any__dat": table(TERMS, CATS).encode().replace(b"Lynx", b"L\xffnx")}, r"UTF-8 text, but got byte 0xFF at .*any.dat:7"),
        ({"any__dat": table(TERMS, [*CATS, ("9", "77", "", "Felis", "", "genus", "accepted")])}, r"parent '77' of '9', which no row defines at .*any.dat:8"),
        ({"any__dat": ",".join(TERMS) + "\n"}, "at least one accepted taxon"),
    ],
    ids=["xml", "core", "location", "encoding", "index", "occurrence", "wide", "bytes", "orphan", "empty"],
)  # fmt: skip
def test_refusals_are_one_line(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(cats(tmp_path, **changed))
    assert "\n" not in str(caught.value)


def test_names_of_taxa_that_are_not_in_the_tree_are_counted(tmp_path: Path) -> None:
    _, texts = told(cats(tmp_path, names__tsv=table(["id", "name", "lang", "best"], [("99", "yeti", "en", "")])))
    assert [text.split(" at ")[0] for text in texts] == ["1 names of taxa that are not in the tree, left out: 'yeti'"]


def test_the_descriptor_in_another_encoding(tmp_path: Path) -> None:
    meta = descriptor(located("any.dat") + fields(TERMS))
    for encoded in (meta.replace("?>", ' encoding="UTF-16"?>', 1).encode("utf-16"), b"\xef\xbb\xbf" + meta.encode()):
        assert paths(read(cats(tmp_path, meta__xml=encoded), format="dwca")) == PATHS


@pytest.mark.parametrize("quoted", [False, True])
def test_a_table_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quoted: bool
) -> None:
    path = cats(tmp_path)
    if quoted:
        core = located("any.dat") + fields(TERMS)
        path = cats(tmp_path, meta__xml=descriptor(core, layout='fieldsTerminatedBy="\\t"'))
    for limit in ("MAX_BYTES", "MAX_QUOTED"):
        monkeypatch.setattr(f"cladewise.taxonomy.formats.archives.rows.{limit}", 100)
    with pytest.raises(InputError, match=r"at most .* GiB"):
        read(path)


def test_a_damaged_member_is_one_line(tmp_path: Path) -> None:
    path = cats(tmp_path)
    data = path.read_bytes()
    place = data.index(b"Puma concolor (Linnaeus")
    path.write_bytes(data[:place] + b"X" + data[place + 1 :])
    with pytest.raises(InputError, match=r"a whole archive .* got an error: Bad CRC"):
        read(path)


def test_another_meta_xml_is_no_archive_of_taxa(tmp_path: Path) -> None:
    (tmp_path / "meta.xml").write_text("<archive><core/></archive>")
    assert kind_of(tmp_path) is None
