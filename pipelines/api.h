/* What stands behind the handles of lode.h that more than one of its files opens. */
#ifndef LODE_PIPELINES_API_H
#define LODE_PIPELINES_API_H

#include "pipelines/internal.h"

struct lode_engine {
    engine_pool *pool;
};

struct lode_embedder {
    pipelines_model *model;
};

struct lode_library {
    retrieval_library *inner;
    char *dir;
    lode_library_mode mode;
    const lode_embedder *embedder;
    lode_engine *engine;
};

#endif
