"""The tables' description: complete, and the same in the docs as in the code."""

import json
from pathlib import Path

from jackstop.model import ocsf
from jackstop.model.tables import ALL


def test_the_page_in_the_docs_is_the_one_the_code_makes():
    page = Path(__file__).parents[2] / "docs" / "tables.md"
    assert page.read_text("utf-8") == ocsf.markdown()


def test_every_column_and_every_word_is_described():
    made = json.loads(json.dumps(ocsf.extension()))
    attributes = made["dictionary"]["attributes"]
    for table in ALL:
        for column in table.columns:
            assert attributes[column.name]["description"], column.name
    for name, attribute in attributes.items():
        for word, said in attribute.get("enum", {}).items():
            assert said["description"], f"{name}.{word}"


def test_a_class_has_only_attributes_of_the_dictionary():
    made = ocsf.extension()
    for event in made["classes"]:
        assert set(event["attributes"]) <= set(made["dictionary"]["attributes"])
