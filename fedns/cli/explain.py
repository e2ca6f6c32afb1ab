"""`fedns explain`: why a name or a request is answered as it is, readable at 3 a.m.: the steps, who was
considered and why each is in or out, and what goes out."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import typer
from rich.markup import escape

from fedns.cli import client, itinerary, output

Told = Mapping[str, Any]

SAYS_STYLES = {"up": "green", "down": "bold red", "degraded": "yellow", "draining": "cyan"}


class Question(NamedTuple):
    """What `fedns explain` is told."""

    name: Annotated[str, typer.Argument(help="A domain name, or the URL of a request to the gateway.")]
    type: Annotated[str, typer.Argument(help="Record type of a name: A, AAAA, SRV, TXT, ...")] = "A"
    source: Annotated[
        str, typer.Option("--from", help="Address of the client who asks; without it, the default view.")
    ] = ""
    member: Annotated[
        str, typer.Option("--member", help="Ask as a client inside this member, of a name.")
    ] = ""
    header: Annotated[
        list[str] | None, typer.Option("-H", "--header", help="Of a request, as 'Name: value'; repeatable.")
    ] = None
    method: Annotated[str, typer.Option("-X", "--method", help="Of a request.")] = "GET"


def _explain(ask: client.Ask, told: Question) -> None:
    """Tell step by step why a name or a request is answered as it is."""
    if "://" in told.name:
        asked: client.Query = {"url": told.name, "method": told.method, "header": told.header or []}
        query = {**asked, "from": told.source}
        _show(ask, ask.api.get("/api/v1/explain/request", query), itinerary.render)
        return
    question = {"name": told.name, "type": told.type, "from": told.source, "member": told.member}
    _show(ask, ask.api.get("/api/v1/explain", question), render)


explain = client.wishes(Question, _explain)


def _show(ask: client.Ask, told: Told, render: Callable[[Told], Iterator[str]]) -> None:
    if ask.json:
        output.emit(told)
        return
    for line in render(told):
        output.out.print(line)


def render(told: Told) -> Iterator[str]:
    """The explanation as lines of rich markup."""
    yield f"[bold]{escape(told['name'])} {escape(told['type'])}[/]"
    for number, step in enumerate(told["steps"], 1):
        yield f"  {number}. {escape(step)}"
    if told["candidates"]:
        yield ""
        yield "[dim]Candidates (+ is answered, - is not)[/]"
        for one in sorted(told["candidates"], key=lambda one: (not one["serves"], one["member"])):
            yield from _candidate(one)
    yield ""
    yield from _reply(told)


def _candidate(one: Told) -> Iterator[str]:
    mark = "[green]+[/]" if one["serves"] else "[red]-[/]"
    place = "/".join((one["region"] or "?", ",".join(one["zones"]) or "?"))
    hostnames = ", ".join(one["hostnames"])
    addresses = escape(", ".join(one["addresses"]) or hostnames or "no address")
    if hostnames and one["addresses"]:
        addresses += f" [dim]by way of {escape(hostnames)}[/]"
    share = f"  share {one['share']:.0%}" if one["serves"] else ""
    yield f"{mark} [bold]{escape(one['member'])}[/]  {escape(place)}  {addresses}{share}"
    if not one["serves"]:
        yield f"    {escape(one['why'])}"
    since = f" for {output.span(one['age'])}" if one["age"] is not None else ""
    yield f"    {output.styled(one['state'])}{since}: {escape(one['reason'])}"
    if one["pending"]:
        held = output.span(one["held_for"])
        yield f"    [yellow]held for another {held}, then {escape(one['pending'])}[/] ({one['flaps']} flaps)"
    for fact in one["evidence"]:
        style = SAYS_STYLES.get(fact["says"], "dim")
        ago = "never confirmed" if fact["age"] is None else f"{output.span(fact['age'])} ago"
        says = f"[{style}]{fact['says']:<8}[/]"
        yield f"      {fact['kind']:<12} {says} {escape(fact['detail'])}  [dim]{ago}[/]"
    if one.get("objects"):
        yield f"      [dim]told by {escape(', '.join(one['objects']))}[/]"


def _reply(told: Told) -> Iterator[str]:
    reply = told["reply"]
    size = len(reply["wire"]) // 2
    head = f"{reply['rcode']}  flags {reply['flags']}  {size} octets  generation {told['generation']}"
    yield f"[dim]Reply[/]  {escape(head)}"
    for section in ("answer", "authority", "additional"):
        for record in reply[section]:
            yield f"  [dim]{section:<10}[/] {escape(record)}"
    for error in reply["errors"]:
        yield f"  [dim]{'EDNS':<10}[/] [yellow]{escape(error)}[/]"
    targets = [record.split()[4] for record in reply["answer"] if record.split()[3] == "CNAME"]
    if told["kind"] == "static" and targets and not told.get("service"):
        yield f"  [dim]next:[/] fedns explain {escape(targets[-1])} {escape(told['type'])}"
