"""Who asks a fake API server, and what they may: bearer tokens, service accounts, roles.

Law: everybody is an administrator but service accounts, which have what roles bound to them say. A token of a
service account is a JWT that nobody signed; it holds while its account (and its Secret) is there.
"""

import base64
import json
import time
from collections.abc import Iterator
from typing import NamedTuple

from tests.fakes.kubeapi_store import Object, Refused, Store

GROUP = "rbac.authorization.k8s.io"
ADMIN = "admin"
PUBLIC = ("/readyz", "/healthz", "/livez", "/version")


class Asked(NamedTuple):
    """As `resourceAttributes` of a review; `plural` with its subresource."""

    verb: str
    group: str
    plural: str
    namespace: str = ""
    name: str = ""

    def refusal(self, user: str) -> Refused:
        plural, _, _ = self.plural.partition("/")
        called = f'{plural} "{self.name}"' if self.name else plural
        called = f"{plural}.{self.group}" + called[len(plural) :] if self.group else called
        where = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        return Refused(
            403,
            "Forbidden",
            f'{called} is forbidden: User "{user}" cannot {self.verb} resource "{self.plural}" '
            f'in API group "{self.group}" {where}',
        )


class Rights:
    """`forbidden`: plurals (`services`), or verbs of them (`watch:services`), that nobody may."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._number = 0

    def issue(self, namespace: str, account: str, seconds: float, secret: str = "") -> tuple[str, float]:
        """A token, and when it ends (Unix seconds; 0: never)."""
        found = self.store.objects.get(("", "serviceaccounts", namespace, account))
        if found is None:
            raise Refused(404, "NotFound", f'serviceaccounts "{account}" not found')
        self._number += 1
        until = time.time() + seconds if seconds else 0.0
        told = {
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "uid": found["metadata"]["uid"],
            "secret": secret,
            "jti": str(self._number),
            **({"exp": int(until)} if until else {}),
        }
        return ".".join((_part({"alg": "none"}), _part(told), "c2ln")), until

    def user(self, header: str, tokens: list[str]) -> str:
        """Whose `Authorization` that is; `tokens` as of `Faults`."""
        given = header.removeprefix("Bearer ")
        account = self._account(given)
        if account or (tokens and given not in tokens):
            if not account:
                raise Refused(401, "Unauthorized", "Unauthorized")
            return account
        return ADMIN

    def _account(self, token: str) -> str:
        try:
            told = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
            _, _, namespace, name = told["sub"].split(":")
        except (ValueError, IndexError, KeyError, TypeError):
            return ""
        found = self.store.objects.get(("", "serviceaccounts", namespace, name))
        known = found is not None and found["metadata"]["uid"] == told["uid"]
        kept = not told["secret"] or ("", "secrets", namespace, told["secret"]) in self.store.objects
        if not known or not kept or time.time() >= told.get("exp", 1e12):
            raise Refused(401, "Unauthorized", "Unauthorized")
        return str(told["sub"])

    def allows(self, user: str, asked: Asked, forbidden: list[str]) -> bool:
        if {asked.plural, f"{asked.verb}:{asked.plural}"} & set(forbidden):
            return False
        return user == ADMIN or any(_grants(rule, asked) for rule in self._rules(user, asked.namespace))

    def rules(self, user: str, namespace: str) -> list[Object]:
        """All that he may, as a review tells it."""
        if user == ADMIN:
            return [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        return list(self._rules(user, namespace))

    def visits(self, user: str, verb: str, path: str) -> bool:
        """Whether a path that is no resource may be seen."""
        if user == ADMIN or path in PUBLIC:
            return True
        return any(
            verb in rule.get("verbs", ()) and path in rule.get("nonResourceURLs", ())
            for rule in self._rules(user, "")
        )

    def _rules(self, user: str, namespace: str) -> Iterator[Object]:
        for place, each in tuple(self.store.objects.items()):
            if place[0] != GROUP or place[1] not in ("clusterrolebindings", "rolebindings"):
                continue
            if place[2] in ("", namespace) and any(_is(one, user) for one in each.get("subjects", ())):
                ref = each["roleRef"]
                plural = "clusterroles" if ref["kind"] == "ClusterRole" else "roles"
                inside = "" if plural == "clusterroles" else place[2]
                role = self.store.objects.get((GROUP, plural, inside, ref["name"]))
                yield from (role or {}).get("rules") or ()


def _part(value: Object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _is(subject: Object, user: str) -> bool:
    _, _, namespace, name = user.split(":")
    if subject["kind"] == "ServiceAccount":
        return (subject["name"], subject.get("namespace", "")) == (name, namespace)
    groups = ("system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return subject["name"] in (groups if subject["kind"] == "Group" else (user,))


def _grants(rule: Object, asked: Asked) -> bool:
    named = rule.get("resourceNames")
    return (
        _in(asked.verb, rule.get("verbs"))
        and _in(asked.group, rule.get("apiGroups"))
        and _in(asked.plural, rule.get("resources"))
        and (not named or asked.name in named)
    )


def _in(wanted: str, given: list[str] | None) -> bool:
    return bool(given) and (wanted in given or "*" in given)
