"""The word that a running server waits for before most of a member's copies go.

Law: it is for what waits just now; what comes later waits again.
"""

import typer

from fedns import config
from fedns.cli import client, codes, output


def given(settings: config.Config, loud: bool) -> None:
    """For all members."""
    api = client.Client(client.at(settings))
    try:
        waiting = {one["member"] for one in api.get("/api/v1/copies", {"state": "held"})["items"]}
        for name in sorted(waiting):
            told = api.post("/api/v1/copies/allow", {"member": name})
            if loud:
                output.out.print(f"{name}: {told['removals']} copies may go", markup=False)
    except client.Unreachable as error:
        output.complain(f"{error}: nobody there waits for a word")
    except client.Refused as error:
        output.complain(str(error))
        raise typer.Exit(codes.PROBLEMS) from None
