"""The command ``list``."""

from typing import Annotated

import typer

from mi_audit import plugins
from mi_audit.cli._edge import product
from mi_audit.errors import UsageError

TOPICS = ("models", "datasets", "features", "attacks", "metrics", "formats")


def list_(
    topic: Annotated[str | None, typer.Argument(help="|".join(TOPICS), metavar="[TOPIC]")] = None,
) -> None:
    """Name what there is: models, datasets, features, attacks, metrics or formats."""
    if topic is not None and topic not in TOPICS:
        raise UsageError(f"unknown topic {topic!r}", tip=plugins.did_you_mean(topic, TOPICS))
    for number, name in enumerate([topic] if topic else TOPICS):
        rows = _rows(name)
        widest = max((len(entry) for entry, _ in rows), default=0)
        lines = [f"{entry:<{widest}}  {meaning}".rstrip() for entry, meaning in rows]
        heading = [] if topic else ([""] if number else []) + [f"{name}:"]
        product("\n".join([*heading, *lines]) + "\n")


def _rows(topic: str) -> list[tuple[str, str]]:
    """Name and meaning of every entry, none of them imported."""
    if topic == "models":
        from mi_audit.targets._catalogue import listed

        sources = [
            ("timm:NAME", "any timm classifier"),
            ("torchvision:NAME", "any torchvision classifier"),
            ("hf-hub:USER/REPO", "a classifier on the Hugging Face hub, with --allow-download"),
            ("python:FILE.py:FUNCTION", "what your own code builds; it is run"),
            ("predictions:FILE", "no model: logits, probabilities or classes in an npz, csv or parquet file"),
        ]
        return [(entry.name, entry.summary) for entry in listed()] + sources
    if topic == "features":
        outputs = ("outputs", "logits of every sample; always kept, all about confidences is derived from them")
        return [outputs, *((name, plugins.summary("features", name)) for name in plugins.names("features"))]
    if topic == "metrics":
        from mi_audit.metrics.table import METRICS

        return [(metric.name, metric.meaning) for metric in METRICS]
    room = {"datasets": "datasets", "attacks": "attacks", "formats": "reports"}[topic]
    return [(name, plugins.summary(room, name)) for name in plugins.names(room)]
