/* MathML and OMML as LaTeX: what each structure becomes, and that nothing hostile breaks its balance. That TeX takes
 * all of these is the test layout_readers_typeset. */
#include <glib.h>
#include <libxml/parser.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "layout/readers/tex.h"

typedef struct {
    const char *markup, *latex;
} math_case;

static const math_case mathml[] = {
    {"<mi>x</mi><mo>=</mo><mn>12</mn>", "x=12"},
    {"<msup><mi>x</mi><mn>2</mn></msup>", "x^{2}"},
    {"<msup><msup><mi>x</mi><mn>2</mn></msup><mn>3</mn></msup>", "{x^{2}}^{3}"},
    {"<msubsup><mi mathvariant='bold'>A</mi><mi>i</mi><mi>j</mi></msubsup>", "\\mathbf{A}_{i}^{j}"},
    {"<mfrac><mrow><mi>a</mi><mo>+</mo><mi>&#x3b2;</mi></mrow><mn>2</mn></mfrac>",
     "\\frac{a+\\beta}{2}"},
    {"<mfrac linethickness='0'><mi>n</mi><mi>k</mi></mfrac>", "\\genfrac{}{}{0pt}{}{n}{k}"},
    {"<msqrt><mi>a</mi><mi>b</mi></msqrt><mroot><mi>x</mi><mn>3</mn></mroot>",
     "\\sqrt{ab}\\sqrt[{3}]{x}"},
    {"<munderover><mo>&#x2211;</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></"
     "munderover>"
     "<msub><mi>x</mi><mi>i</mi></msub>",
     "\\sum_{i=1}^{n}x_{i}"},
    {"<munder><mi>lim</mi><mrow><mi>n</mi><mo>&#x2192;</mo><mi>&#x221e;</mi></mrow></munder>",
     "\\lim_{n\\rightarrow \\infty}"},
    {"<mover><mi>x</mi><mo>^</mo></mover><mover><mrow><mi>a</mi><mi>b</mi></mrow><mo>&#xaf;</mo></"
     "mover>",
     "\\hat{x}\\overline{ab}"},
    {"<munder><munder><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mo>&#x23df;</mo></"
     "munder><mtext>sum"
     "</mtext></munder>",
     "\\underbrace{a+b}_{\\text{sum}}"},
    {"<mo>(</mo><mfrac><mn>1</mn><mn>2</mn></mfrac><mo>)</mo>", "\\left(\\frac{1}{2}\\right)"},
    {"<mo>(</mo><mi>x</mi><mo>)</mo>", "(x)"},
    {"<mi>f</mi><mo>=</mo><mo>{</mo><mtable><mtr><mtd><mn>0</mn></mtd><mtd><mtext>if "
     "</mtext></mtd></mtr>"
     "<mtr><mtd><mn>1</mn></mtd></mtr></mtable>",
     "f=\\left\\{\\begin{matrix}0 & \\text{if } \\\\ 1\\end{matrix}\\right."},
    {"<mi>sin</mi><mi>x</mi><mi>rank</mi>", "\\sin x\\mathrm{rank}"},
    {"<mmultiscripts><mi>X</mi><mi>a</mi><mi>b</mi><mprescripts/><mi>c</mi><none/></mmultiscripts>",
     "{}_{c}{X}_{a}^{b}"},
    {"<mfenced open='[' close=')' separators=';'><mi>a</mi><mi>b</mi></mfenced>", "[a;b)"},
    {"<mtext>50 % &amp; {a_b}</mtext>", "\\text{50 \\% \\& \\{a\\_b\\}}"},
    {"<mi>f</mi><mo>&#x2032;</mo><msup><mi>g</mi><mo>&#x2032;</mo></msup>", "f'g^{\\prime}"},
    {"<msup><mi>x</mi><mn>2</mn></msup><mo>&#xb0;</mo>", "x^{2}{}^{\\circ}"},
    {"<mi mathvariant='double-struck'>R</mi><mi mathvariant='bold'>&#x3b1;</mi><mi "
     "mathvariant='normal'>d"
     "</mi>",
     "\\mathbb{R}\\boldsymbol{\\alpha}\\mathrm{d}"},
    {"<mover><mo>&#x2192;</mo><mi>f</mi></mover>", "\\xrightarrow{f}"},
    {"<menclose notation='box'><mi>E</mi></menclose>", "\\boxed{E}"},
    {"<semantics><mi>x</mi><annotation encoding='application/x-tex'>\\xi</annotation></semantics>",
     "\\xi"},
    {"<apply><plus/><ci>a</ci><apply><power/><ci>b</ci><cn>2</cn></apply></apply>", "a+b^{2}"},
    {"<apply><times/><apply><minus/><ci>a</ci><cn>1</cn></apply><ci>b</ci></apply>", "(a-1)b"},
};

static const math_case omml[] = {
    {"<m:r><m:t>E=m</m:t></m:r><m:sSup><m:e><m:r><m:t>c</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></"
     "m:r></m:sup>"
     "</m:sSup>",
     "E=mc^{2}"},
    {"<m:f><m:num><m:r><m:t>&#x1D44E;</m:t></m:r></m:num><m:den><m:r><m:t>b+1</m:t></m:r></m:den></"
     "m:f>",
     "\\frac{a}{b+1}"},
    {"<m:f><m:fPr><m:type "
     "m:val='lin'/></m:fPr><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t>"
     "</m:r></m:den></m:f>",
     "{1}/{2}"},
    {"<m:rad><m:radPr><m:degHide "
     "m:val='1'/></m:radPr><m:deg/><m:e><m:r><m:t>x</m:t></m:r></m:e></m:rad>",
     "\\sqrt{x}"},
    {"<m:nary><m:naryPr><m:chr m:val='&#x2211;'/><m:limLoc "
     "m:val='undOvr'/></m:naryPr><m:sub><m:r><m:t>i=1</m:t>"
     "</m:r></m:sub><m:sup><m:r><m:t>n</m:t></m:r></m:sup><m:e><m:r><m:t>i</m:t></m:r></m:e></"
     "m:nary>",
     "\\sum_{i=1}^{n}i"},
    {"<m:nary><m:sub><m:r><m:t>0</m:t></m:r></m:sub><m:sup><m:r><m:t>1</m:t></m:r></"
     "m:sup><m:e><m:r><m:t>f</m:t>"
     "</m:r></m:e></m:nary>",
     "\\int_{0}^{1}f"},
    {"<m:d><m:e><m:r><m:t>a</m:t></m:r></m:e><m:e><m:r><m:t>b</m:t></m:r></m:e></m:d>", "(a|b)"},
    {"<m:d><m:dPr><m:begChr m:val='{'/><m:endChr "
     "m:val=''/></m:dPr><m:e><m:eqArr><m:e><m:r><m:t>x&amp;=1</m:t>"
     "</m:r></m:e><m:e><m:r><m:t>y&amp;=2</m:t></m:r></m:e></m:eqArr></m:e></m:d>",
     "\\left\\{\\begin{aligned}x & =1 \\\\ y & =2\\end{aligned}\\right."},
    {"<m:func><m:fName><m:r><m:t>sin</m:t></m:r></m:fName><m:e><m:r><m:t>x</m:t></m:r></m:e></"
     "m:func>",
     "\\sin x"},
    {"<m:func><m:fName><m:limLow><m:e><m:r><m:t>lim</m:t></m:r></m:e><m:lim><m:r><m:t>x&#x2192;0</"
     "m:t></m:r></m:lim>"
     "</m:limLow></m:fName><m:e><m:r><m:t>f</m:t></m:r></m:e></m:func>",
     "\\lim_{x\\rightarrow 0}f"},
    {"<m:acc><m:e><m:r><m:t>x</m:t></m:r></m:e></m:acc><m:bar><m:barPr><m:pos "
     "m:val='top'/></m:barPr><m:e><m:r><m:t>ab"
     "</m:t></m:r></m:e></m:bar>",
     "\\hat{x}\\overline{ab}"},
    {"<m:m><m:mr><m:e><m:r><m:t>1</m:t></m:r></m:e><m:e><m:r><m:t>0</m:t></m:r></m:e></"
     "m:mr><m:mr><m:e><m:r><m:t>0</m:t>"
     "</m:r></m:e><m:e><m:r><m:t>1</m:t></m:r></m:e></m:mr></m:m>",
     "\\begin{matrix}1 & 0 \\\\ 0 & 1\\end{matrix}"},
    {"<m:groupChr><m:e><m:r><m:t>a+b</m:t></m:r></m:e></m:groupChr>", "\\underbrace{a+b}"},
    {"<m:r><m:rPr><m:nor/></m:rPr><m:t>if &amp; 5%</m:t></m:r>", "\\text{if \\& 5\\%}"},
    {"<m:r><m:rPr><m:scr m:val='double-struck'/></m:rPr><m:t>R</m:t></m:r>", "\\mathbb{R}"},
    {"<m:r><m:rPr><m:sty m:val='p'/></m:rPr><m:t>d</m:t></m:r><m:r><m:t>x</m:t></m:r>",
     "\\mathrm{d}x"},
    {"<m:sPre><m:sub><m:r><m:t>1</m:t></m:r></m:sub><m:sup><m:r><m:t>2</m:t></m:r></"
     "m:sup><m:e><m:r><m:t>A</m:t></m:r>"
     "</m:e></m:sPre>",
     "{}_{1}^{2}A"},
};

static char *
convert(const char *markup, gboolean office, char **number)
{
    g_autofree char *text = g_strdup_printf(
        office ? "<m:oMath "
                 "xmlns:m='http://schemas.openxmlformats.org/officeDocument/2006/math'>%s</m:oMath>"
               : "<math>%s</math>",
        markup);
    xmlDoc *tree =
        xmlReadMemory(text, (int)strlen(text), NULL, NULL, XML_PARSE_NONET | XML_PARSE_HUGE);
    assert_non_null(tree);
    char *latex = office ? layout_omml_to_latex(xmlDocGetRootElement(tree), number)
                         : layout_mathml_to_latex(xmlDocGetRootElement(tree));
    xmlFreeDoc(tree);
    return latex;
}

static void
check_cases(const math_case *cases, gsize n, gboolean office)
{
    for (gsize i = 0; i < n; i++) {
        g_autofree char *latex = convert(cases[i].markup, office, NULL);
        assert_non_null(latex);
        assert_string_equal(latex, cases[i].latex);
    }
}

static void
mathml_becomes_latex(void **state)
{
    (void)state;
    check_cases(mathml, G_N_ELEMENTS(mathml), FALSE);
}

static void
office_math_becomes_latex(void **state)
{
    (void)state;
    check_cases(omml, G_N_ELEMENTS(omml), TRUE);
}

static void
a_number_behind_a_hash_is_the_equations(void **state)
{
    (void)state;
    g_autofree char *number = NULL;
    g_autofree char *latex =
        convert("<m:eqArr><m:e><m:r><m:t>a=b#(7)</m:t></m:r></m:e></m:eqArr>", TRUE, &number);
    assert_string_equal(latex, "a=b");
    assert_string_equal(number, "7");
}

/* Braces open and close, whatever the marks are. */
static gboolean
is_balanced(const char *latex)
{
    int depth = 0, sides = 0;
    for (const char *p = latex; *p; p++) {
        if (g_str_has_prefix(p, "\\left") && !g_ascii_isalpha(p[5])) sides++;
        if (g_str_has_prefix(p, "\\right") && !g_ascii_isalpha(p[6])) sides--;
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '{')
            depth++;
        else if (*p == '}' && --depth < 0)
            return FALSE;
    }
    return depth == 0 && sides == 0;
}

static void
any_nesting_of_elements_balances(void **state)
{
    static const char *const names[] = {"mrow",    "msup",   "munder",   "mfrac",        "msqrt",
                                        "mover",   "mtable", "mtr",      "mtd",          "mroot",
                                        "mfenced", "mstyle", "menclose", "mmultiscripts"};
    static const char *const leaves[] = {"<mo>(</mo>",        "<mo>}</mo>",
                                         "<mi>\\</mi>",       "<mo>{</mo>",
                                         "<mi>^</mi>",        "<mn>_</mn>",
                                         "<mtext>}$</mtext>", "<mo>&#x2032;</mo>",
                                         "<mo>|</mo>",        "<mo fence='true'>|</mo>",
                                         "<mi>%</mi>",        "<mo>&#x2211;</mo>",
                                         "<mspace/>"};
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    (void)state;
    for (int round = 0; round < 500; round++) {
        g_autoptr(GString) text = g_string_new(NULL);
        const char *open[32];
        guint depth = 0;
        for (int i = 0; i < 60; i++) {
            const int what = g_rand_int_range(random, 0, 4);
            if (what == 0 && depth < G_N_ELEMENTS(open)) {
                open[depth] = names[g_rand_int_range(random, 0, G_N_ELEMENTS(names))];
                g_string_append_printf(text, "<%s>", open[depth++]);
            } else if (what == 1 && depth > 0) {
                g_string_append_printf(text, "</%s>", open[--depth]);
            } else {
                g_string_append(text, leaves[g_rand_int_range(random, 0, G_N_ELEMENTS(leaves))]);
            }
        }
        while (depth > 0)
            g_string_append_printf(text, "</%s>", open[--depth]);
        g_autofree char *latex = convert(text->str, FALSE, NULL);
        if (latex != NULL && !is_balanced(latex)) fail_msg("%s\nis\n%s", text->str, latex);
    }
}

static void
deep_and_long_marks_take_little_time(void **state)
{
    g_autoptr(GString) deep = g_string_new(NULL), wide = g_string_new(NULL);
    (void)state;
    for (int i = 0; i < 5000; i++)
        g_string_append(wide, "<mo>(</mo>");
    for (int i = 0; i < 240; i++)
        g_string_append(deep, "<msup><mi>x</mi>");
    for (int i = 0; i < 240; i++)
        g_string_append(deep, "</msup>");
    const gint64 start = g_get_monotonic_time();
    g_autofree char *a = convert(deep->str, FALSE, NULL), *b = convert(wide->str, FALSE, NULL);
    assert_true(is_balanced(a));
    assert_non_null(b);
    assert_true(g_get_monotonic_time() - start < 20 * G_TIME_SPAN_SECOND);
}

/* For layout_readers_typeset: a Markdown file with all of them. */
static int
write_markdown(const char *path)
{
    g_autoptr(GString) out = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(mathml) + G_N_ELEMENTS(omml); i++) {
        const gboolean office = i >= G_N_ELEMENTS(mathml);
        const math_case *c = office ? &omml[i - G_N_ELEMENTS(mathml)] : &mathml[i];
        g_autofree char *latex = convert(c->markup, office, NULL);
        g_string_append_printf(out, "$$\n%s\n$$\n\n", latex);
    }
    return g_file_set_contents(path, out->str, (gssize)out->len, NULL) ? 0 : 1;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mathml_becomes_latex),
        cmocka_unit_test(office_math_becomes_latex),
        cmocka_unit_test(a_number_behind_a_hash_is_the_equations),
        cmocka_unit_test(any_nesting_of_elements_balances),
        cmocka_unit_test(deep_and_long_marks_take_little_time),
    };
    if (argc > 2 && strcmp(argv[1], "--write") == 0) return write_markdown(argv[2]);
    return cmocka_run_group_tests_name("readers_math", tests, NULL, NULL);
}
