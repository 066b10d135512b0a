/* GET into memory; the defaults of both kinds of transfer. */
#include "search/fetch.h"

#include <curl/curl.h>
#include <string.h>

void
search_limits_init(search_limits *limits, const search_fetch_options *options, gboolean download)
{
    static const search_fetch_options none = {0};
    const search_fetch_options *o = options ? options : &none;
    const uint64_t mebibyte = 1024 * 1024;

    *limits = (search_limits){
        .max_bytes = o->max_bytes ? o->max_bytes : (download ? 8192 * mebibyte : 32 * mebibyte),
        .connect_seconds = o->connect_seconds > 0 ? o->connect_seconds : 10,
        .total_seconds = o->total_seconds > 0 ? o->total_seconds : (download ? 0 : 60),
        .stall_seconds = o->stall_seconds > 0 ? o->stall_seconds : 30,
        .stall_rate = 1,
        .max_redirects = o->max_redirects ? o->max_redirects : 5,
        .allow_private = o->allow_private,
        .user_agent = o->user_agent ? o->user_agent : "lode/" LODE_VERSION,
        .cancel = o->cancel,
        .progress = o->progress,
        .user_data = o->user_data,
    };
}

void
search_response_free(search_response *response)
{
    if (!response) return;
    g_free(response->url);
    g_free(response->content_type);
    g_free(response->charset);
    g_clear_pointer(&response->body, g_bytes_unref);
    g_free(response);
}

/* RFC 9110, section 8.3: type/subtype, then parameters; the value of charset may be quoted. */
void
search_parse_content_type(const char *header, char **type, char **charset)
{
    *charset = NULL;
    if (!header) {
        *type = g_strdup("");
        return;
    }
    gsize len = strcspn(header, ";");
    g_autofree char *head = g_strndup(header, len);
    *type = g_ascii_strdown(g_strstrip(head), -1);
    const char *p = header + len;
    while (*p == ';') {
        p++;
        while (*p == ' ' || *p == '\t')
            p++;
        const char *name = p;
        p += strcspn(p, "=;");
        if (*p != '=') continue;
        gboolean wanted = p - name == 7 && g_ascii_strncasecmp(name, "charset", 7) == 0;
        p++;
        const char *value = p;
        if (*p == '"') {
            value = ++p;
            p += strcspn(p, "\"");
        } else {
            p += strcspn(p, "; \t");
        }
        if (wanted && !*charset && p > value) *charset = g_ascii_strdown(value, p - value);
        p += strcspn(p, ";");
    }
}

static gboolean
memory_begin(const search_head *head, void *data, GError **error)
{
    (void)head, (void)data, (void)error;
    return TRUE;
}

static gboolean
memory_write(const void *bytes, size_t len, void *data, GError **error)
{
    GByteArray *body = data;

    if (len > G_MAXUINT - body->len) {
        g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_LIMIT, "too large to keep in memory");
        return FALSE;
    }
    g_byte_array_append(body, bytes, (guint)len);
    return TRUE;
}

search_response *
search_fetch(const char *url, const search_fetch_options *options, GError **error)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    search_limits limits;
    search_head head = {0};

    search_limits_init(&limits, options, FALSE);
    search_transfer transfer = {.limits = &limits,
                                .decode = TRUE,
                                .begin = memory_begin,
                                .write = memory_write,
                                .data = body};
    if (!search_transfer_run(&transfer, url, &head, NULL, NULL, error)) {
        search_head_clear(&head);
        return NULL;
    }
    search_response *response = g_new0(search_response, 1);
    response->status = head.status;
    response->url = g_steal_pointer(&head.url);
    search_parse_content_type(head.content_type, &response->content_type, &response->charset);
    response->body = g_byte_array_free_to_bytes(g_steal_pointer(&body));
    search_head_clear(&head);
    return response;
}

const char *
search_curl_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
