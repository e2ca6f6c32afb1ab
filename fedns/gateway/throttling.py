"""Wishes that limit: rates, connections, requests at once, pace.

Law: nginx's limits count clients and say 503, MSE's count the route and say 429; where both stand, both
count."""

from fedns.gateway import options
from fedns.gateway.wishes import Wishes

BURST = 5  # the multiplier that both ingress-nginx and MSE begin with
KIB = 1024
_KINDS = {"text": b"text/plain; charset=UTF-8", "json": b"application/json; charset=UTF-8"}
NGINX_STATUS, MSE_STATUS = 503, 429


def limits(wishes: Wishes) -> options.Limits | None:
    asked = wishes.asked
    buckets = [*_buckets(wishes, "limit-", True), *_buckets(wishes, "route-limit-", False)]
    rate = asked.get("rate-limit", 0)
    if rate:
        buckets.append(options.Limit(float(rate), float(rate), False))
    made = options.Limits(
        tuple(buckets),
        asked.get("limit-connections", 0),
        asked.get("concurrency-limit", 0),
        (*asked.get("limit-whitelist", ()), *asked.get("limit-allowlist", ())),
        _refusal(wishes, "rate-limit", b"sentinel rate limited" if rate else b""),
        _refusal(wishes, "concurrency-limit", b"sentinel rate limited"),
        asked.get("limit-rate", 0) * KIB,
        asked.get("limit-rate-after", 0) * KIB,
    )
    return made if made.buckets or made.connections or made.concurrency or made.pace else None


def _buckets(wishes: Wishes, prefix: str, client: bool) -> list[options.Limit]:
    asked = wishes.asked
    burst = asked.get(prefix + "burst-multiplier", BURST)
    rates = ((asked.get(prefix + "rpm", 0), 60.0), (asked.get(prefix + "rps", 0), 1.0))
    return [options.Limit(count / seconds, float(count * burst), client) for count, seconds in rates if count]


def _refusal(wishes: Wishes, prefix: str, body: bytes) -> options.Refusal:
    asked = wishes.asked
    prefix += "-fallback-"
    nginx = prefix.startswith("rate") and any(
        key in asked for key in ("limit-rps", "limit-rpm", "limit-connections")
    )
    if prefix.startswith("rate") and any(key in asked for key in ("route-limit-rps", "route-limit-rpm")):
        body = body or b"local_rate_limited"
        nginx = False
    code, redirect = asked.get(prefix + "custom-response-code"), asked.get(prefix + "redirect-url", ())
    if code is not None and redirect:
        wishes.problem(
            f"{prefix}custom-response-code and {prefix}redirect-url exclude each other", "the code counts"
        )
        redirect = ()
    said = asked.get(prefix + "custom-response-body")
    return options.Refusal(
        code or (NGINX_STATUS if nginx and "rate-limit" not in asked else MSE_STATUS),
        body if said is None else said.encode(),
        _KINDS[asked.get(prefix + "custom-response-body-type", "text")],
        redirect,
    )
