"""What an operator reads: every candidate with its evidence, and the records."""

import io

from rich.console import Console

from fedns.cli import explain

TOLD = {
    "name": "web.shop.f.svc.r1.d.",
    "type": "A",
    "kind": "federated",
    "generation": 7,
    "steps": ["region name of service shop/web", "region r1: no shard can serve here"],
    "candidates": [
        {
            "member": "m1", "region": "r1", "zones": ["z1"], "addresses": ["192.0.2.1"], "serves": False,
            "hostnames": [], "share": 0.0, "why": "unhealthy",
            "state": "unhealthy", "reason": "probe: 503 [not in 200-399]", "age": 250.0,
            "held_for": 12.0, "pending": "healthy", "flaps": 3,
            "evidence": [{"kind": "probe", "says": "down", "detail": "HTTP 503", "age": 0.5}],
        },
        {
            "member": "m2", "region": "r2", "zones": [], "addresses": ["192.0.2.2"], "serves": True,
            "hostnames": ["lb.test"],
            "share": 1.0, "why": "serves", "state": "healthy", "reason": "2 of 2 ready",
            "age": None, "held_for": 0.0, "pending": "", "flaps": 0,
            "evidence": [{"kind": "readiness", "says": "up", "detail": "2 of 2", "age": None}],
        },
    ],
    "reply": {
        "rcode": "NOERROR", "flags": "QR AA", "wire": "00" * 60,
        "answer": ["web.shop.f.svc.r1.d. 15 IN CNAME web.shop.f.svc.d.",
                   "web.shop.f.svc.d. 15 IN A 192.0.2.2"],
        "authority": [], "additional": [], "errors": ["EDE 3 (Stale Answer)"],
    },
}  # fmt: skip


def shown(told: explain.Told) -> str:
    console = Console(file=io.StringIO(), width=200, no_color=True, highlight=False)
    for line in explain.render(told):
        console.print(line)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_steps_are_numbered_and_those_who_serve_come_first() -> None:
    text = shown(TOLD)
    assert "1. region name of service shop/web" in text
    assert text.index("+ m2") < text.index("- m1")


def test_each_candidate_has_its_verdict_its_age_and_its_evidence() -> None:
    text = shown(TOLD)
    for part in (
        "unhealthy for 4m10s: probe: 503 [not in 200-399]",
        "held for another 12s, then healthy (3 flaps)",
        "HTTP 503  500ms ago",
        "m2  r2/?  192.0.2.2 by way of lb.test  share 100%",
        "2 of 2  never confirmed",
    ):
        assert part in text


def test_the_reply_is_shown_with_what_edns_says() -> None:
    text = shown(TOLD)
    assert "Reply  NOERROR  flags QR AA  60 octets  generation 7" in text
    assert "answer     web.shop.f.svc.d. 15 IN A 192.0.2.2" in text
    assert "EDNS       EDE 3 (Stale Answer)" in text


def test_a_static_alias_says_where_to_go_on() -> None:
    told = {**TOLD, "kind": "static", "candidates": []}
    assert "next: fedns explain web.shop.f.svc.d. A" in shown(told)
