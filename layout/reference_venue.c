/* What stands behind the title of a bibliography entry: the venue, the numbers of its volume, issue and pages, the
 * publisher; and the kind of work that these tell. */
#include "layout/reference_entry.h"
#include "layout/reference_parts.h"

#include <string.h>

/* ---- venue ---- */

static const char *const publishers[] = {"Press",
                                         "Springer",
                                         "Wiley",
                                         "Elsevier",
                                         "Kluwer",
                                         "North-Holland",
                                         "Addison",
                                         "McGraw",
                                         "Prentice",
                                         "Verlag",
                                         "Academic",
                                         "Pearson",
                                         "Birkh",
                                         "O’Reilly",
                                         "O'Reilly",
                                         "Routledge",
                                         "Sage",
                                         "SAGE",
                                         "Publish",
                                         "Books",
                                         "Macmillan",
                                         "Chapman",
                                         "CRC",
                                         "Dover",
                                         "Freeman",
                                         "Norton",
                                         "Penguin",
                                         "Oxford",
                                         "Cambridge",
                                         "SIAM",
                                         "Morgan",
                                         "World Scientific",
                                         "Erlbaum",
                                         "Dekker",
                                         "Benjamin",
                                         "USENIX",
                                         "IEEE",
                                         "ACM",
                                         "Association for",
                                         "AAAI",
                                         "Society",
                                         "Curran",
                                         "Citeseer",
                                         "Inc",
                                         "Ltd",
                                         "Gruyter",
                                         "PMLR",
                                         "Teubner"};

static gboolean
has_publisher(const char *text, gsize len)
{
    for (guint i = 0; i < G_N_ELEMENTS(publishers); i++)
        if (g_strstr_len(text, (gssize)len, publishers[i]) != NULL) return TRUE;
    return FALSE;
}

/* Behind "In": "S. A. Solla and T. K. Leen, editors," */
static gsize
skip_editors(reference_entry *e, gsize at)
{
    at = reference_skip(e, at, ":,");
    const gboolean by = g_ascii_strncasecmp(e->text + at, "edited by ", 10) == 0;
    if (by) at += 10;
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(layout_name));
    gboolean et_al = FALSE;
    const gsize len =
        layout_names_parse(e->builder, e->text + at, e->len - at, e->style + at, names, &et_al);
    if (len == 0) return at;
    if (by) {
        e->editors = TRUE;
        return reference_skip(e, at + len, ",.");
    }
    g_autoptr(GMatchInfo) match = NULL;
    int from, to;
    if (!g_regex_match_full(reference_pattern(REFERENCE_FIND_EDITORS), e->text + at + len,
                            (gssize)(e->len - at - len), 0, 0, &match, NULL) ||
        !g_match_info_fetch_pos(match, 0, &from, &to))
        return at;
    e->editors = TRUE;
    return at + len + (gsize)to;
}

/* Where a venue that is not set in italics ends: at a volume, a bracket, a comma, a stop. */
static gsize
plain_venue_end(const reference_entry *e, gsize from)
{
    for (gsize at = from; at < e->len; at++) {
        const char c = e->text[at];
        if (c == REFERENCE_MASK || c == ';') return at;
        if (e->style[at] & LAYOUT_SPAN_BOLD && g_ascii_isdigit(c)) return at;
        if (c == '(') {
            /* "(OSDI)" is part of the name, "(San Francisco, CA)" and "(2015)" are not */
            const gsize inner = strcspn(e->text + at + 1, " ,)");
            if (g_ascii_isdigit(e->text[at + 1]) || at == from || e->text[at + 1 + inner] != ')')
                return at;
        }
        if (c == ',' && strncmp(e->text + at, ", Ser", 5) != 0) return at;
        if (c == ':' && g_ascii_isdigit(e->text[at + 1])) return at;
        if (c == '.' && (e->text[at + 1] == ' ' || at + 1 == e->len)) {
            const gsize next = reference_skip(e, at + 1, "");
            const gboolean number = g_ascii_isdigit(e->text[next]);
            const gboolean pages =
                strncmp(e->text + next, "pp", 2) == 0 || strncmp(e->text + next, "vol", 3) == 0;
            if (next >= e->len || pages || e->text[at - 1] == ')' ||
                (number && reference_is_year(e->text + next)))
                return at;
            if (number) return at + 1;
            /* abbreviated journals are full of stops: short words with capitals */
            gsize word = at;
            while (word > from && e->text[word - 1] != ' ')
                word--;
            if (at - word > 6 && !reference_is_abbreviation(e->text + from, e->text + at))
                return at;
        }
        if (c == ' ' && g_ascii_isdigit(e->text[at + 1]) && at > from) {
            const gsize digits = strspn(e->text + at + 1, "0123456789");
            const char after = e->text[at + 1 + digits];
            const gboolean year = reference_is_year(e->text + at + 1);
            if (!g_ascii_isalpha(after) &&
                !(year && after == ' ' && g_ascii_isupper(e->text[at + 6])))
                return at;
        }
    }
    return e->len;
}

void
reference_set_venue(reference_entry *e, gsize from, gsize to)
{
    gsize end = to;
    while (end > from && strchr(" ,.(", e->text[end - 1]) != NULL)
        end--;
    gsize digits = end;
    while (digits > from && g_ascii_isdigit(e->text[digits - 1]))
        digits--;
    if (!e->in && digits < end && digits > from && e->text[digits - 1] == ' ' &&
        end - digits <= 4) {
        if (!reference_is_year(e->text + digits))
            e->out->volume =
                layout_builder_copy(e->builder, e->text + digits, (gssize)(end - digits));
        if (!reference_is_year(e->text + digits) || e->text[digits - 2] == ',') to = digits;
    }
    if (strncmp(e->text + from, "In ", 3) == 0) from += 3, e->in = TRUE;
    if (strncmp(e->text + from, "in ", 3) == 0) from += 3, e->in = TRUE;
    e->out->venue = reference_copy_trimmed(e, from, to);
    e->venue_start = from, e->venue_end = to;
    if (e->out->venue != NULL && (g_ascii_strncasecmp(e->out->venue, "arxiv", 5) == 0 ||
                                  strcmp(e->out->venue, "CoRR") == 0)) {
        e->preprint = TRUE;
        e->out->venue = NULL;
    }
}

/* Is there a volume or are there pages behind `at`? */
static gboolean
has_numbers(const reference_entry *e, gsize at)
{
    for (guint i = 0; i < REFERENCE_N_NUMBERS; i++)
        if (i != 1 && g_regex_match_full(reference_pattern(REFERENCE_N_FIXED + i), e->text,
                                         (gssize)e->len, (int)at, 0, NULL, NULL))
            return TRUE;
    return FALSE;
}

void
reference_take_venue(reference_entry *e, gsize at)
{
    gsize start, end;
    at = reference_skip(e, at, ".,;:?!’”");
    if (g_ascii_strncasecmp(e->text + at, "in ", 3) == 0 ||
        g_ascii_strncasecmp(e->text + at, "in:", 3) == 0) {
        e->in = TRUE;
        at += 3;
    }
    if (e->in || g_ascii_strncasecmp(e->text + at, "edited by", 9) == 0) at = skip_editors(e, at);
    at = reference_skip(e, at, ",:.");
    e->venue_start = e->venue_end = at;
    if (at >= e->len) return;
    if (reference_next_run(e, at, LAYOUT_SPAN_ITALIC, &start, &end) &&
        !g_ascii_isdigit(e->text[start]) && (e->in || start < at + 80)) {
        if (start > at + 12 && !e->in && has_publisher(e->text + at, start - at)) return;
        reference_set_venue(e, start, end);
        return;
    }
    if (!e->in && (e->title_italic || !has_numbers(e, at)) &&
        !(e->title_italic && has_numbers(e, at)))
        return;
    if (reference_is_year(e->text + at)) return;
    /* "Vol. 1 of Series" and editions are no venues */
    if (g_ascii_strncasecmp(e->text + at, "vol", 3) == 0 || g_ascii_isdigit(e->text[at]) ||
        e->text[at] == '(')
        return;
    end = plain_venue_end(e, at);
    if (!e->in && g_strstr_len(e->text + at, (gssize)(end - at), "hesis") != NULL) return;
    if (!e->in && g_strstr_len(e->text + at, (gssize)(end - at), "eport") != NULL) return;
    if (end > at + 1) reference_set_venue(e, at, end);
}

/* ---- numbers ---- */

static const char *
fetch(const reference_entry *e, const GMatchInfo *match, const char *name, gsize from)
{
    int start, end;
    if (!g_match_info_fetch_named_pos(match, name, &start, &end) || start < 0 || end <= start)
        return NULL;
    (void)from;
    return layout_builder_copy(e->builder, e->text + start, end - start);
}

/* "436–444", "436 - 444" -> "436-444"; "436–44" stays what it is. */
static const char *
plain_pages(const reference_entry *e, const char *pages)
{
    if (pages == NULL) return NULL;
    g_autoptr(GString) plain = g_string_new(NULL);
    for (const char *at = pages; *at != '\0'; at = g_utf8_next_char(at)) {
        const gunichar ch = g_utf8_get_char(at);
        if (ch == '-' || (ch >= 0x2010 && ch <= 0x2015) || ch == 0x2212) {
            if (plain->len == 0 || plain->str[plain->len - 1] != '-') g_string_append_c(plain, '-');
        } else if (ch != ' ') {
            g_string_append_unichar(plain, ch);
        }
    }
    while (plain->len > 0 && strchr("-.", plain->str[plain->len - 1]) != NULL)
        g_string_truncate(plain, plain->len - 1);
    return plain->len > 0 ? layout_builder_copy(e->builder, plain->str, -1) : NULL;
}

void
reference_take_numbers(reference_entry *e, gsize from)
{
    layout_reference *r = e->out;
    /* a bold number, or behind a bold year an italic one, is the volume */
    gsize start = from, end;
    for (gsize at = from; at < e->len && r->volume == NULL; at++) {
        if (!(e->style[at] & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC)) ||
            !g_ascii_isdigit(e->text[at]))
            continue;
        if (at >= e->venue_start && at < e->venue_end) continue;
        if (at > 0 && (g_ascii_isalnum(e->text[at - 1]) || e->text[at - 1] == '-')) continue;
        start = at, end = at;
        while (end < e->len && g_ascii_isalnum(e->text[end]))
            end++;
        if (reference_is_year(e->text + start) && end - start == 4) {
            r->year =
                r->year != NULL ? r->year : layout_builder_copy(e->builder, e->text + start, 4);
        } else if (end - start <= 5) {
            r->volume = layout_builder_copy(e->builder, e->text + start, (gssize)(end - start));
        }
        at = end;
    }
    for (guint i = 0; i < REFERENCE_N_NUMBERS; i++) {
        g_autoptr(GMatchInfo) match = NULL;
        if (!g_regex_match_full(reference_pattern(REFERENCE_N_FIXED + i), e->text, (gssize)e->len,
                                (int)MIN(from, e->len), 0, &match, NULL))
            continue;
        const char *volume = fetch(e, match, "v", from), *issue = fetch(e, match, "i", from);
        const char *pages = plain_pages(e, fetch(e, match, "p", from));
        if (volume != NULL && strlen(volume) == 4 && reference_is_year(volume)) volume = NULL;
        /* a volume found otherwise must be the one of this pattern, or its numbers are of something else */
        if (volume != NULL && r->volume != NULL && strcmp(volume, r->volume) != 0 &&
            r->pages != NULL)
            continue;
        if (issue != NULL && strlen(issue) == 4 && reference_is_year(issue) && i != 1) issue = NULL;
        if (pages != NULL && strlen(pages) == 4 && reference_is_year(pages) && i != 2) pages = NULL;
        /* "pp. 130-138, 2018" */
        if (i + 1 == REFERENCE_N_NUMBERS && r->pages != NULL) volume = NULL;
        if (r->volume == NULL) r->volume = volume;
        if (r->issue == NULL) r->issue = issue;
        if (r->pages == NULL) r->pages = pages;
    }
    if (r->pages != NULL || r->volume == NULL) return;
    /* "**521**, 436 (2015)", "*521*, 436" */
    const char *at = e->text + MAX(from, e->venue_end);
    at = strstr(at, r->volume);
    if (at == NULL) return;
    at += strlen(r->volume);
    at += strspn(at, " ,:");
    gsize n = 0;
    while (g_ascii_isalnum(at[n]) || at[n] == '.')
        n++;
    while (n > 0 && at[n - 1] == '.')
        n--;
    if (n > 0 && n < 12 && strcspn(at, "0123456789") < n && !(n == 4 && reference_is_year(at)))
        r->pages = layout_builder_copy(e->builder, at, (gssize)n);
}

/* ---- kind and publisher ---- */

static gboolean
contains(const char *text, const char *const *words, guint n)
{
    if (text == NULL) return FALSE;
    g_autofree char *lower = g_ascii_strdown(text, -1);
    for (guint i = 0; i < n; i++)
        if (strstr(lower, words[i]) != NULL) return TRUE;
    return FALSE;
}

/* The whole of a venue in capitals: "ICML", "NIPS 2016" */
static gboolean
is_acronym(const char *venue)
{
    guint upper = 0;
    for (const char *at = venue; *at != '\0'; at++) {
        if (g_ascii_islower(*at)) return FALSE;
        upper += g_ascii_isupper(*at) ? 1 : 0;
    }
    return upper >= 3;
}

layout_reference_kind
reference_guess_kind(const reference_entry *e, gsize from)
{
    static const char *const doctor[] = {
        "phd thesis",    "ph.d. diss",  "ph.d. thesis", "ph.d. dissertation", "phd dissertation",
        "ph. d. thesis", "ph.d thesis", "doctoral",     "dissertation",       "dissertation"};
    static const char *const master[] = {"master’s thesis", "master's thesis", "masters thesis",
                                         "master thesis",   "m.sc. thesis",    "m.s. thesis",
                                         "bachelor",        "diploma thesis",  "master"};
    static const char *const report[] = {"technical report", "tech. rep",     "tech rep",
                                         "research report",  "working paper", "white paper",
                                         "tech. report"};
    static const char *const meeting[] = {
        "proceedings", "proc.",          "conference",   "conf.",
        "symposium",   "symp.",          "workshop",     "advances in neural",
        "congress",    "annual meeting", "advances in ", "international joint"};
    static const char *const journal[] = {
        "national academy", "royal society",           "r. soc",  "natl. acad",
        "natl acad",        "proceedings of the ieee", "journal", "transactions"};
    const layout_reference *r = e->out;
    const char *rest = e->text + MIN(from, e->len);
    const gboolean thesis = strstr(rest, "hesis") != NULL || strstr(rest, "issertation") != NULL;
    if (thesis && contains(rest, master, G_N_ELEMENTS(master)))
        return LAYOUT_REFERENCE_MASTERS_THESIS;
    if (contains(rest, doctor, G_N_ELEMENTS(doctor))) return LAYOUT_REFERENCE_THESIS;
    if (contains(rest, report, G_N_ELEMENTS(report)) && !e->in) return LAYOUT_REFERENCE_REPORT;
    if (r->venue != NULL) {
        const gboolean meets = contains(r->venue, meeting, G_N_ELEMENTS(meeting)) &&
                               (e->in || !contains(r->venue, journal, G_N_ELEMENTS(journal)));
        if (meets && (e->in || r->volume == NULL || contains(r->venue, meeting + 6, 3)))
            return LAYOUT_REFERENCE_CONFERENCE;
        if (e->in && !e->editors) {
            if (is_acronym(r->venue)) return LAYOUT_REFERENCE_CONFERENCE;
            return has_publisher(rest, strlen(rest)) && r->volume == NULL
                       ? LAYOUT_REFERENCE_CHAPTER
                       : LAYOUT_REFERENCE_CONFERENCE;
        }
        if (e->in) return LAYOUT_REFERENCE_CHAPTER;
        return LAYOUT_REFERENCE_ARTICLE;
    }
    if (e->preprint || r->arxiv != NULL) return LAYOUT_REFERENCE_OTHER;
    if (r->title != NULL && has_publisher(rest, strlen(rest))) return LAYOUT_REFERENCE_BOOK;
    if (r->title != NULL && e->title_italic && r->url == NULL && r->doi == NULL)
        return LAYOUT_REFERENCE_BOOK;
    return LAYOUT_REFERENCE_OTHER;
}

/* The stretch between separators behind `from` that names a publisher. */
static void
find_publisher(reference_entry *e, gsize from)
{
    for (gsize at = from; at < e->len;) {
        at = reference_skip(e, at, ",.:;()");
        gsize end = at;
        while (end < e->len && strchr(",.:;()\x01", e->text[end]) == NULL)
            end++;
        if (end < e->len && e->text[end] == '.' &&
            strncmp(e->text + end - MIN(end, 3), "Inc", 3) == 0)
            end++;
        const gboolean inside = at >= e->venue_start && at < e->venue_end;
        if (!inside && end > at && has_publisher(e->text + at, end - at)) {
            e->out->publisher = reference_copy_trimmed(e, at, end);
            return;
        }
        at = MAX(end, at + 1);
    }
}

void
reference_take_publisher(reference_entry *e, gsize from)
{
    const layout_reference_kind kind = e->out->kind;
    const gboolean thesis =
        kind == LAYOUT_REFERENCE_THESIS || kind == LAYOUT_REFERENCE_MASTERS_THESIS;
    if (!thesis && kind != LAYOUT_REFERENCE_REPORT) {
        if (kind != LAYOUT_REFERENCE_ARTICLE && kind != LAYOUT_REFERENCE_OTHER)
            find_publisher(e, from);
        return;
    }
    g_autoptr(GMatchInfo) match = NULL;
    int start, end;
    e->out->venue = NULL;
    if (!g_regex_match_full(
            reference_pattern(thesis ? REFERENCE_FIND_THESIS : REFERENCE_FIND_REPORT), e->text,
            (gssize)e->len, (int)MIN(from, e->len), 0, &match, NULL))
        return;
    if (g_match_info_fetch_named_pos(match, "s", &start, &end) && start >= 0)
        e->out->publisher = reference_copy_trimmed(e, (gsize)start, (gsize)end);
    if (thesis) {
        e->out->volume = e->out->issue = e->out->pages = NULL;
    } else if (g_match_info_fetch_named_pos(match, "i", &start, &end) && start >= 0) {
        e->out->issue = reference_copy_trimmed(e, (gsize)start, (gsize)end);
        e->out->volume = NULL;
    }
}
