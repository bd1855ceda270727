"""Lists of species: SpeciesNet, BirdNET, the eBird taxonomy, AviList, and lists of products."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import Taxonomy, check

SPECIESNET = """\
1f1a;aves;passeriformes;turdidae;turdus;merula;common blackbird
2b2c;aves;passeriformes;;;;perching bird
3c3d;;;;;;blank
4d4e;mammalia;carnivora;canidae;canis;lupus dingo;dingo
5e5f;mammalia;;canidae;;;canine family
6a6b;;;;;;animal
7b7c;mammalia;carnivora;canidae;canis;lupus dingo;wild dog
"""
BIRDNET = """\
Turdus merula_{}
Turdus pilaris_{}
Coragyps atratus_{}
Engine_{}
Human vocal_{}
"""
EBIRD = """\
TAXON_ORDER,CATEGORY,SPECIES_CODE,PRIMARY_COM_NAME,SCI_NAME,ORDER1,FAMILY,SPECIES_GROUP,REPORT_AS
1,species,ostric2,Common Ostrich,Struthio camelus,Struthioniformes,Struthionidae (Ostriches),Ostriches,
6,species,ostric3,Somali Ostrich,Struthio molybdophanes,Struthioniformes,Struthionidae (Ostriches),,
7,slash,y00934,Common/Somali Ostrich,Struthio camelus/molybdophanes,Struthioniformes,Struthionidae (Ostriches),,
8,issf,comost1,Common Ostrich (massaicus),Struthio camelus massaicus,Struthioniformes,Struthionidae (Ostriches),,ostric2
9,spuh,ostric9,ostrich sp.,Struthio sp.,Struthioniformes,Struthionidae (Ostriches),,
10,domestic,graylag1,Graylag Goose (Domestic type),Anser anser (Domestic type),Anseriformes,Anatidae (Ducks),,gragoo
11,species,gragoo,Graylag Goose,Anser anser,Anseriformes,Anatidae (Ducks),,
12,spuh,duck1,duck or grebe sp.,Anatidae/Podicipedidae sp.,Anseriformes,Anatidae (Ducks),,
13,form,gragoo9,Graylag Goose (undescribed form),Anser anser [undescribed form],Anseriformes,Anatidae (Ducks),,gragoo
"""
AVILIST = """\
Sequence,Taxon_rank,Order,Family,Family_English_name,Scientific_name,Authority,English_name_AviList,AvibaseID
1,order,Struthioniformes,,,Struthioniformes,"Latham, 1790",,AVL-O1
2,family,Struthioniformes,Struthionidae,Ostriches,Struthionidae,"Vigors, 1825",,AVL-F1
3,genus,Struthioniformes,Struthionidae,Ostriches,Struthio,"Linnaeus, 1758",,AVL-G1
4,species,Struthioniformes,Struthionidae,Ostriches,Struthio camelus,"Linnaeus, 1758",Common Ostrich,AVB-1
5,subspecies,Struthioniformes,Struthionidae,Ostriches,Struthio camelus camelus,"Linnaeus, 1758",,AVB-2
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def text_of(tree: Taxonomy, label: str, column: str) -> str:
    return str(tree.columns[column][tree.find(label)])


@pytest.mark.parametrize("name", ["always_crop.labels.txt", "labels.csv", "labels.txt"])
def test_labels_of_speciesnet_stand_at_their_rank(tmp_path: Path, name: str) -> None:
    tree = Taxonomy.read(written(tmp_path, name, SPECIESNET))
    assert tree.level_names == ("kingdom", "class", "order", "family", "genus", "species")
    assert tree.path_name(tree.find("1f1a")) == "animal/aves/passeriformes/turdidae/turdus/turdus merula"
    assert tree.path_name(tree.find("2b2c")) == "animal/aves/passeriformes"
    assert tree.path_name(tree.find("3c3d")) == "blank"
    assert tree.path_name(tree.find("5e5f")) == "animal/mammalia/canidae"  # the order is blank
    assert text_of(tree, "passeriformes", "name:en") == "perching bird"
    assert text_of(tree, "blank", "index") == "2"
    # a second line for the same lineage
    assert text_of(tree, "canis lupus dingo", "former_ids") == "7b7c"
    assert text_of(tree, "animal/aves/passeriformes/turdidae", "id") == "animal/aves/passeriformes/turdidae"
    assert tree.is_leaf.sum() == 4


def test_without_animal_the_classes_are_at_the_top(tmp_path: Path) -> None:
    text = SPECIESNET.replace("6a6b;;;;;;animal\n", "")
    tree = Taxonomy.read(written(tmp_path, "labels.txt", text))
    assert tree.path_name(tree.find("2b2c")) == "aves/passeriformes"
    assert tree.path_name(tree.find("3c3d")) == "blank"


@pytest.mark.parametrize("line", ["8c8d;aves;passeriformes", "9d9e;;;;;;", ";aves;;;;;bird"])
def test_a_line_of_another_shape_is_named(tmp_path: Path, line: str) -> None:
    path = written(tmp_path, "labels.txt", f"{SPECIESNET}{line}\n")
    with pytest.raises(InputError, match="uuid;class;order") as caught:
        Taxonomy.read(path)
    assert f"{path}:8" in str(caught.value)


def birdnet(language: str) -> str:
    names = {
        "en": ("Eurasian Blackbird", "Fieldfare", "Black Vulture", "Engine", "Human vocal"),
        "en_uk": ("Blackbird", "Fieldfare", "American Black Vulture", "Engine", "Human vocal"),
        "fr": ("Merle noir", "Grive litorne", "Urubu noir", "Moteur", "Human vocal"),
    }
    return BIRDNET.format(*names[language])


def test_a_list_of_birdnet_is_genus_over_species(tmp_path: Path) -> None:
    tree = Taxonomy.read(written(tmp_path, "BirdNET_GLOBAL_6K_V2.4_Labels_fr.txt", birdnet("fr")))
    assert [tree.path_name(leaf) for leaf in tree.leaf_nodes] == [
        "Turdus/Turdus merula",
        "Turdus/Turdus pilaris",
        "Coragyps/Coragyps atratus",
        "Engine",
        "Human vocal",
    ]
    assert text_of(tree, "Turdus merula", "name:fr") == "Merle noir"
    assert text_of(tree, "Human vocal", "name:fr") == ""  # not translated
    assert tree.path_name(tree.find("Turdus merula_Merle noir")) == "Turdus/Turdus merula"
    assert [text_of(tree, str(tree.names[leaf]), "index") for leaf in tree.leaf_nodes] == list("01234")


@pytest.mark.parametrize("packed", [False, True])
def test_lists_in_several_languages_are_one_tree(tmp_path: Path, packed: bool) -> None:
    folder = tmp_path / "V2.4"
    folder.mkdir()
    for language in ("fr", "en_uk"):
        written(folder, f"BirdNET_GLOBAL_6K_V2.4_Labels_{language}.txt", birdnet(language))
    path = folder
    if packed:
        path = tmp_path / "labels.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)
    tree = Taxonomy.read(path)
    assert {name for name in tree.columns if name.startswith("name:")} == {"name:en-GB", "name:fr"}
    assert text_of(tree, "Coragyps atratus", "name:en-GB") == "American Black Vulture"
    written(folder, "BirdNET_GLOBAL_6K_V2.4_Labels_de.txt", birdnet("fr").replace("merula", "viscivorus"))
    with pytest.raises(InputError, match="the same species"):
        Taxonomy.read(folder)


def test_the_taxonomy_of_ebird(tmp_path: Path) -> None:
    path = written(tmp_path, "ebird.csv", EBIRD)
    with pytest.warns(InputWarning, match="labels? of several taxa, left out: 1 slash"):
        tree = Taxonomy.read(path)
    paths = {str(tree.columns["id"][leaf]): tree.path_name(leaf) for leaf in tree.leaf_nodes}
    assert paths == {
        "comost1": "Struthioniformes/Struthionidae/Struthio/Struthio camelus/Struthio camelus massaicus",
        "ostric3": "Struthioniformes/Struthionidae/Struthio/Struthio molybdophanes",
        "graylag1": "Anseriformes/Anatidae/Anser/Anser anser/Anser anser (Domestic type)",
        "gragoo9": "Anseriformes/Anatidae/Anser/Anser anser/Anser anser [undescribed form]",
    }
    assert text_of(tree, "Struthionidae", "name:en") == "Ostriches"
    assert text_of(tree, "Struthio", "former_ids") == "ostric9"
    assert text_of(tree, "Struthio", "synonyms") == "Struthio sp.|ostrich sp."
    left_out = [problem.text for problem in check(path) if problem.kind == "left-out"]
    assert len(left_out) == 2
    assert "'duck or grebe sp.'" in left_out[1]


def test_other_headers_of_ebird(tmp_path: Path) -> None:
    header = "SCIENTIFIC_NAME,COMMON_NAME,SPECIES_CODE,CATEGORY,ORDER,FAMILY_COM_NAME,FAMILY_SCI_NAME,REPORT_AS"
    row = "Struthio camelus,Common Ostrich,ostric2,species,Struthioniformes,Ostriches,Struthionidae,"
    tree = Taxonomy.read(written(tmp_path, "taxonomy.csv", f"{header}\n{row}\n"))
    assert tree.path_name(tree.find("ostric2")) == "Struthioniformes/Struthionidae/Struthio/Struthio camelus"
    assert text_of(tree, "Struthionidae", "name:en") == "Ostriches"


def test_avilist(tmp_path: Path) -> None:
    tree = Taxonomy.read(written(tmp_path, "AviList.csv", AVILIST))
    assert [tree.path_name(leaf) for leaf in tree.leaf_nodes] == [
        "Struthioniformes/Struthionidae/Struthio/Struthio camelus/Struthio camelus camelus"
    ]
    assert tree.columns["id"].tolist() == ["", "AVL-O1", "AVL-F1", "AVL-G1", "AVB-1", "AVB-2"]
    assert text_of(tree, "AVB-1", "name:en") == "Common Ostrich"
    assert text_of(tree, "AVB-1", "Authority") == "Linnaeus, 1758"


def test_lists_of_products_may_begin_with_comments(tmp_path: Path) -> None:
    shopify = written(
        tmp_path,
        "categories.txt",
        "# Shopify Product Taxonomy - Categories: 2026-02\n# Format: {GID} : {Ancestor} > ... > {Category}\n\n"
        "gid://shopify/TaxonomyCategory/ap    : Animals\n"
        "gid://shopify/TaxonomyCategory/ap-2  : Animals > Pet Supplies, all\n",
    )
    tree = Taxonomy.read(shopify)
    assert [tree.path_name(node) for node in range(1, tree.num_nodes)] == ["Animals", "Animals/Pet Supplies, all"]
    assert tree.find("gid://shopify/TaxonomyCategory/ap-2") == 2
    google = written(tmp_path, "taxonomy.en-US.txt", "# Google_Product_Taxonomy_Version: 2021-09\nToys\nToys > Kites\n")
    assert Taxonomy.read(google).names.tolist() == ["", "Toys", "Kites"]


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("1 - Toys\n2 - Toys > Kites\nToys > Kites > Stunt\n", "'Toys > Kites > Stunt' without"),
        ("1 - Toys\n2 - Toys > Kites\n2 - Toys > Balls\n", "'2 - Toys > Kites' and '2 - Toys > Balls'"),
    ],
)
def test_ids_of_products_never_become_part_of_names(tmp_path: Path, text: str, got: str) -> None:
    with pytest.raises(InputError, match="id before each path") as caught:
        Taxonomy.read(written(tmp_path, "products.txt", f"# Products\n{text}"))
    assert got in str(caught.value)
