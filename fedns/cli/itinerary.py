"""What becomes of a request, for people: the steps, who could serve or why not, what is wrong on the way."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape

from fedns.cli import output

Told = Mapping[str, Any]
ENDPOINT_STYLES = {"ready": "green", "serving": "yellow", "not ready": "red"}
SHOWN = 8
"""Endpoints of one member that are told one by one."""


def render(told: Told) -> Iterator[str]:
    """The way of a request as lines of rich markup."""
    yield f"[bold]{escape(told['method'])} {escape(told['url'])}[/]"
    for number, step in enumerate(told["steps"], 1):
        yield f"  {number}. {escape(step)}"
    if told["candidates"]:
        yield ""
        yield "[dim]Members (+ serves, = in reserve, - does not)[/]"
        for one in told["candidates"]:
            yield from _candidate(one, told["tiers"])
    for one in told["problems"]:
        hint = f"  [dim]{escape(one['hint'])}[/]" if one["hint"] else ""
        yield f"[yellow]Problem[/]  {escape(one['where'])}: {escape(one['what'])}{hint}"
    yield ""
    yield _outcome(told)


def _candidate(one: Told, tiers: list[Told]) -> Iterator[str]:
    mark, share = "[red]-[/]", ""
    if one["tier"]:
        load = tiers[one["tier"] - 1]["load"]
        mark = "[green]+[/]" if load else "[cyan]=[/]"
        share = f"  tier {one['tier']}, share {one['share']:.0%}"
    yield f"{mark} [bold]{escape(one['member'])}[/]{share}"
    if not one["tier"]:
        yield f"    {escape(one['why'])}"
    since = f" for {output.span(one['age'])}" if one["age"] is not None else ""
    yield f"    {output.styled(one['state'])}{since}: {escape(one['reason'])}"
    for fact in one["evidence"]:
        ago = "never confirmed" if not fact["age"] else f"{output.span(fact['age'])} ago"
        yield f"      {fact['kind']:<12} {fact['says']:<8} {escape(fact['detail'])}  [dim]{ago}[/]"
    for each in one["endpoints"][:SHOWN]:
        style = ENDPOINT_STYLES.get(each["state"], "dim")
        zone = f"  [dim]{escape(each['zone'])}[/]" if each["zone"] else ""
        out = "" if each["chosen"] or not one["tier"] else "  [dim]gets nothing[/]"
        yield f"      {escape(each['address']):<24} [{style}]{each['state']}[/]{zone}{out}"
    if len(one["endpoints"]) > SHOWN:
        yield f"      [dim]and {len(one['endpoints']) - SHOWN} more[/]"
    seen = ", ".join(f"{count} {what}" for what, count in one["seen"].items() if count)
    if seen:
        yield f"      [dim]gateway saw[/] {escape(seen)}"


def _outcome(told: Told) -> str:
    after = f"[dim]generation {told['generation']}[/]"
    if told["status"]:
        fields = "".join(f"  {name}: {value}" for name, value in told["fields"])
        return f"[dim]Answer[/]  [bold]{told['status']}[/]{escape(fields)}  {after}"
    then = f", then {', '.join(told['tries'])}" if told["tries"] else ""
    where = f"{told['endpoint']} of {told['member']}"
    return f"[dim]Sent[/]  {escape(told['target'])} to [bold]{escape(where)}[/]{escape(then)}  {after}"
