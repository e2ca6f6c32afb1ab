"""The questions are what their scenario says, and the report divides what belongs together."""

import random
import sys
from pathlib import Path

import dns.edns
import dns.message
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import load
import questions
import report

NAMES = ("svc-1.bench.fed.svc.example.com", "svc-2.bench.fed.svc.region-0.example.com")


def crowd() -> questions.Crowd:
    return questions.Crowd(random.Random(1), NAMES, (b"\1" * 24,))


def asked(kind: questions.Kind, count: int = 200) -> list[dns.message.Message]:
    chance = crowd()
    octets = questions.stream(kind(chance) for _ in range(count))
    return [dns.message.from_wire(each) for each in questions.messages(octets)]


def test_of_the_mix_about_one_in_ten_is_absent() -> None:
    names = [each.question[0].name.to_text(omit_final_dot=True) for each in asked(questions.mix)]
    absent = [name for name in names if name not in NAMES]
    assert 0 < len(absent) < 50
    assert all(name.startswith("nosuch") for name in absent)


def test_absent_names_differ_and_stand_beside_the_services() -> None:
    found = {each.question[0].name for each in asked(questions.absent)}
    assert len(found) == 200
    assert all(".bench.fed.svc." in name.to_text() for name in found)


def test_shouted_names_are_those_of_the_mix_in_another_case() -> None:
    texts = [each.question[0].name.to_text(omit_final_dot=True) for each in asked(questions.shouted)]
    assert any(text not in NAMES and text.lower() in NAMES for text in texts)
    assert len(set(texts)) > 150


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (questions.mix, []),
        (questions.cookie, [questions.COOKIE]),
        (questions.subnet, [questions.SUBNET]),
        (questions.cookie_and_subnet, [questions.COOKIE, questions.SUBNET]),
    ],
)
def test_options_are_those_of_the_scenario(kind: questions.Kind, codes: list[int]) -> None:
    for each in asked(kind, 20):
        assert each.edns == 0 and each.ednsflags == questions.DO and each.payload == questions.SIZE
        assert [int(option.otype) for option in each.options] == codes


def test_a_client_subnet_is_a_whole_network() -> None:
    option = asked(questions.subnet, 1)[0].options[0]
    assert isinstance(option, dns.edns.ECSOption)
    assert (option.family, option.srclen, option.scopelen) == (1, 24, 0)


def test_ratios_are_medians_of_rounds_measured_side_by_side() -> None:
    assert report.ratio([10, 30, 40], [10, 10, 10]) == 3
    assert report.ratio([10], [0]) == float("inf")


def test_the_report_has_a_row_a_scenario_and_a_cell_a_server() -> None:
    results = report.Results()
    for server, answers in (("fedns", 300), ("knot", 100), ("bind", 200)):
        results.add("mix", server, load.Round(answers, 0, 1.0, 1.0))
    results.add("mix", "coredns", load.Round(5, 0, 1.0, 0.0))
    told = report.text(results)
    assert "| ordinary mix, 10 % NXDOMAIN | 300 | – | 100 | – | 200 | – | – |" in told
    assert "| ordinary mix, 10 % NXDOMAIN | 3.00 | – | 1.50 | – | – | 1.50 |" in told
    assert report.verdict(results) == 0
