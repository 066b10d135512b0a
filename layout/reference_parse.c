/* One bibliography entry -> its fields.
 *
 *   [authors] [year]? [title] [In [editors],]? [venue] [volume, issue, pages, publisher, year]* [ids]
 *
 * Styles differ in what parts them: full stops, commas, quotation marks, italics, brackets. What every style shares
 * is the order above, so the entry is eaten from the left: identifiers are blanked out first, so that nothing in them
 * is taken for something else; then the authors (reference_names.c); then the title, which ends at its quotation mark,
 * where italics change, or at the first stop that ends no abbreviation (reference_title.c); then the venue, up to its
 * numbers; and the numbers are found by the few patterns in which styles write them (reference_venue.c).
 *
 * The label set is GROBID's (Lopez, "GROBID: combining automatic bibliographic data recognition ...", ECDL 2009); the
 * rules are ours, measured on the styles that come with TeX Live. */
#include "layout/reference_entry.h"
#include "layout/reference_parts.h"

#include <string.h>

#define MAX_ENTRY_BYTES 4000

/* ---- patterns ---- */

#define DASH  "(?:-|\\x{2010}|\\x{2011}|\\x{2012}|\\x{2013}|\\x{2014}|\\x{2212})+"
#define PAGE  "[A-Za-z]{0,2}\\d[\\d.]*[A-Za-z]?"
#define PAGES "(?<p>" PAGE "(?:\\s*" DASH "\\s*" PAGE ")?)"
#define RANGE "(?<p>" PAGE "\\s*" DASH "\\s*" PAGE ")"
#define YEAR  "(?:1[89]\\d|20[0-4])\\d"
#define VOL   "(?<v>[A-Z]?\\d{1,4}[A-Za-z]?)"
#define ISSUE "(?<i>[A-Z]{0,2}\\d+(?:" DASH "\\d+|/\\d+)?)"
#define MONTH "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\\p{Ll}*"
#define ID    "(?:\\d{4}\\.\\d{4,5}(?:v\\d+)?|[a-z-]+(?:\\.[A-Z]{2})?/\\d{7})"

static const char *const fixed[REFERENCE_N_FIXED] = {
    [REFERENCE_MASK_URL] = "(?:URL:?\\s*)?(?:https?://|www\\.)[^\\s\\x01]*[^\\s.,;)\\]\\x01]",
    [REFERENCE_MASK_DOI] = "(?:doi\\s*:?\\s*|https?://(?:dx\\.)?doi\\.org/\\s?)*10\\.\\d{4,9}/"
                           "[^\\s\\x01]*[^\\s.,;)\\]\\x01]",
    [REFERENCE_MASK_ARXIV] =
        "(?:(?:arXiv|ArXiv|CoRR)(?:\\.org)?(?:\\s+(?:e-?print|preprint)s?)?[\\s,:]*(?:"
        "\\(\\d{4}\\),?\\s*)?)?"
        "(?:arXiv\\s?:\\s?|ArXiv\\s?:\\s?|abs/|https?://arxiv\\.org/(?:abs|pdf)/)" ID
        "(?:\\.pdf)?(?:\\s?\\[[a-zA-Z-]+(?:\\.[a-zA-Z]{2})?\\])?",
    [REFERENCE_MASK_LABEL] =
        "\\[Online\\]\\.?|(?i:available)(?:\\s+(?:online))?(?:\\s+(?:at|from))?\\s*:?(?="
        "[\\s\\x01]*\\x01)|"
        "(?<=[\\s(])(?:doi|DOI|URL|eprint)\\s*:?(?=\\s*\\x01)",
    [REFERENCE_MASK_VISIT] =
        "[\\[(]?(?:Online[;,]\\s*)?(?:[Ll]ast\\s+)?(?:[Aa]ccess(?:ed)?|[Rr]etrieved|[Vv]isited)"
        "(?:\\s+on|\\s+date)?\\s*:?\\s*(?:\\d{4}-\\d+-\\d+|\\d{1,2}[./]\\d{1,2}[./]\\d{2,4}|"
        "\\d{1,2}(?:st|nd|rd|th)?[\\s-]+\\p{L}+\\.?,?[\\s-]+\\d{4}|\\p{L}+\\.?\\s+(?:\\d{1,2},?\\s+"
        ")?\\d{4})"
        "(?:,?\\s+from)?[)\\]]?",
    [REFERENCE_MASK_NUMBER] = "IS[BS]N:?\\s*[\\dXx\\s-]{8,18}|PMID:?\\s*\\d+|PMCID:?\\s*\\w+",
    [REFERENCE_FIND_EDITORS] = "\\A[\\s,]*[\\[(]?(?:[Ee]ditors?|[Ee]ds?)\\b\\.?[\\])]?[\\s,.:;]*",
    [REFERENCE_FIND_SHORT] =
        "\\A([^,]{2,70}),\\s*[A-Z]?\\d+\\s*,\\s*[A-Za-z]?\\d[\\w.]*\\s*(?:[,.\\x01]|\\z)",
    [REFERENCE_FIND_THESIS] =
        "(?:[Tt]hesis|THESIS|[Dd]iss(?:ertation|\\.))[)\\]]?[\\s,.:;(]*(?<s>\\p{Lu}.*?)\\s*"
        "(?:[,.(\\s]\\s*(?:" MONTH "\\.?,?\\s+)?\\(?" YEAR "|[.,\\x01]*\\s*\\z)",
    [REFERENCE_FIND_REPORT] =
        "(?:[Tt]echnical [Rr]eport|[Tt]ech(?:\\.|nical)? [Rr]ep(?:ort|\\.)?|[Rr]esearch [Rr]eport|"
        "[Ww]orking "
        "[Pp]aper)[)\\]]?[\\s,.:]*(?:[Nn]o\\.?\\s*)?(?<i>[\\w./-]*\\d[\\w/-]*)?[\\s,.:;()]*"
        "(?<s>\\p{Lu}.*?)?\\s*(?:[,.(\\s]\\s*(?:" MONTH "\\.?,?\\s+)?\\(?" YEAR
        "|[.,\\x01]*\\s*\\z)",
};

/* How volume, issue and pages are written; the first that matches fills each of them. */
static const char *const numbers[] = {
    /* vol. 12, no. 3, pp. 45-67 and its parts */
    "\\b(?i:volume|vol\\.?)\\s*" VOL "\\b",
    "\\b(?:[Nn]umber|[Nn]o\\.?|[Ii]ssue)\\s*" ISSUE,
    "\\b(?:[Pp]ages?|[Pp][Pp]?\\.?|[Ss]\\.)\\s?" PAGES "(?!\\w)",
    /* 12, 3 (2015), 45-67 */
    "(?<![\\d.])" VOL ",\\s*" ISSUE "\\s*\\((?:\\p{Lu}\\p{Ll}+\\.?\\s+)?" YEAR "\\)[\\s,:]*" PAGES
    "(?!\\w)",
    /* 12(3):45-67; 12 (3), 45-67; 2015;12(3):45-67 */
    "(?<![\\d.])" VOL "\\s?\\(" ISSUE "\\)\\s*[:,;]\\s*(?:pp?\\.?\\s*|(?i:article)\\s*)?" PAGES
    "(?!\\w)",
    /* 12 (3) (2015) 45-67; 12 (2015) 45-67; 45 (2001), pp. 5 */
    "(?<![\\d.])" VOL "\\s?(?:\\(" ISSUE "\\)\\s?)?,?\\s*\\(" YEAR
    "\\)[\\s,:]*(?:pp?\\.?\\s*)?" PAGES "(?!\\w)",
    /* 12:45-67; 12(3), 2015; 12(3) */
    "(?<![\\d.])" VOL "\\s?:\\s?" RANGE "(?!\\w)",
    "(?<![\\d.])" VOL "\\s?\\(" ISSUE "\\)(?=[\\s,.;:]|\\z)",
    "(?<![\\d.])" VOL "\\s?:\\s?" PAGES "(?!\\w)",
    /* , 12, 45 (2015); , 12, 45-67 */
    "(?<=[,.)\\w])\\s(?<v>[A-Z]?\\d{1,4}),\\s*" PAGES "(?=\\s*(?:\\(|[,.;\\x01]|\\z))",
    "(?<![\\d"
    "\\x{2013}-])" RANGE "(?![\\w"
    "\\x{2013}-])",
    "(?<![\\d"
    "\\x{2013}-])\\b(?<v>\\d{1,4}),\\s*" YEAR "\\b",
};
G_STATIC_ASSERT(G_N_ELEMENTS(numbers) == REFERENCE_N_NUMBERS);

GRegex *
reference_pattern(guint index)
{
    static GRegex *all[REFERENCE_N_FIXED + REFERENCE_N_NUMBERS];
    static gsize done = 0;
    if (g_once_init_enter(&done)) {
        for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
            g_autoptr(GError) error = NULL;
            all[i] = g_regex_new(i < REFERENCE_N_FIXED ? fixed[i] : numbers[i - REFERENCE_N_FIXED],
                                 G_REGEX_OPTIMIZE, 0, &error);
            if (all[i] == NULL) g_error("reference_parse: pattern %u: %s", i, error->message);
        }
        g_once_init_leave(&done, 1);
    }
    return all[index];
}

/* ---- small things ---- */

gboolean
reference_is_one_of(gunichar sign, const char *signs)
{
    return sign != 0 && g_utf8_strchr(signs, -1, sign) != NULL;
}

gsize
reference_skip(const reference_entry *e, gsize at, const char *signs)
{
    while (at < e->len) {
        const gunichar sign = g_utf8_get_char(e->text + at);
        if (sign != ' ' && sign != REFERENCE_MASK && !reference_is_one_of(sign, signs)) break;
        at = (gsize)(g_utf8_next_char(e->text + at) - e->text);
    }
    return at;
}

const char *
reference_copy_trimmed(const reference_entry *e, gsize from, gsize to)
{
    static const char *const quotes[] = {"“", "”", "‘", "«", "»", "„", "–", "—"};
    gboolean more = TRUE;
    while (more && from < to) {
        more = FALSE;
        if (strchr(" ,;:.\x01\"", e->text[from]) != NULL) from++, more = TRUE;
        if (from < to && strchr(" ,;:.\x01\"", e->text[to - 1]) != NULL) to--, more = TRUE;
        for (guint q = 0; q < G_N_ELEMENTS(quotes); q++) {
            const gsize n = strlen(quotes[q]);
            if (to - from > n && memcmp(e->text + from, quotes[q], n) == 0) from += n, more = TRUE;
            if (to - from > n && memcmp(e->text + to - n, quotes[q], n) == 0) to -= n, more = TRUE;
        }
    }
    /* a bracket that opens and is not closed, or the reverse */
    if (from < to && e->text[to - 1] == '(') to--;
    if (from < to && e->text[to - 1] == ')' && memchr(e->text + from, '(', to - from) == NULL) to--;
    while (to > from && strchr(" ,", e->text[to - 1]) != NULL)
        to--;
    if (from >= to) return NULL;
    GString *copy = g_string_new(NULL);
    for (gsize i = from; i < to; i++)
        if (e->text[i] != REFERENCE_MASK) g_string_append_c(copy, e->text[i]);
    const char *kept =
        copy->len > 0 ? layout_builder_copy(e->builder, copy->str, (gssize)copy->len) : NULL;
    g_string_free(copy, TRUE);
    return kept;
}

gboolean
reference_is_year(const char *at)
{
    return strspn(at, "0123456789") == 4 &&
           ((at[0] == '1' && at[1] >= '8') || (at[0] == '2' && at[1] == '0' && at[2] <= '4'));
}

gboolean
reference_next_run(const reference_entry *e, gsize from, guint8 flag, gsize *start, gsize *end)
{
    for (gsize at = from; at < e->len; at++) {
        if (!(e->style[at] & flag) || e->text[at] == REFERENCE_MASK) continue;
        gsize last = at, n = 0;
        for (gsize i = at; i < e->len && i <= last + 4 && e->text[i] != REFERENCE_MASK; i++) {
            if (e->style[i] & flag) {
                last = i;
                n += g_ascii_isalnum(e->text[i]) || (guchar)e->text[i] >= 0x80 ? 1 : 0;
            } else if (g_ascii_isalnum(e->text[i]) ||
                       (((guchar)e->text[i] & 0xC0) != 0x80 &&
                        reference_is_one_of(g_utf8_get_char(e->text + i), "“”.\""))) {
                break;
            }
        }
        *start = at;
        *end = last + 1;
        /* "et al." and "in" are set in italics, too */
        const gboolean small = g_ascii_strncasecmp(e->text + at, "in", 2) == 0 && n <= 2;
        if (n >= 3 && !small && strncmp(e->text + at, "et al", 5) != 0) return TRUE;
        at = last;
    }
    return FALSE;
}

/* ---- identifiers ---- */

static void
mask(reference_entry *e, guint which)
{
    g_autoptr(GMatchInfo) match = NULL;
    if (!g_regex_match_full(reference_pattern(which), e->text, (gssize)e->len, 0, 0, &match, NULL))
        return;
    do {
        int from, to;
        if (!g_match_info_fetch_pos(match, 0, &from, &to)) break;
        memset(e->text + from, REFERENCE_MASK, (gsize)(to - from));
        if (which == REFERENCE_MASK_ARXIV) e->preprint = TRUE;
    } while (g_match_info_next(match, NULL));
}

/* ---- year ---- */

/* "(2015a)" or "2015." right behind the authors; 0, or where it ends. */
static gsize
early_year(reference_entry *e, gsize at)
{
    at = reference_skip(e, at, ",.;([");
    if (at >= e->len || !reference_is_year(e->text + at)) return 0;
    e->out->year = layout_builder_copy(e->builder, e->text + at, 4);
    at += 4;
    if (g_ascii_islower(e->text[at]) && !g_ascii_isalpha(e->text[at + 1])) at++;
    /* "(2015, March 3)" */
    gsize close = at;
    while (close < e->len && close < at + 20 && e->text[close] != ')' && e->text[close] != '.')
        close++;
    if (e->text[at] == ',' && e->text[close] == ')') at = close;
    return reference_skip(e, at, ")].,:;");
}

static void
late_year(reference_entry *e)
{
    gboolean bracket = FALSE;
    for (gsize at = 0; at + 4 <= e->len; at++) {
        if (at >= e->title_start && at < e->title_end) continue;
        if (!reference_is_year(e->text + at) || (at > 0 && g_ascii_isalnum(e->text[at - 1])))
            continue;
        const char before = at > 0 ? e->text[at - 1] : ' ', after = e->text[at + 4];
        /* a page range or part of a number is no year */
        if (strchr("-/:.", before) != NULL || (guchar)before >= 0x80) continue;
        if (strchr("-/:", after) != NULL && after != '\0' && g_ascii_isdigit(e->text[at + 5]))
            continue;
        if (strncmp(e->text + at + 4, "–", 3) == 0 ||
            (g_ascii_isalpha(after) && g_ascii_isalpha(e->text[at + 5])))
            continue;
        const gboolean inside = at >= e->venue_start && at < e->venue_end;
        if (e->out->year != NULL && (bracket || inside)) continue;
        bracket = before == '(' && !(at > 1 && g_ascii_isalnum(e->text[at - 2])) &&
                  (after == ')' || after == ',') && !inside;
        e->out->year = layout_builder_copy(e->builder, e->text + at, 4);
    }
}

/* ---- the whole ---- */

static void
find_identifiers(layout_builder *builder, const char *text, const layout_span *spans, guint n_spans,
                 layout_reference *out)
{
    gsize len;
    const char *at = layout_find_doi(text, &len);
    if (at != NULL) out->doi = layout_builder_copy(builder, at, (gssize)len);
    at = layout_find_arxiv(text, &len);
    if (at != NULL) out->arxiv = layout_builder_copy(builder, at, (gssize)len);
    at = layout_find_url(text, &len);
    if (at != NULL) out->url = layout_builder_copy(builder, at, (gssize)len);
    /* what is printed may be shortened, or be a linked title */
    for (guint i = 0; i < n_spans; i++) {
        const char *target = spans[i].target;
        if (!(spans[i].flags & LAYOUT_SPAN_LINK) || target == NULL || target[0] == '#') continue;
        if (out->doi == NULL && (at = layout_find_doi(target, &len)) != NULL)
            out->doi = layout_builder_copy(builder, at, (gssize)len);
        if (out->arxiv == NULL && (at = layout_find_arxiv(target, &len)) != NULL)
            out->arxiv = layout_builder_copy(builder, at, (gssize)len);
        const gboolean address = g_str_has_prefix(target, "http");
        if (address &&
            (out->url == NULL || (g_str_has_prefix(target, out->url) && strlen(target) < 500)))
            out->url = layout_builder_copy(builder, target, -1);
    }
    /* the DOI says the same */
    if (out->url != NULL && out->doi != NULL && strstr(out->url, "doi.org/") != NULL)
        out->url = NULL;
}

static void
read_parts(reference_entry *e, GArray *names)
{
    layout_reference *r = e->out;
    const gsize end = layout_names_parse(e->builder, e->text, e->len, e->style, names, &r->et_al);
    if (end > 0) r->authors = layout_builder_copy(e->builder, e->text, (gssize)end);
    g_autoptr(GMatchInfo) match = NULL;
    int from, to;
    gsize at = end;
    /* a collection's editors stand for its authors */
    if (end > 0 &&
        g_regex_match_full(reference_pattern(REFERENCE_FIND_EDITORS), e->text + end,
                           (gssize)(e->len - end), 0, 0, &match, NULL) &&
        g_match_info_fetch_pos(match, 0, &from, &to))
        at = end + (gsize)to;
    const char separator = at < e->len ? e->text[at] : '\0';
    const gsize year = early_year(e, at);
    if (year > 0) at = year;
    at = reference_skip(e, at, ",.:;");
    gsize venue_end = 0;
    static const char *const labels[] = {"in ",
                                         "In ",
                                         "PhD thesis",
                                         "Ph.D. thesis",
                                         "Master’s thesis",
                                         "Master's thesis",
                                         "Technical Report"};
    gboolean label = FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(labels) && end > 0; i++)
        label |= strncmp(e->text + at, labels[i], strlen(labels[i])) == 0;
    if (label &&
        (strncmp(e->text + at, "In ", 3) != 0 || (e->style[at + 3] & LAYOUT_SPAN_ITALIC))) {
        e->title_start = e->title_end = at;
        reference_take_venue(e, at);
    } else if (end > 0 && reference_has_no_title(e, at, &venue_end)) {
        e->title_start = e->title_end = at;
        reference_set_venue(e, at, venue_end);
        at = venue_end;
    } else {
        /* "(2015), Title, Journal": the comma behind the bracket counts */
        const char sign = year > 0 && year > 2 ? e->text[year - 2] : separator;
        at = reference_take_title(e, at, sign);
        r->title = reference_copy_trimmed(e, e->title_start, e->title_end);
        reference_take_venue(e, at);
    }
    reference_take_numbers(e, MAX(at, e->venue_end > e->venue_start ? e->venue_end : at));
    if (r->year == NULL) late_year(e);
    r->kind = reference_guess_kind(e, at);
    reference_take_publisher(e, at);
}

void
layout_reference_parse(layout_builder *builder, const char *text, const layout_span *spans,
                       guint n_spans, const char *marker, layout_reference *out, GArray *names)
{
    if (marker != NULL) {
        const char *from = marker + strspn(marker, "[(");
        out->key = layout_builder_copy(builder, from, (gssize)strcspn(from, "])."));
    }
    find_identifiers(builder, text, spans, n_spans, out);
    reference_entry e = {.builder = builder, .out = out};
    e.len = strlen(text);
    if (e.len > MAX_ENTRY_BYTES) return; /* a page taken for an entry */
    e.text = g_strdup(text);
    e.style = g_new0(guint8, e.len + 1);
    for (guint i = 0; i < n_spans; i++) {
        const guint8 flags = (guint8)(spans[i].flags & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC));
        memset(e.style + spans[i].start, flags, spans[i].len);
    }
    mask(&e, REFERENCE_MASK_ARXIV);
    mask(&e, REFERENCE_MASK_DOI);
    for (guint m = 0; m < REFERENCE_N_MASKS; m++)
        mask(&e, m);
    read_parts(&e, names);
    g_free(e.text);
    g_free(e.style);
}
