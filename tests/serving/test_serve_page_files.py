"""The files of the page: what they load, how they are sent, and that nothing comes from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from starlette.requests import Request

from cladewise.serving.static import POLICY, TYPES, page_files

MOST_BYTES = 150_000
NAMESPACES = ("http://www.w3.org/2000/svg",)


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def texts():
    return {name: file.content.decode() for name, file in page_files().items()}


@pytest.fixture(scope="module")
def elements(texts):
    return Elements(texts["index.html"]).found


def test_the_page_is_small():
    assert 20_000 < sum(len(file.content) for file in page_files().values()) < MOST_BYTES


def test_nothing_is_loaded_from_elsewhere(texts):
    for name, text in texts.items():
        for namespace in NAMESPACES:
            text = text.replace(namespace, "")
        assert not re.search(r"https?:|(?<![:\w])//[a-z]|@import|url\(", text), name


def test_the_document_has_no_script_or_style_of_its_own(elements):
    for tag, attributes in elements:
        assert tag != "style"
        assert tag != "script" or attributes["src"]
        assert not [name for name in attributes if name == "style" or name.startswith("on")], (tag, attributes)


def test_what_the_document_and_the_modules_load_is_there(texts, elements):
    loaded = [
        attributes.get("src") or attributes.get("href") for tag, attributes in elements if tag in ("script", "link")
    ]
    assert len(loaded) == 4
    for address in loaded:
        assert address.removeprefix("page/") in texts
    imports = {name: re.findall(r'^import .* from "(.*)";$', text, re.MULTILINE) for name, text in texts.items()}
    assert len(imports["main.js"]) > 8
    reached, waiting = set(), ["main.js"]
    while waiting:
        reached.add(module := waiting.pop())
        waiting += [name.removeprefix("./") for name in imports[module] if name.removeprefix("./") not in reached]
    assert reached | {"theme.js", "index.html", "page.css", "icon.svg"} == set(texts), "no file is left over"


def test_every_imported_name_is_exported_and_used(texts):
    count = 0
    for name, text in texts.items():
        for names, module in re.findall(r'^import \{ (.*) \} from "\./(.*)";$', text, re.MULTILINE):
            for imported in names.split(", "):
                count += 1
                assert re.search(rf"^export (async )?(function|class|const) {imported}\b", texts[module], re.MULTILINE)
                assert len(re.findall(rf"\b{imported}\b", text)) > 1, f"{name} does not use {imported}"
    assert count > 15


def test_ids_that_scripts_ask_for_are_in_the_document_once(texts, elements):
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 50
    asked = {id for text in texts.values() for id in re.findall(r'byId\("([\w-]+)"\)', text)}
    assert asked - {"files"} < set(ids)
    pointed = [
        attributes[name]
        for _, attributes in elements
        for name in ("aria-labelledby", "aria-describedby", "aria-controls", "for")
        if name in attributes
    ]
    assert len(pointed) > 8
    assert set(pointed) <= set(ids)


def test_every_control_has_a_name(texts, elements):
    labelled = {attributes["for"] for tag, attributes in elements if tag == "label" and "for" in attributes}
    controls = [(tag, attributes) for tag, attributes in elements if tag in ("input", "select", "textarea")]
    assert len(controls) > 7
    for tag, attributes in controls:
        in_label = attributes.get("type") == "checkbox"
        assert in_label or attributes.get("aria-label") or attributes["id"] in labelled, (tag, attributes)


READ_ON = {
    "text": ("page", "card", "even"),
    "soft": ("page", "card", "even", "tint", "m1-tint"),
    "accent": ("page", "card", "tint"),
    "on-accent": ("accent",),
    "m0": ("page", "card", "tint"),
    "m1": ("page", "card", "m1-tint"),
    "bad": ("page", "card"),
    "warn": ("page", "warn-tint"),
    "page": ("warn",),
}
"""Colours of texts, and the colours that they stand on."""


def luminance(color):
    parts = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_texts_have_the_contrast_of_wcag_aa(texts, scheme):
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", texts["page.css"])
    colors = {name: luminance(pair[scheme]) for name, *pair in pairs}
    for text, grounds in READ_ON.items():
        for ground in grounds:
            darker, lighter = sorted((colors[text], colors[ground]))
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (text, ground)


def request(**headers):
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": pairs})


def test_files_are_sent_with_their_type_and_a_strict_policy():
    for name, file in page_files().items():
        response = file.response(request())
        assert response.body == file.content
        assert response.headers["content-type"] == TYPES[f".{name.partition('.')[2]}"]
        assert response.headers["content-security-policy"] == POLICY
        assert response.headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in POLICY


def test_a_current_copy_is_not_sent_again():
    file, other = page_files()["main.js"], page_files()["page.css"]
    again = file.response(request(if_none_match=file.tag))
    assert (again.status_code, again.body) == (304, b"")
    assert file.response(request(if_none_match=other.tag)).status_code == 200
