/* What FAISS can do and its C API does not say: the contract is that API's. */
#include "retrieval/faiss_more.h"

#include <exception>

#include <faiss/IndexIVF.h>

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
