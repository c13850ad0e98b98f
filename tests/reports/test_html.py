"""The page as a parser sees it: nothing unclosed, nothing unescaped, nothing loaded, the numbers of the record."""

import functools
import html.parser
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from mi_audit import plugins
from mi_audit.errors import MissingLibraryError
from mi_audit.reports import _facts, _figures_roc, _figures_svg, _figures_target, _format
from mi_audit.reports._html_text import escaped, prose
from mi_audit.reports.html import Html
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit
from mi_audit.schema.verdict import RuleResult
from mi_audit.stages import report
from tests.reports import audits, full_audits

VOID = {"meta", "link", "br", "img", "input", "hr"}
TAGS = {
    "html",
    "head",
    "meta",
    "link",
    "title",
    "style",
    "body",
    "header",
    "main",
    "footer",
    "nav",
    "section",
    "article",
    "h1",
    "h2",
    "h3",
    "p",
    "a",
    "ul",
    "li",
    "dl",
    "dt",
    "dd",
    "div",
    "span",
    "strong",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "figure",
    "figcaption",
    "pre",
    "code",
    "svg",
    "desc",
    "g",
    "defs",
    "path",
    "use",
    "text",
    "clippath",
    "rect",
}
MADE: dict[str, Callable[[], Audit]] = {
    **audits.ALL,
    "full": full_audits.full,
    "full_hostile": full_audits.full_hostile,
}


class Page(html.parser.HTMLParser):
    """The elements of a page with their attributes and text; fails where one is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, int]] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        self.texts.append("")
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        if tag not in VOID:
            self.open.append((tag, len(self.texts) - 1))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1][0]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for _, place in self.open:
            self.texts[place] += data

    def all(self, tag: str) -> list[tuple[dict[str, str], str]]:
        found = zip(self.found, self.texts, strict=True)
        return [(attributes, text) for (name, attributes), text in found if name == tag]


@functools.cache
def render(*names: str) -> str:
    return Html().render([MADE[name]() for name in names])


@pytest.fixture(scope="module")
def full() -> Page:
    return Page(render("full"))


@pytest.mark.parametrize("name", MADE)
def test_elements_are_known_closed_and_named_once(name: str) -> None:
    page = Page(render(name))
    assert {tag for tag, _ in page.found} <= TAGS
    ids = Counter(attributes["id"] for _, attributes in page.found if "id" in attributes)
    assert [one for one, n in ids.items() if n > 1] == []
    for _, attributes in page.found:
        for name_of_reference in ("aria-labelledby", "href", "clip-path"):
            for target in re.findall(r"#([\w.-]+)", attributes.get(name_of_reference, "")):
                assert target in ids
        assert set(attributes.get("aria-labelledby", "").split()) <= set(ids)


@pytest.mark.parametrize("name", MADE)
def test_nothing_runs_and_nothing_is_loaded(name: str) -> None:
    page = Page(render(name))
    for tag, attributes in page.found:
        assert not any(key.startswith("on") for key in attributes), tag
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith(("#", "data:,"))
        assert "url(" not in attributes.get("style", "").replace("url(#", "")
    assert "@import" not in page.all("style")[0][1]
    assert "url(" not in page.all("style")[0][1]


def test_a_policy_tells_the_browser_to_load_nothing(full: Page) -> None:
    policies = [a["content"] for a, _ in full.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'")
    assert "script" not in policies[0]


@pytest.mark.parametrize("name", ["hostile", "full_hostile"])
def test_hostile_names_are_shown_as_they_are_and_are_no_markup(name: str) -> None:
    text = render(name)
    page = Page(text)
    assert "<script" not in text.lower()
    assert page.all("img") == []
    seen = " ".join(page.texts)
    assert "<script>alert(1)</script>" in seen
    assert "\\x1b[31mred" in seen
    names = [cell for _, cell in page.all("th")]
    for given in audits.HOSTILE[:-1]:
        assert any(_format.visible(_format.shortened(given, 60)) == cell for cell in names)


def test_dollars_and_brackets_are_no_mathematics_in_figures() -> None:
    audit = full_audits.full()
    labels = ("$\\frac{1}{0", "a_b^c $x$ {", "深層" * 9, "x" * 200, "$$", "%s %(x)s", "\x1b[31m", "</svg><b>")
    attacks = tuple(audits.trained(label) for label in labels)
    rows = tuple(audits.attack_row(label, audits.HELD_OUT, 0.8, 0.4, 0.7) for label in labels)
    roc = tuple(full_audits.roc_row(label, 0.5) for label in labels)
    changed = replace(
        audit, attacks=attacks, selected=labels[0], rows=rows, figures=replace(audit.figures, roc=roc, ratio_curves=())
    )
    page = Page(Html().render([changed]))
    drawn = [text for _, text in page.all("text")]
    assert "$\\frac{1}{0" in drawn
    assert "a_b^c $x$ {" in drawn
    assert "</svg><b>" in drawn
    assert "b" not in {tag for tag, _ in page.found}


def test_the_same_audit_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib; from tests.reports import full_audits; from mi_audit.reports.html import Html; "
        "print(hashlib.sha256(Html().render([full_audits.full()]).encode()).hexdigest())"
    )
    runs = {
        subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


def test_the_users_settings_of_matplotlib_change_nothing(full: Page) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert Page(Html().render([full_audits.full()])).found == full.found
    assert mpl.rcParams["svg.fonttype"] == "path"


def test_a_hundred_classes_and_forty_attacks_stay_below_a_megabyte() -> None:
    audit = full_audits.full()
    more = [audits.trained(f"threshold:signal-number-{i}") for i in range(40)]
    roc = tuple(full_audits.roc_row(attack.label, 0.6, 200) for attack in more)
    rows = [audits.attack_row(attack.label, audits.HELD_OUT, 0.8, 0.4, 0.7) for attack in more]
    large = replace(
        audit,
        attacks=(*audit.attacks, *more),
        rows=(*audit.rows, *rows),
        figures=replace(audit.figures, roc=(*roc, *audit.figures.roc)),
    )
    assert len(Html().render([large]).encode()) < 1_000_000


def test_there_is_one_first_heading_and_none_is_skipped(full: Page) -> None:
    levels = [int(tag[1]) for tag, _ in full.found if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    tags = [tag for tag, _ in full.found]
    assert [tags.count(landmark) for landmark in ("header", "main", "footer", "nav")] == [1, 1, 1, 1]


def test_every_table_has_a_caption_scopes_and_is_within_reach_of_the_keyboard(full: Page) -> None:
    tags = [tag for tag, _ in full.found]
    assert tags.count("caption") == tags.count("table") > 15
    assert {attributes.get("scope") for attributes, _ in full.all("th")} == {"row", "col"}
    scrolls = [attributes for attributes, _ in full.all("div") if attributes.get("class") == "scroll"]
    assert len(scrolls) == tags.count("table")
    assert all(one["tabindex"] == "0" and one["role"] == "region" for one in scrolls)


def test_every_drawing_has_a_title_and_a_description_in_words(full: Page) -> None:
    drawings = [attributes for attributes, _ in full.all("svg") if "aria-hidden" not in attributes]
    assert len(drawings) > 15
    descriptions = {attributes["id"]: text for attributes, text in full.all("desc")}
    for one in drawings:
        assert one["role"] == "img"
        assert len(descriptions[one["aria-labelledby"].split()[1]]) > 20


def test_the_sections_come_in_the_order_of_reading(full: Page) -> None:
    assert [text for _, text in full.all("h2")] == [
        "The target: accuracy and gap",
        "Attacks",
        "How sure the numbers are",
        "If members were rarer: balancedness",
        "ROC curves",
        "What gives members away: confidences",
        "Class by class",
        "Controls and findings",
        "What was audited",
        "What the result says, and what it does not",
        "How to repeat it",
    ]
    assert "What the attack looks at" in [text for _, text in Page(render("on_features")).all("h2")]


@pytest.mark.parametrize("outcome", ["PASS", "FAIL", "INCONCLUSIVE", "INVALID"])
def test_the_verdict_comes_first_with_its_reasons(outcome: str) -> None:
    text = Html().render([replace(audits.bare(), verdict=full_audits.verdict(outcome))])  # type: ignore[arg-type]
    assert text.index(f"{outcome}") < text.index("AUC is at least 74.1") < text.index("<nav")
    to_do = "<p>What to do: Audit again with what <code>mi-audit power</code> asks for.</p>"
    assert (to_do in text) == (outcome != "PASS")
    assert "12,000" not in text


def test_controls_that_held_stand_below_the_rules_and_every_other_rule_has_its_reason() -> None:
    made = full_audits.verdict("FAIL")
    quiet = RuleResult("control/placebo", "held", "error", "Shuffled labels give nothing away.")
    text = Html().render([replace(audits.bare(), verdict=replace(made, rules=(quiet, *made.rules)))])
    assert "Controls that held: placebo." in text
    cells = [cell for _, cell in Page(text).all("td")]
    assert all(rule.message in cells for rule in made.rules)
    assert quiet.message not in cells


def test_the_words_of_the_page_are_explained_once_right_below_the_verdict() -> None:
    for text in (render("full"), Html().render([full_audits.full(), full_audits.full()])):
        assert text.count("<summary>The words on this page</summary>") == 1
        assert text.count(escaped(_facts.WORDS[0][1])) == 1
    text = render("full")
    assert text.index('class="verdict') < text.index("The words on this page") < text.index('class="cards"')
    assert "<details><summary>The words" in text


def test_the_findings_are_linked_where_the_page_says_to_read_them() -> None:
    found = Page(render("duplicates"))
    link = next(attributes["href"] for attributes, text in found.all("a") if text == "the findings below")
    assert link == "#a1-controls"
    assert 'id="a1-controls"' in render("duplicates")


def test_cards_say_that_their_small_numbers_are_intervals_of_95_percent() -> None:
    cards = re.search(r'<dl class="cards">.*?</dl>', render("full"), re.DOTALL)
    assert cards is not None
    assert f"<span>95{_format.NO_BREAK_SPACE}% interval 69.17{_format.DASH}70.61</span>" in cards[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("run `mi-audit power` first", "run <code>mi-audit power</code> first"),
        ("`<b>` & `c`", "<code>&lt;b&gt;</code> &amp; <code>c</code>"),
        ("one ` alone", "one ` alone"),
        ("`a` and ` alone", "`a` and ` alone"),
        ("nothing in ``", "nothing in ``"),
    ],
)
def test_text_between_backticks_is_code_where_they_are_balanced(text: str, shown: str) -> None:
    assert prose(text) == shown


@pytest.mark.parametrize(
    ("n_non_members", "told"),
    [
        (5000, "The vertical lines mark FAR 0.1 % and 1 %."),
        (750, "The vertical line marks FAR 1 %."),
        (50, "The dotted diagonal is guessing"),
    ],
)
def test_the_roc_note_names_the_lines_that_are_drawn(n_non_members: int, told: str) -> None:
    audit = full_audits.full()
    rows = tuple(replace(row, n_non_members=n_non_members) for row in audit.figures.roc)
    drawing = _figures_roc.roc(replace(audit, figures=replace(audit.figures, roc=rows)))
    assert drawing is not None
    assert told in drawing.note
    assert ("vertical" in drawing.note) == (n_non_members > 100)
    assert any(key.label == "limit of the policy" for key in drawing.legend) == (n_non_members > 100)


def test_class_charts_say_where_the_names_are() -> None:
    notes = [drawing.note for drawing in _figures_target.mean_confidences(full_audits.full())]
    assert notes
    assert all("the numbers below the figure have their names" in note for note in notes)


def test_without_a_policy_the_page_says_so() -> None:
    text = render("normal")
    assert "Not gated" in text
    assert not re.search(r'class="outcome">[^<]*(PASS|FAIL)', text)


def test_the_numbers_are_those_of_the_other_formats(full: Page) -> None:
    cells = [text for _, text in full.all("td")]
    assert f"69.89{_format.NO_BREAK_SPACE}(69.17{_format.DASH}70.61)" in cells
    markdown = plugins.load("reports", "markdown").render([full_audits.full()])
    for table in re.findall(r"^## (Attacks on.*|Subsets.*|Balancedness.*|Accuracy.*)$", markdown, re.MULTILINE):
        assert table in [text for _, text in full.all("caption")]


def test_the_roc_table_holds_the_points_that_are_drawn(full: Page) -> None:
    row = full_audits.full().figures.roc[0]
    cells = [text for _, text in full.all("td")]
    for rate, recall in zip(row.false_alarm_rate[::10], row.recall[::10], strict=True):
        pair = (numerals.percent(rate), numerals.percent(recall))
        assert pair in list(pairwise(cells))


def test_a_line_is_drawn_through_its_points() -> None:
    """A known line comes back from the drawing, by the frame of its axes."""
    drawn = _figures_svg.panel("t", "d", _diagonal)
    paths = re.findall(r'<path d="M ([\d. ]+?) L ([\d. ]+?) L ([\d. ]+?) "[^>]*var\(--member\)', drawn.svg)
    points = [tuple(map(float, point.split())) for point in paths[0]]
    frame = [
        float(n)
        for n in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', drawn.svg)[0]
    ]
    shares = [((x - frame[0]) / frame[2], 1 - (y - frame[1]) / frame[3]) for x, y in points]
    for share, expected in zip(shares, ((0, 0), (0.5, 0.25), (1, 1)), strict=True):
        assert share == pytest.approx(expected, abs=1e-3)


def _diagonal(axes: object) -> None:
    axes.plot([0, 1, 2], [0, 1, 4], color=_figures_svg.colour("member"))  # type: ignore[attr-defined]
    axes.set_xlim(0, 2)  # type: ignore[attr-defined]
    axes.set_ylim(0, 4)  # type: ignore[attr-defined]


def test_colours_are_the_pages_own(full: Page) -> None:
    styles = " ".join(attributes.get("style", "") for _, attributes in full.found)
    assert not re.search(r"#[0-9a-fA-F]{3,6}", styles.replace("url(#", ""))
    style = full.all("style")[0][1]
    for paint in _figures_svg.PAINTS:
        assert style.count(f"--{paint}:") == 2  # light and dark


@pytest.mark.parametrize(("mode", "start"), [("light", 0), ("dark", 1)])
def test_paints_stand_out_from_the_paper_by_three_to_one_and_text_by_more(full: Page, mode: str, start: int) -> None:
    style = full.all("style")[0][1]
    colours = {
        name: found[start]
        for name in ("paper", "soft", *_figures_svg.PAINTS, "link", "pass", "fail", "open")
        if len(found := re.findall(rf"--{name}:(#\w{{6}})", style)) == 2
    }
    least = dict.fromkeys(colours, 3.0) | dict.fromkeys(("ink", "muted", "link", "pass", "fail", "open"), 4.5)
    for name, colour in colours.items():
        if name not in ("paper", "soft", "line"):
            assert contrast(colour, colours["paper"]) >= least[name], (mode, name)
    assert contrast(colours["muted"], colours["soft"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_commands_repeat_the_audit_and_hostile_specs_stay_one_word() -> None:
    import shlex

    text = render("normal")
    code = html.unescape(re.findall(r"<code>(.*?)</code>", text, re.DOTALL)[0])
    words = shlex.split(code.split("\n")[0])
    assert words[:4] == ["mi-audit", "evaluate", "--model", "somewhere/cifar100_resnet56.pt"]
    assert words[words.index("--known-fraction") + 1] == "0.5"
    assert words[words.index("--policy") + 1] == "none"
    audit = audits.normal()
    target = {**audit.provenance["features"]["target"], "spec": "x; rm -rf $HOME `id`\n#"}
    provenance = {**audit.provenance, "features": {**audit.provenance["features"], "target": target}}
    text = Html().render([replace(audit, provenance=provenance)])
    code = html.unescape(re.findall(r"<code>(.*?)</code>", text, re.DOTALL)[0])
    assert shlex.split(code.split("\n")[0])[3] == "x; rm -rf $HOME `id`\\n#"


def test_the_command_has_the_preset_the_features_and_the_evidence() -> None:
    audit = replace(audits.normal(), verdict=replace(full_audits.verdict(), policy={"preset": "strict"}))
    found = {"layer:-1": {}, "evidence:thumbnail": {}}
    features = {**audit.provenance["features"], "features": found}
    text = Html().render([replace(audit, provenance={**audit.provenance, "features": features})])
    for words in ("--policy strict", "--features outputs,layer:-1 ", "--controls full"):
        assert words in text


def test_the_command_names_the_code_of_a_network_of_ones_own() -> None:
    audit = audits.normal()
    target = {
        **audit.provenance["features"]["target"],
        "spec": "run.pt",
        "architecture": "python:net.py:Net@0123456789ab",
    }
    features = {**audit.provenance["features"], "target": target}
    text = Html().render([replace(audit, provenance={**audit.provenance, "features": features})])
    assert "--arch python:net.py:Net " in html.unescape(text)


def test_several_audits_have_a_comparison_and_an_article_each() -> None:
    page = Page(render("normal", "full", "paper"))
    assert len(page.all("article")) == 3
    assert [text for _, text in page.all("h1")] == ["3 audits compared"]
    assert "Audits compared, in %" in [text for _, text in page.all("caption")]
    assert "The tables of the founding paper" in [text for _, text in page.all("h2")]


def test_a_missing_matplotlib_is_said_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.style", None)
    with pytest.raises(MissingLibraryError, match="matplotlib") as caught:
        Html().render([full_audits.full()])
    assert caught.value.tip == "pip install matplotlib"


def test_the_suffix_asks_for_a_page() -> None:
    assert report.SUFFIXES[".html"] == report.SUFFIXES[".htm"] == "html"
    assert report.render([audits.bare()], "html").startswith("<!DOCTYPE html>")


def test_matplotlib_is_imported_for_figures_only() -> None:
    code = "import sys, mi_audit.reports.html; print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_verdict_ends_in_plain_words_where_both_rates_are_known() -> None:
    row = audits.normal().row("xgboost")
    shares = (row.metrics["recall.member"].value, row.metrics["false_alarm_rate"].value)
    members, non_members = (f"{100 * share:.0f}" for share in shares if share is not None)
    (said,) = re.findall(r"In plain words: [^<]*", render("normal"))
    assert f"about {members} that they" in said
    assert f"about {non_members}." in said
    assert "In plain words" not in render("bare")
