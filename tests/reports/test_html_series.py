"""The page of a series of checkpoints: its curves are the numbers of the audits, with gaps where there are none."""

import functools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from mi_audit.reports import _figures_series, _format, _series
from mi_audit.reports._figures_svg import Panel
from mi_audit.reports.html import Html
from mi_audit.schema.audit import Audit
from mi_audit.schema.estimate import Estimate
from mi_audit.stages import report
from tests.reports import audits, full_audits, series_audits, verdicts
from tests.reports.test_html import TAGS, Page

SHOWN = (-0.03, 1.03)
MADE: dict[str, Callable[[], list[Audit]]] = {
    "series": series_audits.series,
    "full": series_audits.full,
    "hostile": series_audits.hostile,
    "one": lambda: series_audits.series()[:1],
}


@functools.cache
def render(name: str) -> str:
    return Html(by="epoch").render(MADE[name]())


@pytest.fixture(scope="module")
def full() -> Page:
    return Page(render("full"))


def frame(panel: Panel) -> tuple[float, float, float, float]:
    """Left, top, width and height of the axes, by what clips the lines."""
    found = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', panel.svg)
    left, top, width, height = map(float, found[0])
    return left, top, width, height


def marks(panel: Panel, paint: str) -> list[tuple[float, float]]:
    """What the markers of a paint stand for: share of the axis' width, and the rate."""
    left, top, width, height = frame(panel)
    uses = re.findall(
        rf'<use href="#[\w.-]+" x="([\d.-]+)" y="([\d.-]+)" style="[^"]*stroke:var\(--{paint}\)', panel.svg
    )
    low, high = SHOWN
    return [((float(x) - left) / width, high - (float(y) - top) / height * (high - low)) for x, y in uses]


def strokes(panel: Panel, paint: str) -> list[str]:
    """The lines of a paint, each as it is drawn."""
    return re.findall(rf'<path d="([^"]*)"[^>]*style="fill:none;[^"]*stroke:var\(--{paint}\)', panel.svg)


def assert_drawn(panel: Panel, paint: str, values: Sequence[Estimate | None]) -> None:
    """Every defined value is a marker at its epoch and height, and nothing else is."""
    epochs = series_audits.EPOCHS
    margin = max(0.5, 0.03 * (epochs[-1] - epochs[0]))
    wide = epochs[-1] - epochs[0] + 2 * margin
    known = [(epoch, one.value) for epoch, one in zip(epochs, values, strict=True) if one and one.value is not None]
    found = marks(panel, paint)
    assert len(found) == len(known)
    for (x, y), (epoch, value) in zip(found, known, strict=True):
        assert x == pytest.approx((epoch - epochs[0] + margin) / wide, abs=1e-3)
        assert y == pytest.approx(value, abs=1e-3)


def test_the_targets_accuracy_on_both_sides_is_drawn_as_the_audits_have_it() -> None:
    made = series_audits.series()
    panel = _figures_series.drawings(made)[0].panels[0]
    assert_drawn(panel, "member", [audit.accuracy[0].member for audit in made])
    assert_drawn(panel, "non-member", [audit.accuracy[0].non_member for audit in made])


@pytest.mark.parametrize(("which", "metric"), [(1, "balanced_accuracy"), (2, "false_alarm_rate")])
def test_the_selected_and_the_naive_attack_are_drawn_on_every_subset(which: int, metric: str) -> None:
    made = series_audits.series()
    panels = _figures_series.drawings(made)[which].panels
    assert [panel.title for panel in panels] == ["All samples", "Classified correctly", "Misclassified"]
    for panel, subset in zip(panels, ("all", "correct", "misclassified"), strict=True):
        rows = [audit.row("xgboost", subset) for audit in made]  # type: ignore[arg-type]
        assert_drawn(panel, "series-1", [row.metrics[metric] for row in rows])
        assert_drawn(panel, "series-2", [row.naive[metric] for row in rows])


def with_gap(position: int) -> list[Audit]:
    """A series in which no member is misclassified at one epoch."""
    made = series_audits.series()[:-1]
    empty = audits.attack_row("xgboost", (0, 500), 0.5, 0.5, 0.5, subset="misclassified")
    rows = (*made[position].rows[:2], empty)
    made[position] = replace(made[position], rows=rows)
    return made


def test_a_line_breaks_off_where_a_value_cannot_be_estimated_and_no_zero_is_drawn() -> None:
    whole = _figures_series.drawings(series_audits.series()[:-1])[1].panels[2]
    broken = _figures_series.drawings(with_gap(2))[1].panels[2]
    assert [stroke.count("M") for stroke in strokes(whole, "series-1")] == [1]
    assert [stroke.count("M") for stroke in strokes(broken, "series-1")] == [2]
    assert len(marks(broken, "series-1")) == 4
    assert min(y for _, y in marks(broken, "series-1")) > 0.4


def test_a_value_between_two_gaps_keeps_its_interval() -> None:
    made = with_gap(1)
    made[3] = with_gap(3)[3]
    panel = _figures_series.drawings(made)[1].panels[2]
    _, top, _, height = frame(panel)
    upright = re.findall(r"^M ([\d.]+) ([\d.]+) L \1 ([\d.]+) $", "\n".join(strokes(panel, "series-1")), re.MULTILINE)
    assert len(upright) == 3
    for (_, *ends), audit in zip(upright, made[::2], strict=True):
        estimate = audit.row("xgboost", "misclassified").metrics["balanced_accuracy"]
        found = [SHOWN[1] - (float(y) - top) / height * (SHOWN[1] - SHOWN[0]) for y in ends]
        assert found == [pytest.approx(estimate.low, abs=1e-3), pytest.approx(estimate.high, abs=1e-3)]


def test_a_subset_without_any_value_says_so() -> None:
    bare = [replace(audit, rows=audit.rows[:1]) for audit in series_audits.series()]
    panel = _figures_series.drawings(bare)[2].panels[2]
    assert marks(panel, "series-1") == marks(panel, "series-2") == []
    assert "no value at any epoch" in panel.svg
    assert "Selected attack: no value at any epoch." in panel.description


def test_the_description_has_the_ends_the_extremes_and_the_gaps() -> None:
    made = series_audits.series()
    text = _figures_series.drawings(made)[1].panels[2].description
    first = made[0].row("xgboost", "misclassified").metrics["balanced_accuracy"]
    assert f"first {_format.with_interval('balanced_accuracy', first)} at epoch 1," in text
    assert "no value at 1 of 6 epochs" in text
    assert text.index("Selected attack:") < text.index("Naive attack:")
    assert "at the first epoch 700 members and 350 non-members, at the last epoch 0 members and 300 non-m" in text


def test_lines_differ_in_dash_and_marker_so_that_grey_is_enough() -> None:
    for drawing in _figures_series.drawings(series_audits.series()):
        lines = [key for key in drawing.legend if key.is_joined]
        assert len({key.dash for key in lines}) == len({key.marker for key in lines}) == len(lines) == 2


def test_the_numbers_behind_each_figure_have_intervals_or_reasons() -> None:
    made = series_audits.series()
    drawings = _figures_series.drawings(made)
    for drawing in drawings:
        assert [row.cells[0] for row in drawing.tables[0].rows] == ["1", "5", "10", "20", "40", "80"]
    names = [column.name for column in drawings[1].tables[0].columns]
    cells = dict(zip(names, drawings[1].tables[0].rows[-1].cells, strict=True))
    own = made[-1].row("xgboost").metrics["balanced_accuracy"]
    assert cells["balanced accuracy, all"] == _format.with_interval("balanced_accuracy", own)
    assert cells["balanced accuracy, misclassified"] == _format.not_estimable("0 members")
    assert cells["naive balanced accuracy, correct"].startswith("50.00")
    sizes = drawings[1].tables[1]
    assert sizes.rows[0].cells == ("1", "1,000", "500", "300", "150", "700", "350")
    assert sizes.rows[-1].cells[5:] == ("0", "300")


def test_audits_without_epochs_stand_in_their_order() -> None:
    made = [replace(audit, provenance=audits.PROVENANCE) for audit in series_audits.series()]
    panel = _figures_series.drawings(made)[0].panels[0]
    assert "audit, in order" in panel.svg
    steps = [after - before for (before, _), (after, _) in pairwise(marks(panel, "member"))]
    assert steps == pytest.approx([steps[0]] * 5, abs=1e-3)


def test_any_audits_can_be_drawn_as_a_series() -> None:
    made = [one() for one in (audits.ALL | verdicts.ALL).values()]
    for drawing in _figures_series.drawings([*made, series_audits.at(5)]):
        assert all(panel.svg and len(panel.description) > 20 for panel in drawing.panels)


@pytest.mark.parametrize("name", MADE)
def test_elements_are_known_closed_named_once_and_nothing_is_loaded(name: str) -> None:
    page = Page(render(name))
    assert {tag for tag, _ in page.found} <= TAGS
    ids = Counter(attributes["id"] for _, attributes in page.found if "id" in attributes)
    assert [one for one, n in ids.items() if n > 1] == []
    for tag, attributes in page.found:
        assert set(attributes.get("aria-labelledby", "").split()) <= set(ids)
        assert not any(key.startswith("on") for key in attributes), tag
        assert "src" not in attributes
        for target in re.findall(r"#([\w.-]+)", attributes.get("href", "") + attributes.get("clip-path", "")):
            assert target in ids
    assert "<script" not in render(name).lower()
    levels = [int(tag[1]) for tag, _ in page.found if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_curves_come_first_then_the_rows_then_only_the_last_epoch(full: Page) -> None:
    made = series_audits.full()
    heads = [text for _, text in full.all("h2")]
    assert heads == ["Over the epochs", "Epoch by epoch", f"The last epoch in full: {made[-1].title}"]
    assert [text for _, text in full.all("h1")] == ["6 epochs of a training run, 1 to 80"]
    assert len(full.all("article")) == 1
    assert [attributes["id"] for attributes, _ in full.all("figure")][:3] == [
        "series-figure-epochs-accuracy",
        "series-figure-epochs-balanced-accuracy",
        "series-figure-epochs-false-alarm-rate",
    ]
    captions = [text for _, text in full.all("caption")]
    for title in ("Over the epochs, in %", "Verdicts over the epochs", "Audits compared, in %"):
        assert captions.count(title) == 1


def test_every_epoch_has_its_verdict_and_only_the_last_its_reasons(full: Page) -> None:
    made = series_audits.full()
    outcomes = [cell for _, cell in full.all("td") if cell in ("PASS", "FAIL")]
    assert outcomes.count("PASS") == 3 * 5  # in the rows, the verdicts and the comparison
    assert made[-1].verdict is not None
    banners = [text for attributes, text in full.all("div") if attributes.get("class", "").startswith("verdict")]
    assert len(banners) == 1
    assert made[-1].verdict.reasons[0] in banners[0].replace(_format.NO_BREAK_SPACE, " ")


def test_without_a_policy_no_verdict_is_listed() -> None:
    assert "Verdicts over the epochs" not in render("series")


def test_the_numbers_are_those_of_the_other_formats(full: Page) -> None:
    cells = {text for tag in ("td", "th") for _, text in full.all(tag)}
    for row in _series.tables(series_audits.full())[0].rows:
        assert {cell for cell in row.cells if cell} <= cells


def long_series(n: int) -> list[Audit]:
    provenance = [audits.PROVENANCE | {"series": {"epoch": epoch}} for epoch in range(1, n + 1)]
    return [replace(series_audits.at(20), provenance=one) for one in provenance]


def test_a_hundred_epochs_and_a_hundred_classes_stay_below_a_megabyte() -> None:
    assert len(Html(by="epoch").render([*long_series(100), *series_audits.full()[-1:]]).encode()) < 1_000_000


def test_a_long_series_has_few_markers_but_one_on_every_value_that_no_line_shows() -> None:
    made = long_series(101)
    for position in (49, 51):
        empty = audits.attack_row("xgboost", (0, 500), 0.5, 0.5, 0.5, subset="misclassified")
        made[position] = replace(made[position], rows=(*made[position].rows[:2], empty))
    whole, _, broken = _figures_series.drawings(made)[1].panels
    assert len(marks(whole, "series-1")) == 35  # every third of 101, and the last
    around = marks(broken, "series-1")
    margin, wide = 0.03 * 100, 1.06 * 100
    assert any(x == pytest.approx((50 + margin) / wide, abs=1e-3) for x, _ in around)
    assert max(x for x, _ in around) == pytest.approx((100 + margin) / wide, abs=1e-3)


def test_the_same_series_gives_the_same_bytes() -> None:
    assert Html(by="epoch").render(series_audits.series()) == render("series")


def test_the_stage_asks_for_the_page_by_epoch() -> None:
    assert report.render(series_audits.series(), "html", by="epoch") == render("series")
    assert "Over the epochs" not in report.render([full_audits.full()], "html")
