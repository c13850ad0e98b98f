"""How to repeat an audit: the commands, from its provenance."""

import shlex
from collections.abc import Iterator, Mapping

from mi_audit.reports import _format, _lookup
from mi_audit.schema.audit import Audit

_LIBRARIES = ("torch", "torchvision", "timm", "scikit-learn", "scipy", "numpy", "xgboost")
_LONGEST = 300
_EVIDENCE = "evidence:"
_GIVEN = "--mean/--std"
_OWN_CODE = "python:"


def commands(audit: Audit) -> tuple[str, ...]:
    """The lines to type, each a shell command; none where the audit does not say what was audited."""
    model = _lookup.provenance_text(audit, "features", "target", "spec")
    if not model:
        return ()
    install = [f"{name}=={version}" for name in _LIBRARIES if (version := _version(audit, name))]
    lines = [_command("pip", "install", *install)] if install else []
    lines += [
        _command("mi-audit", "evaluate", *_options(audit, model), "--out", "audit.npz"),
        "mi-audit report audit.npz --out report.html",
    ]
    return tuple(lines)


NOTES = (
    "mi-audit itself is installed from its repository, at the version named above.",
    "An audit file does not hold where your data lies (--data-dir, --members-index and their like): add what you used.",
    "A policy file is no part of it either; the digest of the policy stands with the verdict.",
    "The SHA-256 digests above say whether you have the same weights and the same images.",
    "Same inputs, seed and versions on the same kind of machine give the same numbers.",
)


def _command(*words: str) -> str:
    return " ".join(shlex.quote(_format.visible(_format.shortened(word, _LONGEST))) for word in words)


def _options(audit: Audit, model: str) -> Iterator[str]:
    yield from ("--model", model)
    if data := _lookup.provenance_text(audit, "features", "dataset", "spec"):
        yield from ("--data", data)
    yield from _of_extraction(audit)
    yield from _of_the_target(audit)
    yield from _of_training(audit)
    yield from _of_evaluation(audit)
    if seed := _lookup.provenance_text(audit, "features", "seed"):
        yield from ("--seed", seed)


def _of_extraction(audit: Audit) -> Iterator[str]:
    for key in ("max_members", "max_non_members", "limit_classes"):
        yield from _valued(audit, "features", key)
    expected = _lookup.provenance(audit, "features", "options", "expect_accuracy")
    if isinstance(expected, list) and expected:
        yield from ("--expect-accuracy", ",".join(str(share) for share in expected))
    declared = _lookup.provenance(audit, "features", "declared")
    if isinstance(declared, list) and declared:
        yield from ("--declare", ",".join(str(fact) for fact in declared))
    found = _lookup.provenance(audit, "features", "features")
    names = sorted(map(str, found)) if isinstance(found, Mapping) else []
    if features := [name for name in names if not name.startswith(_EVIDENCE)]:
        yield from ("--features", ",".join(["outputs", *features]))
    if len(features) < len(names):
        yield from ("--controls", "full")


def _of_the_target(audit: Audit) -> Iterator[str]:
    """The network where it is the user's own, and the normalisation where it was given, and not found."""
    network, model = (_lookup.provenance_text(audit, "features", "target", key) for key in ("architecture", "spec"))
    if network.startswith(_OWN_CODE) and not model.startswith(_OWN_CODE):
        yield from ("--arch", network.rpartition("@")[0])
    constants = _lookup.provenance(audit, "features", "target", "preprocessing")
    if not isinstance(constants, Mapping) or constants.get("source") != _GIVEN:
        return
    for key in ("mean", "std"):
        if isinstance(constants.get(key), list):
            yield from (f"--{key}", ",".join(str(number) for number in constants[key]))


def _of_training(audit: Audit) -> Iterator[str]:
    options = _lookup.provenance(audit, "attacks", "options")
    options = options if isinstance(options, Mapping) else {}
    if options.get("protocol") == "paper":
        yield from ("--protocol", "paper")
    for key, flag in (("attacks", "--attack"), ("on", "--on")):
        if isinstance(options.get(key), list) and options[key]:
            yield from (flag, ",".join(str(item) for item in options[key]))
    for key in ("known_fraction", "balance", "search", "repeats"):
        yield from _valued(audit, "attacks", key)
    for key in ("per_class", "per_subset"):
        if options.get(key) is True:
            yield f"--{key.replace('_', '-')}"
    settings = options.get("settings")
    for name, own in sorted(settings.items()) if isinstance(settings, Mapping) else ():
        for key, value in sorted(own.items()) if isinstance(own, Mapping) else ():
            yield from ("--set", f"{name}.{key}={value}")


def _of_evaluation(audit: Audit) -> Iterator[str]:
    options = _lookup.provenance(audit, "evaluate", "options")
    options = options if isinstance(options, Mapping) else {}
    for key, flag in (("ratios", "--ratios"), ("fail_above", "--fail-above")):
        if isinstance(options.get(key), list) and options[key]:
            yield from (flag, ",".join(str(item) for item in options[key]))
    preset = audit.verdict.policy.get("preset") if audit.verdict is not None else "none"
    if isinstance(preset, str):
        yield from ("--policy", preset)
    for key in ("by_class", "aggregate_only"):
        if options.get(key) is True:
            yield f"--{key.replace('_', '-')}"


def _valued(audit: Audit, stage: str, key: str) -> Iterator[str]:
    if value := _lookup.provenance_text(audit, stage, "options", key):
        yield from (f"--{key.replace('_', '-')}", value)


def _version(audit: Audit, library: str) -> str:
    return _lookup.provenance_text(audit, "evaluate", "versions", library)
