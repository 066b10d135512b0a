/* The title of a bibliography entry. It ends at its quotation mark, where italics change, before "In", or at the first
 * stop that ends no abbreviation; where commas alone separate the parts, before the journal and its volume. */
#include "layout/reference_entry.h"

#include <string.h>

gboolean
reference_is_abbreviation(const char *text, const char *stop)
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
sentence_end(const reference_entry *e, gsize from, gsize to)
{
    gsize question = to;
    for (gsize at = from; at < to; at++) {
        const char c = e->text[at];
        if (c == REFERENCE_MASK && at > from + 3) return MIN(at, question);
        if (c != '.' && c != '?' && c != '!') continue;
        const gsize next = reference_skip(e, at + 1, "");
        if (next == at + 1 && next < to) continue;
        if (c == '.') {
            if (reference_is_abbreviation(e->text + from, e->text + at) && next < to) continue;
            return MIN(at, question == to || at < question + 120 ? at : question);
        }
        if (next >= to || strncmp(e->text + next, "In ", 3) == 0 ||
            strncmp(e->text + next, "In:", 3) == 0 || e->text[next - 1] == REFERENCE_MASK ||
            strncmp(e->text + next, "arXiv", 5) == 0)
            return at + 1;
        if (question == to) question = at + 1;
    }
    return question;
}

/* The quotation mark that closes the one at `at`: where it stands; 0 where none opens there. */
static gsize
quoted_end(const reference_entry *e, gsize at, gsize *inner, gsize *behind)
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
find_in(const reference_entry *e, gsize from, gsize to, gsize *behind)
{
    for (gsize at = from + 1; at + 3 < e->len && at < to; at++) {
        if (e->text[at] != ' ' ||
            !reference_is_one_of(g_utf8_get_char(g_utf8_prev_char(e->text + at)), ".,?!;”)’\""))
            continue;
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
find_volume(const reference_entry *e, gsize from, gsize to)
{
    gsize start, end;
    if (reference_next_run(e, from, LAYOUT_SPAN_BOLD, &start, &end) &&
        g_ascii_isdigit(e->text[start]))
        return start;
    for (gsize at = from; at < to; at++) {
        if (e->style[at] & LAYOUT_SPAN_BOLD && g_ascii_isdigit(e->text[at])) return at;
        if (e->text[at] != ' ' || !g_ascii_isdigit(e->text[at + 1]) ||
            reference_is_year(e->text + at + 1))
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

static gsize
find_comma(const reference_entry *e, gsize from, gsize to)
{
    for (gsize at = from; at < to; at++)
        if (e->text[at] == ',' && e->text[at + 1] == ' ') return at;
    return to;
}

/* Parts separated by commas, no italics: the title ends before the journal, which ends before its volume. */
static gsize
comma_title_end(const reference_entry *e, gsize from)
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
        if (e->text[at] == REFERENCE_MASK || (e->text[at] == '(' && at > from))
            return MIN(MAX(end, from), MIN(at, stop));
        if (at == end) break;
    }
    /* a comma in the title: words of a title are small, a publisher's or a school's are not */
    while (end < stop && end < e->len) {
        const gsize next = reference_skip(e, end + 1, "");
        if (!g_ascii_islower(e->text[next])) break;
        end = find_comma(e, end + 1, e->len);
    }
    return MIN(end, stop);
}

gsize
reference_take_title(reference_entry *e, gsize from, char separator)
{
    gsize start = 0, end = 0, inner, behind = 0;
    gsize at = reference_skip(e, from, ",.:;");
    e->title_start = e->title_end = at;
    if (at >= e->len) return at;
    const gsize close = quoted_end(e, at, &inner, &behind);
    if (close > 0) {
        e->title_start = inner, e->title_end = close;
        return behind;
    }
    gboolean italics = reference_next_run(e, at, LAYOUT_SPAN_ITALIC, &start, &end);
    /* a title in italics goes on behind a symbol that is set otherwise */
    for (gsize next, next_end; italics && start <= at + 2 && e->text[end] == ' ' &&
                               reference_next_run(e, end, LAYOUT_SPAN_ITALIC, &next, &next_end) &&
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

gboolean
reference_has_no_title(const reference_entry *e, gsize at, gsize *venue_end)
{
    gsize inner, behind;
    if (quoted_end(e, at, &inner, &behind) > 0) return FALSE;
    const gsize comma = find_comma(e, at, e->len);
    for (gsize bold = at; bold < MIN(comma, at + 80); bold++) {
        if (!(e->style[bold] & LAYOUT_SPAN_BOLD) || !g_ascii_isdigit(e->text[bold])) continue;
        if (reference_is_year(e->text + bold) || bold == at) break;
        for (gsize i = at; i < bold; i++)
            if (strchr(".?!", e->text[i]) != NULL && e->text[i + 1] == ' ' && i - at > 12)
                return FALSE;
        *venue_end = bold;
        return TRUE;
    }
    g_autoptr(GMatchInfo) match = NULL;
    int from, to;
    if (!g_regex_match_full(reference_pattern(REFERENCE_FIND_SHORT), e->text + at,
                            (gssize)(e->len - at), 0, 0, &match, NULL) ||
        !g_match_info_fetch_pos(match, 1, &from, &to))
        return FALSE;
    *venue_end = at + (gsize)to;
    return TRUE;
}
