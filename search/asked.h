/* What a question asks for: its kind, and words that say the same as its own. */
#ifndef LODE_SEARCH_ASKED_H
#define LODE_SEARCH_ASKED_H

#include <glib.h>

typedef enum {
    ASKED_OTHER, /* nothing that could be told by its look */
    ASKED_THING, /* "which", "what": often a name */
    ASKED_DATE,
    ASKED_NUMBER,
    ASKED_PERSON,
    ASKED_PLACE
} asked_kind;

/* By the word of asking that comes first: "What city was the author of When ... born in?" asks for a place. */
asked_kind search_asked_kind(const char *question);

/* Stems that say the same as a stem of a question ("born" for "birth"), as words.h makes them: word -> GPtrArray of
 * char *, owned; a word without such is not in it. */
GHashTable *search_asked_mates(void);

/* The first stretch of a sentence of this kind that is not all made of known words: a name, a date, a number. A new
 * string; NULL: there is none, or the kind cannot be told by its look. question: tells birth from death. */
char *search_asked_find(asked_kind kind, const char *question, const char *sentence,
                        GHashTable *known);

#endif
