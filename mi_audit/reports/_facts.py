"""What was audited and what the numbers are, in lines of a label and a text."""

from collections.abc import Mapping, Sequence

from mi_audit.reports import _format, _lookup
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit

_SHORT_DIGEST = 12
_STAGES = {"features": "extract", "attacks": "train-attack", "evaluate": "evaluate"}

WORDS = (
    ("Member", "a sample that the target was trained on: the positive class."),
    ("Held out", "whose membership no attack was told; attacks are measured on these, unless a row says otherwise."),
    ("FAR", "false alarm rate, the share of non-members that are called members."),
    ("Balanced accuracy", "the mean of the recalls of both sides; guessing gives 50 % at any ratio of the two."),
    ("AUC", "how often a member scores above a non-member; guessing gives 0.500, a perfect attack 1.000."),
    ("TPR at 1 % FAR", "the recall of members at the threshold where FAR is 1 %; guessing gives 1 %."),
    ("Naive", "the attack that calls a sample a member if the target classifies it correctly."),
    ("ZeroR", "the attack that calls every sample a member."),
    ("Tolerance", "how far from guessing the policy lets an attack be; all its limits follow from this one number."),
)
_CLAIMS = (
    "Accuracy, precision and F1 hold only at the ratio of members to non-members that they were measured at{measured}.",
    "The numbers are averages over the samples of one model. They do not say how exposed one person is.",
    "They hold for these attacks: a stronger one may do better. They do not prove that a sample was used for training.",
)

Facts = tuple[tuple[str, str], ...]


def header(audit: Audit) -> Facts:
    """What was audited, in a few lines; what the record does not know is left out."""
    facts = (
        ("target", _target(audit)),
        ("data", _data(audit)),
        ("held out", _held_out(audit)),
        ("protocol", _protocol(audit)),
    )
    return tuple((label, text) for label, text in facts if text)


def provenance(audit: Audit) -> Facts:
    """Where the numbers come from, so that they can be made again; digests in full."""
    facts = (
        ("weights", _digest(audit, "target", "weights_digest")),
        ("answers", _digest(audit, "target", "file_digest")),
        ("images", _digest(audit, "dataset", "digest")),
        ("pixels", _preprocessing(audit)),
        ("seeds", _seeds(audit)),
        ("versions", _versions(audit)),
    )
    return tuple((label, text) for label, text in facts if text)


def legend(audits: Sequence[Audit]) -> tuple[str, ...]:
    """What the numbers are, and what they are not."""
    return (*words(), *claims(audits))


def words() -> tuple[str, ...]:
    """What the words of a report mean, one sentence each."""
    return tuple(f"{word}: {meaning}" for word, meaning in WORDS)


def claims(audits: Sequence[Audit]) -> tuple[str, ...]:
    """What the numbers say, and what they do not."""
    found = [headline for audit in audits if (headline := _lookup.headline(audit)) is not None]
    sizes = {(row.n_members, row.n_non_members) for row in found if row.n_members and row.n_non_members}
    measured = ""
    if len(sizes) == 1:
        ((n_members, n_non_members),) = sizes
        ratio = _format.ratio(n_members, n_non_members)
        measured = f", here {ratio} ({numerals.count(n_members)}:{numerals.count(n_non_members)})"
    return tuple(item.format(measured=measured) for item in _CLAIMS)


def _target(audit: Audit) -> str:
    def known(key: str) -> str:
        return _lookup.provenance_text(audit, "features", "target", key)

    name = known("architecture") or known("name")
    source, digest = known("source"), known("weights_digest")
    parts = [f"{name} from {source}" if name and source and name != source else name or source]
    if digest:
        parts.append(f"weights{_format.NO_BREAK_SPACE}{digest[:_SHORT_DIGEST]}")
    return ", ".join(part for part in parts if part)


def _data(audit: Audit) -> str:
    name = _lookup.provenance_text(audit, "features", "dataset", "name")
    spec = _lookup.provenance_text(audit, "features", "dataset", "spec")
    digest = _lookup.provenance_text(audit, "features", "dataset", "digest")
    full = _lookup.accuracy(audit) or _lookup.accuracy(audit, "audited")
    parts = [f"{name} ({spec})" if name and spec and name != spec else name or spec]
    if full is not None:
        parts += [numerals.counted(full.n_members, "member"), numerals.counted(full.n_non_members, "non-member")]
    parts.append(numerals.counted(len(audit.class_names), "class"))
    parts.append(f"images{_format.NO_BREAK_SPACE}{digest[:_SHORT_DIGEST]}" if digest else "")
    return ", ".join(part for part in parts if part)


def _held_out(audit: Audit) -> str:
    headline = _lookup.headline(audit)
    if headline is None:
        return ""
    members = numerals.counted(headline.n_members, "member")
    return f"{members}, {numerals.counted(headline.n_non_members, 'non-member')}, whose membership no attack was told"


def _protocol(audit: Audit) -> str:
    per_class = any(attack.per_class for attack in audit.attacks)
    known, seed = (_lookup.provenance_text(audit, "attacks", "options", key) for key in ("known_fraction", "seed"))
    parts = (
        audit.protocol,
        "one attack per class" if per_class else "one attack for all classes",
        f"{numerals.counted(len(audit.attacks), 'attack')} compared",
        f"known fraction {known}" if known else "",
        f"seed {seed}" if seed else "",
    )
    return ", ".join(part for part in parts if part)


def _digest(audit: Audit, part: str, key: str) -> str:
    return _lookup.provenance_text(audit, "features", part, key)


def _preprocessing(audit: Audit) -> str:
    found = _lookup.provenance(audit, "features", "target", "preprocessing")
    if not isinstance(found, Mapping):
        return ""
    parts = [f"{key} {_numbers(found[key])}" for key in ("mean", "std", "size") if _numbers(found.get(key))]
    source = found.get("source")
    return ", ".join(parts) + (f" (from {source})" if parts and isinstance(source, str) and source else "")


def _numbers(values: object) -> str:
    """Numbers as given, without the noise of binary fractions: ``"0.5071 0.4865 0.4409"``."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        return ""
    return " ".join(f"{value:.6g}" for value in values if isinstance(value, int | float))


def _seeds(audit: Audit) -> str:
    """The seed of every stage that has one: of its own, or among its options."""
    found = [
        (command, _lookup.provenance_text(audit, stage, *path))
        for stage, command in _STAGES.items()
        for path in (("seed",), ("options", "seed"))
    ]
    return ", ".join(f"{command} {seed}" for command, seed in found if seed)


def _versions(audit: Audit) -> str:
    """Every version that took part; where the stages ran under different ones, all of them."""
    found: dict[str, list[str]] = {}
    for stage in _STAGES:
        versions = _lookup.provenance(audit, stage, "versions")
        for library, version in sorted(versions.items()) if isinstance(versions, Mapping) else ():
            known = found.setdefault(str(library), [])
            known += [str(version)] if str(version) not in known else []
    return ", ".join(f"{library} {' and '.join(known)}" for library, known in sorted(found.items()))
