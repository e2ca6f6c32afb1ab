"""What can be wrong with a fake API server."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Faults:
    """Switches, by name as `/fake/faults` takes them; each is off until set."""

    tokens: list[str] = field(default_factory=list)
    """Bearer tokens accepted beside those it issued; empty: anybody."""
    absent: list[str] = field(default_factory=list)
    """Group versions that are not served."""
    forbidden: list[str] = field(default_factory=list)
    """Plurals that are 403, or one verb of them (`watch:services`)."""
    broken: list[str] = field(default_factory=list)
    """Names of objects of which every write is 422."""
    watchlist: bool = True
    """Whether lists are streamed; otherwise 422."""
    unready: bool = False
    expired_pages: int = 0
    """So many `continue` tokens are 410."""
    refuse: list[Any] = field(default_factory=list)
    """[status, reason, Retry-After] for every list and watch."""
    busy: list[Any] = field(default_factory=list)
    """[status, reason, Retry-After] for every write of one object, Leases excepted."""
    delay: float = 0.0
    stalled: bool = False
    """Watches are open, and silent; bookmarks too."""
    mute: bool = False
    """Lists and watches are not answered at all, for a minute."""
    torn: int = 0
    """So many watches end in the middle of the next event."""
    hangups: bool = False
    """Watches end as soon as they begin."""
    gone_inside: int = 0
    """So many watches get 410 as an event within a stream of status 200."""
    future: int = 0
    """So many lists and streamed lists are 504: a version that this server has not reached."""
    controllers: bool = True
    """Whether Secrets for tokens of service accounts are filled."""
    bookmarks: float = 0.2
    """Seconds between bookmarks."""
    git: str = "v1.34.1"
