/* What FAISS can do and its C API does not say: the contract is that API's. */
#include "retrieval/faiss_more.h"

#include <exception>

#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFPQ.h>

extern "C" int
retrieval_faiss_map_sparse(FaissIndexIVF *index)
{
    try {
        reinterpret_cast<faiss::IndexIVF *>(reinterpret_cast<faiss::Index *>(index))
            ->set_direct_map_type(faiss::DirectMap::Hashtable);
        return 0;
    } catch (const std::exception &) {
        return -1;
    }
}

extern "C" void
retrieval_faiss_train_faster(FaissIndex *index)
{
    auto *lists = dynamic_cast<faiss::IndexIVFPQ *>(reinterpret_cast<faiss::Index *>(index));
    if (!lists) return;
    lists->pq.cp.niter = 10;
    lists->pq.cp.max_points_per_centroid = 64;
}
