"""Read back with a Markdown parser, so that nothing depends on how it was escaped."""

import html.parser
import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from mi_audit.reports import _format
from mi_audit.reports.markdown import Markdown, escaped
from tests.reports import audits, verdicts


class Seen(html.parser.HTMLParser):
    """The tags of a page, and the text of its first column."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self._inside = False
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the parser's signature
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")
        self._inside = tag in ("td", "th") or (self._inside and tag == "strong")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.cells[-1] += data


def render(*names: str) -> str:
    return Markdown().render([audits.ALL[name]() for name in names])


@pytest.mark.parametrize("name", ["normal", "paper", "hostile", "undefined", "per_class", "limited"])
def test_a_parser_finds_headings_lists_and_tables_only(name: str) -> None:
    allowed = {"h1", "h2", "p", "ul", "li", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert Seen(render(name)).tags <= allowed


def test_every_row_has_a_cell_per_column() -> None:
    blocks = re.findall(r"(?:^\|.*\|\n)+", render("hostile"), re.MULTILINE)
    assert len(blocks) >= 6
    for block in blocks:
        parsed = Seen(block)
        n_columns = len(re.findall(r":?---+:?", block.split("\n")[1]))
        assert len(parsed.cells) == n_columns * (block.count("\n") - 1)


def test_hostile_names_are_shown_as_they_are() -> None:
    cells = Seen(render("hostile")).cells
    for name in audits.HOSTILE[:-1]:
        shown = _format.shortened(name, 60)
        assert " ".join(_format.visible(shown).split()) in [" ".join(cell.split()) for cell in cells]


@pytest.mark.parametrize("text", ["user@evil.com", "@octocat", "mailto:a@b.c", "a @ b"])
def test_an_at_calls_nobody(text: str) -> None:
    assert not re.search(r"@[\w.-]", escaped(text))
    assert text in " ".join(re.sub("<[^>]*>", "", MarkdownIt("commonmark").render(escaped(text))).split())


@pytest.mark.parametrize("text", ["http://evil.example/x", "https://evil.example", "see www.evil.example"])
def test_bare_addresses_are_no_links_to_parsers_that_look_for_them(text: str) -> None:
    assert not re.search(r"https?://|www\.", escaped(text))
    assert MarkdownIt("commonmark").render(escaped(text)) == f"<p>{text}</p>\n"


@pytest.mark.parametrize("start", ["- x", "+ x", "1. x", "1) x", "# x", "> x", "===", "    code", "~~~", "| a |"])
def test_a_note_starts_no_block(start: str) -> None:
    audit = audits.limited()
    check = replace(audit.limits[2], text=start)
    text = Markdown().render([replace(audit, limits=(check,))])
    shown = MarkdownIt("commonmark").enable("table").render(text)
    note = start.strip().replace(">", "&gt;")
    assert f"<p>{note}: not estimable" in shown


def test_the_numbers_are_there() -> None:
    cells = Seen(render("normal")).cells
    assert "69.89 (69.17\u201370.61)" in cells
    assert "99.45 ± 2.31" in cells
    assert "50,000" in cells


def test_the_selected_attack_is_bold() -> None:
    assert "| **xgboost** | **69.89" in render("normal")


def test_cells_repeat_what_they_are_about() -> None:
    assert render("normal").count("| misclassified | ") == 1 + 3


def test_a_hundred_classes_stay_under_what_a_comment_holds() -> None:
    audit = replace(audits.on_features("paper"), rows=(*audits.per_class().rows, *audits.on_features("paper").rows))
    assert len(Markdown(classes=100).render([audit]).encode()) < 64 * 1024


def test_what_does_not_fit_is_named_and_the_legend_stays() -> None:
    made = [replace(verdicts.judged(), title=f"model {number}") for number in range(40)]
    text = Markdown().render(made)
    assert 60_000 < len(text.encode()) <= 64_000
    assert re.search(r"\*\d+ parts left out to keep this short", text)
    assert "## What the numbers are" in text
    assert text.startswith("## Audits compared")
    assert "left out to keep this short" not in Markdown(max_bytes=10_000_000).render(made)
