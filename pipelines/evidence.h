/* What speaks for a sentence as the answer to a question. */
#ifndef LODE_PIPELINES_EVIDENCE_H
#define LODE_PIPELINES_EVIDENCE_H

#include "pipelines/internal.h"

G_BEGIN_DECLS

enum {
    EVIDENCE_COVERAGE, /* share of the question's words, weighted by rarity, in the sentence */
    EVIDENCE_PASSAGE,  /* the same in its whole passage, title and section */
    EVIDENCE_AROUND,   /* the same in the sentence and its two neighbours */
    EVIDENCE_PAIRS,    /* share of the question's neighbouring words that stand close together */
    EVIDENCE_COSINE,   /* of the two embeddings; 0 without an embedder */
    EVIDENCE_RANK,     /* 1 / rank of the passage */
    EVIDENCE_DOCUMENT, /* share of its document in the scores of all passages */
    EVIDENCE_NUMBER,   /* a number is asked for: 1 there is a new one, -1 there is none */
    EVIDENCE_DATE,     /* the same for years and months */
    EVIDENCE_NAME,     /* the same for names */
    EVIDENCE_REASON,   /* the same for words of cause */
    EVIDENCE_LOWER,    /* begins in the middle of a sentence */
    EVIDENCE_OPEN,     /* ends without a full stop */
    EVIDENCE_SHORT,    /* fewer than 8 words */
    EVIDENCE_LONG,     /* words beyond 40, in tens */
    EVIDENCE_ECHO,     /* share of its words that the question has: all means it says nothing new */
    EVIDENCE_QUESTION, /* is a question itself */
    EVIDENCE_REFERENCE, /* looks like front matter or bibliography: addresses, licences, "et al." */
    EVIDENCE_N_FEATURES
};

typedef struct {
    pipelines_quote quote;
    double features[EVIDENCE_N_FEATURES];
} evidence_sentence;

/* Names of the features, in their order. */
extern const char *const evidence_feature_names[EVIDENCE_N_FEATURES];

/* Every sentence of the hits that could be quoted, the best first; at most EVIDENCE_MAX_EMBEDDED where there is an
 * embedder. GArray of evidence_sentence. */
enum { EVIDENCE_MAX_SENTENCES = 256, EVIDENCE_MAX_EMBEDDED = 64 };
GArray *evidence_collect(GPtrArray *hits, const char *question, const pipelines_model *embedder,
                         engine_pool *pool, const int *cancel, GError **error);

/* The question's words and how rare each is among the hits. */
typedef struct {
    GHashTable *weight; /* word -> double *, owned */
    double total;
} evidence_words;
evidence_words evidence_weigh(const char *question, GPtrArray *hit_words);
void evidence_words_clear(evidence_words *words);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(evidence_words, evidence_words_clear)
/* Share of their weight whose words are in the set: 0..1. */
double evidence_coverage(const evidence_words *words, GHashTable *set);
/* Content words of each hit with its title and section: of GHashTable. */
GPtrArray *evidence_hit_words(GPtrArray *hits);

/* "How many", "rate", "number of": is it a number that a question, or the head of a column, asks for? */
gboolean evidence_asks_for_number(const char *question);

/* Of two vectors [n]; 0 where one of them is all zeros. */
double evidence_cosine(const float *a, const float *b, size_t n);

/* What speaks for there being an answer at all; each 0..1 but EVIDENCE_SIGNAL_SCORE. */
enum {
    EVIDENCE_SIGNAL_PASSAGE, /* share of the question's words, weighted by rarity, in the best passage */
    EVIDENCE_SIGNAL_SENTENCE, /* the same in the best sentence */
    EVIDENCE_SIGNAL_ALL,      /* the same in all passages together */
    EVIDENCE_SIGNAL_SCORE,    /* log odds of the best sentence */
    EVIDENCE_SIGNAL_NEXT,     /* of the third best sentence */
    EVIDENCE_N_SIGNALS
};
/* signals [EVIDENCE_N_SIGNALS]; hits and ranked are not empty. */
void evidence_signals(GPtrArray *hits, const char *question, const GArray *ranked, double *signals);

/* The stretch of a sentence that says what was asked, a clause or several; within the given one. */
pipelines_quote evidence_trim(const retrieval_hit *hit, const pipelines_quote *sentence,
                              const char *question);

G_END_DECLS
#endif
