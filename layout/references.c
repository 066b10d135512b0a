/* Identifiers in running text: DOI, arXiv id, address. */
#include "layout/flow.h"

#include <string.h>

static gsize
address_len(const char *at)
{
    gsize n = strcspn(at, " \t\n<>\"");
    while (n > 0 && strchr(".,;)]}", at[n - 1]) != NULL)
        n--;
    return n;
}

const char *
layout_find_doi(const char *text, gsize *len)
{
    for (const char *at = text; (at = strstr(at, "10.")) != NULL; at += 3) {
        if (at > text && g_ascii_isalnum(at[-1])) continue;
        gsize digits = strspn(at + 3, "0123456789");
        if (digits < 4 || digits > 9 || at[3 + digits] != '/') continue;
        *len = address_len(at);
        if (*len > 4 + digits) return at;
    }
    return NULL;
}

/* "2301.01234", "2301.01234v2", "hep-th/9901001" behind "arXiv:" */
const char *
layout_find_arxiv(const char *text, gsize *len)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (g_ascii_strncasecmp(at, "arxiv", 5) != 0) continue;
        const char *id = at + 5;
        if (g_str_has_prefix(id, ".org/abs/"))
            id += 9;
        else if (g_str_has_prefix(id, ".org/pdf/"))
            id += 9;
        else if (g_str_has_prefix(id, " preprint arXiv:"))
            id += 16;
        id += strspn(id, ": ");
        gsize a = strspn(id, "0123456789");
        if (a == 4 && id[4] == '.') {
            gsize b = strspn(id + 5, "0123456789");
            if (b < 4 || b > 5) continue;
            *len = 5 + b;
            if (id[*len] == 'v' && g_ascii_isdigit(id[*len + 1]))
                *len += 1 + strspn(id + *len + 1, "0123456789");
            return id;
        }
        gsize letters = strspn(id, "abcdefghijklmnopqrstuvwxyz-.ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (letters > 1 && id[letters] == '/' && strspn(id + letters + 1, "0123456789") == 7) {
            *len = letters + 8;
            return id;
        }
    }
    return NULL;
}

const char *
layout_find_url(const char *text, gsize *len)
{
    for (const char *at = text; (at = strstr(at, "http")) != NULL; at += 4) {
        if (!g_str_has_prefix(at, "http://") && !g_str_has_prefix(at, "https://")) continue;
        *len = address_len(at);
        if (*len > 10) return at;
    }
    return NULL;
}
