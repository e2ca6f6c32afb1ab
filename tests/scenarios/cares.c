/* What c-ares says of a name, as getaddrinfo.c does of the C library: the addresses, a line each. */
#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/select.h>

static int failed;

static void told(void *unused, int status, int timeouts, struct ares_addrinfo *found) {
    char text[INET6_ADDRSTRLEN];
    struct ares_addrinfo_node *one;
    failed = status;
    if (status) {
        puts(ares_strerror(status));
        return;
    }
    for (one = found->nodes; one; one = one->ai_next) {
        void *address = one->ai_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)one->ai_addr)->sin6_addr
                                                   : (void *)&((struct sockaddr_in *)one->ai_addr)->sin_addr;
        puts(inet_ntop(one->ai_family, address, text, sizeof text));
    }
    ares_freeaddrinfo(found);
}

int main(int count, char **words) {
    struct ares_addrinfo_hints hints = {.ai_socktype = SOCK_STREAM};
    struct timeval patience, *wait;
    fd_set readable, writable;
    ares_channel channel;
    int last;
    if (count != 2 || ares_library_init(ARES_LIB_INIT_ALL) || ares_init(&channel)) return 2;
    ares_getaddrinfo(channel, words[1], NULL, &hints, told, NULL);
    for (;;) {
        FD_ZERO(&readable);
        FD_ZERO(&writable);
        last = ares_fds(channel, &readable, &writable);
        if (!last) return failed != 0;
        wait = ares_timeout(channel, NULL, &patience);
        select(last, &readable, &writable, NULL, wait);
        ares_process(channel, &readable, &writable);
    }
}
