"""The registry: every annotation of every family, how it is read, and what fedns makes of it.

Law: one table, and nothing else knows a key; docs/annotations.md is this table for people. `supported` means
as its family documents it; `different` says how it differs, `ignored` why it is not needed or not done. What
guards and cannot be read shuts its paths (503): a guard that is misspelt must not be an open door.
"""

from collections.abc import Mapping

from fedns.gateway import readers
from fedns.gateway.readers import boolean, listed, number, seconds, size, switch, word
from fedns.gateway.row import NM, F, H, M, N, Row, differs, guard, no, yes

_SNIPPET = "text that would become configuration: fedns has no template to put it in"
_BUFFERS = "bodies are streamed with back-pressure; there is nothing to size"
_WAF = "there is no WAF inside; put one in front or behind"
_TRACES = "no traces are made; traceparent and other tracing headers pass through"
_AT_ONCE = "requests at once of one worker, each of which has a connection; one more is 503"
_BOUNDED = "up to 256 KiB are kept for another try; what is longer is streamed and sent once"

ROWS: tuple[Row, ...] = (
    # Canaries
    yes("canary", NM, boolean),
    yes("canary-by-header", NM, readers.field_name),
    yes("canary-by-header-value", NM, readers.field_value),
    differs("canary-by-header-pattern", NM, str, "the syntax is RE2's: no look-around, no back-references"),
    yes("canary-by-cookie", NM, readers.cookie_name),
    yes(
        "canary-by-cookie-value", M, readers.field_value, "`always` and `never` keep their meaning beside it"
    ),
    yes("canary-by-query", M, readers.field_value, "after the header, before the cookie"),
    yes("canary-by-query-value", M, readers.field_value),
    yes("canary-by-query-pattern", M, str),
    differs("canary-weight", NM, number(), "several canaries of one path share one draw; nginx knows one"),
    yes(
        "canary-weight-total",
        NM,
        number(),
        "nginx's rule: below 100 it counts as 100; MSE's with `canary-mode: mse`",
    ),
    yes(
        "canary-mode",
        F,
        word("fedns", "nginx-strict", "mse"),
        "whose order decides; of the path, else of its oldest canary that says it",
    ),
    # Which clusters
    differs(
        "service-subset",
        M,
        str,
        "labels are those of members, not of pods: a subset is a set of clusters; none that can serve: all",
    ),
    differs(
        "subset-labels",
        M,
        readers.labels,
        "as service-subset; `topology.istio.io/cluster` is the member's name",
    ),
    yes("clusters", F, readers.levels, "`a,b;c`: a and b serve, c when neither can"),
    yes("cluster-weights", F, readers.weights, "`a=3,b=1` within a level; else by ready endpoints"),
    yes(
        "spill-threshold",
        F,
        number(0, 100),
        "percent ready below which the next level helps; 0: only when none is",
    ),
    yes("failback", F, seconds, "how long a level must be back before it serves again"),
    yes("min-healthy", F, number(1), "ready endpoints that a level needs to count as able"),
    yes(
        "cluster-by-header",
        F,
        readers.named_member,
        "`X-Cluster`, or `X-Cluster:strict`: 503 where it cannot serve",
    ),
    differs("destination", M, readers.destinations, "the subset of a line is ignored"),
    # Paths and targets
    differs("use-regex", NM, boolean, "the syntax is RE2's; escaped octets stay escaped while matching"),
    differs("rewrite-target", NM, readers.target, "a result with dot segments is rejected (400)"),
    yes("x-forwarded-prefix", N, readers.field_value, "where a rewrite happens, as in nginx"),
    yes("app-root", NM, readers.path),
    yes("server-alias", NM, listed(readers.host), "exact names and `*.` wildcards; no expressions"),
    yes("upstream-vhost", NM, readers.text),
    no("rewrite-path", H, "use rewrite-target"),
    no("full-path-regex", H, "use use-regex with a `$` at the end"),
    no("ignore-path-case", H, "use use-regex, which does not mind case"),
    # Rules that ask for more
    yes(
        "match-method",
        M,
        readers.methods,
        "several Ingresses may have one path: what asks for most comes first",
    ),
    yes("exact-match-header-*", M, readers.field_value, "`exact-match-header-x-user: jo`"),
    yes("prefix-match-header-*", M, readers.field_value),
    yes("regex-match-header-*", M, readers.expression, "the whole value; the syntax is RE2's"),
    yes("exact-match-query-*", M, readers.field_value, "values are compared as they come, escapes and all"),
    yes("prefix-match-query-*", M, readers.field_value),
    yes("regex-match-query-*", M, readers.expression, "the whole value; the syntax is RE2's"),
    no("match-pseudo-header", H, "use match-method"),
    # Redirects
    yes("ssl-redirect", NM, boolean, "on where the host has TLS, as in nginx"),
    yes("force-ssl-redirect", NM, boolean),
    yes("preserve-trailing-slash", N, boolean),
    yes("permanent-redirect", NM, readers.url),
    yes("permanent-redirect-code", NM, number(), "300 to 308; another one counts as 301"),
    yes("temporal-redirect", NM, readers.url),
    yes("temporal-redirect-code", N, number(), "300 to 307; another one counts as 302"),
    yes("relative-redirects", N, boolean),
    differs(
        "from-to-www-redirect", N, boolean, "the port of the request's Host is kept, not the listener's said"
    ),
    no("use-port-in-redirects", N, "redirects to https name no port"),
    # Cross-origin requests
    yes("enable-cors", NM, boolean),
    differs("cors-allow-origin", NM, listed(readers.origin), "compared as a whole; nginx compares the end"),
    yes("cors-allow-methods", NM, readers.field_value),
    yes("cors-allow-headers", NM, readers.field_value),
    yes("cors-expose-headers", NM, readers.field_value),
    yes("cors-allow-credentials", NM, boolean),
    yes("cors-max-age", NM, number(-1)),
    # Header fields
    yes("request-header-control-add", M, readers.fields),
    yes("request-header-control-update", M, readers.fields),
    yes("request-header-control-remove", M, listed(readers.field_name)),
    yes("response-header-control-add", M, readers.fields),
    yes("response-header-control-update", M, readers.fields),
    yes("response-header-control-remove", M, listed(readers.field_name)),
    no("custom-headers", N, "use response-header-control-update, which needs no ConfigMap"),
    no("connection-proxy-header", N, "Connection belongs to the gateway, on both sides"),
    yes("proxy-cookie-domain", N, readers.pair),
    yes("proxy-cookie-path", N, readers.pair),
    yes("proxy-redirect-from", N, readers.field_value),
    yes("proxy-redirect-to", N, readers.field_value),
    # Times, tries, sizes
    yes("timeout", M, seconds, "of the whole request"),
    yes("proxy-connect-timeout", N, seconds),
    yes("proxy-send-timeout", N, seconds),
    yes("proxy-read-timeout", N, seconds),
    differs(
        "proxy-next-upstream",
        NM,
        str,
        "only with non_idempotent is a POST tried again once sent, also where MSE does so",
    ),
    yes("proxy-next-upstream-tries", NM, number()),
    yes("proxy-next-upstream-timeout", NM, seconds, "for all tries together, as in nginx"),
    yes("retry-next-cluster", F, word("connect", "idempotent", "off"), "when another try leaves the cluster"),
    yes("proxy-body-size", N, size),
    differs("proxy-request-buffering", N, switch, _BOUNDED),
    *(
        no(key, N, _BUFFERS)
        for key in (
            "proxy-buffering",
            "proxy-buffers-number",
            "proxy-buffer-size",
            "proxy-busy-buffers-size",
            "proxy-max-temp-file-size",
            "client-body-buffer-size",
        )
    ),
    # Limits
    differs("limit-rps", N, number(), "a token bucket of all workers; 503, or as rate-limit-fallback-* says"),
    differs("limit-rpm", N, number(), "as limit-rps"),
    yes("limit-connections", N, number()),
    yes("limit-burst-multiplier", N, number(1)),
    yes("limit-rate", N, number(), "KiB a second"),
    yes("limit-rate-after", N, number(), "KiB"),
    yes("limit-whitelist", N, readers.networks),
    yes("limit-allowlist", N, readers.networks),
    yes("route-limit-rps", M, number()),
    yes("route-limit-rpm", M, number()),
    yes("route-limit-burst-multiplier", M, number(1)),
    differs("rate-limit", M, number(), "all workers of one gateway together, not all gateways"),
    yes("rate-limit-fallback-custom-response-code", M, number(200, 599)),
    yes("rate-limit-fallback-custom-response-body", M, str),
    yes("rate-limit-fallback-custom-response-body-type", M, word("text", "json")),
    yes("rate-limit-fallback-redirect-url", M, readers.url),
    differs("concurrency-limit", M, number(), "all workers of one gateway together, not all gateways"),
    yes("concurrency-limit-fallback-custom-response-code", M, number(200, 599)),
    yes("concurrency-limit-fallback-custom-response-body", M, str),
    yes("concurrency-limit-fallback-custom-response-body-type", M, word("text", "json")),
    yes("concurrency-limit-fallback-redirect-url", M, readers.url),
    # Balancing and affinity
    differs(
        "load-balance",
        NM,
        word("round_robin", "least_conn", "random", "ewma"),
        "ewma: of two drawn, the less busy",
    ),
    yes("upstream-hash-by", NM, readers.text),
    yes("upstream-hash-by-subset", N, boolean),
    yes("upstream-hash-by-subset-size", N, number(1)),
    yes("affinity", NM, word("cookie")),
    yes("affinity-mode", NM, word("balanced", "persistent")),
    yes("affinity-canary-behavior", NM, word("sticky", "legacy")),
    yes("session-cookie-name", NM, readers.cookie_name),
    yes("session-cookie-path", NM, readers.path),
    yes("session-cookie-max-age", NM, number()),
    yes("session-cookie-expires", NM, number()),
    yes("session-cookie-domain", N, readers.host),
    yes("session-cookie-samesite", N, word("None", "Lax", "Strict")),
    yes("session-cookie-secure", N, boolean),
    yes("session-cookie-conditional-samesite-none", N, boolean),
    yes("session-cookie-change-on-failure", N, boolean),
    yes("warmup", M, seconds, "the share of a new endpoint grows from a tenth, as each worker sees it come"),
    differs("connection-policy-tcp-max-connection", M, number(), _AT_ONCE),
    differs("connection-policy-tcp-max-connection-per-endpoint", M, number(), _AT_ONCE),
    yes("connection-policy-http-max-request-per-connection", M, number()),
    # Who may come
    guard(yes("whitelist-source-range", NM, readers.networks)),
    guard(yes("allowlist-source-range", N, readers.networks)),
    guard(yes("denylist-source-range", NM, readers.networks)),
    guard(yes("blacklist-source-range", M, readers.networks)),
    guard(
        yes(
            "domain-whitelist-source-range",
            M,
            readers.networks,
            "for all paths of the host that say nothing themselves",
        )
    ),
    guard(
        yes(
            "domain-blacklist-source-range",
            M,
            readers.networks,
            "for all paths of the host that say nothing themselves",
        )
    ),
    guard(differs("auth-type", NM, word("basic"), "basic; digest shuts the path (503)")),
    guard(yes("auth-secret", NM, readers.secret, "of the Ingress's own namespace")),
    guard(yes("auth-secret-type", NM, word("auth-file", "auth-map"))),
    yes("auth-realm", NM, readers.field_value),
    guard(
        differs("auth-url", N, readers.asked, "over TLS its certificate is checked; 10 s at most, then 500")
    ),
    yes("auth-method", N, word("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")),
    yes("auth-signin", N, readers.url),
    yes("auth-signin-redirect-param", N, readers.field_name),
    yes("auth-response-headers", N, listed(readers.field_name)),
    yes("auth-request-redirect", N, readers.text),
    yes("auth-cache-key", N, readers.text),
    yes("auth-cache-duration", N, readers.cached),
    yes("auth-always-set-cookie", N, boolean),
    no("auth-keepalive", N, "connections to it are always kept"),
    no("auth-keepalive-requests", N, "connections to it are always kept"),
    no("auth-keepalive-timeout", N, "connections to it are always kept"),
    no("auth-keepalive-share-vars", N, "there are no variables to share"),
    no("auth-proxy-set-headers", N, "it names a ConfigMap; the subrequest carries the request's own headers"),
    no("enable-global-auth", N, "there is no global authentication"),
    guard(yes("satisfy", N, word("any", "all"))),
    # TLS
    guard(
        yes("auth-tls-secret", NM, readers.secret, "any Secret of the Ingress's own namespace with ca.crt")
    ),
    guard(yes("auth-tls-verify-client", N, word("on", "off", "optional", "optional_no_ca"))),
    no("auth-tls-verify-depth", N, "chains are checked as deep as the library does"),
    guard(yes("auth-tls-match-cn", N, str, "`CN=` and an RE2 expression for the subject")),
    yes("auth-tls-error-page", N, readers.url),
    yes("auth-tls-pass-certificate-to-upstream", N, boolean),
    yes(
        "tls-min-protocol-version",
        M,
        word("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
        "for the host; at least 1.2 without it",
    ),
    yes("tls-max-protocol-version", M, word("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")),
    yes("ssl-cipher", NM, readers.field_value),
    yes("ssl-ciphers", N, readers.field_value),
    no("ssl-prefer-server-ciphers", N, "the server's order is always the one"),
    no("ssl-passthrough", N, "TLS ends at the gateway, which routes by what is inside"),
    # To the backend
    differs(
        "backend-protocol",
        NM,
        word("HTTP", "HTTPS", "HTTP2", "GRPC", "GRPCS", "AUTO_HTTP"),
        "FCGI and AJP are not spoken",
    ),
    differs("proxy-http-version", N, word("1.0", "1.1"), "with 1.0 a request of unknown length is 411"),
    yes("proxy-ssl-secret", NM, readers.secret),
    yes("proxy-ssl-name", NM, readers.host),
    yes("proxy-ssl-server-name", NM, switch),
    yes("proxy-ssl-verify", NM, switch),
    no("proxy-ssl-verify-depth", N, "chains are checked as deep as the library does"),
    no("proxy-ssl-ciphers", N, "the library's own list"),
    no("proxy-ssl-protocols", N, "TLS 1.2 and 1.3"),
    no(
        "service-upstream",
        N,
        "endpoints are the model's; a member with `gateway: addresses` is entered at its addresses",
    ),
    no("fastcgi-index", N, "FastCGI is not spoken"),
    no("fastcgi-params-configmap", N, "FastCGI is not spoken"),
    # When it fails
    yes("default-backend", NM, readers.service),
    yes(
        "custom-http-errors",
        NM,
        readers.statuses,
        "the request for them is for `/`, with X-Code and its companions",
    ),
    no("disable-proxy-intercept-errors", N, "only custom-http-errors intercepts"),
    # Copies
    yes("mirror-target", N, readers.url, "a mirror can neither slow nor fail the original, unlike nginx's"),
    yes("mirror-host", N, readers.text),
    yes("mirror-request-body", N, switch),
    yes("mirror-target-service", M, readers.service),
    yes("mirror-target-fqdn", M, readers.host),
    yes("mirror-target-fqdn-port", M, number(1, 65535)),
    yes("mirror-percentage", M, readers.percent),
    # Seeing
    yes("enable-access-log", N, boolean),
    no("enable-rewrite-log", N, "`fedns explain` tells what is rewritten, and why"),
    *(
        no(key, N, _TRACES)
        for key in (
            "enable-opentelemetry",
            "opentelemetry-trust-incoming-span",
            "opentelemetry-operation-name",
            "enable-opentracing",
            "opentracing-trust-incoming-span",
        )
    ),
    # What is not done
    *(
        no(key, N, _SNIPPET)
        for key in (
            "configuration-snippet",
            "server-snippet",
            "stream-snippet",
            "auth-snippet",
            "modsecurity-snippet",
        )
    ),
    *(
        no(key, N, _WAF)
        for key in ("enable-modsecurity", "enable-owasp-core-rules", "modsecurity-transaction-id")
    ),
    no("http2-push-preload", N, "browsers no longer take pushes"),
    no("global-rate-limit", N, "use rate-limit"),
    no("global-rate-limit-window", N, "use rate-limit"),
    no("global-rate-limit-key", N, "use limit-rps, which counts by client"),
    no("global-rate-limit-ignored-cidrs", N, "use limit-allowlist"),
    no("enable-influxdb", N, "use the gateway's metrics"),
    no("mcp-server", H, "no Model Context Protocol inside"),
    no("rpc-destination-name", H, "no Dubbo inside"),
)
REGISTRY: Mapping[str, Row] = {row.key: row for row in ROWS}
_OPEN = tuple(row for row in ROWS if row.key.endswith("*"))


def find(key: str) -> Row | None:
    """The row of a key; keys that end in a name of the user's have one row together."""
    found = REGISTRY.get(key)
    if found is None:
        found = next(
            (row for row in _OPEN if key.startswith(row.key[:-1]) and len(key) >= len(row.key)), None
        )
    return found
