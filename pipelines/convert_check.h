/* lode convert --check, apart from the command's other work. */
#ifndef LODE_PIPELINES_CONVERT_CHECK_H
#define LODE_PIPELINES_CONVERT_CHECK_H

#include "pipelines/cli.h"

G_BEGIN_DECLS

/* Read the inputs one after the other and print where their glyphs went: one line per file, one more per page
 * that does not balance; with --json one array. Returns the exit code: EXIT_SOME_FAILED where a file does not
 * balance or cannot be read. */
int convert_check(const common_args *args, GPtrArray *inputs,
                  const pipelines_batch_options *options);

G_END_DECLS
#endif
