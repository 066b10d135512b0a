/* <ref-list> -> the bibliography: fields from the tags, the entry's text as printed or, where only tags are given,
 * put together as "Hopper, G., & Backus, J. (1957). Title. Venue, 3(2), 12-34. https://doi.org/..." */
#include "layout/readers/jats.h"

#include <string.h>

typedef struct {
    char *title, *source, *volume, *issue, *pages, *year, *publisher, *doi, *arxiv, *url, *kind;
    GPtrArray *people; /* char *: family name, given name, in turn; given may be NULL */
    gboolean et_al;
} entry;

static void
entry_clear(entry *e)
{
    char *const texts[] = {e->title,     e->source, e->volume, e->issue, e->pages, e->year,
                           e->publisher, e->doi,    e->arxiv,  e->url,   e->kind};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    g_ptr_array_unref(e->people);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(entry, entry_clear)

/* The text of node for a field that has none yet. */
static void
take(char **field, const xmlNode *node)
{
    if (*field != NULL) return;
    char *text = jats_flat_text(node);
    if (*text != '\0')
        *field = text;
    else
        g_free(text);
}

static void
take_person(entry *e, const xmlNode *node)
{
    const xmlNode *family = layout_xml_child(node, "surname"),
                  *given = layout_xml_child(node, "given-names");
    g_autofree char *name = layout_xml_clean_text(family != NULL ? family : node);
    if (*name == '\0') return;
    g_autofree char *first = family != NULL ? layout_xml_clean_text(given) : NULL;
    g_ptr_array_add(e->people, g_steal_pointer(&name));
    g_ptr_array_add(e->people, first != NULL && *first != '\0' ? g_steal_pointer(&first) : NULL);
}

static void
take_pub_id(entry *e, const xmlNode *node)
{
    g_autofree char *kind = layout_xml_attribute(node, "pub-id-type");
    g_autofree char *text = layout_xml_clean_text(node);
    if (kind == NULL || *text == '\0') return;
    const char *doi = strstr(text, "10.");
    if (strcmp(kind, "doi") == 0 && doi != NULL && e->doi == NULL) e->doi = g_strdup(doi);
    if (strcmp(kind, "arxiv") == 0 && e->arxiv == NULL)
        e->arxiv = g_strdup(g_ascii_strncasecmp(text, "arxiv:", 6) == 0 ? text + 6 : text);
}

static void
take_link(entry *e, const xmlNode *node)
{
    g_autofree char *href = layout_xml_attribute(node, "href");
    g_autofree char *text = href != NULL ? NULL : layout_xml_clean_text(node);
    const char *url = href != NULL ? href : text;
    const char *doi = strstr(url, "doi.org/10.");
    if (doi != NULL && e->doi == NULL)
        e->doi = g_strdup(doi + strlen("doi.org/"));
    else if (g_str_has_prefix(url, "http") && e->url == NULL)
        e->url = g_strdup(url);
}

static void
take_fields(entry *e, const xmlNode *node, gboolean authors)
{
    for (const xmlNode *n = node->children; n != NULL; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        if (layout_xml_is(n, "person-group")) {
            g_autofree char *kind = layout_xml_attribute(n, "person-group-type");
            take_fields(e, n, kind == NULL || strcmp(kind, "author") == 0);
        } else if (layout_xml_is_one_of(n, " name string-name collab anonymous ")) {
            if (authors) take_person(e, n);
        } else if (layout_xml_is(n, "etal")) {
            e->et_al = e->et_al || authors;
        } else if (layout_xml_is_one_of(n, " article-title chapter-title data-title part-title ")) {
            take(&e->title, n);
        } else if (layout_xml_is_one_of(n, " source conf-name ")) {
            take(&e->source, n);
        } else if (layout_xml_is_one_of(n, " publisher-name institution ")) {
            take(&e->publisher, n);
        } else if (layout_xml_is(n, "volume")) {
            take(&e->volume, n);
        } else if (layout_xml_is(n, "issue")) {
            take(&e->issue, n);
        } else if (layout_xml_is_one_of(n, " fpage page-range elocation-id ")) {
            take(&e->pages, n);
        } else if (layout_xml_is(n, "lpage")) {
            g_autofree char *last = layout_xml_clean_text(n);
            if (e->pages != NULL && *last != '\0' && strcmp(last, e->pages) != 0) {
                char *both = g_strconcat(e->pages, "-", last, NULL);
                g_free(e->pages);
                e->pages = both;
            }
        } else if (layout_xml_is(n, "year")) {
            take(&e->year, n);
        } else if (layout_xml_is_one_of(n, " pub-id object-id ")) {
            take_pub_id(e, n);
        } else if (layout_xml_is_one_of(n, " ext-link uri ")) {
            take_link(e, n);
        } else if (!layout_xml_is_one_of(n, " alternatives ")) {
            take_fields(e, n, authors);
        }
    }
}

static layout_reference_kind
kind_of(const entry *e)
{
    static const struct {
        const char *name;
        layout_reference_kind kind;
    } kinds[] = {{"journal", LAYOUT_REFERENCE_ARTICLE},
                 {"article", LAYOUT_REFERENCE_ARTICLE},
                 {"confproc", LAYOUT_REFERENCE_CONFERENCE},
                 {"conf", LAYOUT_REFERENCE_CONFERENCE},
                 {"paper-conference", LAYOUT_REFERENCE_CONFERENCE},
                 {"thesis", LAYOUT_REFERENCE_THESIS},
                 {"report", LAYOUT_REFERENCE_REPORT},
                 {"chapter", LAYOUT_REFERENCE_CHAPTER},
                 {"book", LAYOUT_REFERENCE_BOOK}};
    for (gsize i = 0; e->kind != NULL && i < G_N_ELEMENTS(kinds); i++) {
        if (!g_str_has_prefix(e->kind, kinds[i].name)) continue;
        if (kinds[i].kind == LAYOUT_REFERENCE_BOOK && e->title != NULL && e->source != NULL)
            return LAYOUT_REFERENCE_CHAPTER;
        return kinds[i].kind;
    }
    return LAYOUT_REFERENCE_OTHER;
}

/* "Matthew G." -> "M. G.", "Jean-Luc" -> "J.-L." */
static void
append_initials(GString *out, const char *given)
{
    gboolean begins = TRUE;
    for (const char *p = given; *p != '\0'; p = g_utf8_next_char(p)) {
        const gunichar ch = g_utf8_get_char(p);
        if (ch == ' ' || ch == '-') {
            begins = TRUE;
            if (ch == '-' && p > given) g_string_append_c(out, '-');
            continue;
        }
        if (begins && g_unichar_isalpha(ch)) {
            if (p > given && out->str[out->len - 1] != '-') g_string_append_c(out, ' ');
            g_string_append_unichar(out, ch);
            g_string_append_c(out, '.');
        }
        begins = FALSE;
    }
}

static char *
people_text(const entry *e)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i + 1 < e->people->len; i += 2) {
        const char *given = e->people->pdata[i + 1];
        if (i > 0) g_string_append(out, i + 2 == e->people->len && !e->et_al ? ", & " : ", ");
        g_string_append(out, e->people->pdata[i]);
        if (given == NULL) continue;
        g_string_append(out, ", ");
        append_initials(out, given);
    }
    if (e->et_al && out->len > 0) g_string_append(out, ", et al.");
    return g_string_free(out, FALSE);
}

/* Appends text and what ends it, unless it ends itself. */
static void
put(layout_pen *pen, const char *text, const char *end)
{
    if (text == NULL) return;
    if (pen->text->len > 0) layout_pen_text(pen, " ", 1);
    layout_pen_text(pen, text, -1);
    const gsize n = strlen(text);
    if (n == 0 || strchr(".?!", text[n - 1]) == NULL) layout_pen_text(pen, end, -1);
}

static void
write_entry(layout_pen *pen, const entry *e)
{
    g_autofree char *people = people_text(e);
    if (*people != '\0') layout_pen_text(pen, people, -1);
    if (e->year != NULL) {
        if (*people != '\0') layout_pen_text(pen, " ", 1);
        layout_pen_text(pen, "(", 1);
        layout_pen_text(pen, e->year, -1);
        layout_pen_text(pen, ").", 2);
    }
    put(pen, e->title, ".");
    if (e->source != NULL) {
        if (pen->text->len > 0) layout_pen_text(pen, " ", 1);
        pen->style = LAYOUT_SPAN_ITALIC;
        layout_pen_text(pen, e->source, -1);
        pen->style = 0;
        g_autoptr(GString) numbers = g_string_new(NULL);
        if (e->volume != NULL) g_string_append_printf(numbers, ", %s", e->volume);
        if (e->issue != NULL)
            g_string_append_printf(numbers, e->volume != NULL ? "(%s)" : ", (%s)", e->issue);
        if (e->pages != NULL) g_string_append_printf(numbers, ", %s", e->pages);
        g_string_append_c(numbers, '.');
        layout_pen_text(pen, numbers->str, -1);
    }
    if (e->publisher != NULL && e->source != NULL && e->volume == NULL) put(pen, e->publisher, ".");
    g_autofree char *doi = e->doi != NULL ? g_strconcat("https://doi.org/", e->doi, NULL) : NULL;
    put(pen, doi != NULL ? doi : e->url, "");
}

static void
write_ref(jats_reader *r, const xmlNode *ref, const xmlNode *citation)
{
    g_auto(entry) e = {.people = g_ptr_array_new_with_free_func(g_free)};
    take_fields(&e, citation, TRUE);
    e.kind = layout_xml_attribute(citation, "publication-type");
    if (e.kind == NULL) e.kind = layout_xml_attribute(citation, "citation-type");
    g_autofree char *id = layout_xml_attribute(ref, "id");
    g_autofree char *label = layout_xml_clean_text(layout_xml_child(ref, "label"));
    gsize from = strspn(label, "[("), n = strcspn(label + from, "]).");
    label[from + n] = '\0';
    const char *key = n > 0 ? label + from : NULL;
    g_autofree char *marker = key != NULL ? g_strdup_printf("[%s]", key) : NULL;

    if (layout_xml_is(citation, "element-citation"))
        write_entry(&r->pen, &e);
    else
        jats_inline(r, citation);
    if (e.title == NULL && e.source == NULL && e.people->len == 0) {
        layout_pen_printed_reference(&r->pen, id, marker);
        return;
    }
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(layout_name));
    for (guint i = 0; i + 1 < e.people->len; i += 2) {
        const layout_name name = {e.people->pdata[i], e.people->pdata[i + 1]};
        g_array_append_val(names, name);
    }
    g_autofree char *people = people_text(&e);
    const gboolean whole = e.title == NULL; /* a book: its title is the source */
    if (e.year != NULL && strlen(e.year) > 4) e.year[4] = '\0'; /* "2020a" */
    const layout_reference fields = {.key = key,
                                     .kind = kind_of(&e),
                                     .authors = *people != '\0' ? people : NULL,
                                     .et_al = e.et_al,
                                     .title = whole ? e.source : e.title,
                                     .venue = whole ? NULL : e.source,
                                     .publisher = e.publisher,
                                     .volume = e.volume,
                                     .issue = e.issue,
                                     .pages = e.pages,
                                     .year = e.year,
                                     .doi = e.doi,
                                     .arxiv = e.arxiv,
                                     .url = e.url};
    layout_pen_reference(&r->pen, id, &fields, (const layout_name *)(gpointer)names->data,
                         names->len, marker);
}

void
jats_ref_list(jats_reader *r, const xmlNode *list, int level)
{
    const xmlNode *title = layout_xml_child(list, "title");
    jats_heading(r, NULL, title, "References", level);
    for (const xmlNode *n = list->children; n != NULL; n = n->next) {
        if (layout_xml_is(n, "ref-list")) jats_ref_list(r, n, level + 1);
        if (!layout_xml_is(n, "ref")) continue;
        for (const xmlNode *c = n->children; c != NULL; c = c->next) {
            const xmlNode *citation = c;
            if (layout_xml_is(c, "citation-alternatives")) {
                citation = layout_xml_child(c, "mixed-citation");
                if (citation == NULL) citation = layout_xml_child(c, "element-citation");
            }
            if (layout_xml_is_one_of(citation,
                                     " element-citation mixed-citation citation nlm-citation "))
                write_ref(r, n, citation);
        }
    }
}
