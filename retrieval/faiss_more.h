/* faiss_more: what FAISS can do and its C API does not say. */
#ifndef LODE_RETRIEVAL_FAISS_MORE_H
#define LODE_RETRIEVAL_FAISS_MORE_H

#include <faiss/c_api/IndexIVF_c.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As faiss_IndexIVF_make_direct_map, also where vectors were removed and labels have gaps. An index with such a map
 * can only remove label by label. 0 on success. */
int retrieval_faiss_map_sparse(FaissIndexIVF *index);

/* Train an index of product-quantised lists on 64 vectors for each of its codes, in 10 rounds: FAISS takes 256 and 25,
 * some minutes of one core. Nothing for others. */
void retrieval_faiss_train_faster(FaissIndex *index);

#ifdef __cplusplus
}
#endif
#endif
