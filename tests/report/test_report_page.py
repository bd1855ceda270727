"""The page as a document: whole, self-contained, and letter by letter what the names are."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from cladewise import InputError
from cladewise.records.layout import RunFolder
from cladewise.report import compare
from cladewise.report.comparison import Comparison

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Document(HTMLParser):
    """Text by element id, attributes that load something, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, str]] = []
        self.text_by_id: dict[str, str] = {}
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.addresses += [attributes[name] for name in ("src", "href", "action", "data") if attributes.get(name)]
        if tag not in VOID:
            self.open.append((tag, attributes.get("id", "")))
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for _, key in self.open:
            if key:
                self.text_by_id[key] = self.text_by_id.get(key, "") + data
        if any(tag == "td" for tag, _ in self.open):
            self.cells[-1] += data


def write_three(maker):
    return [
        *(maker.write(f"flat-{seed}", seed=seed) for seed in range(2)),
        maker.write("hace", method="hace", skill=0.85),
    ]


@pytest.fixture
def folders(maker):
    """Folders of a test's own, to change."""
    return write_three(maker)


@pytest.fixture(scope="module")
def page(module_maker, tmp_path_factory):
    return compare(write_three(module_maker), tmp_path_factory.mktemp("out") / "new" / "page.html")


@pytest.fixture(scope="module")
def document(page):
    return Document(page.read_text(encoding="utf-8"))


def test_every_element_is_closed_and_nothing_is_loaded(document):
    assert document.open == []
    assert document.addresses
    assert all(address.startswith(("data:", "#")) for address in document.addresses)
    assert "iframe" not in document.tags


def test_names_cannot_break_out(page, maker, tmp_path):
    text = page.read_text()
    assert "alert(1)" in text
    assert "<script>alert" not in text
    assert "warbler <b>" not in text
    folder = maker.write("f", with_operating=False)
    text = compare([folder], tmp_path / "page.html", title='<b>"T" & </title><script>alert(2)</script>').read_text()
    assert "<script>alert" not in text
    assert "<title>&lt;b&gt;&#34;T&#34; &amp; &lt;/title&gt;" in text


def test_header_says_what_was_compared(page):
    text = page.read_text()
    shown = " ".join(re.sub(r"<[^>]+>", " ", text[text.index("<header>") : text.index("</header>")]).split())
    assert "flat-softmax and hace on toys &lt;&amp;&gt;" in shown
    for part in ("images 66", "classes 11", "nodes 18", "3 in 2 groups", "decision leaf", "2 images were skipped"):
        assert part in shown
    assert "broken/&lt;x&gt;.png truncated after 12 bytes" in shown
    assert "3 classes have no training image" in shown
    assert "Images: Drawn &amp; &#39;free&#39;" in shown


def test_table_cells(document):
    first, second = document.cells[0].split(), document.cells[4].split()
    assert re.fullmatch(r"\d+\.\d ± \d+\.\d \d+\.\d to \d+\.\d", " ".join(first))
    assert re.fullmatch(r"\d+\.\d \d+\.\d to \d+\.\d \+\d+\.\d \([+−]\d+\.\d to \+\d+\.\d\)", " ".join(second))


def test_the_data_of_every_chart_is_whole_json(document):
    charts = {key: text for key, text in document.text_by_id.items() if key.startswith("data-")}
    point, confusion = json.loads(charts.pop("data-point")), json.loads(charts.pop("data-confusion"))
    assert len(point["lines"]) == 2
    assert [level["name"] for level in confusion["levels"]] == ["kingdom", "family", "species"]
    assert set(charts) == {
        *("data-levels", "data-heights", "data-tree", "data-curve-0", "data-curve-1", "data-curve-2"),
        *("data-operating-correct", "data-operating-precision"),
        *("data-reliability-0", "data-reliability-1", "data-reliability-2"),
        *("data-classes-0", "data-classes-1", "data-classes-2"),
    }
    for key, text in charts.items():
        content = json.loads(text)
        assert content["figure"]["data"], key
        assert document.text_by_id.get(key.replace("data-", "chart-"), "") == ""
    assert len(json.loads(charts["data-tree"])["views"]["data"]) == 2


def test_mistakes_have_pictures_or_their_path(page, document, folders, tmp_path, images):
    number = 2 * (12 + 8) + 12  # hace makes 8 mistakes in all; a dozen follow the slider
    pairs = Document(re.search(r'<section id="confusion">.*?</section>', page.read_text(), re.DOTALL)[0])
    assert document.tags.count("figure") == number
    assert document.tags.count("img") == number + pairs.tags.count("img") > number
    assert sum(address.startswith("data:image/jpeg") for address in document.addresses) == document.tags.count("img")
    for folder in folders:
        config = RunFolder(folder).config
        config.write_text(config.read_text().replace(str(images.root), "/no/such/folder"))
    text = compare(folders, tmp_path / "page.html").read_text()
    assert "data:image/jpeg" not in text
    assert text.count('class="no-picture"') == number


def test_one_run_is_a_page_too(folders, tmp_path):
    text = compare(folders[:1], tmp_path / "page.html").read_text()
    assert 'aria-label="Group"' not in text
    assert 'class="change' not in text


def test_folders_of_before_operating_curves_give_the_page_of_before(maker, tmp_path):
    folders = [maker.write("f", with_operating=False), maker.write("h", method="hace", with_operating=False)]
    document = Document(compare(folders, tmp_path / "page.html").read_text(encoding="utf-8"))
    assert document.open == []
    assert {"table", "by-level", "by-height", "by-node", "mistakes", "training"} <= set(document.text_by_id)
    assert not {"operating", "point", "decisions", "reliability", "data-point"} & set(document.text_by_id)
    assert "more metric" not in document.text_by_id["table"]


def test_old_and_new_folders_together(maker, tmp_path):
    folders = [maker.write("f", with_operating=False), maker.write("h", method="hace")]
    document = Document(compare(folders, tmp_path / "page.html").read_text(encoding="utf-8"))
    assert {line["label"] for line in json.loads(document.text_by_id["data-point"])["lines"]} == {"hace"}
    assert document.text_by_id["table-operating-table"].count("hace") == 1
    assert "flat-softmax" not in document.text_by_id["table-operating-table"]


def test_metrics_without_an_interval_have_an_empty_one(document):
    cells = " ".join(document.text_by_id["table-operating-table"].split())
    assert "AP % ↑AC % ↑R@90 % ↑R@95 % ↑M-F1 % ↑L-F1 % ↑L-Top1 % ↑" in cells
    assert re.search(r"flat-softmax \d\d\.\d ± \d\.\d", cells)
    assert "nan" not in cells.lower()
    assert "4 more metrics" in document.text_by_id["table"]


def test_the_same_folder_twice_counts_once(maker):
    folder = maker.write("f")
    (group,) = Comparison.read([folder, f"{folder}/"]).groups
    assert len(group.runs) == 1


def test_nothing_to_compare(tmp_path):
    with pytest.raises(InputError, match="at least one run folder, but got none"):
        compare([], tmp_path / "page.html")
    with pytest.raises(InputError, match=r"a list of runs, but got the single path 'runs/hace'\. Pass a list"):
        compare("runs/hace", tmp_path / "page.html")


def test_a_failed_page_leaves_the_old_one(folders, tmp_path):
    out = tmp_path / "page.html"
    out.write_text("old")
    with pytest.raises(InputError):
        compare([*folders, tmp_path / "missing"], out)
    assert out.read_text() == "old"


def test_half_a_surrogate_pair_does_not_stop_the_page(maker, tmp_path):
    folder = maker.write("f", with_operating=False)
    RunFolder(folder).log.write_text('{"event": "warning", "text": "odd \\ud800 name"}\n')
    assert "odd ? name" in compare([folder], tmp_path / "page.html").read_text()


def test_the_contents_name_every_section_once(document, page):
    text = page.read_text()
    sections = re.findall(r'<section id="([^"]+)"', text)
    assert re.findall(r'href="#([^"]+)"', text) == ["content", *sections]
    assert len(sections) == len(set(sections)) > 8
    assert document.text_by_id["contents"].count("Confusion matrix") == 1
    assert all(document.text_by_id[key].strip() for key in sections)


def test_control_characters_are_shown_and_not_sent(maker, tmp_path):
    folder = maker.write("f", with_operating=False, config={"name": "red \x1b[31m\x00\x9b \u202e name"})
    text = compare([folder], tmp_path / "page.html").read_text()
    markup = text[: text.index("<script")]
    assert "red \u241b[31m\u2400\ufffd \u202e name" in markup
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", markup)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "an evaluation in JSON"),
        ('{"schema_version": 1, "split": "te', "an evaluation in JSON"),
        ("[]", "an evaluation in JSON, but got a list"),
        ('{"schema_version": 1, "split": "test"}', "none of its entry 'inference'"),
        (
            '{"schema_version": 1, "split": "test", "inference": "none", "decision": "leaf", "num_images": "many",'
            ' "fingerprint": "0", "metrics": {}}',
            "an evaluation as cladewise evaluate writes it",
        ),
        (
            '{"schema_version": 1, "split": "test", "inference": "none", "decision": "leaf", "num_images": 3,'
            ' "fingerprint": "0", "metrics": [1]}',
            "an evaluation as cladewise evaluate writes it",
        ),
        (
            '{"schema_version": 1, "split": "test", "inference": "none", "decision": "leaf", "num_images": 3,'
            ' "fingerprint": "0", "metrics": {"top1": {"value": "high"}}}',
            "an evaluation as cladewise evaluate writes it",
        ),
    ],
)
def test_a_damaged_evaluation_is_named(maker, tmp_path, content, said):
    folder = maker.write("f")
    file = RunFolder(folder).evaluation("test", "none", "leaf")
    file.write_text(content)
    with pytest.raises(InputError, match=said) as caught:
        compare([folder], tmp_path / "page.html")
    assert str(file) in str(caught.value)
    assert not (tmp_path / "page.html").exists()


def test_decisions_are_given_as_texts_to_copy(maker, tmp_path):
    folder = maker.write("copied", decision="threshold-0.8")
    assert "The rules as texts" not in compare([folder], tmp_path / "early.html").read_text()
    for file in (folder / "evaluations").glob("*.json"):
        rules = {"inference": "none", "decision": "threshold:threshold=0.8"}
        file.write_text(json.dumps(json.loads(file.read_text()) | {"rules": rules}))
    text = compare([folder], tmp_path / "page.html").read_text()
    assert "<dt>threshold-0.8</dt><dd><code>threshold:threshold=0.8</code></dd>" in text
