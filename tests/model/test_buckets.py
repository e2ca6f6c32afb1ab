"""A shared map reads as the dict of the same content would, version by version."""

from hypothesis import given
from hypothesis import strategies as st

from fedns.model import buckets

KEYS = st.sampled_from([f"n/{number}" for number in range(400)])
CHANGES = st.dictionaries(KEYS, st.none() | st.integers(), max_size=40)


@given(st.dictionaries(KEYS, st.integers()), st.lists(CHANGES, max_size=6))
def test_all_versions_are_what_dicts_would_be(
    begin: dict[str, int], steps: list[dict[str, int | None]]
) -> None:
    kept = [(buckets.of(begin), dict(begin))]
    for step in steps:
        table, model = kept[-1]
        both = {**model, **step}
        kept.append((table.put(step), {key: value for key, value in both.items() if value is not None}))
    for table, model in kept:
        assert table == model and len(table) == len(model) and set(table) == set(model)
        assert all(
            table.get(key) == model.get(key) and (key in table) == (key in model) for key in (*model, "x")
        )
        assert table.keys() | {"x"} == model.keys() | {"x"}


def test_what_is_one_already_stays_itself() -> None:
    table = buckets.of({"a": 1})
    assert buckets.of(table) is table and table.put({}) == table
