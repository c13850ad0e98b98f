"""The known answers, and that the self-test notices a wrong one."""

from mi_audit.stages import selftest
from mi_audit.stages._simulating import shifted


def test_a_rate_is_off_only_where_chance_does_not_explain_it():
    assert selftest._rate("x", "FAIL", (4, 40), 0.0, 0.05).holds
    assert not selftest._rate("x", "FAIL", (12, 40), 0.0, 0.05).holds
    assert not selftest._rate("x", "FAIL", (20, 40), 0.9, 1.0).holds


def test_a_gate_that_lets_leaks_through_would_be_noticed(monkeypatch):
    monkeypatch.setattr(selftest, "_QUICK_RUNS", 8)
    leaking = (("leak", shifted(1.0), 2000, "PASS", 0.9, 1.0), ("leak", shifted(1.0), 2000, "FAIL", 0.9, 1.0))
    monkeypatch.setattr(selftest, "_simulations", lambda: leaking)
    cases = selftest.selftest(is_quick=True)
    assert [case.holds for case in cases[-2:]] == [False, True]
    assert all(case.holds for case in cases[:-2])
    assert "OFF" in selftest.rendered(cases)
