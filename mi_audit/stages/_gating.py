"""From what the user typed after ``--policy`` to a policy, and from an audit to its verdict."""

import datetime
from pathlib import Path

from mi_audit import plugins
from mi_audit.errors import PolicyError
from mi_audit.gate import policy as policies
from mi_audit.gate._policy_reading import of_values, parse
from mi_audit.gate._policy_yaml import MAX_CHARACTERS
from mi_audit.gate.policy import Policy
from mi_audit.gate.verdict import judge
from mi_audit.metrics.tolerance import PRESETS
from mi_audit.schema.audit import Audit
from mi_audit.schema.verdict import Verdict
from mi_audit.stages._increase import increases

DEFAULT = "standard"
_INCREASE = "increase/"


def read_policy(spec: str) -> Policy:
    """The policy of a preset's name or in a file.

    Raises:
        PolicyError: it is neither, or the file is wrong; the message begins with its name.
    """
    if spec in PRESETS:
        return policies.preset(spec)
    path = Path(spec)
    if not path.is_file():
        tip = plugins.did_you_mean(spec, PRESETS)
        raise PolicyError(f"{spec}: no such policy file, and no preset of this name", tip=tip)
    try:
        with path.open("rb") as file:
            text = file.read(4 * MAX_CHARACTERS).decode("utf-8")
        return parse(text, plugins.names("controls"))
    except PolicyError as error:
        raise PolicyError(f"{spec}: {error}", tip=error.tip) from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"{spec}: expected text in UTF-8") from error
    except OSError as error:
        raise PolicyError(f"{spec}: cannot be read: {error.strerror or error}") from error


def policy_for(protocol: str, policy: Policy | None, *, is_gated: bool) -> Policy | None:
    """The policy that an audit is judged by: the one asked for, or the default; none under the protocol ``paper``."""
    if not is_gated:
        return None
    return policy or (policies.preset(DEFAULT) if protocol == "audit" else None)


def gated(audit: Audit, policy: Policy, baseline: Audit | None, max_increase: float) -> Verdict:
    """The verdict as of today.

    Args:
        audit: with its samples.
        policy: what is allowed.
        baseline: an earlier audit, if the two are to be compared.
        max_increase: how much more than that one it may leak.

    Raises:
        MismatchError: the baseline does not belong to this audit.
        UsageError: a rule of the policy on an attack that did not run.
    """
    rose = () if baseline is None else increases(audit, baseline, max_increase, policy.alpha)
    return judge(audit, policy, datetime.datetime.now(datetime.UTC).date(), rose)


def derived_again(audit: Audit) -> Verdict | None:
    """The verdict that the policy in an audit's own verdict gives, on the day of that; ``None`` without a verdict.

    What came of the comparison with an earlier audit is taken as it stands, since that other audit is not here.

    Raises:
        PolicyError: the policy in the verdict makes no sense.
    """
    told = audit.verdict
    if told is None:
        return None
    named = told.policy.get("controls", {})
    required = named.get("required", []) if isinstance(named, dict) else []
    known = {*plugins.names("controls"), *(slug for slug in required if isinstance(slug, str))}
    known |= {control.slug for control in audit.controls}
    policy = of_values(told.policy, known)
    rose = [rule for rule in told.rules if rule.rule.startswith(_INCREASE)]
    try:
        day = datetime.date.fromisoformat(told.judged_on) if told.judged_on else datetime.date.min
    except ValueError as error:
        raise PolicyError(f"judged_on: expected a day, got {told.judged_on!r}") from error
    return judge(audit, policy, day, rose)
