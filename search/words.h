/* Words of a question or a passage, as plans compare them. */
#ifndef LODE_SEARCH_WORDS_H
#define LODE_SEARCH_WORDS_H

#include <glib.h>

/* Words that carry meaning, in order and each once: lower case, without accents, lightly stemmed, function words
 * left out. text: UTF-8. Elements char *, owned by the array. */
GPtrArray *search_words(const char *text);
/* The same as a set; keys owned. */
GHashTable *search_word_set(const char *text);
gboolean search_is_function_word(const char *word); /* as printed, any case */

/* Are all words of the text in the set? Also when it has none. */
gboolean search_words_covered(const GPtrArray *words, GHashTable *set);

/* Names in a text: stretches of capitalised words with their small connecting ones ("Battle of Sullivan's
 * Island"), in order and each once; at most max. The word that begins a sentence is no name by itself when it is a
 * function word. Elements char *, owned. */
GPtrArray *search_names(const char *text, guint max);
/* "Levity (film)" is called Levity; g_free. */
char *search_plain_title(const char *title);

#endif
