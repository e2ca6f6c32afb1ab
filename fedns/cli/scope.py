"""Which objects and members a command is asked about: by names, kinds and members, all of them by default."""

import fnmatch
from typing import NamedTuple

from fedns.placement import item, naming


class Scope(NamedTuple):
    names: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def there(self, member: str) -> bool:
        """Whether a member counts."""
        return not self.members or any(fnmatch.fnmatchcase(member, each) for each in self.members)

    def has(self, what: item.Ref) -> bool:
        """Whether an object does."""
        kind = not self.kinds or any(naming.kind(each, what.kind) for each in self.kinds)
        return kind and (not self.names or any(naming.means(each, what) for each in self.names))
