"""Whose fault it is that a connection to a backend did not come about.

Law: what we lack ourselves is held against nobody.
"""

import errno

OURS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EPERM))
"""No descriptor, no memory, no port of our own left; our own firewall."""


def theirs(error: OSError) -> bool:
    """Whether it is the backend that cannot be reached, and not we who cannot begin."""
    return error.errno not in OURS
