"""The registry: every annotation of every family, how it is read, and what fedns makes of it.

Law: one table, and nothing else knows a key; docs/annotations.md is this table for people. `supported` means
as its family documents it; `different` says how it differs, `ignored` why it is not needed or not done. What
guards (`guards`) and cannot be read shuts its paths (503): a guard that is misspelt must not be an open door.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from fedns.gateway import readers
from fedns.gateway.readers import boolean, listed, number, seconds, size, switch, word

Status = Literal["supported", "different", "ignored"]
FEDNS, NGINX, MSE, HIGRESS = (
    "fedns.io",
    "nginx.ingress.kubernetes.io",
    "mse.ingress.kubernetes.io",
    "higress.io",
)
FAMILIES = (FEDNS, NGINX, MSE, HIGRESS)
"""Where one key stands in several, the first that has it wins."""
_LETTERS = {"F": FEDNS, "N": NGINX, "M": MSE, "H": HIGRESS}
NM, M, N, F, H = "NMHF", "MHF", "NF", "F", "H"
"""What nginx has, MSE takes too, and fedns both; what only MSE has, is MSE's and ours."""


class Row(NamedTuple):
    """`families` may carry the key; `read` is None where it is ignored."""

    key: str
    families: tuple[str, ...]
    status: Status
    read: Callable[[str], Any] | None
    words: str = ""
    guards: bool = False


def _yes(key: str, families: str, read: Callable[[str], Any], words: str = "") -> Row:
    return _row(key, families, "supported", read, words)


def _differs(key: str, families: str, read: Callable[[str], Any], words: str) -> Row:
    return _row(key, families, "different", read, words)


def _no(key: str, families: str, words: str) -> Row:
    return _row(key, families, "ignored", None, words)


def _row(key: str, families: str, status: Status, read: Callable[[str], Any] | None, words: str) -> Row:
    return Row(key, tuple(_LETTERS[each] for each in families), status, read, words, key in GUARDS)


def _verbatim(text: str) -> str:
    return text


GUARDS = frozenset(
    [
        "auth-type",
        "auth-secret",
        "auth-secret-type",
        "auth-url",
        "auth-tls-secret",
        "auth-tls-verify-client",
        "auth-tls-match-cn",
        "whitelist-source-range",
        "allowlist-source-range",
        "denylist-source-range",
        "blacklist-source-range",
        "domain-whitelist-source-range",
        "domain-blacklist-source-range",
        "satisfy",
    ]
)

_SNIPPET = "text that would become configuration: fedns has no template to put it in"
_BUFFERS = "bodies are streamed with back-pressure; there is nothing to size"
_WAF = "there is no WAF inside; put one in front or behind"
_TRACES = "no traces are made; traceparent and other tracing headers pass through"
_BOUNDED = "up to 256 KiB are kept for another try; what is longer is streamed and sent once"

ROWS: tuple[Row, ...] = (
    # Canaries
    _yes("canary", NM, boolean),
    _yes("canary-by-header", NM, readers.field_name),
    _yes("canary-by-header-value", NM, readers.field_value),
    _differs(
        "canary-by-header-pattern", NM, _verbatim, "the syntax is RE2's: no look-around, no back-references"
    ),
    _yes("canary-by-cookie", NM, readers.cookie_name),
    _yes(
        "canary-by-cookie-value", M, readers.field_value, "`always` and `never` keep their meaning beside it"
    ),
    _yes("canary-by-query", M, readers.field_value, "after the header, before the cookie"),
    _yes("canary-by-query-value", M, readers.field_value),
    _yes("canary-by-query-pattern", M, _verbatim),
    _differs("canary-weight", NM, number(), "several canaries of one path share one draw; nginx knows one"),
    _yes(
        "canary-weight-total",
        NM,
        number(),
        "nginx's rule: below 100 it counts as 100; MSE's with `canary-mode: mse`",
    ),
    _yes(
        "canary-mode", F, word("fedns", "nginx-strict", "mse"), "whose order decides; the oldest that says it"
    ),
    # Which clusters
    _differs(
        "service-subset",
        M,
        _verbatim,
        "labels are those of members, not of pods: a subset is a set of clusters; none that can serve: all",
    ),
    _differs(
        "subset-labels",
        M,
        readers.labels,
        "as service-subset; `topology.istio.io/cluster` is the member's name",
    ),
    _yes("clusters", F, readers.levels, "`a,b;c`: a and b serve, c when neither can"),
    _yes("cluster-weights", F, readers.weights, "`a=3,b=1` within a level; else by ready endpoints"),
    _yes(
        "spill-threshold",
        F,
        number(0, 100),
        "percent ready below which the next level helps; 0: only when none is",
    ),
    _yes("failback", F, seconds, "how long a level must be back before it serves again"),
    _yes("min-healthy", F, number(1), "ready endpoints that a level needs to count as able"),
    _yes(
        "cluster-by-header",
        F,
        readers.named_member,
        "`X-Cluster`, or `X-Cluster:strict`: 503 where it cannot serve",
    ),
    _differs("destination", M, readers.destinations, "the subset of a line is ignored"),
    # Paths and targets
    _differs("use-regex", NM, boolean, "the syntax is RE2's; escaped octets stay escaped while matching"),
    _differs("rewrite-target", NM, readers.target, "a result with dot segments is rejected (400)"),
    _yes("x-forwarded-prefix", N, readers.field_value, "where a rewrite happens, as in nginx"),
    _yes("app-root", NM, readers.path),
    _yes("server-alias", NM, listed(readers.host), "exact names and `*.` wildcards; no expressions"),
    _yes("upstream-vhost", NM, readers.text),
    _no("rewrite-path", H, "use rewrite-target"),
    _no("full-path-regex", H, "use use-regex with a `$` at the end"),
    _no("ignore-path-case", H, "use use-regex, which does not mind case"),
    _no("match-method", H, "an Ingress of Kubernetes routes by host and path alone"),
    _no("match-pseudo-header", H, "an Ingress of Kubernetes routes by host and path alone"),
    # Redirects
    _yes("ssl-redirect", NM, boolean, "on where the host has TLS, as in nginx"),
    _yes("force-ssl-redirect", NM, boolean),
    _yes("preserve-trailing-slash", N, boolean),
    _yes("permanent-redirect", NM, readers.url),
    _yes("permanent-redirect-code", NM, number(), "300 to 308; another one counts as 301"),
    _yes("temporal-redirect", NM, readers.url),
    _yes("temporal-redirect-code", N, number(), "300 to 307; another one counts as 302"),
    _yes("relative-redirects", N, boolean),
    _differs(
        "from-to-www-redirect", N, boolean, "the port of the request's Host is kept, not the listener's said"
    ),
    _no("use-port-in-redirects", N, "redirects to https name no port"),
    # Cross-origin requests
    _yes("enable-cors", NM, boolean),
    _differs("cors-allow-origin", NM, listed(readers.origin), "compared as a whole; nginx compares the end"),
    _yes("cors-allow-methods", NM, readers.field_value),
    _yes("cors-allow-headers", NM, readers.field_value),
    _yes("cors-expose-headers", NM, readers.field_value),
    _yes("cors-allow-credentials", NM, boolean),
    _yes("cors-max-age", NM, number(-1)),
    # Header fields
    _yes("request-header-control-add", M, readers.fields),
    _yes("request-header-control-update", M, readers.fields),
    _yes("request-header-control-remove", M, listed(readers.field_name)),
    _yes("response-header-control-add", M, readers.fields),
    _yes("response-header-control-update", M, readers.fields),
    _yes("response-header-control-remove", M, listed(readers.field_name)),
    _no("custom-headers", N, "use response-header-control-update, which needs no ConfigMap"),
    _no("connection-proxy-header", N, "Connection belongs to the gateway, on both sides"),
    _yes("proxy-cookie-domain", N, readers.pair),
    _yes("proxy-cookie-path", N, readers.pair),
    _yes("proxy-redirect-from", N, readers.field_value),
    _yes("proxy-redirect-to", N, readers.field_value),
    # Times, tries, sizes
    _yes("timeout", M, seconds, "of the whole request"),
    _yes("proxy-connect-timeout", N, seconds),
    _yes("proxy-send-timeout", N, seconds),
    _yes("proxy-read-timeout", N, seconds),
    _differs(
        "proxy-next-upstream",
        NM,
        _verbatim,
        "only with non_idempotent is a POST tried again once sent, also where MSE does so",
    ),
    _yes("proxy-next-upstream-tries", NM, number()),
    _yes("proxy-next-upstream-timeout", NM, seconds, "for all tries together, as in nginx"),
    _yes(
        "retry-next-cluster", F, word("connect", "idempotent", "off"), "when another try leaves the cluster"
    ),
    _yes("proxy-body-size", N, size),
    _differs("proxy-request-buffering", N, switch, _BOUNDED),
    _no("proxy-buffering", N, _BUFFERS),
    _no("proxy-buffers-number", N, _BUFFERS),
    _no("proxy-buffer-size", N, _BUFFERS),
    _no("proxy-busy-buffers-size", N, _BUFFERS),
    _no("proxy-max-temp-file-size", N, _BUFFERS),
    _no("client-body-buffer-size", N, _BUFFERS),
    # Limits
    _differs("limit-rps", N, number(), "a token bucket shared by all workers; 503, as in nginx"),
    _differs("limit-rpm", N, number(), "as limit-rps"),
    _yes("limit-connections", N, number()),
    _yes("limit-burst-multiplier", N, number(1)),
    _yes("limit-rate", N, number(), "KiB a second"),
    _yes("limit-rate-after", N, number(), "KiB"),
    _yes("limit-whitelist", N, readers.networks),
    _yes("limit-allowlist", N, readers.networks),
    _yes("route-limit-rps", M, number()),
    _yes("route-limit-rpm", M, number()),
    _yes("route-limit-burst-multiplier", M, number(1)),
    _differs("rate-limit", M, number(), "all workers of one gateway together, not all gateways"),
    _yes("rate-limit-fallback-custom-response-code", M, number(200, 599)),
    _yes("rate-limit-fallback-custom-response-body", M, _verbatim),
    _yes("rate-limit-fallback-custom-response-body-type", M, word("text", "json")),
    _yes("rate-limit-fallback-redirect-url", M, readers.url),
    _differs("concurrency-limit", M, number(), "all workers of one gateway together, not all gateways"),
    _yes("concurrency-limit-fallback-custom-response-code", M, number(200, 599)),
    _yes("concurrency-limit-fallback-custom-response-body", M, _verbatim),
    _yes("concurrency-limit-fallback-custom-response-body-type", M, word("text", "json")),
    _yes("concurrency-limit-fallback-redirect-url", M, readers.url),
    # Balancing and affinity
    _differs(
        "load-balance",
        NM,
        word("round_robin", "least_conn", "random", "ewma"),
        "ewma: of two drawn, the less busy",
    ),
    _yes("upstream-hash-by", NM, readers.text),
    _yes("upstream-hash-by-subset", N, boolean),
    _yes("upstream-hash-by-subset-size", N, number(1)),
    _yes("affinity", NM, word("cookie")),
    _yes("affinity-mode", NM, word("balanced", "persistent")),
    _yes("affinity-canary-behavior", NM, word("sticky", "legacy")),
    _yes("session-cookie-name", NM, readers.cookie_name),
    _yes("session-cookie-path", NM, readers.path),
    _yes("session-cookie-max-age", NM, number()),
    _yes("session-cookie-expires", NM, number()),
    _yes("session-cookie-domain", N, readers.host),
    _yes("session-cookie-samesite", N, word("None", "Lax", "Strict")),
    _yes("session-cookie-secure", N, boolean),
    _yes("session-cookie-conditional-samesite-none", N, boolean),
    _yes("session-cookie-change-on-failure", N, boolean),
    _yes("warmup", M, seconds),
    _yes("connection-policy-tcp-max-connection", M, number(), "of one worker"),
    _yes("connection-policy-tcp-max-connection-per-endpoint", M, number(), "of one worker"),
    _yes("connection-policy-http-max-request-per-connection", M, number()),
    # Who may come
    _yes("whitelist-source-range", NM, readers.networks),
    _yes("allowlist-source-range", N, readers.networks),
    _yes("denylist-source-range", NM, readers.networks),
    _yes("blacklist-source-range", M, readers.networks),
    _yes(
        "domain-whitelist-source-range",
        M,
        readers.networks,
        "for all paths of the host that say nothing themselves",
    ),
    _yes(
        "domain-blacklist-source-range",
        M,
        readers.networks,
        "for all paths of the host that say nothing themselves",
    ),
    _differs("auth-type", NM, word("basic"), "basic; digest shuts the path (503)"),
    _yes("auth-secret", NM, readers.secret, "of the Ingress's own namespace"),
    _yes("auth-secret-type", NM, word("auth-file", "auth-map")),
    _yes("auth-realm", NM, readers.field_value),
    _yes("auth-url", N, readers.url),
    _yes("auth-method", N, word("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")),
    _yes("auth-signin", N, readers.url),
    _yes("auth-signin-redirect-param", N, readers.field_name),
    _yes("auth-response-headers", N, listed(readers.field_name)),
    _yes("auth-request-redirect", N, readers.text),
    _yes("auth-cache-key", N, readers.text),
    _yes("auth-cache-duration", N, readers.cached),
    _yes("auth-always-set-cookie", N, boolean),
    _no("auth-keepalive", N, "connections to it are always kept"),
    _no("auth-keepalive-requests", N, "connections to it are always kept"),
    _no("auth-keepalive-timeout", N, "connections to it are always kept"),
    _no("auth-keepalive-share-vars", N, "there are no variables to share"),
    _no(
        "auth-proxy-set-headers", N, "it names a ConfigMap; the subrequest carries the request's own headers"
    ),
    _no("enable-global-auth", N, "there is no global authentication"),
    _yes("satisfy", N, word("any", "all")),
    # TLS
    _yes("auth-tls-secret", NM, readers.secret, "any Secret of the Ingress's own namespace with ca.crt"),
    _yes("auth-tls-verify-client", N, word("on", "off", "optional", "optional_no_ca")),
    _yes("auth-tls-verify-depth", N, number(0, 10)),
    _yes("auth-tls-match-cn", N, _verbatim, "`CN=` and an RE2 expression for the subject"),
    _yes("auth-tls-error-page", N, readers.url),
    _yes("auth-tls-pass-certificate-to-upstream", N, boolean),
    _yes(
        "tls-min-protocol-version",
        M,
        word("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
        "for the host; at least 1.2 without it",
    ),
    _yes("tls-max-protocol-version", M, word("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")),
    _yes("ssl-cipher", NM, readers.field_value),
    _yes("ssl-ciphers", N, readers.field_value),
    _no("ssl-prefer-server-ciphers", N, "the server's order is always the one"),
    _no("ssl-passthrough", N, "TLS ends at the gateway, which routes by what is inside"),
    # To the backend
    _differs(
        "backend-protocol",
        NM,
        word("HTTP", "HTTPS", "HTTP2", "GRPC", "GRPCS", "AUTO_HTTP"),
        "FCGI and AJP are not spoken",
    ),
    _yes("proxy-http-version", N, word("1.0", "1.1")),
    _yes("proxy-ssl-secret", NM, readers.secret),
    _yes("proxy-ssl-name", NM, readers.host),
    _yes("proxy-ssl-server-name", NM, switch),
    _yes("proxy-ssl-verify", NM, switch),
    _no("proxy-ssl-verify-depth", N, "chains are checked as deep as the library does"),
    _no("proxy-ssl-ciphers", N, "the library's own list"),
    _no("proxy-ssl-protocols", N, "TLS 1.2 and 1.3"),
    _no(
        "service-upstream",
        N,
        "endpoints are the model's; a member with `gateway: addresses` is entered at its addresses",
    ),
    _no("fastcgi-index", N, "FastCGI is not spoken"),
    _no("fastcgi-params-configmap", N, "FastCGI is not spoken"),
    # When it fails
    _yes("default-backend", NM, readers.service),
    _yes(
        "custom-http-errors",
        NM,
        readers.statuses,
        "the request for them is for `/`, with X-Code and its companions",
    ),
    _no("disable-proxy-intercept-errors", N, "only custom-http-errors intercepts"),
    # Copies
    _yes("mirror-target", N, readers.url, "a mirror can neither slow nor fail the original, unlike nginx's"),
    _yes("mirror-host", N, readers.text),
    _yes("mirror-request-body", N, switch),
    _yes("mirror-target-service", M, readers.service),
    _yes("mirror-target-fqdn", M, readers.host),
    _yes("mirror-target-fqdn-port", M, number(1, 65535)),
    _yes("mirror-percentage", M, readers.percent),
    # Seeing
    _yes("enable-access-log", N, boolean),
    _no("enable-rewrite-log", N, "`fedns explain` tells what is rewritten, and why"),
    _no("enable-opentelemetry", N, _TRACES),
    _no("opentelemetry-trust-incoming-span", N, _TRACES),
    _no("opentelemetry-operation-name", N, _TRACES),
    _no("enable-opentracing", N, _TRACES),
    _no("opentracing-trust-incoming-span", N, _TRACES),
    # What is not done
    _no("configuration-snippet", N, _SNIPPET),
    _no("server-snippet", N, _SNIPPET),
    _no("stream-snippet", N, _SNIPPET),
    _no("auth-snippet", N, _SNIPPET),
    _no("modsecurity-snippet", N, _SNIPPET),
    _no("enable-modsecurity", N, _WAF),
    _no("enable-owasp-core-rules", N, _WAF),
    _no("modsecurity-transaction-id", N, _WAF),
    _no("http2-push-preload", N, "browsers no longer take pushes"),
    _no("global-rate-limit", N, "use rate-limit"),
    _no("global-rate-limit-window", N, "use rate-limit"),
    _no("global-rate-limit-key", N, "use limit-rps, which counts by client"),
    _no("global-rate-limit-ignored-cidrs", N, "use limit-allowlist"),
    _no("enable-influxdb", N, "use the gateway's metrics"),
    _no("mcp-server", H, "no Model Context Protocol inside"),
    _no("rpc-destination-name", H, "no Dubbo inside"),
)
REGISTRY: Mapping[str, Row] = {row.key: row for row in ROWS}
