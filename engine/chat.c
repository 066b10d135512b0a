/* Chat formats: a list of messages as the text the model was trained to continue.
 *
 * The models we run use ChatML, each turn as <|im_start|>ROLE\nCONTENT<|im_end|>\n. A model brings its
 * format as a Jinja program; we do not run it but recognise it: when the expression that prints a turn is
 * ChatML's, letter for letter but for blanks and quotes, we print the same. Some templates put a system turn
 * of their own before messages that have none; its text is a literal in the template and is taken from there.
 * Any other template is refused rather than approximated.
 *
 * Contents are not trusted: the strings of control tokens in them are broken up, so the rendered text can be
 * tokenized with PARSE_SPECIAL. */
#include "engine/model.h"
#include "engine/unicode.h"

#include <string.h>

#define TURN_OPEN  "<|im_start|>"
#define TURN_CLOSE "<|im_end|>"

/* The template without blanks, real or escaped newlines, trim marks and variants of spelling. */
static char *
fingerprint(const char *template)
{
    static const char *const same[][2] = {{"\\n", ""},
                                          {" ", ""},
                                          {"\t", ""},
                                          {"\n", ""},
                                          {"\r", ""},
                                          {"\"", "'"},
                                          {"{%-", "{%"},
                                          {"-%}", "%}"},
                                          {"{{-", "{{"},
                                          {"-}}", "}}"},
                                          {"message.role", "message['role']"},
                                          {"message.content", "message['content']"},
                                          {"'+''", "'"}};
    GString *s = g_string_new(template);
    for (size_t i = 0; i < G_N_ELEMENTS(same); i++)
        g_string_replace(s, same[i][0], same[i][1], 0);
    return g_string_free(s, FALSE);
}

static gboolean
is_chatml(const char *template)
{
    g_autofree char *print = fingerprint(template);
    return strstr(print,
                  "'" TURN_OPEN "'+message['role']+''+message['content']+'" TURN_CLOSE "'") &&
           strstr(print, TURN_OPEN "assistant'") && !strstr(print, "bos_token");
}

/* The text of the system turn that the template prints when the messages begin with no system message; NULL
 * when it has none. Free with g_free. */
static char *
default_system(const char *template)
{
    static const char open[] = TURN_OPEN "system";
    for (const char *s = template; (s = strstr(s, open)) != NULL;) {
        s += strlen(open);
        if (*s == '\n')
            s++;
        else if (strncmp(s, "\\n", 2) == 0)
            s += 2;
        else
            continue;
        const size_t n = strcspn(s, "'\"{}<");
        if (n > 0 && strncmp(s + n, TURN_CLOSE, strlen(TURN_CLOSE)) == 0) {
            g_autofree char *text = g_strndup(s, n);
            return g_strcompress(text); /* the literal's own \n */
        }
    }
    return NULL;
}

/* Append text [len] with every match of a control token broken: by a blank behind its first character, or
 * (again) by leaving that character out. TRUE when there was one. */
static gboolean
append_broken(const engine_tokenizer *tokenizer, const char *text, size_t len, gboolean again,
              GString *out)
{
    gboolean found = FALSE;
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        const size_t n = unicode_next(text + i, len - i, &cp);
        const gboolean special = engine_tokenizer_match_control(tokenizer, text + i, len - i) > 0;
        if (!special || !again) g_string_append_len(out, text + i, (gssize)n);
        if (special && !again) g_string_append_c(out, ' ');
        found = found || special;
        i += n;
    }
    return found;
}

static void
append_content(const engine_tokenizer *tokenizer, const char *content, GString *out)
{
    g_autofree char *owned = NULL;
    size_t len = 0;
    const char *text = unicode_repair(content, strlen(content), &owned, &len);
    g_autoptr(GString) safe = g_string_new(NULL);
    gboolean found = append_broken(tokenizer, text, len, FALSE, safe);
    /* what the blanks joined may be a token of an odd vocabulary; each round is shorter than the last */
    while (found) {
        g_autoptr(GString) shorter = g_string_new(NULL);
        found = append_broken(tokenizer, safe->str, safe->len, TRUE, shorter);
        g_string_assign(safe, shorter->str);
    }
    g_string_append_len(out, safe->str, (gssize)safe->len);
}

static gboolean
is_role(const char *role)
{
    return role && *role && role[strspn(role, "abcdefghijklmnopqrstuvwxyz_")] == '\0';
}

static void
append_turn(const engine_tokenizer *tokenizer, const char *role, const char *content, GString *out)
{
    g_string_append_printf(out, TURN_OPEN "%s\n", role);
    append_content(tokenizer, content, out);
    g_string_append(out, TURN_CLOSE "\n");
}

engine_chat_options
engine_chat_options_default(void)
{
    return (engine_chat_options){.add_generation_prompt = TRUE};
}

char *
engine_chat_render(const engine_model *model, const engine_message *messages, size_t n,
                   const engine_chat_options *options, GError **error)
{
    const engine_chat_options defaults = engine_chat_options_default();
    const engine_tokenizer *tokenizer = model->tokenizer;
    const char *template = tokenizer ? engine_tokenizer_chat_template(tokenizer) : NULL;
    if (!options) options = &defaults;
    if (!template || !is_chatml(template) || options->tools) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED, "%s: %s",
                    model->info.name ? model->info.name : "model",
                    template ? "its chat template is not one we know" : "it has no chat template");
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (is_role(messages[i].role) && messages[i].content) continue;
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "message %zu has no role or content", i + 1);
        return NULL;
    }
    GString *out = g_string_new(NULL);
    g_autofree char *system = default_system(template);
    if (system && n > 0 && strcmp(messages[0].role, "system") != 0)
        append_turn(tokenizer, "system", system, out);
    for (size_t i = 0; i < n; i++)
        append_turn(tokenizer, messages[i].role, messages[i].content, out);
    if (options->add_generation_prompt) g_string_append(out, TURN_OPEN "assistant\n");
    return g_string_free(out, FALSE);
}
