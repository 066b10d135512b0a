/* What LaTeX's commands mean in running text. Four tables: characters, styles, commands that are left out with so many
 * arguments, and commands of which one argument is text; the rest by name. A command that is in none of them is
 * left out, its arguments read as text. */
#include "layout/readers/latex.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name, *text;
} symbol;

/* By name, for bsearch. */
static const symbol symbols[] = {{"AA", "Å"},
                                 {"AE", "Æ"},
                                 {"BibTeX", "BibTeX"},
                                 {"DH", "Ð"},
                                 {"DJ", "Đ"},
                                 {"L", "Ł"},
                                 {"LaTeX", "LaTeX"},
                                 {"LaTeXe", "LaTeX2e"},
                                 {"O", "Ø"},
                                 {"OE", "Œ"},
                                 {"P", "¶"},
                                 {"S", "§"},
                                 {"TH", "Þ"},
                                 {"TeX", "TeX"},
                                 {"XeTeX", "XeTeX"},
                                 {"aa", "å"},
                                 {"ae", "æ"},
                                 {"backslash", "\\"},
                                 {"cdot", "·"},
                                 {"checkmark", "✓"},
                                 {"copyright", "©"},
                                 {"dag", "†"},
                                 {"dagger", "†"},
                                 {"ddag", "‡"},
                                 {"degree", "°"},
                                 {"dh", "ð"},
                                 {"dj", "đ"},
                                 {"dots", "..."},
                                 {"dotsc", "..."},
                                 {"enspace", " "},
                                 {"euro", "€"},
                                 {"guillemotleft", "«"},
                                 {"guillemotright", "»"},
                                 {"i", "ı"},
                                 {"j", "ȷ"},
                                 {"l", "ł"},
                                 {"lbrace", "{"},
                                 {"ldots", "..."},
                                 {"o", "ø"},
                                 {"oe", "œ"},
                                 {"pounds", "£"},
                                 {"qquad", " "},
                                 {"quad", " "},
                                 {"rbrace", "}"},
                                 {"slash", "/"},
                                 {"space", " "},
                                 {"ss", "ß"},
                                 {"textasciicircum", "^"},
                                 {"textasciitilde", "~"},
                                 {"textasteriskcentered", "*"},
                                 {"textbackslash", "\\"},
                                 {"textbar", "|"},
                                 {"textbraceleft", "{"},
                                 {"textbraceright", "}"},
                                 {"textbullet", "•"},
                                 {"textcelsius", "°C"},
                                 {"textcopyright", "©"},
                                 {"textdagger", "†"},
                                 {"textdegree", "°"},
                                 {"textdollar", "$"},
                                 {"textellipsis", "..."},
                                 {"textemdash", "—"},
                                 {"textendash", "–"},
                                 {"texteuro", "€"},
                                 {"textgreater", ">"},
                                 {"textless", "<"},
                                 {"textmu", "µ"},
                                 {"textohm", "Ω"},
                                 {"textperiodcentered", "·"},
                                 {"textpm", "±"},
                                 {"textquotedblleft", "“"},
                                 {"textquotedblright", "”"},
                                 {"textquoteleft", "‘"},
                                 {"textquoteright", "’"},
                                 {"textquotesingle", "'"},
                                 {"textregistered", "®"},
                                 {"textsection", "§"},
                                 {"texttimes", "×"},
                                 {"texttrademark", "™"},
                                 {"textunderscore", "_"},
                                 {"th", "þ"},
                                 {"thinspace", " "}};

static const struct {
    const char *name;
    guint style; /* of the one argument */
} styled[] = {{"textbf", LAYOUT_SPAN_BOLD},
              {"emph", LAYOUT_SPAN_ITALIC},
              {"textit", LAYOUT_SPAN_ITALIC},
              {"textsl", LAYOUT_SPAN_ITALIC},
              {"texttt", LAYOUT_SPAN_MONO},
              {"textsuperscript", LAYOUT_SPAN_SUPERSCRIPT},
              {"textsubscript", LAYOUT_SPAN_SUBSCRIPT},
              {"inst", LAYOUT_SPAN_SUPERSCRIPT},
              {"sout", LAYOUT_SPAN_STRUCK},
              {"st", LAYOUT_SPAN_STRUCK}};

static const struct {
    const char *name;
    guint style; /* from here to the end of the group */
} declared[] = {{"bfseries", LAYOUT_SPAN_BOLD},  {"bf", LAYOUT_SPAN_BOLD},
                {"itshape", LAYOUT_SPAN_ITALIC}, {"it", LAYOUT_SPAN_ITALIC},
                {"em", LAYOUT_SPAN_ITALIC},      {"slshape", LAYOUT_SPAN_ITALIC},
                {"ttfamily", LAYOUT_SPAN_MONO},  {"tt", LAYOUT_SPAN_MONO}};

/* Left out with that many arguments; an optional one in front goes with them. */
static const struct {
    const char *name;
    guint n_args;
} dropped[] = {{"vspace", 1},
               {"hspace", 1},
               {"setlength", 2},
               {"addtolength", 2},
               {"setcounter", 2},
               {"addtocounter", 2},
               {"pagestyle", 1},
               {"thispagestyle", 1},
               {"documentclass", 1},
               {"hypersetup", 1},
               {"definecolor", 3},
               {"colorlet", 2},
               {"graphicspath", 1},
               {"captionsetup", 1},
               {"fontsize", 2},
               {"color", 1},
               {"rule", 2},
               {"phantom", 1},
               {"hphantom", 1},
               {"vphantom", 1},
               {"index", 1},
               {"markboth", 2},
               {"markright", 1},
               {"pdfbookmark", 2},
               {"addcontentsline", 3},
               {"linespread", 1},
               {"stepcounter", 1},
               {"refstepcounter", 1},
               {"cellcolor", 1},
               {"rowcolor", 1},
               {"columncolor", 1},
               {"arrayrulecolor", 1},
               {"enlargethispage", 1},
               {"theoremstyle", 1},
               {"numberwithin", 2},
               {"date", 1},
               {"titlerunning", 1},
               {"authorrunning", 1},
               {"tocauthor", 1},
               {"toctitle", 1},
               {"todo", 1},
               {"icmlsetsymbol", 2},
               {"printAffiliationsAndNotice", 1},
               {"acmDOI", 1},
               {"acmISBN", 1},
               {"acmPrice", 1},
               {"acmConference", 3},
               {"acmYear", 1},
               {"copyrightyear", 1},
               {"setcopyright", 1},
               {"received", 1},
               {"orcid", 1},
               {"hyphenation", 1},
               {"fancyhead", 1},
               {"fancyfoot", 1},
               {"lstset", 1},
               {"lstinputlisting", 1},
               {"pgfplotsset", 1},
               {"usetikzlibrary", 1},
               {"sisetup", 1},
               {"DeclareGraphicsExtensions", 1},
               {"crefname", 3},
               {"Crefname", 3},
               {"subjclass", 1},
               {"urlstyle", 1},
               {"newcounter", 1},
               {"newlength", 1},
               {"settowidth", 2},
               {"geometry", 1},
               {"setstretch", 1},
               {"hypertarget", 1},
               {"icmltitlerunning", 1},
               {"icmlkeywords", 1},
               {"icmlcorrespondingauthor", 2},
               {"mlsystitlerunning", 1},
               {"mlsyskeywords", 1},
               {"mlsyscorrespondingauthor", 2},
               {"sysmltitlerunning", 1},
               {"sysmlkeywords", 1},
               {"sysmlcorrespondingauthor", 2},
               {"shorttitle", 1},
               {"shortauthors", 1},
               {"newcolumntype", 1},
               {"tikzset", 1},
               {"DeclareUnicodeCharacter", 2},
               {"footnotetext", 0},
               {"renewbibmacro", 2},
               {"makeatletter", 0},
               {"AtBeginDocument", 1},
               {"pdfinfo", 1},
               {"newblock", 0},
               {"vskip", 0},
               {"hskip", 0},
               {"lstdefinestyle", 2},
               {"lstdefinelanguage", 2},
               {"titleformat", 5},
               {"titlespacing", 4},
               {"setlist", 1},
               {"floatname", 2},
               {"hyphenpenalty", 0},
               {"counterwithin", 2},
               {"allowdisplaybreaks", 0},
               {"definechangesauthor", 1},
               {"DeclarePairedDelimiter", 3},
               {"newsavebox", 1},
               {"pdfoutput", 0},
               {"acmSubmissionID", 1}};

/* Text is the argument of that index, from 0, among so many. */
static const struct {
    const char *name;
    guint index, n_args;
} kept[] = {{"textcolor", 1, 2},       {"colorbox", 1, 2},  {"fcolorbox", 2, 3},
            {"texorpdfstring", 0, 2},  {"raisebox", 1, 2},  {"resizebox", 2, 3},
            {"scalebox", 1, 2},        {"rotatebox", 1, 2}, {"parbox", 1, 2},
            {"foreignlanguage", 1, 2}, {"adjustbox", 1, 2}, {"protect", 0, 0},
            {"hyperlink", 1, 2},       {"ensuremath", 0, 1}};

/* ---- accents ---- */

static gunichar
accent_of(const char *name)
{
    static const struct {
        char name;
        gunichar mark;
    } accents[] = {{'`', 0x300}, {'\'', 0x301}, {'^', 0x302}, {'~', 0x303}, {'=', 0x304},
                   {'u', 0x306}, {'.', 0x307},  {'"', 0x308}, {'r', 0x30A}, {'H', 0x30B},
                   {'v', 0x30C}, {'d', 0x323},  {'c', 0x327}, {'k', 0x328}, {'b', 0x331}};
    for (gsize i = 0; name[1] == '\0' && i < G_N_ELEMENTS(accents); i++)
        if (accents[i].name == *name) return accents[i].mark;
    return 0;
}

static void
put_accent(tex_reader *r, gunichar mark)
{
    g_autofree char *argument = tex_argument(r);
    g_autofree char *base = tex_flat(r, argument != NULL ? argument : "");
    const char *letter = strcmp(base, "ı") == 0 ? "i" : strcmp(base, "ȷ") == 0 ? "j" : base;
    if (*letter == '\0') return;
    g_autoptr(GString) out = g_string_new(NULL);
    const char *rest = g_utf8_next_char(letter);
    g_string_append_len(out, letter, rest - letter);
    g_string_append_unichar(out, mark);
    g_string_append(out, rest);
    g_autofree char *whole = g_utf8_normalize(out->str, -1, G_NORMALIZE_NFC);
    layout_pen_text(&r->pen, whole, -1);
}

static int
compare_symbol(const void *key, const void *element)
{
    return strcmp(key, ((const symbol *)element)->name);
}

/* ---- the kinds ---- */

static gboolean
put_character(tex_reader *r, const char *name)
{
    const symbol *known =
        bsearch(name, symbols, G_N_ELEMENTS(symbols), sizeof *symbols, compare_symbol);
    if (known != NULL) {
        layout_pen_text(&r->pen, known->text, -1);
        return TRUE;
    }
    const gunichar mark = accent_of(name);
    if (mark != 0) {
        put_accent(r, mark);
        return TRUE;
    }
    if (name[0] != '\0' && !g_ascii_isalpha(name[0]) && name[0] != '@') {
        if (name[0] == '[' || name[0] == '(' || name[0] == '\\') return FALSE;
        if (strchr(",;: !", name[0]) != NULL)
            layout_pen_text(&r->pen, name[0] == '!' ? "" : " ", -1);
        else if (strchr("-/])", name[0]) == NULL)
            layout_pen_text(&r->pen, name, -1);
        return TRUE;
    }
    return FALSE;
}

static gboolean
put_styled(tex_reader *r, const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(styled); i++) {
        if (strcmp(name, styled[i].name) != 0) continue;
        g_autofree char *text = tex_argument(r);
        const guint style = r->pen.style;
        r->pen.style |= styled[i].style;
        if (text != NULL) tex_run(r, text);
        r->pen.style = style;
        return TRUE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(declared); i++) {
        if (strcmp(name, declared[i].name) != 0) continue;
        r->pen.style |= declared[i].style;
        return TRUE;
    }
    if (strcmp(name, "normalfont") == 0 || strcmp(name, "rm") == 0) r->pen.style = 0;
    return FALSE;
}

static gboolean
drop_arguments(tex_reader *r, const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(dropped); i++) {
        if (strcmp(name, dropped[i].name) != 0) continue;
        tex_take(r, '*');
        g_free(tex_optional(r));
        for (guint k = 0; k < dropped[i].n_args; k++) {
            g_free(tex_argument(r));
            if (k == 0) g_free(tex_optional(r));
        }
        if (strcmp(name, "vskip") == 0 || strcmp(name, "hskip") == 0) {
            tex_token length; /* 0.3in */
            tex_next(r, &length);
        }
        return TRUE;
    }
    return FALSE;
}

static gboolean
keep_argument(tex_reader *r, const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(kept); i++) {
        if (strcmp(name, kept[i].name) != 0) continue;
        g_free(tex_optional(r));
        for (guint k = 0; k < kept[i].n_args; k++) {
            g_autofree char *text = tex_argument(r);
            if (k == 0) {
                g_free(tex_optional(r));
                g_free(strcmp(name, "parbox") == 0 ? tex_optional(r) : NULL);
            }
            if (k != kept[i].index || text == NULL) continue;
            if (strcmp(name, "ensuremath") == 0)
                tex_inline_math(r, text);
            else
                tex_run(r, text);
        }
        return TRUE;
    }
    return FALSE;
}

/* ---- headings ---- */

static const char *const ranks[] = {"part", "chapter", "section", "subsection", "subsubsection"};

static char *
roman(guint n)
{
    GString *out = g_string_new(NULL);
    layout_number_append(out, 'I', n);
    return g_string_free(out, FALSE);
}

/* "2.1" of the section of this rank (1: chapter), or as journals with Roman numbers have it. */
static char *
section_number(tex_reader *r, guint rank)
{
    const guint base = r->chapters ? 1 : 2;
    if (r->roman && !r->appendix) {
        if (rank == base) return roman(r->section[rank]);
        if (rank == base + 1) return g_strdup_printf("%c", '@' + (int)MIN(r->section[rank], 26));
        return g_strdup_printf("%u", r->section[rank]);
    }
    GString *out = g_string_new(NULL);
    if (r->appendix && r->section[base] >= 1 && r->section[base] <= 26)
        g_string_append_printf(out, "%c", '@' + (int)r->section[base]);
    else
        g_string_append_printf(out, "%u", r->section[base]);
    for (guint i = base + 1; i <= rank; i++)
        g_string_append_printf(out, ".%u", r->section[i]);
    return g_string_free(out, FALSE);
}

static gboolean
put_heading(tex_reader *r, const char *name)
{
    guint rank = 0;
    while (rank < G_N_ELEMENTS(ranks) && strcmp(name, ranks[rank]) != 0)
        rank++;
    if (rank == G_N_ELEMENTS(ranks)) return FALSE;
    const gboolean star = tex_take(r, '*');
    g_free(tex_optional(r));
    g_autofree char *title = tex_argument(r);
    if (title == NULL || !r->in_document) return TRUE;
    if (rank == 1) r->chapters = TRUE;
    tex_front(r);
    const guint base = r->chapters ? 1 : 2;
    g_autoptr(GString) text = g_string_new(NULL);
    if (!star && rank >= base) {
        r->section[rank]++;
        for (guint i = rank + 1; i < G_N_ELEMENTS(r->section); i++)
            r->section[i] = 0;
        if (rank == 1) {
            static const char *const counted[] = {"equation", "figure", "table"};
            for (gsize i = 0; i < G_N_ELEMENTS(counted); i++)
                g_hash_table_remove(r->counters, counted[i]);
        }
        g_autofree char *number = section_number(r, rank);
        tex_set_current(r, rank == 1 ? "Chapter" : "Section", number);
        g_string_append_printf(text, "%s%s ", number, r->roman ? "." : "");
    }
    g_string_append(text, title);
    tex_heading(r, text->str, rank < base ? 1 : (int)(rank - base) + 1);
    return TRUE;
}

/* \paragraph: bold words that its text begins with. */
static gboolean
put_run_in(tex_reader *r, const char *name)
{
    if (strcmp(name, "paragraph") != 0 && strcmp(name, "subparagraph") != 0) return FALSE;
    tex_take(r, '*');
    g_free(tex_optional(r));
    g_autofree char *title = tex_argument(r);
    tex_end_block(r);
    const guint style = r->pen.style;
    r->pen.style = LAYOUT_SPAN_BOLD;
    if (title != NULL) tex_run(r, title);
    r->pen.style = style;
    layout_pen_text(&r->pen, " ", 1);
    return TRUE;
}

/* ---- all others ---- */

/* Of the front matter: title, authors. */
static gboolean
take_front(tex_reader *r, const char *name)
{
    static const char *const titles[] = {"title", "icmltitle", "mlsystitle", "sysmltitle", "Title"};
    static const char *const authors[] = {"author",           "icmlauthor",      "sysmlauthor",
                                          "mlsysauthor",      "affiliation",     "affil",
                                          "institute",        "address",         "icmlaffiliation",
                                          "sysmlaffiliation", "mlsysaffiliation"};
    for (gsize i = 0; i < G_N_ELEMENTS(titles); i++) {
        if (strcmp(name, titles[i]) != 0) continue;
        g_free(tex_optional(r));
        g_free(r->title);
        r->title = tex_argument(r);
        return TRUE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(authors); i++) {
        if (strcmp(name, authors[i]) != 0) continue;
        g_free(tex_optional(r));
        g_autofree char *text = tex_argument(r);
        if (text == NULL) return TRUE;
        if (i == 0 || !g_str_has_suffix(authors[i], "author")) {
            g_ptr_array_add(r->authors, g_steal_pointer(&text));
        } else { /* \icmlauthor{name}{marks} */
            g_free(tex_argument(r));
            g_ptr_array_add(r->authors, g_steal_pointer(&text));
        }
        return TRUE;
    }
    return FALSE;
}

static gboolean
structure(tex_reader *r, const char *name)
{
    if (strcmp(name, "begin") == 0 || strcmp(name, "end") == 0) {
        g_autofree char *environment = tex_name_argument(r);
        if (name[0] == 'b')
            tex_begin(r, environment);
        else
            tex_end(r, environment);
    } else if (strcmp(name, "par") == 0 || strcmp(name, "newpage") == 0 ||
               strcmp(name, "clearpage") == 0) {
        tex_end_block(r);
    } else if (strcmp(name, "\\") == 0 || strcmp(name, "newline") == 0 ||
               strcmp(name, "linebreak") == 0) {
        tex_take(r, '*');
        g_free(tex_optional(r));
        layout_pen_text(&r->pen, " ", 1);
    } else if (strcmp(name, "maketitle") == 0) {
        tex_front(r);
    } else if (strcmp(name, "appendix") == 0) {
        r->appendix = TRUE;
        memset(r->section, 0, sizeof r->section);
    } else if (strcmp(name, "item") == 0) {
        tex_end_block(r);
        g_autofree char *label = tex_optional(r);
        const int depth = CLAMP(r->list_depth, 1, (int)G_N_ELEMENTS(r->items));
        const guint n = ++r->items[depth - 1];
        g_free(r->marker);
        r->marker = NULL;
        r->in_item = r->list_depth > 0;
        if (label != NULL) {
            g_autofree char *flat = tex_flat(r, label);
            if (strlen(flat) <= 5 && *flat != '\0') {
                r->marker = g_steal_pointer(&flat);
            } else if (*flat != '\0') { /* of a description */
                r->pen.style |= LAYOUT_SPAN_BOLD;
                tex_run(r, label);
                r->pen.style &= ~(guint)LAYOUT_SPAN_BOLD;
                layout_pen_text(&r->pen, " ", 1);
            }
        }
        if (r->marker == NULL) r->marker = tex_item_label(r, n);
    } else {
        return FALSE;
    }
    return TRUE;
}

static gboolean
other(tex_reader *r, const char *name)
{
    if (strcmp(name, "input") == 0 || strcmp(name, "include") == 0 ||
        strcmp(name, "subfile") == 0) {
        tex_skip_blanks(r);
        g_autofree char *file = NULL;
        if (tex_take(r, '{')) {
            tex_token token;
            GString *text = g_string_new(NULL);
            for (tex_next(r, &token); token.kind != TEX_END && token.kind != TEX_CLOSE;
                 tex_next(r, &token)) {
                if (token.kind == TEX_TEXT)
                    g_string_append_len(text, token.text, (gssize)token.len);
                if (token.kind == TEX_COMMAND) { /* \input{\sections/a} */
                    const tex_macro *macro = g_hash_table_lookup(r->macros, token.name);
                    if (macro != NULL) g_string_append(text, macro->body);
                }
            }
            file = g_string_free(text, FALSE);
        } else { /* TeX's own: to the next blank */
            tex_token token;
            tex_next(r, &token);
            if (token.kind == TEX_TEXT) file = g_strndup(token.text, token.len);
        }
        if (file != NULL && *file != '\0') tex_include(r, file);
    } else if (strcmp(name, "label") == 0) {
        g_autofree char *label = tex_name_argument(r);
        tex_label(r, label);
    } else if (strcmp(name, "hyperref") == 0) {
        g_free(tex_optional(r));
    } else if (strcmp(name, "caption") == 0 || strcmp(name, "captionof") == 0) {
        tex_take(r, '*');
        if (strcmp(name, "captionof") == 0) g_free(tex_argument(r));
        g_free(tex_optional(r));
        g_autofree char *text = tex_argument(r);
        tex_caption(r, text != NULL ? text : "");
    } else if (strcmp(name, "includegraphics") == 0) {
        tex_take(r, '*');
        g_free(tex_optional(r));
        g_autofree char *file = tex_name_argument(r);
        tex_picture(r, file);
    } else if (strcmp(name, "[") == 0 || strcmp(name, "(") == 0) {
        GString *raw = g_string_new(NULL);
        tex_token token;
        for (tex_next(r, &token); token.kind != TEX_END; tex_next(r, &token)) {
            if (token.kind == TEX_COMMAND && strcmp(token.name, name[0] == '[' ? "]" : ")") == 0)
                break;
            if (token.kind == TEX_TEXT) g_string_append_len(raw, token.text, (gssize)token.len);
            if (token.kind == TEX_COMMAND)
                g_string_append_printf(raw, g_ascii_isalpha(token.name[0]) ? "\\%s " : "\\%s",
                                       token.name);
            if (token.kind == TEX_SPACE || token.kind == TEX_PAR) g_string_append_c(raw, ' ');
            if (token.kind >= TEX_OPEN) g_string_append_c(raw, "{}$&"[token.kind - TEX_OPEN]);
        }
        if (name[0] == '[')
            tex_display(r, NULL, raw->str);
        else
            tex_inline_math(r, raw->str);
        g_string_free(raw, TRUE);
    } else if (strcmp(name, "abstract") == 0) {
        g_autofree char *text = tex_argument(r);
        tex_front(r);
        r->type = LAYOUT_BLOCK_ABSTRACT;
        if (text != NULL) tex_run(r, text);
        tex_end_block(r);
        r->type = LAYOUT_BLOCK_PARAGRAPH;
    } else if (strcmp(name, "twocolumn") == 0) {
        g_autofree char *text = tex_optional(r);
        if (text != NULL) tex_push(r, g_steal_pointer(&text), NULL, "\\twocolumn");
    } else if (g_ascii_strncasecmp(name, "documentclass", 13) == 0) {
        g_free(tex_optional(r));
        g_autofree char *class = tex_name_argument(r);
        r->roman = strcmp(class, "IEEEtran") == 0;
        r->chapters = strcmp(class, "book") == 0 || strcmp(class, "report") == 0;
    } else if (strcmp(name, "subfloat") == 0 || strcmp(name, "subfigure") == 0) {
        g_free(tex_optional(r));
    } else if (strcmp(name, "twocolumn") != 0) {
        return FALSE;
    }
    return TRUE;
}

/* Lines of a program in words: algorithmic's and algorithm2e's. */
static gboolean
put_step(tex_reader *r, const char *name)
{
    static const symbol words[] = {{"State", ""},
                                   {"Statex", ""},
                                   {"If", "if"},
                                   {"ElsIf", "else if"},
                                   {"Else", "else"},
                                   {"EndIf", "end if"},
                                   {"For", "for"},
                                   {"ForAll", "for all"},
                                   {"EndFor", "end for"},
                                   {"While", "while"},
                                   {"EndWhile", "end while"},
                                   {"Require", "Require:"},
                                   {"Ensure", "Ensure:"},
                                   {"Return", "return"},
                                   {"Procedure", "procedure"},
                                   {"EndProcedure", "end procedure"},
                                   {"Function", "function"},
                                   {"EndFunction", "end function"},
                                   {"Repeat", "repeat"},
                                   {"Until", "until"},
                                   {"Loop", "loop"},
                                   {"EndLoop", "end loop"},
                                   {"KwIn", "Input:"},
                                   {"KwOut", "Output:"},
                                   {"KwData", "Data:"},
                                   {"KwResult", "Result:"},
                                   {"Input", "Input:"},
                                   {"Output", "Output:"}};
    gboolean algorithm = FALSE;
    if (!g_ascii_isupper(name[0])) return FALSE;
    for (guint i = 0; i < r->environments->len; i++)
        algorithm =
            algorithm ||
            g_str_has_prefix(g_array_index(r->environments, tex_environment, i).name, "algorithm");
    for (gsize i = 0; algorithm && i < G_N_ELEMENTS(words); i++) {
        if (g_ascii_strcasecmp(name, words[i].name) != 0) continue;
        if (strcmp(name, "Return") != 0) tex_end_block(r);
        r->in_item = TRUE;
        if (*words[i].text != '\0') {
            const guint style = r->pen.style;
            r->pen.style |= LAYOUT_SPAN_BOLD;
            layout_pen_text(&r->pen, words[i].text, -1);
            r->pen.style = style;
            layout_pen_text(&r->pen, " ", 1);
        }
        return TRUE;
    }
    return FALSE;
}

void
tex_command(tex_reader *r, const char *name)
{
    if (g_str_has_prefix(name, TEX_BUILT_IN))
        name += strlen(TEX_BUILT_IN);
    else if (tex_define(r, name) || tex_expand(r, name))
        return;
    if (tex_condition(r, name) || structure(r, name) || take_front(r, name) ||
        tex_bib_command(r, name) || (strcmp(name, "documentclass") != 0 && drop_arguments(r, name)))
        return;
    if (!r->in_document && strcmp(name, "input") != 0 && strcmp(name, "documentclass") != 0 &&
        strcmp(name, "documentstyle") != 0 && r->flat == 0)
        return;
    if (put_step(r, name) || put_character(r, name) || put_styled(r, name) ||
        keep_argument(r, name) || put_heading(r, name) || put_run_in(r, name) ||
        tex_reference(r, name) || tex_cite(r, name) || other(r, name))
        return;
    /* unknown: "[...]" right behind it is an option */
    if (r->in_document) g_free(tex_optional(r));
}
