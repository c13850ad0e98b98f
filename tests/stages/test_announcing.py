"""What is said of the cost of features before they are computed."""

import pytest

from mi_audit.stages import _announcing
from mi_audit.stages._announcing import announce
from mi_audit.stages.progress import Silence
from tests.stages.test_extract_features import ALL, extraction


class Listening(Silence):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def said():
    def of(n: int) -> list[str]:
        listening, done = Listening(), extraction(ALL)
        announce(done, done.features, n, listening)
        return listening.said

    return of


def test_passes_are_said_of_what_takes_any(said):
    assert said(60_000) == [
        "boundary-distance: about 20 passes forward and backward for each of 60,000 samples",
        (
            "gradient-norm:w, gradient-norm:x, gradient-norm:layers: "
            "about 1.5 passes forward and backward for each of 60,000 samples"
        ),
    ]


def test_a_large_feature_says_its_size(said):
    assert "layer:-1, layer:0: 2.9 GB in the cache" in said(10_000_000)


def test_memory_that_will_not_do_is_said(said, monkeypatch):
    monkeypatch.setattr(_announcing, "_free_bytes", lambda _: 100)
    assert said(10)[-1].endswith("0.0 GB are free: memory may run out")
