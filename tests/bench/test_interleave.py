"""Taking turns: the order, the effort, and that every call gets one value a round."""

from collections import Counter

import pytest

from intvit.bench.interleave import MAX_REPEATS, MAX_ROUNDS, MIN_ROUNDS, Effort, interleave, repeats_of, rotated, take_turns


def test_every_name_is_first_equally_often():
    names = ["a", "b", "c"]
    orders = [rotated(names, i) for i in range(6)]
    assert all(sorted(order) == names for order in orders)
    assert Counter(order[0] for order in orders) == {"a": 2, "b": 2, "c": 2}


def test_names_do_not_always_follow_the_same_one():
    orders = [rotated(["a", "b", "c"], i) for i in range(6)]
    followers = {order[order.index("a") + 1] for order in orders if order[-1] != "a"}
    assert followers == {"b", "c"}


@pytest.mark.parametrize(
    ("seconds", "rounds", "each", "expected"),
    [(20, None, 0.5, 40), (20, None, 100, MIN_ROUNDS), (20, None, 0, MAX_ROUNDS), (20, 3, 100, 3), (1, 999, 0.001, 999)],
)
def test_rounds_fit_the_time_unless_they_are_given(seconds, rounds, each, expected):
    assert Effort(seconds, rounds).rounds_of(each) == expected


def test_short_calls_are_repeated():
    assert repeats_of(0.01) == 3
    assert repeats_of(5) == 1
    assert repeats_of(0) == MAX_REPEATS


def test_every_call_gets_one_value_a_round():
    calls = Counter()
    progress = []
    times = interleave(
        {name: lambda name=name: calls.update([name]) for name in "xy"},
        Effort(rounds=4),
        lambda done, total: progress.append((done, total)),
    )
    assert {name: len(values) for name, values in times.items()} == {"x": 4, "y": 4}
    assert all(value >= 0 for values in times.values() for value in values)
    assert calls["x"] >= 4
    assert progress == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_gauge_is_timed_on_both_sides_of_every_turn():
    order = []
    turns = take_turns(
        {name: lambda name=name: order.append(name) for name in "xy"}, lambda: order.append("|"), Effort(rounds=2)
    )
    assert {name: len(each) for name, each in turns.items()} == {"x": 2, "y": 2}
    assert all(turn.gauge > 0 for each in turns.values() for turn in each)
    first, *timed = "".join(order).split("|")
    assert set(first) == {"x", "y"}
    assert [set(part) for part in timed[::2]] == [{name} for name in "xyxyyx"]
    assert all(len(part) <= 1 for part in timed[1::2])
