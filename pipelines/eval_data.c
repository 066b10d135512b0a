/* Data sets for evaluation.
 *
 *     corpus.jsonl     {"_id", "title", "text"}
 *     questions.jsonl  {"_id", "question", "type", "answers", "evidence": [{"doc", "quote"}], and where the set has them
 *                      "label", "answerable", "answer_parts", "doc"}
 *     queries.jsonl    {"_id", "text"}                              BEIR (Thakur et al., arXiv:2104.08663)
 *     qrels.tsv        query, document, relevance; qrels/test.tsv likewise
 *     *.json           {"data": [{"title", "paragraphs": [{"context", "qas"}]}]}    SQuAD, 1.1 and 2.0
 *
 * Every file may be damaged: what cannot be read is an error that names file and line. */
#include <errno.h>
#include <string.h>

#include "pipelines/eval.h"

enum { MAX_FILE_BYTES = 1 << 30 };

typedef struct {
    eval_dataset *set;
    GChecksum *checksum;
    const char *path; /* of the file at hand */
    GHashTable *seen; /* ids of its lines */
} loader;

/* ---- memory ---- */

static void
clear_document(gpointer data)
{
    eval_document *d = data;
    g_free(d->id);
    g_free(d->title);
    g_free(d->text);
}

static void
clear_evidence(gpointer data)
{
    eval_evidence *e = data;
    g_free(e->doc);
    g_free(e->quote);
}

static void
clear_question(gpointer data)
{
    eval_question *q = data;
    g_free(q->id);
    g_free(q->text);
    g_free(q->type);
    g_free(q->label);
    g_free(q->doc);
    g_ptr_array_unref(q->answers);
    g_clear_pointer(&q->parts, g_ptr_array_unref);
    g_array_unref(q->evidence);
}

static eval_dataset *
dataset_new(void)
{
    eval_dataset *set = g_new0(eval_dataset, 1);
    set->documents = g_array_new(FALSE, FALSE, sizeof(eval_document));
    set->questions = g_array_new(FALSE, FALSE, sizeof(eval_question));
    g_array_set_clear_func(set->documents, clear_document);
    g_array_set_clear_func(set->questions, clear_question);
    set->judgements =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
    set->by_id = g_hash_table_new(g_str_hash, g_str_equal);
    set->labels = g_ptr_array_new();
    return set;
}

void
eval_dataset_free(eval_dataset *set)
{
    if (set == NULL) return;
    g_hash_table_unref(set->judgements);
    g_hash_table_unref(set->by_id);
    g_ptr_array_unref(set->labels);
    g_array_unref(set->documents);
    g_array_unref(set->questions);
    g_free(set->name);
    g_free(set->sha256);
    g_free(set);
}

/* ---- values ---- */

/* A string, or a number as one: ids are written as either. g_free. */
static char *
text_of(const json_t *value)
{
    if (json_is_string(value)) return g_strdup(json_string_value(value));
    if (json_is_integer(value))
        return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_real(value)) return g_strdup_printf("%.17g", json_real_value(value));
    if (json_is_boolean(value)) return g_strdup(json_is_true(value) ? "True" : "False");
    return NULL;
}

static char *
text_member(const json_t *object, const char *key)
{
    return text_of(json_object_get(object, key));
}

static GPtrArray *
texts_of(const json_t *value)
{
    GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < json_array_size(value); i++) {
        char *text = text_of(json_array_get(value, i));
        if (text != NULL) g_ptr_array_add(texts, text);
    }
    char *one = json_is_array(value) ? NULL : text_of(value);
    if (one != NULL) g_ptr_array_add(texts, one);
    return texts;
}

static eval_question
question_new(char *id, char *text)
{
    eval_question q = {.id = id,
                       .text = text,
                       .type = g_strdup(""),
                       .answerable = TRUE,
                       .evidence = g_array_new(FALSE, FALSE, sizeof(eval_evidence))};
    g_array_set_clear_func(q.evidence, clear_evidence);
    q.answers = g_ptr_array_new_with_free_func(g_free);
    return q;
}

static void
add_evidence(eval_question *q, char *doc, char *quote)
{
    const eval_evidence e = {doc, quote != NULL ? quote : g_strdup("")};
    if (doc == NULL)
        g_free(e.quote);
    else
        g_array_append_val(q->evidence, e);
}

/* ---- lines of JSON ---- */

typedef gboolean (*line_function)(loader *l, const json_t *object, GError **error);

static gboolean
read_file(loader *l, const char *path, char **text, gsize *len, GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (!pipelines_check_input(path, error)) return FALSE;
    if (!g_file_get_contents(path, text, len, &cause)) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s", cause->message);
        return FALSE;
    }
    if (*len > MAX_FILE_BYTES) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_LIMIT, "%s: larger than 1 GiB", path);
        return FALSE;
    }
    g_autofree char *base = g_path_get_basename(path);
    g_autofree char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guchar *)*text, *len);
    g_checksum_update(l->checksum, (const guchar *)base, -1);
    g_checksum_update(l->checksum, (const guchar *)sum, -1);
    l->path = path;
    return TRUE;
}

static gboolean
read_lines(loader *l, const char *path, line_function take, GError **error)
{
    g_autofree char *text = NULL;
    gsize len = 0;
    if (!read_file(l, path, &text, &len, error)) return FALSE;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    l->seen = seen;
    guint number = 0;
    for (const char *p = text, *end = text + len; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        if (stop == NULL) stop = end;
        number++;
        json_error_t problem;
        g_autoptr(json_t) object = NULL;
        if (stop - p > 0 && strspn(p, " \t\r") < (size_t)(stop - p)) {
            object = json_loadb(p, (size_t)(stop - p), 0, &problem);
            if (!json_is_object(object)) {
                g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: line %u: %s", path,
                            number, object == NULL ? problem.text : "no object");
                return FALSE;
            }
            if (!take(l, object, error)) {
                g_prefix_error(error, "%s: line %u: ", path, number);
                return FALSE;
            }
        }
        p = stop + 1;
    }
    return TRUE;
}

static char *
take_id(loader *l, const json_t *object, GError **error)
{
    char *id = text_member(object, "_id");
    if (id == NULL) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "no _id");
        return NULL;
    }
    if (g_hash_table_add(l->seen, g_strdup(id))) return id;
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "_id %s stands twice", id);
    g_free(id);
    return NULL;
}

static gboolean
take_document(loader *l, const json_t *object, GError **error)
{
    eval_document d = {.id = take_id(l, object, error)};
    if (d.id == NULL) return FALSE;
    d.title = text_member(object, "title");
    d.text = text_member(object, "text");
    if (d.title == NULL) d.title = g_strdup("");
    if (d.text == NULL) d.text = g_strdup("");
    g_array_append_val(l->set->documents, d);
    return TRUE;
}

static void
take_evidence(eval_question *q, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        add_evidence(q, text_member(e, "doc"), text_member(e, "quote"));
    }
}

static gboolean
take_question(loader *l, const json_t *object, GError **error)
{
    char *id = take_id(l, object, error);
    if (id == NULL) return FALSE;
    char *text = text_member(object, "question");
    if (text == NULL) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "_id %s has no question", id);
        g_free(id);
        return FALSE;
    }
    eval_question q = question_new(id, text);
    char *type = text_member(object, "type");
    if (type != NULL) g_free(q.type), q.type = type;
    q.label = text_member(object, "label");
    if (q.label != NULL && *q.label == '\0') g_clear_pointer(&q.label, g_free);
    q.doc = text_member(object, "doc");
    g_ptr_array_unref(q.answers);
    q.answers = texts_of(json_object_get(object, "answers"));
    take_evidence(&q, json_object_get(object, "evidence"));
    const json_t *answerable = json_object_get(object, "answerable");
    q.answerable = answerable == NULL || json_is_true(answerable);
    if (answerable != NULL) l->set->tells_answerable = TRUE;
    const json_t *parts = json_object_get(object, "answer_parts");
    if (json_array_size(parts) > 0) {
        q.parts = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
        for (size_t i = 0; i < json_array_size(parts); i++)
            g_ptr_array_add(q.parts, texts_of(json_array_get(parts, i)));
    }
    g_array_append_val(l->set->questions, q);
    return TRUE;
}

static gboolean
take_query(loader *l, const json_t *object, GError **error)
{
    char *id = take_id(l, object, error);
    if (id == NULL) return FALSE;
    char *text = text_member(object, "text");
    const eval_question q = question_new(id, text != NULL ? text : g_strdup(""));
    g_array_append_val(l->set->questions, q);
    return TRUE;
}

/* ---- judgements ---- */

static gboolean
take_judgement(eval_dataset *set, char **columns, guint n)
{
    char *end = NULL;
    if (n != 3 && n != 4) return FALSE;
    const double relevance = g_ascii_strtod(columns[n - 1], &end);
    if (end == columns[n - 1] || *end != '\0') return FALSE;
    const char *query = columns[0], *doc = columns[n == 3 ? 1 : 2];
    GHashTable *own = g_hash_table_lookup(set->judgements, query);
    if (own == NULL) {
        own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_hash_table_insert(set->judgements, g_strdup(query), own);
    }
    const int value = (int)CLAMP(relevance, 0, 1e6) + 1;
    const int before = GPOINTER_TO_INT(g_hash_table_lookup(own, doc));
    g_hash_table_insert(own, g_strdup(doc), GINT_TO_POINTER(MAX(value, before)));
    return TRUE;
}

static gboolean
is_header(char **columns, guint n)
{
    static const char *const names[] = {"score", "rel", "relevance"};
    for (size_t i = 0; n > 0 && i < G_N_ELEMENTS(names); i++)
        if (g_ascii_strcasecmp(columns[n - 1], names[i]) == 0) return TRUE;
    return FALSE;
}

static gboolean
read_judgements(loader *l, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize len = 0;
    if (!read_file(l, path, &text, &len, error)) return FALSE;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        const gboolean tabs = strchr(lines[i], '\t') != NULL;
        g_auto(GStrv) all = g_strsplit_set(g_strchomp(lines[i]), tabs ? "\t" : " ", -1);
        g_autoptr(GPtrArray) columns = g_ptr_array_new();
        for (char **c = all; *c != NULL; c++)
            if (*g_strstrip(*c) != '\0') g_ptr_array_add(columns, *c);
        char **row = (char **)columns->pdata;
        if (columns->len == 0 || (i == 0 && is_header(row, columns->len))) continue;
        if (take_judgement(l->set, row, columns->len)) continue;
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT,
                    "%s: line %u: no query, document and relevance", path, i + 1);
        return FALSE;
    }
    return TRUE;
}

/* ---- SQuAD ---- */

static void
take_squad_question(eval_dataset *set, const json_t *qa, const char *doc, guint number)
{
    char *id = text_member(qa, "id");
    char *text = text_member(qa, "question");
    if (id == NULL) id = g_strdup_printf("q%u", number);
    eval_question q = question_new(id, text != NULL ? text : g_strdup(""));
    g_free(q.type);
    q.type = g_strdup("extractive");
    const json_t *impossible = json_object_get(qa, "is_impossible");
    const json_t *answers = json_object_get(qa, "answers");
    if (impossible != NULL) set->tells_answerable = TRUE;
    q.answerable = !json_is_true(impossible);
    for (size_t i = 0; i < json_array_size(answers); i++) {
        char *answer = text_member(json_array_get(answers, i), "text");
        if (answer == NULL ||
            g_ptr_array_find_with_equal_func(q.answers, answer, g_str_equal, NULL))
            g_free(answer);
        else
            g_ptr_array_add(q.answers, answer);
    }
    if (q.answerable)
        add_evidence(&q, g_strdup(doc),
                     q.answers->len > 0 ? g_strdup(q.answers->pdata[0]) : g_strdup(""));
    g_array_append_val(set->questions, q);
}

static gboolean
read_squad(loader *l, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize len = 0;
    json_error_t problem;
    if (!read_file(l, path, &text, &len, error)) return FALSE;
    g_autoptr(json_t) root = json_loadb(text, len, 0, &problem);
    const json_t *data = json_object_get(root, "data");
    if (!json_is_array(data)) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: %s", path,
                    root == NULL ? problem.text : "no SQuAD: no list \"data\"");
        return FALSE;
    }
    for (size_t i = 0; i < json_array_size(data); i++) {
        const json_t *article = json_array_get(data, i);
        const json_t *paragraphs = json_object_get(article, "paragraphs");
        for (size_t j = 0; j < json_array_size(paragraphs); j++) {
            const json_t *paragraph = json_array_get(paragraphs, j);
            const json_t *qas = json_object_get(paragraph, "qas");
            eval_document d = {.id = g_strdup_printf("%zu-%zu", i + 1, j + 1),
                               .title = text_member(article, "title"),
                               .text = text_member(paragraph, "context")};
            if (d.title == NULL) d.title = g_strdup("");
            if (d.text == NULL) d.text = g_strdup("");
            g_array_append_val(l->set->documents, d);
            for (size_t k = 0; k < json_array_size(qas); k++)
                take_squad_question(l->set, json_array_get(qas, k), d.id, l->set->questions->len);
        }
    }
    return TRUE;
}

/* ---- a folder ---- */

static char *
existing(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    return g_file_test(path, G_FILE_TEST_IS_REGULAR) ? g_steal_pointer(&path) : NULL;
}

static gboolean
read_folder(loader *l, const char *dir, const char *corpus, GError **error)
{
    g_autofree char *documents = corpus != NULL ? g_strdup(corpus) : existing(dir, "corpus.jsonl");
    g_autofree char *questions = existing(dir, "questions.jsonl");
    g_autofree char *queries = existing(dir, "queries.jsonl");
    g_autofree char *qrels = existing(dir, "qrels.tsv");
    if (qrels == NULL) qrels = existing(dir, "qrels/test.tsv");
    if (documents == NULL || (questions == NULL && queries == NULL)) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_NOT_FOUND, "%s: no %s", dir,
                    documents == NULL ? "corpus.jsonl (name another with --corpus)"
                                      : "questions.jsonl and no queries.jsonl");
        return FALSE;
    }
    if (!read_lines(l, documents, take_document, error)) return FALSE;
    if (!(questions != NULL ? read_lines(l, questions, take_question, error)
                            : read_lines(l, queries, take_query, error)))
        return FALSE;
    return qrels == NULL || read_judgements(l, qrels, error);
}

/* Sets without judgements are judged by their evidence. */
static void
judge_by_evidence(eval_dataset *set)
{
    if (g_hash_table_size(set->judgements) > 0) return;
    for (guint i = 0; i < set->questions->len; i++) {
        const eval_question *q = &g_array_index(set->questions, eval_question, i);
        for (guint j = 0; j < q->evidence->len; j++) {
            char *columns[] = {q->id, g_array_index(q->evidence, eval_evidence, j).doc,
                               (char[]){"1"}};
            take_judgement(set, columns, 3);
        }
    }
}

static gint
compare_labels(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
finish(eval_dataset *set)
{
    for (guint i = 0; i < set->documents->len; i++) {
        eval_document *d = &g_array_index(set->documents, eval_document, i);
        g_hash_table_insert(set->by_id, d->id, d);
    }
    for (guint i = 0; i < set->questions->len; i++) {
        const eval_question *q = &g_array_index(set->questions, eval_question, i);
        if (q->label != NULL &&
            !g_ptr_array_find_with_equal_func(set->labels, q->label, g_str_equal, NULL))
            g_ptr_array_add(set->labels, q->label);
    }
    g_ptr_array_sort(set->labels, compare_labels);
    judge_by_evidence(set);
}

eval_dataset *
eval_dataset_load(const char *path, const char *corpus, GError **error)
{
    g_autoptr(eval_dataset) set = dataset_new();
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    loader l = {.set = set, .checksum = checksum};
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    set->name = g_path_get_basename(absolute);
    if (!(g_file_test(path, G_FILE_TEST_IS_DIR) ? read_folder(&l, path, corpus, error)
                                                : read_squad(&l, path, error)))
        return NULL;
    if (set->questions->len == 0) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: no question", path);
        return NULL;
    }
    finish(set);
    set->sha256 = g_strdup(g_checksum_get_string(checksum));
    return g_steal_pointer(&set);
}
