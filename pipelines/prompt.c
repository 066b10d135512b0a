/* Passages and a question -> a prompt that fits the writer; and the answer's [n] kept honest. */
#include "pipelines/internal.h"

#include <string.h>

/* Short and literal: small models follow little else. The fixed sentence is recognised in answer.c. */
static const char SYSTEM[] = "You answer questions using only the numbered passages. "
                             "Write one to three short sentences. After each sentence give the "
                             "number of its passage, like [1]. "
                             "If the passages do not contain the answer, write exactly: The "
                             "passages do not answer this question.";

/* For writers too small to cite: nothing about numbers, the sentences they write get theirs from lode. Asked to
 * copy they invent less than asked to answer (SmolLM2-135M on the sample papers). */
static const char SYSTEM_SMALL[] =
    "You are a careful assistant. Answer the question with one full sentence copied from the text.";

void
pipelines_prompt_free(pipelines_prompt *prompt)
{
    if (prompt == NULL) return;
    g_free(prompt->text);
    g_array_unref(prompt->tokens);
    g_free(prompt);
}

/* "[12]" inside a passage is the paper's own reference; a model that copies it would seem to cite passage 12. */
static void
append_without_callouts(GString *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        size_t end = i + 1;
        if (text[i] == '[')
            while (end < len && (g_ascii_isdigit(text[end]) || strchr(",;- ", text[end]) != NULL))
                end++;
        if (text[i] == '[' && end > i + 1 && end < len && text[end] == ']')
            i = end;
        else
            g_string_append_c(out, text[i]);
    }
}

/* The whole passage, at most max_bytes of it. */
static void
append_whole(GString *out, const retrieval_hit *hit, size_t max_bytes)
{
    size_t len = strlen(hit->text);
    if (len > max_bytes)
        len = (size_t)(g_utf8_find_prev_char(hit->text, hit->text + max_bytes) - hit->text);
    append_without_callouts(out, hit->text, len);
}

/* Only its chosen sentences, in the order of the text. */
static void
append_chosen(GString *out, const retrieval_hit *hit, guint passage, const GArray *chosen)
{
    for (gint64 last = -1;;) {
        const pipelines_quote *next = NULL;
        for (guint i = 0; i < chosen->len; i++) {
            const pipelines_quote *q = &g_array_index(chosen, pipelines_quote, i);
            if (q->passage == passage && q->start > last &&
                (next == NULL || q->start < next->start))
                next = q;
        }
        if (next == NULL) return;
        if (last >= 0) g_string_append_c(out, ' ');
        append_without_callouts(out, hit->text + next->start, next->len);
        last = next->start;
    }
}

static char *
small_message(GPtrArray *hits, guint n, const GArray *chosen, const char *question)
{
    g_autoptr(GString) text = g_string_new("Text:\n");
    /* the best passage last: these models hold on to what they read last */
    for (guint i = n; i-- > 0;) {
        append_chosen(text, hits->pdata[i], i, chosen);
        g_string_append_c(text, '\n');
    }
    g_string_append_printf(text, "\nQuestion: %s", question);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *
user_message(GPtrArray *hits, guint n, size_t max_bytes, const char *question)
{
    g_autoptr(GString) text = g_string_new("Passages:\n\n");
    for (guint i = 0; i < n; i++) {
        g_string_append_printf(text, "[%u] ", i + 1);
        append_whole(text, hits->pdata[i], max_bytes);
        g_string_append(text, "\n\n");
    }
    g_string_append_printf(text, "Question: %s\nAnswer with passage numbers like [1].", question);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *
render(const engine_model *writer, const char *system, const char *user, GError **error)
{
    if (!engine_model_get_info(writer)->has_chat_template)
        return g_strconcat(system, "\n\n", user, "\n\nAnswer: ", NULL);
    engine_message messages[] = {{.role = "system", .content = system},
                                 {.role = "user", .content = user}};
    return engine_chat_render(writer, messages, G_N_ELEMENTS(messages), NULL, error);
}

static pipelines_prompt *
build(const engine_model *writer, GPtrArray *hits, guint n, const GArray *chosen, size_t max_bytes,
      const char *question, GError **error)
{
    g_autofree char *user = chosen != NULL ? small_message(hits, n, chosen, question)
                                           : user_message(hits, n, max_bytes, question);
    char *text = render(writer, chosen != NULL ? SYSTEM_SMALL : SYSTEM, user, error);
    if (text == NULL) return NULL;
    pipelines_prompt *prompt = g_new0(pipelines_prompt, 1);
    prompt->text = text;
    prompt->n_passages = n;
    prompt->tokens = g_array_new(FALSE, FALSE, sizeof(int32_t));
    gboolean chat = engine_model_get_info(writer)->has_chat_template;
    engine_tokenize(writer, text, strlen(text),
                    chat ? ENGINE_TOKENIZE_PARSE_SPECIAL : ENGINE_TOKENIZE_ADD_SPECIAL,
                    prompt->tokens);
    return prompt;
}

pipelines_prompt *
pipelines_prompt_new(const engine_model *writer, GPtrArray *hits, guint n_hits,
                     const GArray *chosen, const char *question, uint32_t n_context,
                     uint32_t max_tokens, GError **error)
{
    uint32_t room = n_context > max_tokens ? n_context - max_tokens : 0;
    size_t max_bytes = G_MAXUINT32;
    for (guint n = n_hits; n > 0;) {
        pipelines_prompt *prompt = build(writer, hits, n, chosen, max_bytes, question, error);
        if (prompt == NULL || prompt->tokens->len <= room) return prompt;
        pipelines_prompt_free(prompt);
        /* fewer passages; a single one that is too long is cut */
        if (n > 1) {
            n--;
            continue;
        }
        const retrieval_hit *hit = hits->pdata[0];
        max_bytes = MIN(max_bytes, strlen(hit->text)) / 2;
        if (max_bytes < 64 || chosen != NULL) break;
    }
    g_set_error(
        error, PIPELINES_ERROR, LODE_ERROR_LIMIT,
        "the question does not fit the writer's context of %u tokens with %u left for the answer: "
        "shorten it, or lower --max-tokens",
        n_context, max_tokens);
    return NULL;
}

/* ---- citations in a stream ---- */

/* held is " [1, 3]": append it with the numbers that exist. */
static void
release(pipelines_citation_filter *filter, GString *out)
{
    g_autoptr(GString) kept = g_string_new(NULL);
    guint n_kept = 0;
    for (const char *p = filter->held->str; *p != '\0';) {
        if (!g_ascii_isdigit(*p)) {
            p++;
            continue;
        }
        char *end = NULL;
        guint64 number = g_ascii_strtoull(p, &end, 10);
        p = end;
        if (number < 1 || number > filter->n_passages) {
            filter->n_removed++;
            continue;
        }
        g_string_append_printf(kept, "%s%" G_GUINT64_FORMAT, n_kept++ > 0 ? ", " : "", number);
    }
    if (n_kept > 0)
        g_string_append_printf(out, "%s[%s]", filter->held->str[0] == ' ' ? " " : "", kept->str);
    g_string_truncate(filter->held, 0);
}

static gboolean
may_continue(const GString *held, char c)
{
    if (held->len == 0) return c == ' ' || c == '[';
    if (held->len == 1 && held->str[0] == ' ') return c == '[';
    return g_ascii_isdigit(c) || c == ',' || c == ';' || c == ' ' || c == '-';
}

/* Is there a number in what is held? "[]" and "[ ]" are not citations. */
static gboolean
has_digit(const GString *held)
{
    for (gsize i = 0; i < held->len; i++)
        if (g_ascii_isdigit(held->str[i])) return TRUE;
    return FALSE;
}

void
pipelines_citation_filter_feed(pipelines_citation_filter *filter, const char *text, size_t len,
                               GString *out)
{
    if (filter->held == NULL) filter->held = g_string_new(NULL);
    GString *held = filter->held;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == ']' && has_digit(held)) {
            release(filter, out);
            continue;
        }
        if (held->len < 64 && may_continue(held, c)) {
            g_string_append_c(held, c);
            continue;
        }
        g_string_append_len(out, held->str, (gssize)held->len);
        g_string_truncate(held, 0);
        g_string_append_c(c == ' ' || c == '[' ? held : out, c);
    }
}

void
pipelines_citation_filter_finish(pipelines_citation_filter *filter, GString *out)
{
    if (filter->held == NULL) return;
    g_string_append_len(out, filter->held->str, (gssize)filter->held->len);
    g_string_free(filter->held, TRUE);
    filter->held = NULL;
}
