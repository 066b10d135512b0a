/* A sentence that answers -> the stretch of it that says what was asked. */
#include <string.h>

#include "pipelines/evidence.h"

/* "However, " and the like say how a sentence goes on from the one before, and nothing of the matter. */
static size_t
skip_opening(const char *text, size_t len)
{
    static const char *const openings[] = {
        "However",       "Therefore",     "Thus",         "Hence",         "Moreover",
        "Furthermore",   "In addition",   "Additionally", "In contrast",   "In fact",
        "Indeed",        "Finally",       "Nevertheless", "In this study", "In summary",
        "In conclusion", "Interestingly", "Notably",      "Importantly",   "For example",
        "For instance",  "Consequently",  "As a result",  "Overall",       "In particular",
        "Specifically",  "Similarly",     "Also",         "Conversely",    "To date"};
    for (size_t i = 0; i < G_N_ELEMENTS(openings); i++) {
        size_t n = strlen(openings[i]);
        if (len > n + 2 && strncmp(text, openings[i], n) == 0 && text[n] == ',' &&
            text[n + 1] == ' ')
            return n + 2;
    }
    return 0;
}

/* " [12, 13]", " (Fig. 2)", " (20)" and the full stop at the end. */
static size_t
drop_ending(const char *text, size_t start, size_t end)
{
    for (;;) {
        size_t before = end;
        while (end > start && strchr(" .,;:", text[end - 1]) != NULL)
            end--;
        if (end > start + 1 && (text[end - 1] == ')' || text[end - 1] == ']')) {
            char open = text[end - 1] == ')' ? '(' : '[';
            size_t at = end - 1;
            while (at > start && text[at] != open)
                at--;
            size_t n = end - at;
            gboolean callout = n < 40 && (g_ascii_isdigit(text[at + 1]) ||
                                          g_ascii_strncasecmp(text + at + 1, "fig", 3) == 0 ||
                                          g_ascii_strncasecmp(text + at + 1, "table", 5) == 0);
            for (size_t i = at + 1; callout && open == '(' && i + 1 < end; i++)
                callout = strchr("%=<>", text[i]) == NULL;
            if (at > start && callout) end = at;
        }
        if (end == before) return end;
    }
}

pipelines_quote
evidence_trim(const retrieval_hit *hit, const pipelines_quote *sentence, const char *question)
{
    if (hit->type == LAYOUT_BLOCK_TABLE)
        return pipelines_cell_narrow(hit, sentence, question, NULL);
    pipelines_quote core = *sentence;
    const char *text = hit->text + sentence->start;
    size_t start = skip_opening(text, sentence->len);
    size_t end = drop_ending(text, start, sentence->len);
    if (end <= start) return core;
    core.start = sentence->start + (uint32_t)start;
    core.len = (uint32_t)(end - start);
    return core;
}
