"""The way from a command to the running server: its admin API, over plain HTTP.

Law: the address is `--admin`, else FEDNS_ADMIN, else what `fedns.yaml` in the working directory says,
else the default. Commands see decoded values or leave with the documented exit code.
"""

import contextlib
import http.client
import inspect
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import typer

from fedns import config, values
from fedns.cli import codes, output, wish

TIMEOUT = 10.0
"""The slowest honest answer is a list of a whole fleet, seconds."""
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}

AdminOption = Annotated[
    str,
    typer.Option(
        "--admin",
        envvar="FEDNS_ADMIN",
        help="Admin API of the server, HOST:PORT or URL; default: from ./fedns.yaml, else 127.0.0.1:9053.",
    ),
]


Query = Mapping[str, str | list[str]]
"""Parameters; one with a list of values is there once for each."""


class Unreachable(Exception):
    """Nothing answers at the admin address."""


class Refused(Exception):
    """The server answered with status 400 or above."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


class Client:
    """Speaks to one admin API. `url` has no trailing slash."""

    def __init__(self, admin: str = "") -> None:
        self.url = base(admin)
        # Proxies of the environment are for the outside world, not for a loopback API.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def text(self, path: str, query: Query | None = None) -> str:
        return self._call("GET", path, query or {}, None).decode()

    def get(self, path: str, query: Query | None = None) -> Any:
        return json.loads(self._call("GET", path, query or {}, None))

    def post(self, path: str, value: Mapping[str, Any]) -> Any:
        return json.loads(self._call("POST", path, {}, json.dumps(value).encode()))

    def delete(self, path: str, query: Query) -> None:
        self._call("DELETE", path, query, None)

    def _call(self, method: str, path: str, query: Query, body: bytes | None) -> bytes:
        target = self.url + path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else "")
        headers = {"Content-Type": "application/json"} if body else {}
        request = urllib.request.Request(target, data=body, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            raise Refused(error.code, _reason(error)) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(f"no fedns answers at {self.url}: {reason}") from None


def _reason(error: urllib.error.HTTPError) -> str:
    body = error.read()
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip() or str(error)


def base(admin: str) -> str:
    """The URL of the admin API; see the law above."""
    text = admin or _configured() or config.ADMIN
    return text.rstrip("/") if "://" in text else f"http://{text}"


def _configured() -> str:
    if not os.path.exists(config.DEFAULT_FILE):
        return ""
    loaded = config.load(config.DEFAULT_FILE).config
    if loaded is None or not loaded.admin.listen.port:
        return ""
    return at(loaded)


def at(settings: config.Config) -> str:
    """Where the server of a configuration is asked, from its own machine."""
    listen = settings.admin.listen
    return str(values.Address(EVERYWHERE.get(listen.host, listen.host), listen.port))


class Ask(NamedTuple):
    """What a command that talks to the server is handed: the way there, and whether to answer in JSON."""

    api: Client
    json: bool


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command, whose first parameter is an `Ask`, the options `--admin` and `-o`, and turns
    trouble on the way into a message and the documented exit code."""
    own = list(inspect.signature(function).parameters.values())[1:]
    named = inspect.Parameter.KEYWORD_ONLY
    shared = (
        inspect.Parameter("admin", named, default="", annotation=AdminOption),
        inspect.Parameter("format", named, default=output.Format.text, annotation=output.FormatOption),
    )

    def run(*, admin: str, format: output.Format, **given: Any) -> None:
        with _excuses():
            function(Ask(Client(admin), format is output.Format.json), **given)

    parameters = [*(one.replace(kind=named) for one in own), *shared]
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def wishes(kind: Any, run: Callable[[Ask, Any], None]) -> Callable[..., None]:
    """The same, of what `wish.command` takes."""

    def perform(ask: Ask, **given: Any) -> None:
        run(ask, kind(**given))

    first = inspect.Parameter("ask", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    perform.__name__, perform.__doc__ = run.__name__.strip("_"), run.__doc__
    perform.__signature__ = inspect.Signature([first, *wish.parameters(kind)])  # type: ignore[attr-defined]
    return command(perform)


@contextlib.contextmanager
def _excuses() -> Iterator[None]:
    try:
        yield
    except Unreachable as error:
        output.complain(f"{error}\nIs it running? Start it with `fedns serve`, or name it with --admin.")
        raise typer.Exit(codes.UNREACHABLE) from None
    except Refused as error:
        output.complain(str(error))
        raise typer.Exit(codes.USAGE if error.status == 400 else codes.PROBLEMS) from None
