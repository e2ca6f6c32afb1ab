"""What an operator reads about one request."""

import io
from typing import Any

from rich.console import Console

from fedns.cli import itinerary

TOLD: dict[str, Any] = {
    "url": "http://shop.example.com/", "method": "GET", "generation": 7, "status": 0, "fields": [],
    "steps": ["listener 127.0.0.1:8080 for HTTP", "host [shop.example.com]: its own rules"],
    "endpoint": "10.0.0.1:80", "member": "m1", "target": "/", "tries": ["10.1.0.1:80"],
    "tiers": [{"load": 1.0, "shares": {"m1": 1.0}}, {"load": 0.0, "shares": {"m2": 1.0}}],
    "candidates": [
        {
            "member": member, "tier": tier, "share": 1.0 if tier else 0.0, "why": "it is unhealthy",
            "state": "healthy", "reason": "1 of 1 ready", "age": 70.0,
            "evidence": [{"kind": "probe", "says": "up", "detail": "HTTP 200", "age": 0.5}],
            "endpoints": [{"address": f"10.0.0.{n}:80", "zone": "z", "state": "ready", "chosen": n > 0}
                          for n in range(10)],
            "seen": {"tries": 9, "refused": 0},
        }
        for member, tier in (("m1", 1), ("m2", 2), ("m3", 0))
    ],
    "problems": [{"source": "gateway", "where": "Ingress shop/web", "what": "bad", "hint": "good"}],
}  # fmt: skip


def shown(**more: Any) -> str:
    console = Console(file=io.StringIO(), width=200, no_color=True, highlight=False)
    for line in itinerary.render({**TOLD, **more}):
        console.print(line)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_who_serves_who_waits_and_who_does_not() -> None:
    text = shown()
    for words in (
        "2. host [shop.example.com]: its own rules",
        "+ m1  tier 1, share 100%",
        "= m2  tier 2, share 100%",
        "- m3\n    it is unhealthy",
        "healthy for 1m10s: 1 of 1 ready",
        "HTTP 200  500ms ago",
        "10.0.0.0:80              ready  z  gets nothing",
        "and 2 more",
        "gateway saw 9 tries\n",
        "Problem  Ingress shop/web: bad  good",
        "Sent  / to 10.0.0.1:80 of m1, then 10.1.0.1:80  generation 7",
    ):
        assert words in text, text


def test_an_answer_of_the_gateway_itself() -> None:
    assert "Answer  301  Location: /b  generation 7" in shown(status=301, fields=[["Location", "/b"]])
