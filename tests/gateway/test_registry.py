"""The registry knows every annotation of both families, once."""

import re

from fedns.gateway import registry
from fedns.gateway import row as rows

NGINX = """
affinity affinity-canary-behavior affinity-mode allowlist-source-range app-root auth-always-set-cookie
auth-cache-duration auth-cache-key auth-keepalive auth-keepalive-requests auth-keepalive-share-vars
auth-keepalive-timeout auth-method auth-proxy-set-headers auth-realm auth-request-redirect
auth-response-headers auth-secret auth-secret-type auth-signin auth-signin-redirect-param auth-snippet
auth-tls-error-page auth-tls-match-cn auth-tls-pass-certificate-to-upstream auth-tls-secret
auth-tls-verify-client auth-tls-verify-depth auth-type auth-url backend-protocol canary canary-by-cookie
canary-by-header canary-by-header-pattern canary-by-header-value canary-weight canary-weight-total
client-body-buffer-size configuration-snippet connection-proxy-header cors-allow-credentials
cors-allow-headers cors-allow-methods cors-allow-origin cors-expose-headers cors-max-age custom-headers
custom-http-errors default-backend denylist-source-range disable-proxy-intercept-errors
enable-access-log enable-cors enable-global-auth enable-modsecurity enable-opentelemetry
enable-owasp-core-rules enable-rewrite-log fastcgi-index force-ssl-redirect from-to-www-redirect
http2-push-preload limit-allowlist limit-burst-multiplier limit-connections limit-rate limit-rate-after
limit-rpm limit-rps load-balance mirror-host mirror-request-body mirror-target modsecurity-snippet
modsecurity-transaction-id opentelemetry-operation-name opentelemetry-trust-incoming-span
permanent-redirect permanent-redirect-code preserve-trailing-slash proxy-body-size proxy-buffer-size
proxy-buffering proxy-buffers-number proxy-busy-buffers-size proxy-connect-timeout proxy-cookie-domain
proxy-cookie-path proxy-http-version proxy-max-temp-file-size proxy-next-upstream
proxy-next-upstream-timeout proxy-next-upstream-tries proxy-read-timeout proxy-redirect-from
proxy-redirect-to proxy-request-buffering proxy-send-timeout proxy-ssl-ciphers proxy-ssl-name
proxy-ssl-protocols proxy-ssl-secret proxy-ssl-server-name proxy-ssl-verify proxy-ssl-verify-depth
relative-redirects rewrite-target satisfy server-alias server-snippet service-upstream
session-cookie-change-on-failure session-cookie-conditional-samesite-none session-cookie-domain
session-cookie-expires session-cookie-max-age session-cookie-name session-cookie-path
session-cookie-samesite session-cookie-secure ssl-ciphers ssl-passthrough ssl-prefer-server-ciphers
ssl-redirect stream-snippet temporal-redirect temporal-redirect-code upstream-hash-by
upstream-hash-by-subset upstream-hash-by-subset-size upstream-vhost use-port-in-redirects use-regex
whitelist-source-range x-forwarded-prefix
""".split()  # noqa: SIM905
"""Of ingress-nginx 1.15.1 (its documentation, and its code for those it does not document)."""
MSE = """
auth-realm auth-secret auth-secret-type auth-tls-secret auth-type affinity affinity-mode app-root
backend-protocol blacklist-source-range canary canary-by-cookie canary-by-cookie-value canary-by-header
canary-by-header-pattern canary-by-header-value canary-by-query canary-by-query-pattern
canary-by-query-value canary-weight canary-weight-total concurrency-limit
concurrency-limit-fallback-custom-response-body concurrency-limit-fallback-custom-response-body-type
concurrency-limit-fallback-custom-response-code concurrency-limit-fallback-redirect-url
connection-policy-http-max-request-per-connection connection-policy-tcp-max-connection
connection-policy-tcp-max-connection-per-endpoint cors-allow-credentials cors-allow-headers
cors-allow-methods cors-allow-origin cors-expose-headers cors-max-age custom-http-errors default-backend
denylist-source-range destination domain-blacklist-source-range domain-whitelist-source-range
enable-cors force-ssl-redirect load-balance mirror-percentage mirror-target-service permanent-redirect
permanent-redirect-code proxy-next-upstream proxy-next-upstream-timeout proxy-next-upstream-tries
proxy-ssl-name proxy-ssl-secret proxy-ssl-server-name rate-limit
rate-limit-fallback-custom-response-body rate-limit-fallback-custom-response-body-type
rate-limit-fallback-custom-response-code rate-limit-fallback-redirect-url request-header-control-add
request-header-control-remove request-header-control-update response-header-control-add
response-header-control-remove response-header-control-update rewrite-target
route-limit-burst-multiplier route-limit-rpm route-limit-rps server-alias service-subset
session-cookie-expires session-cookie-max-age session-cookie-name session-cookie-path ssl-cipher
ssl-redirect subset-labels temporal-redirect timeout tls-max-protocol-version tls-min-protocol-version
upstream-hash-by upstream-vhost use-regex warmup whitelist-source-range
""".split()  # noqa: SIM905
"""Of MSE Ingress gateways (their documentation of March 2026)."""


GUARDS = """
allowlist-source-range auth-secret auth-secret-type auth-tls-match-cn auth-tls-secret auth-tls-verify-client
auth-type auth-url blacklist-source-range denylist-source-range domain-blacklist-source-range
domain-whitelist-source-range satisfy whitelist-source-range
""".split()  # noqa: SIM905


def test_what_guards_is_known_to_guard() -> None:
    assert sorted(row.key for row in registry.ROWS if row.guards) == GUARDS


def test_all_of_both_families_are_there() -> None:
    for family, keys in ((rows.NGINX, NGINX), (rows.MSE, MSE)):
        missing = [key for key in keys if family not in registry.REGISTRY[key].families]
        assert not missing, (family, missing)


def test_what_mse_supports_is_not_ignored() -> None:
    assert not [key for key in MSE if registry.REGISTRY[key].status == "ignored"]


def test_each_key_once_and_with_words_where_it_needs_them() -> None:
    assert len(registry.REGISTRY) == len(registry.ROWS)
    for row in registry.ROWS:
        assert re.fullmatch(r"[a-z0-9-]+\*?", row.key)
        assert (row.read is None) == (row.status == "ignored")
        assert row.words or row.status == "supported", row.key
