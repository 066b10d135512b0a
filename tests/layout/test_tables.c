/* Where tables are, and their rows, columns and cells, on pages made by hand. */
#include "page_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

typedef struct {
    float x, y;
    const char *text;
} put;

/* Two paragraphs of prose, between them whatever the test puts there: from y 200 to 440. */
static page_maker *
page_new(void)
{
    page_maker *maker = page_maker_new(612, 792);
    for (guint i = 0; i < 20; i++)
        page_maker_text(
            maker, MAKER_ROMAN, 10, 72, (i < 6 ? 90 : 408) + 12 * (float)i,
            "every letter of this line is half an em wide and sentences go on over several lines");
    return maker;
}

static void
puts_at(page_maker *maker, maker_font font, const put *puts, guint n)
{
    for (guint i = 0; i < n; i++)
        page_maker_text(maker, font, 10, puts[i].x, puts[i].y, puts[i].text);
}

/* The document's tables, a line per row: "a | b{2x1}", rows by columns where a cell spans; "--" between two. */
static char *
tables_of(page_maker *maker)
{
    lode_document *document = page_maker_document(&maker, 1);
    GString *out = g_string_new(NULL);
    for (guint t = 0; t < document->n_tables; t++) {
        const layout_table *table = &document->tables[t];
        if (t > 0) g_string_append(out, "--\n");
        for (guint i = 0; i < table->n_cells; i++) {
            const layout_cell *cell = &document->cells[table->first_cell + i];
            if (i > 0) g_string_append(out, cell[-1].row == cell->row ? " | " : "\n");
            g_string_append(out, cell->text);
            if (cell->row_span > 1 || cell->col_span > 1)
                g_string_append_printf(out, "{%ux%u}", cell->row_span, cell->col_span);
        }
        g_string_append_c(out, '\n');
    }
    lode_document_free(document);
    return g_string_free(out, FALSE);
}

static void
expect(page_maker *maker, const char *tables)
{
    g_autofree char *found = tables_of(maker);
    assert_string_equal(found, tables);
}

#define PUT(maker, font, array) puts_at(maker, font, array, G_N_ELEMENTS(array))

static void
booktabs(page_maker *maker, float top, float under_header, float bottom)
{
    page_maker_rule_h(maker, 100, 500, top);
    page_maker_rule_h(maker, 100, 500, under_header);
    page_maker_rule_h(maker, 100, 500, bottom);
}

/* ---- rows ---- */

static void
a_wrapped_label_with_its_values_in_the_middle_is_one_row(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 320);
    static const put cells[] = {
        {104, 212, "Measure"},       {300, 212, "First"},          {400, 212, "Second"},
        {104, 232, "Income of all"}, {104, 244, "of the houses"},  {300, 238, "0.45"},
        {400, 238, "0.46"},          {104, 264, "Mortality"},      {300, 264, "7.10"},
        {400, 264, "6.90"},          {104, 284, "Years lost (by"}, {104, 296, "all of them)"},
        {300, 290, "0.87"},          {400, 290, "0.88"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "Measure | First | Second\n"
                  "Income of all of the houses | 0.45 | 0.46\n"
                  "Mortality | 7.10 | 6.90\n"
                  "Years lost (by all of them) | 0.87 | 0.88\n");
}

static void
sentences_that_wrap_stay_in_their_cells(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 320);
    static const put cells[] = {
        {104, 212, "Source"},
        {200, 212, "Definition"},
        {360, 212, "Examples"},
        {104, 230, "Major"},
        {200, 230, "emissions of ten tons per year"},
        {360, 230, "refineries, power stations and"},
        {200, 242, "or more of any one pollutant or"},
        {360, 242, "other large works"},
        {200, 254, "more of any mixture"},
        {104, 272, "Area"},
        {200, 272, "emissions of less than ten tons"},
        {360, 272, "gas stations, dry cleaners and"},
        {200, 284, "of any one pollutant"},
        {360, 284, "paint shops"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "Source | Definition | Examples\n"
                  "Major | emissions of ten tons per year or more of any one pollutant or more of "
                  "any mixture | refineries, power stations and other large works\n"
                  "Area | emissions of less than ten tons of any one pollutant | gas stations, dry "
                  "cleaners and paint shops\n");
}

static void
headings_of_row_groups_stay_rows(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 300);
    static const put cells[] = {
        {104, 212, "Dose"}, {300, 212, "Weight"}, {400, 212, "Ratio"},  {104, 228, "Male"},
        {104, 240, "250"},  {300, 240, "5.9"},    {400, 240, "102"},    {104, 252, "500"},
        {300, 252, "6.0"},  {400, 252, "103"},    {104, 264, "Female"}, {104, 276, "250"},
        {300, 276, "5.6"},  {400, 276, "104"},    {104, 288, "500"},    {300, 288, "5.4"},
        {400, 288, "100"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "Dose | Weight | Ratio\nMale |  | \n250 | 5.9 | 102\n500 | 6.0 | 103\n"
                  "Female |  | \n250 | 5.6 | 104\n500 | 5.4 | 100\n");
}

static void
a_label_in_the_middle_of_its_rows_spans_them(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 302);
    page_maker_rule_h(maker, 100, 500, 260);
    static const put cells[] = {
        {104, 212, "Group"}, {250, 212, "Model"}, {400, 212, "Score"}, {250, 228, "alpha"},
        {400, 228, "1.0"},   {104, 242, "Large"}, {250, 242, "beta"},  {400, 242, "3.5"},
        {250, 256, "gamma"}, {400, 256, "10.5"},  {104, 283, "Small"}, {250, 276, "delta"},
        {400, 276, "7.0"},   {250, 290, "theta"}, {400, 290, "9.5"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "Group | Model | Score\nLarge{3x1} | alpha | 1.0\nbeta | 3.5\ngamma | 10.5\n"
                  "Small{2x1} | delta | 7.0\ntheta | 9.5\n");
}

static void
tables_side_by_side_keep_their_captions(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    static const put cells[] = {
        {110, 190, "Table 1: Left ones."},
        {350, 189, "Table 2: Right ones."},
        {104, 212, "A"},
        {200, 212, "B"},
        {344, 212, "C"},
        {440, 212, "D"},
        {104, 228, "x"},
        {200, 228, "1"},
        {344, 228, "y"},
        {440, 228, "3"},
        {104, 242, "u"},
        {200, 242, "2"},
        {344, 242, "v"},
        {440, 242, "4"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    static const float xs[] = {100, 340}, ys[] = {200, 216, 248};
    for (guint i = 0; i < G_N_ELEMENTS(xs); i++)
        for (guint k = 0; k < G_N_ELEMENTS(ys); k++)
            page_maker_rule_h(maker, xs[i], xs[i] + 130, ys[k]);
    lode_document *document = page_maker_document(&maker, 1);
    assert_int_equal(document->n_tables, 2);
    const layout_block *left = document_find(document, LAYOUT_BLOCK_CAPTION, "Table 1: Left ones.");
    const layout_block *right =
        document_find(document, LAYOUT_BLOCK_CAPTION, "Table 2: Right ones.");
    assert_non_null(left);
    assert_non_null(right);
    assert_string_equal(left->text, "Table 1: Left ones.");
    assert_int_not_equal(left->parent, right->parent);
    lode_document_free(document);
}

static void
words_broken_in_a_cell_are_mended(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    page_maker_text(maker, MAKER_ROMAN, 10, 72, 170, "the wavelength stability of lasers");
    booktabs(maker, 200, 216, 300);
    static const put cells[] = {
        {104, 212, "Property"}, {300, 212, "Value"},
        {400, 212, "Unit"},     {104, 230, "wavelength sta-"},
        {300, 230, "7.75"},     {400, 230, "nm"},
        {104, 242, "bility"},   {104, 258, "period"},
        {300, 258, "8.00"},     {400, 258, "MHz"},
        {104, 276, "noise"},    {300, 276, "0.20"},
        {400, 276, "rms"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "Property | Value | Unit\nwavelength stability | 7.75 | nm\nperiod | 8.00 | MHz\n"
                  "noise | 0.20 | rms\n");
}

/* ---- header ---- */

static void
a_heading_without_a_rule_spans_what_it_is_centred_over(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 230, 290);
    static const put cells[] = {
        {104, 226, "Year"},   {310, 212, "Total"}, {250, 226, "all"},  {390, 226, "some"},
        {104, 244, "Actual"}, {250, 244, "515"},   {390, 244, "374"},  {104, 258, "Later"},
        {250, 258, "520"},    {390, 258, "377"},   {104, 272, "Last"}, {250, 272, "525"},
        {390, 272, "380"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "Year{2x1} | Total{1x2}\nall | some\nActual | 515 | 374\n"
                  "Later | 520 | 377\nLast | 525 | 380\n");
}

static void
lines_of_a_header_stack_to_one_row(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 242, 300);
    static const put cells[] = {
        {104, 238, "Group"},       {250, 214, "Some first"}, {250, 226, "year of"},
        {250, 238, "taking part"}, {400, 238, "Total"},      {104, 256, "One"},
        {250, 256, "85.1"},        {400, 256, "100"},        {104, 270, "Two"},
        {250, 270, "17.3"},        {400, 270, "100"},        {104, 284, "Three"},
        {250, 284, "79.8"},        {400, 284, "100"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "Group | Some first year of taking part | Total\nOne | 85.1 | 100\n"
                  "Two | 17.3 | 100\nThree | 79.8 | 100\n");
}

static void
a_lone_figure_in_its_column_spans_nothing(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 320);
    static const put cells[] = {
        {104, 212, "Term"},    {250, 212, "(1)"},      {330, 212, "(2)"},      {410, 212, "(3)"},
        {104, 230, "Growth"},  {245, 230, "0.398***"}, {325, 230, "0.385***"}, {405, 230, "0.344"},
        {245, 244, "(0.087)"}, {325, 244, "(0.089)"},  {405, 244, "(0.088)"},  {104, 258, "Spread"},
        {331, 258, "0.000"},   {328, 272, "(0.001)"},  {104, 286, "Level"},    {331, 286, "0.010"},
        {328, 300, "(0.002)"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    g_autofree char *found = tables_of(maker);
    assert_null(strstr(found, "{1x3}"));
    assert_non_null(strstr(found, " |  | (0.001) | \n"));
}

/* The corner over the labels has no rule above it. */
static void
a_header_may_be_ruled_over_its_figures_alone(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    page_maker_rule_h(maker, 250, 500, 200);
    page_maker_rule_h(maker, 250, 500, 216);
    page_maker_rule_h(maker, 100, 500, 232);
    page_maker_rule_h(maker, 100, 500, 290);
    static const put cells[] = {
        {104, 220, "Measure"}, {360, 212, "Year"},  {260, 228, "1997"}, {350, 228, "1998"},
        {440, 228, "1999"},    {104, 246, "Gain"},  {260, 246, "0.45"}, {350, 246, "0.46"},
        {440, 246, "0.47"},    {104, 262, "Loss"},  {260, 262, "7.10"}, {350, 262, "6.90"},
        {440, 262, "6.80"},    {104, 278, "Years"}, {260, 278, "0.87"}, {350, 278, "0.88"},
        {440, 278, "0.89"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "Measure{2x1} | Year{1x3}\n1997 | 1998 | 1999\nGain | 0.45 | 0.46 | 0.47\n"
                  "Loss | 7.10 | 6.90 | 6.80\nYears | 0.87 | 0.88 | 0.89\n");
}

/* ---- columns ---- */

static void
a_heading_across_the_body_hides_no_column(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 300);
    static const put cells[] = {
        {104, 212, "Source"},
        {250, 212, "2008"},
        {320, 212, "2009"},
        {390, 212, "2010"},
        {273, 228, "Pupils, in all thousands"}, /* its middle over that of the three columns */
        {104, 242, "Actual"},
        {250, 242, "49.2"},
        {320, 242, "49.3"},
        {390, 242, "49.4"},
        {104, 256, "Guessed"},
        {250, 256, "49.6"},
        {320, 256, "49.8"},
        {390, 256, "50.0"},
        {104, 270, "Missed"},
        {250, 270, "49.5"},
        {320, 270, "49.6"},
        {390, 270, "49.7"},
        {104, 284, "Again"},
        {250, 284, "49.1"},
        {320, 284, "49.0"},
        {390, 284, "49.9"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    g_autofree char *found = tables_of(maker);
    assert_non_null(strstr(found, "Actual | 49.2 | 49.3 | 49.4\n"));
    assert_non_null(strstr(found, "Pupils, in all thousands{1x3}\n"));
}

static void
a_full_cell_may_come_close_to_its_neighbour(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 300);
    static const put cells[] = {
        {104, 212, "Work"},       {200, 212, "Studied"},
        {330, 212, "Method"},     {104, 228, "Grice"},
        {200, 228, "bandwidth"},  {330, 228, "theory"},
        {104, 242, "Kwon"},       {200, 242, "a multimode cw diode pumps"},
        {330, 242, "experiment"}, {104, 256, "Jha"},
        {200, 256, "coherence"},  {330, 256, "theory"},
        {104, 270, "Sanch"},      {200, 270, "pump chirp"},
        {330, 270, "theory"},     {104, 284, "Takeo"},
        {200, 284, "statistics"}, {330, 284, "theory"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    g_autofree char *found = tables_of(maker);
    assert_non_null(strstr(found, "Kwon | a multimode cw diode pumps | experiment\n"));
}

/* A typewriter's long numbers leave one blank between them, in the first row and the last. */
static void
numbers_one_blank_apart_are_cells(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 356);
    static const put header[] = {{104, 212, "Share"},
                                 {320, 212, "1.0"},
                                 {348, 212, "1.1"},
                                 {376, 212, "1.2"},
                                 {404, 212, "1.3"}};
    static const put ends[] = {{104, 228, "0.9"},
                               {310, 228, "1,360 1,440 1,520 1,600"},
                               {104, 354, "0.1"},
                               {310, 354, "1,760 1,840 1,920 2,000"}};
    PUT(maker, MAKER_ROMAN, header);
    PUT(maker, MAKER_ROMAN, ends);
    for (guint row = 1; row < 9; row++) {
        const float y = 228 + 14 * (float)row;
        page_maker_text(maker, MAKER_ROMAN, 10, 104, y, "0.5");
        for (guint c = 0; c < 4; c++) {
            g_autofree char *number = g_strdup_printf("%u", 136 + 17 * row + 29 * c);
            page_maker_text(maker, MAKER_ROMAN, 10, 320 + 28 * (float)c, y, number);
        }
    }
    g_autofree char *found = tables_of(maker);
    assert_non_null(strstr(found, "\n0.9 | 1,360 | 1,440 | 1,520 | 1,600\n"));
    assert_non_null(strstr(found, "\n0.1 | 1,760 | 1,840 | 1,920 | 2,000\n"));
}

/* Two of three rows say that there are two columns, the third that it is of both. */
static void
a_cell_in_the_middle_of_two_columns_spans_them(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 262);
    static const put cells[] = {
        {104, 212, "Kind"}, {302, 212, "Loss"}, {334, 212, "Gain"}, {104, 228, "Brass"},
        {302, 228, "2.86"}, {334, 228, "3.75"}, {104, 242, "Wood"}, {312, 242, "unknown"},
        {104, 256, "Tin"},  {302, 256, "2.75"}, {334, 256, "3.59"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "Kind | Loss | Gain\nBrass | 2.86 | 3.75\nWood | unknown{1x2}\n"
                  "Tin | 2.75 | 3.59\n");
}

static void
typed_tables_have_wide_blanks_and_leaders(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    page_maker_text(maker, MAKER_ROMAN, 10, 104, 190, "Table 1: Sizes for every share.");
    static const put cells[] = {
        {104, 212, "Share"},
        {300, 212, "1.0"},
        {360, 212, "1.1"},
        {420, 212, "1.2"},
        {104, 224, "----------------------------------------------------------------------"},
        {104, 236, "0.99 ..........."},
        {300, 236, "800"},
        {360, 236, "880"},
        {420, 236, "960"},
        {104, 248, "0.95 ..........."},
        {300, 248, "160"},
        {360, 248, "176"},
        {420, 248, "192"},
        {104, 260, "0.90 ..........."},
        {300, 260, "80"},
        {360, 260, "88"},
        {420, 260, "96"},
        {104, 272, "0.85 ..........."},
        {300, 272, "53"},
        {360, 272, "59"},
        {420, 272, "64"},
    };
    PUT(maker, MAKER_MONO, cells);
    expect(maker, "Share | 1.0 | 1.1 | 1.2\n0.99 | 800 | 880 | 960\n0.95 | 160 | 176 | 192\n"
                  "0.90 | 80 | 88 | 96\n0.85 | 53 | 59 | 64\n");
}

/* ---- rules and fills ---- */

static void
edges_between_fills_of_one_colour_are_no_rules(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    /* two lines of each label, each with its own background, in frames */
    for (guint r = 0; r < 3; r++) {
        float y = 200 + 30 * (float)r;
        for (guint i = 0; i < 2; i++)
            page_maker_fill(maker, 102, y + 2 + 13 * (float)i, 248, y + 15 + 13 * (float)i,
                            0xFFFFCC99);
        page_maker_rule_h(maker, 100, 400, y);
    }
    page_maker_rule_h(maker, 100, 400, 290);
    page_maker_rule_v(maker, 100, 200, 290);
    page_maker_rule_v(maker, 250, 200, 290);
    page_maker_rule_v(maker, 400, 200, 290);
    static const put cells[] = {
        {104, 212, "Chlorine and"}, {104, 225, "its compounds"}, {260, 219, "10000"},
        {104, 242, "Fluorine and"}, {104, 255, "its compounds"}, {260, 249, "5000"},
        {104, 272, "Bromine and"},  {104, 285, "its compounds"}, {260, 279, "100"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "Chlorine and its compounds | 10000\nFluorine and its compounds | 5000\n"
                  "Bromine and its compounds | 100\n");
}

static void
white_lines_on_a_fill_are_rules(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    page_maker_fill(maker, 100, 200, 400, 290, 0xFF336699);
    /* of white, as thin fills are drawn */
    for (guint r = 1; r < 3; r++) {
        parse_path line = {.kind = PARSE_PATH_RULE_H,
                           .color = 0xFFFFFFFF,
                           .n_segments = 1,
                           .box = {100, 199.5F + 30 * (float)r, 400, 200.5F + 30 * (float)r}};
        g_array_append_val(maker->paths, line);
    }
    parse_path line = {.kind = PARSE_PATH_RULE_V,
                       .color = 0xFFFFFFFF,
                       .n_segments = 1,
                       .box = {249.5F, 200, 250.5F, 290}};
    g_array_append_val(maker->paths, line);
    static const put cells[] = {
        {104, 212, "Sets of data"}, {104, 225, "Available"},  {260, 212, "47"},
        {104, 242, "Nations with"}, {104, 255, "Open sites"}, {260, 242, "21"},
        {104, 272, "States with"},  {104, 285, "Open sites"}, {260, 272, "29"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(
        maker,
        "Sets of data Available | 47\nNations with Open sites | 21\nStates with Open sites | 29\n");
}

static void
a_shaded_body_has_its_header_above(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    page_maker_rule_h(maker, 100, 500, 200);
    page_maker_fill(maker, 100, 218, 500, 276, 0xFFEEEEEE);
    page_maker_rule_h(maker, 100, 500, 218);
    page_maker_rule_h(maker, 100, 500, 276);
    page_maker_rule_v(maker, 240, 218, 276);
    static const put cells[] = {
        {104, 212, "Source"}, {250, 212, "Kind"},  {400, 212, "Words"},  {104, 232, "First"},
        {250, 232, "Web"},    {400, 232, "3.32"},  {104, 250, "Second"}, {250, 250, "Code"},
        {400, 250, "7.00"},   {104, 268, "Third"}, {250, 268, "Papers"}, {400, 268, "5.11"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(
        maker,
        "Source | Kind | Words\nFirst | Web | 3.32\nSecond | Code | 7.00\nThird | Papers | 5.11\n");
}

static void
rows_shaded_by_turns_are_one_table(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    page_maker_text(maker, MAKER_ROMAN, 10, 104, 190, "Table 1: Shades.");
    /* the header darker, then every other row, cell by cell */
    for (guint c = 0; c < 3; c++) {
        const float x = 100 + 100 * (float)c;
        page_maker_fill(maker, x, 196, x + 100, 210, 0xFFBBBBBB);
        page_maker_fill(maker, x, 210, x + 100, 224, 0xFFEEEEEE);
        page_maker_fill(maker, x, 238, x + 100, 252, 0xFFEEEEEE);
    }
    static const put cells[] = {
        {104, 206, "First"}, {204, 206, "Second"}, {304, 206, "Third"}, {104, 220, "a"},
        {204, 220, "1"},     {304, 220, "2"},      {104, 234, "b"},     {204, 234, "3"},
        {304, 234, "4"},     {104, 248, "c"},      {204, 248, "5"},     {304, 248, "6"},
        {104, 262, "d"},     {204, 262, "7"},      {304, 262, "8"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "First | Second | Third\na | 1 | 2\nb | 3 | 4\nc | 5 | 6\nd | 7 | 8\n");
}

static void
a_frame_keeps_title_and_source_out_of_its_table(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    static const float ys[] = {200, 220, 240, 260, 280, 300};
    for (guint i = 0; i < G_N_ELEMENTS(ys); i++)
        page_maker_rule_h(maker, 100, 500, ys[i]);
    page_maker_rule_v(maker, 100, 200, 300);
    page_maker_rule_v(maker, 500, 200, 300);
    page_maker_rule_v(maker, 250, 220, 280);
    page_maker_rule_v(maker, 380, 220, 280);
    static const put cells[] = {
        {150, 214, "Kinds of tests and of those who took part in them"},
        {104, 234, "Kind"},
        {260, 234, "General"},
        {390, 234, "Other"},
        {104, 254, "Marks"},
        {260, 254, "Grades"},
        {390, 254, "Levels"},
        {104, 274, "Who"},
        {260, 274, "All"},
        {390, 274, "Some"},
        {104, 294, "Source: the centre of tests and its yearly meeting of the year before"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "Kind | General | Other\nMarks | Grades | Levels\nWho | All | Some\n");
}

/* ---- no tables ---- */

static void
the_axes_of_a_plot_are_no_table(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    static const put cells[] = {
        {150, 210, "54,000"}, {420, 210, "0.50"}, {150, 228, "53,000"}, {420, 228, "0.48"},
        {150, 246, "52,000"}, {420, 246, "0.46"}, {150, 264, "51,000"}, {420, 264, "0.44"},
        {150, 282, "50,000"}, {420, 282, "0.42"}, {150, 300, "49,000"}, {420, 300, "0.40"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "");
}

/* What stands in one corner of a frame is not its cells. */
static void
the_legend_of_a_plot_is_no_table(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    page_maker_rule_h(maker, 100, 500, 200);
    page_maker_rule_h(maker, 100, 500, 390);
    page_maker_rule_v(maker, 100, 200, 390);
    page_maker_rule_v(maker, 500, 200, 390);
    page_maker_rule_h(maker, 100, 500, 300);
    static const put cells[] = {
        {130, 220, "Greece"}, {210, 220, "Spain"},    {130, 240, "Ireland"},
        {210, 240, "Italy"},  {130, 260, "Portugal"}, {210, 260, "Malta"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "");
}

/* Bars with their values in a frame, below it their axis. */
static void
bars_over_their_axis_are_no_table(void **state)
{
    (void)state;
    for (guint uneven = 0; uneven < 2; uneven++) {
        page_maker *maker = page_new();
        for (guint i = 0; i < 4; i++)
            page_maker_rule_h(maker, 100, 500, 200 + 30 * (float)i);
        for (guint i = 0; i < 5; i++)
            page_maker_rule_v(maker, 100 + 100 * (float)i, 200, 290);
        static const put cells[] = {
            {110, 220, "2001"}, {220, 220, "30.5"}, {320, 220, "49.0"}, {420, 220, "20.4"},
            {110, 250, "2005"}, {220, 250, "29.7"}, {320, 250, "48.6"}, {420, 250, "21.7"},
            {110, 280, "2010"}, {220, 280, "28.7"}, {320, 280, "46.3"}, {420, 280, "25.0"},
        };
        PUT(maker, MAKER_ROMAN, cells);
        for (guint i = 0; i < 6; i++) {
            g_autofree char *step = g_strdup_printf("%u", 20 * i + (i == 3 ? 7 * uneven : 0));
            page_maker_text(maker, MAKER_ROMAN, 10, 110 + 70 * (float)i, 304, step);
        }
        lode_document *document = page_maker_document(&maker, 1);
        assert_int_equal(document->n_tables, uneven);
        lode_document_free(document);
    }
}

static void
the_same_numbers_in_uneven_steps_are_one(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    static const put cells[] = {
        {150, 210, "54,000"}, {300, 210, "good"},   {420, 210, "0.50"},   {150, 228, "51,700"},
        {300, 228, "fair"},   {420, 228, "0.47"},   {150, 246, "50,100"}, {300, 246, "poor"},
        {420, 246, "0.46"},   {150, 264, "47,900"}, {300, 264, "good"},   {420, 264, "0.41"},
        {150, 282, "47,000"}, {300, 282, "fair"},   {420, 282, "0.38"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    expect(maker, "54,000 | good | 0.50\n51,700 | fair | 0.47\n50,100 | poor | 0.46\n47,900 | good "
                  "| 0.41\n47,000 | fair | 0.38\n");
}

static void
years_that_head_rows_are_no_line_numbers(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    page_maker_text(maker, MAKER_ROMAN, 10, 100, 90,
                    "Table 1. Pupils of all schools in every year of the count");
    page_maker_rule_h(maker, 100, 500, 100);
    page_maker_rule_h(maker, 100, 500, 120);
    page_maker_text(maker, MAKER_ROMAN, 10, 104, 114, "Year");
    page_maker_text(maker, MAKER_ROMAN, 10, 250, 114, "Total");
    page_maker_text(maker, MAKER_ROMAN, 10, 400, 114, "Grades");
    for (guint i = 0; i < 30; i++) {
        g_autofree char *year = g_strdup_printf("%u", 1990 + i),
                        *a = g_strdup_printf("%u", 515 + 7 * i % 11),
                        *b = g_strdup_printf("%u", 374 + 5 * i % 13);
        float y = 134 + 14 * (float)i;
        page_maker_text(maker, MAKER_ROMAN, 10, 104, y, year);
        page_maker_text(maker, MAKER_ROMAN, 10, 250, y, a);
        page_maker_text(maker, MAKER_ROMAN, 10, 400, y, b);
    }
    page_maker_rule_h(maker, 100, 500, 134 + 14 * 29 + 6);
    g_autofree char *found = tables_of(maker);
    assert_true(g_str_has_prefix(found, "Year | Total | Grades\n1990 | 515 | 374\n"));
    assert_non_null(strstr(found, "\n2019 | "));
}

/* ---- columns, mathematics, notes ---- */

static void
cells_say_how_their_columns_are_aligned(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 270);
    static const put cells[] = {
        {104, 212, "Name"},   {275, 212, "Count"}, {367.5F, 212, "Class"}, {437, 212, "Value"},
        {104, 232, "aa"},     {295, 232, "7"},     {375, 232, "ab"},       {445, 232, "1.25"},
        {104, 246, "bbbb"},   {285, 246, "123"},   {365, 246, "abcdef"},   {440, 246, "12.5"},
        {104, 260, "cccccc"}, {290, 260, "12"},    {370, 260, "abcd"},     {435, 260, "103.125"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    g_autoptr(lode_document) document = page_maker_document(&maker, 1);
    assert_int_equal(document->n_tables, 1);
    assert_string_equal(document->tables[0].align, "lrcd");
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    assert_non_null(strstr(markdown, "| :--- | ---: | :---: | ---: |\n"));
    g_autofree char *html = layout_document_to_html(document, NULL);
    assert_non_null(strstr(html, "<td style=\"text-align: center\">abcdef</td>"));
}

static void
mathematics_in_cells_is_latex_but_numbers_are_not(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 270);
    static const put cells[] = {
        {104, 212, "Size"},       {300, 212, "Share"}, {104, 232, "12 kg"}, {300, 232, "0.5"},
        {323, 232, "0.1"},        {104, 246, "CO2"},   {300, 246, "0.7"},   {323, 246, "0.2"},
        {104, 260, "more of it"}, {300, 260, "0.9"},   {323, 260, "0.1"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    page_maker_text(maker, MAKER_MATH, 10, 127, 212, "n");
    for (guint i = 0; i < 3; i++)
        page_maker_text(maker, MAKER_MATH, 10, 316.5F, 232 + 14 * (float)i, "\xC2\xB1");
    expect(maker, "Size $n$ | Share\n12 kg | 0.5\xC2\xB1\x30.1\nCO2 | 0.7\xC2\xB1\x30.2\n"
                  "more of it | 0.9\xC2\xB1\x30.1\n");
}

static void
notes_under_a_table_are_its_own(void **state)
{
    (void)state;
    page_maker *maker = page_new();
    booktabs(maker, 200, 216, 270);
    static const put cells[] = {
        {104, 212, "Dose"}, {300, 212, "Weight"}, {104, 232, "250"}, {300, 232, "5.9*"},
        {104, 246, "500"},  {300, 246, "6.1"},    {104, 260, "750"}, {300, 260, "6.4"},
    };
    PUT(maker, MAKER_ROMAN, cells);
    page_maker_text(maker, MAKER_ROMAN, 8, 100, 282, "* of those that were weighed twice");
    g_autoptr(lode_document) document = page_maker_document(&maker, 1);
    assert_int_equal(document->n_tables, 1);
    const layout_block *note = document_find(document, LAYOUT_BLOCK_FOOTNOTE, "* of those");
    assert_non_null(note);
    assert_int_equal(note->parent, document->tables[0].block);
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    assert_non_null(strstr(markdown, "| 6.4 |\n\n\\* of those that were weighed twice\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrapped_label_with_its_values_in_the_middle_is_one_row),
        cmocka_unit_test(sentences_that_wrap_stay_in_their_cells),
        cmocka_unit_test(headings_of_row_groups_stay_rows),
        cmocka_unit_test(a_label_in_the_middle_of_its_rows_spans_them),
        cmocka_unit_test(tables_side_by_side_keep_their_captions),
        cmocka_unit_test(words_broken_in_a_cell_are_mended),
        cmocka_unit_test(a_heading_without_a_rule_spans_what_it_is_centred_over),
        cmocka_unit_test(lines_of_a_header_stack_to_one_row),
        cmocka_unit_test(a_lone_figure_in_its_column_spans_nothing),
        cmocka_unit_test(a_header_may_be_ruled_over_its_figures_alone),
        cmocka_unit_test(a_heading_across_the_body_hides_no_column),
        cmocka_unit_test(a_full_cell_may_come_close_to_its_neighbour),
        cmocka_unit_test(numbers_one_blank_apart_are_cells),
        cmocka_unit_test(a_cell_in_the_middle_of_two_columns_spans_them),
        cmocka_unit_test(typed_tables_have_wide_blanks_and_leaders),
        cmocka_unit_test(edges_between_fills_of_one_colour_are_no_rules),
        cmocka_unit_test(white_lines_on_a_fill_are_rules),
        cmocka_unit_test(a_shaded_body_has_its_header_above),
        cmocka_unit_test(rows_shaded_by_turns_are_one_table),
        cmocka_unit_test(a_frame_keeps_title_and_source_out_of_its_table),
        cmocka_unit_test(the_axes_of_a_plot_are_no_table),
        cmocka_unit_test(the_legend_of_a_plot_is_no_table),
        cmocka_unit_test(bars_over_their_axis_are_no_table),
        cmocka_unit_test(the_same_numbers_in_uneven_steps_are_one),
        cmocka_unit_test(years_that_head_rows_are_no_line_numbers),
        cmocka_unit_test(cells_say_how_their_columns_are_aligned),
        cmocka_unit_test(mathematics_in_cells_is_latex_but_numbers_are_not),
        cmocka_unit_test(notes_under_a_table_are_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
