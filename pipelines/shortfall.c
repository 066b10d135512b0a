/* What was tried before lode says that there is not enough evidence. */
#include "pipelines/answer.h"

static void add_line(lode_answer *answer, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
add_line(lode_answer *answer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_ptr_array_add(answer->shortfall.tried, g_strdup_vprintf(format, args));
    va_end(args);
}

void
pipelines_explain_search(lode_answer *answer, const pipelines_ask_context *context)
{
    retrieval_stats stats = {0};
    if (!retrieval_library_get_stats(context->library, &stats, NULL)) return;
    gboolean dense = context->embedder != NULL && stats.n_vectors > 0;
    add_line(answer,
             "searched %" G_GUINT64_FORMAT " passages of %" G_GUINT64_FORMAT " documents by %s",
             stats.n_chunks, stats.n_documents, dense ? "words and by meaning" : "words only");
    if (answer->options.where != NULL) add_line(answer, "only where %s", answer->options.where);
    g_autoptr(GHashTable) documents = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < answer->hits->len; i++)
        g_hash_table_add(documents, ((retrieval_hit *)answer->hits->pdata[i])->path);
    if (answer->hits->len > 0)
        add_line(answer, "read the best %u passages, from %u documents", answer->hits->len,
                 g_hash_table_size(documents));
    g_free(stats.embedder_id);
}
