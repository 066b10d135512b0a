/* The int8 tables by level, for kernels.c and the tables' own files. */
#ifndef LODE_ENGINE_INT8_LEVELS_H
#define LODE_ENGINE_INT8_LEVELS_H

#include "engine/int8.h"

G_BEGIN_DECLS

extern const engine_int8_kernels engine_int8_ref;

/* Everything of a block that follows from scale and q. */
void engine_int8_finish(engine_int8_block *block);

#ifdef LODE_ENGINE_X86
extern const engine_int8_kernels engine_int8_avx2;
extern const engine_int8_kernels engine_int8_avx512;
extern const engine_int8_kernels engine_int8_vnni;
#endif

/* The functions of all types, named prefix_type. */
#define ENGINE_INT8_TABLE(prefix)                                                                  \
    {                                                                                              \
        [ENGINE_TYPE_Q4_0] = prefix##_q4_0, [ENGINE_TYPE_Q4_1] = prefix##_q4_1,                    \
        [ENGINE_TYPE_Q5_0] = prefix##_q5_0, [ENGINE_TYPE_Q5_1] = prefix##_q5_1,                    \
        [ENGINE_TYPE_Q8_0] = prefix##_q8_0, [ENGINE_TYPE_Q2_K] = prefix##_q2_k,                    \
        [ENGINE_TYPE_Q3_K] = prefix##_q3_k, [ENGINE_TYPE_Q4_K] = prefix##_q4_k,                    \
        [ENGINE_TYPE_Q5_K] = prefix##_q5_k, [ENGINE_TYPE_Q6_K] = prefix##_q6_k,                    \
        [ENGINE_TYPE_IQ4_NL] = prefix##_iq4_nl, [ENGINE_TYPE_IQ4_XS] = prefix##_iq4_xs,            \
        [ENGINE_TYPE_MXFP4] = prefix##_mxfp4                                                       \
    }

G_END_DECLS
#endif
