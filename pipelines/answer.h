/* What the parts of an answer share. */
#ifndef LODE_PIPELINES_ANSWER_H
#define LODE_PIPELINES_ANSWER_H

#include "pipelines/internal.h"

G_BEGIN_DECLS

G_DEFINE_AUTOPTR_CLEANUP_FUNC(lode_answer, lode_answer_free)

/* An answer without anything in it yet; options are filled in. */
lode_answer *pipelines_answer_new(const pipelines_ask_context *context, const char *question,
                                  const lode_ask_options *options);
/* Cite a stretch of a passage; the same stretch again is the same citation. Returns its index. */
guint pipelines_cite(lode_answer *answer, const pipelines_quote *quote, pipelines_match match,
                     double match_score);
/* A new claim at the end; text is copied. */
pipelines_claim *pipelines_claim_add(lode_answer *answer, const char *text, size_t len);
/* A claim that is a quote, cited and printed. FALSE: the caller has had enough. */
gboolean pipelines_claim_quote(lode_answer *answer, const pipelines_quote *quote);
/* Append to the text and hand it to the caller; FALSE: the caller has had enough. */
gboolean pipelines_emit(lode_answer *answer, const char *text, size_t len);
/* Print a claim with the numbers of its sources, or as unsupported, or, when options say strict, not at all. */
gboolean pipelines_emit_claim(lode_answer *answer, const pipelines_claim *claim);

/* Quote or write from answer->hits, and check each claim. context->library may be NULL: then the writer reads the
 * hits and nothing around them. */
gboolean pipelines_answer_from_hits(lode_answer *answer, const pipelines_ask_context *context,
                                    GError **error);
/* The answer is that there is none. */
void pipelines_refuse(lode_answer *answer, const char *reason);
/* Put the citations in the order of number and place, and name what they quote: once, at the end. */
void pipelines_finish_citations(lode_answer *answer);

/* context.c: put into answer->hits what the writer is to read, in order, and say how it was chosen. ranked follows.
 * *relevant FALSE: the writer was asked and finds that none of the passages helps; they stay as they are. */
gboolean pipelines_choose_context(lode_answer *answer, const pipelines_ask_context *context,
                                  GArray *ranked, gboolean *relevant, GError **error);
/* claims.c, written.c: let the writer answer from answer->hits. */
gboolean pipelines_write_claims(lode_answer *answer, const pipelines_ask_context *context,
                                GError **error);
gboolean pipelines_write_sentences(lode_answer *answer, const pipelines_ask_context *context,
                                   GArray *ranked, GError **error);
/* Take the claims out of a writer's JSON, also where it was cut short, and check each against the passages. FALSE: it
 * is none. Nothing in it can make a claim count as supported but a quote that is found. */
gboolean pipelines_read_claims(lode_answer *answer, const char *json, size_t len);

/* "Li et al. 2023", "Li and Wu 2023", "Li 2023"; without authors or a year the beginning of the title. g_free. */
char *pipelines_work_name(const retrieval_hit *hit);
/* Where in its document a passage stands: "p. 4", "p. 143 (page 4 of the file)" where the printed label is another,
 * and without pages the section: "section \"3 Methods\"". NULL: neither is known. label may be NULL. g_free. */
char *pipelines_place_name(const retrieval_hit *hit, int page, const char *label);
/* "row \"BERT\", column \"Recall\"" of a citation that quotes a cell of a table, NULL of others. g_free. */
char *pipelines_cell_name(const lode_answer *answer, size_t index);
const char *pipelines_status_name(lode_answer_status status); /* "answered", ... */
/* A citation as the evidence record of the answer's JSON. */
json_t *pipelines_evidence_to_json(const lode_answer *answer, size_t index);

/* references.c: what the quotes cite, into answer->references; after pipelines_finish_citations. */
gboolean pipelines_find_references(lode_answer *answer, const pipelines_ask_context *context,
                                   GError **error);
/* Of references that are called from the quote's start on, keep those that the quote calls, and the call-outs right
 * behind it. text: the passage's. */
void pipelines_keep_called(GPtrArray *references, const char *text, const pipelines_quote *quote);
/* In short, on one line: key, authors, year, title, DOI; as printed where the title could not be read. g_free. */
char *pipelines_reference_line(const retrieval_reference *reference);
/* Of a citation, index < answer->references->len. */
json_t *pipelines_references_to_json(const lode_answer *answer, size_t index);

/* answer_html.c: one self-contained page; g_free. */
char *pipelines_answer_html(const lode_answer *answer);
gboolean pipelines_write_html(const lode_answer *answer, const char *path, GError **error);
/* verify.c: see lode_verify. */
gboolean pipelines_verify(const char *json, size_t len, const lode_verify_options *options,
                          lode_verify_report *report, GError **error);

/* shortfall.c: what was tried, for an answer that may turn out insufficient. */
void pipelines_explain_search(lode_answer *answer, const pipelines_ask_context *context);

/* ---- conflicts ---- */

/* Two quotes that cannot both be right. */
typedef struct {
    guint a, b;        /* indices into the answer's citations */
    const char *kind;  /* "number", "direction", "negation"; static */
    double similarity; /* of what they speak of, 0..1 */
} pipelines_conflict;
void pipelines_conflict_free(pipelines_conflict *conflict);
/* Of a word in lower case: 1 goes up ("increased"), -1 goes down, 0 neither; does it turn round what follows ("not")? */
int pipelines_direction_of(const char *word);
gboolean pipelines_is_negation(const char *word);
/* Do two sentences say opposite things of the same matter? kind as above. */
gboolean pipelines_contradict(const char *a, const char *b, const char **kind, double *similarity);
/* Where papers contradict each other on a question: both sides cited, in conflicts; no text of a model. INSUFFICIENT when
 * none do. */
lode_answer *pipelines_ask_conflicts(const pipelines_ask_context *context, const char *question,
                                     const lode_ask_options *options, GError **error);
/* Between the answer's citations of different documents. */
void pipelines_find_conflicts(lode_answer *answer);

G_END_DECLS
#endif
