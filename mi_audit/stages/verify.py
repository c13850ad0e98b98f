"""The stage ``verify``: whether a stored audit is still what it was, of this model, by this policy.

It detects accidents and mix-ups. Whoever wants to deceive can write a file in which everything agrees.
"""

from dataclasses import dataclass
from pathlib import Path

from mi_audit import store
from mi_audit.errors import ContainerError, PolicyError, UsageError
from mi_audit.schema.audit import Audit
from mi_audit.stages._gating import derived_again, read_policy
from mi_audit.stages._provenance import file_digest

NOT_FORGERY = "this detects accidents and mix-ups, not forgery"


@dataclass(frozen=True)
class Check:
    """One thing that was compared.

    Attributes:
        name: arrays, model, policy or verdict.
        holds: whether it agrees.
        message: with what.
    """

    name: str
    holds: bool
    message: str


def verify(audit_path: Path, model: Path | None = None, policy: str | None = None) -> tuple[Check, ...]:
    """Compare an audit with its own digests, and with what else is given.

    Args:
        audit_path: from ``evaluate --out``.
        model: the checkpoint, or the file of predictions, that it should be about.
        policy: a preset or a file that it should have been judged by.

    Raises:
        ContainerError: the file is no audit.
        PolicyError: the policy cannot be read.
        UsageError: something was given that the audit does not speak of.
    """
    audit = store.read_kind(audit_path, Audit, verify=False)
    checks = [_arrays(audit_path, audit)]
    if model is not None:
        checks.append(_model(audit, model))
    if policy is not None:
        checks.append(_policy(audit, policy))
    checks.append(_verdict(audit))
    return tuple(checks)


def _arrays(path: Path, audit: Audit) -> Check:
    try:
        store.read_kind(path, Audit)
    except ContainerError as error:
        return Check("arrays", holds=False, message=str(error))
    n = len(audit.arrays())
    return Check("arrays", holds=True, message=f"{n} arrays match their digests" if n else "none: aggregate only")


def _model(audit: Audit, path: Path) -> Check:
    target = audit.provenance.get("features", {}).get("target", {})
    known = target.get("model_digest") or target.get("file_digest")
    if not known:
        message = f"the audit knows no file of its model, which is {target.get('spec') or 'not named'}"
        raise UsageError(message, tip=_without_file(str(target.get("spec"))))
    found = file_digest(path)
    message = f"{path} is the file that was audited" if found == known else f"{path} is another file: SHA-256 {found}"
    if str(target.get("architecture")).startswith("python:"):
        message += "; the code of its network is not compared"
    return Check("model", found == known, f"{message}{'' if found == known else f', audited {known}'}")


def _without_file(spec: str) -> str:
    if spec.startswith("python:"):
        return f"leave --model out; an audit with --model CHECKPOINT --arch {spec} knows its checkpoint"
    return "leave --model out"


def _policy(audit: Audit, spec: str) -> Check:
    asked = read_policy(spec)
    if audit.verdict is None:
        return Check("policy", holds=False, message="the audit has no verdict")
    holds = asked.digest() == audit.verdict.policy_digest
    return Check("policy", holds, f"{spec} is {'the' if holds else 'not the'} policy of the verdict")


def _verdict(audit: Audit) -> Check:
    """Whether it is the one that the numbers in the audit and the policy in the verdict give."""
    told = audit.verdict
    if told is None:
        return Check("verdict", holds=True, message="none was asked for")
    try:
        found = derived_again(audit)
    except (PolicyError, UsageError) as error:
        return Check("verdict", holds=False, message=f"cannot be derived again: {error}")
    assert found is not None
    if found == told:
        return Check("verdict", holds=True, message=f"{told.outcome}, derived again from the numbers and the policy")
    now = "other reasons" if found.outcome == told.outcome else found.outcome
    return Check("verdict", holds=False, message=f"the audit says {told.outcome}, its numbers and policy give {now}")
