/* Markers of list items: bullets, "1.", "2)", "(iii)", "(a)". */
#include "layout/flow.h"

#include <string.h>

static const gunichar bullets[] = {0x2022, 0x25CF, 0x25E6, 0x25AA, 0x25AB, 0x25A0, 0x25A1, 0x2023,
                                   0x2043, 0x2219, 0x00B7, 0x22C4, 0x25C6, 0x25C7, 0x27A2, 0x2713,
                                   0x2714, 0x25B6, 0x25BA, 0x2605, 0x2217, 0xF0B7, 0x2756, 0x2794,
                                   0x25CB, 0xF0A7,
                                   /* a sign of an unknown font, alone before an item */
                                   0xFFFD};

static gboolean
is_bullet(gunichar ch)
{
    for (guint i = 0; i < G_N_ELEMENTS(bullets); i++)
        if (bullets[i] == ch) return TRUE;
    return FALSE;
}

gsize
layout_list_bullet(const char *text, gsize len)
{
    const gunichar ch = len > 0 ? g_utf8_get_char(text) : 0;
    const gsize sign = len > 0 ? (gsize)(g_utf8_next_char(text) - text) : 0;
    /* stars and ticks say something by themselves */
    if (!is_bullet(ch) || ch == 0xFFFD || ch == 0x2217 || ch == 0x2713 || ch == 0x2714) return 0;
    return len > sign + 1 && text[sign] == ' ' ? sign + 1 : 0;
}

/* "12", "a", "iv": what stands between the brackets of an enumeration. */
static gsize
ordinal_len(const char *text)
{
    gsize n = strspn(text, "0123456789");
    if (n > 0) return n <= 3 ? n : 0;
    n = strspn(text, "ivx");
    if (n > 0 && n <= 5 && !g_ascii_isalnum(text[n])) return n;
    n = strspn(text, "IVX");
    if (n > 0 && n <= 5 && !g_ascii_isalnum(text[n])) return n;
    return g_ascii_isalpha(text[0]) && !g_ascii_isalnum(text[1]) ? 1 : 0;
}

gsize
layout_list_marker(const char *text, char **marker)
{
    gunichar first = g_utf8_get_char(text);
    gsize len = 0;
    gboolean bullet = FALSE;
    if (is_bullet(first) && (first != 0xFFFD || *g_utf8_next_char(text) == ' ')) {
        len = (gsize)(g_utf8_next_char(text) - text);
        bullet = TRUE;
    } else if ((first == '-' || first == '*' || first == 0x2013 || first == 0x2014 ||
                first == 0x2212) &&
               (gsize)(g_utf8_next_char(text) - text) < strlen(text) &&
               *g_utf8_next_char(text) == ' ') {
        len = (gsize)(g_utf8_next_char(text) - text);
        bullet = TRUE;
    } else if (first == '(') {
        gsize n = ordinal_len(text + 1);
        if (n > 0 && text[1 + n] == ')') len = n + 2;
    } else {
        gsize n = ordinal_len(text);
        /* a bare capital and a full stop is somebody's initial */
        gboolean initial = n == 1 && g_ascii_isupper(text[0]);
        if (n > 0 && (text[n] == ')' || (text[n] == '.' && !initial))) len = n + 1;
    }
    if (len == 0) return 0;
    /* Something must follow, and behind an ordinal a space. */
    gsize skip = len + strspn(text + len, " ");
    if (text[skip] == '\0' && !bullet) return 0;
    if (!bullet && skip == len) return 0;
    if (marker != NULL) *marker = bullet ? g_strdup("-") : g_strndup(text, len);
    return skip;
}

/* The number of an item that text [len] begins with, of "7. x", "7) x", "(7) x", and of one letter so; 0: none.
 * form: what it stands between, and whether it is a letter. */
static guint
item_number(const char *text, gsize len, guint *form)
{
    const gboolean open = len > 0 && text[0] == '(';
    guint number = 0;
    gsize n = open ? 1 : 0;
    const gsize from = n;
    for (; n < len && n - from < 2 && g_ascii_isdigit(text[n]); n++)
        number = 10 * number + (guint)(text[n] - '0');
    const gboolean letter = n == from && n < len && g_ascii_islower(text[n]);
    if (letter) number = (guint)(text[n++] - 'a') + 1;
    if (n >= len || (text[n] != ')' && (open || text[n] != '.'))) return 0;
    *form = (open ? 4U : 0) | (text[n] == ')' ? 2U : 0) | (letter ? 1U : 0);
    if (n + 1 == len) return number;
    /* "1. 5" may be a number whose point was set apart */
    return text[n + 1] == ' ' && n + 2 < len && !g_ascii_isdigit(text[n + 2]) ? number : 0;
}

gboolean
layout_list_goes_on(const char *last, gsize last_len, const char *text, gsize len)
{
    guint form = 0, last_form = 0;
    const guint number = item_number(text, len, &form);
    return number > 1 && item_number(last, last_len, &last_form) + 1 == number && form == last_form;
}

#define MAX_NESTING 8

void
layout_lists_level(layout_work *work)
{
    float indents[MAX_NESTING];
    guint depth = 0;
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (para->type != LAYOUT_BLOCK_LIST_ITEM || para->places->len == 0) {
            /* floats and notes stand in between without ending the list */
            gboolean ends =
                para->type == LAYOUT_BLOCK_PARAGRAPH || para->type == LAYOUT_BLOCK_HEADING ||
                para->type == LAYOUT_BLOCK_ABSTRACT || para->type == LAYOUT_BLOCK_REFERENCE;
            if (ends) depth = 0;
            continue;
        }
        if (para->contents) continue;
        const layout_row *row = layout_para_row(work, para, 0);
        float indent = row->box.x0 - row->col_x0;
        while (depth > 0 && indents[depth - 1] > indent + 3)
            depth--;
        if (depth == 0 || (indent > indents[depth - 1] + 3 && depth < MAX_NESTING))
            indents[depth++] = indent;
        para->level = (int)depth;
    }
}
