"""Exit codes of every command; scripts may rely on them (docs: `fedns --help`)."""

OK = 0
PROBLEMS = 1
"""Something is wrong with what was asked about: bad input, not ready, nothing to take back. A warning is of
what counts as it is: it is no such thing, but with `--strict`."""
USAGE = 2
"""The command line makes no sense (click's own code)."""
UNREACHABLE = 3
"""No fedns answers at the admin address."""
