"""Who else writes what we write."""

from msgspec import structs

from fedns.distribute import feud, statuses


def test_what_is_set_back_three_times_in_a_row_is_left_alone_for_long_and_then_tried_once() -> None:
    feuds: feud.Feuds[str] = feud.Feuds()
    for now in (1.0, 2.0, 3.0):
        assert not feuds.rests("a", now) and not feuds.told()
        feuds.wrote("a")
        feuds.undone("a", "them", now)
        feuds.undone("a", "them", now)
    assert feuds.rests("a", 4.0) and not feuds.rests("b", 4.0)
    assert feuds.told() == [("a", "them")]
    later = 3.0 + feud.PEACE
    assert not feuds.rests("a", later)
    feuds.wrote("a")
    feuds.undone("a", "them", later + 1)
    assert feuds.rests("a", later + 2)
    feuds.forget("a")
    assert not feuds.rests("a", later + 2) and not feuds.told()


def test_a_rival_is_who_wrote_another_value_of_a_field_that_we_write() -> None:
    change = statuses.Change({"replicas": 4, "readyReplicas": 1}, False)
    there = {"replicas": 2, "readyReplicas": 1}
    live = statuses.Live(fields=there, others={"replicas": "them", "readyReplicas": "others"})
    assert statuses.rival(live, change) == "them"
    nobody = statuses.Live(fields=there, others={"readyReplicas": "others"})
    assert statuses.rival(nobody, change) == "somebody else"
    assert statuses.rival(structs.replace(nobody, last="them"), change) == "them"


def test_what_was_written_is_undone_where_it_is_not_there_any_more_and_only_there() -> None:
    row = {"type": "Ready", "status": "True", "reason": "Well", "message": "", "observedGeneration": 1}
    sent = statuses.Verdict((statuses.Condition("Ready", "True", "Well"),), {"services": 2, "version": None})
    live = statuses.Live(1, "", (row,), {"services": 2, "theirs": 1})
    assert not statuses.undone(live, sent)
    assert not statuses.undone(structs.replace(live, generation=2), sent)
    assert statuses.undone(structs.replace(live, fields={"theirs": 1}), sent), "left out, so nobody's"
    assert statuses.undone(structs.replace(live, conditions=()), sent)
    assert statuses.undone(structs.replace(live, conditions=({**row, "status": "False"},)), sent)
