"""The draw: what a normal run of the tests covers, what a night covers, and that a trial can be repeated alone."""

from seed_pipelines_tests.chaos.draw import (
    BOUNDARIES,
    LEASE,
    MODES,
    START,
    TENANTS,
    FaultName,
    chosen_trials,
    drawn_trial,
)
from seed_pipelines_tests.chaos.faults import FAULTS

NIGHT = {"SEED_CHAOS_TRIALS": "200"}


def test_twenty_trials_by_default_have_every_fault() -> None:
    """Whatever the seed."""
    for seed in ("", "1", "2"):
        trials = chosen_trials({"SEED_CHAOS_SEED": seed})
        assert len(trials) == 20
        assert {trial.fault for trial in trials} == set(FaultName) == set(FAULTS)


def test_a_night_kills_and_stops_at_every_boundary_and_in_between() -> None:
    """Before and after each step, in the queue, and with the lease just had."""
    trials = chosen_trials(NIGHT)
    for fault in (FaultName.KILLED, FaultName.STOPPED):
        moments = [trial.moment for trial in trials if trial.fault is fault]
        assert {moment.boundary for moment in moments if not moment.share} == set(BOUNDARIES)
        assert {moment.boundary for moment in moments if moment.share} == {START, LEASE}


def test_a_night_draws_every_other_circumstance() -> None:
    """Modes, tenants, empty and loaded tables, one's own key and another."""
    trials = chosen_trials(NIGHT)
    assert {trial.mode for trial in trials} == set(MODES)
    assert {trial.tenant for trial in trials} == set(TENANTS)
    assert {trial.fault for trial in trials if trial.beside} >= {FaultName.KILLED, FaultName.STOPPED}
    assert {trial.before for trial in trials} == {None, *MODES}
    assert {(trial.same_key, trial.patient) for trial in trials} == {
        (a, b) for a in (True, False) for b in (True, False)
    }


def test_a_trial_is_repeated_by_the_words_of_its_command() -> None:
    """Its seed and its number are all it takes."""
    trial = chosen_trials({**NIGHT, "SEED_CHAOS_SEED": "7"})[123]
    variables = dict(word.split("=") for word in trial.command.split()[:2])
    assert chosen_trials(variables) == (trial,) == (drawn_trial(7, 123),)
    assert chosen_trials({**variables, "SEED_CHAOS_SEED": "8"}) != (trial,)
