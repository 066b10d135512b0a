/* Follow-up questions; see chat.h. */
#include "pipelines/chat.h"

#include <string.h>

#include "pipelines/writer.h"

enum { MAX_ANSWER_BYTES = 600, MAX_CONDENSED_BYTES = 600, MAX_CARRIED = 12 };

typedef struct {
    char *question, *answer;
} turn;

struct pipelines_chat {
    GQueue *turns; /* of turn *, oldest first */
};

static void
turn_free(gpointer data)
{
    turn *t = data;
    g_free(t->question);
    g_free(t->answer);
    g_free(t);
}

pipelines_chat *
pipelines_chat_new(void)
{
    pipelines_chat *chat = g_new0(pipelines_chat, 1);
    chat->turns = g_queue_new();
    return chat;
}

void
pipelines_chat_free(pipelines_chat *chat)
{
    if (chat == NULL) return;
    g_queue_free_full(chat->turns, turn_free);
    g_free(chat);
}

static char *
cut(const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len > max) len = (size_t)(g_utf8_find_prev_char(text, text + max) - text);
    return g_strndup(text, len);
}

void
pipelines_chat_add(pipelines_chat *chat, const char *question, const char *answer)
{
    turn *t = g_new0(turn, 1);
    t->question = cut(question, MAX_CONDENSED_BYTES);
    t->answer = cut(answer, MAX_ANSWER_BYTES);
    g_queue_push_tail(chat->turns, t);
    while (chat->turns->length > PIPELINES_CHAT_TURNS)
        turn_free(g_queue_pop_head(chat->turns));
}

guint
pipelines_chat_n_turns(const pipelines_chat *chat)
{
    return chat->turns->length;
}

/* ---- by words ---- */

static gboolean
is_pronoun(const char *word)
{
    static const char *const list[] = {
        "it",  "its", "they", "them",  "their", "this", "that", "these",  "those",  "he",
        "she", "his", "her",  "there", "one",   "ones", "both", "former", "latter", "such"};
    for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
        if (strcmp(list[i], word) == 0) return TRUE;
    return FALSE;
}

/* Does it mean something only after what was said before? */
static gboolean
leans_on_the_last(const char *question)
{
    enum { FEW_WORDS = 2 };
    static const char *const openings[] = {"and ",      "or ",  "but ", "what about",
                                           "how about", "why?", "how?", "when?",
                                           "where?",    "who?", "also "};
    g_autofree char *folded = g_utf8_casefold(question, -1);
    for (size_t i = 0; i < G_N_ELEMENTS(openings); i++)
        if (g_str_has_prefix(folded, openings[i])) return TRUE;
    g_auto(GStrv) words = g_strsplit_set(folded, " ,.;:?!()\"'\n\t", -1);
    for (char **word = words; *word != NULL; word++)
        if (is_pronoun(*word)) return TRUE;
    g_autoptr(GHashTable) content = pipelines_content_words(question, strlen(question));
    return g_hash_table_size(content) < FEW_WORDS;
}

/* Does it ask another thing of the same matter: "and what about its stability?" Then what the last question asked for is
 * no part of it. */
static gboolean
asks_anew(const char *question)
{
    static const char *const phrases[] = {" what about ", " how about ", " its ",
                                          " their ",      " his ",       " her "};
    g_autofree char *folded = g_utf8_casefold(question, -1);
    g_autofree char *padded = g_strconcat(" ", folded, " ", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(phrases); i++)
        if (strstr(padded, phrases[i]) != NULL) return TRUE;
    return FALSE;
}

/* "RC-4", "BERT": a digit or capitals, where capitals do not begin the text. */
static gboolean
is_name(const char *word, size_t len, gboolean first)
{
    for (const char *p = word; p < word + len; p = g_utf8_next_char(p)) {
        const gunichar c = g_utf8_get_char(p);
        if (g_unichar_isdigit(c) || (g_unichar_isupper(c) && (p > word || !first))) return TRUE;
    }
    return FALSE;
}

/* Append the words of text whose stems are not in `known` yet, as they stand there: how many. */
static guint
carry_words(GString *out, const char *text, GHashTable *known, gboolean names_only)
{
    guint n = 0;
    for (const char *p = text; *p != '\0' && n < MAX_CARRIED;) {
        const char *start = p;
        while (*p != '\0' && (g_unichar_isalnum(g_utf8_get_char(p)) ||
                              (*p == '-' && p > start && g_ascii_isalnum(p[1]))))
            p = g_utf8_next_char(p);
        if (p == start) {
            p = g_utf8_next_char(p);
            continue;
        }
        if (names_only && !is_name(start, (size_t)(p - start), start == text)) continue;
        g_autoptr(GHashTable) stems = pipelines_content_words(start, (size_t)(p - start));
        GHashTableIter iter;
        gpointer stem;
        gboolean is_new = FALSE;
        g_hash_table_iter_init(&iter, stems);
        while (g_hash_table_iter_next(&iter, &stem, NULL))
            if (g_hash_table_add(known, g_strdup(stem))) is_new = TRUE;
        if (!is_new) continue;
        g_string_append_printf(out, "%s%.*s", n == 0 ? " (" : " ", (int)(p - start), start);
        n++;
    }
    if (n > 0) g_string_append_c(out, ')');
    return n;
}

static char *
condense_by_words(const pipelines_chat *chat, const char *question)
{
    const turn *last = g_queue_peek_tail(chat->turns);
    if (last == NULL || !leans_on_the_last(question)) return g_strdup(question);
    g_autoptr(GHashTable) known = pipelines_content_words(question, strlen(question));
    GString *out = g_string_new(question);
    if (!asks_anew(question) || carry_words(out, last->question, known, TRUE) == 0)
        carry_words(out, last->question, known, FALSE);
    return g_string_free(out, FALSE);
}

/* ---- by the writer ---- */

static const char SYSTEM[] =
    "You rewrite the last question of a conversation so that it can be understood alone: replace "
    "pronouns and what is left out by what they stand for. Do not answer it. Reply with the "
    "rewritten question only.";

/* The last n_turns of it. */
static char *
conversation(const pipelines_chat *chat, guint n_turns, const char *question)
{
    GString *text = g_string_new(NULL);
    for (guint i = chat->turns->length - n_turns; i < chat->turns->length; i++) {
        const turn *t = g_queue_peek_nth(chat->turns, i);
        g_string_append_printf(text, "Question: %s\nAnswer: %s\n\n", t->question, t->answer);
    }
    g_string_append_printf(text, "Last question: %s", question);
    return g_string_free(text, FALSE);
}

/* One line that keeps the question's own words: a reply that does not is an answer, or about something else. */
static gboolean
is_rewritten(const char *reply, const char *question)
{
    size_t len = strlen(reply);
    if (len == 0 || len > MAX_CONDENSED_BYTES || strchr(reply, '\n') != NULL) return FALSE;
    g_autoptr(GHashTable) asked = pipelines_content_words(question, strlen(question));
    g_autoptr(GHashTable) said = pipelines_content_words(reply, len);
    return 2 * pipelines_count_in(asked, said) >= g_hash_table_size(asked);
}

char *
pipelines_chat_condense(const pipelines_chat *chat, const lode_writer *writer, engine_pool *pool,
                        const char *question, const int *cancel, GError **error)
{
    if (chat->turns->length == 0) return g_strdup(question);
    if (writer == NULL || writer->is_small) return condense_by_words(chat, question);
    for (guint n_turns = chat->turns->length; n_turns > 0; n_turns /= 2) {
        g_autofree char *user = conversation(chat, n_turns, question);
        engine_message messages[] = {{.role = "system", .content = SYSTEM},
                                     {.role = "user", .content = user}};
        pipelines_write_request request = {.messages = messages,
                                           .n_messages = G_N_ELEMENTS(messages),
                                           .max_tokens = 96,
                                           .cancel = cancel};
        g_auto(pipelines_written) written = {0};
        g_autoptr(GError) failure = NULL;
        const uint32_t planned = pipelines_writer_context(writer, 0);
        if (pipelines_writer_write(writer, pool, &request, &written, &failure)) {
            g_autofree char *reply = g_strstrip(g_strdup(written.text->str));
            if (is_rewritten(reply, question)) return g_steal_pointer(&reply);
            break;
        }
        if (pipelines_writer_takes_less(writer, 0, planned)) continue;
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    return condense_by_words(chat, question);
}
