/* The small judgements on text: captions, headings, list markers, hyphens, references, mathematics. */
#include "layout/analyze.h"
#include "layout/formula.h"
#include "layout/mathtext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

static layout_caption_kind
match(const char *text, gboolean *strong)
{
    return layout_caption_match(text, strlen(text), NULL, strong);
}

static void
captions_need_a_number_and_a_separator(void **state)
{
    (void)state;
    gboolean strong = FALSE;
    gsize len = 0;
    assert_int_equal(layout_caption_match("Figure 3: Shape", 15, &len, &strong),
                     LAYOUT_CAPTION_FIGURE);
    assert_int_equal(len, 8);
    assert_true(strong);
    assert_int_equal(match("FIG. 2. Shape", &strong), LAYOUT_CAPTION_FIGURE);
    assert_true(strong);
    assert_int_equal(match("Table S1 | Rates", &strong), LAYOUT_CAPTION_TABLE);
    assert_true(strong);
    assert_int_equal(match("TABLE IV", &strong), LAYOUT_CAPTION_TABLE);
    assert_true(strong);
    assert_int_equal(match("Figure BR2. | Rates by age", &strong), LAYOUT_CAPTION_FIGURE);
    assert_true(strong);
    assert_int_equal(match("Appendix Table A.1: Rates", &strong), LAYOUT_CAPTION_TABLE);
    assert_true(strong);
    assert_int_equal(match("Extended Data Fig. 3 | Rates", &strong), LAYOUT_CAPTION_FIGURE);
    assert_true(strong);
    assert_int_equal(match("\xD0\xA0\xD0\xB8\xD1\x81. 4. Rates", &strong), LAYOUT_CAPTION_FIGURE);
    assert_true(strong);
    assert_int_equal(match("Table ROWS2", &strong), LAYOUT_CAPTION_NONE);
    assert_int_equal(match("Figure 2.1: Rates . . . . . . 21", &strong), LAYOUT_CAPTION_NONE);
    assert_int_equal(match("Figure 3 shows that it works", &strong), LAYOUT_CAPTION_FIGURE);
    assert_false(strong);
    assert_int_equal(match("figure 3: inside a sentence", &strong), LAYOUT_CAPTION_NONE);
    assert_int_equal(match("Figures are nice", &strong), LAYOUT_CAPTION_NONE);
    assert_int_equal(match("Table", &strong), LAYOUT_CAPTION_NONE);
}

static void
heading_numbers_have_depth(void **state)
{
    (void)state;
    assert_int_equal(layout_heading_parse("2.3.1 Data").depth, 3);
    assert_int_equal(layout_heading_parse("IV. RESULTS").depth, 1);
    assert_true(layout_heading_parse("IV. RESULTS").numbered);
    assert_true(layout_heading_parse("A.2 Proofs").numbered);
    assert_int_equal(layout_heading_parse("A.2 Proofs").depth, 2);
    assert_true(layout_heading_parse("3 Methods").known);
    assert_false(layout_heading_parse("A new method").numbered);
    assert_false(layout_heading_parse("2020 was a year").numbered);
    assert_false(layout_heading_parse("3.5").numbered);
    assert_true(layout_heading_is_references("6. R EFERENCES"));
    assert_false(layout_heading_is_references("References to it are rare"));
}

static void
list_markers_need_room_behind(void **state)
{
    (void)state;
    g_autofree char *marker = NULL;
    assert_int_equal(layout_list_marker("(ii) second", &marker), 5);
    assert_string_equal(marker, "(ii)");
    assert_int_equal(layout_list_marker("\xE2\x80\xA2 item", NULL), 4);
    assert_int_equal(layout_list_marker("3) item", NULL), 3);
    assert_int_equal(layout_list_marker("-glued", NULL), 0);
    assert_int_equal(layout_list_marker("operations", NULL), 0);
    assert_int_equal(layout_list_marker("3.5 percent", NULL), 0);
    assert_int_equal(layout_list_marker("B. Author", NULL), 0);
}

static gboolean
drops(const layout_work *work, const char *left, const char *right)
{
    return layout_hyphen_drops(work, left, strlen(left), right, strlen(right));
}

static void
the_document_knows_its_hyphens(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    static const char *const words[] = {"well-known", "optimization", "state-of-the-art"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        g_hash_table_insert(work->vocabulary, g_strdup(words[i]), GUINT_TO_POINTER(1));
    assert_true(drops(work, "an opti", "mization problem"));
    assert_false(drops(work, "a well", "known fact"));
    assert_false(drops(work, "the state", "of-the-art method"));
    assert_true(drops(work, "some un", "seen word"));
    assert_false(drops(work, "the Smith", "Jones rule"));
    assert_false(drops(work, "see https://a.org/some", "thing"));
    assert_false(drops(work, "COVID-19", "2020"));
}

static void
identifiers_are_found_in_entries(void **state)
{
    (void)state;
    gsize len = 0;
    const char *at = layout_find_doi("see https://doi.org/10.1145/12345.678. Then", &len);
    assert_non_null(at);
    assert_int_equal(len, strlen("10.1145/12345.678"));
    assert_null(layout_find_doi("version 10.2 of it", &len));
    at = layout_find_arxiv("arXiv preprint arXiv:2301.01234v2, 2023", &len);
    assert_non_null(at);
    assert_memory_equal(at, "2301.01234v2", 12);
    assert_int_equal(len, 12);
    assert_null(layout_find_arxiv("arXiv is an archive", &len));
    g_autofree char *marker = NULL;
    assert_int_equal(layout_reference_marker("[12] A. Author", &marker), 5);
    assert_string_equal(marker, "[12]");
}

static void
inline_mathematics_becomes_one_span(void **state)
{
    (void)state;
    const char *text = "where x = 5 holds";
    layout_span x = {6, 1, LAYOUT_SPAN_MATH, NULL};
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(layout_span));
    GStringChunk *strings = g_string_chunk_new(64);
    g_array_append_val(spans, x);
    layout_math_spans(text, strlen(text), spans, strings, NULL, NULL);
    assert_int_equal(spans->len, 1);
    const layout_span *span = &g_array_index(spans, layout_span, 0);
    assert_int_equal(span->start, 6);
    assert_int_equal(span->len, 5);
    assert_string_equal(span->target, "x = 5");
    g_string_chunk_free(strings);
}

static void
other_spans_survive_mathematics(void **state)
{
    (void)state;
    /* bold word, then a variable with a subscript, then italics */
    const char *text = "Bold xi and more";
    layout_span in[] = {{0, 4, LAYOUT_SPAN_BOLD, NULL},
                        {5, 1, LAYOUT_SPAN_MATH, NULL},
                        {6, 1, LAYOUT_SPAN_MATH | LAYOUT_SPAN_SUBSCRIPT, NULL},
                        {12, 4, LAYOUT_SPAN_ITALIC, NULL}};
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(layout_span));
    GStringChunk *strings = g_string_chunk_new(64);
    g_array_append_vals(spans, in, G_N_ELEMENTS(in));
    layout_math_spans(text, strlen(text), spans, strings, NULL, NULL);
    assert_int_equal(spans->len, 3);
    assert_int_equal(g_array_index(spans, layout_span, 0).flags, LAYOUT_SPAN_BOLD);
    assert_string_equal(g_array_index(spans, layout_span, 1).target, "x_{i}");
    assert_int_equal(g_array_index(spans, layout_span, 2).start, 12);
    g_string_chunk_free(strings);
}

/* A stretch of a paragraph and its look: words in m{} are of a math font, in i{} and b{} italic and bold, ^{} and _{}
 * scripts, also within those. */
typedef struct {
    GString *text;
    GArray *spans;
} look;

static const char *
look_read(look *l, const char *at, guint flags)
{
    while (*at != '\0' && *at != '}') {
        static const char keys[] = "mib^_";
        static const guint styles[] = {LAYOUT_SPAN_MATH, LAYOUT_SPAN_ITALIC, LAYOUT_SPAN_BOLD,
                                       LAYOUT_SPAN_SUPERSCRIPT, LAYOUT_SPAN_SUBSCRIPT};
        const char *key = at[1] == '{' ? strchr(keys, *at) : NULL;
        if (key != NULL) {
            at = look_read(l, at + 2, flags | styles[key - keys]) + 1;
            continue;
        }
        const char *end = g_utf8_next_char(at);
        layout_span span = {(uint32_t)l->text->len, (uint32_t)(end - at), flags, NULL};
        g_string_append_len(l->text, at, end - at);
        if (flags != 0) g_array_append_val(l->spans, span);
        at = end;
    }
    return at;
}

/* What of the marked text is mathematics: "$...$" around it, LaTeX left as it is. */
static char *
math_of(const char *marked)
{
    look l = {g_string_new(NULL), g_array_new(FALSE, FALSE, sizeof(layout_span))};
    GStringChunk *strings = g_string_chunk_new(64);
    look_read(&l, marked, 0);
    layout_math_spans(l.text->str, l.text->len, l.spans, strings, NULL, NULL);
    GString *out = g_string_new(NULL);
    gsize at = 0;
    for (guint i = 0; i < l.spans->len; i++) {
        const layout_span *s = &g_array_index(l.spans, layout_span, i);
        if (!(s->flags & LAYOUT_SPAN_MATH)) continue;
        g_string_append_len(out, l.text->str + at, (gssize)(s->start - at));
        g_string_append_c(out, '$');
        g_string_append_len(out, l.text->str + s->start, (gssize)s->len);
        g_string_append_c(out, '$');
        at = s->start + s->len;
    }
    g_string_append(out, l.text->str + at);
    g_array_unref(l.spans);
    g_string_free(l.text, TRUE);
    g_string_chunk_free(strings);
    return g_string_free(out, FALSE);
}

static void
assert_math(const char *marked, const char *expected)
{
    g_autofree char *found = math_of(marked);
    assert_string_equal(found, expected);
}

static void
formulas_in_text_take_their_operands_along(void **state)
{
    (void)state;
    assert_math("we set m{x} = 5 and m{y} m{∈} [0, 1] here",
                "we set $x = 5$ and $y ∈ [0, 1]$ here");
    assert_math("of size 2m{n} + 1, or 3 m{<} m{k}", "of size $2n + 1$, or $3 < k$");
    assert_math("about m{∼}5 of them", "about $∼$5 of them");
    assert_math("a map m{f} : m{X} m{→} m{Y} that", "a map $f : X → Y$ that");
    assert_math("for m{i} = 1m{,} m{.} m{.} m{.} , m{N} there", "for $i = 1, . . . , N$ there");
    assert_math("the i{d}_{model} = 128 of m{ℓ}", "the $dmodel = 128$ of $ℓ$");
    assert_math("1 + 3 + m{·}m{·}m{·} + (2m{k} m{−} 1) = m{k}^{2}.",
                "$1 + 3 + ··· + (2k − 1) = k2$.");
}

static void
functions_in_text_take_their_arguments_along(void **state)
{
    (void)state;
    assert_math("then ReLU(m{x} m{−} 1) is", "then $ReLU(x − 1)$ is");
    assert_math("as log(1 + m{Δ}m{t}) grows", "as $log(1 + Δt)$ grows");
    assert_math("with P(user) m{>} 0.85 for", "with $P(user) > 0.85$ for");
    assert_math("the eigenvalues m{λ}(b{H}(m{x})) of", "the eigenvalues $λ(H(x))$ of");
    assert_math("that (m{x}, m{y}) is a pair and (m{x}) an aside",
                "that $(x, y)$ is a pair and ($x$) an aside");
    assert_math("is (m{n} m{−} 1)!/2 since m{n}", "is $(n − 1)!/2$ since $n$");
    assert_math("of m{⟨}open, shut (twice)m{⟩} at m{k}", "of $⟨open, shut (twice)⟩$ at $k$");
    assert_math("that m{n}! m{=} m{n}(m{n} m{−} 1)! grows", "that $n! = n(n − 1)!$ grows");
}

static void
vectors_and_variables_of_text_fonts_are_mathematics(void **state)
{
    (void)state;
    assert_math("rows of b{A} define m{γ} here", "rows of $A$ define $γ$ here");
    assert_math("the minimizer b{i{x}} of m{f}", "the minimizer $x$ of $f$");
    assert_math("where i{s} is the error and m{μ} its mean",
                "where $s$ is the error and $μ$ its mean");
    /* but not the labels of panels, nor names that are cut short */
    assert_math("m{μ} and (b{a}) the first. b{B} the second",
                "$μ$ and (a) the first. B the second");
    assert_math("m{α} of i{E. coli} grew", "$α$ of E. coli grew");
    assert_math("m{α} of i{E}. i{coli} grew", "$α$ of E. coli grew");
}

static void
chemistry_units_isotopes_and_genes_stay_text(void **state)
{
    (void)state;
    assert_math("the SO_{4}^{2m{−}} ions and Ca^{2+} at m{μ}", "the SO42− ions and Ca2+ at $μ$");
    assert_math("12 W m^{m{−}2} and 3 kg m^{m{−}3} s^{m{−}1}", "12 W m−2 and 3 kg m−3 s−1");
    assert_math("2NH_{3} m{→} N_{2} + 3H_{2} by m{β}", "2NH3 $→$ N2 + 3H2 by $β$");
    assert_math("the ^{14}C and ^{238}U of m{λ}", "the 14C and 238U of $λ$");
    assert_math("the i{TP53} and i{lacZ} genes at m{p} < 0.05",
                "the TP53 and lacZ genes at $p < 0.05$");
    assert_math("of H_{2}O, D_{2}O and CO_{2} at m{T}", "of H2O, D2O and CO2 at $T$");
    assert_math("m{μ} as was shown^{5,6} by others^{12}", "$μ$ as was shown5,6 by others12");
    assert_math("m{A} <a.b@c.org>, of 5 km/s", "$A$ <a.b@c.org>, of 5 km/s");
}

static layout_mark
mark(float x, float y, gunichar ch)
{
    return (layout_mark){
        .x0 = x, .x1 = x + 5, .y = y, .size_pt = 10, .ch = ch, .flags = LAYOUT_SPAN_MATH};
}

/* MathTime and its free replacement, TeX Gyre, XITS, Cambria: known without looking into the font. */
static void
fonts_of_mathematics_are_known_by_their_names(void **state)
{
    (void)state;
    static const char *const math[] = {"MTMI",
                                       "RMTMI",
                                       "MTSY",
                                       "MTEX",
                                       "MTGU",
                                       "MT2MIT",
                                       "MT2SYS",
                                       "MT2EXA",
                                       "RBLMI",
                                       "BLSY",
                                       "BLEX",
                                       "CambriaMath",
                                       "TeXGyreTermesMath-Regular",
                                       "TeXGyrePagellaX-Math",
                                       "XITSMath",
                                       "STIXTwoMath-Regular",
                                       "AsanaMath"};
    static const char *const text[] = {"MTCORSVA", "TeXGyreTermes-Regular", "Cambria",
                                       "Blackadder"};
    g_autoptr(layout_work) work = layout_work_new();
    for (guint i = 0; i < G_N_ELEMENTS(math) + G_N_ELEMENTS(text); i++) {
        const gboolean is_math = i < G_N_ELEMENTS(math);
        const parse_font font = {.name = is_math ? math[i] : text[i - G_N_ELEMENTS(math)]};
        const guint id = layout_font_intern(work, &font);
        assert_int_equal((layout_work_font(work, id)->flags & LAYOUT_SPAN_MATH) != 0, is_math);
    }
}

static void
a_rule_with_letters_on_both_sides_is_a_fraction(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    const parse_font font = {.name = "CMMI10"};
    assert_int_equal(layout_font_intern(work, &font), 0);
    const layout_mark marks[] = {mark(10, 100, 'y'), mark(18, 100, '='), mark(30, 93, 'a'),
                                 mark(30, 107, 'b')};
    const layout_rule rule = {28, 37, 97, 97.4F, 0.4F};
    float confidence;
    g_autofree char *latex =
        layout_formula_build(work, marks, G_N_ELEMENTS(marks), &rule, 1, &confidence);
    assert_string_equal(latex, "y=\\frac{a}{b}");
    assert_true(confidence == 1);
    /* a rule that nothing explains */
    const layout_rule stray = {60, 90, 97, 97.4F, 0.4F};
    g_autofree char *same = layout_formula_build(work, marks, 2, &stray, 1, &confidence);
    assert_string_equal(same, "y=");
    assert_true(confidence < 1);
}

static void
pieces_of_formulas_are_trusted_less_than_whole_ones(void **state)
{
    (void)state;
    static const char *const whole[] = {
        "y=Cx", "x^{2}+y^{2}\\leq r^{2},", "-x<[0,\\infty)",
        "f(x)=\\begin{cases} 0 & x<0 \\\\ 1 & x\\geq0 \\end{cases}"};
    static const char *const pieces[] = {
        "h_{\\min}", "+\\mu^{2}C", "x_{t-1}-x_{t-2}",
        "a=b+",      "(a+b=c",     "\\underline{x_{t-\\tau}-x_{t-\\tau-1}}\\Bigg)",
        ""};
    for (guint i = 0; i < G_N_ELEMENTS(whole); i++)
        assert_true(layout_formula_trust(whole[i]) >= LAYOUT_FORMULA_SURE);
    for (guint i = 0; i < G_N_ELEMENTS(pieces); i++)
        assert_true(layout_formula_trust(pieces[i]) < LAYOUT_FORMULA_SURE);
}

static void
formulas_of_no_size_or_far_too_many_characters_are_refused(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    const parse_font font = {.name = "CMMI10"};
    layout_font_intern(work, &font);
    float confidence = 1;
    assert_null(layout_formula_build(work, NULL, 0, NULL, 0, &confidence));
    assert_true(confidence == 0);
    g_autofree layout_mark *marks = g_new0(layout_mark, 5000);
    for (guint i = 0; i < 5000; i++)
        marks[i] = mark((float)i, 100, 'x');
    assert_null(layout_formula_build(work, marks, 5000, NULL, 0, &confidence));
    /* all in one place, and nowhere */
    for (guint i = 0; i < 300; i++)
        marks[i] = mark(0, i % 2 ? NAN : 0, i % 4 == 0 ? 'x' : i % 4 == 1 ? '(' : '+');
    g_autofree char *latex = layout_formula_build(work, marks, 300, NULL, 0, &confidence);
    assert_true(confidence >= 0 && confidence <= 1);
}

static void
a_heap_of_operators_comes_to_an_end(void **state)
{
    (void)state;
    static const gunichar kinds[] = {0x2211, 'x',   '(', ')',    0x221A,
                                     '=',    0x302, '1', 0x239B, 0x23DE};
    g_autoptr(layout_work) work = layout_work_new();
    const parse_font font = {.name = "CMEX10", .flags = PARSE_FONT_MATH_EXTENSION};
    layout_font_intern(work, &font);
    g_autofree layout_mark *marks = g_new0(layout_mark, 1500);
    layout_rule rules[64];
    guint32 seed = 1;
    for (guint i = 0; i < 1500; i++) {
        seed = seed * 1664525 + 1013904223;
        const float x = (float)(seed >> 8 & 255), y = (float)(seed >> 16 & 63);
        marks[i] = mark(x, y, kinds[seed >> 24 & 7]);
        if (i % 9 == 0) marks[i].ch = kinds[8 + i % 2];
        marks[i].size_pt = i % 3 == 0 ? 10 : 6;
        if (i % 5 == 0) marks[i].top = y - 20, marks[i].bottom = y + 20;
    }
    for (guint i = 0; i < 64; i++)
        rules[i] = (layout_rule){(float)i, (float)(2 * i + 5), (float)i, (float)i + 0.4F, 0.4F};
    float confidence;
    g_autofree char *latex =
        layout_formula_build(work, marks, 1500, rules, G_N_ELEMENTS(rules), &confidence);
    assert_non_null(latex);
    int depth = 0;
    for (const char *at = latex; *at != '\0'; at++) {
        const gboolean escaped = at > latex && at[-1] == '\\';
        depth += escaped ? 0 : *at == '{' ? 1 : *at == '}' ? -1 : 0;
        assert_true(depth >= 0);
    }
    assert_int_equal(depth, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captions_need_a_number_and_a_separator),
        cmocka_unit_test(heading_numbers_have_depth),
        cmocka_unit_test(list_markers_need_room_behind),
        cmocka_unit_test(the_document_knows_its_hyphens),
        cmocka_unit_test(identifiers_are_found_in_entries),
        cmocka_unit_test(inline_mathematics_becomes_one_span),
        cmocka_unit_test(other_spans_survive_mathematics),
        cmocka_unit_test(formulas_in_text_take_their_operands_along),
        cmocka_unit_test(functions_in_text_take_their_arguments_along),
        cmocka_unit_test(vectors_and_variables_of_text_fonts_are_mathematics),
        cmocka_unit_test(chemistry_units_isotopes_and_genes_stay_text),
        cmocka_unit_test(fonts_of_mathematics_are_known_by_their_names),
        cmocka_unit_test(a_rule_with_letters_on_both_sides_is_a_fraction),
        cmocka_unit_test(pieces_of_formulas_are_trusted_less_than_whole_ones),
        cmocka_unit_test(formulas_of_no_size_or_far_too_many_characters_are_refused),
        cmocka_unit_test(a_heap_of_operators_comes_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
