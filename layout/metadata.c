/* Title, authors, abstract, DOI, arXiv id, year and language of the document.
 *
 * What is printed on the first page counts; the file's own metadata often holds the template's name and
 * only fills what is missing. */
#include "layout/document.h"
#include "layout/flow.h"

#include <string.h>

#define MAX_AUTHORS 400

static const char *
keep(lode_document *document, const char *text, gssize len)
{
    return text != NULL ? g_string_chunk_insert_len(document->text, text, len) : NULL;
}

static const char *
first_text(const lode_document *document, layout_block_type type)
{
    for (guint i = 0; i < document->n_blocks; i++) {
        layout_document_pass(document, i);
        if (document->blocks[i].type == type && document->blocks[i].text[0] != '\0')
            return document->blocks[i].text;
    }
    return NULL;
}

/* All blocks of the abstract, without the word itself; free with g_free, NULL where there is none. */
static char *
abstract_text(const lode_document *document)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < document->n_blocks; i++) {
        const layout_block *block = &document->blocks[i];
        layout_document_pass(document, i);
        if (block->type != LAYOUT_BLOCK_ABSTRACT || block->text_len == 0) continue;
        const char *text = block->text;
        gsize len = 0;
        if (out->len == 0 && layout_heading_is_abstract(text, &len)) {
            gsize label = len;
            for (gunichar ch = g_utf8_get_char(text + label);
                 ch == ' ' || ch == '.' || ch == ':' || ch == '-' || ch == 0x2013 || ch == 0x2014;
                 ch = g_utf8_get_char(text + label))
                label = (gsize)(g_utf8_next_char(text + label) - text);
            /* "Summary statistics are" is no label */
            if (label > len + 1 || text[len] != ' ') text += label;
        }
        if (out->len > 0) g_string_append_c(out, ' ');
        g_string_append(out, text);
    }
    return g_string_free(out, out->len == 0);
}

/* The names printed on the first page, else those the file carries. */
static void
authors_find(const layout_work *work, GPtrArray *names)
{
    for (guint i = 0; i < work->authors->len && i < MAX_AUTHORS; i++)
        g_ptr_array_add(names, g_strdup(work->authors->pdata[i]));
    const parse_metadata *meta = work->meta;
    if (names->len > 0 || meta == NULL || meta->author == NULL) return;
    g_auto(GStrv) parts = g_strsplit_set(meta->author, ",;", MAX_AUTHORS);
    for (char **p = parts; *p != NULL; p++) {
        g_strstrip(*p);
        if (**p != '\0') g_ptr_array_add(names, g_strdup(*p));
    }
}

/* English, unless frequent words of another language or another script say otherwise. */
static const char *
language_guess(const lode_document *document)
{
    static const struct {
        const char *code;
        const char *words[8];
    } languages[] = {
        {"en", {" the ", " of ", " and ", " is ", " that ", " we ", " with ", " for "}},
        {"de", {" der ", " die ", " und ", " ist ", " nicht ", " das ", " mit ", " eine "}},
        {"fr", {" le ", " les ", " et ", " des ", " est ", " une ", " dans ", " pour "}},
        {"es", {" el ", " los ", " y ", " las ", " una ", " con ", " del ", " para "}},
        {"it", {" il ", " di ", " che ", " della ", " una ", " per ", " sono ", " gli "}},
        {"pt", {" o ", " os ", " uma ", " do ", " com ", " para ", " das ", " mais "}},
    };
    guint score[G_N_ELEMENTS(languages)] = {0}, cjk = 0, kana = 0, hangul = 0, cyrillic = 0,
          arabic = 0;
    gsize seen = 0;
    for (guint i = 0; i < document->n_blocks && seen < 40000; i++) {
        const layout_block *block = &document->blocks[i];
        layout_document_pass(document, i);
        if (block->type != LAYOUT_BLOCK_PARAGRAPH && block->type != LAYOUT_BLOCK_ABSTRACT &&
            block->type != LAYOUT_BLOCK_LIST_ITEM)
            continue;
        seen += block->text_len;
        g_autofree char *lower = g_utf8_strdown(block->text, (gssize)MIN(block->text_len, 4000U));
        for (guint l = 0; l < G_N_ELEMENTS(languages); l++)
            for (guint w = 0; w < 8; w++)
                for (const char *at = lower; (at = strstr(at, languages[l].words[w])) != NULL; at++)
                    score[l]++;
        for (const char *at = lower; *at != '\0'; at = g_utf8_next_char(at)) {
            gunichar ch = g_utf8_get_char(at);
            cjk += ch >= 0x4E00 && ch <= 0x9FFF;
            kana += ch >= 0x3040 && ch <= 0x30FF;
            hangul += ch >= 0xAC00 && ch <= 0xD7A3;
            cyrillic += ch >= 0x400 && ch <= 0x4FF;
            arabic += ch >= 0x600 && ch <= 0x6FF;
        }
    }
    if (kana * 10 > seen / 10 && kana > 20) return "ja";
    if (hangul > seen / 20 && hangul > 20) return "ko";
    if (cjk > seen / 20 && cjk > 20) return "zh";
    if (cyrillic > seen / 8 && cyrillic > 20) return "ru";
    if (arabic > seen / 8 && arabic > 20) return "ar";
    guint best = 0;
    for (guint l = 1; l < G_N_ELEMENTS(languages); l++)
        if (score[l] > score[best]) best = l;
    return score[best] >= 3 ? languages[best].code : NULL;
}

/* Identifiers stand on the first page: in its text, its margin or its links. */
static void
identifiers_find(layout_work *work, lode_document *document, layout_metadata *meta)
{
    gsize len;
    for (guint i = 0; i < document->n_blocks; i++) {
        const layout_block *block = &document->blocks[i];
        layout_document_pass(document, i);
        if (block->n_boxes == 0 || document->boxes[block->first_box].page > 0) continue;
        if (block->type == LAYOUT_BLOCK_REFERENCE) continue;
        const char *at;
        gboolean stamp = layout_block_type_is_furniture(block->type);
        if (meta->arxiv == NULL && (stamp || block->type == LAYOUT_BLOCK_FOOTNOTE) &&
            (at = layout_find_arxiv(block->text, &len)) != NULL)
            meta->arxiv = keep(document, at, (gssize)len);
        /* what others wrote is named in running text and in notes, too */
        const gboolean own =
            block->type != LAYOUT_BLOCK_PARAGRAPH && block->type != LAYOUT_BLOCK_ABSTRACT &&
            block->type != LAYOUT_BLOCK_CAPTION && block->type != LAYOUT_BLOCK_LIST_ITEM;
        if (meta->doi != NULL || !own) continue;
        if ((at = layout_find_doi(block->text, &len)) != NULL)
            meta->doi = keep(document, at, (gssize)len);
        for (guint s = 0; meta->doi == NULL && s < block->n_spans; s++) {
            const char *target = document->spans[block->first_span + s].target;
            if (target == NULL || block->type == LAYOUT_BLOCK_FOOTNOTE) continue;
            if (strstr(target, "doi.org/") != NULL && (at = layout_find_doi(target, &len)) != NULL)
                meta->doi = keep(document, at, (gssize)len);
        }
    }
    const parse_metadata *file = work->meta;
    const char *at;
    if (meta->doi == NULL && file != NULL && file->xmp != NULL &&
        (at = layout_find_doi(file->xmp, &len)) != NULL)
        meta->doi = keep(document, at, (gssize)len);
    if (meta->doi == NULL && file != NULL && file->subject != NULL &&
        (at = layout_find_doi(file->subject, &len)) != NULL)
        meta->doi = keep(document, at, (gssize)len);
}

/* The year behind a word that says it is the paper's own: "© 2021", "Published: 3 May 2021". */
static const char *
printed_year(const char *text)
{
    static const char *const words[] = {"©",         "Copyright", "copyright", "Published",
                                        "published", "Accepted",  "(c)"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        const char *at = strstr(text, words[i]);
        if (at == NULL) continue;
        const char *end = at + strnlen(at, 60);
        for (at += strlen(words[i]); at < end; at++) {
            const gsize digits = strspn(at, "0123456789");
            if (digits == 0) continue;
            if (digits == 4 && (strncmp(at, "19", 2) == 0 || strncmp(at, "20", 2) == 0)) return at;
            at += digits - 1;
        }
    }
    return NULL;
}

static void
year_find(layout_work *work, lode_document *document, layout_metadata *meta)
{
    if (meta->arxiv != NULL && g_ascii_isdigit(meta->arxiv[0])) {
        char year[5] = {'2', '0', meta->arxiv[0], meta->arxiv[1], '\0'};
        meta->year = keep(document, year, 4);
        return;
    }
    for (guint i = 0; i < document->n_blocks; i++) {
        const layout_block *block = &document->blocks[i];
        layout_document_pass(document, i);
        if (block->n_boxes == 0 || document->boxes[block->first_box].page > 0) continue;
        if (block->type != LAYOUT_BLOCK_FOOTNOTE && block->type != LAYOUT_BLOCK_AUTHOR &&
            !layout_block_type_is_furniture(block->type))
            continue;
        const char *year = printed_year(block->text);
        if (year == NULL) continue;
        meta->year = keep(document, year, 4);
        return;
    }
    const char *created = work->meta != NULL ? work->meta->created : NULL;
    if (created == NULL) return;
    if (g_str_has_prefix(created, "D:")) created += 2;
    if (strspn(created, "0123456789") >= 4 && (created[0] == '1' || created[0] == '2'))
        meta->year = keep(document, created, 4);
}

static gboolean
is_template_name(const char *title)
{
    return title == NULL || *title == '\0' || strstr(title, ".dvi") != NULL ||
           strstr(title, ".doc") != NULL || strstr(title, ".tex") != NULL ||
           g_ascii_strncasecmp(title, "untitled", 8) == 0 ||
           g_str_has_prefix(title, "Microsoft Word");
}

void
layout_metadata_find(layout_work *work, lode_document *document)
{
    layout_metadata *meta = &document->meta;
    const parse_metadata *file = work->meta;
    const char *title = first_text(document, LAYOUT_BLOCK_TITLE);
    if (title == NULL && file != NULL && !is_template_name(file->title)) title = file->title;
    meta->title = keep(document, title, -1);
    g_autofree char *abstract = abstract_text(document);
    meta->abstract = keep(document, abstract, -1);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    authors_find(work, names);
    const char **authors = g_new0(const char *, names->len + 1);
    for (guint i = 0; i < names->len; i++)
        authors[i] = keep(document, names->pdata[i], -1);
    g_free((gpointer)meta->authors);
    meta->authors = authors;
    identifiers_find(work, document, meta);
    year_find(work, document, meta);
    const char *language = language_guess(document);
    if (language == NULL && file != NULL) language = file->language;
    meta->language = keep(document, language, -1);
    meta->format = keep(document, file != NULL ? file->format : NULL, -1);
    meta->producer = keep(document, file != NULL ? file->producer : NULL, -1);
}
