"""`fedns explain`"""


def explain() -> None:
    """x"""
