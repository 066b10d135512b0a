/* Which addresses may be contacted, and through which proxy.
 *
 * Pages and redirects are written by strangers, so a URL must not become a way to reach the machine's own
 * services or its network (server-side request forgery). The rule is an allow-list: IPv4 outside the
 * special-purpose registry, IPv6 inside 2000::/3 minus its special blocks, and NAT64 addresses whose
 * embedded IPv4 address is public (on an IPv6-only network all of the IPv4 web looks like that).
 *
 * Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and updates), RFC 6052, RFC 9637.
 *
 * Proxies come from the environment alone: http_proxy (lower case only, as in curl: HTTP_PROXY may be a
 * request header in a CGI), https_proxy, all_proxy, no_proxy, the last three in either case. The proxy is the user's
 * configuration and may have any address; the policy cannot see what it dials, so hosts given as addresses
 * are checked here and names that only make sense locally are refused. */
#include "search/transfer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

typedef struct {
    uint32_t base;
    guint bits;
} block4;

static const block4 special4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* carrier-grade NAT */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local, cloud metadata */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relay */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarking */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 4},  /* multicast */
    {0xf0000000, 4},  /* reserved, broadcast */
};

static gboolean
ipv4_is_public(uint32_t address)
{
    for (gsize i = 0; i < G_N_ELEMENTS(special4); i++) {
        uint32_t mask = ~(uint32_t)0 << (32 - special4[i].bits);
        if ((address & mask) == special4[i].base) return FALSE;
    }
    return TRUE;
}

static uint32_t
read_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           (uint32_t)bytes[3];
}

static gboolean
ipv6_is_public(const uint8_t a[16])
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};

    if (memcmp(a, nat64, sizeof nat64) == 0) return ipv4_is_public(read_u32(a + 12));
    /* all else that is special (::, ::1, mapped, fc00::/7, fe80::/10, ff00::/8 ...) is outside of this */
    if ((a[0] & 0xe0) != 0x20) return FALSE;
    uint32_t top = read_u32(a);
    if ((top & 0xfffffe00u) == 0x20010000u) return FALSE; /* protocol assignments, Teredo, ORCHID */
    if (top == 0x20010db8u) return FALSE;                 /* documentation */
    if ((top & 0xffff0000u) == 0x20020000u) return FALSE; /* 6to4: an IPv4 address in disguise */
    if ((top & 0xfffff000u) == 0x3fff0000u) return FALSE; /* documentation */
    return TRUE;
}

gboolean
search_sockaddr_is_public(const struct sockaddr *address, socklen_t len)
{
    if (address->sa_family == AF_INET && len >= (socklen_t)sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return ipv4_is_public(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6 && len >= (socklen_t)sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return ipv6_is_public(in6.sin6_addr.s6_addr);
    }
    return FALSE; /* no Unix sockets, nothing we cannot judge */
}

gboolean
search_address_is_public(const char *address)
{
    struct in_addr in;
    struct in6_addr in6;

    if (inet_pton(AF_INET, address, &in) == 1) return ipv4_is_public(ntohl(in.s_addr));
    if (inet_pton(AF_INET6, address, &in6) == 1) return ipv6_is_public(in6.s6_addr);
    return FALSE;
}

/* Host of a URL without the brackets and the zone of an IPv6 literal. */
static char *
bare_host(const char *host)
{
    if (host[0] != '[') return g_ascii_strdown(host, -1);
    gsize len = strcspn(host + 1, "%]");
    return g_ascii_strdown(host + 1, (gssize)len);
}

gboolean
search_proxied_host_is_public(const char *host)
{
    static const char *const local[] = {".localhost", ".local", ".internal",
                                        ".intranet",  ".lan",   ".home.arpa"};
    g_autofree char *bare = bare_host(host);
    struct in_addr in;
    struct in6_addr in6;

    if (inet_pton(AF_INET, bare, &in) == 1 || inet_pton(AF_INET6, bare, &in6) == 1)
        return search_address_is_public(bare);
    gsize len = strlen(bare);
    if (len > 0 && bare[len - 1] == '.') bare[len - 1] = '\0';
    if (!strchr(bare, '.')) return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(local); i++)
        if (g_str_has_suffix(bare, local[i])) return FALSE;
    return TRUE;
}

static const char *
environment(const char *lower, gboolean also_upper)
{
    const char *value = g_getenv(lower);
    if ((!value || !*value) && also_upper) {
        g_autofree char *upper = g_ascii_strup(lower, -1);
        value = g_getenv(upper);
    }
    return value && *value ? value : NULL;
}

/* no_proxy: names separated by commas or blanks; each stands for itself and what is below it; "*" is all. */
static gboolean
bypasses_proxy(const char *host)
{
    const char *list = environment("no_proxy", TRUE);
    if (!list) return FALSE;
    g_autofree char *bare = bare_host(host);
    g_auto(GStrv) names = g_strsplit_set(list, ", \t", -1);
    for (char **n = names; *n; n++) {
        if (strcmp(*n, "*") == 0) return TRUE;
        g_autofree char *name = bare_host(**n == '.' ? *n + 1 : *n);
        gsize host_len = strlen(bare), name_len = strlen(name);
        if (name_len == 0 || name_len > host_len) continue;
        if (strcmp(bare + host_len - name_len, name) != 0) continue;
        if (name_len == host_len || bare[host_len - name_len - 1] == '.') return TRUE;
    }
    return FALSE;
}

char *
search_proxy_for(const char *scheme, const char *host)
{
    const char *proxy = g_str_equal(scheme, "https") ? environment("https_proxy", TRUE)
                                                     : environment("http_proxy", FALSE);
    if (!proxy) proxy = environment("all_proxy", TRUE);
    return proxy && !bypasses_proxy(host) ? g_strdup(proxy) : NULL;
}

gboolean
search_port_is_allowed(const char *port)
{
    guint64 n = 0;
    if (!g_ascii_string_to_unsigned(port, 10, 1, 65535, &n, NULL)) return FALSE;
    return n == 80 || n == 443 || n >= 1024;
}
