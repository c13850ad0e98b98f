"""What is said of a choice: which network and normalisation, why, what else would fit, and how right each is."""

from collections.abc import Sequence

from mi_audit.schema.numerals import in_percent
from mi_audit.target_model import Preprocessing
from mi_audit.targets._identification.candidates import Candidate
from mi_audit.targets._identification.deciding import Decision
from mi_audit.targets._identification.hypotheses import Hypothesis
from mi_audit.targets._identification.trials import Trial

_MOST = 4


def notes_on(
    chosen: Hypothesis,
    candidates: Sequence[Candidate],
    trials: Sequence[Trial] = (),
    decision: Decision | None = None,
    *,
    is_given: bool,
) -> tuple[str, ...]:
    """Short lines on the choice, for the report and for the provenance.

    Args:
        chosen: what is audited.
        candidates: all networks that fit.
        trials: of all hypotheses, where there was data to try them on.
        decision: what the trials left.
        is_given: whether the user named the network.
    """
    return (
        *(() if is_given else _on_network(chosen.candidate, candidates)),
        *_on_normalisation(chosen, trials),
        *_on_veto(chosen, trials, decision),
    )


def described(hypothesis: Hypothesis, *, with_name: bool = True) -> str:
    """A hypothesis in a few words: the network, the constants, the size."""
    preprocessing = hypothesis.preprocessing
    size = "" if preprocessing.size is None else " at {} x {}".format(*preprocessing.size)
    if preprocessing.size is not None and preprocessing.resize not in (None, min(preprocessing.size)):
        size += f" out of {preprocessing.resize}"
    constants = f"{numbers(preprocessing.mean)} / {numbers(preprocessing.std)}"
    return f"{hypothesis.candidate.name} with {constants}{size}" if with_name else f"{constants}{size}"


def ranking(trials: Sequence[Trial], most: int = _MOST) -> str:
    """The trials by accuracy, the best first, on one line."""
    in_order = sorted(trials, key=lambda trial: (-trial.accuracy, trial.loss.mean()))
    n_all = max(len(trial.is_correct) for trial in trials)
    shown = [f"{described(trial.hypothesis)}: {_accuracy(trial, n_all)}" for trial in in_order[:most]]
    more = len(in_order) - len(shown)
    return "; ".join([*shown, *([f"and {more} more"] if more > 0 else [])])


def numbers(values: Sequence[float]) -> str:
    """Constants as the user may type them after ``--mean``; one number where all channels have the same."""
    distinct = list(dict.fromkeys(values))
    return ",".join(f"{value:.4g}" for value in (distinct if len(distinct) == 1 else values))


def _on_network(candidate: Candidate, candidates: Sequence[Candidate]) -> tuple[str, ...]:
    alike = f" (answers as {', '.join(candidate.alike[:_MOST])})" if candidate.alike else ""
    others = [one.name for one in candidates if one is not candidate]
    fitting = f"; what fits too: {', '.join(others[:_MOST])}{', ...' if len(others) > _MOST else ''}" if others else ""
    return (f"the network is {candidate.name}{alike}: {candidate.why}{fitting}",)


def _on_normalisation(chosen: Hypothesis, trials: Sequence[Trial]) -> tuple[str, ...]:
    same_network = [trial for trial in trials if trial.hypothesis.candidate is chosen.candidate]
    own = next((trial for trial in same_network if trial.hypothesis is chosen), None)
    if own is None:
        return ()
    others = [trial for trial in same_network if trial is not own]
    n_all = len(own.is_correct)
    shown = [
        f"{described(trial.hypothesis, with_name=False)} gives {_accuracy(trial, n_all)}" for trial in others[:_MOST]
    ]
    rest = f"; {'; '.join(shown)}" if shown else ""
    constants = described(chosen, with_name=False)
    return (f"tried on {n_all} samples: {constants} gives {in_percent(own.accuracy, 1)}{rest}",)


def _accuracy(trial: Trial, n_all: int) -> str:
    """How often it is right, with how many samples it was tried on where that is another number than `n_all`."""
    n = len(trial.is_correct)
    return f"{in_percent(trial.accuracy, 1)}" + (f" of {n}" if n != n_all else "")


def _on_veto(chosen: Hypothesis, trials: Sequence[Trial], decision: Decision | None) -> tuple[str, ...]:
    if decision is None or not decision.is_vetoed or not trials or trials[0].hypothesis is chosen:
        return ()
    prior = trials[0]
    accuracy = in_percent(prior.accuracy, 1)
    if prior.hypothesis.candidate is chosen.candidate:
        what = f"the likeliest beforehand, {described(prior.hypothesis, with_name=False)}"
    else:
        what = f"the likeliest by names, {described(prior.hypothesis)}"
    return (f"{what}, was ruled out by the data ({accuracy})",)


def on_guess(chosen: Preprocessing) -> str:
    """Said of a normalisation that goes with the kind of network, where nothing says how this one was trained."""
    mean, std = numbers(chosen.mean), numbers(chosen.std)
    return (
        f"--mean/--std were not given, and nothing says them: images are normalised with {mean} / {std} "
        f"({chosen.source}); another choice may show more leakage or less, so give those of the training"
    )
