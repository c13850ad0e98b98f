"""The command ``list``."""

from typing import Annotated, Any, cast

import typer

from mi_audit import plugins
from mi_audit.cli import _options as options
from mi_audit.cli._edge import product
from mi_audit.errors import UsageError

TOPICS = ("models", "datasets", "features", "attacks", "metrics", "controls", "declarations", "formats")
LAYERS = "layers"


def list_(
    topic: Annotated[str | None, typer.Argument(help="|".join((*TOPICS, LAYERS)), metavar="[TOPIC]")] = None,
    model: options.Model = None,
    data: options.Data = None,
    arch: options.Arch = None,
    weights: options.Weights = "auto",
    data_dir: options.DataDir = None,
    download: options.Download = False,
    split: options.Split = None,
) -> None:
    """Name what there is: models, datasets, features, attacks, metrics, controls, declarations or formats.

    The layers of a network: list layers --model SPEC, with --data where the size of its images is not its own.
    """
    if topic is not None and topic not in (*TOPICS, LAYERS):
        raise UsageError(f"unknown topic {topic!r}", tip=plugins.did_you_mean(topic, (*TOPICS, LAYERS)))
    of_network = {"model": model, "data": data, "arch": arch, "data_dir": data_dir, "split": split}
    if topic == LAYERS:
        _layers(weights, download=download, **of_network)
        return
    if given := [name for name, value in of_network.items() if value is not None]:
        flag = f"--{given[0].replace('_', '-')}"
        raise UsageError(f"{flag} is for the layers of a network", tip="mi-audit list layers --model SPEC")
    for number, name in enumerate([topic] if topic else TOPICS):
        rows = _rows(name)
        widest = max((len(entry) for entry, _ in rows), default=0)
        lines = [f"{entry:<{widest}}  {meaning}".rstrip() for entry, meaning in rows]
        heading = [] if topic else ([""] if number else []) + [f"{name}:"]
        product("\n".join([*heading, *lines]) + "\n")


def _layers(weights: str, *, download: bool, **of_network: Any) -> None:
    """Print the layers of a network."""
    if not of_network["model"]:
        raise UsageError("expected --model", tip="for example mi-audit list layers --model timm:resnet18")
    from mi_audit.stages.inspect import WEIGHTS
    from mi_audit.stages.layers import LayersOptions, layers, rendered

    if weights not in WEIGHTS:
        raise UsageError(f"expected --weights {', '.join(WEIGHTS)}, got {weights!r}", tip="leave --weights out")
    given = {name: value for name, value in of_network.items() if value is not None}
    options.announce_code(of_network["model"], of_network["arch"])
    product(rendered(layers(LayersOptions(weights=cast("Any", weights), download=download, **given))))


def _rows(topic: str) -> list[tuple[str, str]]:
    """Name and meaning of every entry, none of them imported."""
    if topic == "models":
        from mi_audit.targets._catalogue import listed

        sources = [
            ("timm:NAME", "any timm classifier"),
            ("torchvision:NAME", "any torchvision classifier"),
            ("hf-hub:USER/REPO", "a classifier on the Hugging Face hub, with --allow-download"),
            ("python:FILE.py:FUNCTION", "what your own code builds; as --arch, for the weights of a checkpoint"),
            ("predictions:FILE", "no model: logits, probabilities or classes in an npz, csv or parquet file"),
        ]
        return [(entry.name, entry.summary) for entry in listed()] + sources
    if topic == "features":
        outputs = ("outputs", "logits of every sample; always kept, all about confidences is derived from them")
        return [outputs, *((name, plugins.summary("features", name)) for name in plugins.names("features"))]
    if topic == "metrics":
        from mi_audit.metrics.table import METRICS

        return [(metric.name, metric.meaning) for metric in METRICS]
    if topic == "declarations":
        from mi_audit.controls._declarations import DECLARATIONS

        return list(DECLARATIONS.items())
    room = {"formats": "reports"}.get(topic, topic)
    return [(name, plugins.summary(room, name)) for name in plugins.names(room)]
