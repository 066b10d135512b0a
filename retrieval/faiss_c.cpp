/* The few functions of FAISS's C API that retrieval calls, for systems that ship its headers and the C++
 * library but not its objects (Debian's libfaiss-dev). The contract is the headers': 0 on success, a
 * negative FaissErrorCode on failure, the message kept for the calling thread until its next failure.
 * No C++ exception leaves this file. Not built where a libfaiss_c is found. */
#include <exception>
#include <string>

#include <faiss/Index.h>
#include <faiss/IndexFlat.h>
#include <faiss/IndexIVF.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/IDSelector.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>

#pragma GCC visibility push(default)
#include <faiss/c_api/IndexFlat_c.h>
#include <faiss/c_api/IndexIVF_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/impl/AuxIndexStructures_c.h>
#include <faiss/c_api/index_factory_c.h>
#include <faiss/c_api/index_io_c.h>
#pragma GCC visibility pop

namespace
{

thread_local std::string last_error;

/* Runs call and turns what it throws into a code. */
template <typename Call>
int
guarded(Call call) noexcept
{
    try {
        call();
        return OK;
    } catch (const faiss::FaissException &e) {
        last_error = e.what();
        return FAISS_EXCEPT;
    } catch (const std::exception &e) {
        last_error = e.what();
        return STD_EXCEPT;
    } catch (...) {
        last_error = "unknown exception";
        return UNKNOWN_EXCEPT;
    }
}

faiss::Index *
cpp(FaissIndex *index)
{
    return reinterpret_cast<faiss::Index *>(index);
}

const faiss::Index *
cpp(const FaissIndex *index)
{
    return reinterpret_cast<const faiss::Index *>(index);
}

} // namespace

extern "C" const char *
faiss_get_last_error()
{
    return last_error.empty() ? nullptr : last_error.c_str();
}

extern "C" int
faiss_IndexFlatIP_new_with(FaissIndexFlatIP **p_index, idx_t d)
{
    return guarded([&] {
        *p_index = reinterpret_cast<FaissIndexFlatIP *>(
            static_cast<faiss::Index *>(new faiss::IndexFlatIP(d)));
    });
}

extern "C" void
faiss_Index_free(FaissIndex *index)
{
    delete cpp(index);
}

extern "C" int
faiss_Index_d(const FaissIndex *index)
{
    return static_cast<int>(cpp(index)->d);
}

extern "C" idx_t
faiss_Index_ntotal(const FaissIndex *index)
{
    return cpp(index)->ntotal;
}

extern "C" FaissMetricType
faiss_Index_metric_type(const FaissIndex *index)
{
    return static_cast<FaissMetricType>(cpp(index)->metric_type);
}

extern "C" int
faiss_Index_add(FaissIndex *index, idx_t n, const float *x)
{
    return guarded([&] { cpp(index)->add(n, x); });
}

extern "C" int
faiss_Index_add_with_ids(FaissIndex *index, idx_t n, const float *x, const idx_t *xids)
{
    return guarded([&] { cpp(index)->add_with_ids(n, x, xids); });
}

extern "C" int
faiss_Index_search(const FaissIndex *index, idx_t n, const float *x, idx_t k, float *distances,
                   idx_t *labels)
{
    return guarded([&] { cpp(index)->search(n, x, k, distances, labels); });
}

extern "C" int
faiss_IndexFlat_compute_distance_subset(FaissIndex *index, idx_t n, const float *x, idx_t k,
                                        float *distances, const idx_t *labels)
{
    return guarded([&] {
        dynamic_cast<faiss::IndexFlat &>(*cpp(index))
            .compute_distance_subset(n, x, k, distances, labels);
    });
}

extern "C" int
faiss_index_factory(FaissIndex **p_index, int d, const char *description, FaissMetricType metric)
{
    return guarded([&] {
        *p_index = reinterpret_cast<FaissIndex *>(
            faiss::index_factory(d, description, static_cast<faiss::MetricType>(metric)));
    });
}

extern "C" int
faiss_Index_train(FaissIndex *index, idx_t n, const float *x)
{
    return guarded([&] { cpp(index)->train(n, x); });
}

extern "C" int
faiss_Index_reconstruct(const FaissIndex *index, idx_t key, float *recons)
{
    return guarded([&] { cpp(index)->reconstruct(key, recons); });
}

extern "C" int
faiss_Index_remove_ids(FaissIndex *index, const FaissIDSelector *sel, size_t *n_removed)
{
    return guarded([&] {
        size_t n = cpp(index)->remove_ids(*reinterpret_cast<const faiss::IDSelector *>(sel));
        if (n_removed) *n_removed = n;
    });
}

extern "C" int
faiss_IDSelectorBatch_new(FaissIDSelectorBatch **p_sel, size_t n, const idx_t *indices)
{
    return guarded([&] {
        *p_sel = reinterpret_cast<FaissIDSelectorBatch *>(
            static_cast<faiss::IDSelector *>(new faiss::IDSelectorBatch(n, indices)));
    });
}

extern "C" void
faiss_IDSelector_free(FaissIDSelector *sel)
{
    delete reinterpret_cast<faiss::IDSelector *>(sel);
}

extern "C" FaissIndexIVF *
faiss_IndexIVF_cast(FaissIndex *index)
{
    return dynamic_cast<faiss::IndexIVF *>(cpp(index)) ? index : nullptr;
}

extern "C" size_t
faiss_IndexIVF_nlist(const FaissIndexIVF *index)
{
    return static_cast<const faiss::IndexIVF *>(cpp(index))->nlist;
}

extern "C" void
faiss_IndexIVF_set_nprobe(FaissIndexIVF *index, size_t nprobe)
{
    static_cast<faiss::IndexIVF *>(cpp(index))->nprobe = nprobe;
}

extern "C" int
faiss_IndexIVF_make_direct_map(FaissIndexIVF *index, int new_maintain_direct_map)
{
    return guarded([&] {
        static_cast<faiss::IndexIVF *>(cpp(index))->make_direct_map(new_maintain_direct_map != 0);
    });
}

extern "C" FaissIndexFlat *
faiss_IndexFlat_cast(FaissIndex *index)
{
    return dynamic_cast<faiss::IndexFlat *>(cpp(index)) ? index : nullptr;
}

extern "C" void
faiss_IndexFlat_xb(FaissIndexFlat *index, float **p_xb, size_t *p_size)
{
    auto *flat = static_cast<faiss::IndexFlat *>(cpp(index));
    *p_xb = flat->get_xb();
    *p_size = static_cast<size_t>(flat->ntotal) * static_cast<size_t>(flat->d);
}

extern "C" int
faiss_write_index(const FaissIndex *index, FILE *f)
{
    return guarded([&] { faiss::write_index(cpp(index), f); });
}

extern "C" int
faiss_read_index(FILE *f, int io_flags, FaissIndex **p_out)
{
    return guarded(
        [&] { *p_out = reinterpret_cast<FaissIndex *>(faiss::read_index(f, io_flags)); });
}
