/* Numbers as spreadsheets show them (ISO/IEC 29500-1, 18.8.30 and 18.8.31): dates, percent, decimals, units. */
#include "layout/readers/xlsx.h"

#include <math.h>
#include <string.h>

#define MAX_DECIMALS 15
#define MAX_DATE     2958466.0 /* the last day of 9999 */

typedef struct {
    gboolean date, time, seconds, percent, exponent, digits;
    guint decimals;
    GString *before, *behind; /* what stands around the number */
} number_format;

const char *
layout_xlsx_builtin(int id)
{
    static const struct {
        int first, last;
        const char *code;
    } formats[] = {{1, 1, "0"},
                   {2, 2, "0.00"},
                   {3, 3, "#,##0"},
                   {4, 4, "#,##0.00"},
                   {9, 9, "0%"},
                   {10, 10, "0.00%"},
                   {11, 11, "0.00E+00"},
                   {14, 17, "yyyy-mm-dd"},
                   {18, 21, "h:mm"},
                   {22, 22, "yyyy-mm-dd h:mm"},
                   {27, 31, "yyyy-mm-dd"},
                   {32, 35, "h:mm"},
                   {36, 36, "yyyy-mm-dd"},
                   {37, 38, "#,##0"},
                   {39, 40, "#,##0.00"},
                   {45, 47, "mm:ss"},
                   {50, 58, "yyyy-mm-dd"}};
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++)
        if (id >= formats[i].first && id <= formats[i].last) return formats[i].code;
    return NULL;
}

/* "[$EUR-407]" is a currency, "[h]" hours beyond a day, "[Red]" a colour. */
static const char *
take_bracket(number_format *f, const char *at)
{
    const char *end = strchr(at, ']');
    if (end == NULL) return at + strlen(at) - 1;
    if (at[1] == '$') {
        const gsize n = strcspn(at + 2, "-]");
        g_string_append_len(f->digits ? f->behind : f->before, at + 2, (gssize)n);
    } else if (end - at >= 2 && strspn(at + 1, "hHmMsS") == (gsize)(end - at - 1)) {
        f->time = TRUE;
    }
    return end;
}

static void
take_literal(number_format *f, const char *text, gsize len)
{
    g_string_append_len(f->digits ? f->behind : f->before, text, (gssize)len);
}

/* The first section of the code: that of positive numbers. */
static void
format_read(number_format *f, const char *code)
{
    gboolean point = FALSE;
    for (const char *p = code; *p != '\0' && *p != ';'; p++) {
        switch (*p) {
        case '"': {
            const char *end = strchr(p + 1, '"');
            if (end == NULL) return;
            take_literal(f, p + 1, (gsize)(end - p - 1));
            p = end;
            break;
        }
        case '[':
            p = take_bracket(f, p);
            break;
        case '\\':
        case '_':
        case '*':
            if (p[1] == '\0') return;
            if (*p == '\\') take_literal(f, p + 1, (gsize)(g_utf8_next_char(p + 1) - p - 1));
            p = g_utf8_next_char(p + 1) - 1;
            break;
        case '0':
        case '#':
        case '?':
            f->digits = TRUE;
            if (point && !f->exponent) f->decimals = MIN(f->decimals + 1, MAX_DECIMALS);
            break;
        case '.':
            point = TRUE;
            break;
        case '%':
            f->percent = TRUE;
            break;
        case 'E':
        case 'e':
            f->exponent = f->digits;
            break;
        case 'y':
        case 'Y':
        case 'd':
        case 'D':
            f->date = TRUE;
            break;
        case 'h':
        case 'H':
            f->time = TRUE;
            break;
        case 's':
        case 'S':
            f->time = f->seconds = TRUE;
            break;
        case 'm':
        case 'M': /* months, or minutes where hours or seconds are */
            break;
        case '$':
        case ' ':
            take_literal(f, p, 1);
            break;
        default:
            if ((guchar)*p >= 0x80) {
                take_literal(f, p, (gsize)(g_utf8_next_char(p) - p));
                p = g_utf8_next_char(p) - 1;
            }
        }
    }
    if (!f->date && !f->time && !f->digits && strpbrk(code, "mM") != NULL && code[0] != '"')
        f->date = TRUE;
}

/* Serial days -> a calendar date. Day 60 of 1900, 29 February, never was: Excel has it from Lotus 1-2-3. */
static char *
date_text(double value, const number_format *f, gboolean date1904)
{
    double days = floor(value);
    long seconds = lround((value - days) * 86400);
    if (seconds >= 86400) seconds -= 86400, days += 1;
    g_autofree char *time =
        seconds % 60 != 0 || f->seconds
            ? g_strdup_printf("%02ld:%02ld:%02ld", seconds / 3600, seconds / 60 % 60, seconds % 60)
            : g_strdup_printf("%02ld:%02ld", seconds / 3600, seconds / 60 % 60);
    if (!f->date) return g_steal_pointer(&time);
    if (date1904)
        days += 1462;
    else if (days < 60)
        days += 1;
    GDate date;
    g_date_clear(&date, 1);
    g_date_set_dmy(&date, 30, G_DATE_DECEMBER, 1899);
    g_date_add_days(&date, (guint)MAX(days, 0));
    g_autofree char *day = g_strdup_printf("%04d-%02d-%02d", g_date_get_year(&date),
                                           (int)g_date_get_month(&date), g_date_get_day(&date));
    return f->time && seconds != 0 ? g_strconcat(day, " ", time, NULL) : g_steal_pointer(&day);
}

static char *
plain_number(double value)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];
    return g_strdup(g_ascii_formatd(buffer, sizeof buffer, "%.15g", value));
}

static char *
fixed_number(double value, guint decimals, gboolean exponent)
{
    char buffer[512], code[16];
    g_snprintf(code, sizeof code, "%%.%u%c", decimals, exponent ? 'E' : 'f');
    if (!exponent && fabs(value) >= 1e15) return plain_number(value);
    const double scale = pow(10, decimals), scaled = value * scale;
    /* halves go away from zero, as in spreadsheets, and not to what is even */
    if (!exponent && fabs(scaled) < 9e15) value = round(scaled) / scale;
    return g_strdup(g_ascii_formatd(buffer, sizeof buffer, code, value));
}

char *
layout_xlsx_number(double value, const char *code, gboolean date1904)
{
    if (code == NULL || g_ascii_strcasecmp(code, "General") == 0 || strcmp(code, "@") == 0 ||
        !isfinite(value))
        return plain_number(value);
    number_format f = {.before = g_string_new(NULL), .behind = g_string_new(NULL)};
    g_autofree char *text = NULL;
    format_read(&f, code);
    if ((f.date || f.time) && value >= 0 && value < MAX_DATE)
        text = date_text(value, &f, date1904);
    else if (!f.digits || strstr(code, "/") != NULL)
        text = plain_number(value); /* text with no place for digits, fractions */
    else {
        g_autofree char *number =
            fixed_number(f.percent ? value * 100 : value, f.decimals, f.exponent);
        text = g_strconcat(f.before->str, number, f.percent ? "%" : "", f.behind->str, NULL);
        g_strstrip(text);
    }
    g_string_free(f.before, TRUE);
    g_string_free(f.behind, TRUE);
    return g_steal_pointer(&text);
}
