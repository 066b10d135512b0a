/* What a model says about itself, for people: stored types, tokenizer, chat template. */
#include "engine/model.h"

/* Usage by type number; the number of types used. */
static size_t
count_types(const engine_model *model, engine_type_usage usage[ENGINE_TYPE_COUNT])
{
    size_t n = 0;

    for (size_t i = 0; i < engine_weights_n_tensors(model->weights); i++) {
        const engine_tensor *t = engine_weights_tensor_at(model->weights, i);
        engine_type_usage *u = &usage[t->type];
        if (u->n_tensors++ == 0) n++;
        u->name = engine_type_lookup((uint32_t)t->type)->name;
        u->n_bytes += t->n_bytes;
    }
    return n;
}

size_t
engine_model_n_types(const engine_model *model)
{
    engine_type_usage usage[ENGINE_TYPE_COUNT] = {0};
    return count_types(model, usage);
}

engine_type_usage
engine_model_type_at(const engine_model *model, size_t index)
{
    engine_type_usage usage[ENGINE_TYPE_COUNT] = {0};

    g_assert(index < count_types(model, usage));
    for (;;) { /* the largest one left; of equals the lower number */
        int most = -1;
        for (int t = 0; t < ENGINE_TYPE_COUNT; t++)
            if (usage[t].n_tensors > 0 && (most < 0 || usage[t].n_bytes > usage[most].n_bytes))
                most = t;
        if (index-- == 0) return usage[most];
        usage[most].n_tensors = 0;
    }
}

engine_model_facts
engine_model_get_facts(const engine_model *model)
{
    const engine_weights *w = model->weights;
    engine_model_facts facts = {0};

    if (model->tokenizer) facts.template_text = engine_tokenizer_chat_template(model->tokenizer);
    if (engine_weights_format(w) == ENGINE_FORMAT_GGUF) {
        facts.tokenizer = engine_weights_get_string(w, "tokenizer.ggml.model");
        facts.pre_tokenizer = engine_weights_get_string(w, "tokenizer.ggml.pre");
    }
    return facts;
}
