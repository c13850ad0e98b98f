"""A validator for the part of XML Schema that `junit.xsd` uses, so that no library is needed for one test.

Elements with sequences of references, ``minOccurs`` and ``maxOccurs``, attributes that are required or not, text
where the type is a string or mixed, whole numbers.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

XS = "{http://www.w3.org/2001/XMLSchema}"


def violations(document: str, schema: Path) -> list[str]:
    """What in the document the schema does not allow."""
    declared = {one.get("name"): one for one in ElementTree.parse(schema).getroot()}
    return list(_violations(ElementTree.fromstring(document.encode()), declared))


def _violations(node: ElementTree.Element, declared: dict[str | None, ElementTree.Element]) -> Iterator[str]:
    if node.tag not in declared:
        yield f"unknown element {node.tag}"
        return
    kind = declared[node.tag].find(f"{XS}complexType")
    attributes = {one.get("name"): one for one in kind.findall(f"{XS}attribute")} if kind is not None else {}
    for name, value in node.attrib.items():
        if name not in attributes:
            yield f"unknown attribute {name} of {node.tag}"
        elif attributes[name].get("type") == "xs:nonNegativeInteger" and not re.fullmatch(r"\d+", value):
            yield f"{name} of {node.tag} is {value!r}"
    yield from (
        f"{node.tag} lacks {name}"
        for name, one in attributes.items()
        if one.get("use") == "required" and name not in node.attrib
    )
    is_text = kind is None or kind.get("mixed") == "true"
    if (node.text or "").strip() and not is_text:
        yield f"text in {node.tag}"
    wanted = kind.findall(f"{XS}sequence/{XS}element") if kind is not None else []
    pattern = "".join(f"(?:{one.get('ref')};){{{one.get('minOccurs', '1')},{_most(one)}}}" for one in wanted)
    if not re.fullmatch(pattern, "".join(f"{child.tag};" for child in node)):
        yield f"children of {node.tag}: {[child.tag for child in node]}"
    for child in node:
        yield from _violations(child, declared)


def _most(one: ElementTree.Element) -> str:
    most = one.get("maxOccurs", "1")
    return "" if most == "unbounded" else most
