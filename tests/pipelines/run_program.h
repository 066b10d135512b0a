/* The program lode with arguments, as a user runs it. */
#ifndef LODE_TESTS_PIPELINES_RUN_PROGRAM_H
#define LODE_TESTS_PIPELINES_RUN_PROGRAM_H

#include <glib.h>

typedef struct {
    char *out, *err;
    int code;
} outcome;

void outcome_clear(outcome *o);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(outcome, outcome_clear)

/* Both lists of arguments end with NULL; the second one may be NULL. A program that cannot be started fails the test. */
void run_program(const char *const *first, const char *const *more, outcome *o);

#endif
