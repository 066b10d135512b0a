/* One bibliography entry: its key, and what can be read off its text without doubt: DOI, arXiv id,
 * address, year; authors and title where the entry's punctuation separates them. */
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

static const char *
find_year(const char *text)
{
    const char *best = NULL;
    for (const char *at = text; *at != '\0'; at++) {
        gboolean fresh = at == text || !g_ascii_isalnum(at[-1]);
        if (!fresh || !g_ascii_isdigit(at[0]) || strspn(at, "0123456789") != 4) continue;
        if (strncmp(at, "19", 2) != 0 && strncmp(at, "20", 2) != 0) continue;
        /* a page range or an arXiv number is no year */
        if (at[4] == '.' && g_ascii_isdigit(at[5])) continue;
        if (at > text && (at[-1] == '-' || at[-1] == '/')) continue;
        gboolean bracket = at > text && at[-1] == '(';
        if (bracket) return at;
        best = at;
    }
    return best;
}

/* "A. Author and B. Author. Title of the work. Venue": the first full stop that ends neither an initial
 * nor an abbreviation closes the authors. */
static const char *
sentence_end(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '.' && *at != '?') continue;
        if (at[1] != ' ' && at[1] != '\0') continue;
        gsize word = 0;
        while (at - word > text && g_ascii_isalpha(at[-1 - (gssize)word]))
            word++;
        if (at == text || (word == 1 && g_ascii_isupper(at[-1]))) continue;
        if (word == 2 && strncmp(at - 2, "al", 2) != 0) continue;
        return at;
    }
    return NULL;
}

static void
authors_and_title(layout_builder *builder, const char *text, layout_reference *out)
{
    const char *end = sentence_end(text);
    if (end == NULL || end - text < 4 || end - text > 1500) return;
    const char *title = end + 1 + strspn(end + 1, " ");
    /* "(2020)." or "2020." between the two */
    gsize year = strspn(title, "(0123456789abc)");
    if (year >= 4 && year <= 7 && title[year] == '.')
        title += year + 1 + strspn(title + year + 1, " ");
    const char *stop = sentence_end(title);
    if (stop == NULL || stop - title < 8 || stop - title > 500) return;
    out->authors = layout_builder_copy(builder, text, end - text);
    out->title = layout_builder_copy(builder, title, stop - title);
    const char *venue = stop + 1 + strspn(stop + 1, " ");
    gsize len = strcspn(venue, ",.0123456789");
    while (len > 0 && venue[len - 1] == ' ')
        len--;
    if (len > 3 && len < 200) out->venue = layout_builder_copy(builder, venue, (gssize)len);
}

void
layout_reference_parse(layout_builder *builder, const char *text, const char *marker,
                       layout_reference *out)
{
    gsize len;
    if (marker != NULL) {
        const char *from = marker + strspn(marker, "[");
        out->key = layout_builder_copy(builder, from, (gssize)strcspn(from, "]."));
    }
    const char *at = layout_find_doi(text, &len);
    if (at != NULL) out->doi = layout_builder_copy(builder, at, (gssize)len);
    at = layout_find_arxiv(text, &len);
    if (at != NULL) out->arxiv = layout_builder_copy(builder, at, (gssize)len);
    at = strstr(text, "http");
    if (at != NULL && (g_str_has_prefix(at, "http://") || g_str_has_prefix(at, "https://")))
        out->url = layout_builder_copy(builder, at, (gssize)address_len(at));
    at = find_year(text);
    if (at != NULL) out->year = layout_builder_copy(builder, at, 4);
    authors_and_title(builder, text, out);
}
