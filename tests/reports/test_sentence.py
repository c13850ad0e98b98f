from dataclasses import replace

from mi_audit.reports._sentence import sentence
from mi_audit.schema.audit import Audit
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.finding import Finding
from tests.reports import audits


def said(audit: Audit) -> str:
    return sentence(audit).replace("\u00a0", " ")


LARGE = (25_000, 5_000)


def with_headline(balanced_accuracy: Estimate, naive: float = 0.6364, sizes: tuple[int, int] = LARGE) -> Audit:
    audit = audits.normal()
    row = audits.attack_row("xgboost", sizes, 0.8, 0.41, 0.75)
    naive_row = audits.attack_row("naive", sizes, 0.9, 0.7, 0.6)
    beside = {"balanced_accuracy": Estimate(naive)}
    row = replace(row, metrics=row.metrics | {"balanced_accuracy": balanced_accuracy}, naive=row.naive | beside)
    naive_row = replace(naive_row, metrics=naive_row.metrics | beside)
    return replace(audit, rows=(row, naive_row))


def test_the_usual_case_has_the_figures_of_the_record() -> None:
    assert said(audits.normal()) == (
        "The best attack (xgboost, chosen on known samples) tells members from non-members with 69.9 % balanced "
        "accuracy, 6.3 points above the naive attack (63.6 %), and raises a false alarm on 41.0 % of non-members."
    )


def test_the_difference_is_the_one_of_the_figures_that_are_shown() -> None:
    text = said(with_headline(Estimate(0.69949, 0.69, 0.71), naive=0.63551))
    assert "69.9 % balanced accuracy, 6.3 points above the naive attack (63.6 %)" in text


def test_one_point_and_none() -> None:
    assert "1.0 point above the naive" in said(with_headline(Estimate(0.71, 0.69, 0.73), naive=0.70))
    assert "the same as the naive attack (70.0 %)" in said(with_headline(Estimate(0.7, 0.69, 0.73), naive=0.70))
    assert "4.0 points below the naive attack (74.0 %)" in said(with_headline(Estimate(0.7, 0.69, 0.73), naive=0.74))


def test_the_naive_attack_is_not_compared_with_itself() -> None:
    text = said(replace(audits.normal(), selected="naive"))
    assert text.startswith(
        "The best attack on the known samples, the naive one (member if classified correctly), tells"
    )
    assert "above" not in text
    assert "raises a false alarm on 72.6 % of non-members" in text


def test_an_interval_that_holds_one_half_is_no_finding_either_way() -> None:
    text = said(with_headline(Estimate(0.51, 0.5, 0.52)))
    assert "was not shown to do better than guessing (50 %)" in text
    assert "51.0 % balanced accuracy, interval 50.0 to 52.0 %" in text
    assert "no evidence against stronger attacks" in text
    assert "above the naive" not in text


def test_an_interval_just_above_one_half_is_a_finding() -> None:
    assert "tells members from non-members" in said(with_headline(Estimate(0.51, 0.5000001, 0.52)))


def test_an_interval_below_one_half_is_a_mistake() -> None:
    assert "does worse than guessing" in said(with_headline(Estimate(0.4, 0.38, 0.42)))


def test_not_estimable_has_its_reason() -> None:
    assert said(audits.undefined()).endswith("is not estimable (0 members).")
    assert said(replace(audits.normal(), rows=())).endswith("is not estimable (no held-out samples).")


def test_few_samples_are_said() -> None:
    assert "rests on only 12 members." in said(with_headline(Estimate(0.7, 0.6, 0.8), sizes=(12, 30)))
    assert "rests on only 29 members and 1 non-member." in said(with_headline(Estimate(0.7, 0.6, 0.8), sizes=(29, 1)))
    assert "rests on" not in said(with_headline(Estimate(0.7, 0.6, 0.8), sizes=(30, 30)))


def test_limits_and_findings_are_pointed_to() -> None:
    limited = audits.limited()
    assert "1 of 3 limits is exceeded. 1 of 3 limits cannot be checked." in said(limited)
    assert "The limit is exceeded." in said(replace(limited, limits=limited.limits[:1]))
    assert "limit" not in said(replace(limited, limits=limited.limits[1:2]))
    warning, error = (Finding("x", severity, "m") for severity in ("warning", "error"))
    assert said(replace(limited, findings=(warning,))).endswith("Read the warning among the findings below.")
    assert said(replace(limited, findings=(warning, warning))).endswith("Read the 2 warnings among the findings below.")
    assert "Do not rely on these numbers: 1 error" in said(replace(limited, findings=(warning, error)))
