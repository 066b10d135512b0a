/* A recorded run, done again, and what is not as it was. */
#include "pipelines/replay.h"

#include <string.h>

enum { MAX_RECORD_BYTES = 256 * 1024 * 1024, MAX_SHOWN = 200 };

static const char *
text_in(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

json_t *
pipelines_replay_load(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize len = 0;
    json_error_t problem = {0};
    g_autoptr(GError) cause = NULL;
    if (!pipelines_check_input(path, error)) return NULL;
    if (!g_file_get_contents(path, &text, &len, &cause)) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s", cause->message);
        return NULL;
    }
    g_autoptr(json_t) record = len <= MAX_RECORD_BYTES ? json_loadb(text, len, 0, &problem) : NULL;
    const json_t *result = json_object_get(record, "result");
    if (g_strcmp0(text_in(record, "schema"), "lode-run") != 0 ||
        text_in(result, "question") == NULL ||
        !json_is_object(json_object_get(record, "settings"))) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: no record of a run%s%s", path,
                    record == NULL ? ": " : "", record == NULL ? problem.text : "");
        return NULL;
    }
    if (json_integer_value(json_object_get(record, "version")) != 1) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_UNSUPPORTED, "%s: a record of a newer lode",
                    path);
        return NULL;
    }
    return g_steal_pointer(&record);
}

const char *
pipelines_replay_writer(const json_t *record)
{
    return text_in(json_object_get(record, "result"), "writer");
}

const char *
pipelines_replay_embedder(const json_t *record)
{
    return text_in(json_object_get(record, "result"), "embedder");
}

const char *
pipelines_replay_reranker(const json_t *record)
{
    return text_in(json_object_get(record, "result"), "reranker");
}

gboolean
pipelines_replay_is_remote(const json_t *record)
{
    return json_is_object(json_object_get(record, "replies"));
}

lode_writer *
pipelines_replay_new_writer(const json_t *record)
{
    const json_t *settings = json_object_get(record, "settings");
    const json_int_t n = json_integer_value(json_object_get(settings, "writer_context"));
    /* not there in older records, of PIPELINES_FEW_CLAIMS */
    const json_int_t claims = json_integer_value(json_object_get(settings, "writer_claims"));
    return pipelines_writer_new_replay(
        json_object_get(record, "replies"), pipelines_replay_writer(record),
        (uint32_t)CLAMP(n, 0, G_MAXUINT32), (guint)CLAMP(claims, 0, PIPELINES_MOST_CLAIMS));
}

/* ---- differences ---- */

typedef struct {
    json_t *list, *notes;
    gboolean same; /* the answer */
} differences;

static json_t *
shorten(const json_t *value)
{
    if (!json_is_string(value) || json_string_length(value) <= MAX_SHOWN)
        return value != NULL ? json_deep_copy(value) : json_null();
    const char *text = json_string_value(value);
    const char *end = g_utf8_find_prev_char(text, text + MAX_SHOWN);
    g_autofree char *cut = g_strdup_printf("%.*s...", (int)(end - text), text);
    return json_string(cut);
}

/* Absent and null are the same. */
static gboolean
equal(const json_t *a, const json_t *b)
{
    const gboolean none_a = a == NULL || json_is_null(a), none_b = b == NULL || json_is_null(b);
    if (none_a || none_b) return none_a == none_b;
    return json_equal(a, b) != 0;
}

static gboolean
compare(differences *d, const char *what, const json_t *recorded, const json_t *now)
{
    if (equal(recorded, now)) return TRUE;
    json_array_append_new(d->list, json_pack("{s:s,s:o,s:o}", "what", what, "recorded",
                                             shorten(recorded), "now", shorten(now)));
    return FALSE;
}

static void
note(differences *d, const char *text)
{
    json_array_append_new(d->notes, json_string(text));
}

/* The cause of all else, where there is one. */
static void
compare_circumstances(differences *d, const json_t *record, const json_t *now)
{
    const json_t *then_settings = json_object_get(record, "settings");
    const json_t *now_settings = json_object_get(now, "settings");
    const json_t *then_result = json_object_get(record, "result");
    const json_t *now_result = json_object_get(now, "result");
    compare(d, "lode", json_object_get(record, "lode"), json_object_get(now, "lode"));
    compare(d, "processor", json_object_get(then_settings, "cpu"),
            json_object_get(now_settings, "cpu"));
    compare(d, "writer", json_object_get(then_result, "writer"),
            json_object_get(now_result, "writer"));
    compare(d, "embedder", json_object_get(then_result, "embedder"),
            json_object_get(now_result, "embedder"));
    compare(d, "reranker", json_object_get(then_result, "reranker"),
            json_object_get(now_result, "reranker"));
}

static void
compare_passages(differences *d, const json_t *then, const json_t *now)
{
    static const char *const keys[] = {"path", "document_sha256", "text_sha256"};
    const size_t n = MAX(json_array_size(then), json_array_size(now));
    for (size_t i = 0; i < n; i++) {
        const json_t *a = json_array_get(then, i), *b = json_array_get(now, i);
        for (size_t j = 0; j < G_N_ELEMENTS(keys); j++) {
            g_autofree char *what = g_strdup_printf("passage %zu: %s", i + 1, keys[j]);
            if (!compare(d, what, json_object_get(a, keys[j]), json_object_get(b, keys[j]))) break;
        }
    }
}

/* Where a passage stands in the list of chunks is the library's business, not the answer's. */
static gboolean
compare_citations(differences *d, const json_t *then, const json_t *now)
{
    gboolean same = TRUE;
    const size_t n = MAX(json_array_size(then), json_array_size(now));
    for (size_t i = 0; i < n; i++) {
        const json_t *a = json_array_get(then, i), *b = json_array_get(now, i);
        static const char *const keys[] = {"number", "quote", "page", "boxes", "where"};
        g_autofree char *what = g_strdup_printf("citation %zu", i + 1);
        if ((a == NULL) != (b == NULL)) {
            same = compare(d, what, json_object_get(a, "quote"), json_object_get(b, "quote"));
            continue;
        }
        for (size_t j = 0; j < G_N_ELEMENTS(keys); j++) {
            g_autofree char *part = g_strdup_printf("citation %zu: %s", i + 1, keys[j]);
            if (!compare(d, part, json_object_get(a, keys[j]), json_object_get(b, keys[j])))
                same = FALSE;
        }
    }
    return same;
}

static void
compare_all(differences *d, const json_t *record, const json_t *now)
{
    static const char *const keys[] = {"question", "status", "mode", "answer", "short"};
    const json_t *then_result = json_object_get(record, "result");
    const json_t *now_result = json_object_get(now, "result");
    compare_circumstances(d, record, now);
    compare_passages(d, json_object_get(record, "passages"), json_object_get(now, "passages"));
    d->same =
        compare(d, "prompt", json_object_get(record, "prompt"), json_object_get(now, "prompt"));
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (!compare(d, keys[i], json_object_get(then_result, keys[i]),
                     json_object_get(now_result, keys[i])))
            d->same = FALSE;
    if (!compare_citations(d, json_object_get(then_result, "citations"),
                           json_object_get(now_result, "citations")))
        d->same = FALSE;
}

json_t *
pipelines_replay(const pipelines_ask_context *context, const json_t *record, const int *cancel,
                 GError **error)
{
    lode_ask_options options = lode_ask_options_default();
    pipelines_run_options(json_object_get(record, "settings"), &options);
    options.cancel = cancel;
    const char *question = text_in(json_object_get(record, "result"), "question");
    lode_answer *answer = pipelines_ask(context, question, &options, error);
    if (answer == NULL) return NULL;
    g_autoptr(json_t) now = pipelines_run_to_json(answer);
    lode_answer_free(answer);
    differences d = {json_array(), json_array(), TRUE};
    compare_all(&d, record, now);
    if (pipelines_replay_is_remote(record))
        note(&d, "the writer was behind an endpoint: its recorded replies were used, it was not "
                 "asked again");
    return json_pack("{s:b,s:o,s:o,s:O}", "same", d.same, "differences", d.list, "notes", d.notes,
                     "result", json_object_get(now, "result"));
}
