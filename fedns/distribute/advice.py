"""What somebody can do about a copy that is not as it should be: by what is told of it.

Law: pure. The words are the API server's or ours; the first row counts that knows them, and who knows none
says nothing rather than something that may be wrong.
"""

import re

RIGHTS = "`fedns rbac --for-policies fleet` prints the rights it takes"
ROWS = tuple(
    (re.compile(words), told)
    for words, told in (
        (r"exceeded quota", "raise the quota there, or send that member less: it is tried again"),
        (r"conflicts? with \"", "somebody else sets that field: take it out of the fleet's object, or force "
         "it by `conflictResolution: Overwrite` in its policy"),
        (r"denied the request|ValidatingAdmissionPolicy|violates PodSecurity",
         "the member's own rules refuse it: change it there by an OverridePolicy, or change the rule"),
        (r"failed calling webhook", "the member's webhook does not answer: mend it, or its failurePolicy"),
        (r" cannot \w+ resource", RIGHTS),
        (r"(^|: )401 |which cluster it is",
         "`fedns status` tells of its API server; where its token is no good, `fedns join NAME --rotate` "
         "makes a new one"),
        (r" holds Lease ", "that replica writes: `fedns status` there tells how it goes"),
        (r"cannot be had: 404 ", "`fedns rbac --for-policies fleet` prints the namespace that it is in, too"),
        (r"hold the Lease", "`fedns status` says who holds it, and what is in its way: ask that one"),
        (r"it is a directory", "write where its API server is"),
        (r"immutable|may not change once set|updates to .* are forbidden",
         "this field cannot change: delete the copy there, and it is made anew"),
        (r"Connection refused|no answer|timed out|Connection reset|Server disconnected|Name or service not",
         "its API server is away: it is tried again, and nothing has to be done here"),
        (r"(^|: )(429|503) ", "its API server asks to be left alone: it is tried again"),
        (r"there is no namespace", "make it there, or put it into the fleet, so that it goes along"),
        (r"there is no kind", "define it there, or let its CustomResourceDefinition go there too"),
        (r"waits for a word", "`fedns plan --yes-really` gives it"),
        (r"nobody else can serve", "make it ready elsewhere; `fedns plan --yes-really` lets it go now"),
        (r"which waits for", "who set that finalizer has to finish there"),
        (r"^(Cluster)?OverridePolicy ", "correct that policy"),
        (r"names a member that is not known", "correct its name in the policy, or `fedns join` it"),
        (r"is suspended", "`suspension` in its policy ends that"),
    )
)  # fmt: skip


def of(words: str) -> str:
    """What to do; empty: nobody knows."""
    return next((told for known, told in ROWS if known.search(words)), "")
