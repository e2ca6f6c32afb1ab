"""`fedns join` and `fedns unjoin`: a cluster becomes a member, and is none any more.

Law: what is not in order is told before anything is changed: where, what, what to do. A second time mends.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from fedns.cli import codes, output, request, wish

AGAIN = "what was done before stays; once this is mended, the same command goes on from there"


@contextmanager
def _excuses() -> Iterator[None]:
    from fedns.distribute import refusal
    from fedns.kube.failure import Failure, Unreachable

    try:
        yield
    except refusal.Refusal as refused:
        found = refused.problem
        output.complain(f"{found.where}: {found.what}" + (f"\n{found.hint}" if found.hint else ""))
        raise typer.Exit(codes.PROBLEMS) from None
    except Failure as failure:
        where = refusal.place(failure)
        output.complain(f"{where}: {failure}\n{AGAIN}" if where else str(failure))
        raise typer.Exit(codes.UNREACHABLE if isinstance(failure, Unreachable) else codes.PROBLEMS) from None


def _join(told: request.Join) -> None:
    """Make a cluster a member: rights, an account and a token there, and its registration here."""
    from fedns.cli import enrolment  # HTTP and TLS: no other command should wait for them to load

    with _excuses():
        enrolment.perform(told)


def _unjoin(told: request.Unjoin) -> None:
    """Take a member out: its registration and credentials here; with --kubeconfig also what is ours there."""
    from fedns.cli import departure

    with _excuses():
        departure.perform(told)


join = wish.command(request.Join, _join)
unjoin = wish.command(request.Unjoin, _unjoin)
