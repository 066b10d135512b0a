/* The bibliography as BibTeX.
 *
 *   @article{hopper1952education,
 *     author = {Hopper, Grace M. and others},
 *     title = {The education of a {COMPUTER}},
 *     ...
 *   }
 *
 * Text stays UTF-8, which biber and every newer style read. What TeX would take for a command is escaped; braces
 * become commands, since BibTeX counts them even behind a backslash. In titles the words that a style must not turn
 * into small letters stand in braces: those with capitals inside ("DNA", "iPhone"), and, in a title set like a
 * sentence, every capitalised word but the first ("the Navier equations"). */
#include "layout/writers.h"

#include <string.h>

/* ---- keys ---- */

/* Letters and digits of text in ASCII and small, at most `limit` of them; up to the first blank where one_word. */
static void
append_key(GString *key, const char *text, gsize limit, gboolean one_word)
{
    g_autofree char *ascii = g_str_to_ascii(text, "C");
    const gsize end = key->len + limit;
    for (const char *at = ascii; *at && key->len < end; at++) {
        if (one_word && (*at == ' ' || *at == '-')) return;
        if (g_ascii_isalnum(*at)) g_string_append_c(key, g_ascii_tolower(*at));
    }
}

/* "A", "the", "On" tell titles apart less than the word behind them does. */
static const char *
first_telling_word(const char *title)
{
    static const char *const small[] = {"a",  "an", "the", "on",  "in",   "of",
                                        "to", "is", "for", "and", "from", "towards"};
    for (const char *at = title; *at;) {
        const gsize len = strcspn(at, " -");
        gboolean skip = len == 0;
        for (guint i = 0; i < G_N_ELEMENTS(small) && !skip; i++)
            skip = strlen(small[i]) == len && g_ascii_strncasecmp(at, small[i], len) == 0;
        if (!skip) return at;
        at += len;
        at += strspn(at, " -");
    }
    return title;
}

static char *
make_key(const lode_document *d, guint index)
{
    const layout_reference *r = &d->references[index];
    GString *key = g_string_new(NULL);
    if (r->n_names > 0) append_key(key, d->names[r->first_name].family, 24, FALSE);
    if (r->year) append_key(key, r->year, 4, FALSE);
    if (r->title) append_key(key, first_telling_word(r->title), 20, TRUE);
    /* a number alone, or nothing, is no name for an entry */
    if (key->len == 0 || strspn(key->str, "0123456789") == key->len) {
        g_string_prepend(key, "ref");
        if (key->len == 3) g_string_append_printf(key, "%u", index + 1);
    }
    return g_string_free(key, FALSE);
}

char **
layout_reference_keys(const lode_document *document)
{
    g_autoptr(GHashTable) taken = g_hash_table_new(g_str_hash, g_str_equal);
    char **keys = g_new0(char *, document->n_references + 1);
    for (guint i = 0; i < document->n_references; i++) {
        g_autofree char *base = make_key(document, i);
        keys[i] = g_strdup(base);
        for (guint n = 1; g_hash_table_contains(taken, keys[i]); n++) {
            g_free(keys[i]);
            keys[i] = n < 26 ? g_strdup_printf("%s%c", base, 'a' + (int)n)
                             : g_strdup_printf("%s-%u", base, i + 1);
            if (n < 26 || !g_hash_table_contains(taken, keys[i])) continue;
            /* an earlier key looks like a numbered one */
            char *longer = g_strconcat(keys[i], "-", NULL);
            g_free(keys[i]);
            keys[i] = longer;
        }
        g_hash_table_add(taken, keys[i]);
    }
    return keys;
}

/* ---- values ---- */

static void
append_escaped(GString *out, const char *text, gsize len)
{
    for (gsize i = 0; i < len; i++) {
        const char c = text[i];
        switch (c) {
        case '\\':
            g_string_append(out, "\\textbackslash{}");
            break;
        case '{':
            g_string_append(out, "\\textbraceleft{}");
            break;
        case '}':
            g_string_append(out, "\\textbraceright{}");
            break;
        case '~':
            g_string_append(out, "\\textasciitilde{}");
            break;
        case '^':
            g_string_append(out, "\\textasciicircum{}");
            break;
        case '&':
        case '%':
        case '$':
        case '#':
        case '_':
            g_string_append_c(out, '\\');
            g_string_append_c(out, c);
            break;
        default:
            g_string_append_c(out, (guchar)c < 0x20 ? ' ' : c);
        }
    }
}

static void
open_field(GString *out, const char *name)
{
    g_string_append_printf(out, ",\n  %s = {", name);
}

static void
put_field(GString *out, const char *name, const char *text)
{
    if (!text) return;
    open_field(out, name);
    append_escaped(out, text, strlen(text));
    g_string_append_c(out, '}');
}

/* Addresses are taken as they stand by \url and by biblatex; only braces would end the field. */
static void
put_verbatim(GString *out, const char *name, const char *text)
{
    if (!text) return;
    open_field(out, name);
    for (; *text; text++) {
        if (*text == '{' || *text == '}' || *text == '\\')
            g_string_append_printf(out, "%%%02X", (guint)(guchar)*text);
        else if ((guchar)*text > ' ')
            g_string_append_c(out, *text);
    }
    g_string_append_c(out, '}');
}

/* "12-34" -> "12--34" */
static void
put_pages(GString *out, const char *pages)
{
    if (!pages) return;
    open_field(out, "pages");
    for (const char *at = pages; *at; at++) {
        append_escaped(out, at, 1);
        if (*at == '-' && at[1] != '-' && (at == pages || at[-1] != '-'))
            g_string_append_c(out, '-');
    }
    g_string_append_c(out, '}');
}

/* Braces keep a name with "and", or of an organisation, in one piece. */
static void
append_name(GString *out, const layout_name *name)
{
    const gboolean whole = !name->given && strpbrk(name->family, " ,");
    if (whole) g_string_append_c(out, '{');
    append_escaped(out, name->family, strlen(name->family));
    if (whole) g_string_append_c(out, '}');
    if (!name->given) return;
    g_string_append(out, ", ");
    append_escaped(out, name->given, strlen(name->given));
}

static void
put_authors(GString *out, const lode_document *d, const layout_reference *r)
{
    if (r->n_names == 0) {
        if (!r->authors) return;
        open_field(out, "author");
        g_string_append_c(out, '{');
        append_escaped(out, r->authors, strlen(r->authors));
        g_string_append(out, "}}");
        return;
    }
    open_field(out, "author");
    for (guint i = 0; i < r->n_names; i++) {
        if (i > 0) g_string_append(out, " and ");
        append_name(out, &d->names[r->first_name + i]);
    }
    g_string_append(out, r->et_al ? " and others}" : "}");
}

/* ---- titles ---- */

static gsize
word_len(const char *text)
{
    return strcspn(text, " ");
}

static gboolean
has_inner_capital(const char *word, gsize len)
{
    gboolean letter = FALSE;
    for (const char *at = word; at < word + len; at = g_utf8_next_char(at)) {
        const gunichar ch = g_utf8_get_char(at);
        if (letter && g_unichar_isupper(ch)) return TRUE;
        letter = g_unichar_isalpha(ch);
    }
    return FALSE;
}

static gunichar
first_letter(const char *word, gsize len)
{
    for (const char *at = word; at < word + len; at = g_utf8_next_char(at))
        if (g_unichar_isalnum(g_utf8_get_char(at))) return g_utf8_get_char(at);
    return 0;
}

/* Are most longer words set in small letters? */
static gboolean
is_sentence_case(const char *title)
{
    guint n_small = 0, n_large = 0;
    for (const char *at = title; *at; at += strspn(at, " ")) {
        const gsize len = word_len(at);
        if (len > 3) {
            n_small += g_unichar_islower(first_letter(at, len)) ? 1 : 0;
            n_large += g_unichar_isupper(first_letter(at, len)) ? 1 : 0;
        }
        at += len;
    }
    return n_small > n_large;
}

static void
put_title(GString *out, const char *title)
{
    if (!title) return;
    const gboolean sentence = is_sentence_case(title);
    gboolean fresh = TRUE; /* styles leave the first word of a title and of its subtitle alone */
    open_field(out, "title");
    for (const char *at = title; *at;) {
        const gsize len = word_len(at);
        const gboolean capital = g_unichar_isupper(first_letter(at, len));
        const gboolean braces = has_inner_capital(at, len) || (sentence && capital && !fresh) ||
                                (len == 1 && capital && !fresh);
        if (braces) g_string_append_c(out, '{');
        append_escaped(out, at, len);
        if (braces) g_string_append_c(out, '}');
        fresh = len > 0 && strchr(":.?!", at[len - 1]);
        at += len;
        for (; *at == ' '; at++)
            g_string_append_c(out, ' ');
    }
    g_string_append_c(out, '}');
}

/* ---- entries ---- */

static const char *
entry_type(layout_reference_kind kind)
{
    static const char *const types[LAYOUT_N_REFERENCE_KINDS] = {
        [LAYOUT_REFERENCE_OTHER] = "misc",
        [LAYOUT_REFERENCE_ARTICLE] = "article",
        [LAYOUT_REFERENCE_CONFERENCE] = "inproceedings",
        [LAYOUT_REFERENCE_CHAPTER] = "incollection",
        [LAYOUT_REFERENCE_BOOK] = "book",
        [LAYOUT_REFERENCE_THESIS] = "phdthesis",
        [LAYOUT_REFERENCE_MASTERS_THESIS] = "mastersthesis",
        [LAYOUT_REFERENCE_REPORT] = "techreport",
    };
    return types[kind];
}

static const char *
venue_field(layout_reference_kind kind)
{
    switch (kind) {
    case LAYOUT_REFERENCE_ARTICLE:
        return "journal";
    case LAYOUT_REFERENCE_CONFERENCE:
    case LAYOUT_REFERENCE_CHAPTER:
        return "booktitle";
    case LAYOUT_REFERENCE_BOOK:
        return "series";
    default:
        return "howpublished";
    }
}

static const char *
publisher_field(layout_reference_kind kind)
{
    switch (kind) {
    case LAYOUT_REFERENCE_THESIS:
    case LAYOUT_REFERENCE_MASTERS_THESIS:
        return "school";
    case LAYOUT_REFERENCE_REPORT:
        return "institution";
    default:
        return "publisher";
    }
}

static void
put_entry(GString *out, const lode_document *d, const layout_reference *r, const char *key)
{
    g_string_append_printf(out, "@%s{%s", entry_type(r->kind), key);
    put_authors(out, d, r);
    put_title(out, r->title);
    put_field(out, venue_field(r->kind), r->venue);
    put_field(out, publisher_field(r->kind), r->publisher);
    put_field(out, "volume", r->volume);
    put_field(out, "number", r->issue);
    put_pages(out, r->pages);
    put_field(out, "year", r->year);
    put_verbatim(out, "doi", r->doi);
    if (r->arxiv) {
        put_verbatim(out, "eprint", r->arxiv);
        put_field(out, "archiveprefix", "arXiv");
    }
    put_verbatim(out, "url", r->url);
    if (!r->title) put_field(out, "note", d->blocks[r->block].text);
    g_string_append(out, "\n}\n");
}

char *
layout_document_to_bibtex(const lode_document *document)
{
    GString *out = g_string_new(NULL);
    g_auto(GStrv) keys = layout_reference_keys(document);
    for (guint i = 0; i < document->n_references; i++) {
        if (i > 0) g_string_append_c(out, '\n');
        put_entry(out, document, &document->references[i], keys[i]);
    }
    return g_string_free(out, FALSE);
}
