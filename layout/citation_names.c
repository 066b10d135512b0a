/* Call-outs by name and year.
 *
 *   (Li et al., 2023a, b; see Smith and Wu, 2020)     Li et al. (2023)     [Wu, 2020]
 *
 * Every year in the text is looked at: the names to its left, as far as a semicolon or the sentence goes, must end in
 * the first author of an entry of that year, and what stands between may only be what such a call-out has there. */
#include "layout/citations.h"

#include <string.h>

#define MAX_WINDOW     110 /* bytes between a name and its year */
#define MAX_CANDIDATES 64  /* entries by people of one name */

/* Lower-case letters of the last word of a name, without accents; at most size - 1 bytes. */
static gsize
fold(const char *text, gsize len, char *out, gsize size)
{
    g_autofree char *part = g_strndup(text, len);
    g_autofree char *ascii = g_str_to_ascii(part, "C");
    gsize n = 0;
    for (const char *at = ascii; *at != '\0' && n + 1 < size; at++)
        if (g_ascii_isalpha(*at)) out[n++] = g_ascii_tolower(*at);
    out[n] = '\0';
    return n;
}

static const char *
last_word(const char *name)
{
    const char *space = strrchr(name, ' ');
    return space != NULL ? space + 1 : name;
}

static gboolean
is_year_at(const char *text, const char *at)
{
    if (strspn(at, "0123456789") != 4) return FALSE;
    if (!((at[0] == '1' && at[1] >= '6') || (at[0] == '2' && at[1] == '0'))) return FALSE;
    return at == text ||
           (!g_ascii_isalnum(at[-1]) && at[-1] != '/' && at[-1] != '.' && at[-1] != '-');
}

static char
suffix_of(const lode_document *d, const layout_reference *r)
{
    const char *text = d->blocks[r->block].text;
    if (r->year == NULL) return '\0';
    for (const char *at = text; (at = strstr(at, r->year)) != NULL; at += 4)
        if (g_ascii_islower(at[4]) && !g_ascii_isalnum(at[5])) return at[4];
    return '\0';
}

void
citation_names_learn(citation_finder *f)
{
    f->people =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    f->suffixes = g_new0(char, f->d.n_references + 1);
    for (guint i = 0; i < f->d.n_references; i++) {
        const layout_reference *r = &f->d.references[i];
        layout_document_pass(&f->d, i);
        char key[64];
        if (r->n_names == 0 || r->year == NULL) continue;
        const char *word = last_word(f->d.names[r->first_name].family);
        if (fold(word, strlen(word), key, sizeof key) < 2) continue;
        f->suffixes[i] = suffix_of(&f->d, r);
        GArray *list = g_hash_table_lookup(f->people, key);
        if (list == NULL) {
            list = g_array_new(FALSE, FALSE, sizeof(guint));
            g_hash_table_insert(f->people, g_strdup(key), list);
        }
        if (list->len < MAX_CANDIDATES) g_array_append_val(list, i);
    }
}

/* What may stand between the first author and the year: "et al.", a second name, commas, other years. */
static gboolean
is_link_text(const lode_document *d, const layout_reference *r, const char *text, gsize len)
{
    const layout_name *names = &d->names[r->first_name];
    g_autofree char *between = g_strndup(text, len);
    g_autofree char *folded = g_str_to_ascii(between, "C");
    const char *et_al = strstr(folded, "et al");
    const gboolean pair =
        et_al == NULL && (strstr(folded, " and ") != NULL || strchr(folded, '&') != NULL);
    if (et_al != NULL && r->n_names < 2 && !r->et_al) return FALSE;
    if (pair && r->n_names < 2) return FALSE;
    /* a second name must be the second author's */
    if (pair && r->n_names >= 2 && strstr(between, last_word(names[1].family)) == NULL)
        return FALSE;
    if (!pair && et_al == NULL && r->n_names > 1 && len > 3 &&
        strstr(between, last_word(names[1].family)) == NULL &&
        strpbrk(folded, "abcdefghijklmnopqrstuvwxyz") != NULL && strstr(folded, "'s") == NULL)
        return FALSE;
    guint words = 0, closed = 0;
    for (const char *at = folded; *at != '\0'; at++) {
        closed += *at == ')' || *at == ']' ? 1 : 0;
        if (!g_ascii_isalpha(*at) || (at > folded && g_ascii_isalpha(at[-1]))) continue;
        const gsize n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        /* small words are those of lists of names */
        if (g_ascii_islower(*at) && n > 3 && strncmp(at, "colleagues", 10) != 0) return FALSE;
        words++;
    }
    return closed == 0 && words <= 10;
}

/* The best entry of this year whose first author stands last in text [from, year). */
static gboolean
match(const citation_finder *f, const char *text, const char *from, const char *year, char suffix,
      const char **start, guint *reference)
{
    for (const char *end = year; end > from;) {
        /* words from right to left */
        while (end > from && !g_ascii_isalpha(end[-1]) && (guchar)end[-1] < 0x80)
            end--;
        const char *word = end;
        while (word > from && (g_ascii_isalpha(word[-1]) || (guchar)word[-1] >= 0x80 ||
                               word[-1] == '-' || word[-1] == '\''))
            word--;
        while (word < end && ((guchar)*word & 0xC0) == 0x80)
            word++;
        if (word >= end) break;
        char key[64];
        const gsize n = g_unichar_isupper(g_utf8_get_char(word))
                            ? fold(word, (gsize)(end - word), key, sizeof key)
                            : 0;
        GArray *list = n >= 2 ? g_hash_table_lookup(f->people, key) : NULL;
        if (list == NULL && n > 3 && key[n - 1] == 's') {
            /* "Li's (2023)" */
            key[n - 1] = '\0';
            list = g_hash_table_lookup(f->people, key);
        }
        int best = LAYOUT_NONE;
        for (guint i = 0; list != NULL && i < list->len; i++) {
            const guint index = g_array_index(list, guint, i);
            const layout_reference *r = &f->d.references[index];
            if (strncmp(r->year, year, 4) != 0 || (suffix != '\0' && f->suffixes[index] != suffix))
                continue;
            if (!is_link_text(&f->d, r, end, (gsize)(year - end))) continue;
            if (best < 0) best = (int)index;
        }
        if (best >= 0) {
            *reference = (guint)best;
            /* "van der Maaten": the whole of the name */
            const char *family = f->d.names[f->d.references[best].first_name].family;
            const gsize extra = (gsize)(last_word(family) - family);
            if (extra > 0 && (gsize)(word - text) >= extra &&
                strncmp(word - extra, family, extra) == 0)
                word -= extra;
            *start = word;
            return TRUE;
        }
        end = word;
    }
    return FALSE;
}

/* Where the names of a year may begin: behind a semicolon, a sentence's end, another closed bracket. */
static const char *
window_start(const char *text, const char *year)
{
    const char *from = year - MIN((gsize)(year - text), MAX_WINDOW);
    for (const char *at = year; at > from; at--) {
        const char c = at[-1];
        if (c == ';' || c == ')' || c == ']') return at;
        /* a stop, but for "al." and initials */
        if (c == '.' && *at == ' ' && at - from > 3 && strncmp(at - 3, "al.", 3) != 0 &&
            g_ascii_islower(at[-2]) && g_ascii_islower(at[-3]))
            return at;
    }
    while (from < year && ((guchar)*from & 0xC0) == 0x80)
        from++;
    return from;
}

void
citation_names_find(citation_finder *f, int block)
{
    const char *text = f->d.blocks[block].text;
    const char *named = NULL; /* the name that years in a row belong to */
    const char *behind = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (!g_ascii_isdigit(*at) || !is_year_at(text, at)) continue;
        const char suffix = g_ascii_islower(at[4]) && !g_ascii_isalnum(at[5]) ? at[4] : '\0';
        const uint32_t len = suffix != '\0' ? 5 : 4;
        const char *start = NULL, *from = window_start(text, at);
        guint reference = 0;
        /* "2019, 2020b": the same people */
        const gboolean row =
            named != NULL && at - behind <= 6 && strspn(behind, " ,;and") >= (gsize)(at - behind);
        if (match(f, text, MAX(from, behind), at, suffix, &start, &reference)) {
            named = start;
            citation_add(f, block, (uint32_t)(start - text), (uint32_t)(at - start) + len,
                         reference);
            behind = at + len;
        } else if (row && match(f, text, named, at, suffix, &start, &reference) && start == named) {
            citation_add(f, block, (uint32_t)(at - text), len, reference);
            behind = at + len;
        } else {
            named = NULL;
        }
        at += len - 1;
    }
}
