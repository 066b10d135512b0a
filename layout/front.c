/* The first page's matter: title, authors with their affiliations, abstract.
 *
 * The title is the largest text in the upper part of the first page. What follows it up to the abstract, the
 * first section or the first prose is about the authors. Names are told from addresses by where they stand
 * (first, and set alike), by their words and by what no name contains. */
#include "layout/flow.h"

#include <math.h>
#include <string.h>

#define MAX_AUTHORS 400
#define TITLE_LEAST 1.12F /* sizes, in that of the text */
#define TEXT_LEAST  0.95F

/* ---- what texts are ---- */

static gboolean
has_word(const char *text, const char *const *words, guint n)
{
    g_autofree char *lower = g_utf8_strdown(text, -1);
    for (guint i = 0; i < n; i++)
        if (strstr(lower, words[i]) != NULL) return TRUE;
    return FALSE;
}

/* Words of addresses and of other matter beside names. */
static gboolean
is_address(const char *text)
{
    static const char *const words[] = {"universi",       "institut",
                                        "department",     "school",
                                        "college",        "laborator",
                                        "centre",         "center for",
                                        "center of",      "research",
                                        "faculty",        "facult",
                                        "google",         "microsoft",
                                        "academy",        "politecnic",
                                        "polytechni",     "hochschule",
                                        "hospital",       "clinic",
                                        "group",          "division",
                                        "program",        "ministry",
                                        "council",        "agency",
                                        "sciences",       "science",
                                        "engineering",    "technolog",
                                        "street",         "avenue",
                                        "piazza",         "campus",
                                        "corporation",    "gmbh",
                                        "inc.",           "ltd",
                                        "département",    "dipartimento",
                                        "école",          "saudi arabia",
                                        "united kingdom", "united states",
                                        "south korea",    "new zealand",
                                        "hong kong",      "new york",
                                        "south africa",   "czech republic",
                                        "conference",     "workshop",
                                        "journal",        "proceedings",
                                        "project",        "report",
                                        "team",           "submitted",
                                        "draft",          "version",
                                        "corresponding",  "equal contribution",
                                        "e-mail",         "email",
                                        "http",           "preprint",
                                        "received",       "accepted",
                                        "published",      "keywords",
                                        "key words",      "computer vision",
                                        "physics",        "mathematics",
                                        "statistics",     "national ",
                                        "consortium"};
    return strchr(text, '@') != NULL || has_word(text, words, G_N_ELEMENTS(words));
}

static gboolean
is_keywords(const char *text)
{
    static const char *const words[] = {"keywords", "key words",    "index terms",
                                        "keyword",  "ccs concepts", "pacs"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_ascii_strncasecmp(text, words[i], strlen(words[i])) == 0) return TRUE;
    return FALSE;
}

/* "April 15, 2026", "(Dated: July 5, 2026)" */
static gboolean
is_date(const char *text)
{
    static const char *const months[] = {"january",  "february", "march",  "april",     "may ",
                                         "june",     "july",     "august", "september", "october",
                                         "november", "december", "dated:"};
    if (strlen(text) > 45 || !has_word(text, months, G_N_ELEMENTS(months))) return FALSE;
    for (const char *at = text; *at != '\0'; at++)
        if (strspn(at, "0123456789") == 4) return TRUE;
    return FALSE;
}

static gboolean
is_particle(const char *word)
{
    static const char *const particles[] = {"de",  "van", "von", "der", "den", "di",  "da", "del",
                                            "la",  "le",  "du",  "des", "bin", "al",  "el", "ten",
                                            "ter", "dos", "do",  "y",   "e",   "ibn", "af", "zu"};
    for (guint i = 0; i < G_N_ELEMENTS(particles); i++)
        if (strcmp(word, particles[i]) == 0) return TRUE;
    return FALSE;
}

static gboolean
is_name(const char *text)
{
    glong n = g_utf8_strlen(text, -1);
    if (n < 2 || n > 60 || is_address(text)) return FALSE;
    guint words = 0, capitals = 0, ideographs = 0;
    g_auto(GStrv) parts = g_strsplit(text, " ", 12);
    for (char **p = parts; *p != NULL; p++) {
        if (**p == '\0') continue;
        gunichar first = g_utf8_get_char(*p);
        words++;
        if (g_unichar_isupper(first))
            capitals++;
        else if (first > 0x2E80)
            ideographs++;
        else if (!is_particle(*p))
            return FALSE;
    }
    for (const char *at = text; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar ch = g_utf8_get_char(at);
        if (!g_unichar_isalpha(ch) && !g_unichar_ismark(ch) && ch != ' ' && ch != '.' &&
            ch != '-' && ch != 0x2010 && ch != 0x2011 && ch != '\'' && ch != 0x2019)
            return FALSE;
    }
    if (ideographs == words) return n >= 2 && n <= 4;
    return words >= 2 && words <= 6 && capitals >= 2;
}

/* Lines of different lengths about one axis. */
static gboolean
is_centred(const layout_work *work, const layout_para *para)
{
    guint moved = 0, n = para->places->len;
    const layout_row *first = layout_para_row(work, para, 0);
    float axis = 0.5F * (first->box.x0 + first->box.x1);
    for (guint i = 1; i < n; i++) {
        const layout_row *row = layout_para_row(work, para, i);
        if (fabsf(0.5F * (row->box.x0 + row->box.x1) - axis) > 4) return FALSE;
        moved += fabsf(row->box.x0 - first->box.x0) > 3;
    }
    return moved * 2 >= n;
}

static gboolean
is_prose(const layout_work *work, const layout_para *para)
{
    if (layout_para_chars(work, para) <= 260 || para->places->len < 3 || is_centred(work, para))
        return FALSE;
    g_autofree char *text = layout_para_short_text(work, para);
    /* a list of affiliations has few small words, prose has many */
    static const char *const small[] = {" the ", " is ",  " we ",    " are ",  " that ", " this ",
                                        " by ",  " can ", " from ",  " with ", " a ",    " to ",
                                        " in ",  " as ",  " which ", " our "};
    guint n = 0;
    for (guint i = 0; i < G_N_ELEMENTS(small); i++)
        n += strstr(text, small[i]) != NULL;
    return n >= 3 || !is_address(text);
}

/* ---- title ---- */

/* Prose in the size of the text? Notes above a title are smaller. */
static gboolean
begins_text(const layout_work *work, const layout_para *para)
{
    const float size = layout_para_row(work, para, 0)->size_pt / work->body_pt;
    return size > TEXT_LEAST && size < TITLE_LEAST && is_prose(work, para);
}

/* The largest text in the upper part of the first page; its index, or LAYOUT_NONE. What stands below prose is a heading:
 * such a page is from the middle of a paper. */
static int
title_find(const layout_work *work)
{
    int best = LAYOUT_NONE;
    float best_size = TITLE_LEAST * work->body_pt;
    for (guint i = 0; i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        if (para->sheet > 0) break;
        if (!layout_para_is_text(para)) continue;
        const layout_row *row = layout_para_row(work, para, 0);
        const layout_sheet *sheet = layout_work_sheet(work, 0);
        if (begins_text(work, para)) break;
        guint chars = layout_para_chars(work, para);
        if (row->box.y0 > 0.55F * sheet->height || chars < 6 || chars > 350) continue;
        if (row->size_pt <= best_size + 0.4F) continue;
        g_autofree char *text = layout_para_short_text(work, para);
        layout_heading_form form = layout_heading_parse(text);
        if (!(form.numbered && g_ascii_isdigit(text[0])) && !form.known && !para->contents &&
            !layout_contents_heading(text)) {
            best = (int)i;
            best_size = row->size_pt;
        }
    }
    if (best >= 0) return best;
    /* No larger text: a first block that is bold or centred in the upper third. */
    for (guint i = 0; i < MIN(work->paras->len, 3); i++) {
        const layout_para *para = layout_work_para(work, i);
        if (!layout_para_is_text(para) || para->sheet > 0) continue;
        if (begins_text(work, para)) break;
        const layout_row *row = layout_para_row(work, para, 0);
        g_autofree char *text = layout_para_short_text(work, para);
        layout_heading_form form = layout_heading_parse(text);
        if ((row->flags & LAYOUT_SPAN_BOLD) &&
            row->box.y0 < 0.33F * layout_work_sheet(work, 0)->height &&
            layout_para_chars(work, para) >= 15 && layout_para_chars(work, para) < 250 &&
            !form.known && !form.numbered)
            return (int)i;
    }
    return LAYOUT_NONE;
}

static void
title_mark(layout_work *work)
{
    int index = title_find(work);
    if (index < 0) return;
    layout_para *title = layout_work_para(work, (guint)index);
    title->type = LAYOUT_BLOCK_TITLE;
    float size = layout_para_row(work, title, 0)->size_pt;
    for (guint i = (guint)index + 1; i < work->paras->len; i++) {
        layout_para *next = layout_work_para(work, i);
        if (!layout_para_is_text(next) || next->sheet > 0) break;
        const layout_row *row = layout_para_row(work, next, 0);
        const layout_row *last = layout_para_row(work, title, title->places->len - 1);
        if (fabsf(row->size_pt - size) > 0.3F || row->baseline - last->baseline > 1.8F * size ||
            row->region != last->region)
            break;
        layout_para_take_places(title, next);
    }
    layout_paras_drop_empty(work);
}

/* ---- what stands between the title and the text ---- */

/* The next text on this page, LAYOUT_NONE where there is none. */
static int
next_text(const layout_work *work, guint index)
{
    for (guint i = index + 1; i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        if (para->sheet != layout_work_para(work, index)->sheet) break;
        if (layout_para_is_text(para)) return (int)i;
    }
    return LAYOUT_NONE;
}

/* Set otherwise than the text? */
static gboolean
is_distinct(const layout_work *work, const layout_para *para, const char *text)
{
    const layout_row *row = layout_para_row(work, para, 0);
    return (row->flags & (LAYOUT_SPAN_BOLD | LAYOUT_STYLE_CAPS)) != 0 ||
           row->size_pt > 1.07F * work->body_pt || layout_text_is_upper(text);
}

/* One line that begins where the column does, as a heading may. */
static gboolean
is_alone_at_left(const layout_work *work, const layout_para *para)
{
    const layout_row *row = layout_para_row(work, para, 0);
    return para->places->len == 1 && row->box.x0 < row->col_x0 + 2;
}

/* Does the text of the paper begin with this block? */
static gboolean
front_ends(const layout_work *work, guint index)
{
    const layout_para *para = layout_work_para(work, index);
    g_autofree char *text = layout_para_short_text(work, para);
    gsize len;
    if (layout_heading_is_abstract(text, &len) || is_prose(work, para)) return TRUE;
    if (strlen(text) > 80) return FALSE;
    layout_heading_form form = layout_heading_parse(text);
    if (form.known || layout_contents_heading(text)) return TRUE;
    if (!is_distinct(work, para, text + form.number_len) || is_address(text)) return FALSE;
    if (form.numbered && form.value == 1 && form.kind != LAYOUT_NUMBER_UPPER &&
        form.kind != LAYOUT_NUMBER_LOWER)
        return TRUE;
    int next = next_text(work, index);
    return is_alone_at_left(work, para) && next >= 0 &&
           is_prose(work, layout_work_para(work, (guint)next));
}

static gboolean
may_be_author(const layout_work *work, const layout_para *para)
{
    if (para->places->len == 0 || para->contents) return FALSE;
    switch (para->type) {
    case LAYOUT_BLOCK_PARAGRAPH:
    case LAYOUT_BLOCK_LIST_ITEM:
    case LAYOUT_BLOCK_CODE: /* addresses in typewriter */
        return TRUE;
    case LAYOUT_BLOCK_FORMULA: /* a name between marks */
        return layout_para_chars(work, para) < 60;
    default:
        return FALSE;
    }
}

/* Authors that stand beside or above the start of the text but come after it: in another column. */
static void
late_authors_mark(layout_work *work, guint from, guint end, float top, float bottom)
{
    guint at = end;
    for (guint i = end + 1; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        if (para->sheet != layout_work_para(work, from)->sheet) return;
        if (!may_be_author(work, para) || is_prose(work, para)) continue;
        const layout_row *first = layout_para_row(work, para, 0);
        const layout_row *last = layout_para_row(work, para, para->places->len - 1);
        if (first->box.y0 < top || last->box.y1 > bottom) continue;
        if (g_array_index(para->places, layout_place, para->places->len - 1).sheet != para->sheet)
            continue;
        para->type = LAYOUT_BLOCK_AUTHOR;
        g_ptr_array_steal_index(work->paras, i);
        g_ptr_array_insert(work->paras, (gint)at++, para);
    }
}

/* A sentence rather than a list of names or an address: most words begin with a small letter, a stop at the end. */
static gboolean
is_sentence(const char *text)
{
    guint words = 0, small = 0;
    g_auto(GStrv) parts = g_strsplit(text, " ", -1);
    for (char **part = parts; *part != NULL; part++) {
        if (**part == '\0') continue;
        words++;
        small += g_unichar_islower(g_utf8_get_char(*part)) ? 1 : 0;
    }
    const gsize len = strlen(text);
    return words >= 12 && small * 10 >= words * 6 && strchr(".:?!", text[len - 1]) != NULL;
}

/* A name or an address, and nothing else? */
static gboolean
is_byline(const char *text)
{
    static const char *const words[] = {"universi", "institut", "department", "laborator", "@"};
    if (strlen(text) > 400 || is_sentence(text)) return FALSE;
    return is_name(text) || has_word(text, words, G_N_ELEMENTS(words));
}

/* Where what is about the authors ends: at the start of the text, or of the next page. */
static guint
authors_end(const layout_work *work, guint title)
{
    guint i = title + 1;
    for (; i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        if (para->sheet > 0 || para->type == LAYOUT_BLOCK_REFERENCE ||
            para->type == LAYOUT_BLOCK_HEADING ||
            (may_be_author(work, para) && front_ends(work, i)))
            break;
    }
    return i;
}

/* The first sentence in [from, end) behind which no name and no address comes, or end: short texts begin without an
 * abstract or a heading. */
static guint
sentence_find(const layout_work *work, guint from, guint end)
{
    guint found = end;
    for (guint i = from; i < end; i++) {
        const layout_para *para = layout_work_para(work, i);
        if (!may_be_author(work, para)) continue;
        g_autofree char *text = layout_para_short_text(work, para);
        if (is_byline(text))
            found = end;
        else if (found == end && is_sentence(text) && !is_keywords(text))
            found = i;
    }
    if (found == end || found <= from) return found;
    /* with its heading */
    const layout_para *above = layout_work_para(work, found - 1);
    if (!may_be_author(work, above) || !is_alone_at_left(work, above)) return found;
    g_autofree char *text = layout_para_short_text(work, above);
    const gboolean heading =
        strlen(text) < 80 && !is_byline(text) && !is_date(text) && is_distinct(work, above, text);
    return heading ? found - 1 : found;
}

static void
authors_mark(layout_work *work)
{
    guint title = 0;
    while (title < work->paras->len && layout_work_para(work, title)->type != LAYOUT_BLOCK_TITLE)
        title++;
    if (title == work->paras->len) return;
    const layout_para *head = layout_work_para(work, title);
    float top = layout_para_row(work, head, head->places->len - 1)->box.y1;
    const guint end = authors_end(work, title), first = sentence_find(work, title + 1, end);
    for (guint i = title + 1; i < first; i++) {
        layout_para *para = layout_work_para(work, i);
        if (!may_be_author(work, para)) continue;
        g_autofree char *text = layout_para_short_text(work, para);
        if (!is_keywords(text) && !is_date(text)) para->type = LAYOUT_BLOCK_AUTHOR;
    }
    if (end == work->paras->len || first < end) return;
    const layout_para *para = layout_work_para(work, end);
    if (para->sheet == 0 && may_be_author(work, para))
        late_authors_mark(work, title, end, top, layout_para_row(work, para, 0)->box.y0 + 2);
}

/* ---- names ---- */

/* The text of a segment without what is raised; marks that stand for it become commas. */
static char *
seg_plain_text(const layout_sheet *sheet, const layout_seg *seg)
{
    GString *out = g_string_new(NULL);
    for (guint k = seg->first_style; k < seg->first_style + seg->n_styles; k++) {
        const layout_style *style = layout_sheet_style(sheet, k);
        if (style->flags & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT))
            g_string_append_c(out, ',');
        else
            g_string_append_len(out, sheet->text->str + style->start, style->len);
    }
    /* "(alice@here.org)" */
    for (char *open; (open = strchr(out->str, '(')) != NULL;) {
        char *close = strchr(open, ')');
        gsize at = (gsize)(open - out->str);
        gssize len = close != NULL ? close - open + 1 : -1;
        g_string_erase(out, (gssize)at, len);
    }
    return g_string_free(out, FALSE);
}

typedef struct {
    layout_work *work;
    GRegex *cut;
    gboolean known; /* the look of names */
    float size_pt;
    guint flags;
} name_search;

static guint
names_of_text(const name_search *search, const char *text, GPtrArray *names)
{
    guint found = 0;
    g_auto(GStrv) parts = g_regex_split(search->cut, text, 0);
    for (char **p = parts; p != NULL && *p != NULL && names->len < MAX_AUTHORS; p++) {
        g_strstrip(*p);
        if (!is_name(*p)) continue;
        g_ptr_array_add(names, g_strdup(*p));
        found++;
    }
    return found;
}

/* Does the row begin with a raised mark that no comma follows: "1 Department of ..." */
static gboolean
begins_marked(const layout_sheet *sheet, const layout_row *row, const char *text)
{
    const layout_seg *seg =
        layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg));
    if (seg->n_styles == 0) return FALSE;
    const layout_style *style = layout_sheet_style(sheet, seg->first_style);
    if (!(style->flags & LAYOUT_SPAN_SUPERSCRIPT)) return g_ascii_isdigit(text[0]);
    if (style->len >= strlen(text)) return FALSE;
    const char *rest = text + style->len + strspn(text + style->len, " ");
    return *rest != ',' && !g_str_has_prefix(rest, "and ");
}

/* The names in one row are added to text; a name may go on in the next row where this one is full. How
 * many there are: 0 for none, -1 for a row that is an address. */
static int
names_of_row(const name_search *search, const layout_sheet *sheet, const layout_row *row,
             GString *text)
{
    g_autoptr(GString) line = g_string_new(NULL);
    for (guint k = 0; k < row->n_segs; k++) {
        const layout_seg *seg =
            layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg + k));
        g_autofree char *plain = seg_plain_text(sheet, seg);
        if (k > 0) g_string_append_c(line, '\n');
        g_string_append(line, plain);
    }
    if (is_address(line->str)) return -1;
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    guint n = names_of_text(search, line->str, found);
    gboolean goes_on = text->len > 0 && text->str[text->len - 1] == ' ';
    gboolean listed = strpbrk(line->str, ",;&") != NULL || strstr(line->str, " and") != NULL;
    gboolean full = listed && row->box.x1 > row->right - 6 * row->size_pt;
    if (n == 0 && !goes_on) return 0;
    g_string_append(text, line->str);
    g_string_append_c(text, full ? ' ' : '\n');
    return (int)MAX(n, 1);
}

/* Names come first in a block; its first address ends them in lines that are set like it. */
static void
names_of_para(name_search *search, const layout_para *para, GPtrArray *names)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < para->places->len; i++) {
        const layout_place *place = &g_array_index(para->places, layout_place, i);
        const layout_sheet *sheet = layout_work_sheet(search->work, place->sheet);
        const layout_row *row = layout_sheet_row(sheet, place->row);
        guint flags = row->flags & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC | LAYOUT_SPAN_MONO);
        if (search->known &&
            (fabsf(row->size_pt - search->size_pt) > 0.6F || flags != search->flags))
            continue;
        g_autofree char *whole = layout_row_text(sheet, row);
        int found = begins_marked(sheet, row, whole) ? -1 : names_of_row(search, sheet, row, text);
        if (found < 0 || (found == 0 && i > 0)) break;
        if (found > 0 && !search->known) {
            search->known = TRUE;
            search->size_pt = row->size_pt;
            search->flags = flags;
        }
    }
    names_of_text(search, text->str, names);
}

static void
names_find(layout_work *work)
{
    name_search search = {.work = work};
    search.cut = g_regex_new(
        "\\s*(?:[,;\\n&|0-9\xC2\xB7\\x{2022}*\\x{2217}\\x{2020}\\x{2021}\\x{A7}\\x{B6}\\x{2709}]|"
        "\\b(?:and|und|et)\\b|^(?:by|By|BY)\\s)\\s*",
        0, 0, NULL);
    if (search.cut == NULL) return;
    for (guint i = 0; i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        if (para->sheet > 0) break;
        if (para->type == LAYOUT_BLOCK_AUTHOR) names_of_para(&search, para, work->authors);
    }
    g_regex_unref(search.cut);
}

/* ---- abstract ---- */

/* Set like the abstract's paragraph above it. */
static gboolean
same_setting(const layout_work *work, const layout_para *a, const layout_para *b)
{
    const layout_row *x = layout_para_row(work, a, a->places->len - 1);
    const layout_row *y = layout_para_row(work, b, 0);
    return fabsf(x->size_pt - y->size_pt) < 0.3F &&
           ((x->flags ^ y->flags) & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC)) == 0 &&
           fabsf(x->right - y->right) < 8;
}

/* From its first paragraph on: the abstract ends at a heading, or where no heading comes soon, with it. */
static void
abstract_take(layout_work *work, guint first)
{
    guint end = first + 1;
    gboolean closed = FALSE;
    const layout_para *last = layout_work_para(work, first);
    for (guint i = first + 1; i < work->paras->len && i < first + 12; i++) {
        const layout_para *next = layout_work_para(work, i);
        if (next->type == LAYOUT_BLOCK_HEADING) {
            closed = TRUE;
            break;
        }
        if (next->type != LAYOUT_BLOCK_PARAGRAPH && next->type != LAYOUT_BLOCK_LIST_ITEM &&
            next->type != LAYOUT_BLOCK_FORMULA)
            continue;
        g_autofree char *text = layout_para_short_text(work, next);
        if (is_keywords(text)) {
            closed = TRUE;
            break;
        }
        if (next->type == LAYOUT_BLOCK_PARAGRAPH && !same_setting(work, last, next)) {
            closed = next->sheet > last->sheet;
            break;
        }
        last = next;
        end = i + 1;
    }
    if (!closed) end = first + 1;
    for (guint i = first; i < end; i++) {
        layout_para *para = layout_work_para(work, i);
        if (para->type == LAYOUT_BLOCK_PARAGRAPH || i == first) para->type = LAYOUT_BLOCK_ABSTRACT;
    }
}

/* Prose right behind the authors that is set narrower or smaller than the text, or ends at the first
 * section: an abstract that is not called so. */
static void
unlabelled_mark(layout_work *work)
{
    guint i = 0;
    while (i < work->paras->len && layout_work_para(work, i)->type != LAYOUT_BLOCK_AUTHOR)
        i++;
    int first = LAYOUT_NONE;
    guint prose = 0;
    for (; i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        if (para->sheet > 0) return;
        if (para->type == LAYOUT_BLOCK_HEADING) break;
        if (!layout_para_is_text(para) || !is_prose(work, para)) continue;
        if (first < 0) first = (int)i;
        prose++;
    }
    if (first < 0 || i == work->paras->len || prose > 2) return;
    g_autofree char *text = layout_para_short_text(work, layout_work_para(work, i));
    layout_heading_form form = layout_heading_parse(text);
    g_autofree char *lower = g_utf8_strdown(text, -1);
    if ((form.numbered && form.value == 1 && form.depth == 1) ||
        strstr(lower, "introduction") != NULL)
        abstract_take(work, (guint)first);
}

/* What stands between the authors and the keywords: an abstract that is not called so. */
static gboolean
before_keywords_mark(layout_work *work)
{
    int first = LAYOUT_NONE;
    guint n = 0;
    gboolean authors = FALSE;
    for (guint i = 0; i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        if (para->sheet > 0 || para->type == LAYOUT_BLOCK_HEADING) return FALSE;
        if (para->type == LAYOUT_BLOCK_AUTHOR) {
            authors = TRUE;
            first = LAYOUT_NONE;
            n = 0;
            continue;
        }
        if (!authors || para->type != LAYOUT_BLOCK_PARAGRAPH || !layout_para_is_text(para))
            continue;
        g_autofree char *text = layout_para_short_text(work, para);
        if (is_keywords(text)) break;
        if (is_date(text)) continue;
        if (first < 0 && !is_sentence(text) && !is_prose(work, para)) return FALSE;
        if (first < 0) first = (int)i;
        if (++n > 3 || i + 1 == work->paras->len) return FALSE;
    }
    if (first < 0) return FALSE;
    abstract_take(work, (guint)first);
    return TRUE;
}

static void
abstract_mark(layout_work *work)
{
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        if (para->sheet > 1) break;
        if (!layout_para_is_text(para) && para->type != LAYOUT_BLOCK_HEADING) continue;
        g_autofree char *text = layout_para_short_text(work, para);
        gsize len;
        if (!layout_heading_is_abstract(text, &len)) continue;
        gsize rest = len + strspn(text + len, " .:-");
        if (text[rest] != '\0') {
            const layout_row *row = layout_para_row(work, para, 0);
            if (layout_para_chars(work, para) < 80 && !row->bold_start) continue;
            para->type = LAYOUT_BLOCK_PARAGRAPH;
            abstract_take(work, i);
            return;
        }
        para->type = LAYOUT_BLOCK_HEADING;
        for (guint k = i + 1; k < work->paras->len; k++) {
            const layout_para *next = layout_work_para(work, k);
            if (next->type == LAYOUT_BLOCK_PARAGRAPH) {
                if (layout_para_chars(work, next) < 15) continue;
                abstract_take(work, k);
                return;
            }
            if (next->type == LAYOUT_BLOCK_HEADING) return;
        }
        return;
    }
    if (!before_keywords_mark(work)) unlabelled_mark(work);
}

void
layout_front_authors(layout_work *work)
{
    title_mark(work);
    authors_mark(work);
    names_find(work);
}

void
layout_front_abstract(layout_work *work)
{
    abstract_mark(work);
}
