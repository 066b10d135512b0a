/* An answer as JSON, and the record of its run in LIBRARY/runs/: all that is needed to see where an answer
 * came from, and to make it again. */
#include "pipelines/answer.h"

#include <string.h>

#include "pipelines/relevance.h"
#include "pipelines/writer.h"

static json_t *
strings_to_json(const GPtrArray *strings)
{
    json_t *json = json_array();
    for (guint i = 0; i < strings->len; i++)
        json_array_append_new(json, pipelines_json_string(strings->pdata[i]));
    return json;
}

const char *
pipelines_status_name(lode_answer_status status)
{
    static const char *const names[] = {"answered", "partial", "insufficient_evidence",
                                        "conflicting"};
    return names[status];
}

static const char *
context_name(lode_context context)
{
    static const char *const names[] = {"auto", "passages", "sections", "whole"};
    return names[context];
}

static json_t *
claims_to_json(const lode_answer *answer)
{
    json_t *json = json_array();
    for (guint i = 0; i < answer->claims->len; i++) {
        const pipelines_claim *claim = answer->claims->pdata[i];
        json_t *cites = json_array();
        for (guint j = 0; j < claim->citations->len; j++) {
            guint index = g_array_index(claim->citations, guint, j);
            json_array_append_new(cites, json_sprintf("e%u", index + 1));
        }
        json_t *item = json_object();
        json_object_set_new(item, "text", pipelines_json_string(claim->text));
        json_object_set_new(item, "supported", json_boolean(claim->supported));
        json_object_set_new(item, "verbatim", json_boolean(claim->verbatim));
        json_object_set_new(item, "problem", pipelines_json_string(claim->problem));
        json_object_set_new(item, "cites", cites);
        json_array_append_new(json, item);
    }
    return json;
}

static json_t *
conflicts_to_json(const lode_answer *answer)
{
    json_t *json = json_array();
    for (guint i = 0; i < answer->conflicts->len; i++) {
        const pipelines_conflict *c = answer->conflicts->pdata[i];
        json_t *item = json_object();
        json_object_set_new(item, "kind", json_string(c->kind));
        json_object_set_new(
            item, "cites",
            json_pack("[o, o]", json_sprintf("e%u", c->a + 1), json_sprintf("e%u", c->b + 1)));
        json_object_set_new(item, "similarity", json_real(c->similarity));
        json_array_append_new(json, item);
    }
    return json;
}

/* What the writer finds of a hit: relevance and summary, null where it was not asked. */
static void
set_judgement(json_t *item, const lode_answer *answer, guint hit)
{
    const pipelines_judgement *judged =
        answer->judgements != NULL && hit < answer->judgements->len
            ? &g_array_index(answer->judgements, pipelines_judgement, hit)
            : NULL;
    json_object_set_new(item, "relevance", judged ? json_real(judged->relevance) : json_null());
    json_object_set_new(item, "summary", pipelines_json_string(judged ? judged->summary : NULL));
}

/* What was found, what is missing, what was tried. */
static json_t *
shortfall_to_json(const lode_answer *answer)
{
    enum { MAX_CLOSEST = 5 };
    if (answer->status != LODE_ANSWER_INSUFFICIENT) return json_null();
    json_t *closest = json_array();
    for (guint i = 0; i < MIN(answer->hits->len, MAX_CLOSEST); i++) {
        const retrieval_hit *hit = answer->hits->pdata[i];
        json_t *item = json_object();
        json_object_set_new(item, "title", pipelines_json_string(hit->title));
        json_object_set_new(item, "path", pipelines_json_path(hit->path));
        json_object_set_new(item, "page", json_integer(hit->first_page + 1));
        json_object_set_new(item, "section", pipelines_json_string(hit->section));
        json_object_set_new(item, "score", json_real(hit->score));
        set_judgement(item, answer, i);
        json_array_append_new(closest, item);
    }
    json_t *json = json_object();
    json_object_set_new(json, "reason", pipelines_json_string(answer->shortfall.reason));
    json_object_set_new(json, "missing", strings_to_json(answer->shortfall.missing));
    json_object_set_new(json, "tried", strings_to_json(answer->shortfall.tried));
    json_object_set_new(json, "closest", closest);
    return json;
}

/* What the writer found of the passages that it read, where it was asked. */
static json_t *
judgements_to_json(const lode_answer *answer)
{
    if (answer->judgements == NULL) return json_null();
    json_t *json = json_array();
    for (guint i = 0; i < answer->hits->len; i++) {
        const retrieval_hit *hit = answer->hits->pdata[i];
        json_t *item = json_object();
        json_object_set_new(item, "path", pipelines_json_path(hit->path));
        json_object_set_new(item, "page", json_integer(hit->first_page + 1));
        set_judgement(item, answer, i);
        json_array_append_new(json, item);
    }
    return json;
}

json_t *
pipelines_answer_to_json(const lode_answer *answer)
{
    json_t *citations = json_array();
    for (size_t i = 0; i < answer->citations->len; i++)
        json_array_append_new(citations, pipelines_evidence_to_json(answer, i));
    json_t *json = json_object();
    json_object_set_new(json, "schema", json_string("lode-answer"));
    json_object_set_new(json, "version", json_integer(1));
    json_object_set_new(json, "lode", json_string(lode_version()));
    json_object_set_new(json, "question", pipelines_json_string(answer->question));
    json_object_set_new(json, "status", json_string(pipelines_status_name(answer->status)));
    json_object_set_new(json, "mode", json_string(answer->extractive ? "extractive" : "written"));
    json_object_set_new(json, "answer", json_stringn(answer->text->str, answer->text->len));
    json_object_set_new(json, "short", pipelines_json_string(answer->short_answer));
    json_object_set_new(json, "claims", claims_to_json(answer));
    json_object_set_new(json, "citations", citations);
    json_object_set_new(json, "conflicts", conflicts_to_json(answer));
    json_object_set_new(json, "insufficient", shortfall_to_json(answer));
    json_object_set_new(json, "confidence", json_real(answer->shortfall.confidence));
    json_object_set_new(json, "unsupported", strings_to_json(answer->unsupported));
    json_object_set_new(json, "removed_citations", json_integer(answer->n_removed));
    json_object_set_new(json, "judged", judgements_to_json(answer));
    json_object_set_new(json, "context", json_string(context_name(answer->context)));
    json_object_set_new(json, "passages_found", json_integer(answer->n_found));
    json_object_set_new(json, "passages_used", json_integer(answer->n_shown));
    json_object_set_new(json, "writer", pipelines_json_string(answer->writer_id));
    json_object_set_new(json, "embedder", pipelines_json_string(answer->embedder_id));
    json_object_set_new(json, "reranker", pipelines_json_string(answer->reranker_id));
    json_object_set_new(json, "retrieve_seconds", json_real(answer->retrieve_seconds));
    json_object_set_new(json, "answer_seconds", json_real(answer->answer_seconds));
    json_object_set_new(json, "prompt_tokens", json_integer(answer->generation.n_prompt));
    json_object_set_new(json, "answer_tokens", json_integer(answer->generation.n_generated));
    /* the writer had more to say: raise --max-tokens */
    json_object_set_new(
        json, "truncated",
        json_boolean(!answer->extractive && pipelines_is_truncated(answer->generation.reason)));
    return json;
}

static json_t *
passages_to_json(const lode_answer *answer)
{
    json_t *json = json_array();
    for (guint i = 0; i < answer->hits->len; i++) {
        const retrieval_hit *hit = answer->hits->pdata[i];
        g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, hit->text, -1);
        json_t *passage = json_object();
        json_object_set_new(passage, "number", json_integer((json_int_t)i + 1));
        json_object_set_new(passage, "chunk", json_integer(hit->chunk_id));
        json_object_set_new(passage, "path", pipelines_json_path(hit->path));
        json_object_set_new(passage, "document_sha256", pipelines_json_string(hit->sha256));
        json_object_set_new(passage, "text_sha256", json_string(hash));
        json_object_set_new(passage, "page", json_integer(hit->first_page + 1));
        json_object_set_new(passage, "score", json_real(hit->score));
        json_object_set_new(passage, "bm25_rank", json_integer(hit->bm25_rank));
        json_object_set_new(passage, "dense_rank", json_integer(hit->dense_rank));
        set_judgement(passage, answer, i);
        json_array_append_new(json, passage);
    }
    return json;
}

static json_t *
settings_to_json(const lode_answer *answer)
{
    const lode_ask_options *o = &answer->options;
    json_t *json = json_object();
    json_object_set_new(json, "passages", json_integer((json_int_t)o->n_passages));
    json_object_set_new(json, "extractive", json_boolean(answer->extractive));
    json_object_set_new(json, "max_tokens", json_integer(o->max_tokens));
    json_object_set_new(json, "context", json_integer(o->n_context));
    json_object_set_new(json, "temperature", json_real(o->temperature));
    json_object_set_new(json, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(json, "writer_context", json_integer(answer->writer_context));
    json_object_set_new(json, "writer_claims", json_integer(answer->writer_claims));
    json_object_set_new(json, "strict", json_boolean(o->strict));
    json_object_set_new(json, "read", json_string(context_name(o->context)));
    json_object_set_new(json, "scored", json_integer((json_int_t)o->n_scored));
    json_object_set_new(json, "where", pipelines_json_string(o->where));
    json_object_set_new(json, "reranked", json_integer((json_int_t)o->n_reranked));
    json_object_set_new(json, "diversity", json_real(o->diversity));
    json_object_set_new(json, "cpu", json_string(engine_cpu_name(engine_cpu_best())));
    return json;
}

/* The inverse of settings_to_json. */
void
pipelines_run_options(const json_t *settings, lode_ask_options *options)
{
    const json_int_t n_passages = json_integer_value(json_object_get(settings, "passages"));
    const json_int_t n_context = json_integer_value(json_object_get(settings, "context"));
    const json_int_t max_tokens = json_integer_value(json_object_get(settings, "max_tokens"));
    options->n_passages = (size_t)CLAMP(n_passages, 1, 1000);
    options->extractive = json_is_true(json_object_get(settings, "extractive"));
    options->max_tokens = (uint32_t)CLAMP(max_tokens, 1, 1 << 20);
    options->n_context = (uint32_t)CLAMP(n_context, 0, G_MAXUINT32);
    options->temperature = json_number_value(json_object_get(settings, "temperature"));
    options->seed = (uint64_t)json_integer_value(json_object_get(settings, "seed"));
    const json_int_t n_scored = json_integer_value(json_object_get(settings, "scored"));
    const char *read = json_string_value(json_object_get(settings, "read"));
    options->strict = json_is_true(json_object_get(settings, "strict"));
    options->n_scored = (size_t)CLAMP(n_scored, 0, 1000);
    options->where = json_string_value(json_object_get(settings, "where"));
    const json_int_t n_reranked = json_integer_value(json_object_get(settings, "reranked"));
    options->n_reranked = (size_t)CLAMP(n_reranked, 0, 1000);
    options->diversity = json_number_value(json_object_get(settings, "diversity"));
    for (int i = LODE_CONTEXT_AUTO; read != NULL && i <= LODE_CONTEXT_WHOLE; i++)
        if (strcmp(read, context_name((lode_context)i)) == 0) options->context = (lode_context)i;
}

json_t *
pipelines_run_to_json(const lode_answer *answer)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *when = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S.%fZ");
    json_t *run = json_object();
    json_object_set_new(run, "schema", json_string("lode-run"));
    json_object_set_new(run, "version", json_integer(1));
    json_object_set_new(run, "lode", json_string(lode_version()));
    json_object_set_new(run, "time", json_string(when));
    json_object_set_new(run, "settings", settings_to_json(answer));
    json_object_set_new(run, "passages", passages_to_json(answer));
    json_object_set_new(run, "prompt", pipelines_json_string(answer->prompt));
    if (answer->replies != NULL) json_object_set(run, "replies", answer->replies);
    json_object_set_new(run, "result", pipelines_answer_to_json(answer));
    return run;
}

char *
pipelines_record_run(const lode_answer *answer, const char *dir, GError **error)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autoptr(json_t) run = pipelines_run_to_json(answer);
    g_autofree char *text = pipelines_json_text(run);
    g_autofree char *runs = g_build_filename(dir, "runs", NULL);
    if (!pipelines_make_dir(runs, error)) return NULL;
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    g_autofree char *stamp = g_date_time_format(now, "%Y%m%dT%H%M%SZ");
    g_autofree char *name = g_strdup_printf("%s-%.8s.json", stamp, hash);
    char *path = g_build_filename(runs, name, NULL);
    if (pipelines_write_file(path, text, strlen(text), error)) return path;
    g_free(path);
    return NULL;
}
