/* Jinja templates, as far as chat templates use them (jinja.palletsprojects.com, "Template Designer
 * Documentation"; set up as in Hugging Face's chat templates: trim_blocks, lstrip_blocks, loop controls,
 * raise_exception, strftime_now, and a tojson that does not escape for HTML).
 *
 * for if set macro filter raw generation break continue; namespaces; all operators, slices and literals; the
 * filters, tests and methods of jinja_filters.c, jinja_tests.c and jinja_methods.c. Not there: include, import, extends,
 * block, call, recursive loops, custom delimiters. A name that is not there is an error when the template is
 * parsed, so a template that parses is one we run.
 *
 * A template comes from a file and is not trusted: nesting, steps, memory and output are limited, and it
 * sees the values it is given and the clock. */
#ifndef LODE_ENGINE_JINJA_H
#define LODE_ENGINE_JINJA_H

#include <glib.h>
#include <jansson.h>

typedef struct jinja_template jinja_template; /* immutable: any number of threads may render it */

/* source [len]: ill-formed UTF-8 is repaired. Errors: ENGINE_ERROR_UNSUPPORTED, naming the line. */
jinja_template *jinja_parse(const char *source, size_t len, GError **error);
void jinja_free(jinja_template *t); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(jinja_template, jinja_free)

/* context: an object, the template's variables. Errors: ARGUMENT when the template raises an exception;
 * LIMIT when it takes too much; FORMAT when it does what Python would not, such as adding a number to a
 * string. Free with g_free. */
char *jinja_render(const jinja_template *t, const json_t *context, GError **error);

#endif
