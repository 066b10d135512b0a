/* Bibliographies of LaTeX documents whose .bbl is missing: the entries that are called, from the .bib files, in the order
 * that the style's name promises and printed much as BibTeX's "plain" does. Also what says which files and which style:
 * \bibliography, \addbibresource, \bibliographystyle and the options of natbib and biblatex. */
#include "layout/analyze.h"
#include "layout/readers/latex.h"

#include <string.h>

typedef struct {
    char *key, *kind;
    GHashTable *fields; /* name -> TeX */
    guint order;        /* of the first call; 0: of none */
    guint place;        /* in the files */
    char *sort;         /* names, year and title as letters */
    char *names, *year; /* "Li et al."; "2023b" */
} item;

typedef struct {
    GHashTable *wanted; /* key -> order; NULL: all are */
    GHashTable *calls;  /* key -> order */
    GHashTable *known;  /* key -> item, owned */
} gathered;

static void
item_free(gpointer data)
{
    item *it = data;
    char *const texts[] = {it->key, it->kind, it->sort, it->names, it->year};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    g_hash_table_unref(it->fields);
    g_free(it);
}

/* ---- files ---- */

/* A sign that LaTeX would take for a comment or a column is one of the text here. Free with g_free. */
static char *
escaped(const char *tex)
{
    GString *out = g_string_sized_new(strlen(tex));
    for (const char *p = tex; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0')
            g_string_append_c(out, *p++);
        else if (strchr("%#&", *p) != NULL)
            g_string_append_c(out, '\\');
        g_string_append_c(out, *p);
    }
    return g_string_free(out, FALSE);
}

static void
take_entry(const layout_bibtex_entry *entry, gpointer user_data)
{
    gathered *g = user_data;
    if (g_hash_table_contains(g->known, entry->key) ||
        (g->wanted != NULL && !g_hash_table_contains(g->wanted, entry->key)))
        return;
    item *it = g_new0(item, 1);
    it->key = g_strdup(entry->key), it->kind = g_strdup(entry->kind);
    it->order = GPOINTER_TO_UINT(g_hash_table_lookup(g->calls, entry->key));
    it->place = g_hash_table_size(g->known);
    it->fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer name, value;
    for (g_hash_table_iter_init(&iter, entry->fields);
         g_hash_table_iter_next(&iter, &name, &value);)
        g_hash_table_insert(it->fields, g_strdup(name), escaped(value));
    g_hash_table_insert(g->known, it->key, it);
}

/* FALSE: there is none of the files. */
static gboolean
read_files(tex_reader *r, gathered *g)
{
    gboolean any = FALSE;
    g_auto(GStrv) files = g_strsplit(r->bib_files != NULL ? r->bib_files : "", ",", -1);
    for (char **file = files; *file != NULL; file++) {
        const char *name = g_strstrip(*file);
        if (*name == '\0') continue;
        g_autofree char *full =
            g_str_has_suffix(name, ".bib") ? g_strdup(name) : g_strconcat(name, ".bib", NULL);
        g_autofree char *text = tex_load_beside(r, full);
        g_autoptr(GError) error = NULL;
        if (text == NULL) continue;
        any = TRUE;
        if (!layout_bibtex_read(full, text, strlen(text), take_entry, g, &error))
            tex_warn(r, "%s; what stands behind it is not read", error->message);
    }
    return any;
}

static const char *
field(const item *it, const char *name)
{
    const char *tex = g_hash_table_lookup(it->fields, name);
    return tex != NULL && tex[strspn(tex, " \t\r\n")] != '\0' ? tex : NULL;
}

/* The first of the names, a blank between two, that the entry has; NULL. */
static const char *
first_field(const item *it, const char *names)
{
    g_auto(GStrv) each = g_strsplit(names, " ", -1);
    const char *found = NULL;
    for (char **name = each; *name != NULL && found == NULL; name++)
        found = field(it, *name);
    return found;
}

/* An entry has from the one that its crossref names what it leaves open; the whole's title is its booktitle. */
static void
inherit(item *it, const item *parent)
{
    static const char *const names[] = {"booktitle", "year",   "date",   "publisher",
                                        "address",   "volume", "series", "editor"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *tex = field(parent, names[i]);
        if (tex == NULL && i == 0) tex = field(parent, "title");
        if (tex != NULL && field(it, names[i]) == NULL)
            g_hash_table_replace(it->fields, g_strdup(names[i]), g_strdup(tex));
    }
}

static void
read_parents(tex_reader *r, const GPtrArray *items, gathered *g)
{
    g_autoptr(GHashTable) parents = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < items->len; i++) {
        const char *parent = field(items->pdata[i], "crossref");
        if (parent != NULL) g_hash_table_insert(parents, (gpointer)parent, GUINT_TO_POINTER(1));
    }
    if (g_hash_table_size(parents) == 0) return;
    g->wanted = parents;
    read_files(r, g);
    g->wanted = NULL;
    for (guint i = 0; i < items->len; i++) {
        const char *key = field(items->pdata[i], "crossref");
        const item *parent = key != NULL ? g_hash_table_lookup(g->known, key) : NULL;
        if (parent != NULL && parent != items->pdata[i]) inherit(items->pdata[i], parent);
    }
}

/* ---- people ---- */

/* Where the family name of "First von Last" begins: its last word, and words in front of it in small letters. */
static const char *
family_in(const char *name)
{
    const char *words[64];
    guint n = 0, depth = 0;
    gboolean between = TRUE;
    for (const char *p = name; *p != '\0' && n < G_N_ELEMENTS(words); p++) {
        const gboolean blank = depth == 0 && (g_ascii_isspace(*p) || *p == '~');
        if (!blank && between) words[n++] = p;
        between = blank;
        if (*p == '{') depth++;
        if (*p == '}' && depth > 0) depth--;
    }
    if (n == 0) return name;
    guint at = n - 1;
    while (at > 1 && g_ascii_islower(*words[at - 1]))
        at--;
    return words[at];
}

/* Names as plain text: family, given ("" for none) in turn; "others" is left out. TRUE: it was there. */
static gboolean
people_of(tex_reader *r, const char *tex, GPtrArray *names)
{
    gboolean others = FALSE;
    g_autoptr(GPtrArray) people = layout_bibtex_people(tex);
    for (guint i = 0; i < people->len; i++) {
        const layout_bibtex_name *name = people->pdata[i];
        const char *family = name->first != NULL ? name->last : family_in(name->last);
        g_autofree char *front = g_strndup(name->last, (gsize)(family - name->last));
        g_autofree char *last = tex_flat(r, family);
        g_autofree char *given = tex_flat(r, name->first != NULL ? name->first : front);
        if (strcmp(last, "others") == 0 && *given == '\0') others = TRUE;
        if (*last == '\0' || strcmp(last, "others") == 0) continue;
        g_ptr_array_add(names, g_steal_pointer(&last));
        g_ptr_array_add(names, g_steal_pointer(&given));
    }
    return others;
}

/* "Wei Li, Jan van der Berg, and Ann Ho" */
static char *
people_text(const GPtrArray *names, gboolean others)
{
    GString *out = g_string_new(NULL);
    const guint n = names->len / 2;
    for (guint i = 0; i < n; i++) {
        const char *given = names->pdata[2 * i + 1];
        if (i > 0 && i + 1 == n && !others)
            g_string_append(out, n > 2 ? ", and " : " and ");
        else if (i > 0)
            g_string_append(out, ", ");
        if (*given != '\0') g_string_append_printf(out, "%s ", given);
        g_string_append(out, names->pdata[2 * i]);
    }
    if (others && n > 0) g_string_append(out, " et al.");
    return g_string_free(out, FALSE);
}

/* ---- order ---- */

static gboolean
contains_one(const char *text, const char *words)
{
    g_auto(GStrv) each = g_strsplit(words, " ", -1);
    for (char **word = each; *word != NULL; word++)
        if (strstr(text, *word) != NULL) return TRUE;
    return FALSE;
}

/* Styles that keep the order of the calls; biblatex says so with "sorting=none". */
static gboolean
keeps_order(const char *style)
{
    return contains_one(style, "unsrt ieee IEEE apsrev nature achemso vancouver iopart-num "
                               "elsarticle-num JHEP jhep utphys aip spphys spiebib osajnl none") &&
           strstr(style, "IEEEtranS") == NULL;
}

static gboolean
names_authors(const tex_reader *r)
{
    const char *style = r->bib_style != NULL ? r->bib_style : "";
    if (r->cite_numbers) return FALSE;
    return g_str_has_suffix(style, "nat") ||
           contains_one(style, "natbib apa chicago agsm harv icml iclr aaai authoryear apj "
                               "mnras aasjournal named mla");
}

/* Letters and digits in small, without accents: the same everywhere. */
static void
append_letters(GString *out, const char *text)
{
    g_autofree char *low = g_utf8_casefold(text, -1);
    g_autofree char *parts = g_utf8_normalize(low, -1, G_NORMALIZE_NFKD);
    for (const char *p = parts != NULL ? parts : low; *p != '\0'; p = g_utf8_next_char(p))
        if (g_unichar_isalnum(g_utf8_get_char(p))) g_string_append_unichar(out, g_utf8_get_char(p));
    g_string_append_c(out, ' ');
}

static char *
year_of(tex_reader *r, const item *it)
{
    const char *tex = first_field(it, "year date");
    g_autofree char *text = tex != NULL ? tex_flat(r, tex) : NULL;
    for (const char *p = text; p != NULL && *p != '\0';) {
        const gsize n = strspn(p, "0123456789");
        if (n == 4) return g_strndup(p, 4);
        p += MAX(n, 1);
    }
    return NULL;
}

static void
describe(tex_reader *r, item *it)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *people = first_field(it, "author editor organization key");
    const gboolean others = people != NULL && people_of(r, people, names);
    const guint n = names->len / 2;
    g_autoptr(GString) sort = g_string_new(NULL);
    const char *title = field(it, "title");
    g_autofree char *plain = tex_flat(r, title != NULL ? title : "");
    for (guint i = 0; i < names->len; i++)
        append_letters(sort, names->pdata[i]);
    if (n == 0) append_letters(sort, plain);
    it->year = year_of(r, it);
    append_letters(sort, it->year != NULL ? it->year : "");
    append_letters(sort, plain);
    it->sort = g_strdup(sort->str);
    if (n == 0)
        it->names = g_strdup(*plain != '\0' ? plain : it->key);
    else if (n == 2 && !others)
        it->names = g_strdup_printf("%s and %s", (char *)names->pdata[0], (char *)names->pdata[2]);
    else
        it->names = g_strconcat(names->pdata[0], n > 1 || others ? " et al." : NULL, NULL);
}

static gint
by_call(gconstpointer a, gconstpointer b)
{
    const item *x = *(item *const *)a, *y = *(item *const *)b;
    /* what \nocite{*} brings comes behind what is called */
    if (x->order != y->order) return x->order - 1U < y->order - 1U ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static gint
by_name(gconstpointer a, gconstpointer b)
{
    const item *x = *(item *const *)a, *y = *(item *const *)b;
    const int order = strcmp(x->sort, y->sort);
    return order != 0 ? order : by_call(a, b);
}

/* Two of the same people in one year: "2023a", "2023b". */
static void
tell_apart(const GPtrArray *items)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int round = 0; round < 2; round++)
        for (guint i = 0; i < items->len; i++) {
            item *it = items->pdata[i];
            if (it->year == NULL) continue;
            g_autofree char *label = g_strdup_printf("%s\n%.4s", it->names, it->year);
            GHashTable *table = round == 0 ? seen : used;
            const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(table, label));
            if (round == 1 && n < 26 && GPOINTER_TO_UINT(g_hash_table_lookup(seen, label)) > 1) {
                char *year = g_strdup_printf("%.4s%c", it->year, (char)('a' + n));
                g_free(it->year);
                it->year = year;
            }
            g_hash_table_replace(table, g_steal_pointer(&label), GUINT_TO_POINTER(n + 1));
        }
}

/* ---- print ---- */

static layout_reference_kind
kind_of(const item *it)
{
    static const struct {
        const char *name;
        layout_reference_kind kind;
    } kinds[] = {{"article", LAYOUT_REFERENCE_ARTICLE},
                 {"inproceedings", LAYOUT_REFERENCE_CONFERENCE},
                 {"conference", LAYOUT_REFERENCE_CONFERENCE},
                 {"incollection", LAYOUT_REFERENCE_CHAPTER},
                 {"inbook", LAYOUT_REFERENCE_CHAPTER},
                 {"book", LAYOUT_REFERENCE_BOOK},
                 {"phdthesis", LAYOUT_REFERENCE_THESIS},
                 {"thesis", LAYOUT_REFERENCE_THESIS},
                 {"mastersthesis", LAYOUT_REFERENCE_MASTERS_THESIS},
                 {"techreport", LAYOUT_REFERENCE_REPORT},
                 {"report", LAYOUT_REFERENCE_REPORT}};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i].name, it->kind) == 0) return kinds[i].kind;
    return LAYOUT_REFERENCE_OTHER;
}

/* Appends front and a field. */
static void
put(GString *out, const char *front, const char *tex)
{
    if (tex == NULL) return;
    g_string_append(out, front);
    g_string_append(out, tex);
}

static void
end_sentence(GString *out)
{
    while (out->len > 0 && g_ascii_isspace(out->str[out->len - 1]))
        g_string_truncate(out, out->len - 1);
    if (out->len > 0 && strchr(".?!", out->str[out->len - 1]) == NULL) g_string_append_c(out, '.');
    if (out->len > 0) g_string_append_c(out, ' ');
}

/* The entry's print behind its authors, as TeX. Free with g_free. */
static char *
print_of(const item *it, const char *doi)
{
    GString *out = g_string_new(NULL);
    put(out, "", field(it, "title"));
    end_sentence(out);
    const gsize start = out->len;
    const char *journal = first_field(it, "journaltitle journal"), *book = field(it, "booktitle");
    const char *venue = journal != NULL ? journal : book;
    const char *volume = field(it, "volume"), *number = first_field(it, "number issue");
    if (venue != NULL) {
        put(out, journal != NULL ? "\\emph{" : "In \\emph{", venue);
        g_string_append_c(out, '}');
    }
    put(out, out->len == start ? "Volume " : ", ", volume);
    put(out, volume != NULL ? "(" : out->len == start ? "Number " : ", ", number);
    if (volume != NULL && number != NULL) g_string_append_c(out, ')');
    put(out,
        volume != NULL || number != NULL ? ":"
        : out->len == start              ? "Pages "
                                         : ", pages ",
        field(it, "pages"));
    put(out, out->len == start ? "" : ", ",
        first_field(it, "publisher school institution organization howpublished"));
    put(out, out->len == start ? "" : ", ", first_field(it, "year date"));
    end_sentence(out);
    const char *eprint = field(it, "eprint"), *url = field(it, "url");
    put(out, "", field(it, "note"));
    end_sentence(out);
    if (eprint != NULL && (venue == NULL || strstr(venue, eprint) == NULL)) {
        const char *archive = first_field(it, "archiveprefix eprinttype");
        put(out, "", archive != NULL ? archive : "arXiv");
        put(out, ":", eprint);
        end_sentence(out);
    }
    put(out, "\\url{https://doi.org/", doi);
    if (doi == NULL) put(out, "\\url{", url);
    if (doi != NULL || url != NULL) g_string_append_c(out, '}');
    return g_string_free(out, FALSE);
}

/* An address as it stands: LaTeX would make dashes and blanks of its signs. Free with g_free; NULL. */
static char *
address(const item *it, const char *name)
{
    const char *tex = field(it, name);
    if (tex == NULL) return NULL;
    GString *out = g_string_new(NULL);
    for (const char *p = tex; *p != '\0'; p++)
        if (strchr("{} \t\r\n", *p) == NULL && (*p != '\\' || g_ascii_isalnum(p[1])))
            g_string_append_c(out, *p);
    return g_string_free(out, FALSE);
}

/* Plain text of the first of the fields; NULL. Free with g_free. */
static char *
plain(tex_reader *r, const item *it, const char *names)
{
    const char *tex = first_field(it, names);
    char *text = tex != NULL ? tex_flat(r, tex) : NULL;
    if (text != NULL && *text == '\0') g_clear_pointer(&text, g_free);
    return text;
}

/* "12--34" -> "12-34" */
static char *
pages_of(tex_reader *r, const item *it)
{
    g_autofree char *text = plain(r, it, "pages");
    if (text == NULL) return NULL;
    g_auto(GStrv) ends = g_regex_split_simple("\\s*[-\\x{2012}-\\x{2015}]+\\s*", text, 0, 0);
    return g_strjoinv("-", ends);
}

static void
write_item(tex_reader *r, const item *it, guint number)
{
    g_autoptr(GPtrArray) people = g_ptr_array_new_with_free_func(g_free);
    const char *tex = first_field(it, "author editor");
    const gboolean others = tex != NULL && people_of(r, tex, people);
    g_autofree char *authors = people_text(people, others);
    g_autofree char *title = plain(r, it, "title"), *doi = address(it, "doi");
    g_autofree char *venue = plain(r, it, "journaltitle journal booktitle");
    g_autofree char *publisher = plain(r, it, "publisher school institution");
    g_autofree char *volume = plain(r, it, "volume"), *issue = plain(r, it, "number issue");
    g_autofree char *pages = pages_of(r, it), *url = address(it, "url");
    const char *bare = doi != NULL ? strstr(doi, "10.") : NULL;
    g_autofree char *print = print_of(it, bare);
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(layout_name));
    for (guint i = 0; i + 1 < people->len; i += 2) {
        const char *given = people->pdata[i + 1];
        const layout_name name = {people->pdata[i], *given != '\0' ? given : NULL};
        g_array_append_val(names, name);
    }
    if (*authors != '\0') {
        layout_pen_text(&r->pen, authors, -1);
        layout_pen_text(&r->pen, g_str_has_suffix(authors, ".") ? " " : ". ", -1);
    }
    r->flat++;
    tex_run(r, print);
    r->flat--;

    char marker[24];
    g_snprintf(marker, sizeof marker, "[%u]", number);
    char digits[12];
    g_snprintf(digits, sizeof digits, "%u", number);
    layout_reference seen = {0}; /* an arXiv number stands anywhere */
    g_autoptr(GArray) ignored = g_array_new(FALSE, FALSE, sizeof(layout_name));
    layout_reference_parse(r->pen.builder, r->pen.text->str,
                           (const layout_span *)(gpointer)r->pen.spans->data, r->pen.spans->len,
                           NULL, &seen, ignored);
    g_autofree char *year = year_of(r, it);
    const layout_reference fields = {.key = r->author_year ? NULL : digits,
                                     .kind = kind_of(it),
                                     .authors = *authors != '\0' ? authors : NULL,
                                     .et_al = others,
                                     .title = title,
                                     .venue = venue,
                                     .publisher = publisher,
                                     .volume = volume,
                                     .issue = issue,
                                     .pages = pages,
                                     .year = year,
                                     .doi = bare,
                                     .arxiv = seen.arxiv,
                                     .url = url};
    layout_pen_reference(&r->pen, it->key, &fields, (const layout_name *)(gpointer)names->data,
                         names->len, r->author_year ? NULL : marker);
    char *called = r->author_year
                       ? g_strdup_printf("%s\n%s", it->names, it->year != NULL ? it->year : "n.d.")
                       : g_strdup(digits);
    g_hash_table_replace(r->cite_text, g_strdup(it->key), called);
}

gboolean
tex_bib_entries(tex_reader *r, GHashTable *calls)
{
    gathered g = {.calls = calls,
                  .wanted = g_hash_table_contains(calls, "*") ? NULL : calls,
                  .known = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, item_free)};
    g_autoptr(GHashTable) known = g.known;
    if (!read_files(r, &g) || g_hash_table_size(known) == 0) return FALSE;
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    for (g_hash_table_iter_init(&iter, known); g_hash_table_iter_next(&iter, NULL, &value);)
        g_ptr_array_add(items, value);
    g_ptr_array_sort(items, by_call); /* a table's order is nobody's */
    read_parents(r, items, &g);
    for (guint i = 0; i < items->len; i++)
        describe(r, items->pdata[i]);
    if (!keeps_order(r->bib_style != NULL ? r->bib_style : "")) g_ptr_array_sort(items, by_name);
    r->author_year = names_authors(r);
    if (r->author_year) tell_apart(items);
    tex_begin_bibliography(r);
    for (guint i = 0; i < items->len && r->failed == NULL; i++)
        write_item(r, items->pdata[i], i + 1);
    r->bib_written = TRUE;
    return TRUE;
}

/* ---- commands ---- */

/* natbib's and biblatex' options say how calls look; for biblatex they are the style. */
static void
take_package(tex_reader *r, const char *options, const char *packages)
{
    if (options == NULL) return;
    if (strstr(packages, "natbib") != NULL)
        r->cite_numbers = r->cite_numbers || contains_one(options, "numbers super");
    if (strstr(packages, "biblatex") == NULL) return;
    g_autoptr(GString) style = g_string_new(NULL);
    g_auto(GStrv) each = g_strsplit(options, ",", -1);
    for (char **option = each; *option != NULL; option++) {
        const char *value = strchr(*option, '=');
        const char *name = g_strchug(*option);
        if (value != NULL && (g_str_has_prefix(name, "style") || g_str_has_prefix(name, "sorting")))
            g_string_append_printf(style, "%s ", value + 1);
    }
    g_free(r->bib_style);
    r->bib_style = g_strdup(style->str);
}

static void
add_files(tex_reader *r, const char *files)
{
    if (r->final) return; /* the first reading knows them all */
    char *all =
        r->bib_files != NULL ? g_strconcat(r->bib_files, ",", files, NULL) : g_strdup(files);
    g_free(r->bib_files);
    r->bib_files = all;
}

gboolean
tex_bib_command(tex_reader *r, const char *name)
{
    if (strcmp(name, "bibliography") == 0 || strcmp(name, "addbibresource") == 0) {
        g_free(tex_optional(r));
        g_autofree char *files = tex_name_argument(r);
        add_files(r, files);
        if (name[0] == 'b' && r->in_document) tex_bibliography(r);
    } else if (strcmp(name, "printbibliography") == 0) {
        g_free(tex_optional(r));
        if (r->in_document) tex_bibliography(r);
    } else if (strcmp(name, "bibliographystyle") == 0) {
        g_free(r->bib_style);
        r->bib_style = tex_name_argument(r);
    } else if (strcmp(name, "setcitestyle") == 0) {
        g_autofree char *options = tex_name_argument(r);
        take_package(r, options, "natbib");
    } else if (strcmp(name, "usepackage") == 0 || strcmp(name, "RequirePackage") == 0) {
        g_autofree char *options = tex_optional(r), *packages = tex_name_argument(r);
        g_free(tex_optional(r)); /* the version wanted */
        take_package(r, options, packages);
    } else {
        return FALSE;
    }
    return TRUE;
}
