"""How the gate says numbers: one way for each measure."""

from mi_audit.schema.numerals import in_percent, plain

_NAMES = {
    "auc": "AUC",
    "tpr_at_fpr.0.01": "TPR at FAR 1 %",
    "tpr_at_fpr.0.001": "TPR at FAR 0.1 %",
    "loss_tnr.0.001": "share of non-members below 99.9 % of the members",
}


def named(metric: str) -> str:
    """A metric in words.

    >>> named("balanced_accuracy")
    'balanced accuracy'
    """
    return _NAMES.get(metric, metric.replace("_", " "))


def shown(metric: str, value: float) -> str:
    """A value of a metric: AUC and limits on it as they are, every other number in percent.

    >>> shown("auc", 0.65), shown("tpr_at_fpr.0.001", 0.0055)
    ('0.650', '0.55 %')
    """
    return plain(value, 3) if metric == "auc" else in_percent(value)
