"""The metrics of an audit in the order of reports, with their names in print."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mi_audit.reports import _format
from mi_audit.reports._table import Column
from mi_audit.schema.estimate import Estimate

_LONGEST_LIST = 4


@dataclass(frozen=True)
class Metric:
    """A metric: its key in the record, its name in full words, and the lines of a narrow heading."""

    key: str
    name: str
    heading: str

    def column(self, *, is_essential: bool = True) -> Column:
        """The column that holds it."""
        return Column(self.name, self.heading, is_essential=is_essential)


METRICS = {
    metric.key: metric
    for metric in (
        Metric("balanced_accuracy", "balanced accuracy", "balanced\naccuracy"),
        Metric("false_alarm_rate", "FAR", "FAR"),
        Metric("recall.member", "recall of members", "recall\nmemb."),
        Metric("precision.member", "precision of members", "prec.\nmemb."),
        Metric("f1.member", "F1 of members", "F1\nmemb."),
        Metric("recall.non_member", "recall of non-members", "recall\nnon-m."),
        Metric("precision.non_member", "precision of non-members", "prec.\nnon-m."),
        Metric("f1.non_member", "F1 of non-members", "F1\nnon-m."),
        Metric("auc", "AUC", "AUC"),
        Metric("tpr_at_fpr.0.01", "TPR at 1 % FAR", "TPR\n@1 %"),
        Metric("tpr_at_fpr.0.001", "TPR at 0.1 % FAR", "TPR\n@0.1 %"),
        Metric("accuracy", "accuracy", "accuracy"),
        Metric("advantage", "advantage", "advan-\ntage"),
        Metric("false_discovery_rate", "false discovery rate", "false\ndisc. rate"),
    )
}


def name(key: str) -> str:
    """The name of a metric in print; its key where it is not one of ours."""
    return METRICS[key].name if key in METRICS else key


def ordered(keys: Iterable[str]) -> list[str]:
    """Each key once: those of our metrics in the order of reports, then all others by name."""
    given = set(keys)
    return [key for key in METRICS if key in given] + sorted(given - set(METRICS))


def reasons(all_metrics: Iterable[Mapping[str, Estimate]], shown: Iterable[str]) -> tuple[str, ...]:
    """One note per reason why a shown number is undefined, with the metrics that it concerns where they are few.

    A dash, then ``"TPR at 0.1 % FAR: not estimable (needs 3,700 non-members)."``
    """
    found: dict[str, list[str]] = {}
    keys = list(shown)
    for metrics in all_metrics:
        for key in keys:
            estimate = metrics.get(key)
            if estimate is not None and estimate.value is None:
                names = found.setdefault(estimate.reason or "", [])
                names += [name(key)] if name(key) not in names else []
    return tuple(f"{_format.DASH}{_listed(names)}: not estimable ({reason})." for reason, names in found.items())


def _listed(names: list[str]) -> str:
    return f" {', '.join(names)}" if len(names) <= _LONGEST_LIST else ""
