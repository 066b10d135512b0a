/* faiss_more: what FAISS can do and its C API does not say. The contract is that API's: 0 on success; no C++ exception
 * leaves. */
#ifndef LODE_RETRIEVAL_FAISS_MORE_H
#define LODE_RETRIEVAL_FAISS_MORE_H

#include <stdint.h>
#include <stdio.h>

#include <faiss/c_api/IndexIVF_c.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As faiss_IndexIVF_make_direct_map, also where vectors were removed and labels have gaps. An index with such a map
 * can only remove label by label. */
int retrieval_faiss_map_sparse(FaissIndexIVF *index);

/* As faiss_Index_train with values [n, d] of unit length. Product-quantised lists are trained on 64 vectors for each code,
 * in 10 rounds (FAISS takes 256 and 25, some minutes of one core), and on less to code: for inner products FAISS makes
 * centroids of unit length, from which the vectors of a list are farther than from their mean. All are shortened by the
 * same factor, which leaves the choice of lists as it was: of what is coded a fifth goes for all-MiniLM-L6-v2. */
int retrieval_faiss_train(FaissIndex *index, size_t n, const float *values);

/* As faiss_Index_search with one query, among product-quantised lists of unit vectors: in the nearest lists that hold
 * n_codes of them. Decoded vectors are too short, each by its own error; scores [k] are cosines with what they were before:
 * their products by their lengths. The nearest by FAISS's scores are decoded, twice as many as are asked for. Behind what
 * is found labels are -1. Any number of threads may search. */
int retrieval_faiss_search_unit(const FaissIndexIVF *index, const float *query, size_t k,
                                size_t n_codes, float *scores, int64_t *labels);

/* As faiss_read_index for an inverted file, whose lists stay in the file: they are mapped, and what is added later
 * stands behind them in memory. The file may be renamed or deleted, but not changed. */
int retrieval_faiss_read_mapped(FILE *file, FaissIndex **index);

/* As faiss_write_index, also while others search; the labels of inverted lists take some twelve bits each, not 64. For retrieval_faiss_read_mapped
 * alone, which also reads what faiss_write_index wrote. */
int retrieval_faiss_write_packed(const FaissIndex *index, FILE *file);

/* Take lists that were mapped into memory, where vectors can be removed from them. Nothing for others. */
int retrieval_faiss_unmap(FaissIndexIVF *index);

/* The vectors of labels [n], as the lists know them, into the rows of values [n, d]; known [n] becomes 1 for those that
 * are there and stays what it is for the others. A negative label is none. Reads the labels of every list; any number of
 * threads may. */
int retrieval_faiss_find(const FaissIndexIVF *index, const int64_t *labels, size_t n, float *values,
                         unsigned char *known);

#ifdef __cplusplus
}
#endif
#endif
