/* Heads, cache and attention on the device against the same in doubles from what the cache holds. */
#include "kernels_check.h"

#include "engine/rope.h"

#define PAGE 128

struct attention_case {
    check_random random;
    uint32_t type, n_heads, n_kv_heads, dim;
    size_t row_bytes, head_bytes, page_bytes;
    std::vector<cuda_span> spans;
    std::vector<uint32_t> pages, row_span;
    uint32_t n, least, most;
    std::vector<uint8_t> arena;
    float scale;

    attention_case(uint64_t seed, uint32_t type_, uint32_t n_heads_, uint32_t n_kv_heads_,
                   uint32_t dim_)
        : random(seed), type(type_), n_heads(n_heads_), n_kv_heads(n_kv_heads_), dim(dim_),
          row_bytes(cuda_row_bytes(type_, dim_)), head_bytes((row_bytes * PAGE + 63) / 64 * 64 * 2),
          page_bytes(head_bytes * n_kv_heads_ + 64), n(0), least(~0u), most(0),
          scale(1.0f / std::sqrt((float)dim_))
    {
    }

    /* n_new tokens of a sequence with `past` of them in the cache; its pages lie anywhere. */
    void
    add_span(uint32_t past, uint32_t n_new)
    {
        const uint32_t n_pages = (past + n_new + PAGE - 1) / PAGE, all = (uint32_t)pages.size();
        spans.push_back({n, n_new, past, all});
        for (uint32_t i = 0; i < n_pages; i++)
            pages.push_back(0);
        for (uint32_t i = 0; i < n_new; i++)
            row_span.push_back((uint32_t)spans.size() - 1);
        n += n_new;
        least = n_new < least ? n_new : least;
        most = n_new > most ? n_new : most;
    }
    uint32_t
    width() const /* of a projected row: queries and their gates */
    {
        return n_heads * 2 * dim;
    }
    void
    fill()
    {
        for (size_t i = 0; i < pages.size(); i++)
            pages[i] = (uint32_t)(pages.size() - 1 - i);
        arena.assign(pages.size() * page_bytes, 0xff);
        for (size_t p = 0; p < pages.size(); p++)
            for (size_t h = 0; h < 2 * n_kv_heads; h++) {
                const std::vector<uint8_t> rows = check_packed(random, type, PAGE, dim, 2.0f);
                std::copy(rows.begin(), rows.end(),
                          arena.begin() + (long)(p * page_bytes + 64 + h * (head_bytes / 2)));
            }
    }
    std::vector<float>
    row(const std::vector<uint8_t> &from, const cuda_span &s, uint32_t position, uint32_t head,
        bool value) const
    {
        std::vector<float> out(dim);
        const size_t at = pages[s.pages + position / PAGE] * page_bytes + 64 + head * head_bytes +
                          (value ? head_bytes / 2 : 0) + position % PAGE * row_bytes;
        engine_type_lookup(type)->dequantize(&from[at], out.data(), dim);
        return out;
    }
};

/* softmax(q k) v of one head over the first n_seen positions, in doubles. */
static std::vector<double>
attend(const attention_case &c, const cuda_span &s, uint32_t n_seen, uint32_t kv_head,
       const float *q)
{
    std::vector<double> scores(n_seen), out(c.dim, 0.0);
    double top = -INFINITY, sum = 0.0;

    for (uint32_t p = 0; p < n_seen; p++) {
        const std::vector<float> k = c.row(c.arena, s, p, kv_head, false);
        double dot = 0.0;
        for (uint32_t i = 0; i < c.dim; i++)
            dot += (double)q[i] * (double)k[i];
        scores[p] = dot * (double)c.scale;
        top = std::fmax(top, scores[p]);
    }
    for (uint32_t p = 0; p < n_seen; p++) {
        const std::vector<float> v = c.row(c.arena, s, p, kv_head, true);
        const double e = std::exp(scores[p] - top);
        sum += e;
        for (uint32_t i = 0; i < c.dim; i++)
            out[i] += e * (double)v[i];
    }
    for (double &o : out)
        o /= sum;
    return out;
}

static lode_cuda_kv
cache_of(const attention_case &c, uint8_t *arena)
{
    lode_cuda_kv kv = {};
    kv.arena = arena;
    kv.page_bytes = c.page_bytes;
    kv.at = 64;
    kv.head_bytes = c.head_bytes;
    kv.at_v = c.head_bytes / 2;
    kv.row_k = kv.row_v = (uint32_t)c.row_bytes;
    kv.page_tokens = PAGE;
    kv.type = c.type;
    return kv;
}

/* q and raw as a pass brings them, of all of the case's spans */
static std::vector<float>
run_attention(const attention_case &c, const std::vector<float> &q, const std::vector<float> &raw,
              bool gated, bool exact)
{
    const uint32_t group = c.n_heads / c.n_kv_heads;
    device_array<uint8_t> arena(c.arena);
    device_array<cuda_span> spans(c.spans);
    device_array<uint32_t> pages(c.pages), row_span(c.row_span);
    device_array<float> q_there(q), raw_there(raw), out(q.size()),
        partials(cuda_attend_floats(c.n, c.n_heads, c.dim));
    const cuda_pass pass = {spans.data, pages.data, row_span.data, (uint32_t)c.spans.size(),
                            c.n,        c.least,    c.most};
    lode_cuda_attention a = {};

    a.n_heads = c.n_heads;
    a.n_kv_heads = c.n_kv_heads;
    a.head_dim = c.dim;
    a.width = c.width();
    a.q_group = group * 2 * c.dim;
    a.q_head = 2 * c.dim;
    a.gate = gated ? c.dim : 0;
    a.scale = c.scale;
    a.raw = raw_there.data;
    a.q = q_there.data;
    a.out = out.data;
    a.kv = cache_of(c, arena.data);
    a.exact = exact;
    CUDA_OK(cuda_attend(NULL, &a, &pass, partials.data));
    return out.get();
}

/* few rows, and any over a cache of floats or exact: within float rounding; many: queries, keys, values and weights are
 * rounded to half. */
static void
check_attention(attention_case &c, bool gated, bool exact = false)
{
    c.fill();
    const uint32_t group = c.n_heads / c.n_kv_heads, width = c.width();
    const std::vector<float> q = c.random.numbers((size_t)c.n * c.n_heads * c.dim, 2.0f),
                             raw = c.random.numbers((size_t)c.n * width, 3.0f);
    const std::vector<float> got = run_attention(c, q, raw, gated, exact);
    for (const cuda_span &s : c.spans)
        for (uint32_t t = 0; t < s.n; t++) {
            if (s.n > 20 && t % 13 != 0 && t + 1 < s.n) continue; /* the reference is slow */
            for (uint32_t h = 0; h < c.n_heads; h++) {
                const size_t at = ((size_t)(s.row + t) * c.n_heads + h) * c.dim;
                const std::vector<double> want = attend(c, s, s.first + t + 1, h / group, &q[at]);
                const float *gate = &raw[(size_t)(s.row + t) * width + h * 2 * c.dim + c.dim];
                for (uint32_t i = 0; i < c.dim; i++) {
                    const double factor = gated ? 1.0 / (1.0 + std::exp(-(double)gate[i])) : 1.0;
                    const double tolerance = s.n > 8 && c.type != CUDA_F32 && !exact ? 6e-3 : 3e-5;
                    if (!(std::fabs((double)got[at + i] - want[i] * factor) <= tolerance))
                        fail_msg("type %u dim %u: token %u of %u behind %u, head %u, %u: %g, "
                                 "not %g",
                                 c.type, c.dim, t, s.n, s.first, h, i, (double)got[at + i],
                                 want[i] * factor);
                }
            }
        }
}

static const uint32_t CACHE_TYPES[] = {CUDA_F32, CUDA_F16, CUDA_Q8_0, CUDA_Q4_0};

static void
few_rows_attend_as_the_reference(void **)
{
    uint64_t seed = 1;
    for (const uint32_t type : CACHE_TYPES)
        for (const uint32_t dim : {16u, 64u, 80u, 96u, 128u, 256u}) {
            if (type != CUDA_F32 && type != CUDA_F16 && dim % 32 != 0) continue;
            attention_case c(seed++, type, dim == 96 ? 10 : 4, dim == 96 ? 1 : 2, dim);
            c.add_span(0, 1);
            c.add_span(170, 3);
            check_attention(c, dim == 64);
        }
}

static void
a_long_past_is_split_over_blocks(void **)
{
    attention_case c(20, CUDA_F16, 2, 1, 32);
    c.add_span(33 * PAGE + 5, 1); /* two pages a block */
    check_attention(c, false);
}

static void
many_rows_attend_as_the_reference(void **)
{
    uint64_t seed = 30;
    for (const uint32_t type : CACHE_TYPES)
        for (const uint32_t dim : {16u, 64u, 80u, 96u, 128u, 256u}) {
            if (type != CUDA_F32 && type != CUDA_F16 && dim % 32 != 0) continue;
            attention_case c(seed++, type, 3, 1, dim);
            c.add_span(dim == 80 ? 100 : 0, 9 + c.random.below(40));
            check_attention(c, dim == 128);
            if (type != CUDA_F32) check_attention(c, dim == 128, true);
        }
}

static void
long_and_short_spans_share_a_pass(void **)
{
    for (const uint32_t type : {CUDA_F16, CUDA_F32}) {
        attention_case c(60, type, 4, 2, 64);
        c.add_span(40, 1);
        c.add_span(10, 30);
        c.add_span(0, 8);
        check_attention(c, true);
    }
}

/* More rows than a block takes, over several tiles, and more spans of few rows than a launch takes. */
static void
many_spans_and_many_rows_take_several_blocks_and_launches(void **)
{
    for (const uint32_t type : {CUDA_F32, CUDA_F16}) {
        attention_case alone(61, type, 2, 1, 16), many(62, type, 1, 1, 16);
        alone.add_span(3, 170);
        check_attention(alone, false);
        for (uint32_t i = 0; i < 30; i++)
            many.add_span(i, i == 9 ? 19 : 1 + i % 3);
        check_attention(many, false);
    }
}

/* The same cache with its pages one after the other, and then in an order drawn by lot: the same bytes come out. */
static void
pages_anywhere_are_pages_in_a_row(void **)
{
    uint64_t seed = 65;
    for (const uint32_t type : CACHE_TYPES)
        for (const uint32_t dim : {32u, 128u}) {
            attention_case row(seed++, type, 4, 2, dim);
            row.add_span(3 * PAGE - 2, 1); /* few rows */
            row.add_span(2 * PAGE + 7, 5);
            row.add_span(PAGE - 4, 40); /* many, over the end of a page */
            row.fill();
            for (size_t i = 0; i < row.pages.size(); i++)
                row.pages[i] = (uint32_t)i;
            attention_case anywhere = row;
            for (size_t i = anywhere.pages.size(); i > 1; i--)
                std::swap(anywhere.pages[i - 1], anywhere.pages[row.random.below((uint32_t)i)]);
            assert_true(anywhere.pages != row.pages);
            for (size_t i = 0; i < row.pages.size(); i++)
                std::copy_n(row.arena.begin() + (long)(i * row.page_bytes), row.page_bytes,
                            anywhere.arena.begin() + (long)(anywhere.pages[i] * row.page_bytes));
            const std::vector<float> q = row.random.numbers((size_t)row.n * 4 * dim, 2.0f),
                                     raw = row.random.numbers((size_t)row.n * row.width(), 3.0f);
            for (const bool exact : {false, true})
                check_equal("pages anywhere", run_attention(anywhere, q, raw, true, exact),
                            run_attention(row, q, raw, true, exact));
        }
}

/* Within float rounding when exact, else of halves. */
static void
check_texts(bool exact)
{
    check_random random(70);
    const double tolerance = exact ? 2e-5 : 6e-3;
    for (const uint32_t dim : {24u, 32u, 64u, 80u, 96u, 128u, 256u}) {
        const std::vector<uint32_t> first = {0, 1, 71, 71, 90};
        const uint32_t n_heads = 2, width = 3 * n_heads * dim, n = first.back();
        const std::vector<float> qkv = random.numbers((size_t)n * width, 2.0f);
        device_array<float> there(qkv), out((size_t)n * n_heads * dim);
        device_array<uint32_t> first_there(first);
        CUDA_OK(cuda_attend_text(NULL, there.data, first_there.data, 4, 70, n_heads, dim, exact,
                                 out.data));
        const std::vector<float> got = out.get();
        for (size_t text = 0; text + 1 < first.size(); text++)
            for (uint32_t t = first[text]; t < first[text + 1]; t += 7)
                for (uint32_t h = 0; h < n_heads; h++) {
                    std::vector<double> want(dim, 0.0);
                    double sum = 0.0;
                    for (uint32_t p = first[text]; p < first[text + 1]; p++) {
                        const float *q = &qkv[(size_t)t * width + h * dim];
                        const float *k = &qkv[(size_t)p * width + (n_heads + h) * dim];
                        double dot = 0.0;
                        for (uint32_t i = 0; i < dim; i++)
                            dot += (double)q[i] * (double)k[i];
                        const double e = std::exp(dot / std::sqrt((double)dim));
                        sum += e;
                        for (uint32_t i = 0; i < dim; i++)
                            want[i] += e * (double)k[n_heads * dim + i];
                    }
                    for (uint32_t i = 0; i < dim; i++)
                        assert_true(std::fabs((double)got[((size_t)t * n_heads + h) * dim + i] -
                                              want[i] / sum) <= tolerance);
                }
    }
}

static void
texts_attend_both_ways(void **)
{
    check_texts(false);
    check_texts(true);
}

/* ---- tables and heads ---- */

static void
rotary_tables_are_the_reference_far_out_too(void **)
{
    check_random random(80);
    for (const uint32_t n_rot : {4u, 64u, 128u})
        for (const uint32_t first : {0u, 77u, 1000000u})
            for (const bool fope : {false, true}) {
                const uint32_t n = 3, n_tables = fope ? 2 : 1, n_waves = fope ? n_rot / 2 - 1 : 0;
                std::vector<float> inv_freq(n_rot / 2), tmp(n_rot);
                for (uint32_t j = 0; j < n_rot / 2; j++)
                    inv_freq[j] = (float)std::pow(10000.0, -2.0 * j / n_rot);
                const std::vector<float> cos_coef = random.numbers(n_tables * n_waves * n_waves),
                                         sin_coef = random.numbers(n_tables * n_waves * n_waves);
                device_array<float> freq(inv_freq), cos_there(cos_coef), sin_there(sin_coef),
                    tables((size_t)n * n_tables * n_rot);
                engine_rope want_of = {};
                want_of.kind = fope ? ENGINE_ROPE_FOPE : ENGINE_ROPE_YARN;
                want_of.n_rot = n_rot;
                want_of.magnitude = 1.25f;
                want_of.n_tables = n_tables;
                want_of.n_waves = n_waves;
                want_of.sin_pad = 0.5f;
                want_of.cos_coef = cos_coef.data();
                want_of.sin_coef = sin_coef.data();
                lode_cuda_rope r = {};
                r.n_rot = n_rot;
                r.first = first;
                r.magnitude = 1.25f;
                r.n_tables = n_tables;
                r.n_waves = n_waves;
                r.sin_pad = 0.5f;
                r.cos_coef = cos_there.data;
                r.sin_coef = sin_there.data;
                r.fope = fope;
                CUDA_OK(cuda_rope_tables(NULL, &r, freq.data, n, tables.data));
                std::vector<float> want(tables.n);
                for (uint32_t t = 0; t < n; t++)
                    engine_rope_row(&want_of, engine_kernels_lookup(ENGINE_CPU_SCALAR),
                                    inv_freq.data(), first + t, tmp.data(),
                                    &want[(size_t)t * n_tables * n_rot]);
                check_near("tables", tables.get(), want, 2e-5f, 0.0f);
            }
}

/* x by the Hadamard matrix of its length's largest power of two, piece by piece, from the matrix's definition. */
static std::vector<float>
rotated(const std::vector<float> &x)
{
    const uint32_t dim = (uint32_t)x.size(), n = dim & (~dim + 1);
    std::vector<float> out(dim);
    for (uint32_t i = 0; i < dim; i++) {
        double sum = 0.0;
        for (uint32_t j = 0; j < n; j++)
            sum += (__builtin_popcount(i % n & j) % 2 ? -1.0 : 1.0) * (double)x[i / n * n + j];
        out[i] = (float)(sum / std::sqrt((double)n));
    }
    return out;
}

/* Half a step off at most, or a whole one at the end that has one number less. */
static void
check_q4_0(const std::vector<float> &got, const std::vector<float> &want)
{
    for (size_t b = 0; b < want.size(); b += 32) {
        float extreme = 0.0f;
        for (size_t i = b; i < b + 32; i++)
            extreme = std::fabs(want[i]) > std::fabs(extreme) ? want[i] : extreme;
        const float step = std::fabs(extreme) / 8.0f;
        for (size_t i = b; i < b + 32; i++) {
            const bool at_the_end = -want[i] * std::copysign(1.0f, extreme) > 7.4f * step;
            const float allowed = step * (at_the_end ? 1.02f : 0.52f);
            if (!(std::fabs(got[i] - want[i]) <= allowed))
                fail_msg("q4_0: element %zu: %g, not %g", i, (double)got[i], (double)want[i]);
        }
    }
}

static void
check_heads(uint32_t type, uint32_t dim, uint32_t n_rot, bool halves, bool normed, bool fope)
{
    attention_case c(90 + dim, type, 6, 2, dim);
    const engine_kernels *reference = engine_kernels_lookup(ENGINE_CPU_SCALAR);
    c.add_span(126, 5); /* over the end of a page */
    c.add_span(0, 1);
    c.fill();
    const uint32_t n_tables = fope ? 2 : 1, width = 10 * dim + 3;
    const std::vector<float> raw = c.random.numbers((size_t)c.n * width),
                             tables = c.random.numbers((size_t)c.n * n_tables * n_rot),
                             norm = c.random.numbers(dim);
    device_array<uint8_t> arena(c.arena);
    device_array<cuda_span> spans(c.spans);
    device_array<uint32_t> pages(c.pages), row_span(c.row_span);
    device_array<float> raw_there(raw), tables_there(tables), norm_there(norm),
        q((size_t)c.n * 6 * dim);
    const cuda_pass pass = {spans.data, pages.data, row_span.data, 2, c.n, 1, 5};
    lode_cuda_attention a = {};

    a.n_heads = 6;
    a.n_kv_heads = 2;
    a.head_dim = dim;
    a.width = width;
    a.q_at = 3; /* queries of a group, its key, its value; group by group */
    a.q_group = a.k_head = a.v_head = 5 * dim;
    a.q_head = dim;
    a.k_at = 3 + 3 * dim;
    a.v_at = 3 + 4 * dim;
    a.q_norm = a.k_norm = normed ? norm_there.data : NULL;
    a.eps = 1e-6f;
    a.raw = raw_there.data;
    a.tables = tables_there.data;
    a.n_rot = n_rot;
    a.n_tables = n_tables;
    a.halves = halves;
    a.q = q.data;
    a.kv = cache_of(c, arena.data);
    CUDA_OK(cuda_heads(NULL, &a, &pass));
    const std::vector<float> got_q = q.get();
    const std::vector<uint8_t> got_arena = arena.get();
    const float step = type == CUDA_F32 ? 0.0f : type == CUDA_F16 ? 0x1p-10f : 0.02f;
    for (const cuda_span &s : c.spans)
        for (uint32_t t = 0; t < s.n; t++)
            for (uint32_t item = 0; item < 10; item++) {
                const uint32_t group = item / 5, part = item % 5;
                std::vector<float> want(&raw[(size_t)(s.row + t) * width + 3 + item * dim],
                                        &raw[(size_t)(s.row + t) * width + 3 + item * dim] + dim);
                if (part < 4 && normed)
                    reference->rms_norm(want.data(), norm.data(), 1e-6f, dim, want.data());
                if (part < 4)
                    (halves ? reference->rope_halves : reference->rope_pairs)(
                        want.data(),
                        &tables[((size_t)(s.row + t) * n_tables + (fope ? group : 0)) * n_rot],
                        n_rot / 2);
                if (type == CUDA_Q4_0 && part < 4) want = rotated(want);
                if (part < 3) {
                    const float *at = &got_q[((size_t)(s.row + t) * 6 + group * 3 + part) * dim];
                    check_near("query", std::vector<float>(at, at + dim), want, 1e-5f, 1e-5f);
                } else if (type == CUDA_Q4_0) {
                    check_q4_0(c.row(got_arena, s, s.first + t, group, part == 4), want);
                } else {
                    check_near("cache", c.row(got_arena, s, s.first + t, group, part == 4), want,
                               1e-5f + step, step);
                }
            }
}

static void
heads_are_normed_turned_and_stored(void **)
{
    check_heads(CUDA_F32, 64, 64, true, true, false);
    check_heads(CUDA_F16, 80, 80, false, false, false);
    check_heads(CUDA_F16, 96, 96, true, true, true);
    check_heads(CUDA_Q8_0, 128, 128, true, false, false);
    check_heads(CUDA_Q8_0, 256, 64, true, true, false); /* a part of the head turns */
    check_heads(CUDA_Q4_0, 128, 128, true, true, false);
    check_heads(CUDA_Q4_0, 96, 64, false, false, false); /* rotated in pieces of 32 */
    check_heads(CUDA_F32, 10, 6, false, false, false);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_rows_attend_as_the_reference),
        cmocka_unit_test(a_long_past_is_split_over_blocks),
        cmocka_unit_test(many_rows_attend_as_the_reference),
        cmocka_unit_test(long_and_short_spans_share_a_pass),
        cmocka_unit_test(many_spans_and_many_rows_take_several_blocks_and_launches),
        cmocka_unit_test(pages_anywhere_are_pages_in_a_row),
        cmocka_unit_test(texts_attend_both_ways),
        cmocka_unit_test(rotary_tables_are_the_reference_far_out_too),
        cmocka_unit_test(heads_are_normed_turned_and_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
