/* Plain text: paragraphs, headings, lists and what is set out with blanks.
 *
 * Nothing in such a file says what a line is, so what readers see decides: an empty line ends a block; a line
 * with a row of "=" or "-" below it, a short one with a number in front or in capitals between two empty lines
 * is a heading; lines that begin with a bullet or a number are items; a block with columns of blanks inside
 * its lines keeps them. Form feeds are the page breaks of printers (RFC 7994 and before): the footer above and
 * the header below one are left out. Where lines are as long as paragraphs, each is one. */
#include "layout/readers/html.h"
#include "layout/readers/pen.h"
#include "layout/readers/readers.h"

#include <string.h>

#define MAX_TEXT_BYTES ((gsize)512 << 20)
#define MAX_PARAGRAPH  32768 /* a longer line is cut at a blank: a search wants passages */
#define MAX_HEADING    100
#define WRAPPED        120 /* lines that people and programs wrap are not longer */

typedef struct {
    const char *at; /* not NUL-terminated */
    gsize len;      /* without blanks at its end */
    gsize indent;
} text_line;

typedef struct {
    layout_pen pen;
    GArray *lines; /* text_line: of the open block */
    gboolean wrapped, titled;
    guint n_headings;
} text_reader;

/* Text that is written for a program: parse reads some of it, and has a word for what it cannot read. */
static gboolean
is_code_for_others(const layout_source *source, const char *head)
{
    if (g_str_has_prefix(head, "%!PS") || g_str_has_prefix(head, "{\\rtf") ||
        g_str_has_prefix(head, "<?xml"))
        return TRUE;
    /* a PDF behind what a mail gateway put in front, or without its header; a picture in digits (PNM) */
    const gsize n = MIN(source->len, 1024);
    if (memmem(source->data, n, "%PDF-", 5) != NULL) return TRUE;
    if (g_regex_match_simple("^\\d+ \\d+ obj\\b", head, G_REGEX_MULTILINE, 0)) return TRUE;
    return head[0] == 'P' && head[1] >= '1' && head[1] <= '6' && g_ascii_isspace(head[2]) &&
           (g_ascii_isdigit(head[3]) || head[3] == '#');
}

layout_sniff
layout_text_sniff(const layout_source *source)
{
    g_autofree char *head = layout_source_head(source);
    if (head == NULL || is_code_for_others(source, head)) return LAYOUT_SNIFF_NO;
    return head[strspn(head, " \t\r\n\f")] != '\0' ? LAYOUT_SNIFF_WEAK : LAYOUT_SNIFF_NO;
}

/* ---- what a line is ---- */

static text_line
line_of(const char *at, gsize len)
{
    text_line line = {at, len, 0};
    while (line.len > 0 && g_ascii_isspace(at[line.len - 1]))
        line.len--;
    while (line.indent < line.len && (at[line.indent] == ' ' || at[line.indent] == '\t'))
        line.indent++;
    return line;
}

/* The sign that a line consists of, three times or more: "====", "- - -" is none. '\0' where it is text. */
static char
ruler(const text_line *line)
{
    const char *at = line->at + line->indent;
    const gsize n = line->len - line->indent;
    if (n < 3 || strchr("=-~*#_^+", *at) == NULL) return '\0';
    for (gsize i = 1; i < n; i++)
        if (at[i] != *at) return '\0';
    return *at;
}

/* Bytes of "- ", "* ", "1. ", "(a) ", "[3] " in front, with the blanks behind; 0 where there is none. */
static gsize
bullet_len(const char *at, gsize len)
{
    static const char *const signs[] = {"-",       "*", "+", "o", "\342\200\242", "\342\200\223",
                                        "\302\267"};
    gsize n = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(signs) && n == 0; i++)
        if (strlen(signs[i]) < len && memcmp(at, signs[i], strlen(signs[i])) == 0)
            n = strlen(signs[i]);
    if (n == 0) {
        const gsize open = *at == '(' || *at == '[' ? 1 : 0;
        gsize i = open;
        while (i < len && i < open + 3 && g_ascii_isdigit(at[i]))
            i++;
        if (i == open && i < len && g_ascii_isalpha(at[i])) i++;
        if (i == open || i >= len || strchr(open ? (*at == '(' ? ")" : "]") : ".)", at[i]) == NULL)
            return 0;
        n = i + 1;
    }
    const gsize marker = n;
    while (n < len && (at[n] == ' ' || at[n] == '\t'))
        n++;
    return n > marker && n < len ? n : 0;
}

static gsize
number_len(const char *at, gsize len)
{
    gsize n = 0;
    while (n < len && (g_ascii_isdigit(at[n]) || (n > 0 && at[n] == '.')))
        n++;
    return n > 0 && n < len && at[n] == ' ' ? n : 0;
}

/* Are all letters of the line capitals, and are there some? */
static gboolean
in_capitals(const char *at, gsize len)
{
    guint letters = 0;
    for (const char *p = at; p < at + len; p = g_utf8_next_char(p)) {
        const gunichar ch = g_utf8_get_char(p);
        if (g_unichar_islower(ch)) return FALSE;
        letters += g_unichar_isupper(ch) ? 1 : 0;
    }
    return letters >= 4;
}

/* The level of a single line between empty lines that looks like a heading, 0 where it does not. */
static int
heading_level(const text_line *line)
{
    const char *at = line->at + line->indent;
    const gsize len = line->len - line->indent;
    if (len == 0 || len > MAX_HEADING || strchr(".,;:!?", at[len - 1]) != NULL) return 0;
    const gsize number = number_len(at, len);
    if (number > 0 && line->indent < 8) {
        const char *rest = at + number + strspn(at + number, " ");
        const gunichar first = g_utf8_get_char_validated(rest, at + len - rest);
        if (first > 0x7FFFFFFF || !g_unichar_isalpha(first) || g_unichar_islower(first)) return 0;
        int level = 1;
        for (gsize i = 0; i + 1 < number; i++)
            level += at[i] == '.' ? 1 : 0;
        return level;
    }
    return in_capitals(at, len) ? 1 : 0;
}

/* ---- blocks ---- */

static void
write_heading(text_reader *r, const text_line *line, int level)
{
    layout_pen_text(&r->pen, line->at + line->indent, (gssize)(line->len - line->indent));
    if (!r->titled && r->pen.chars == 0) {
        g_autofree char *title = g_strdup(r->pen.text->str);
        layout_builder_meta(r->pen.builder)->title =
            layout_builder_copy(r->pen.builder, g_strchomp(title), -1);
        layout_pen_block(&r->pen, LAYOUT_BLOCK_TITLE, 0, NULL);
        r->titled = TRUE;
        return;
    }
    layout_pen_block(&r->pen, LAYOUT_BLOCK_HEADING, level, NULL);
    r->n_headings++;
}

/* One that is longer than a passage goes in pieces. */
static void
write_long(text_reader *r, const char *at, gsize len)
{
    while (len > 0) {
        gsize n = len;
        if (n > MAX_PARAGRAPH) {
            n = MAX_PARAGRAPH;
            while (n > MAX_PARAGRAPH / 2 && !g_ascii_isspace(at[n - 1]))
                n--;
            while (n > 0 && ((guchar)at[n] & 0xC0) == 0x80)
                n--;
        }
        layout_pen_text(&r->pen, at, (gssize)n);
        layout_pen_block(&r->pen, LAYOUT_BLOCK_PARAGRAPH, 0, NULL);
        at += n, len -= n;
    }
}

/* Do blanks inside the lines set out columns, a drawing, a program? */
static gboolean
is_set_out(const text_reader *r, guint from, guint to)
{
    guint n_gaps = 0, n_signs = 0;
    gsize n_bytes = 0;
    for (guint i = from; i < to; i++) {
        const text_line *line = &g_array_index(r->lines, text_line, i);
        gboolean gap = FALSE;
        for (gsize k = line->indent; k + 3 < line->len && !gap; k++)
            gap = memcmp(line->at + k, "   ", 3) == 0;
        n_gaps += gap ? 1 : 0;
        for (gsize k = line->indent; k < line->len; k++)
            n_signs += strchr("|+-=_<>{}[]()/\\*;#$&", line->at[k]) != NULL ? 1 : 0;
        n_bytes += line->len - line->indent;
    }
    const guint n = to - from;
    return (n >= 2 && 2 * n_gaps >= n) || (n >= 2 && n_bytes > 0 && n_signs * 5 > n_bytes);
}

static void
write_lines_as_code(text_reader *r, guint from, guint to)
{
    g_autoptr(GString) code = g_string_new(NULL);
    gsize least = G_MAXSIZE;
    for (guint i = from; i < to; i++)
        least = MIN(least, g_array_index(r->lines, text_line, i).indent);
    for (guint i = from; i < to; i++) {
        const text_line *line = &g_array_index(r->lines, text_line, i);
        g_string_append_len(code, line->at + least, (gssize)(line->len - least));
        g_string_append_c(code, '\n');
    }
    layout_pen_code(&r->pen, code->str);
}

/* The open block's lines from one to before another: a paragraph, or items of a list. */
static void
write_prose(text_reader *r, guint from, guint to)
{
    char marker[16] = "";
    int level = 0;
    for (guint i = from; i < to; i++) {
        const text_line *line = &g_array_index(r->lines, text_line, i);
        const char *at = line->at + line->indent;
        gsize len = line->len - line->indent;
        const gsize bullet = bullet_len(at, len);
        const gboolean begins = bullet > 0 && (i == from || level > 0);
        if (i > from && (begins || !r->wrapped)) {
            layout_pen_block(&r->pen, level > 0 ? LAYOUT_BLOCK_LIST_ITEM : LAYOUT_BLOCK_PARAGRAPH,
                             level, level > 0 ? marker : NULL);
            level = 0;
        }
        if (begins) {
            const gsize n = MIN(strcspn(at, " \t"), sizeof marker - 1);
            memcpy(marker, at, n), marker[n] = '\0';
            if (n > 0 && !g_ascii_isalnum(marker[n - 1]) && !strchr(".)]", marker[n - 1]))
                g_strlcpy(marker, "-", sizeof marker);
            if (strcmp(marker, "o") == 0) g_strlcpy(marker, "-", sizeof marker);
            at += bullet, len -= bullet;
            level = 1 + (int)MIN(line->indent / 4, 5);
        }
        if (len > MAX_PARAGRAPH && level == 0) {
            write_long(r, at, len);
            continue;
        }
        /* "multi-|ple" is left as it stands: plain text is seldom hyphenated */
        if (r->pen.text->len > 0) layout_pen_text(&r->pen, " ", 1);
        layout_pen_text(&r->pen, at, (gssize)len);
    }
    layout_pen_block(&r->pen, level > 0 ? LAYOUT_BLOCK_LIST_ITEM : LAYOUT_BLOCK_PARAGRAPH, level,
                     level > 0 ? marker : NULL);
}

static void
end_block(text_reader *r)
{
    const guint n = r->lines->len;
    guint from = 0;
    if (n == 0) return;
    const text_line *first = &g_array_index(r->lines, text_line, 0);
    if (n >= 2) {
        const char sign = ruler(&g_array_index(r->lines, text_line, 1));
        if (ruler(first) == '\0' && (sign == '=' || sign == '-' || sign == '~') &&
            first->len - first->indent <= MAX_HEADING && !is_set_out(r, 0, n)) {
            write_heading(r, first, sign == '=' ? 1 : sign == '-' ? 2 : 3);
            from = 2;
        }
    } else if (ruler(first) != '\0') {
        from = 1; /* a line between two sections */
    } else {
        const int level = heading_level(first);
        const gboolean title =
            !r->titled && r->pen.chars == 0 && first->len - first->indent <= MAX_HEADING &&
            first->len > 0 && strchr(".,;:", first->at[first->len - 1]) == NULL &&
            bullet_len(first->at + first->indent, first->len - first->indent) == 0;
        if (level > 0 || title) {
            write_heading(r, first, MAX(level, 1));
            from = 1;
        }
    }
    if (from < n && is_set_out(r, from, n))
        write_lines_as_code(r, from, n);
    else if (from < n)
        write_prose(r, from, n);
    g_array_set_size(r->lines, 0);
}

/* ---- pages ---- */

/* Is what stands between two empty lines beside a page break one short line, and thus a header or footer? A footer is
 * written in full only when the page goes on, so it is looked for backwards. */
static void
drop_footer(text_reader *r)
{
    if (r->lines->len == 1) {
        const text_line *line = &g_array_index(r->lines, text_line, 0);
        if (line->len - line->indent < 100 && memmem(line->at, line->len, "   ", 3) != NULL)
            g_array_set_size(r->lines, 0);
    }
}

static const char *
skip_header(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && (*at == '\f' || *at == '\n' || *at == '\r'))
        at++;
    if (at >= end) return start;
    const char *eol = memchr(at, '\n', (gsize)(end - at));
    if (eol == NULL) return start;
    const text_line line = line_of(at, (gsize)(eol - at));
    const char *next = eol + 1;
    const gboolean alone = next >= end || *next == '\n' || *next == '\r';
    return alone && memmem(line.at, line.len, "   ", 3) != NULL ? next : start;
}

/* Are lines broken to fit a width, rather than one per paragraph? */
static gboolean
is_wrapped(const char *text, gsize len)
{
    guint n_lines = 0, n_long = 0;
    for (const char *at = text, *end = text + MIN(len, 1 << 20); at < end;) {
        const char *eol = memchr(at, '\n', (gsize)(end - at));
        if (eol == NULL) eol = end;
        n_lines += eol - at > 30 ? 1 : 0;
        n_long += eol - at > WRAPPED ? 1 : 0;
        at = eol + 1;
    }
    return 5 * n_long <= n_lines;
}

static void
read_lines(text_reader *r, const char *at, const char *end)
{
    gboolean after_break = FALSE;
    while (at < end) {
        const char *eol = memchr(at, '\n', (gsize)(end - at));
        if (eol == NULL) eol = end;
        const char *feed = memchr(at, '\f', (gsize)(eol - at));
        const text_line line = line_of(at, (gsize)((feed != NULL ? feed : eol) - at));
        if (line.indent == line.len) {
            if (!after_break) end_block(r);
        } else {
            g_array_append_val(r->lines, line);
            after_break = FALSE;
        }
        if (feed != NULL) {
            drop_footer(r);
            end_block(r);
            at = skip_header(feed + 1, end);
        } else {
            at = eol + 1;
        }
    }
    end_block(r);
}

gboolean
layout_text_read(const layout_source *source, const layout_options *options,
                 layout_builder *builder, GHashTable *pictures, GError **error)
{
    (void)options, (void)pictures;
    if (source->len > MAX_TEXT_BYTES) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_LIMIT,
                            "more than 512 MiB of plain text");
        return FALSE;
    }
    GString *text = layout_text_to_utf8((const char *)source->data, source->len, NULL);
    g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(text_line));
    text_reader r = {.lines = lines, .wrapped = is_wrapped(text->str, text->len)};
    layout_reader_add_page(builder);
    layout_pen_init(&r.pen, builder);
    read_lines(&r, text->str, text->str + text->len);
    layout_pen_finish(&r.pen);
    const gboolean found = r.pen.chars > 0;
    layout_pen_clear(&r.pen);
    g_string_free(text, TRUE);
    if (!found)
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "there is no text in it");
    return found;
}
