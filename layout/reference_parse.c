/* One bibliography entry -> its fields.
 *
 *   [authors] [year]? [title] [In [editors],]? [venue] [volume, issue, pages, publisher, year]* [ids]
 *
 * Styles differ in what parts them: full stops, commas, quotation marks, italics, brackets. What every style shares
 * is the order above, so the entry is eaten from the left: identifiers are blanked out first, so that nothing in them
 * is taken for something else; then the authors (reference_names.c); then the title, which ends at its quotation mark,
 * where italics change, or at the first stop that ends no abbreviation; then the venue, up to its numbers; and the
 * numbers are found by the few patterns in which styles write them.
 *
 * The label set is GROBID's (Lopez, "GROBID: combining automatic bibliographic data recognition ...", ECDL 2009); the
 * rules are ours, measured on the styles that come with TeX Live. */
#include "layout/reference_parts.h"

#include <string.h>

#define MAX_ENTRY_BYTES 4000
#define MASK            '\x01'

typedef struct {
    layout_builder *builder;
    char *text; /* with identifiers and their labels overwritten by MASK */
    gsize len;
    guint8 *style; /* layout_span_flags of each byte */
    layout_reference *out;
    gsize title_start, title_end;
    gboolean title_italic;
    gboolean in;       /* "In" stood before the venue */
    gboolean editors;  /* and editors behind it */
    gboolean preprint; /* an arXiv id stands for the venue */
    gsize venue_start, venue_end;
} entry;

/* ---- patterns ---- */

enum {
    MASK_URL,
    MASK_DOI,
    MASK_ARXIV,
    MASK_LABEL,
    MASK_VISIT,
    MASK_NUMBER,
    N_MASKS,
    FIND_EDITORS = N_MASKS,
    FIND_SHORT, /* no title: "Nature, 521, 436" */
    FIND_THESIS,
    FIND_REPORT,
    N_FIXED
};

#define DASH  "(?:-|\\x{2010}|\\x{2011}|\\x{2012}|\\x{2013}|\\x{2014}|\\x{2212})+"
#define PAGE  "[A-Za-z]{0,2}\\d[\\d.]*[A-Za-z]?"
#define PAGES "(?<p>" PAGE "(?:\\s*" DASH "\\s*" PAGE ")?)"
#define RANGE "(?<p>" PAGE "\\s*" DASH "\\s*" PAGE ")"
#define YEAR  "(?:1[89]\\d|20[0-4])\\d"
#define VOL   "(?<v>[A-Z]?\\d{1,4}[A-Za-z]?)"
#define ISSUE "(?<i>[A-Z]{0,2}\\d+(?:" DASH "\\d+|/\\d+)?)"
#define MONTH "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\\p{Ll}*"
#define ID    "(?:\\d{4}\\.\\d{4,5}(?:v\\d+)?|[a-z-]+(?:\\.[A-Z]{2})?/\\d{7})"

static const char *const fixed[N_FIXED] = {
    [MASK_URL] = "(?:URL:?\\s*)?(?:https?://|www\\.)[^\\s\\x01]*[^\\s.,;)\\]\\x01]",
    [MASK_DOI] = "(?:doi\\s*:?\\s*|https?://(?:dx\\.)?doi\\.org/\\s?)*10\\.\\d{4,9}/"
                 "[^\\s\\x01]*[^\\s.,;)\\]\\x01]",
    [MASK_ARXIV] = "(?:(?:arXiv|ArXiv|CoRR)(?:\\.org)?(?:\\s+(?:e-?print|preprint)s?)?[\\s,:]*(?:"
                   "\\(\\d{4}\\),?\\s*)?)?"
                   "(?:arXiv\\s?:\\s?|ArXiv\\s?:\\s?|abs/|https?://arxiv\\.org/(?:abs|pdf)/)" ID
                   "(?:\\.pdf)?(?:\\s?\\[[a-zA-Z-]+(?:\\.[a-zA-Z]{2})?\\])?",
    [MASK_LABEL] = "\\[Online\\]\\.?|(?i:available)(?:\\s+(?:online))?(?:\\s+(?:at|from))?\\s*:?(?="
                   "[\\s\\x01]*\\x01)|"
                   "(?<=[\\s(])(?:doi|DOI|URL|eprint)\\s*:?(?=\\s*\\x01)",
    [MASK_VISIT] =
        "[\\[(]?(?:Online[;,]\\s*)?(?:[Ll]ast\\s+)?(?:[Aa]ccess(?:ed)?|[Rr]etrieved|[Vv]isited)"
        "(?:\\s+on|\\s+date)?\\s*:?\\s*(?:\\d{4}-\\d+-\\d+|\\d{1,2}[./]\\d{1,2}[./]\\d{2,4}|"
        "\\d{1,2}(?:st|nd|rd|th)?[\\s-]+\\p{L}+\\.?,?[\\s-]+\\d{4}|\\p{L}+\\.?\\s+(?:\\d{1,2},?\\s+"
        ")?\\d{4})"
        "(?:,?\\s+from)?[)\\]]?",
    [MASK_NUMBER] = "IS[BS]N:?\\s*[\\dXx\\s-]{8,18}|PMID:?\\s*\\d+|PMCID:?\\s*\\w+",
    [FIND_EDITORS] = "\\A[\\s,]*[\\[(]?(?:[Ee]ditors?|[Ee]ds?)\\b\\.?[\\])]?[\\s,.:;]*",
    [FIND_SHORT] =
        "\\A([^,]{2,70}),\\s*[A-Z]?\\d+\\s*,\\s*[A-Za-z]?\\d[\\w.]*\\s*(?:[,.\\x01]|\\z)",
    [FIND_THESIS] =
        "(?:[Tt]hesis|THESIS|[Dd]iss(?:ertation|\\.))[)\\]]?[\\s,.:;(]*(?<s>\\p{Lu}.*?)\\s*"
        "(?:[,.(\\s]\\s*(?:" MONTH "\\.?,?\\s+)?\\(?" YEAR "|[.,\\x01]*\\s*\\z)",
    [FIND_REPORT] =
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

static GRegex *
pattern(guint index)
{
    static GRegex *all[N_FIXED + G_N_ELEMENTS(numbers)];
    static gsize done = 0;
    if (g_once_init_enter(&done)) {
        for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
            g_autoptr(GError) error = NULL;
            all[i] = g_regex_new(i < N_FIXED ? fixed[i] : numbers[i - N_FIXED], G_REGEX_OPTIMIZE, 0,
                                 &error);
            if (all[i] == NULL) g_error("reference_parse: pattern %u: %s", i, error->message);
        }
        g_once_init_leave(&done, 1);
    }
    return all[index];
}

/* ---- small things ---- */

static gsize
skip(const entry *e, gsize at, const char *signs)
{
    while (at < e->len && (e->text[at] == ' ' || e->text[at] == MASK ||
                           (e->text[at] != '\0' && strchr(signs, e->text[at]) != NULL)))
        at++;
    return at;
}

/* text[from, to) without what is not part of a title or name at its ends; NULL where nothing is left. */
static const char *
copy_trimmed(const entry *e, gsize from, gsize to)
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
        if (e->text[i] != MASK) g_string_append_c(copy, e->text[i]);
    const char *kept =
        copy->len > 0 ? layout_builder_copy(e->builder, copy->str, (gssize)copy->len) : NULL;
    g_string_free(copy, TRUE);
    return kept;
}

static gboolean
is_year(const char *at)
{
    return strspn(at, "0123456789") == 4 &&
           ((at[0] == '1' && at[1] >= '8') || (at[0] == '2' && at[1] == '0' && at[2] <= '4'));
}

/* A stretch of italics (or bold) with at least three letters or digits, from `from` on; short gaps of other signs
 * do not end it. */
static gboolean
next_run(const entry *e, gsize from, guint8 flag, gsize *start, gsize *end)
{
    for (gsize at = from; at < e->len; at++) {
        if (!(e->style[at] & flag) || e->text[at] == MASK) continue;
        gsize last = at, n = 0;
        for (gsize i = at; i < e->len && i <= last + 4 && e->text[i] != MASK; i++) {
            if (e->style[i] & flag) {
                last = i;
                n += g_ascii_isalnum(e->text[i]) || (guchar)e->text[i] >= 0x80 ? 1 : 0;
            } else if (g_ascii_isalnum(e->text[i]) || strchr("“”.\"", e->text[i]) != NULL) {
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
mask(entry *e, guint which)
{
    g_autoptr(GMatchInfo) match = NULL;
    if (!g_regex_match_full(pattern(which), e->text, (gssize)e->len, 0, 0, &match, NULL)) return;
    do {
        int from, to;
        if (!g_match_info_fetch_pos(match, 0, &from, &to)) break;
        memset(e->text + from, MASK, (gsize)(to - from));
        if (which == MASK_ARXIV) e->preprint = TRUE;
    } while (g_match_info_next(match, NULL));
}

/* ---- year ---- */

/* "(2015a)" or "2015." right behind the authors; 0, or where it ends. */
static gsize
early_year(entry *e, gsize at)
{
    at = skip(e, at, ",.;([");
    if (at >= e->len || !is_year(e->text + at)) return 0;
    e->out->year = layout_builder_copy(e->builder, e->text + at, 4);
    at += 4;
    if (g_ascii_islower(e->text[at]) && !g_ascii_isalpha(e->text[at + 1])) at++;
    /* "(2015, March 3)" */
    gsize close = at;
    while (close < e->len && close < at + 20 && e->text[close] != ')' && e->text[close] != '.')
        close++;
    if (e->text[at] == ',' && e->text[close] == ')') at = close;
    return skip(e, at, ")].,:;");
}

static void
late_year(entry *e)
{
    gboolean bracket = FALSE;
    for (gsize at = 0; at + 4 <= e->len; at++) {
        if (at >= e->title_start && at < e->title_end) continue;
        if (!is_year(e->text + at) || (at > 0 && g_ascii_isalnum(e->text[at - 1]))) continue;
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

/* ---- title ---- */

static gboolean
is_abbreviation(const char *text, const char *stop)
{
    static const char *const list[] = {
        "vs",   "al",  "cf",  "etc",  "Dr",     "St",   "Mr",     "No",    "Vol",  "vol",
        "Eds",  "eds", "ed",  "Ed",   "Proc",   "proc", "Int",    "Conf",  "Symp", "Univ",
        "Dept", "e.g", "i.e", "Inc",  "Jr",     "Sr",   "approx", "Trans", "Lett", "Rev",
        "Phys", "Soc", "Am",  "Math", "Comput", "Sci",  "Ann",    "Acad",  "Natl"};
    const char *from = stop;
    while (from > text && from[-1] != ' ' && from[-1] != '(')
        from--;
    const gsize n = (gsize)(stop - from);
    if (n == 1 && g_ascii_isupper(*from)) return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(list); i++)
        if (strlen(list[i]) == n && memcmp(list[i], from, n) == 0) return TRUE;
    /* "U.S." */
    return n > 2 && g_ascii_isupper(stop[-1]) && stop[-2] == '.';
}

/* The first stop in [from, to) that ends a sentence, or to. Behind a question mark the title may go on. */
static gsize
sentence_end(const entry *e, gsize from, gsize to)
{
    gsize question = to;
    for (gsize at = from; at < to; at++) {
        const char c = e->text[at];
        if (c == MASK && at > from + 3) return MIN(at, question);
        if (c != '.' && c != '?' && c != '!') continue;
        const gsize next = skip(e, at + 1, "");
        if (next == at + 1 && next < to) continue;
        if (c == '.') {
            if (is_abbreviation(e->text + from, e->text + at) && next < to) continue;
            return MIN(at, question == to || at < question + 120 ? at : question);
        }
        if (next >= to || strncmp(e->text + next, "In ", 3) == 0 ||
            strncmp(e->text + next, "In:", 3) == 0 || e->text[next - 1] == MASK ||
            strncmp(e->text + next, "arXiv", 5) == 0)
            return at + 1;
        if (question == to) question = at + 1;
    }
    return question;
}

/* The quotation mark that closes the one at `at`: where it stands; 0 where none opens there. */
static gsize
quoted_end(const entry *e, gsize at, gsize *inner, gsize *behind)
{
    static const struct {
        const char *open, *close;
    } marks[] = {{"“", "”"}, {"\"", "\""}, {"„", "“"}, {"``", "''"},
                 {"«", "»"}, {"‘", "’"},   {"”", "”"}};
    for (guint m = 0; m < G_N_ELEMENTS(marks); m++) {
        const gsize n = strlen(marks[m].open), n_close = strlen(marks[m].close);
        if (strncmp(e->text + at, marks[m].open, n) != 0) continue;
        *inner = at + n;
        guint depth = 1;
        for (gsize i = *inner; i < e->len; i++) {
            if (n == 3 && m == 0 && strncmp(e->text + i, marks[m].open, n) == 0) depth++;
            if (strncmp(e->text + i, marks[m].close, n_close) != 0) continue;
            *behind = i + n_close;
            /* an apostrophe is no closing mark */
            if (m == 5 && g_ascii_isalnum(e->text[*behind])) continue;
            if (--depth == 0) return i;
        }
    }
    return 0;
}

/* ". In ", ", in: ": where the mark before it stands; 0 where there is none in [from, to). */
static gsize
find_in(const entry *e, gsize from, gsize to, gsize *behind)
{
    for (gsize at = from + 1; at + 3 < e->len && at < to; at++) {
        if (e->text[at] != ' ' || strchr(".,?!;”)’\"", e->text[at - 1]) == NULL) continue;
        const char *word = e->text + at + 1;
        const gboolean upper = strncmp(word, "In", 2) == 0, lower = strncmp(word, "in", 2) == 0;
        if (!upper && !lower) continue;
        if (word[2] != ':' && word[2] != ' ') continue;
        if (lower && word[2] == ' ' && e->text[at - 1] != ',') continue;
        if (word[2] == ' ' && !g_unichar_isupper(g_utf8_get_char(word + 3)) &&
            !g_ascii_isdigit(word[3]) && word[3] != '(')
            continue;
        *behind = at + 3;
        return at;
    }
    return 0;
}

/* Where the number of a volume begins, for entries whose parts are separated by commas alone; to where none. */
static gsize
find_volume(const entry *e, gsize from, gsize to)
{
    gsize start, end;
    if (next_run(e, from, LAYOUT_SPAN_BOLD, &start, &end) && g_ascii_isdigit(e->text[start]))
        return start;
    for (gsize at = from; at < to; at++) {
        if (e->style[at] & LAYOUT_SPAN_BOLD && g_ascii_isdigit(e->text[at])) return at;
        if (e->text[at] != ' ' || !g_ascii_isdigit(e->text[at + 1]) || is_year(e->text + at + 1))
            continue;
        const char *number = e->text + at + 1;
        const gsize digits = strspn(number, "0123456789");
        gsize next = digits + strspn(number + digits, " ");
        if (digits > 4 || g_ascii_isalpha(number[digits])) continue;
        if (number[next] == '(' || (number[digits] == ',' && g_ascii_isdigit(number[digits + 2])))
            return at + 1;
    }
    return to;
}

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

static gsize
find_comma(const entry *e, gsize from, gsize to)
{
    for (gsize at = from; at < to; at++)
        if (e->text[at] == ',' && e->text[at + 1] == ' ') return at;
    return to;
}

/* Parts separated by commas, no italics: the title ends before the journal, which ends before its volume. */
static gsize
comma_title_end(const entry *e, gsize from)
{
    const gsize volume = find_volume(e, from, e->len);
    if (volume < e->len) {
        gsize last = 0;
        for (gsize at = from; (at = find_comma(e, at, volume)) < volume; at++)
            last = at > from ? at : last;
        /* "Proc. R. Soc. London, Ser. A 25" */
        if (last > 0 && (strncmp(e->text + last + 2, "Ser", 3) == 0 ||
                         strncmp(e->text + last + 2, "Part", 4) == 0)) {
            for (gsize at = from, stop = last; (at = find_comma(e, at, stop)) < stop; at++)
                last = at;
        }
        if (last > from && volume - last < 120) return last;
    }
    gsize end = find_comma(e, from, e->len);
    const gsize stop = sentence_end(e, from, e->len);
    for (gsize at = from; at < e->len; at++) {
        if (e->text[at] == MASK || (e->text[at] == '(' && at > from))
            return MIN(MAX(end, from), MIN(at, stop));
        if (at == end) break;
    }
    /* a comma in the title: words of a title are small, a publisher's or a school's are not */
    while (end < stop && end < e->len) {
        const gsize next = skip(e, end + 1, "");
        if (!g_ascii_islower(e->text[next])) break;
        end = find_comma(e, end + 1, e->len);
    }
    return MIN(end, stop);
}

/* Sets the title; returns where the rest begins. */
static gsize
take_title(entry *e, gsize from, char separator)
{
    gsize start = 0, end = 0, inner, behind = 0;
    gsize at = skip(e, from, ",.:;");
    e->title_start = e->title_end = at;
    if (at >= e->len) return at;
    const gsize close = quoted_end(e, at, &inner, &behind);
    if (close > 0) {
        e->title_start = inner, e->title_end = close;
        return behind;
    }
    gboolean italics = next_run(e, at, LAYOUT_SPAN_ITALIC, &start, &end);
    /* a title in italics goes on behind a symbol that is set otherwise */
    for (gsize next, next_end; italics && start <= at + 2 && e->text[end] == ' ' &&
                               next_run(e, end, LAYOUT_SPAN_ITALIC, &next, &next_end) &&
                               next < end + 12;) {
        gboolean stop = FALSE;
        for (gsize i = end; i < next; i++)
            stop |= strchr(",.;:(", e->text[i]) != NULL;
        if (stop) break;
        end = next_end;
    }
    if (italics && start <= at + 2) {
        e->title_end = end;
        e->title_italic = TRUE;
        if (strchr("?!", e->text[end]) != NULL && e->text[end] != '\0') e->title_end++;
        return e->title_end;
    }
    const gsize in = find_in(e, at, italics ? start : e->len, &behind);
    if (in > 0 && in > at + 4) {
        e->title_end = in;
        e->in = TRUE;
        /* "Title. Technical note. In ..." is rare; a stop inside a title before "In" is rarer still */
        const gsize stop = separator == ',' ? in : sentence_end(e, at, in);
        if (stop + 40 < in) e->title_end = stop;
        return behind;
    }
    if (italics) {
        /* the venue's italics end the title, if a stop stands before them; or else a stop does */
        gsize before = start;
        while (before > at && e->text[before - 1] == ' ')
            before--;
        const char sign = e->text[before - 1];
        const gsize stop = sentence_end(e, at, before);
        if (strchr(".,?!", sign) != NULL &&
            (stop + 1 >= before || before - at < 160 || separator == ',')) {
            e->title_end = sign == '?' || sign == '!' ? before : before - 1;
            if (stop < before && stop + 60 < before && separator != ',') e->title_end = stop;
            return e->title_end;
        }
        e->title_end = stop;
        return stop;
    }
    e->title_end = separator == ',' ? comma_title_end(e, at) : sentence_end(e, at, e->len);
    return e->title_end;
}

/* "Nature 521, 436 (2015)" right behind the authors: there is no title. */
static gboolean
has_no_title(const entry *e, gsize at, gsize *venue_end)
{
    gsize inner, behind;
    if (quoted_end(e, at, &inner, &behind) > 0) return FALSE;
    const gsize comma = find_comma(e, at, e->len);
    for (gsize bold = at; bold < MIN(comma, at + 80); bold++) {
        if (!(e->style[bold] & LAYOUT_SPAN_BOLD) || !g_ascii_isdigit(e->text[bold])) continue;
        if (is_year(e->text + bold) || bold == at) break;
        for (gsize i = at; i < bold; i++)
            if (strchr(".?!", e->text[i]) != NULL && e->text[i + 1] == ' ' && i - at > 12)
                return FALSE;
        *venue_end = bold;
        return TRUE;
    }
    g_autoptr(GMatchInfo) match = NULL;
    int from, to;
    if (!g_regex_match_full(pattern(FIND_SHORT), e->text + at, (gssize)(e->len - at), 0, 0, &match,
                            NULL) ||
        !g_match_info_fetch_pos(match, 1, &from, &to))
        return FALSE;
    *venue_end = at + (gsize)to;
    return TRUE;
}

/* ---- venue ---- */

/* Behind "In": "S. A. Solla and T. K. Leen, editors," */
static gsize
skip_editors(entry *e, gsize at)
{
    at = skip(e, at, ":,");
    const gboolean by = g_ascii_strncasecmp(e->text + at, "edited by ", 10) == 0;
    if (by) at += 10;
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(layout_name));
    gboolean et_al = FALSE;
    const gsize len =
        layout_names_parse(e->builder, e->text + at, e->len - at, e->style + at, names, &et_al);
    if (len == 0) return at;
    if (by) {
        e->editors = TRUE;
        return skip(e, at + len, ",.");
    }
    g_autoptr(GMatchInfo) match = NULL;
    int from, to;
    if (!g_regex_match_full(pattern(FIND_EDITORS), e->text + at + len, (gssize)(e->len - at - len),
                            0, 0, &match, NULL) ||
        !g_match_info_fetch_pos(match, 0, &from, &to))
        return at;
    e->editors = TRUE;
    return at + len + (gsize)to;
}

/* Where a venue that is not set in italics ends: at a volume, a bracket, a comma, a stop. */
static gsize
plain_venue_end(const entry *e, gsize from)
{
    for (gsize at = from; at < e->len; at++) {
        const char c = e->text[at];
        if (c == MASK || c == ';') return at;
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
            const gsize next = skip(e, at + 1, "");
            const gboolean number = g_ascii_isdigit(e->text[next]);
            const gboolean pages =
                strncmp(e->text + next, "pp", 2) == 0 || strncmp(e->text + next, "vol", 3) == 0;
            if (next >= e->len || pages || e->text[at - 1] == ')' ||
                (number && is_year(e->text + next)))
                return at;
            if (number) return at + 1;
            /* abbreviated journals are full of stops: short words with capitals */
            gsize word = at;
            while (word > from && e->text[word - 1] != ' ')
                word--;
            if (at - word > 6 && !is_abbreviation(e->text + from, e->text + at)) return at;
        }
        if (c == ' ' && g_ascii_isdigit(e->text[at + 1]) && at > from) {
            const gsize digits = strspn(e->text + at + 1, "0123456789");
            const char after = e->text[at + 1 + digits];
            const gboolean year = is_year(e->text + at + 1);
            if (!g_ascii_isalpha(after) &&
                !(year && after == ' ' && g_ascii_isupper(e->text[at + 6])))
                return at;
        }
    }
    return e->len;
}

/* "Nature, 521" -> "Nature" and the volume; also a year in front or behind. */
static void
set_venue(entry *e, gsize from, gsize to)
{
    gsize end = to;
    while (end > from && strchr(" ,.(", e->text[end - 1]) != NULL)
        end--;
    gsize digits = end;
    while (digits > from && g_ascii_isdigit(e->text[digits - 1]))
        digits--;
    if (!e->in && digits < end && digits > from && e->text[digits - 1] == ' ' &&
        end - digits <= 4) {
        if (!is_year(e->text + digits))
            e->out->volume =
                layout_builder_copy(e->builder, e->text + digits, (gssize)(end - digits));
        if (!is_year(e->text + digits) || e->text[digits - 2] == ',') to = digits;
    }
    if (strncmp(e->text + from, "In ", 3) == 0) from += 3, e->in = TRUE;
    if (strncmp(e->text + from, "in ", 3) == 0) from += 3, e->in = TRUE;
    e->out->venue = copy_trimmed(e, from, to);
    e->venue_start = from, e->venue_end = to;
    if (e->out->venue != NULL && (g_ascii_strncasecmp(e->out->venue, "arxiv", 5) == 0 ||
                                  strcmp(e->out->venue, "CoRR") == 0)) {
        e->preprint = TRUE;
        e->out->venue = NULL;
    }
}

/* Is there a volume or are there pages behind `at`? */
static gboolean
has_numbers(const entry *e, gsize at)
{
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (i != 1 && g_regex_match_full(pattern(N_FIXED + i), e->text, (gssize)e->len, (int)at, 0,
                                         NULL, NULL))
            return TRUE;
    return FALSE;
}

static void
take_venue(entry *e, gsize at)
{
    gsize start, end;
    at = skip(e, at, ".,;:?!’”");
    if (g_ascii_strncasecmp(e->text + at, "in ", 3) == 0 ||
        g_ascii_strncasecmp(e->text + at, "in:", 3) == 0) {
        e->in = TRUE;
        at += 3;
    }
    if (e->in || g_ascii_strncasecmp(e->text + at, "edited by", 9) == 0) at = skip_editors(e, at);
    at = skip(e, at, ",:.");
    e->venue_start = e->venue_end = at;
    if (at >= e->len) return;
    if (next_run(e, at, LAYOUT_SPAN_ITALIC, &start, &end) && !g_ascii_isdigit(e->text[start]) &&
        (e->in || start < at + 80)) {
        if (start > at + 12 && !e->in && has_publisher(e->text + at, start - at)) return;
        set_venue(e, start, end);
        return;
    }
    if (!e->in && (e->title_italic || !has_numbers(e, at)) &&
        !(e->title_italic && has_numbers(e, at)))
        return;
    if (is_year(e->text + at)) return;
    /* "Vol. 1 of Series" and editions are no venues */
    if (g_ascii_strncasecmp(e->text + at, "vol", 3) == 0 || g_ascii_isdigit(e->text[at]) ||
        e->text[at] == '(')
        return;
    end = plain_venue_end(e, at);
    if (!e->in && g_strstr_len(e->text + at, (gssize)(end - at), "hesis") != NULL) return;
    if (!e->in && g_strstr_len(e->text + at, (gssize)(end - at), "eport") != NULL) return;
    if (end > at + 1) set_venue(e, at, end);
}

/* ---- numbers ---- */

static const char *
fetch(const entry *e, const GMatchInfo *match, const char *name, gsize from)
{
    int start, end;
    if (!g_match_info_fetch_named_pos(match, name, &start, &end) || start < 0 || end <= start)
        return NULL;
    (void)from;
    return layout_builder_copy(e->builder, e->text + start, end - start);
}

/* "436–444", "436 - 444" -> "436-444"; "436–44" stays what it is. */
static const char *
plain_pages(const entry *e, const char *pages)
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

static void
take_numbers(entry *e, gsize from)
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
        if (is_year(e->text + start) && end - start == 4) {
            r->year =
                r->year != NULL ? r->year : layout_builder_copy(e->builder, e->text + start, 4);
        } else if (end - start <= 5) {
            r->volume = layout_builder_copy(e->builder, e->text + start, (gssize)(end - start));
        }
        at = end;
    }
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autoptr(GMatchInfo) match = NULL;
        if (!g_regex_match_full(pattern(N_FIXED + i), e->text, (gssize)e->len,
                                (int)MIN(from, e->len), 0, &match, NULL))
            continue;
        const char *volume = fetch(e, match, "v", from), *issue = fetch(e, match, "i", from);
        const char *pages = plain_pages(e, fetch(e, match, "p", from));
        if (volume != NULL && strlen(volume) == 4 && is_year(volume)) volume = NULL;
        /* a volume found otherwise must be the one of this pattern, or its numbers are of something else */
        if (volume != NULL && r->volume != NULL && strcmp(volume, r->volume) != 0 &&
            r->pages != NULL)
            continue;
        if (issue != NULL && strlen(issue) == 4 && is_year(issue) && i != 1) issue = NULL;
        if (pages != NULL && strlen(pages) == 4 && is_year(pages) && i != 2) pages = NULL;
        /* "pp. 130-138, 2018" */
        if (i + 1 == G_N_ELEMENTS(numbers) && r->pages != NULL) volume = NULL;
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
    if (n > 0 && n < 12 && strcspn(at, "0123456789") < n && !(n == 4 && is_year(at)))
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

static layout_reference_kind
guess_kind(const entry *e, gsize from)
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
find_publisher(entry *e, gsize from)
{
    for (gsize at = from; at < e->len;) {
        at = skip(e, at, ",.:;()");
        gsize end = at;
        while (end < e->len && strchr(",.:;()\x01", e->text[end]) == NULL)
            end++;
        if (end < e->len && e->text[end] == '.' &&
            strncmp(e->text + end - MIN(end, 3), "Inc", 3) == 0)
            end++;
        const gboolean inside = at >= e->venue_start && at < e->venue_end;
        if (!inside && end > at && has_publisher(e->text + at, end - at)) {
            e->out->publisher = copy_trimmed(e, at, end);
            return;
        }
        at = MAX(end, at + 1);
    }
}

static void
take_publisher(entry *e, gsize from)
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
    if (!g_regex_match_full(pattern(thesis ? FIND_THESIS : FIND_REPORT), e->text, (gssize)e->len,
                            (int)MIN(from, e->len), 0, &match, NULL))
        return;
    if (g_match_info_fetch_named_pos(match, "s", &start, &end) && start >= 0)
        e->out->publisher = copy_trimmed(e, (gsize)start, (gsize)end);
    if (thesis) {
        e->out->volume = e->out->issue = e->out->pages = NULL;
    } else if (g_match_info_fetch_named_pos(match, "i", &start, &end) && start >= 0) {
        e->out->issue = copy_trimmed(e, (gsize)start, (gsize)end);
        e->out->volume = NULL;
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
read_parts(entry *e, GArray *names)
{
    layout_reference *r = e->out;
    const gsize end = layout_names_parse(e->builder, e->text, e->len, e->style, names, &r->et_al);
    if (end > 0) r->authors = layout_builder_copy(e->builder, e->text, (gssize)end);
    g_autoptr(GMatchInfo) match = NULL;
    int from, to;
    gsize at = end;
    /* a collection's editors stand for its authors */
    if (end > 0 &&
        g_regex_match_full(pattern(FIND_EDITORS), e->text + end, (gssize)(e->len - end), 0, 0,
                           &match, NULL) &&
        g_match_info_fetch_pos(match, 0, &from, &to))
        at = end + (gsize)to;
    const char separator = at < e->len ? e->text[at] : '\0';
    const gsize year = early_year(e, at);
    if (year > 0) at = year;
    at = skip(e, at, ",.:;");
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
        take_venue(e, at);
    } else if (end > 0 && has_no_title(e, at, &venue_end)) {
        e->title_start = e->title_end = at;
        set_venue(e, at, venue_end);
        at = venue_end;
    } else {
        /* "(2015), Title, Journal": the comma behind the bracket counts */
        const char sign = year > 0 && year > 2 ? e->text[year - 2] : separator;
        at = take_title(e, at, sign);
        r->title = copy_trimmed(e, e->title_start, e->title_end);
        take_venue(e, at);
    }
    take_numbers(e, MAX(at, e->venue_end > e->venue_start ? e->venue_end : at));
    if (r->year == NULL) late_year(e);
    r->kind = guess_kind(e, at);
    take_publisher(e, at);
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
    entry e = {.builder = builder, .out = out};
    e.len = strlen(text);
    if (e.len > MAX_ENTRY_BYTES) return; /* a page taken for an entry */
    e.text = g_strdup(text);
    e.style = g_new0(guint8, e.len + 1);
    for (guint i = 0; i < n_spans; i++) {
        const guint8 flags = (guint8)(spans[i].flags & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC));
        memset(e.style + spans[i].start, flags, spans[i].len);
    }
    mask(&e, MASK_ARXIV);
    mask(&e, MASK_DOI);
    for (guint m = 0; m < N_MASKS; m++)
        mask(&e, m);
    read_parts(&e, names);
    g_free(e.text);
    g_free(e.style);
}
